/**
 * Range estimators `mse` and `lp:p`: the clipping range with the least Σ|x − x^|^p over a histogram of the data, among
 * 100 shrink ratios of the observed range. Ranges with both signs are shrunk together first, then each end alone
 * while that helps. Source: LAPQ (Nahshan et al. 2019), QDrop (Wei et al. 2022) for p = 2.4; ratio 1 is min-max.
 */
import type { Range } from '../affine';
import type { QuantScheme } from '../scheme';
import { type EstimatorEntry, relaxed } from './estimator';
import { type ErrorUnder, histogramError } from './histogram-error';
import { HistogramEstimator } from './histogram-estimator';

const RATIOS = 100;
/** Sweeps over the two ends; each stops early when neither moved. */
const SWEEPS = 3;

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
    const error = histogramError(this.histogram, this.power);
    const search = new Search(error, scheme, full);
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

/** Candidates between two questions whether narrower ones can be better at all. */
const ASKED_EVERY = 4;

/** Keeps the best range tried; of equal errors the first, so that the full range wins where clipping gains nothing. */
class Search {
  best: Range;
  private least: number;

  constructor(
    private readonly error: ErrorUnder,
    private readonly scheme: Scheme,
    full: Range,
  ) {
    this.best = full;
    this.least = error.of(full, scheme);
  }

  /** @param candidate ranges that lie within those of larger ratios. */
  try(candidate: (ratio: number) => Range): void {
    const { error, scheme } = this;
    for (let step = RATIOS; step > 0; step--) {
      const range = candidate(step / RATIOS);
      const found = error.of(range, scheme, this.least);
      if (found < this.least) {
        this.least = found;
        this.best = range;
      } else if (step % ASKED_EVERY === 0 && error.atLeast(range, scheme) > this.least) return;
    }
  }
}
