/** S68: a member of one enumeration where another is asked for. */
import { lookUp, pathOf } from '../../script/names';
import type { Call } from '../../script/program';
import type { Expression } from '../../script/syntax';
import { pathOfValue } from '../../script/values';
import { dynamicCalls, given, staticCalls, writtenArgument } from './onnx-calls';
import { type ScriptFix, type ScriptRule, textAt } from './script-rule';

export const s68: ScriptRule<'S68'> = {
  code: 'S68',
  severity: 'error',
  title: 'Member of the wrong enumeration',
  documentation: {
    trigger:
      '`quantize_static(quant_format=QuantType.QInt8)` and the like: a member of QuantType, QuantFormat or CalibrationMethod, or a string, for an argument of another kind. A warning for the format.',
    why: '`quant_format` is compared with members of QuantFormat only, so anything else silently gives QDQ; a wrong type or method raises deep inside.',
    remedy: 'Take formats from `QuantFormat`, types from `QuantType`, methods from `CalibrationMethod`.',
    source: 'onnxruntime, python/tools/quantization/quantize.py; seen in public scripts.',
  },
  check(facts) {
    return [...staticCalls(facts), ...dynamicCalls(facts)].flatMap((call) =>
      Object.entries(expected).flatMap(([name, enumeration]) => {
        const value = given(call, name);
        const written = writtenArgument(call, name);
        if (!value || !written) return [];
        const [, found, member] = /\b(\w+)\.(\w+)$/.exec(pathOfValue(value) ?? '') ?? [];
        const other = found !== undefined && found !== enumeration && enumerations.has(found);
        // The format is only compared with QOperator: the text "QDQ" gives what it says.
        const isText = value.kind === 'string' && value.value !== 'QDQ';
        if (!other && !isText) return [];
        const fix = fixOf(written.value, call, enumeration, member);
        return [
          {
            facts: { subject: textAt(facts, written.span), instead: enumeration },
            span: written.span,
            ...(name === 'quant_format' && { severity: 'warning' as const }),
            ...(fix && { fix }),
          },
        ];
      }),
    );
  },
};

const expected: Readonly<Record<string, string>> = {
  quant_format: 'QuantFormat',
  activation_type: 'QuantType',
  weight_type: 'QuantType',
  calibrate_method: 'CalibrationMethod',
};
const enumerations = new Set([...Object.values(expected), 'QuantizationMode']);
const members: Readonly<Record<string, ReadonlySet<string>>> = {
  QuantFormat: new Set(['QDQ', 'QOperator']),
  QuantType: new Set(['QInt8', 'QUInt8', 'QInt16', 'QUInt16', 'QInt4', 'QUInt4', 'QFLOAT8E4M3FN']),
  CalibrationMethod: new Set(['MinMax', 'Entropy', 'Percentile', 'Distribution']),
};

/** `QuantType.QOperator` → `QuantFormat.QOperator`, where the right name is known at this place. */
function fixOf(
  value: Expression,
  call: Call,
  enumeration: string,
  member: string | undefined,
): ScriptFix | undefined {
  if (value.kind !== 'attribute' || member === undefined || !members[enumeration]?.has(member))
    return undefined;
  const { object } = value;
  const span = object.kind === 'attribute' ? object.attributeSpan : object.span;
  if (object.kind === 'name') {
    const name = { kind: 'name', name: enumeration, span } as const;
    const known = lookUp(call.scope, enumeration).length > 0;
    if (!known || !pathOf(name, call.scope)?.endsWith(`.${enumeration}`)) return undefined;
  }
  return { title: `Use ${enumeration}`, edits: [{ span, text: enumeration }], safe: true };
}
