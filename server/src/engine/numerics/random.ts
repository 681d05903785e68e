/**
 * Seeded random numbers: xoshiro128** (Blackman and Vigna 2018, public domain) over a state filled by splitmix32, so
 * that any 32-bit seed gives the same stream on every machine. Every draw in the program takes one of these.
 */

export interface Random {
  /** 32 random bits as an unsigned integer. */
  bits(): number;
  /** Uniform in [0, 1), a multiple of 2^-32. */
  uniform(): number;
  /** Uniform integer in [0, bound), bound ≤ 2^32; without bias. */
  integer(bound: number): number;
  /** Standard normal, by Marsaglia's polar method. */
  normal(): number;
  /** A generator of its own, seeded from this one; draws from it do not disturb this stream. */
  fork(): Random;
}

/** @param seed any integer; the low 32 bits count. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  return new Xoshiro128(next(), next(), next(), next());
}

/** `length` standard normal float32 values. */
export function normalArray(random: Random, length: number): Float32Array {
  return Float32Array.from({ length }, () => random.normal());
}

/** `length` uniform float32 values in [min, max). */
export function uniformArray(random: Random, length: number, min = 0, max = 1): Float32Array {
  return Float32Array.from({ length }, () => min + (max - min) * random.uniform());
}

class Xoshiro128 implements Random {
  private spare: number | undefined;

  constructor(
    private a: number,
    private b: number,
    private c: number,
    private d: number,
  ) {
    // The all-zero state is the only one that never leaves itself.
    if ((a | b | c | d) === 0) this.d = 1;
  }

  bits(): number {
    const result = Math.imul(rotate(Math.imul(this.b, 5), 7), 9) >>> 0;
    const shifted = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= shifted;
    this.d = rotate(this.d, 11);
    return result;
  }

  uniform(): number {
    return this.bits() * 2 ** -32;
  }

  integer(bound: number): number {
    // Rejecting the incomplete last stretch keeps all remainders equally likely.
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const draw = this.bits();
      if (draw < limit) return draw % bound;
    }
  }

  normal(): number {
    if (this.spare !== undefined) {
      const spare = this.spare;
      this.spare = undefined;
      return spare;
    }
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const square = u * u + v * v;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      this.spare = v * factor;
      return u * factor;
    }
  }

  fork(): Random {
    return createRandom(this.bits());
  }
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}
