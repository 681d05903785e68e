/** Scripts that serve several versions of a library ask for it, or try. */
import type { Call } from '../../script/program';
import { statementsIn } from '../../script/syntax';
import { type ScriptFacts, textAt } from './script-rule';

/** True for a call inside `try`, or below an `if` that asks for a version. */
export function isForSomeVersions({ expression: { span } }: Call, facts: ScriptFacts): boolean {
  return [...statementsIn(facts.program.module.statements)].some(
    (one) =>
      one.span[0] <= span[0] &&
      span[1] <= one.span[1] &&
      (one.kind === 'try' || (one.kind === 'if' && /version|release/i.test(textAt(facts, one.test.span)))),
  );
}
