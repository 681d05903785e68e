/** S65: rounding learned on float activations that will have four bits. */
import type { Call } from '../../script/program';
import { evaluate, numberOf } from '../../script/values';
import { callsLike, type ScriptRule } from './script-rule';

const MAXIMUM_BITS = 4;

export const s65: ScriptRule<'S65'> = {
  code: 'S65',
  severity: 'information',
  title: 'Rounding learned without activation noise',
  aliases: ['methods S14', 'M18'],
  documentation: {
    trigger: `A call of a reconstruction (AdaRound, BRECQ) states activation bits of ${MAXIMUM_BITS} or fewer and no drop probability.`,
    why: 'Weights are rounded for inputs without noise and meet noisy ones. With four-bit activations that noise is as large as that of the weights.',
    remedy: 'Drop activation quantization at random while reconstructing (QDrop, probability 0.5).',
    source: 'Wei et al., QDrop (arXiv 2203.05740).',
  },
  check(facts) {
    return callsLike(facts, reconstructs).flatMap(({ expression, name, nameSpan, scope }) => {
      const { args } = expression;
      if (args.some(({ keyword, star }) => star === '**' || /drop|prob/i.test(keyword ?? ''))) return [];
      const bits = args.find(({ keyword }) =>
        /^(n_?bits_a|act(ivation)?_?bits|a_?bits)$/i.test(keyword ?? ''),
      );
      const value = bits && numberOf(evaluate(bits.value, scope));
      return value !== undefined && value <= MAXIMUM_BITS
        ? [{ facts: { subject: name, detail: value }, span: nameSpan }]
        : [];
    });
  },
};

function reconstructs({ name }: Call): boolean {
  return /adaround|brecq|reconstruct/i.test(name);
}
