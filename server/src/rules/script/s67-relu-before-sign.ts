/** S67: signs of values that are never negative. */

import type { Scope } from '../../script/names';
import { pathOf } from '../../script/names';
import type { Unit } from '../../script/program';
import type { Expression } from '../../script/syntax';
import { inUnits, type ScriptRule } from './script-rule';

const rectifiers = new Set(['torch.relu', 'torch.nn.functional.relu', 'torch.nn.functional.relu6']);

export const s67: ScriptRule<'S67'> = {
  code: 'S67',
  severity: 'warning',
  title: 'ReLU before sign in a binary network',
  aliases: ['methods S16'],
  documentation: {
    trigger: '`torch.sign(relu(x))`, directly or as `relu(x).sign()`.',
    why: 'After a ReLU nothing is negative: the sign is 1 or 0 and carries no information where the input was positive.',
    remedy: 'Use Hardtanh (or nothing) before the sign, and centre and standardise weights.',
    source: 'Qin et al., IR-Net (arXiv 1909.10788).',
  },
  check(facts) {
    return inUnits(facts, signsOfRectified).map(({ span }) => ({
      facts: { subject: facts.text.slice(...span) },
      span,
    }));
  },
};

function signsOfRectified({ calls }: Unit): readonly Expression[] {
  return calls.flatMap((call) => {
    const { callee, args } = call.expression;
    const method = callee.kind === 'attribute' && callee.attribute === 'sign' && call.path === undefined;
    const inner = call.path === 'torch.sign' ? args[0]?.value : method ? callee.object : undefined;
    return inner && rectified(inner, call.scope) ? [call.expression] : [];
  });
}

function rectified(expression: Expression, scope: Scope): boolean {
  if (expression.kind !== 'call') return false;
  if (rectifiers.has(pathOf(expression.callee, scope) ?? '')) return true;
  return expression.callee.kind === 'attribute' && expression.callee.attribute === 'relu';
}
