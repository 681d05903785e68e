/** `--scheme` and `--metric` of `analyze`: which are weight-only formats, which need activations. */
import { issue } from '../engine/base/issue';
import { fail, type Outcome, ok } from '../engine/base/outcome';
import type { MetricName } from '../engine/jobs';
import { levelFormat } from '../engine/numerics/level-formats';
import { parseScheme } from '../engine/numerics/scheme';
import { recipeScheme } from '../protocol/views';

/** Layers that `--find-worst` looks for when no number is given. */
const WORST_LAYERS = 3;

const metricNames = ['local', 'cumulative', 'output'] as const satisfies readonly MetricName[];

export interface MeasureOptions {
  /** What a plan can be made for: measured with data. */
  readonly schemes: readonly string[];
  readonly metrics: readonly MetricName[];
  /** How many of the worst layers to find. */
  readonly findWorst?: number;
  /** Complete weight formats named by `--scheme`, shown beside the standard ones; some are for weight error only. */
  readonly weightFormats: readonly string[];
  /** Formats named by `--scheme` that no plan can be made for: their weight error is all there is. */
  readonly weightsOnly: readonly string[];
}

export function measureOptions(flags: {
  readonly scheme?: readonly string[];
  readonly metric?: readonly string[];
  readonly findWorst?: string | true;
  /** What it plans is measured where no scheme is named: findings judge nothing else. */
  readonly recipe?: string;
}): Outcome<MeasureOptions> {
  const named = flags.scheme ?? [flags.recipe === undefined ? 'w8a8' : recipeScheme];
  const weightsOnly = named.filter((scheme) => levelFormat(scheme) !== undefined);
  const schemes = named.filter((scheme) => !weightsOnly.includes(scheme));
  for (const scheme of schemes) {
    if (scheme === recipeScheme && flags.recipe !== undefined) continue;
    const parsed = parseScheme(scheme);
    if (!parsed.value) return fail(...parsed.issues);
  }
  const metrics = flags.metric ?? ['local', 'cumulative'];
  const unknown = metrics.find((metric) => !metricNames.some((name) => name === metric));
  if (unknown !== undefined) {
    return fail(
      issue('recipe-value', {
        key: '--metric',
        reason: `${unknown} is not a metric`,
        expected: metricNames.join(', '),
      }),
    );
  }
  const findWorst = flags.findWorst === true ? WORST_LAYERS : Number(flags.findWorst);
  if (flags.findWorst !== undefined && !(Number.isInteger(findWorst) && findWorst >= 1)) {
    return fail(
      issue('recipe-value', {
        key: '--find-worst',
        reason: `${flags.findWorst} is no number of layers`,
        expected: 'a whole number from 1',
      }),
    );
  }
  const weightFormats = (flags.scheme ?? []).filter(
    (scheme) => scheme.includes('.') || weightsOnly.includes(scheme),
  );
  const wanted = metricNames.filter((name) => metrics.includes(name));
  const options = { schemes, metrics: wanted, weightFormats, weightsOnly };
  return ok(flags.findWorst === undefined ? options : { ...options, findWorst });
}

/** True when the flags ask for measurements, so that a recipe's data is used. */
export function isMeasured(flags: {
  readonly metric?: readonly string[];
  readonly findWorst?: string | true;
  readonly scheme?: readonly string[];
  readonly recipe?: string;
}): boolean {
  return (
    flags.metric !== undefined ||
    flags.findWorst !== undefined ||
    (flags.recipe !== undefined && flags.scheme !== undefined)
  );
}
