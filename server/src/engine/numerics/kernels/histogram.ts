/** Loads the kernels that count elements into histograms and sum them up; three quarters of a megabyte, one per thread. */
import { histogramBinary } from './histogram-binary';
import { kernelInstance } from './instance';

interface Exports {
  begin(row: number): void;
  take(p: number, n: number, perWidth: number, first: number, low: number, high: number): number;
  extremes(p: number, n: number, out: number): void;
  finish(out: number): void;
  fold(from: number, to: number, target: number): void;
  regroup(from: number, n: number, first: number, shift: number, start: number, target: number): void;
}

/** Counters a histogram may have to be counted here. */
export const KERNEL_BINS = 8192;

/** Elements that are taken in at once; most tensors of a few samples are one block. */
export const KERNEL_BLOCK = 131_072;

const FOLDED = 131_072;
const RESULT = 196_608;
const BLOCK = 196_672;
const REGROUPED = BLOCK + 4 * KERNEL_BLOCK;
const PAGES = 13;

/** Figures of the elements taken since `begin`. */
export interface Taken {
  readonly min: number;
  readonly max: number;
  readonly sum: number;
  readonly squares: number;
  readonly zeros: number;
  /** Smallest positive (or infinity) and largest standard deviation of a whole row. */
  readonly leastDeviation: number;
  readonly largestDeviation: number;
}

/** `begin`, then one block at a time: `load` it, `take` it; `fold` and `finish` after the last. */
export class HistogramKernel {
  private readonly block: Float32Array;
  private readonly floats: Float32Array;
  private readonly doubles: Float64Array;
  private readonly integers: Int32Array;
  private readonly folded: Float64Array;
  private readonly regrouped: Float64Array;

  constructor(
    memory: WebAssembly.Memory,
    private readonly exports: Exports,
  ) {
    const { buffer } = memory;
    this.block = new Float32Array(buffer, BLOCK, KERNEL_BLOCK);
    this.floats = new Float32Array(buffer, RESULT, 2);
    this.doubles = new Float64Array(buffer, RESULT + 8, 4);
    this.integers = new Int32Array(buffer, RESULT + 40, 1);
    this.folded = new Float64Array(buffer, FOLDED, KERNEL_BINS);
    this.regrouped = new Float64Array(buffer, REGROUPED, KERNEL_BINS);
  }

  /** @param row elements of a row, over the blocks that follow. */
  begin(row: number): void {
    this.exports.begin(row);
  }

  /** Takes at most {@link KERNEL_BLOCK} elements in. */
  load(elements: Float32Array): Float32Array {
    this.block.set(elements);
    return elements;
  }

  /**
   * Counts elements [from, to) of the block in bins ⌊x · perWidth⌋ − first, up to a stretch that holds one that is not
   * finite or lies outside [low, high], which the bins cover.
   * @returns how many were counted.
   */
  take(from: number, to: number, perWidth: number, first: number, low: number, high: number): number {
    return this.exports.take(BLOCK + 4 * from, to - from, perWidth, first, low, high);
  }

  /** Of elements [from, to) of the block; NaN where they are not all finite. */
  extremes(from: number, to: number): { readonly min: number; readonly max: number } {
    this.exports.extremes(BLOCK + 4 * from, to - from, RESULT);
    return { min: this.floats[0] ?? 0, max: this.floats[1] ?? 0 };
  }

  finish(): Taken {
    this.exports.finish(RESULT);
    const { floats, doubles, integers } = this;
    return {
      min: floats[0] ?? 0,
      max: floats[1] ?? 0,
      sum: doubles[0] ?? 0,
      squares: doubles[1] ?? 0,
      leastDeviation: doubles[2] ?? 0,
      largestDeviation: doubles[3] ?? 0,
      zeros: integers[0] ?? 0,
    };
  }

  /**
   * Adds what was counted in bins [from, to) to `counts` and forgets it.
   * @param from and `to`: multiples of four, unless `to` is the end of the counts.
   */
  fold(counts: Float64Array, from: number, to: number): void {
    // Whole arrays are moved and the sum is made over there: a loop here runs uncompiled for a tenth of a second.
    const part = counts.subarray(from, to);
    this.folded.set(part, from);
    this.exports.fold(from, to, FOLDED);
    part.set(this.folded.subarray(from, to));
  }

  /** Counts in bins of 2^shift times the width. */
  regroup({ counts, first, shift, start, size }: Regrouped): Float64Array {
    this.folded.set(counts);
    const found = this.regrouped.subarray(0, size).fill(0);
    this.exports.regroup(FOLDED, counts.length, first, shift, start, REGROUPED);
    return found.slice();
  }
}

/** What `regroup` asks for. */
export interface Regrouped {
  /** At most {@link KERNEL_BINS}. */
  readonly counts: Float64Array;
  /** Grid position of the first. */
  readonly first: number;
  /** Widths grow by 2^shift. */
  readonly shift: number;
  /** Grid position of the first new bin, and number of new bins; they hold every old one. */
  readonly start: number;
  readonly size: number;
}

let loaded: HistogramKernel | undefined;

/** The kernel, or `undefined` where the engine has no WebAssembly SIMD. */
export function loadHistogramKernel(): HistogramKernel | undefined {
  loaded ??= instantiate();
  return loaded;
}

function instantiate(): HistogramKernel | undefined {
  const made = kernelInstance(Buffer.from(histogramBinary, 'base64'), PAGES);
  // The binary is ours and a test holds it against histogram.wat, so its exports are these functions.
  return made && new HistogramKernel(made.memory, made.exports as Exports);
}
