/** Loads the kernels that count elements into histograms and sum them up; less than half a megabyte, one per thread. */
import { histogramBinary } from './histogram-binary';

interface Exports {
  scan(p: number, n: number, out: number): void;
  count(p: number, n: number, perWidth: number, first: number, last: number): void;
  fold(from: number, to: number, target: number): void;
}

/** Counters a histogram may have to be counted here. */
export const KERNEL_BINS = 8192;

/** Elements of a block: small enough to stay in a second-level cache between the passes. */
export const KERNEL_BLOCK = 32_768;

const FOLDED = 131_072;
const RESULT = 196_608;
const BLOCK = 196_672;
const PAGES = 6;

/** What one pass over some elements tells. */
export interface Scan {
  readonly min: number;
  readonly max: number;
  readonly sum: number;
  readonly squares: number;
  readonly zeros: number;
  /** Elements that are not finite; when there are any, the other figures mean nothing. */
  readonly notFinite: number;
}

/** One block at a time: `load`, `scan` parts of it, `count` it; `fold` after the last. */
export class HistogramKernel {
  private readonly block: Float32Array;
  private readonly floats: Float32Array;
  private readonly doubles: Float64Array;
  private readonly integers: Int32Array;
  private readonly folded: Float64Array;

  constructor(
    memory: WebAssembly.Memory,
    private readonly exports: Exports,
  ) {
    const { buffer } = memory;
    this.block = new Float32Array(buffer, BLOCK, KERNEL_BLOCK);
    this.floats = new Float32Array(buffer, RESULT, 2);
    this.doubles = new Float64Array(buffer, RESULT + 8, 2);
    this.integers = new Int32Array(buffer, RESULT + 24, 2);
    this.folded = new Float64Array(buffer, FOLDED, KERNEL_BINS);
  }

  /** Takes at most {@link KERNEL_BLOCK} elements in. */
  load(elements: Float32Array): void {
    this.block.set(elements);
  }

  /** Elements [from, to) of the block. */
  scan(from: number, to: number): Scan {
    this.exports.scan(BLOCK + 4 * from, to - from, RESULT);
    const { floats, doubles, integers } = this;
    return {
      min: floats[0] ?? 0,
      max: floats[1] ?? 0,
      sum: doubles[0] ?? 0,
      squares: doubles[1] ?? 0,
      zeros: integers[0] ?? 0,
      notFinite: integers[1] ?? 0,
    };
  }

  /** Counts the first `length` elements of the block, all finite, in bins ⌊x · perWidth⌋ − first of 0 … last. */
  count(length: number, perWidth: number, first: number, last: number): void {
    this.exports.count(BLOCK, length, perWidth, first, last);
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
}

let loaded: HistogramKernel | undefined;

/** The kernel, or `undefined` where the engine has no WebAssembly SIMD. */
export function loadHistogramKernel(): HistogramKernel | undefined {
  loaded ??= instantiate();
  return loaded;
}

function instantiate(): HistogramKernel | undefined {
  const binary = Buffer.from(histogramBinary, 'base64');
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(binary)) return undefined;
  const memory = new WebAssembly.Memory({ initial: PAGES });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary), { host: { memory } });
  // The binary is ours and a test holds it against histogram.wat, so its exports are these functions.
  return new HistogramKernel(memory, exports as unknown as Exports);
}
