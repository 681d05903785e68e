/** S45: GPU execution needs signed activations and weights. */
import { memberOr, staticCalls } from './onnx-calls';
import type { ScriptRule } from './script-rule';

export const s45: ScriptRule<'S45'> = {
  code: 'S45',
  severity: 'error',
  title: 'Unsigned types for a GPU target',
  documentation: {
    trigger:
      '`quantize_static` with an unsigned activation or weight type while the target is CUDA or TensorRT.',
    why: 'The GPU execution providers take int8 activations with int8 weights only; anything else falls back or fails.',
    remedy: 'Use `QuantType.QInt8` for both, symmetric (`ActivationSymmetric`, `WeightSymmetric`).',
    source: 'onnxruntime documentation, "Quantize ONNX models", Quantization on GPU.',
  },
  check(facts) {
    if (facts.target !== 'cuda' && facts.target !== 'tensorrt') return [];
    return staticCalls(facts).flatMap((call) => {
      const unsigned = ['activation_type', 'weight_type'].filter((name) =>
        memberOr(call, name, 'QInt8')?.startsWith('QUInt'),
      );
      if (unsigned.length === 0) return [];
      return [
        { facts: { subject: unsigned.join(' and '), instead: 'QuantType.QInt8' }, span: call.nameSpan },
      ];
    });
  },
};
