/** S57: the dynamo exporter and fake-quantized networks. */
import { canonicalPath } from '../../script/catalog';
import { argumentValue } from '../../script/program';
import { booleanOf } from '../../script/values';
import { exports } from './onnx-calls';
import type { ScriptRule } from './script-rule';

const fakeQuantizers = new Set(['torch.ao.quantization.prepare_qat', 'torch.ao.quantization.prepare_qat_fx']);

export const s57: ScriptRule<'S57'> = {
  code: 'S57',
  severity: 'warning',
  title: 'Dynamo export of a fake-quantized network',
  documentation: {
    trigger:
      '`torch.onnx.export(…, dynamo=True)` of a network that went through `prepare_qat` or `prepare_qat_fx`.',
    why: 'Per-channel fake quantizers do not translate, and per-tensor ones are reported to decompose into Mul, Round and Add: the exported model is float with rounding, no QDQ.',
    remedy: 'Export with `dynamo=False`, or move to the PT2E flow.',
    source: 'pytorch/pytorch#167063, pytorch/pytorch#127167.',
  },
  check(facts) {
    const exported = exports(facts).filter(({ call }) => booleanOf(argumentValue(call, 'dynamo')) === true);
    if (exported.length === 0) return [];
    return facts.flows().flatMap((flow) =>
      exported.flatMap(({ call }) => {
        const network = flow.operand(call, 0) ?? flow.operand(call, 'model');
        const events = network ? (flow.events.get(network) ?? []) : [];
        const qat = events.some(
          (event) =>
            event.certain &&
            event.call.path !== undefined &&
            fakeQuantizers.has(canonicalPath(event.call.path)),
        );
        return qat
          ? [{ facts: { subject: 'dynamo=True', instead: 'dynamo=False' }, span: call.nameSpan }]
          : [];
      }),
    );
  },
};
