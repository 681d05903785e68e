/** Loads the kernels that judge ranges on a histogram; one memory per thread, half a megabyte, one histogram at a time. */
import { kernelInstance } from './instance';
import { rangeErrorBinary } from './range-error-binary';

interface Exports {
  prepare(n: number, first: number, width: number, min: number, max: number, farthest: number): void;
  atLeast(lowest: number, highest: number): number;
  error(lowest: number, highest: number, scale: number, bound: number): number;
  codes(
    n: number,
    first: number,
    width: number,
    scale: number,
    shift: number,
    last: number,
    lowest: number,
    highest: number,
  ): number;
  entropy(n: number, all: number): number;
  magnitude(n: number, first: number, largest: number, left: number): number;
}

/** Bins a histogram may have, and codes a scheme, to be judged here. */
export const RANGE_ERROR_BINS = 8192;

const CODES = 65_536;
const PAGES = 9;

/** Bins of a histogram: bin i covers [first + i, first + i + 1) · width. */
export interface Bins {
  readonly counts: Float64Array;
  readonly first: number;
  readonly width: number;
}

export interface CutBins extends Bins {
  /** Extremes that bins are cut to. */
  readonly min: number;
  readonly max: number;
  /** Magnitude beyond which bins are left out. */
  readonly farthest: number;
}

export class RangeErrorKernel {
  private readonly counts: Float64Array;
  private readonly codeCounts: Float64Array;
  private prepared: CutBins | undefined;

  constructor(
    { buffer }: WebAssembly.Memory,
    private readonly exports: Exports,
  ) {
    this.counts = new Float64Array(buffer, 0, RANGE_ERROR_BINS);
    this.codeCounts = new Float64Array(buffer, CODES, RANGE_ERROR_BINS);
  }

  /** Takes bins in, unless they are the ones taken in last. */
  prepare(bins: CutBins): void {
    if (this.prepared === bins) return;
    const { counts, first, width, min, max, farthest } = bins;
    this.counts.set(counts);
    this.exports.prepare(counts.length, first, width, min, max, farthest);
    this.prepared = bins;
  }

  /** What the prepared bins beyond [lowest, highest] cost at least under any range within it. */
  atLeast(lowest: number, highest: number): number {
    return this.exports.atLeast(lowest, highest);
  }

  /** Squared error of the prepared bins with levels from `lowest` to `highest`, or some larger number than `bound`. */
  error(lowest: number, highest: number, scale: number, bound: number): number {
    return this.exports.error(lowest, highest, scale, bound);
  }

  /**
   * Counts per code, bins as their centres: code = nearest(x / scale) + shift, within 0 to `codes` − 1.
   * @returns a view that the next call voids, and how many values lie outside [lowest, highest].
   */
  codes(
    bins: Bins,
    { scale, shift, codes }: { readonly scale: number; readonly shift: number; readonly codes: number },
    lowest: number,
    highest: number,
  ): { readonly counts: Float64Array; readonly clipped: number } {
    this.load(bins);
    const { first, width, counts } = bins;
    const found = this.codeCounts.subarray(0, codes).fill(0);
    const { length } = counts;
    const clipped = this.exports.codes(length, first, width, scale, shift, codes - 1, lowest, highest);
    return { counts: found, clipped };
  }

  /** Entropy in nats of the codes counted last, of which there are `codes`, as shares of `all`. */
  entropy(codes: number, all: number): number {
    return this.exports.entropy(codes, all);
  }

  /** The magnitude that `left` elements of the bins exceed; undefined where fewer lie outside of 0. */
  magnitude(bins: Bins, largest: number, left: number): number | undefined {
    this.load(bins);
    const { first, width, counts } = bins;
    const found = this.exports.magnitude(counts.length, first, Math.floor(largest / width), left);
    return found < 0 ? undefined : found * width;
  }

  private load({ counts }: Bins): void {
    this.prepared = undefined;
    this.counts.set(counts);
  }
}

let loaded: RangeErrorKernel | undefined;

/** The kernels, or `undefined` where the engine has no WebAssembly SIMD. */
export function loadRangeErrorKernel(): RangeErrorKernel | undefined {
  loaded ??= instantiate();
  return loaded;
}

function instantiate(): RangeErrorKernel | undefined {
  const made = kernelInstance(Buffer.from(rangeErrorBinary, 'base64'), PAGES);
  // The binary is ours and a test holds it against range-error.wat, so its exports are these functions.
  return made && new RangeErrorKernel(made.memory, made.exports as Exports);
}
