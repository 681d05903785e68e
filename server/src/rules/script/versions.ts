/** Scripts that serve several versions of a library ask for it, or try. */
import type { Call } from '../../script/program';
import { type Statement, statementsIn } from '../../script/syntax';
import { type ScriptFacts, textAt } from './script-rule';

/** True for a call inside `try`, or below an `if` that asks for a version. */
export function isForSomeVersions({ expression: { span } }: Call, facts: ScriptFacts): boolean {
  const holds = (one: Statement) => one.span[0] <= span[0] && span[1] <= one.span[1];
  return [...statementsIn(facts.program.module.statements, holds)].some(
    (one) =>
      holds(one) &&
      (one.kind === 'try' || (one.kind === 'if' && /version|release/i.test(textAt(facts, one.test.span)))),
  );
}
