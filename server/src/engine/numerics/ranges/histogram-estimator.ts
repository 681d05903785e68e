/** The part that estimators over a histogram share: observing and counting. */
import type { Range } from '../affine';
import type { QuantScheme } from '../scheme';
import { Histogram } from '../stats';
import type { Estimator } from './estimator';

export abstract class HistogramEstimator implements Estimator {
  protected readonly histogram = new Histogram();

  constructor(readonly id: string) {}

  observe(chunk: Float32Array): void {
    this.histogram.observe(chunk);
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
