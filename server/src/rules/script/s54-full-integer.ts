/** S54: integer inputs without what they need. */
import { pathOf } from '../../script/names';
import { expressionsOf, type Statement } from '../../script/syntax';
import type { ScriptFinding, ScriptRule } from './script-rule';

export const s54: ScriptRule<'S54'> = {
  code: 'S54',
  severity: 'error',
  title: 'Integer input type without full-integer conversion',
  documentation: {
    trigger:
      '`converter.inference_input_type = tf.int8` (or uint8) in a file that sets no `representative_dataset`, or no `TFLITE_BUILTINS_INT8`, and loads no quantization-aware model.',
    why: 'Integer inputs need a fully quantized model; the converter raises or leaves float operators that cannot take them.',
    remedy:
      'Set `converter.representative_dataset` and `converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]`.',
    source: 'TensorFlow Lite, post-training integer quantization.',
  },
  check(facts) {
    const calibrated = /representative_dataset|quantize_model|quantize_annotate|quantize_apply/.test(
      facts.text,
    );
    const complete =
      calibrated &&
      /TFLITE_BUILTINS_INT8|quantize_model|quantize_apply|EXPERIMENTAL_TFLITE_BUILTINS/.test(facts.text);
    if (complete) return [];
    const found: ScriptFinding[] = [];
    const visit = (statements: readonly Statement[]) => {
      for (const statement of statements) {
        if (statement.kind === 'assign' && statement.value) {
          const [target] = statement.targets;
          const type = expressionsOf(statement)[0];
          const path = type && pathOf(type, facts.program.scope);
          if (
            target?.kind === 'attribute' &&
            target.attribute === 'inference_input_type' &&
            path !== undefined &&
            /^tensorflow\.u?int8$/.test(path)
          )
            found.push({
              facts: {
                subject: 'inference_input_type',
                instead: calibrated ? 'TFLITE_BUILTINS_INT8' : 'a representative_dataset',
              },
              span: statement.span,
            });
        }
        if ('body' in statement) visit(statement.body);
        if ('orElse' in statement) visit(statement.orElse);
      }
    };
    visit(facts.program.module.statements);
    return found;
  },
};
