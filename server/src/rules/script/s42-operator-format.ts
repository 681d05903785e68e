/** S42: the operator format with signed activations on x86. */
import { memberOr, staticCalls } from './onnx-calls';
import type { ScriptRule } from './script-rule';

export const s42: ScriptRule<'S42'> = {
  code: 'S42',
  severity: 'warning',
  title: 'Operator format with int8 activations and weights on x86',
  documentation: {
    trigger:
      '`quantize_static(quant_format=QuantFormat.QOperator)` with both types int8, and the target is an x86 CPU.',
    why: 'The operators of this format have no fast kernel for signed activations on x86; the same types in QDQ format are converted to one that has.',
    remedy: 'Use `QuantFormat.QDQ`, or unsigned activations.',
    source: 'onnxruntime documentation, "Quantize ONNX models", Data type selection.',
  },
  check(facts) {
    if (!facts.target?.startsWith('x86')) return [];
    return staticCalls(facts).flatMap((call) => {
      if (memberOr(call, 'quant_format', 'QDQ') !== 'QOperator') return [];
      const types = ['activation_type', 'weight_type'].map((name) => memberOr(call, name, 'QInt8'));
      if (types.some((type) => type !== 'QInt8')) return [];
      return [
        { facts: { subject: 'QuantFormat.QOperator', instead: 'QuantFormat.QDQ' }, span: call.nameSpan },
      ];
    });
  },
};
