/**
 * Range estimator `moving-average`: r = 0.9·r + 0.1·extreme of each batch, starting with the first batch
 * (Krishnamoorthi 2018). It forgets, so it depends on the order of batches.
 */
import type { Range } from '../affine';
import type { QuantScheme } from '../scheme';
import { type Estimator, type EstimatorEntry, type EstimatorState, relaxed } from './estimator';
import { extremesOf, restoredExtremes, savedExtremes } from './min-max';

const KEPT = 0.9;

class MovingAverage implements Estimator {
  count = 0;
  nonFinite = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  private low: number | undefined;
  private high: number | undefined;

  constructor(readonly id: string) {}

  observe(chunk: Float32Array): void {
    const batch = extremesOf(chunk);
    this.nonFinite += chunk.length - batch.count;
    if (batch.count === 0) return;
    this.count += batch.count;
    this.min = Math.min(this.min, batch.min);
    this.max = Math.max(this.max, batch.max);
    this.low = this.low === undefined ? batch.min : KEPT * this.low + (1 - KEPT) * batch.min;
    this.high = this.high === undefined ? batch.max : KEPT * this.high + (1 - KEPT) * batch.max;
  }

  save(): EstimatorState {
    const numbers = savedExtremes(this);
    const { low, high } = this;
    return { numbers: low === undefined || high === undefined ? numbers : { ...numbers, low, high } };
  }

  restore({ numbers }: EstimatorState): void {
    Object.assign(this, restoredExtremes(numbers), { low: numbers.low, high: numbers.high });
  }

  range(scheme: Pick<QuantScheme, 'symmetric'>): Range {
    return relaxed(this.low ?? 0, this.high ?? 0, scheme.symmetric);
  }
}

export const movingAverage: EstimatorEntry = {
  name: 'moving-average',
  extremesSuffice: true,
  create: (id) => new MovingAverage(id),
};
