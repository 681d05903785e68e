/** S46: an opset below what onnxruntime's quantizer needs. */
import { dynamicCalls, exports, staticCalls } from './onnx-calls';
import { callsOf, type ScriptFacts, type ScriptRule } from './script-rule';

const MINIMUM = 10;
/** From here on MaxPool takes int8. */
const MAXPOOL = 12;

export const s46: ScriptRule<'S46'> = {
  code: 'S46',
  severity: 'warning',
  title: 'Opset too old for quantization',
  documentation: {
    trigger: `A script exports with an opset below ${MINIMUM} and quantizes with onnxruntime; below ${MAXPOOL} it is an information where the network has a MaxPool.`,
    why: `QuantizeLinear exists from opset ${MINIMUM} on; onnxruntime converts older models to 11 by itself and asks to verify the result. MaxPool takes int8 only from opset ${MAXPOOL} on and stays float before, between two conversions.`,
    remedy: 'Export with opset 13 or newer (17 is a good default).',
    source: 'onnxruntime documentation, "Quantize ONNX models"; ONNX operator changelog, MaxPool-12.',
  },
  check(facts) {
    if (staticCalls(facts).length + dynamicCalls(facts).length === 0) return [];
    return exports(facts).flatMap(({ call, opset }) => {
      if (opset === undefined || opset >= MAXPOOL) return [];
      if (opset >= MINIMUM && !hasMaxPool(facts)) return [];
      return [
        {
          facts: { subject: `opset_version=${opset}`, instead: '13 or newer', detail: opset },
          span: call.nameSpan,
          ...(opset >= MINIMUM && { severity: 'information' as const }),
        },
      ];
    });
  },
};

function hasMaxPool(facts: ScriptFacts): boolean {
  return (
    callsOf(facts, 'torch.nn.MaxPool2d', 'torch.nn.MaxPool1d', 'torch.nn.functional.max_pool2d').length > 0
  );
}
