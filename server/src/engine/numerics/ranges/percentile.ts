/**
 * Range estimator `percentile:p`: clips at the p-th percentile above and the (100 − p)-th below, so that about
 * 100 − p percent of the values are lost on each side that has values.
 */
import type { Range } from '../affine';
import type { QuantScheme } from '../scheme';
import { type EstimatorEntry, relaxed } from './estimator';
import { HistogramEstimator } from './histogram-estimator';

class Percentile extends HistogramEstimator {
  constructor(
    id: string,
    private readonly percent: number,
  ) {
    super(id);
  }

  range(scheme: Pick<QuantScheme, 'symmetric'>): Range {
    const low = this.histogram.quantile((100 - this.percent) / 100) ?? 0;
    const high = this.histogram.quantile(this.percent / 100) ?? 0;
    return relaxed(low, high, scheme.symmetric);
  }
}

export const percentile: EstimatorEntry = {
  name: 'percentile',
  parameter: 99.99,
  create: (id, percent) => new Percentile(id, percent),
};
