/**
 * A program as rules see it: every call with its resolved path, scope and surroundings, in the order of the text, and
 * the frameworks it imports. Built from syntax alone; nothing is executed.
 */
import { bind, pathOf, type Scope } from './names';
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

export interface Program {
  readonly module: Module;
  readonly scope: Scope;
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

/** Reads a parsed module. */
export function readProgram(module: Module): Program {
  const scope = bind(module);
  const program = {
    module,
    scope,
    calls: [] as Call[],
    classes: [] as { statement: ClassStatement; scope: Scope }[],
    functions: [] as Program['functions'][number][],
    imports: new Set<string>(),
  };
  const root = {
    scope,
    function: undefined,
    class: undefined,
    loops: [],
    contexts: [],
    conditional: false,
  };
  visitBlock(module.statements, root, program);
  return program;
}

type OpenProgram = {
  readonly calls: Call[];
  readonly classes: { statement: ClassStatement; scope: Scope }[];
  readonly functions: Program['functions'][number][];
  readonly imports: Set<string>;
};

function visitBlock(statements: readonly Statement[], around: Surroundings, program: OpenProgram): void {
  for (const statement of statements) visit(statement, around, program);
}

function visit(statement: Statement, around: Surroundings, program: OpenProgram): void {
  for (const one of expressionsOf(statement)) collectCalls(one, statement, around, program);
  switch (statement.kind) {
    case 'import':
      for (const { path } of statement.modules) program.imports.add(firstPart(path));
      return;
    case 'from-import':
      if (statement.level === 0) program.imports.add(firstPart(statement.module));
      return;
    case 'function': {
      const scope = around.scope.inner.get(statement);
      if (!scope) return;
      const enclosing = around.scope.kind === 'class' ? around.class : undefined;
      program.functions.push({ statement, scope, class: enclosing });
      const contexts = statement.decorators.flatMap((decorator) => contextPath(decorator, around.scope));
      const inner = { scope, function: statement, loops: [], contexts, conditional: false };
      visitBlock(statement.body, { ...around, ...inner }, program);
      return;
    }
    case 'class': {
      const scope = around.scope.inner.get(statement);
      if (!scope) return;
      program.classes.push({ statement, scope });
      visitBlock(statement.body, { ...around, scope, class: statement, conditional: false }, program);
      return;
    }
    case 'with': {
      const entered = statement.items.flatMap(({ context }) => contextPath(context, around.scope));
      visitBlock(statement.body, { ...around, contexts: [...around.contexts, ...entered] }, program);
      return;
    }
    case 'for': {
      visitBlock(
        statement.body,
        { ...around, loops: [...around.loops, statement], conditional: true },
        program,
      );
      visitBlock(statement.orElse, { ...around, conditional: true }, program);
      return;
    }
    case 'try':
      visitBlock(statement.body, around, program);
      for (const handler of statement.handlers)
        visitBlock(handler, { ...around, conditional: true }, program);
      visitBlock(statement.orElse, around, program);
      visitBlock(statement.finally, around, program);
      return;
    case 'if': {
      // `if __name__ == '__main__'` is not a choice.
      const inner = isMainGuard(statement.test) ? around : { ...around, conditional: true };
      visitBlock(statement.body, inner, program);
      visitBlock(statement.orElse, { ...around, conditional: true }, program);
      return;
    }
    default:
      for (const inside of blocks(statement)) visitBlock(inside, { ...around, conditional: true }, program);
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
  program: OpenProgram,
): void {
  for (const part of parts(expression)) collectCalls(part, statement, around, program);
  if (expression.kind === 'call') program.calls.push(callOf(expression, statement, around));
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
