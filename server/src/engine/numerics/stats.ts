/**
 * Mergeable statistics with memory that does not grow with the data: extremes and moments (Welford 1962, merged as
 * Chan, Golub and LeVeque 1979) and a histogram whose bins double in width when the range grows, so that any split
 * of the data gives exactly the same counts. Values that are not finite are counted and left out.
 */
import { invariant } from '../base/invariant';

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

/**
 * Counts per bin of width 2^e on a grid through 0. The width is the smallest power of two for which the whole range
 * seen so far, with 0, fits into its bins: it depends on the range alone, not on the order of the data.
 * Exact zeros, half of what follows a ReLU, are counted apart.
 */
export class Histogram {
  count = 0;
  zeros = 0;
  nonFinite = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  private exponent = SMALLEST_EXPONENT;
  /** Grid position of `counts[0]`: it covers [first · width, (first + 1) · width). */
  private first = 0;
  private counts: Float64Array;

  /** @param size number of bins; only histograms of the same size merge. */
  constructor(private readonly size = HISTOGRAM_BINS) {
    this.counts = new Float64Array(size);
  }

  observe(chunk: Float32Array): void {
    let { min, max } = this;
    for (let i = 0; i < chunk.length; i++) {
      const x = chunk[i] ?? 0;
      // NaN fails both comparisons by itself.
      if (x < min && x !== Number.NEGATIVE_INFINITY) min = x;
      if (x > max && x !== Number.POSITIVE_INFINITY) max = x;
    }
    if (min <= max) this.cover(min, max);
    const { counts, first } = this;
    const perWidth = 1 / this.width;
    for (let i = 0; i < chunk.length; i++) {
      const x = chunk[i] ?? 0;
      if (x === 0) {
        this.zeros++;
      } else if (Number.isFinite(x)) {
        const bin = Math.floor(x * perWidth) - first;
        counts[bin] = (counts[bin] ?? 0) + 1;
      } else {
        this.nonFinite++;
        continue;
      }
      this.count++;
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
    for (let bin = 0; bin < this.size; bin++) {
      const count = other.counts[bin] ?? 0;
      if (count === 0) continue;
      const target = Math.floor((other.first + bin) / ratio) - this.first;
      this.counts[target] = (this.counts[target] ?? 0) + count;
    }
  }

  get width(): number {
    return 2 ** this.exponent;
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
    const target = share * this.count;
    let below = 0;
    let zerosDone = this.zeros === 0;
    const within = (value: number) => Math.min(Math.max(value, this.min), this.max);
    for (const { low, count } of this.bins()) {
      if (!zerosDone && low >= 0) {
        zerosDone = true;
        below += this.zeros;
        if (below >= target) return 0;
      }
      if (below + count >= target) return within(low + (this.width * (target - below)) / count);
      below += count;
    }
    return zerosDone ? this.max : 0;
  }

  /** Widens the bins until [min, max] and everything before fits, and moves the counts there. */
  private cover(min: number, max: number): void {
    const low = Math.min(min, this.min);
    const high = Math.max(max, this.max);
    if (low === this.min && high === this.max) return;
    const exponent = widthExponent(low, high, this.size);
    const first = Math.floor(Math.min(low, 0) / 2 ** exponent);
    if (exponent !== this.exponent || first !== this.first) {
      const ratio = 2 ** (exponent - this.exponent);
      const counts = new Float64Array(this.size);
      for (let bin = 0; bin < this.size; bin++) {
        const count = this.counts[bin] ?? 0;
        if (count === 0) continue;
        const target = Math.floor((this.first + bin) / ratio) - first;
        invariant(target >= 0 && target < this.size, 'a wider range keeps every bin');
        counts[target] = (counts[target] ?? 0) + count;
      }
      Object.assign(this, { exponent, first, counts });
    }
    this.min = low;
    this.max = high;
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
