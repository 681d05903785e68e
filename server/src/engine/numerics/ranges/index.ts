/** The ordered registry of range estimators; an estimator is one file here and one line in {@link estimators}. */
import { estimatorNames, parseEstimatorName } from '../../base/format-names';
import { issue } from '../../base/issue';
import { fail, type Outcome, ok } from '../../base/outcome';
import type { Estimator, EstimatorEntry } from './estimator';
import { minMax } from './min-max';
import { movingAverage } from './moving-average';
import { lp, mse } from './mse';
import { percentile } from './percentile';

export type { Estimator } from './estimator';

export const estimators: readonly EstimatorEntry[] = [minMax, movingAverage, percentile, mse, lp];

/** Offered where the contract's estimator does not exist yet. */
const INSTEAD = 'mse';

/**
 * A fresh estimator by its contract name: `min-max`, `moving-average`, `percentile[:99.99]`, `mse`, `lp[:2.4]`.
 * Issues: `recipe-value` for an unknown name or a parameter out of its bounds, `not-implemented`.
 */
export function createEstimator(id: string): Outcome<Estimator> {
  const parsed = parseEstimatorName(id);
  if (parsed === undefined) {
    const expected = estimatorNames.join(', ');
    return fail(issue('recipe-value', { key: 'estimator', reason: `${id} is no estimator`, expected }));
  }
  const entry = estimators.find((one) => one.name === parsed.name);
  if (entry === undefined) return fail(issue('not-implemented', { what: `estimator ${id}`, next: INSTEAD }));
  const parameter = parsed.parameter ?? entry.parameter;
  return ok(
    entry.create(parameter === undefined ? entry.name : `${entry.name}:${parameter}`, parameter ?? 0),
  );
}

/** True when the estimator needs no more of a batch than its smallest and largest value. */
export function needsOnlyExtremes(id: string): boolean {
  const name = parseEstimatorName(id)?.name;
  return estimators.some((one) => one.name === name && one.extremesSuffice === true);
}
