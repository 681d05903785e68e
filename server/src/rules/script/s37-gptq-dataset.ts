/** S37: GPTQ without calibration text, or with a handful of sentences. */
import { argument, argumentValue } from '../../script/program';
import { callsOf, type ScriptRule } from './script-rule';

const MINIMUM = 32;

export const s37: ScriptRule<'S37'> = {
  code: 'S37',
  severity: 'warning',
  title: 'GPTQ with too little calibration text',
  documentation: {
    trigger: `\`GPTQConfig\` that names a tokenizer and no dataset, or a literal list of fewer than ${MINIMUM} texts.`,
    why: 'GPTQ fits weights to the inputs it sees: without text there is nothing to fit, and with a few sentences it fits those.',
    remedy: 'Pass `dataset="c4"`, or 128 texts of your own domain. The tokenizer is found by itself.',
    source: 'Transformers documentation, GPTQ; Frantar et al. (arXiv 2210.17323).',
  },
  check(facts) {
    return callsOf(facts, 'transformers.GPTQConfig').flatMap((call) => {
      const dataset = argument(call, 'dataset', 2);
      const tokenizer = argument(call, 'tokenizer', 1);
      if (dataset === 'hidden' || tokenizer === 'hidden' || (!dataset && !tokenizer)) return [];
      if (!dataset) return [{ facts: { subject: 'dataset' }, span: call.nameSpan }];
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
