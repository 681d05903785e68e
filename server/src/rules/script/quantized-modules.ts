/** Classes that are written for eager static quantization: modules with a QuantStub, and the classes they are made of. */
import { pathOf, type Scope } from '../../script/names';
import type { Program } from '../../script/program';
import {
  type ClassStatement,
  type Expression,
  expressionsOf,
  type FunctionStatement,
  parts,
  type Statement,
  statementsIn,
} from '../../script/syntax';
import type { ScriptFacts } from './script-rule';
import { stageEvents } from './torch-life';

/**
 * `forward` of every module class of a file that is quantized eagerly: it has QuantStub and goes to `prepare`. Classes
 * whose `forward` a subclass replaces, or that are defined again below, are left out.
 */
export function quantizedForwards(facts: ScriptFacts): readonly FunctionStatement[] {
  const known = forwardsOf.get(facts) ?? findForwards(facts);
  forwardsOf.set(facts, known);
  return known;
}

/** Several rules ask. */
const forwardsOf = new WeakMap<ScriptFacts, readonly FunctionStatement[]>();

function findForwards(facts: ScriptFacts): readonly FunctionStatement[] {
  const stub = /QuantStub\s*\(/.test(facts.text);
  const prepared = stageEvents(facts).some(
    ({ flow, stage }) => flow === 'eager' && stage.startsWith('prepare'),
  );
  if (!stub || !prepared) return [];
  const { classes, scope } = facts.program;
  const overridden = new Set(
    classes
      .filter((other) => other.statement.body.some(isForward))
      .flatMap((other) => other.statement.bases.map(({ value }) => value.kind === 'name' && value.name)),
  );
  return classes.flatMap(({ statement }) => {
    if (!isModule(statement, facts.program) || isReplaced(statement, scope)) return [];
    return overridden.has(statement.name) ? [] : statement.body.filter(isForward);
  });
}

/** A later definition has the same name: in notebooks a class is often written again and only the last one used. */
function isReplaced(statement: ClassStatement, scope: Scope): boolean {
  const last = scope.names.get(statement.name)?.findLast(({ kind }) => kind === 'class');
  return last?.kind === 'class' && last.statement !== statement;
}

function isForward(statement: Statement): statement is FunctionStatement {
  return statement.kind === 'function' && statement.name === 'forward';
}

function isModule(statement: ClassStatement, program: Program): boolean {
  return statement.bases.some((base) =>
    /^torch\.nn\.(Module|Sequential)$/.test(pathOf(base.value, program.scope) ?? ''),
  );
}

/** Every expression inside a function, in the order of the text; nested functions are left out. */
export function* expressionsIn(statements: readonly Statement[]): Iterable<Expression> {
  const inside = ({ kind }: Statement) => kind !== 'function' && kind !== 'class';
  for (const statement of statementsIn(statements, inside))
    if (inside(statement)) for (const expression of expressionsOf(statement)) yield* deep(expression);
}

function* deep(expression: Expression): Iterable<Expression> {
  for (const part of parts(expression)) yield* deep(part);
  yield expression;
}

/** `self.name` → `name`. */
export function selfAttribute(expression: Expression): string | undefined {
  if (expression.kind !== 'attribute' || expression.object.kind !== 'name') return undefined;
  return expression.object.name === 'self' ? expression.attribute : undefined;
}
