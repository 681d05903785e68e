/** S37: GPTQ without calibration text, or with a handful of sentences. */
import { argument, argumentValue } from '../../script/program';
import { callsOf, type ScriptRule } from './script-rule';

const MINIMUM = 32;

export const s37: ScriptRule<'S37'> = {
  code: 'S37',
  severity: 'warning',
  title: 'GPTQ with too little calibration text',
  documentation: {
    trigger: `\`GPTQConfig\` for quantizing (it names a tokenizer or a dataset) with one of the two missing, or with a literal list of fewer than ${MINIMUM} texts.`,
    why: 'GPTQ fits weights to the inputs it sees: without text there is nothing to fit, and with a few sentences it fits those.',
    remedy: 'Pass `dataset="c4"` (or your own domain, 128 samples) and the tokenizer.',
    source: 'Transformers documentation, GPTQ; Frantar et al. (arXiv 2210.17323).',
  },
  check(facts) {
    return callsOf(facts, 'transformers.GPTQConfig').flatMap((call) => {
      const dataset = argument(call, 'dataset', 2);
      const tokenizer = argument(call, 'tokenizer', 1);
      if (dataset === 'hidden' || tokenizer === 'hidden' || (!dataset && !tokenizer)) return [];
      if (!dataset || !tokenizer)
        return [{ facts: { subject: dataset ? 'tokenizer' : 'dataset' }, span: call.nameSpan }];
      const value = argumentValue(call, 'dataset', 2);
      const count =
        value?.kind === 'list' && value.items.every((item) => item.kind === 'string')
          ? value.items.length
          : undefined;
      if (count === undefined || count >= MINIMUM) return [];
      return [{ facts: { subject: 'dataset', detail: count }, span: dataset.span }];
    });
  },
};
