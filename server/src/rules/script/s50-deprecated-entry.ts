/** S50: onnxruntime.quantization.quantize, the old entry point. */
import type { Call } from '../../script/program';
import { callsOf, type ScriptRule, textAt } from './script-rule';

export const s50: ScriptRule<'S50'> = {
  code: 'S50',
  severity: 'warning',
  title: 'onnxruntime.quantization.quantize with arguments it no longer has',
  deprecated: true,
  documentation: {
    trigger:
      '`onnxruntime.quantization.quantize(…)` with arguments of its first version, such as `quantization_mode` or `nbits`. The function of that name that takes a configuration is fine.',
    why: 'The signature changed: the call raises with a current onnxruntime.',
    remedy: 'Call `quantize_static` with a calibration reader, or `quantize_dynamic`.',
    source: 'onnxruntime, python/tools/quantization/quantize.py.',
  },
  check(facts) {
    return callsOf(facts, 'onnxruntime.quantization.quantize')
      .filter(isOld)
      .map(({ expression: { callee } }) => ({
        facts: { subject: textAt(facts, callee.span), instead: 'quantize_static or quantize_dynamic' },
        span: callee.span,
      }));
  },
};

const removed = new Set([
  'nbits',
  'quantization_mode',
  'static',
  'force_fusions',
  'symmetric_activation',
  'symmetric_weight',
  'quantization_params',
  'per_channel',
  'nodes_to_quantize',
]);

/** The new function takes two files and a configuration; the old one a model and switches. */
function isOld({ expression: { args } }: Call): boolean {
  return args.some(({ keyword }) => keyword !== undefined && removed.has(keyword));
}
