/** S58: the legacy exporter ends at opset 20. */
import { argumentValue } from '../../script/program';
import { booleanOf } from '../../script/values';
import { exports } from './onnx-calls';
import type { ScriptRule } from './script-rule';

const LAST = 20;

export const s58: ScriptRule<'S58'> = {
  code: 'S58',
  severity: 'warning',
  title: 'Legacy exporter with an opset it does not have',
  documentation: {
    trigger: `\`torch.onnx.export(…, dynamo=False, opset_version=n)\` with n above ${LAST}.`,
    why: `The TorchScript exporter is limited to opset ${LAST}; int4 and blocked quantization need 21.`,
    remedy: 'Export with `dynamo=True`.',
    source: 'pytorch/pytorch#127167.',
  },
  check(facts) {
    return exports(facts).flatMap(({ call, opset }) => {
      if (opset === undefined || opset <= LAST) return [];
      if (booleanOf(argumentValue(call, 'dynamo')) !== false) return [];
      return [
        {
          facts: { subject: `opset_version=${opset}`, instead: 'dynamo=True', detail: LAST },
          span: call.nameSpan,
        },
      ];
    });
  },
};
