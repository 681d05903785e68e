/** Range estimator `min-max`: the extremes of everything seen. */
import type { Range } from '../affine';
import type { QuantScheme } from '../scheme';
import { type Estimator, type EstimatorEntry, type EstimatorState, relaxed } from './estimator';

class MinMax implements Estimator {
  count = 0;
  nonFinite = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;

  constructor(readonly id: string) {}

  observe(chunk: Float32Array): void {
    const { min, max, count } = extremesOf(chunk);
    this.count += count;
    this.nonFinite += chunk.length - count;
    this.min = Math.min(this.min, min);
    this.max = Math.max(this.max, max);
  }

  save(): EstimatorState {
    return { numbers: savedExtremes(this) };
  }

  restore({ numbers }: EstimatorState): void {
    Object.assign(this, restoredExtremes(numbers));
  }

  merge(other: Estimator): void {
    this.count += other.count;
    this.nonFinite += other.nonFinite;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
  }

  range(scheme: Pick<QuantScheme, 'symmetric'>): Range {
    return relaxed(this.min, this.max, scheme.symmetric);
  }
}

export const minMax: EstimatorEntry = {
  name: 'min-max',
  extremesSuffice: true,
  create: (id) => new MinMax(id),
};

export interface Extremes {
  readonly count: number;
  readonly nonFinite: number;
  readonly min: number;
  readonly max: number;
}

/** Number and extremes of the finite elements; Infinity and -Infinity where there are none. */
export function extremesOf(chunk: Float32Array): Omit<Extremes, 'nonFinite'> {
  let [min, max, count] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (let i = 0; i < chunk.length; i++) {
    const x = chunk[i] ?? 0;
    if (!Number.isFinite(x)) continue;
    count++;
    if (x < min) min = x;
    if (x > max) max = x;
  }
  return { min, max, count };
}

/** Extremes as plain finite numbers: before any value there are none to save. */
export function savedExtremes({ count, nonFinite, min, max }: Extremes): Readonly<Record<string, number>> {
  return count === 0 ? { count, nonFinite } : { count, nonFinite, min, max };
}

export function restoredExtremes(numbers: Readonly<Record<string, number>>): Extremes {
  const { count = 0, nonFinite = 0 } = numbers;
  const { min = Number.POSITIVE_INFINITY, max = Number.NEGATIVE_INFINITY } = numbers;
  return { count, nonFinite, min, max };
}
