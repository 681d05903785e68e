/** Functions that yield: what they hand out, and the statements that are their own. */
import {
  type Expression,
  expressionsOf,
  type FunctionStatement,
  parts,
  type Statement,
  statementsIn,
} from '../../script/syntax';

const isOwn = ({ kind }: Statement) => kind !== 'function' && kind !== 'class';

/** Statements of a function itself, not of functions inside it. */
export function ownStatements(body: readonly Statement[]): readonly Statement[] {
  return [...statementsIn(body, isOwn)].filter(isOwn);
}

/** What a function yields, in the order of the text; a bare `yield` gives nothing. */
export function yieldedValues(body: readonly Statement[]): readonly Expression[] {
  return ownStatements(body).flatMap((statement) => expressionsOf(statement).flatMap(yieldsIn));
}

/** True for a function whose call makes a generator. */
export function isGenerator({ body }: FunctionStatement): boolean {
  return ownStatements(body).some((statement) => expressionsOf(statement).some(hasYield));
}

function hasYield(expression: Expression): boolean {
  if (expression.kind === 'lambda') return false;
  if (expression.kind === 'other' && expression.type === 'yield') return true;
  return [...parts(expression)].some(hasYield);
}

function yieldsIn(expression: Expression): readonly Expression[] {
  if (expression.kind === 'lambda') return [];
  const inside = [...parts(expression)];
  return expression.kind === 'other' && expression.type === 'yield' ? inside : inside.flatMap(yieldsIn);
}
