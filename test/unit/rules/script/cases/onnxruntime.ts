/** Cases of the rules on onnxruntime.quantization, exporters and TensorFlow. */
import type { RuleCases } from './index';

export const onnxruntimeCases = {
  S50: {
    bad: ['from onnxruntime.quantization import quantize\n⟦quantize⟧("a.onnx", "b.onnx", config)\n'],
    good: [
      'from onnxruntime.quantization import quantize_dynamic\nquantize_dynamic("a.onnx", "b.onnx")\n',
      'import onnxruntime\nfrom mine import quantize\nquantize("a.onnx")\n',
    ],
  },
} as const satisfies Record<string, RuleCases>;
