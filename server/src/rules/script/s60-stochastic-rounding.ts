/** S60: stochastic rounding in the forward pass. */

import type { Call, Unit } from '../../script/program';
import { booleanOf, evaluate, stringOf } from '../../script/values';
import { inUnits, type ScriptRule } from './script-rule';

export const s60: ScriptRule<'S60'> = {
  code: 'S60',
  severity: 'information',
  title: 'Stochastic rounding in forward',
  aliases: ['methods S05'],
  documentation: {
    trigger:
      'In `forward`, a constructor or the code of the module: a quantizer is called or made with `stochastic=True` or `rounding="stochastic"`.',
    why: 'In training the noise averages over steps; at inference it is only noise. Deterministic rounding is as good or better for weights and activations (for gradients stochastic rounding has its use).',
    remedy: 'Round to nearest in forward.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 4.1.',
  },
  check(facts) {
    return inUnits(facts, roundingCalls).flatMap(({ expression, scope, function: within }) => {
      if (within && !/^(forward|__init__|main)$/.test(within.name)) return [];
      return expression.args.flatMap((argument) => {
        if (argument.keyword === undefined || !/stochastic|rounding/i.test(argument.keyword)) return [];
        const value = evaluate(argument.value, scope);
        const stochastic =
          (/stochastic/i.test(argument.keyword) && booleanOf(value) === true) ||
          stringOf(value) === 'stochastic';
        return stochastic
          ? [{ facts: { subject: facts.text.slice(...argument.span) }, span: argument.span }]
          : [];
      });
    });
  },
};

function roundingCalls({ calls }: Unit): readonly Call[] {
  return calls.filter(({ name }) => /quant|round/i.test(name) && !/grad|backward/i.test(name));
}
