/** S88: a width beside the configuration that states it. */
import { argument, argumentValue, type Call } from '../../script/program';
import { booleanOf } from '../../script/values';
import { isLoad, mentionsBits } from './bits-and-bytes';
import { callsLike, removeArgument, type ScriptRule } from './script-rule';

export const s88: ScriptRule<'S88'> = {
  code: 'S88',
  severity: 'warning',
  title: 'load_in_4bit beside quantization_config',
  documentation: {
    trigger:
      '`from_pretrained(…, load_in_4bit=True, quantization_config=config)`, or the same with 8 bits. A warning, since the installed version is not known.',
    why: 'Transformers takes one or the other and, from 4.38 on, raises: "You can\'t pass `load_in_4bit` or `load_in_8bit` as a kwarg when passing `quantization_config`".',
    remedy: 'Keep the configuration.',
    source:
      'transformers, modeling_utils.py; github.com/hiyouga/LlamaFactory/issues/4157; github.com/04RR/LLM-Trainer/issues/2; github.com/haotian-liu/LLaVA/issues/1638.',
  },
  check(facts) {
    if (!mentionsBits.test(facts.text)) return [];
    return callsLike(facts, isConfigured).flatMap((call) => {
      const config = argument(call, 'quantization_config');
      if (!config || config === 'hidden') return [];
      // A configuration that is None, or may be, takes nothing.
      if (config.value.kind === 'constant') return [];
      const stated = argumentValue(call, 'quantization_config');
      if (stated?.kind === 'none' || config.value.kind === 'other') return [];
      return ['load_in_4bit', 'load_in_8bit'].flatMap((name) => {
        const written = argument(call, name);
        const edit = removeArgument(facts, call, name);
        if (!written || written === 'hidden' || !edit) return [];
        if (booleanOf(argumentValue(call, name)) !== true) return [];
        const fix = { title: `Remove ${name}`, edits: [edit], safe: true };
        return [{ facts: { subject: name }, span: written.span, fix }];
      });
    });
  },
};

function isConfigured(call: Call): boolean {
  return isLoad(call.path) && argument(call, 'quantization_config') !== undefined;
}
