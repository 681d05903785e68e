/**
 * Mergeable statistics with memory that does not grow with the data: extremes and moments (Welford 1962, merged as
 * Chan, Golub and LeVeque 1979) and a histogram whose bins double in width when the range grows, so that any split
 * of the data gives exactly the same counts. Values that are not finite are counted and left out.
 */
import { invariant } from '../base/invariant';
import { type HistogramKernel, KERNEL_BINS, KERNEL_BLOCK, loadHistogramKernel } from './kernels/histogram';

/** Count, extremes, mean and variance of a stream. */
export class Moments {
  count = 0;
  nonFinite = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  mean = 0;
  /** Σ(x − mean)² */
  private squares = 0;

  observe(chunk: Float32Array): void {
    const part = new Moments();
    let sum = 0;
    for (let i = 0; i < chunk.length; i++) {
      const x = chunk[i] ?? 0;
      if (!Number.isFinite(x)) {
        part.nonFinite++;
        continue;
      }
      part.count++;
      sum += x;
      if (x < part.min) part.min = x;
      if (x > part.max) part.max = x;
    }
    part.mean = part.count === 0 ? 0 : sum / part.count;
    for (let i = 0; i < chunk.length; i++) {
      const difference = (chunk[i] ?? 0) - part.mean;
      if (Number.isFinite(difference)) part.squares += difference * difference;
    }
    this.merge(part);
  }

  merge(other: Moments): void {
    this.nonFinite += other.nonFinite;
    if (other.count === 0) return;
    const count = this.count + other.count;
    const distance = other.mean - this.mean;
    this.squares += other.squares + (distance * distance * this.count * other.count) / count;
    this.mean += (distance * other.count) / count;
    this.count = count;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
  }

  /** Σ(x − mean)² / n; null without values. */
  get variance(): number | null {
    return this.count === 0 ? null : this.squares / this.count;
  }
}

/** Bins of a histogram unless it is given another number; the data's range fills between half of them and all. */
export const HISTOGRAM_BINS = 4096;

/** Below this number of elements a call of the kernels costs more than it saves. */
const FAST_LENGTH = 1024;

/** Widths for which x / width is exact in float32, whatever finite x. */
const FAST_EXPONENT = 100;

/** Plain data of a {@link Histogram}; what is infinite before the first value is absent. */
export interface HistogramState {
  readonly size: number;
  readonly count: number;
  readonly zeros: number;
  readonly nonFinite: number;
  readonly sum: number;
  readonly squares: number;
  readonly min?: number;
  readonly max?: number;
  readonly leastDeviation?: number;
  readonly largestDeviation: number;
  readonly exponent: number;
  readonly first: number;
  /** Index of the first of `counts`. */
  readonly from: number;
  readonly counts: readonly number[];
}

/**
 * Counts per bin of width 2^e on a grid through 0. The width is the smallest power of two for which the whole range
 * seen so far, with 0, fits into its bins: it depends on the range alone, not on the order of the data.
 * Exact zeros, half of what follows a ReLU, are counted apart. Sums for mean and variance come along.
 */
export class Histogram {
  count = 0;
  zeros = 0;
  nonFinite = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  /** Σx and Σx² of the finite values. */
  sum = 0;
  squares = 0;
  /** Smallest and largest standard deviation of a row, of those that are not constant. */
  leastDeviation = Number.POSITIVE_INFINITY;
  largestDeviation = 0;
  /** Extremes of the chunk taken in last. */
  chunkMin = Number.POSITIVE_INFINITY;
  chunkMax = Number.NEGATIVE_INFINITY;
  /** Width of a bin. */
  width = 2 ** SMALLEST_EXPONENT;
  private exponent = SMALLEST_EXPONENT;
  /** Grid position of `counts[0]`: it covers [first · width, (first + 1) · width). */
  private first = 0;
  private counts: Float64Array;

  /** @param size number of bins; only histograms of the same size merge. */
  constructor(private readonly size = HISTOGRAM_BINS) {
    this.counts = new Float64Array(size);
  }

  /**
   * Takes a chunk in.
   * @param rowLength elements of one sample: the deviation within every row is noted.
   */
  observe(chunk: Float32Array, rowLength = chunk.length): void {
    const fast = chunk.length >= FAST_LENGTH && this.size <= KERNEL_BINS ? loadHistogramKernel() : undefined;
    this.chunkMin = Number.POSITIVE_INFINITY;
    this.chunkMax = Number.NEGATIVE_INFINITY;
    const row = Math.max(1, rowLength);
    const counted = { taken: 0, zeros: 0 };
    if (!fast || !this.observeFast(chunk, row, fast, counted)) this.observePlain(chunk, row, counted);
  }

  /** Mean of the finite values; 0 before the first. */
  get mean(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }

  get deviation(): number {
    return deviationOf(this.count, this.sum, this.squares);
  }

  /** Makes room for finite extremes of elements of which only a part is given: they count nothing. */
  widen(min: number, max: number): void {
    this.cover(min, max);
  }

  /** False where the rest is left to the scalar reference: something is not finite, or the widths are extreme. */
  private observeFast(chunk: Float32Array, row: number, fast: HistogramKernel, counted: Counted): boolean {
    fast.begin(row);
    for (let start = 0; start < chunk.length; start += KERNEL_BLOCK) {
      const { length } = fast.load(chunk.subarray(start, start + KERNEL_BLOCK));
      let at = 0;
      for (;;) {
        if (this.min <= this.max && Math.abs(this.exponent) <= FAST_EXPONENT)
          at += fast.take(at, length, 1 / this.width, this.first, this.min, this.max);
        if (at === length) break;
        const { min, max } = fast.extremes(at, length);
        this.settle(fast, start + at, counted);
        if (Number.isNaN(min)) return false;
        this.cover(min, max);
        if (Math.abs(this.exponent) > FAST_EXPONENT) return false;
      }
    }
    const { sum, squares, leastDeviation, largestDeviation, min, max } = this.settle(
      fast,
      chunk.length,
      counted,
    );
    this.sum += sum;
    this.squares += squares;
    this.leastDeviation = Math.min(this.leastDeviation, leastDeviation);
    this.largestDeviation = Math.max(this.largestDeviation, largestDeviation);
    this.chunkMin = min;
    this.chunkMax = max;
    return true;
  }

  /** Brings home what the kernel has counted; it does not tell zeros from other small values. */
  private settle(fast: HistogramKernel, taken: number, counted: Counted) {
    const found = fast.finish();
    if (taken > counted.taken) {
      const from = Math.floor(Math.min(found.min, 0) / this.width) - this.first;
      const to = Math.floor(Math.max(found.max, 0) / this.width) - this.first + 1;
      // The tables are emptied in fours.
      fast.fold(this.counts, from & ~3, Math.min((to + 3) & ~3, this.size));
      const zeros = found.zeros - counted.zeros;
      this.counts[-this.first] = (this.counts[-this.first] ?? 0) - zeros;
      this.zeros += zeros;
      this.count += taken - counted.taken;
      Object.assign(counted, { taken, zeros: found.zeros });
    }
    return found;
  }

  /** The scalar reference; counts only what follows the elements that are counted already. */
  private observePlain(chunk: Float32Array, row: number, counted: Counted): void {
    let zeros = 0;
    let finite = 0;
    for (let start = 0; start < chunk.length; start += row) {
      const part = plainScan(chunk, start, Math.min(start + row, chunk.length));
      zeros += part.zeros;
      finite += part.count;
      this.sum += part.sum;
      this.squares += part.squares;
      if (part.min < this.chunkMin) this.chunkMin = part.min;
      if (part.max > this.chunkMax) this.chunkMax = part.max;
      if (start + row > chunk.length) continue;
      const deviation = deviationOf(part.count, part.sum, part.squares);
      if (deviation > 0) this.leastDeviation = Math.min(this.leastDeviation, deviation);
      this.largestDeviation = Math.max(this.largestDeviation, deviation);
    }
    this.nonFinite += chunk.length - finite;
    if (finite === 0) return;
    this.cover(this.chunkMin, this.chunkMax);
    this.zeros += zeros - counted.zeros;
    this.count += finite - counted.taken;
    this.countPlain(chunk.subarray(counted.taken));
  }

  private countPlain(block: Float32Array): void {
    const { counts, first } = this;
    const perWidth = 1 / this.width;
    for (let i = 0; i < block.length; i++) {
      const x = block[i] ?? 0;
      if (x === 0 || !Number.isFinite(x)) continue;
      const bin = Math.floor(x * perWidth) - first;
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
  }

  merge(other: Histogram): void {
    invariant(other.size === this.size, 'histograms of one size merge');
    this.nonFinite += other.nonFinite;
    if (other.count === 0) return;
    this.cover(other.min, other.max);
    const ratio = 2 ** (this.exponent - other.exponent);
    this.count += other.count;
    this.zeros += other.zeros;
    this.sum += other.sum;
    this.squares += other.squares;
    this.leastDeviation = Math.min(this.leastDeviation, other.leastDeviation);
    this.largestDeviation = Math.max(this.largestDeviation, other.largestDeviation);
    for (let bin = 0; bin < this.size; bin++) {
      const count = other.counts[bin] ?? 0;
      if (count === 0) continue;
      const target = Math.floor((other.first + bin) / ratio) - this.first;
      this.counts[target] = (this.counts[target] ?? 0) + count;
    }
  }

  /** Grid position of the first bin of {@link occupied}. */
  get firstBin(): number {
    return this.first + this.occupiedFrom();
  }

  /** A view of the counts from the first occupied bin to the last; exact zeros are not among them. */
  occupied(): Float64Array {
    const from = this.occupiedFrom();
    let to = Math.max(from, this.coveredTo());
    while (to > from && this.counts[to - 1] === 0) to--;
    return this.counts.subarray(from, to);
  }

  /** Everything as plain data; `restore` on a fresh histogram of the same size continues there. */
  save(): HistogramState {
    const { count, zeros, nonFinite, sum, squares, largestDeviation, size, exponent } = this;
    const base = { size, count, zeros, nonFinite, sum, squares, largestDeviation, exponent };
    const counts = [...this.occupied()];
    const least = Number.isFinite(this.leastDeviation) ? { leastDeviation: this.leastDeviation } : {};
    const ends = count > 0 ? { min: this.min, max: this.max } : {};
    return { ...base, ...least, ...ends, first: this.first, from: this.occupiedFrom(), counts };
  }

  restore(state: HistogramState): void {
    invariant(state.size === this.size, 'a state of a histogram of this size');
    const { count, zeros, nonFinite, sum, squares, largestDeviation, exponent, first } = state;
    const { min = Number.POSITIVE_INFINITY, max = Number.NEGATIVE_INFINITY } = state;
    const { leastDeviation = Number.POSITIVE_INFINITY } = state;
    const counts = new Float64Array(this.size);
    counts.set(state.counts.slice(0, this.size - state.from), state.from);
    Object.assign(this, { count, zeros, nonFinite, sum, squares, min, max, exponent, first, counts });
    Object.assign(this, { leastDeviation, largestDeviation, width: 2 ** exponent });
  }

  private occupiedFrom(): number {
    const { counts } = this;
    const to = this.coveredTo();
    let from = this.coveredFrom();
    while (from < to && counts[from] === 0) from++;
    return from === to ? 0 : from;
  }

  /** Beyond the bins of the extremes and of zero nothing is counted. */
  private coveredFrom(): number {
    return this.count > this.zeros ? Math.floor(Math.min(this.min, 0) / this.width) - this.first : 0;
  }

  private coveredTo(): number {
    return this.count > this.zeros ? Math.floor(Math.max(this.max, 0) / this.width) - this.first + 1 : 0;
  }

  /** Occupied bins in ascending order: lower edge and count. Exact zeros are not among them. */
  *bins(): Generator<{ readonly low: number; readonly count: number }> {
    for (let bin = 0; bin < this.size; bin++) {
      const count = this.counts[bin] ?? 0;
      if (count > 0) yield { low: (this.first + bin) * this.width, count };
    }
  }

  /**
   * The value below which a share of the data lies, interpolated inside its bin, never outside [min, max].
   * @param share 0 to 1; null without values.
   */
  quantile(share: number): number | null {
    if (this.count === 0) return null;
    // The very ends may have been told alone.
    if (share <= 0 || share >= 1) return share <= 0 ? this.min : this.max;
    const target = share * this.count;
    const counts = this.occupied();
    const { firstBin, width, zeros } = this;
    const inside = (bin: number, below: number, count: number) =>
      Math.min(Math.max((firstBin + bin) * width + (width * (target - below)) / count, this.min), this.max);
    // Zeros lie between the bins of negative and of other values.
    const zerosAt = zeros === 0 ? -1 : Math.min(Math.max(-firstBin, 0), counts.length);
    if (share > 0.5) {
      // Sums of whole numbers are exact from either end, and this one is a few bins away.
      let end = this.count;
      for (let bin = counts.length; bin >= 0; bin--) {
        const count = counts[bin] ?? 0;
        end -= count;
        if (count > 0 && end < target) return inside(bin, end, count);
        if (bin !== zerosAt) continue;
        end -= zeros;
        if (end < target) return 0;
      }
      return this.min;
    }
    let below = 0;
    for (let bin = 0; bin <= counts.length; bin++) {
      if (bin === zerosAt) {
        below += zeros;
        if (below >= target) return 0;
      }
      const count = counts[bin] ?? 0;
      if (count > 0 && below + count >= target) return inside(bin, below, count);
      below += count;
    }
    return this.max;
  }

  /** Widens the bins until [min, max] and everything before fits, and moves the counts there. */
  private cover(min: number, max: number): void {
    const low = Math.min(min, this.min);
    const high = Math.max(max, this.max);
    if (low === this.min && high === this.max) return;
    const exponent = widthExponent(low, high, this.size);
    const first = Math.floor(Math.min(low, 0) / 2 ** exponent);
    if (exponent === this.exponent) this.shift(this.first - first);
    else this.regroup(exponent, first);
    Object.assign(this, { exponent, first, width: 2 ** exponent });
    this.min = low;
    this.max = high;
  }

  /** Moves the counts up by so many bins. */
  private shift(bins: number): void {
    const [from, to] = [this.coveredFrom(), this.coveredTo()];
    if (bins === 0 || to === from) return;
    invariant(bins > 0 && to + bins <= this.size, 'a wider range keeps every bin');
    this.counts.copyWithin(from + bins, from, to).fill(0, from, Math.min(from + bins, to));
  }

  /** Moves the counts to bins of a larger width. */
  private regroup(exponent: number, first: number): void {
    const occupied = this.occupied();
    if (occupied.length === 0) return;
    const shift = exponent - this.exponent;
    const fast = this.size <= KERNEL_BINS && shift < 31 ? loadHistogramKernel() : undefined;
    if (fast) {
      const grouped = { counts: occupied, first: this.firstBin, shift, start: first, size: this.size };
      this.counts = fast.regroup(grouped);
      return;
    }
    const perRatio = 2 ** -shift;
    const counts = new Float64Array(this.size);
    const from = this.firstBin;
    for (let bin = 0; bin < occupied.length; bin++) {
      const count = occupied[bin] ?? 0;
      if (count === 0) continue;
      const target = Math.floor((from + bin) * perRatio) - first;
      invariant(target >= 0 && target < this.size, 'a wider range keeps every bin');
      counts[target] = (counts[target] ?? 0) + count;
    }
    this.counts = counts;
  }
}

/** Below this width a float32 has no further values to tell apart. */
const SMALLEST_EXPONENT = -160;

/** Exponent of the smallest width with which [low, high] and 0 fit into `size` bins. */
function widthExponent(min: number, max: number, size: number): number {
  const low = Math.min(min, 0);
  const high = Math.max(max, 0);
  const span = high - low;
  if (span === 0) return SMALLEST_EXPONENT;
  let exponent = Math.max(Math.floor(Math.log2(span / size)), SMALLEST_EXPONENT);
  while (Math.floor(high / 2 ** exponent) - Math.floor(low / 2 ** exponent) >= size) exponent++;
  return exponent;
}

/** What of a chunk the kernel has counted: so many elements from the beginning, zeros among them. */
interface Counted {
  readonly taken: number;
  readonly zeros: number;
}

function deviationOf(count: number, sum: number, squares: number): number {
  if (count === 0) return 0;
  const variance = squares / count - (sum / count) ** 2;
  // What is left of a constant is rounding.
  return variance > (squares / count) * 1e-13 ? Math.sqrt(variance) : 0;
}

/** Figures of the finite elements in [from, to). */
function plainScan(elements: Float32Array, from: number, to: number) {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let [sum, squares, zeros, count] = [0, 0, 0, 0];
  for (let i = from; i < to; i++) {
    const x = elements[i] ?? 0;
    if (!Number.isFinite(x)) continue;
    if (x < min) min = x;
    if (x > max) max = x;
    if (x === 0) zeros++;
    sum += x;
    squares += x * x;
    count++;
  }
  return { min, max, sum, squares, zeros, count };
}
