/** The ordered registry of range estimators; an estimator is one file here and one line in {@link estimators}. */
import { estimatorNames, nearestName, parseEstimatorName } from '../../base/format-names';
import { issue } from '../../base/issue';
import { fail, type Outcome, ok } from '../../base/outcome';
import { aciq } from './aciq';
import { cosine } from './cosine';
import { entropy } from './entropy';
import type { Estimator, EstimatorEntry } from './estimator';
import { minMax } from './min-max';
import { movingAverage } from './moving-average';
import { lp, mse } from './mse';
import { percentile } from './percentile';
import { powerOfTwo } from './power-of-two';

export type { Estimator, EstimatorState } from './estimator';

export const estimators: readonly EstimatorEntry[] = [
  minMax,
  movingAverage,
  percentile,
  mse,
  lp,
  entropy,
  aciq,
  cosine,
  powerOfTwo,
];

/**
 * A fresh estimator by its contract name: `min-max`, `moving-average`, `percentile[:99.99]`, `mse`, `lp[:2.4]`,
 * `entropy`, `aciq[:mix]`, `cosine`, `power-of-two`.
 * Issues: `recipe-value` for an unknown name or a parameter out of its bounds.
 */
export function createEstimator(id: string): Outcome<Estimator> {
  const parsed = parseEstimatorName(id);
  const entry = estimators.find((one) => one.name === parsed?.name);
  if (parsed === undefined || entry === undefined) {
    const expected = estimatorNames.join(', ');
    const nearest = nearestName(id, estimatorNames);
    const reason = `${id} is no estimator`;
    return fail(issue('recipe-value', { key: 'estimator', reason, expected, ...(nearest && { nearest }) }));
  }
  const parameter = parsed.parameter ?? entry.parameter;
  const variant = parsed.variant ?? entry.variant;
  const written = parameter ?? variant;
  const full = written === undefined ? entry.name : `${entry.name}:${written}`;
  return ok(entry.create(full, parameter ?? 0, variant ?? 'mix'));
}

/** True when the estimator needs no more of a batch than its smallest and largest value. */
export function needsOnlyExtremes(id: string): boolean {
  const name = parseEstimatorName(id)?.name;
  return estimators.some((one) => one.name === name && one.extremesSuffice === true);
}

/** True when tensors that layers read are to be judged by the outputs of these layers. */
export function judgesOutputs(id: string): boolean {
  const name = parseEstimatorName(id)?.name;
  return estimators.some((one) => one.name === name && one.judgesOutputs === true);
}
