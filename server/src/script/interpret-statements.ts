/** Statements for the interpreter. Both branches of an undecided choice run; what they disagree on becomes unknown. */
import { type Ending, type Frame, type Machine, preferred } from './interpret-frame';
import {
  constantValue,
  iterate,
  type PythonValue,
  sameValue,
  textOf,
  truthOf,
  unknownValue,
} from './interpret-values';
import type { Expression, Statement } from './syntax';

/** Runs statements in order until one returns, raises, breaks or continues. */
export function runBlock(
  machine: Machine,
  statements: readonly Statement[],
  frame: Frame,
): Ending | undefined {
  for (const statement of statements) {
    if (machine.exhausted()) return { kind: 'raise' };
    const ending = runStatement(machine, statement, frame);
    if (ending) return ending;
  }
  return undefined;
}

function runStatement(machine: Machine, statement: Statement, frame: Frame): Ending | undefined {
  switch (statement.kind) {
    case 'assign': {
      if (!statement.value) return undefined;
      const given = machine.value(statement.value, frame);
      for (const target of statement.targets) {
        const value = statement.operator
          ? machine.operate(statement.operator, machine.value(target, frame), given, statement.span)
          : given;
        assign(machine, target, value, frame);
      }
      return undefined;
    }
    case 'expression':
      machine.value(statement.value, frame);
      return undefined;
    case 'return':
      return {
        kind: 'return',
        value: statement.value ? machine.value(statement.value, frame) : constantValue(null),
      };
    case 'if':
      return choose(machine, statement.test, statement.body, statement.orElse, frame);
    case 'for':
      return loop(machine, statement.target, statement.iterable, statement.body, frame);
    case 'while':
      return machine.world ? loopOnce(machine, statement.body, frame) : undefined;
    case 'with':
      if (machine.world)
        for (const { context, target } of statement.items) {
          const entered = machine.value(context, frame);
          if (target) assign(machine, target, entered, frame);
        }
      return runBlock(machine, statement.body, frame);
    case 'try':
      return runBlock(machine, [...statement.body, ...statement.orElse, ...statement.finally], frame);
    case 'import':
    case 'from-import':
      if (machine.world) bindImports(machine, statement, frame);
      return undefined;
    case 'function':
    case 'class':
      define(statement, frame);
      return undefined;
    case 'other':
      if (statement.type === 'raise_statement') return { kind: 'raise' };
      if (statement.type === 'break_statement') return { kind: 'break' };
      if (statement.type === 'continue_statement') return { kind: 'next' };
      return undefined;
    default:
      return undefined;
  }
}

function define(statement: Extract<Statement, { kind: 'function' | 'class' }>, frame: Frame): void {
  const scope = frame.scope.inner.get(statement);
  if (!scope) return;
  const { file } = frame;
  frame.environment.names.set(
    statement.name,
    statement.kind === 'class'
      ? { kind: 'class', statement, scope, file }
      : { kind: 'function', statement, scope, closure: frame.environment, self: undefined, file },
  );
}

/** Both branches are taken where the test is not known; what they disagree on becomes unknown. */
function choose(
  machine: Machine,
  test: Expression,
  body: readonly Statement[],
  orElse: readonly Statement[],
  frame: Frame,
): Ending | undefined {
  const truth = truthOf(machine.value(test, frame));
  if (truth !== undefined) return runBlock(machine, truth ? body : orElse, frame);
  const { names } = frame.environment;
  const before = new Map(names);
  machine.undecided++;
  const first = runBlock(machine, body, frame);
  const after = new Map(names);
  restore(names, before);
  const second = runBlock(machine, orElse, frame);
  machine.undecided--;
  if (first?.kind === 'raise') return second?.kind === 'raise' ? second : undefined;
  if (second?.kind === 'raise') {
    restore(names, after);
    return first?.kind === 'return' ? first : undefined;
  }
  for (const [name, value] of after) {
    const other = names.get(name);
    if (!sameValue(value, other)) names.set(name, preferred(value, other));
  }
  return first?.kind === 'return' && second?.kind === 'return' ? preferredReturn(first, second) : undefined;
}

function loop(
  machine: Machine,
  target: Expression,
  iterable: Expression,
  body: readonly Statement[],
  frame: Frame,
): Ending | undefined {
  const items = iterate(machine.value(iterable, frame));
  for (const item of items ?? (machine.world ? [unknownValue] : [])) {
    assign(machine, target, item, frame);
    const ending = runBlock(machine, body, frame);
    if (ending?.kind === 'break') return undefined;
    if (ending && ending.kind !== 'next') return ending;
  }
  return undefined;
}

/** A loop of unknown length: what it does, it does at least once. */
function loopOnce(machine: Machine, body: readonly Statement[], frame: Frame): Ending | undefined {
  const ending = runBlock(machine, body, frame);
  return ending?.kind === 'return' ? ending : undefined;
}

/** Imports that run give a name its meaning from here on, whatever it means elsewhere. */
function bindImports(
  machine: Machine,
  statement: Extract<Statement, { kind: 'import' | 'from-import' }>,
  { environment, file }: Frame,
): void {
  if (statement.kind === 'import') {
    for (const { path, alias } of statement.modules) {
      const first = path.split('.')[0] ?? path;
      environment.names.set(alias ?? first, machine.imported(alias === undefined ? first : path, file));
    }
    return;
  }
  for (const { name, alias } of statement.names) {
    const path = statement.module === '' ? name : `${statement.module}.${name}`;
    environment.names.set(alias ?? name, machine.imported('.'.repeat(statement.level) + path, file));
  }
}

export function assign(machine: Machine, target: Expression, value: PythonValue, frame: Frame): void {
  switch (target.kind) {
    case 'name':
      frame.environment.names.set(target.name, value);
      return;
    case 'attribute': {
      const object = machine.value(target.object, frame);
      if (object.kind === 'object') object.attributes.set(target.attribute, value);
      return;
    }
    case 'subscript': {
      const object = machine.value(target.object, frame);
      const [index] = target.indexes;
      const key = index && textOf(machine.value(index, frame));
      if (key === undefined) return;
      if (object.kind === 'dict') object.entries.set(key, value);
      else if (object.kind === 'list' && Number(key) in object.items) object.items[Number(key)] = value;
      else if (object.kind === 'object') object.attributes.set(key, value);
      return;
    }
    case 'tuple':
    case 'list': {
      const items = iterate(value);
      target.items.forEach((item, index) => {
        assign(machine, item, items?.[index] ?? unknownValue, frame);
      });
      return;
    }
    default:
  }
}

function restore(names: Map<string, PythonValue>, before: ReadonlyMap<string, PythonValue>): void {
  names.clear();
  for (const [name, value] of before) names.set(name, value);
}

function preferredReturn(
  first: Extract<Ending, { kind: 'return' }>,
  second: Extract<Ending, { kind: 'return' }>,
): Ending {
  return { kind: 'return', value: preferred(first.value, second.value) };
}
