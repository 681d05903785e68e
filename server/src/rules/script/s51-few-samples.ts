/** S51: a percentile or an entropy from too few samples. */

import { canonicalPath } from '../../script/catalog';
import type { Call } from '../../script/program';
import { evaluate, numberOf } from '../../script/values';
import { memberOr, staticCalls } from './onnx-calls';
import { callsLike, type ScriptFacts, type ScriptRule } from './script-rule';

const MINIMUM = 100;

export const s51: ScriptRule<'S51'> = {
  code: 'S51',
  severity: 'warning',
  title: 'Percentile or entropy calibration from few samples',
  aliases: ['M25'],
  documentation: {
    trigger: `\`quantize_static\` calibrates by percentile or entropy, and the only count of calibration samples the script states is below ${MINIMUM} (a data reader over \`range(n)\` or an array made with that length).`,
    why: 'Both estimators judge the tail of a distribution. In few samples the tail is not there, and the clipping point is chance.',
    remedy: `Take ${MINIMUM} samples or more, or calibrate by min-max.`,
    source: 'TensorFlow Lite, post-training quantization ("around 100–500 samples"); the threshold is ours.',
  },
  check(facts) {
    return staticCalls(facts).flatMap((call) => {
      const method = memberOr(call, 'calibrate_method', 'MinMax');
      if (method !== 'Percentile' && method !== 'Entropy') return [];
      const samples = statedSamples(facts);
      if (samples === undefined || samples >= MINIMUM) return [];
      return [{ facts: { subject: method, detail: samples, instead: String(MINIMUM) }, span: call.nameSpan }];
    });
  },
};

/** Names under which scripts state how many samples they calibrate on. */
const countNames =
  /^(num_calib\w*|n_calib\w*|calib\w*_(samples|size|count|num)|num_samples|n_samples|calibration_samples)$/i;

/** The one number that certainly counts calibration samples. */
function statedSamples(facts: ScriptFacts): number | undefined {
  const counts = [...facts.program.scope.names].flatMap(([name, bindings]) => {
    const [only, ...more] = bindings;
    if (!countNames.test(name) || more.length > 0 || only?.kind !== 'variable' || !only.value) return [];
    const value = numberOf(evaluate(only.value, facts.program.scope));
    return value === undefined ? [] : [value];
  });
  const written = callsLike(facts, statesCount).flatMap(({ expression, scope }) =>
    expression.args.flatMap(({ keyword, value }) => {
      if (keyword === undefined || !countNames.test(keyword)) return [];
      const count = numberOf(evaluate(value, scope));
      return count === undefined ? [] : [count];
    }),
  );
  const all = new Set([...counts, ...written]);
  const [only] = all;
  return all.size === 1 ? only : undefined;
}

function statesCount({ expression, path }: Call): boolean {
  if (path !== undefined && canonicalPath(path).startsWith('onnxruntime.')) return false;
  return expression.args.some(({ keyword }) => keyword !== undefined && countNames.test(keyword));
}
