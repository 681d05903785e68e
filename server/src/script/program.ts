/**
 * A program as rules see it: every call with its resolved path, scope and surroundings, in the order of the text, and
 * the frameworks it imports. Built from syntax alone; nothing is executed.
 */
import { atOnce } from '../engine/base/steps';
import { bind, definers, pathOf, type Scope } from './names';
import {
  type Argument,
  blocks,
  type CallExpression,
  type ClassStatement,
  type Expression,
  expressionsOf,
  type ForStatement,
  type FunctionStatement,
  type Module,
  parts,
  type Span,
  type Statement,
} from './syntax';
import { evaluate, type Value } from './values';

/** What stands around a statement. */
export interface Surroundings {
  readonly scope: Scope;
  readonly function: FunctionStatement | undefined;
  readonly class: ClassStatement | undefined;
  /** Innermost last. */
  readonly loops: readonly ForStatement[];
  /** Paths of the calls in enclosing `with` statements and decorators: `torch.no_grad`. */
  readonly contexts: readonly string[];
  /** True inside a branch, a loop or a handler of its function. */
  readonly conditional: boolean;
}

export interface Call extends Surroundings {
  readonly expression: CallExpression;
  /** Resolved path of what is called; undefined for methods of objects and unknown names. */
  readonly path: string | undefined;
  /** Attribute or name that is called: `eval` of `model.eval()`. */
  readonly name: string;
  /** `model` of `model.eval()`; undefined when the path is resolved. */
  readonly receiver: Expression | undefined;
  /** Of the name that is called. */
  readonly nameSpan: Span;
  readonly statement: Statement;
}

/** What was read of one statement at the top of a program. The same object as long as it says the same. */
export interface Unit {
  readonly statement: Statement;
  readonly calls: readonly Call[];
  readonly classes: Program['classes'];
  readonly functions: Program['functions'];
  readonly imports: ReadonlySet<string>;
  /** Every name that is read or written in it. */
  readonly names: ReadonlySet<string>;
}

export interface Program {
  readonly module: Module;
  readonly scope: Scope;
  readonly units: readonly Unit[];
  /** In the order of the text; arguments before the call that takes them. */
  readonly calls: readonly Call[];
  readonly classes: readonly { readonly statement: ClassStatement; readonly scope: Scope }[];
  readonly functions: readonly {
    readonly statement: FunctionStatement;
    readonly scope: Scope;
    readonly class: ClassStatement | undefined;
  }[];
  /** First parts of all imported paths: `torch`, `onnxruntime`. */
  readonly imports: ReadonlySet<string>;
}

/** What the names at the top of a program mean: paths for all, and the statements that bind them. */
interface Meanings {
  readonly paths: ReadonlyMap<string, string | undefined>;
  readonly definers: ReadonlyMap<string, readonly Statement[]>;
  /** Star imports, which may give a meaning to any name. */
  readonly stars: string;
}

const meaningsOf = new WeakMap<Program, Meanings>();

/**
 * Reads a parsed module.
 * @param earlier program of an earlier text of the file: it is used up, and what still holds of it is taken over.
 */
export function readProgram(module: Module, earlier?: Program): Program {
  return atOnce(programSteps(module, earlier));
}

/** {@link readProgram} in steps of a statement; once begun, it has to be gone through to the end. */
export function* programSteps(module: Module, earlier?: Program): Generator<void, Program> {
  const scope = bind(module, earlier?.scope);
  const before = earlier && meaningsOf.get(earlier);
  const now: Meanings = {
    paths: new Map(
      [...scope.names.keys()].map((name) => [name, pathOf({ kind: 'name', name, span: [0, 0] }, scope)]),
    ),
    definers: definers(scope),
    stars: scope.stars.join(' '),
  };
  const changed = changedNames(before?.paths ?? new Map(), now.paths, (one, other) => one === other);
  const kept = before?.stars === now.stars ? (earlier?.units ?? []) : [];
  const known = new Map(kept.map((unit) => [unit.statement, unit]));
  const units: Unit[] = [];
  for (const statement of module.statements) {
    const unit = known.get(statement);
    const holds = unit && !changed.some((name) => unit.names.has(name));
    units.push(holds ? unit : readUnit(statement, scope));
    yield;
  }
  const moved = changedNames(before?.definers ?? new Map(), now.definers, sameStatements);
  stamp(units, now.definers, new Set(moved));
  const program: Program = {
    module,
    scope,
    units,
    calls: units.flatMap(({ calls }) => calls),
    classes: units.flatMap(({ classes }) => classes),
    functions: units.flatMap(({ functions }) => functions),
    imports: new Set(units.flatMap(({ imports }) => [...imports])),
  };
  meaningsOf.set(program, now);
  return program;
}

/** Names that stand for something else than before. */
function changedNames<T>(
  before: ReadonlyMap<string, T>,
  now: ReadonlyMap<string, T>,
  same: (one: T | undefined, other: T | undefined) => boolean,
): readonly string[] {
  const names = [...now.keys(), ...[...before.keys()].filter((name) => !now.has(name))];
  return names.filter((name) => !same(before.get(name), now.get(name)));
}

function sameStatements(
  one: readonly Statement[] | undefined,
  other: readonly Statement[] | undefined,
): boolean {
  return one?.length === other?.length && (one ?? []).every((statement, at) => statement === other?.[at]);
}

/** Statements at the top that bind the names in a unit. */
const usedBy = new WeakMap<Unit, readonly Statement[]>();
const stamps = new WeakMap<Unit, number>();
let stampCount = 0;

/**
 * A number that changes whenever anything changes that a unit may depend on: itself, the units that bind the names in
 * it, those that bind the names in them.
 */
export function stampOf(unit: Unit): number {
  return stamps.get(unit) ?? 0;
}

function stamp(units: readonly Unit[], definedBy: Meanings['definers'], moved: ReadonlySet<string>): void {
  const stale = new Set<Unit>();
  for (const unit of units) {
    if (usedBy.has(unit) && !intersects(moved, unit.names)) continue;
    usedBy.set(unit, [...new Set([...unit.names].flatMap((name) => definedBy.get(name) ?? []))]);
    stale.add(unit);
  }
  const users = new Map<Statement, Unit[]>();
  for (const unit of units)
    for (const used of usedBy.get(unit) ?? []) {
      const list = users.get(used);
      if (list) list.push(unit);
      else users.set(used, [unit]);
    }
  // A set visits what is added while it is visited.
  for (const unit of stale) {
    stamps.set(unit, ++stampCount);
    for (const user of users.get(unit.statement) ?? []) stale.add(user);
  }
}

/** @param few is looked through. */
function intersects(few: ReadonlySet<string>, many: ReadonlySet<string>): boolean {
  for (const one of few) if (many.has(one)) return true;
  return false;
}

function readUnit(statement: Statement, scope: Scope): Unit {
  const unit = {
    statement,
    calls: [] as Call[],
    classes: [] as Program['classes'][number][],
    functions: [] as Program['functions'][number][],
    imports: new Set<string>(),
    names: new Set<string>(),
  };
  const around = {
    scope,
    function: undefined,
    class: undefined,
    loops: [],
    contexts: [],
    conditional: false,
  };
  visit(statement, around, unit);
  return unit;
}

type OpenUnit = {
  readonly calls: Call[];
  readonly classes: Program['classes'][number][];
  readonly functions: Program['functions'][number][];
  readonly imports: Set<string>;
  readonly names: Set<string>;
};

function visitBlock(statements: readonly Statement[], around: Surroundings, unit: OpenUnit): void {
  for (const statement of statements) visit(statement, around, unit);
}

function visit(statement: Statement, around: Surroundings, unit: OpenUnit): void {
  for (const one of expressionsOf(statement)) collectCalls(one, statement, around, unit);
  switch (statement.kind) {
    case 'import':
      for (const { path } of statement.modules) unit.imports.add(firstPart(path));
      return;
    case 'from-import':
      if (statement.level === 0) unit.imports.add(firstPart(statement.module));
      return;
    case 'function': {
      const scope = around.scope.inner.get(statement);
      if (!scope) return;
      const enclosing = around.scope.kind === 'class' ? around.class : undefined;
      unit.functions.push({ statement, scope, class: enclosing });
      const contexts = statement.decorators.flatMap((decorator) => contextPath(decorator, around.scope));
      const inner = { scope, function: statement, loops: [], contexts, conditional: false };
      visitBlock(statement.body, { ...around, ...inner }, unit);
      return;
    }
    case 'class': {
      const scope = around.scope.inner.get(statement);
      if (!scope) return;
      unit.classes.push({ statement, scope });
      visitBlock(statement.body, { ...around, scope, class: statement, conditional: false }, unit);
      return;
    }
    case 'with': {
      const entered = statement.items.flatMap(({ context }) => contextPath(context, around.scope));
      visitBlock(statement.body, { ...around, contexts: [...around.contexts, ...entered] }, unit);
      return;
    }
    case 'for': {
      visitBlock(statement.body, { ...around, loops: [...around.loops, statement], conditional: true }, unit);
      visitBlock(statement.orElse, { ...around, conditional: true }, unit);
      return;
    }
    case 'try':
      visitBlock(statement.body, around, unit);
      for (const handler of statement.handlers) visitBlock(handler, { ...around, conditional: true }, unit);
      visitBlock(statement.orElse, around, unit);
      visitBlock(statement.finally, around, unit);
      return;
    case 'if': {
      // `if __name__ == '__main__'` is not a choice.
      const inner = isMainGuard(statement.test) ? around : { ...around, conditional: true };
      visitBlock(statement.body, inner, unit);
      visitBlock(statement.orElse, { ...around, conditional: true }, unit);
      return;
    }
    default:
      for (const inside of blocks(statement)) visitBlock(inside, { ...around, conditional: true }, unit);
  }
}

/** `if __name__ == '__main__':` */
export function isMainGuard(test: Expression): boolean {
  return (
    test.kind === 'binary' &&
    test.operator === '==' &&
    [test.left, test.right].some((side) => side.kind === 'name' && side.name === '__name__')
  );
}

function contextPath(context: Expression, scope: Scope): string[] {
  const path = pathOf(context.kind === 'call' ? context.callee : context, scope);
  return path === undefined ? [] : [path];
}

function collectCalls(
  expression: Expression,
  statement: Statement,
  around: Surroundings,
  unit: OpenUnit,
): void {
  for (const part of parts(expression)) collectCalls(part, statement, around, unit);
  if (expression.kind === 'name') unit.names.add(expression.name);
  if (expression.kind !== 'call') return;
  const call = callOf(expression, statement, around);
  unit.calls.push(call);
  callsOfExpressions.set(expression, call);
}

const callsOfExpressions = new WeakMap<CallExpression, Call>();

/** The call that an expression of the newest program is. */
export function callAt(expression: CallExpression): Call | undefined {
  return callsOfExpressions.get(expression);
}

function callOf(expression: CallExpression, statement: Statement, around: Surroundings): Call {
  const { callee } = expression;
  const path = pathOf(callee, around.scope);
  const attribute = callee.kind === 'attribute' ? callee : undefined;
  return {
    ...around,
    expression,
    path,
    name: attribute?.attribute ?? (callee.kind === 'name' ? callee.name : ''),
    receiver: path === undefined ? attribute?.object : undefined,
    nameSpan: attribute?.attributeSpan ?? callee.span,
    statement,
  };
}

function firstPart(path: string): string {
  return path.split('.')[0] ?? path;
}

/** An argument by keyword or position; `hidden` when `*args` or `**kwargs` may hold it. */
export function argument(
  call: Pick<Call, 'expression'>,
  keyword: string,
  position?: number,
): Argument | 'hidden' | undefined {
  const { args } = call.expression;
  const named = args.find((one) => one.keyword === keyword);
  if (named) return named;
  const positional = args.filter((one) => one.keyword === undefined && one.star !== '**');
  const starred = positional.findIndex((one) => one.star === '*');
  if (position !== undefined) {
    if (starred !== -1 && starred <= position) return 'hidden';
    const found = positional[position];
    if (found) return found;
  }
  return args.some((one) => one.star === '**') ? 'hidden' : undefined;
}

/** Value of an argument; `none` is Python's None, undefined = not given, `unknown` = given but not known. */
export function argumentValue(
  call: Pick<Call, 'expression' | 'scope'>,
  keyword: string,
  position?: number,
): Value | undefined {
  const found = argument(call, keyword, position);
  if (found === undefined) return undefined;
  return found === 'hidden' ? { kind: 'unknown' } : evaluate(found.value, call.scope);
}
