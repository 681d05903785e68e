/**
 * Low-bit floating-point elements and the scales that go with them: FP8 (E4M3FN, E5M2), FP6, FP4 and E8M0. Rounding is
 * to nearest, ties to the even code, and saturates. Sources: OCP 8-bit Floating Point (OFP8) 1.0, OCP Microscaling
 * Formats (MX) 1.0 sections 5.3 and 6.3.
 */
import { ROUNDING_MAGIC } from './affine';

/** A sign, an exponent and a mantissa; subnormals below 2^smallestExponent, no infinities in use. */
export interface FloatElement {
  readonly bits: number;
  readonly mantissaBits: number;
  /** Exponent of the smallest normal value. */
  readonly smallestExponent: number;
  /** Largest finite value. */
  readonly max: number;
}

export const floatElements = {
  e4m3: { bits: 8, mantissaBits: 3, smallestExponent: -6, max: 448 },
  e5m2: { bits: 8, mantissaBits: 2, smallestExponent: -14, max: 57_344 },
  e3m2: { bits: 6, mantissaBits: 2, smallestExponent: -2, max: 28 },
  e2m3: { bits: 6, mantissaBits: 3, smallestExponent: 0, max: 7.5 },
  e2m1: { bits: 4, mantissaBits: 1, smallestExponent: 0, max: 6 },
} as const satisfies Record<string, FloatElement>;

const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);

/** ⌊log2|x|⌋ of a float32 value; −127 for zero and subnormal numbers. */
export function exponentOf(x: number): number {
  FLOAT[0] = x;
  return (((BITS[0] ?? 0) >>> 23) & 255) - 127;
}

/** 2^−160 … 2^160: steps of every element. */
const POWERS = Float64Array.from({ length: 321 }, (_, i) => 2 ** (i - 160));

/** The element nearest to a float32 value; keeps the sign of zero. */
export function roundToElement(x: number, element: FloatElement): number {
  const size = Math.abs(x);
  if (!(size < element.max)) return x < 0 ? -element.max : element.max;
  // Inside one binade elements are equally spaced; their codes are consecutive, so that even counts are even codes.
  const step = POWERS[Math.max(exponentOf(size), element.smallestExponent) - element.mantissaBits + 160] ?? 0;
  const rounded = Math.min((size / step + ROUNDING_MAGIC - ROUNDING_MAGIC) * step, element.max);
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

/**
 * E8M0 scale of a block: 2^(⌊log2 max|x|⌋ − ⌊log2 largest element⌋), clamped to the exponents that E8M0 has. The
 * largest value may exceed the largest element and saturates then (MX 1.0 section 6.3).
 */
export function blockScale(absMax: number, element: FloatElement): number {
  return 2 ** Math.min(Math.max(exponentOf(absMax) - exponentOf(element.max), -127), 127);
}
