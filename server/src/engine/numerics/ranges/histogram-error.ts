/**
 * Σ|x − x^|^p over a histogram under a range: what least-error searches minimise. Values of a bin are spread evenly over
 * it. Made for hundreds of ranges over one histogram: powers come from tables, a sum that exceeds the best so far is
 * given up, and what is cut off is looked at first where it is known in a few steps.
 */
import { parametersFor, type Range, ROUNDING_MAGIC } from '../affine';
import { loadRangeErrorKernel, RANGE_ERROR_BINS, type RangeErrorKernel } from '../kernels/range-error';
import type { QuantScheme } from '../scheme';
import type { Histogram } from '../stats';
import { ClippingError } from './clipping-error';
import { relaxed } from './estimator';

/** Points per quantization step that a bin wider than that is split into, and the most per bin. */
const POINTS_PER_STEP = 4;
const MOST_POINTS = 8;

/** Entries of the table of |e|^p for e from 0 to half a step. */
const TABLE = 4096;

/** Distances in bins below which a clipped bin's power is computed; beyond, the table is close enough. */
const NEAR = 32;

/** Bins between two looks at the best sum so far. */
const STRETCH = 256;

type Scheme = Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>;

/** The error under a range, or some larger number than `bound` when it is larger. */
export interface ErrorUnder {
  of(range: Range, scheme: Scheme, bound?: number): number;
  /** No range within this one has a smaller error than that. */
  atLeast(range: Range, scheme: Scheme): number;
}

/**
 * The error of a histogram as it is now: of squares by the kernel where there is one.
 * @param farthest magnitude beyond which bins are left out.
 */
export function histogramError(
  histogram: Histogram,
  power: number,
  farthest = Number.POSITIVE_INFINITY,
): ErrorUnder {
  const counts = power === 2 ? histogram.occupied() : undefined;
  const kernel = counts && counts.length <= RANGE_ERROR_BINS ? loadRangeErrorKernel() : undefined;
  if (!kernel || !counts) return new HistogramError(histogram, power, farthest);
  return new KernelError(kernel, { counts, ...placed(histogram), farthest });
}

const placed = ({ firstBin: first, width, min, max }: Histogram) => ({ first, width, min, max });

class KernelError implements ErrorUnder {
  constructor(
    private readonly kernel: RangeErrorKernel,
    private readonly bins: Parameters<RangeErrorKernel['prepare']>[0],
  ) {}

  of(range: Range, scheme: Scheme, bound = Number.POSITIVE_INFINITY): number {
    const { scale, zeroPoint, codeMin, codeMax } = parametersFor(range, scheme);
    this.kernel.prepare(this.bins);
    return this.kernel.error((codeMin - zeroPoint) * scale, (codeMax - zeroPoint) * scale, scale, bound);
  }

  atLeast(range: Range, scheme: Scheme): number {
    const { min, max } = reachOf(range, scheme);
    this.kernel.prepare(this.bins);
    return this.kernel.atLeast(min, max);
  }
}

/** What levels of a range, or of one within it, may reach: rounding the zero point shifts them by half a step. */
function reachOf(range: Range, scheme: Scheme): Range {
  const { scale } = parametersFor(range, scheme);
  const { min, max } = relaxed(range.min, range.max, scheme.symmetric);
  return { min: min - scale, max: max + scale };
}

/** The scalar reference, and what serves other powers than squares. */
export class HistogramError implements ErrorUnder {
  private readonly binWidth: number;
  /** Occupied bins in ascending order, cut to the observed extremes. Exact zeros are left out: they have no error. */
  private readonly lows: Float64Array;
  private readonly widths: Float64Array;
  private readonly counts: Float64Array;
  private readonly centres: Float64Array;
  /** (i / 2·TABLE)^p for i from 0 to TABLE. */
  private readonly stepPowers: Float64Array;
  /** i^p for distances in bins. */
  private readonly binPowers: Float64Array;
  /** For squares only. */
  private readonly clipping: ClippingError | undefined;

  /** @param farthest magnitude beyond which bins are left out. */
  constructor(
    histogram: Histogram,
    private readonly power: number,
    farthest = Number.POSITIVE_INFINITY,
  ) {
    const { min, max, width } = histogram;
    const counts = histogram.occupied();
    const { firstBin } = histogram;
    const { length } = counts;
    const [lows, widths] = [new Float64Array(length), new Float64Array(length)];
    const [filled, centres] = [new Float64Array(length), new Float64Array(length)];
    let at = 0;
    for (let bin = 0; bin < length; bin++) {
      const count = counts[bin] ?? 0;
      const low = (firstBin + bin) * width;
      if (count === 0 || low > farthest || (firstBin + bin + 1) * width < -farthest) continue;
      const from = Math.max(low, min);
      const to = Math.min(low + width, max);
      lows[at] = from;
      widths[at] = to - from;
      filled[at] = count;
      centres[at] = (from + to) / 2;
      at++;
    }
    this.binWidth = width;
    this.lows = lows.subarray(0, at);
    this.widths = widths.subarray(0, at);
    this.counts = filled.subarray(0, at);
    this.centres = centres.subarray(0, at);
    this.clipping = power === 2 ? new ClippingError(this.centres, this.counts, width) : undefined;
    // Squares need no table.
    const span = at > 0 ? (max - min) / width : 0;
    this.stepPowers = powers(power === 2 ? 0 : TABLE + 1, 1 / (2 * TABLE), power);
    this.binPowers = powers(power === 2 ? 0 : 2 * Math.ceil(span) + 4, 1, power);
  }

  atLeast(range: Range, scheme: Scheme): number {
    const { min, max } = reachOf(range, scheme);
    return this.clipping?.atLeast(min, max) ?? 0;
  }

  /** The sum under a range, or some larger number than `bound` when it is larger. */
  of(range: Range, scheme: Scheme, bound = Number.POSITIVE_INFINITY): number {
    const { scale, zeroPoint, codeMin, codeMax } = parametersFor(range, scheme);
    const lowest = (codeMin - zeroPoint) * scale;
    const highest = (codeMax - zeroPoint) * scale;
    if (this.clipping && Number.isFinite(bound)) {
      const least = this.clipping.atLeast(lowest, highest);
      if (least > bound) return least;
    }
    const { lows, widths } = this;
    // Bins whose values all lie within half a step of the levels need no clamping.
    let from = 0;
    let to = lows.length;
    let total = 0;
    while (from < to && (lows[from] ?? 0) < lowest - scale / 2)
      total += this.clipped(from++, lowest, highest, scale);
    while (to > from && (lows[to - 1] ?? 0) + (widths[to - 1] ?? 0) > highest + scale / 2) {
      total += this.clipped(--to, lowest, highest, scale);
      if (total > bound) return total;
    }
    const points = pointsFor(this.binWidth, scale);
    const unit = (this.power === 2 ? scale * scale : scale ** this.power) / points;
    for (let start = from; start < to && total <= bound; start += STRETCH) {
      total += unit * this.rounded(start, Math.min(start + STRETCH, to), points, 1 / scale);
    }
    return total;
  }

  /**
   * Σ count · |e|^p of bins inside the range, with e in steps, summed over the points of a bin: in four sums of every
   * fourth bin, as lanes make them, what is left over in the first.
   */
  private rounded(from: number, to: number, points: number, perScale: number): number {
    const { lows, widths, counts, centres, stepPowers, power } = this;
    const whole = from + ((to - from) & ~3);
    const sums = new Float64Array(4);
    let total = 0;
    for (let point = 0; point < points; point++) {
      const share = (point + 0.5) / points;
      sums.fill(0);
      for (let i = from; i < to; i++) {
        const x = points === 1 ? (centres[i] ?? 0) : (lows[i] ?? 0) + share * (widths[i] ?? 0);
        const steps = x * perScale;
        const error = steps - (steps + ROUNDING_MAGIC - ROUNDING_MAGIC);
        const lane = i < whole ? (i - from) & 3 : 0;
        sums[lane] =
          (sums[lane] ?? 0) +
          (counts[i] ?? 0) *
            (power === 2 ? error * error : (stepPowers[(Math.abs(error) * 2 * TABLE + 0.5) | 0] ?? 0));
      }
      const [one = 0, two = 0, three = 0, four = 0] = sums;
      total += one + three + (two + four);
    }
    return total;
  }

  /** One bin at or beyond an end of the range. */
  private clipped(bin: number, lowest: number, highest: number, scale: number): number {
    const { binWidth, power, binPowers } = this;
    const low = this.lows[bin] ?? 0;
    const width = this.widths[bin] ?? 0;
    const count = this.counts[bin] ?? 0;
    if (low > highest || low + width < lowest) {
      const centre = this.centres[bin] ?? 0;
      const distance = centre > highest ? centre - highest : lowest - centre;
      if (power === 2) return count * distance * distance;
      const bins = distance / binWidth;
      if (bins < NEAR) return count * distance ** power;
      const whole = Math.floor(bins);
      const below = binPowers[whole] ?? 0;
      return count * binWidth ** power * (below + (bins - whole) * ((binPowers[whole + 1] ?? 0) - below));
    }
    const points = pointsFor(width, scale);
    let sum = 0;
    for (let point = 0; point < points; point++) {
      const x = low + (width * (point + 0.5)) / points;
      const level = Math.min(
        Math.max((x / scale + ROUNDING_MAGIC - ROUNDING_MAGIC) * scale, lowest),
        highest,
      );
      const error = Math.abs(x - level);
      sum += power === 2 ? error * error : error ** power;
    }
    return (sum * count) / points;
  }
}

function pointsFor(width: number, scale: number): number {
  return Math.min(Math.max(Math.ceil((POINTS_PER_STEP * width) / scale), 1), MOST_POINTS);
}

/** (i · unit)^p for i from 0. */
function powers(length: number, unit: number, power: number): Float64Array {
  const table = new Float64Array(length);
  for (let i = 0; i < length; i++) table[i] = (i * unit) ** power;
  return table;
}
