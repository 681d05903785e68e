/** S36: a quantization configuration for a checkpoint that is quantized already. */
import { argument, argumentValue, type Call } from '../../script/program';
import { stringOf } from '../../script/values';
import { callsLike, type ScriptRule } from './script-rule';

const quantizedName = /(gptq|awq|bnb[-_]?4bit|[-_]4bit|int4|w4a16|[-_]fp8)/i;

export const s36: ScriptRule<'S36'> = {
  code: 'S36',
  severity: 'information',
  title: 'quantization_config for a quantized checkpoint',
  documentation: {
    trigger:
      '`from_pretrained("…-GPTQ", quantization_config=…)`: the name of the checkpoint says that it is quantized.',
    why: 'Such a checkpoint brings its own configuration; another one is ignored or refused.',
    remedy: 'Load it without `quantization_config`.',
    source: 'Transformers documentation, quantization overview.',
  },
  check(facts) {
    return callsLike(facts, isLoad).flatMap((call) => {
      const name = stringOf(argumentValue(call, 'pretrained_model_name_or_path', 0));
      const written = argument(call, 'quantization_config');
      if (name === undefined || !quantizedName.test(name) || !written || written === 'hidden') return [];
      return [{ facts: { subject: name }, span: written.span }];
    });
  },
};

function isLoad({ name }: Call): boolean {
  return name === 'from_pretrained';
}
