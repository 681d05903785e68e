/** S31: the output layer of a language model quantized along with all others. */
import { argument, type Call, type Unit } from '../../script/program';
import { inUnits, type ScriptRule } from './script-rule';
import { configurations } from './torchao';

export const s31: ScriptRule<'S31'> = {
  code: 'S31',
  severity: 'warning',
  title: 'lm_head quantized to 4 bits',
  aliases: ['M17'],
  documentation: {
    trigger:
      '`quantize_` with a 4-bit weight configuration and no `filter_fn` on a model that `AutoModelForCausalLM.from_pretrained` loaded.',
    why: 'The default filter takes every Linear, the output layer too. Other tools leave it out: its error goes straight into the logits.',
    remedy: 'Pass `filter_fn=lambda module, name: isinstance(module, nn.Linear) and "lm_head" not in name`.',
    source: 'torchao, quant_api.py; llm-compressor README (`ignore=["lm_head"]`); bitsandbytes skip list.',
  },
  check(facts) {
    if (inUnits(facts, languageModels).length === 0 || /lm_head/.test(facts.text)) return [];
    return configurations(facts).flatMap(({ name, quantize }) => {
      if (!/Int4|NF4|MX4|NVFP4|FP4/i.test(name) || argument(quantize, 'filter_fn', 2) !== undefined)
        return [];
      return [{ facts: { subject: name, instead: 'filter_fn' }, span: quantize.nameSpan }];
    });
  },
};

/** Calls of methods of `AutoModelForCausalLM`, however it is imported. */
function languageModels({ calls }: Unit): readonly Call[] {
  return calls.filter(({ expression: { callee } }) => {
    const object = callee.kind === 'attribute' ? callee.object : undefined;
    const name =
      object?.kind === 'name' ? object.name : object?.kind === 'attribute' ? object.attribute : undefined;
    return name?.endsWith('AutoModelForCausalLM') === true;
  });
}
