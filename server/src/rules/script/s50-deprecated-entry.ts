/** S50: onnxruntime.quantization.quantize, the old entry point. */
import type { ScriptRule } from './script-rule';
import { callsOf, textAt } from './script-rule';

export const s50: ScriptRule<'S50'> = {
  code: 'S50',
  severity: 'warning',
  title: 'onnxruntime.quantization.quantize is an old entry point',
  deprecated: true,
  documentation: {
    trigger: '`onnxruntime.quantization.quantize(…)` is called.',
    why: 'It chooses between static and dynamic quantization by the type of its configuration and hides which one runs; the named functions are documented and checked.',
    remedy: 'Call `quantize_static` with a calibration reader, or `quantize_dynamic`.',
    source: 'onnxruntime, python/tools/quantization/quantize.py.',
  },
  check(facts) {
    return callsOf(facts, 'onnxruntime.quantization.quantize').map(({ expression: { callee } }) => ({
      facts: { subject: textAt(facts, callee.span), instead: 'quantize_static or quantize_dynamic' },
      span: callee.span,
    }));
  },
};
