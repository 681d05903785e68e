/** S74: an extra option that nobody reads. */
import { dynamicCalls, staticCalls, writtenArgument } from './onnx-calls';
import { type ScriptRule, textAt } from './script-rule';

export const s74: ScriptRule<'S74'> = {
  code: 'S74',
  severity: 'warning',
  title: 'Misspelt option',
  documentation: {
    trigger:
      'A key of `extra_options` differs by one or two letters, or by upper and lower case, from one that onnxruntime reads.',
    why: 'Options are looked up by name; an unknown one is ignored without a word.',
    remedy: 'Use the spelling of the documentation.',
    source:
      'onnxruntime, python/tools/quantization/quantize.py, extra_options; github.com/microsoft/onnxruntime/issues/24183.',
  },
  check(facts) {
    return [...staticCalls(facts), ...dynamicCalls(facts)].flatMap((call) => {
      const written = writtenArgument(call, 'extra_options');
      if (written?.value.kind !== 'dict') return [];
      return written.value.entries.flatMap(({ key }) => {
        if (key?.kind !== 'constant' || typeof key.value !== 'string' || known.includes(key.value)) return [];
        const name = key.value.toLowerCase();
        const meant = known.find((one) => distance(one.toLowerCase(), name) <= MAXIMUM_DISTANCE);
        if (meant === undefined) return [];
        const { span } = key;
        const quote = textAt(facts, span).slice(-1);
        return [
          {
            facts: { subject: key.value, instead: meant },
            span,
            fix: {
              title: `Write ${meant}`,
              edits: [{ span, text: `${quote}${meant}${quote}` }],
              safe: true,
            },
          },
        ];
      });
    });
  },
};

const MAXIMUM_DISTANCE = 2;

/** Keys that some release reads. */
const known = [
  'ActivationSymmetric',
  'ActivationRestrictedAsymmetric',
  'WeightSymmetric',
  'EnableSubgraph',
  'ForceQuantizeNoInputCheck',
  'MatMulConstBOnly',
  'AddQDQPairToWeight',
  'OpTypesToExcludeOutputQuantization',
  'OpTypesToExcludeOutputQuantizatioin',
  'DedicatedQDQPair',
  'QDQOpTypePerChannelSupportToAxis',
  'CalibTensorRangeSymmetric',
  'CalibMovingAverage',
  'CalibMovingAverageConstant',
  'CalibMaxIntermediateOutputs',
  'CalibStridedMinMax',
  'CalibPercentile',
  'SmoothQuant',
  'SmoothQuantAlpha',
  'SmoothQuantFolding',
  'UseQDQContribOps',
  'MinimumRealRange',
  'TensorQuantOverrides',
  'QDQKeepRemovableActivations',
  'QDQDisableWeightAdjustForInt32Bias',
  'QuantizeBias',
  'DefaultTensorType',
  'DisableShapeInference',
];

/** Levenshtein distance. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (const [at, letter] of [...one].entries()) {
    const next = [at + 1];
    for (const [column, against] of [...other].entries()) {
      const replaced = (row[column] ?? 0) + (letter === against ? 0 : 1);
      next.push(Math.min((next[column] ?? 0) + 1, (row[column + 1] ?? 0) + 1, replaced));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
