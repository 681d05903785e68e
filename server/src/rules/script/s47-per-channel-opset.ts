/** S47: per-channel quantization needs opset 13. */
import { exports, flag, memberOr, staticCalls } from './onnx-calls';
import type { ScriptRule } from './script-rule';

const MINIMUM = 13;

export const s47: ScriptRule<'S47'> = {
  code: 'S47',
  severity: 'error',
  title: 'Per-channel scales below opset 13',
  documentation: {
    trigger: `A script exports with an opset below ${MINIMUM} and quantizes it with \`quantize_static(per_channel=True)\` in QDQ format.`,
    why: `The attribute \`axis\` of QuantizeLinear and DequantizeLinear first appears in opset ${MINIMUM}; onnxruntime refuses such a model when it loads it.`,
    remedy: 'Export with opset 13 or newer.',
    source: 'ONNX operator changelog, QuantizeLinear-13; openvinotoolkit/nncf#1936.',
  },
  check(facts) {
    const perChannel = staticCalls(facts).some(
      (call) => flag(call, 'per_channel') === true && memberOr(call, 'quant_format', 'QDQ') === 'QDQ',
    );
    if (!perChannel) return [];
    return exports(facts).flatMap(({ call, opset }) =>
      opset !== undefined && opset < MINIMUM
        ? [
            {
              facts: { subject: `opset_version=${opset}`, instead: `${MINIMUM} or newer`, detail: opset },
              span: call.nameSpan,
            },
          ]
        : [],
    );
  },
};
