/** S48: number types that the exported opset does not have yet. */
import { dynamicCalls, exports, memberOr, staticCalls } from './onnx-calls';
import type { ScriptRule } from './script-rule';

/** Opset from which QuantizeLinear has a type. onnxruntime's own operators take 16-bit and int4 types earlier. */
const since: Readonly<Record<string, number>> = {
  QFLOAT8E4M3FN: 19,
  QInt4: 21,
  QUInt4: 21,
  QInt16: 21,
  QUInt16: 21,
  QInt2: 25,
  QUInt2: 25,
};

export const s48: ScriptRule<'S48'> = {
  code: 'S48',
  severity: 'information',
  title: 'Type newer than the opset',
  documentation: {
    trigger:
      'A script exports with a stated opset and quantizes to a type that this opset does not have: float8 from 19, int4 and int16 from 21, int2 from 25. Silent when `UseQDQContribOps` is set.',
    why: 'The standard operators get these types at that version. onnxruntime then converts the model to that opset by itself (int16, float8), or writes operators of its own that no other runtime reads (int4).',
    remedy:
      'Export with the opset named, or set `extra_options={"UseQDQContribOps": True}`, which only onnxruntime reads.',
    source: 'ONNX operator changelog, QuantizeLinear-19, -21, -25.',
  },
  check(facts) {
    const lowest = Math.min(...exports(facts).flatMap(({ opset }) => (opset === undefined ? [] : [opset])));
    if (!Number.isFinite(lowest) || facts.text.includes('UseQDQContribOps')) return [];
    return [...staticCalls(facts), ...dynamicCalls(facts)].flatMap((call) =>
      ['activation_type', 'weight_type'].flatMap((name) => {
        const type = memberOr(call, name, 'QInt8');
        const needed = type === undefined ? undefined : since[type];
        if (type === undefined || needed === undefined || lowest >= needed) return [];
        return [
          { facts: { subject: type, instead: `opset ${needed}`, detail: lowest }, span: call.nameSpan },
        ];
      }),
    );
  },
};
