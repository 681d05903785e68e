/**
 * Seeded mutation of file readers. The oracle: only an outcome comes back, in bounded time, having read a bounded
 * number of bytes and nothing outside the source. A failure names the seed and run, and shows the input.
 */
import type { ByteSource } from '../../server/src/engine/base/byte-source';
import type { Outcome } from '../../server/src/engine/base/outcome';
import { watchedSource } from '../fixtures/sources';

export interface FuzzTarget {
  readonly name: string;
  /** Well-formed files that mutations start from. */
  readonly seeds: readonly Uint8Array[];
  /** Reads the source and everything that may be asked of the result. */
  readonly run: (source: ByteSource) => Outcome<unknown>;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly milliseconds: number;
}

export interface FuzzReport {
  readonly runs: number;
  /** Longest single run in milliseconds. */
  readonly slowest: number;
  /** Runs that gave a value. */
  readonly accepted: number;
}

/** A reader may look at a byte more than once (a window, a payload, a check), but not without bound. */
const READS_PER_BYTE = 8;
const READ_ALLOWANCE = 1 << 20;
const LONGEST_RUN = 1000;
const EXHAUSTIVE_BYTES = 4096;

/** Truncations at every byte of the small seeds, then random mutations until the time is over. */
export function fuzz(target: FuzzTarget, options: FuzzOptions): FuzzReport {
  const until = performance.now() + options.milliseconds;
  const random = new Random(options.seed);
  let runs = 0;
  let slowest = 0;
  let accepted = 0;
  const attempt = (bytes: Uint8Array, what: string) => {
    runs++;
    const started = performance.now();
    const outcome = checkedRun(target, bytes, `${what}, seed ${options.seed}, run ${runs}`);
    let took = performance.now() - started;
    // A busy machine may be the reason: a slow input is slow every time.
    for (let again = 0; again < 3 && took > LONGEST_RUN; again++) took = Math.min(took, timed(target, bytes));
    if (took > LONGEST_RUN)
      throw failure(target, bytes, `${what}, seed ${options.seed}: ${Math.round(took)} ms`);
    slowest = Math.max(slowest, took);
    if (outcome.value !== undefined) accepted++;
  };
  for (const seed of target.seeds) attempt(seed, 'unchanged');
  for (const seed of target.seeds) {
    if (seed.length > EXHAUSTIVE_BYTES) continue;
    for (let length = 0; length < seed.length; length++) attempt(seed.slice(0, length), `cut at ${length}`);
  }
  while (performance.now() < until) {
    let bytes = random.pick(target.seeds);
    const names: string[] = [];
    for (let count = 1 + random.below(4); count > 0; count--) {
      const [name, mutate] = random.pick(mutators);
      bytes = mutate(bytes, random, target.seeds);
      names.push(name);
    }
    attempt(bytes, names.join(' + '));
  }
  return { runs, slowest, accepted };
}

function checkedRun(target: FuzzTarget, bytes: Uint8Array, what: string): Outcome<unknown> {
  const source = watchedSource(bytes, `fuzz.${target.name}`);
  let outcome: Outcome<unknown>;
  try {
    outcome = target.run(source);
  } catch (error) {
    throw failure(target, bytes, `${what}: ${error instanceof Error ? error.stack : String(error)}`);
  }
  if (outcome.value === undefined && outcome.issues.length === 0)
    throw failure(target, bytes, `${what}: no word`);
  const read = source.reads.reduce((sum, [, length]) => sum + length, 0);
  if (read > READS_PER_BYTE * bytes.length + READ_ALLOWANCE) {
    throw failure(target, bytes, `${what}: ${read} bytes read of ${bytes.length}`);
  }
  return outcome;
}

function timed(target: FuzzTarget, bytes: Uint8Array): number {
  const started = performance.now();
  target.run(watchedSource(bytes, `fuzz.${target.name}`));
  return performance.now() - started;
}

function failure(target: FuzzTarget, bytes: Uint8Array, what: string): Error {
  const shown = Buffer.from(bytes.subarray(0, 2000)).toString('base64');
  return new Error(`${target.name}: ${what}\ninput (${bytes.length} bytes, base64): ${shown}`);
}

type Mutate = (bytes: Uint8Array, random: Random, seeds: readonly Uint8Array[]) => Uint8Array;

const mutators: readonly (readonly [name: string, mutate: Mutate])[] = [
  ['cut', (bytes, random) => bytes.slice(0, random.below(bytes.length + 1))],
  [
    'flip bits',
    (bytes, random) => {
      const changed = bytes.slice();
      for (let count = 1 + random.below(8); count > 0 && changed.length > 0; count--) {
        const at = random.below(changed.length);
        changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
      }
      return changed;
    },
  ],
  ['set bytes', (bytes, random) => overwrite(bytes, random, random.bytes(1 + random.below(4)))],
  ['lying varint', (bytes, random) => overwrite(bytes, random, varint(random.hugeNumber()))],
  ['lying u32', (bytes, random) => overwrite(bytes, random, littleEndian(random.hugeNumber(), 4))],
  ['lying u64', (bytes, random) => overwrite(bytes, random, littleEndian(random.hugeNumber(), 8))],
  ['insert varint', (bytes, random) => insert(bytes, random, varint(random.hugeNumber()))],
  [
    'overlong varint',
    (bytes, random) => insert(bytes, random, new Uint8Array(1 + random.below(14)).fill(0x80)),
  ],
  ['ones', (bytes, random) => overwrite(bytes, random, new Uint8Array(1 + random.below(12)).fill(0xff))],
  [
    'repeat a stretch',
    (bytes, random) => {
      const [from, to] = random.stretch(bytes.length);
      const copies = Array.from({ length: 1 + random.below(3) }, () => bytes.subarray(from, to));
      return insert(bytes, random, Buffer.concat(copies));
    },
  ],
  [
    'remove a stretch',
    (bytes, random) => {
      const [from, to] = random.stretch(bytes.length);
      return new Uint8Array(Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]));
    },
  ],
  [
    'swap two stretches',
    (bytes, random) => {
      const [from, to] = random.stretch(bytes.length);
      const middle = from + random.below(to - from + 1);
      const parts = [
        bytes.subarray(0, from),
        bytes.subarray(middle, to),
        bytes.subarray(from, middle),
        bytes.subarray(to),
      ];
      return new Uint8Array(Buffer.concat(parts));
    },
  ],
  [
    'nest',
    (bytes, random) => {
      // Wraps a stretch in length-delimited fields again and again: messages in messages.
      const [from, to] = random.stretch(Math.min(bytes.length, 400));
      let inner: Uint8Array = bytes.slice(from, to);
      const tags = [0x0a, 0x12, 0x2a, 0x32, 0x3a];
      for (let depth = random.below(300); depth > 0; depth--) {
        inner = Buffer.concat([Uint8Array.of(random.pick(tags)), varint(BigInt(inner.length)), inner]);
      }
      return random.below(2) === 0 ? new Uint8Array(inner) : insert(bytes, random, inner);
    },
  ],
  [
    'splice',
    (bytes, random, seeds) => {
      const other = random.pick(seeds);
      const [from, to] = random.stretch(other.length);
      return insert(bytes, random, other.subarray(from, to));
    },
  ],
];

function overwrite(bytes: Uint8Array, random: Random, patch: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  const at = random.below(changed.length + 1);
  changed.set(patch.subarray(0, changed.length - at), at);
  return changed;
}

function insert(bytes: Uint8Array, random: Random, part: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  return new Uint8Array(Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]));
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.from([...bytes, Number(rest)]);
}

function littleEndian(value: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes.slice(0, size);
}

/** mulberry32. */
class Random {
  constructor(private state: number) {}

  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * limit);
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** A stretch [from, to) inside `length`, mostly short. */
  stretch(length: number): [number, number] {
    const from = this.below(length + 1);
    const longest = this.below(4) === 0 ? length : 64;
    return [from, Math.min(length, from + this.below(longest + 1))];
  }

  /** A number where sizes go wrong: small, near powers of two, or far beyond any file. */
  hugeNumber(): bigint {
    const power = 2n ** BigInt(this.below(65));
    return power + BigInt(this.below(5) - 2);
  }
}
