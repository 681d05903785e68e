/**
 * Range estimators `mse` and `lp:p`: the clipping range with the least Σ|x − x^|^p over a histogram of the data, among
 * 100 shrink ratios of the observed range. Ranges with both signs are shrunk together first, then each end alone
 * while that helps. Source: LAPQ (Nahshan et al. 2019), QDrop (Wei et al. 2022) for p = 2.4; ratio 1 is min-max.
 */
import { parametersFor, type Range, roundHalfEven } from '../affine';
import type { QuantScheme } from '../scheme';
import type { Histogram } from '../stats';
import { type EstimatorEntry, relaxed } from './estimator';
import { HistogramEstimator } from './histogram-estimator';

const RATIOS = 100;
/** Sweeps over the two ends; each stops early when neither moved. */
const SWEEPS = 3;
/** Points per quantization step that a bin wider than that is split into, and the most per bin. */
const POINTS_PER_STEP = 4;
const MOST_POINTS = 8;

type Scheme = Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>;

class LeastError extends HistogramEstimator {
  constructor(
    id: string,
    private readonly power: number,
  ) {
    super(id);
  }

  range(scheme: Scheme): Range {
    const full = relaxed(this.histogram.min, this.histogram.max, scheme.symmetric);
    if (full.min === full.max) return full;
    const bins = occupied(this.histogram);
    const search = new Search((range) => rangeError(bins, range, scheme, this.power), full);
    search.try((ratio) => ({ min: full.min * ratio, max: full.max * ratio }));
    if (scheme.symmetric || full.min === 0 || full.max === 0) return search.best;
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      const before = search.best;
      const { max } = before;
      search.try((ratio) => ({ min: full.min * ratio, max }));
      const { min } = search.best;
      search.try((ratio) => ({ min, max: full.max * ratio }));
      if (search.best === before) break;
    }
    return search.best;
  }
}

export const mse: EstimatorEntry = { name: 'mse', create: (id) => new LeastError(id, 2) };

export const lp: EstimatorEntry = {
  name: 'lp',
  parameter: 2.4,
  create: (id, power) => new LeastError(id, power),
};

/** Keeps the best range tried; of equal errors the first, so that the full range wins where clipping gains nothing. */
class Search {
  best: Range;
  private error: number;

  constructor(
    private readonly measure: (range: Range) => number,
    full: Range,
  ) {
    this.best = full;
    this.error = measure(full);
  }

  try(candidate: (ratio: number) => Range): void {
    for (let step = RATIOS; step > 0; step--) {
      const range = candidate(step / RATIOS);
      const error = this.measure(range);
      if (error < this.error) {
        this.error = error;
        this.best = range;
      }
    }
  }
}

interface Bin {
  readonly low: number;
  readonly width: number;
  readonly count: number;
}

/** Bins with something in them, cut to the observed extremes. Exact zeros are left out: they have no error. */
function occupied(histogram: Histogram): readonly Bin[] {
  const { min, max, width } = histogram;
  return Array.from(histogram.bins(), ({ low, count }) => {
    const from = Math.max(low, min);
    return { low: from, width: Math.min(low + width, max) - from, count };
  });
}

/** Σ count · |x − x^|^p with the values of a bin spread evenly over it. */
function rangeError(bins: readonly Bin[], range: Range, scheme: Scheme, power: number): number {
  const { scale, zeroPoint, codeMin, codeMax } = parametersFor(range, scheme);
  const lowest = codeMin - zeroPoint;
  const highest = codeMax - zeroPoint;
  let total = 0;
  for (const { low, width, count } of bins) {
    const outside = low / scale > highest || (low + width) / scale < lowest;
    const points = outside
      ? 1
      : Math.min(Math.max(Math.ceil((POINTS_PER_STEP * width) / scale), 1), MOST_POINTS);
    let sum = 0;
    for (let point = 0; point < points; point++) {
      const x = low + (width * (point + 0.5)) / points;
      const level = Math.min(Math.max(roundHalfEven(x / scale), lowest), highest);
      const error = Math.abs(x - level * scale);
      sum += power === 2 ? error * error : error ** power;
    }
    total += (sum * count) / points;
  }
  return total;
}
