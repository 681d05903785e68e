/** S54: integer inputs without what they need. */
import { pathOf } from '../../script/names';
import type { Unit } from '../../script/program';
import { type AssignStatement, statementsIn } from '../../script/syntax';
import { inUnits, type ScriptRule } from './script-rule';

export const s54: ScriptRule<'S54'> = {
  code: 'S54',
  severity: 'error',
  title: 'Integer input type without calibration',
  documentation: {
    trigger:
      '`converter.inference_input_type = tf.int8` (or uint8) in a file that sets no `representative_dataset` and has no quantization-aware model.',
    why: 'The converter takes integer inputs only where it quantizes activations, and for that it needs samples; it raises otherwise.',
    remedy:
      'Set `converter.optimizations` and `converter.representative_dataset`; with `TFLITE_BUILTINS_INT8` the converter also refuses operators that stay float.',
    source: 'TensorFlow, lite/python/lite.py, validation of input and output types.',
  },
  check(facts) {
    if (
      /representative_dataset|quantize_model|quantize_annotate|quantize_apply|quantize_scope/.test(facts.text)
    )
      return [];
    return inUnits(facts, inputTypes).flatMap(({ value, span }) => {
      if (!value || !/^tensorflow\.u?int8$/.test(pathOf(value, facts.program.scope) ?? '')) return [];
      return [{ facts: { subject: 'inference_input_type', instead: 'a representative_dataset' }, span }];
    });
  },
};

function inputTypes({ statement: top }: Unit): readonly AssignStatement[] {
  return [...statementsIn([top])].flatMap((statement) => {
    const [target] = statement.kind === 'assign' ? statement.targets : [];
    const isType = target?.kind === 'attribute' && target.attribute === 'inference_input_type';
    return statement.kind === 'assign' && isType ? [statement] : [];
  });
}
