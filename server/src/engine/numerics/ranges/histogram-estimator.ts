/** The part that estimators over a histogram share: observing and counting. */
import { invariant } from '../../base/invariant';
import type { Range } from '../affine';
import type { QuantScheme } from '../scheme';
import { Histogram } from '../stats';
import type { Estimator, EstimatorState } from './estimator';

export abstract class HistogramEstimator implements Estimator {
  readonly histogram: Histogram;

  /** @param bins of the histogram, where the usual number does not do. */
  constructor(
    readonly id: string,
    bins?: number,
  ) {
    this.histogram = new Histogram(bins);
  }

  observe(chunk: Float32Array, rowLength?: number): void {
    this.histogram.observe(chunk, rowLength);
  }

  save(): EstimatorState {
    return { numbers: {}, histogram: this.histogram.save() };
  }

  restore({ histogram }: EstimatorState): void {
    invariant(histogram, 'a state of this estimator has a histogram');
    this.histogram.restore(histogram);
  }

  merge(other: Estimator): void {
    invariant(other instanceof HistogramEstimator && other.id === this.id, 'only equal estimators merge');
    this.histogram.merge(other.histogram);
  }

  abstract range(scheme: Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>): Range;

  get count(): number {
    return this.histogram.count;
  }

  get nonFinite(): number {
    return this.histogram.nonFinite;
  }

  get min(): number {
    return this.histogram.min;
  }

  get max(): number {
    return this.histogram.max;
  }
}
