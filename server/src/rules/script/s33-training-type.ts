/** S33: 4-bit fine-tuning with fp4. */
import { argument, argumentValue } from '../../script/program';
import { booleanOf, stringOf } from '../../script/values';
import { callsOf, type ScriptRule } from './script-rule';

export const s33: ScriptRule<'S33'> = {
  code: 'S33',
  severity: 'information',
  title: '4-bit training without nf4',
  documentation: {
    trigger:
      '`BitsAndBytesConfig(load_in_4bit=True)` with `bnb_4bit_quant_type="fp4"` or none, in a file that trains with peft or a Trainer.',
    why: 'The default type is fp4. nf4 has its levels where normally distributed weights are and gives better results in fine-tuning.',
    remedy: 'Set `bnb_4bit_quant_type="nf4"`.',
    source: 'Transformers documentation, bitsandbytes, "Normal Float 4".',
  },
  check(facts) {
    if (!/prepare_model_for_kbit_training|get_peft_model|LoraConfig|SFTTrainer|Trainer\(/.test(facts.text))
      return [];
    return callsOf(facts, 'transformers.BitsAndBytesConfig').flatMap((call) => {
      if (booleanOf(argumentValue(call, 'load_in_4bit')) !== true) return [];
      const type = argument(call, 'bnb_4bit_quant_type');
      if (type === 'hidden') return [];
      if (type && stringOf(argumentValue(call, 'bnb_4bit_quant_type')) !== 'fp4') return [];
      return [
        {
          facts: { subject: type ? 'fp4' : 'The default fp4', instead: 'bnb_4bit_quant_type="nf4"' },
          span: type ? type.span : call.nameSpan,
        },
      ];
    });
  },
};
