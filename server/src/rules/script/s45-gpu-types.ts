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
    why: 'TensorRT takes int8 activations with int8 weights only and fails on others (error). CUDA has kernels for unsigned Q/DQ, too, but its int8 kernels want both signed: the network runs without being faster (warning).',
    remedy: 'Use `QuantType.QInt8` for both, symmetric (`ActivationSymmetric`, `WeightSymmetric`).',
    source:
      'onnxruntime documentation, "Quantize ONNX models", Quantization on GPU; docs/OperatorKernels.md, CUDAExecutionProvider.',
  },
  check(facts) {
    const { target } = facts;
    if (target !== 'cuda' && target !== 'tensorrt') return [];
    return staticCalls(facts).flatMap((call) => {
      const unsigned = ['activation_type', 'weight_type'].filter((name) =>
        memberOr(call, name, 'QInt8')?.startsWith('QUInt'),
      );
      if (unsigned.length === 0) return [];
      return [
        {
          facts: { subject: unsigned.join(' and '), instead: 'QuantType.QInt8', detail: target },
          span: call.nameSpan,
          severity: target === 'cuda' ? ('warning' as const) : ('error' as const),
        },
      ];
    });
  },
};
