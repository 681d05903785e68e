/**
 * What happens to one network (or any object) in the order of execution: variables are followed through assignments,
 * copies, wrappers and calls of functions of the same file, so that a rule can ask "was `eval()` called before this?".
 * Straight-line code is exact; branches are joined; what escapes to unknown code is marked.
 */
import { canonicalPath, passesThrough, selfMethods } from './catalog';
import { definitionOf, pathOf, type Scope } from './names';
import { type Call, callAt, isMainGuard, type Program, stampOf, type Unit } from './program';
import type { CallExpression, Expression, FunctionStatement, Statement } from './syntax';
import { parts } from './syntax';

/** One object followed through a program. */
export interface Tracked {
  readonly id: number;
  /** How it came to be: the expression that first gave it, or undefined for a parameter. */
  readonly origin: Expression | undefined;
  readonly originScope: Scope | undefined;
}

/** A call that an object takes part in. */
export interface Event {
  readonly call: Call;
  /** How the object takes part. */
  readonly role: 'receiver' | 'argument' | 'result' | 'called';
  /** Position or keyword for an argument. */
  readonly argument?: number | string;
  /** False inside a branch, loop or handler. */
  readonly certain: boolean;
  /** The callee is unknown code that may do anything with the object. */
  readonly opaque: boolean;
}

/** Everything that happened along one run of the program. */
export interface Flow {
  /** Events of each object, in order of execution. */
  readonly events: ReadonlyMap<Tracked, readonly Event[]>;
  /** Object that a call received at a position, under a keyword, or as receiver (`self`). */
  readonly operand: (call: Call, position: number | string) => Tracked | undefined;
}

const MAXIMUM_INLINING = 4;

interface Run {
  readonly events: Map<Tracked, Event[]>;
  readonly operands: Map<Call, Map<number | string, Tracked>>;
  next: number;
}

interface State {
  /** Keyed by the text of the variable: `model`, `self.net`. */
  readonly variables: Map<string, Tracked>;
  readonly scope: Scope;
  readonly certain: boolean;
  readonly depth: number;
  readonly active: ReadonlySet<FunctionStatement>;
  readonly returned: Tracked[];
}

interface KnownFlow {
  /** Stamps of all that it depends on. */
  readonly stamps: readonly number[];
  readonly flow: Flow;
}

/** Flows of functions and, by the scope of the module, of the code outside of them. */
const knownFlows = new WeakMap<FunctionStatement | Scope, KnownFlow>();

/**
 * Flows of a program: one of the module's own code, with the functions it calls run in place, and one of every
 * function that nothing in the file calls. A flow is the same object as long as nothing it depends on changed.
 */
export function flowsOf(program: Program): readonly Flow[] {
  const called = new Set(
    program.units.flatMap(callsByName).flatMap((call) => {
      const target = definitionOf(call.expression.callee, call.scope);
      return target?.kind === 'function' ? [target.statement] : [];
    }),
  );
  const { scope } = program;
  const executed = program.units.filter(({ statement: { kind } }) => !defines.has(kind));
  const own = knownFlow(scope, executed.map(stampOf), () =>
    follow(
      executed.map(({ statement }) => statement),
      scope,
      undefined,
    ),
  );
  const others = program.units.flatMap((unit) =>
    unit.functions
      .filter(({ statement }) => !called.has(statement))
      .map(({ statement, scope: inside }) =>
        knownFlow(statement, [stampOf(unit)], () => follow(statement.body, inside, statement)),
      ),
  );
  return [own, ...others];
}

/** Statements that do nothing when they are run. */
const defines: ReadonlySet<Statement['kind']> = new Set(['function', 'class', 'import', 'from-import']);

const callsOfUnits = new WeakMap<Unit, readonly Call[]>();

/** Calls of a unit that may name a function of the file. */
function callsByName(unit: Unit): readonly Call[] {
  const known = callsOfUnits.get(unit);
  if (known) return known;
  const found = unit.calls.filter(({ expression }) => expression.callee.kind === 'name');
  callsOfUnits.set(unit, found);
  return found;
}

function knownFlow(root: FunctionStatement | Scope, stamps: readonly number[], make: () => Flow): Flow {
  const known = knownFlows.get(root);
  if (known?.stamps.length === stamps.length && known.stamps.every((stamp, at) => stamp === stamps[at]))
    return known.flow;
  const flow = make();
  knownFlows.set(root, { stamps, flow });
  return flow;
}

function follow(statements: readonly Statement[], scope: Scope, root: FunctionStatement | undefined): Flow {
  const run: Run = { events: new Map(), operands: new Map(), next: 0 };
  const variables = new Map<string, Tracked>();
  for (const { name } of root?.parameters ?? []) variables.set(name, track(run, undefined, undefined));
  const active = new Set(root ? [root] : []);
  block(statements, { variables, scope, certain: true, depth: 0, active, returned: [] }, run);
  return { events: run.events, operand: (call, position) => run.operands.get(call)?.get(position) };
}

function track(run: Run, origin: Expression | undefined, originScope: Scope | undefined): Tracked {
  return { id: run.next++, origin, originScope };
}

function block(statements: readonly Statement[], state: State, run: Run): void {
  for (const statement of statements) step(statement, state, run);
}

function step(statement: Statement, state: State, run: Run): void {
  switch (statement.kind) {
    case 'assign':
      assign(statement, state, run);
      return;
    case 'expression':
      evaluate(statement.value, state, run);
      return;
    case 'return': {
      const value = statement.value && evaluate(statement.value, state, run);
      if (value) state.returned.push(value);
      return;
    }
    case 'if': {
      evaluate(statement.test, state, run);
      if (isMainGuard(statement.test)) block(statement.body, state, run);
      else branches([statement.body, statement.orElse], state, run);
      return;
    }
    case 'for':
      evaluate(statement.iterable, state, run);
      branches([statement.body, []], state, run);
      block(statement.orElse, state, run);
      return;
    case 'while':
      evaluate(statement.test, state, run);
      branches([statement.body, []], state, run);
      return;
    case 'with':
      for (const { context, target } of statement.items) {
        const value = evaluate(context, state, run);
        const name = target && variableName(target);
        if (name && value) state.variables.set(name, value);
      }
      block(statement.body, state, run);
      return;
    case 'try':
      block(statement.body, state, run);
      branches([...statement.handlers, []], state, run);
      block(statement.orElse, state, run);
      block(statement.finally, state, run);
      return;
    case 'other':
      for (const one of statement.expressions) evaluate(one, state, run);
      branches([statement.body, []], state, run);
      return;
    default:
  }
}

/** Each branch starts from the same state; a variable that ends differently is a new object that nothing is known of. */
function branches(all: readonly (readonly Statement[])[], state: State, run: Run): void {
  const before = new Map(state.variables);
  const ends = all.map((statements) => {
    const variables = new Map(before);
    block(statements, { ...state, variables, certain: false }, run);
    return variables;
  });
  const names = new Set(ends.flatMap((end) => [...end.keys()]));
  for (const name of names) {
    const values = new Set(ends.map((end) => end.get(name)).filter((value) => value !== undefined));
    const [only] = values;
    if (values.size === 1 && only) state.variables.set(name, only);
    else state.variables.set(name, track(run, undefined, undefined));
  }
}

function assign(statement: Extract<Statement, { kind: 'assign' }>, state: State, run: Run): void {
  if (!statement.value) return;
  const value = evaluate(statement.value, state, run);
  for (const target of statement.targets) {
    const name = variableName(target);
    if (name === undefined) {
      const items = target.kind === 'tuple' || target.kind === 'list' ? target.items : [];
      for (const item of items) forget(item, state, run);
    } else if (value) state.variables.set(name, value);
    else state.variables.delete(name);
  }
}

function forget(target: Expression, state: State, run: Run): void {
  const name = variableName(target);
  if (name !== undefined) state.variables.set(name, track(run, undefined, undefined));
}

/** `model` and `self.model` are variables; a subscript or call is none. */
function variableName(expression: Expression): string | undefined {
  if (expression.kind === 'name') return expression.name;
  if (expression.kind !== 'attribute') return undefined;
  const object = variableName(expression.object);
  return object === undefined ? undefined : `${object}.${expression.attribute}`;
}

/** Follows the calls inside an expression, arguments first; the result is the object it stands for, if any. */
function evaluate(expression: Expression, state: State, run: Run): Tracked | undefined {
  if (expression.kind === 'call') return evaluateCall(expression, state, run);
  const name = variableName(expression);
  if (name !== undefined) {
    const known = state.variables.get(name);
    if (known) return known;
    // `model.module` of a wrapped network is the network.
    if (expression.kind === 'attribute' && expression.attribute === 'module')
      return evaluate(expression.object, state, run);
    return undefined;
  }
  for (const part of parts(expression)) evaluate(part, state, run);
  return undefined;
}

function evaluateCall(expression: CallExpression, state: State, run: Run): Tracked | undefined {
  const call = callAt(expression);
  const { callee } = expression;
  const operands = new Map<number | string, Tracked>();
  const receiver = callee.kind === 'attribute' ? evaluate(callee.object, state, run) : undefined;
  if (receiver) operands.set('self', receiver);
  const directly = callee.kind === 'attribute' ? undefined : evaluate(callee, state, run);
  let position = 0;
  for (const argument of expression.args) {
    const value = evaluate(argument.value, state, run);
    const key = argument.keyword ?? position++;
    if (value) operands.set(key, value);
  }
  if (!call) return undefined;
  run.operands.set(call, operands);

  const path = call.path === undefined ? undefined : canonicalPath(call.path);
  const target = definitionOf(callee, call.scope);
  const inlined =
    target?.kind === 'function' && state.depth < MAXIMUM_INLINING && !state.active.has(target.statement);
  const opaque = path === undefined && !inlined && target?.kind !== 'class' && receiver === undefined;
  const note = (object: Tracked, role: Event['role'], argument?: number | string) => {
    const event = {
      call,
      role,
      certain: state.certain,
      opaque: opaque && role === 'argument' && !directly,
      ...(argument !== undefined && { argument }),
    };
    const known = run.events.get(object);
    if (known) known.push(event);
    else run.events.set(object, [event]);
  };
  if (receiver) note(receiver, 'receiver');
  if (directly) note(directly, 'called');
  for (const [key, object] of operands) if (key !== 'self') note(object, 'argument', key);

  if (inlined && target?.kind === 'function') return runInPlace(target, operands, state, run);
  const through = path === undefined ? undefined : passesThrough.get(path);
  const passed = through === undefined ? undefined : (operands.get(through) ?? operands.get('model'));
  if (passed) return passed;
  if (receiver && selfMethods.has(call.name)) return receiver;
  const made = track(run, expression, call.scope);
  note(made, 'result');
  return made;
}

/** Runs a function of this file with the objects it is given. */
function runInPlace(
  target: Extract<ReturnType<typeof definitionOf>, { kind: 'function' }>,
  operands: ReadonlyMap<number | string, Tracked>,
  state: State,
  run: Run,
): Tracked | undefined {
  const variables = new Map<string, Tracked>();
  // Functions see the variables of the module.
  for (const [name, value] of state.variables) if (state.scope.kind === 'module') variables.set(name, value);
  target.statement.parameters.forEach(({ name }, index) => {
    const given = operands.get(index) ?? operands.get(name);
    variables.set(name, given ?? track(run, undefined, undefined));
  });
  const returned: Tracked[] = [];
  const active = new Set([...state.active, target.statement]);
  block(
    target.statement.body,
    { variables, scope: target.scope, certain: state.certain, depth: state.depth + 1, active, returned },
    run,
  );
  const distinct = new Set(returned);
  const [only] = distinct;
  return distinct.size === 1 ? only : undefined;
}

/** Class of the file, or path, whose constructor or factory made an object; undefined when that is not certain. */
export function madeBy(object: Tracked): { readonly path?: string; readonly name?: string } | undefined {
  const { origin, originScope } = object;
  if (origin?.kind !== 'call' || !originScope) return undefined;
  const path = pathOf(origin.callee, originScope);
  if (path !== undefined) return { path };
  const target = definitionOf(origin.callee, originScope);
  return target?.kind === 'class' ? { name: target.statement.name } : undefined;
}
