/** S56: quantization-aware training of a subclassed Keras model. */
import { madeBy } from '../../script/flow';
import { callsOf, type ScriptRule } from './script-rule';

export const s56: ScriptRule<'S56'> = {
  code: 'S56',
  severity: 'error',
  title: 'tfmot on a subclassed Keras model',
  documentation: {
    trigger:
      '`tfmot.quantization.keras.quantize_model(model)` where the script makes `model` from its own subclass of `tf.keras.Model`.',
    why: 'Only Sequential and functional models can be annotated; a subclassed one raises.',
    remedy: 'Build the network with the functional API.',
    source: 'TensorFlow Model Optimization, comprehensive guide.',
  },
  check(facts) {
    const calls = callsOf(
      facts,
      'tensorflow_model_optimization.quantization.keras.quantize_model',
      'tensorflow_model_optimization.quantization.keras.quantize_annotate_model',
    );
    return calls.flatMap((call) =>
      facts.flows().flatMap((flow) => {
        const model = flow.operand(call, 0);
        const name = model && madeBy(model)?.name;
        const own = facts.program.classes.find(({ statement }) => statement.name === name)?.statement;
        const subclass = own?.bases.some((base) => /(^|\.)Model$/.test(facts.text.slice(...base.span)));
        return name !== undefined && subclass ? [{ facts: { subject: name }, span: call.nameSpan }] : [];
      }),
    );
  },
};
