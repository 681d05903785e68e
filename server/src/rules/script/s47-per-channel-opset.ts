/** S47: per-channel quantization needs opset 13. */
import { dynamicCalls, exports, flag, staticCalls } from './onnx-calls';
import type { ScriptRule } from './script-rule';

const MINIMUM = 13;

export const s47: ScriptRule<'S47'> = {
  code: 'S47',
  severity: 'error',
  title: 'Per-channel scales below opset 13',
  documentation: {
    trigger: `A script exports with an opset below ${MINIMUM} and quantizes it with \`per_channel=True\`.`,
    why: `The attribute \`axis\` of QuantizeLinear and DequantizeLinear first appears in opset ${MINIMUM}; such a model does not load or is wrong.`,
    remedy: 'Export with opset 13 or newer.',
    source: 'ONNX operator changelog, QuantizeLinear-13; openvinotoolkit/nncf#1936.',
  },
  check(facts) {
    const perChannel = [...staticCalls(facts), ...dynamicCalls(facts)].some(
      (call) => flag(call, 'per_channel') === true,
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
