/** Classes of the workspace for the interpreter: bases, methods, attributes, constructors. */
import { construct } from './interpret-builtins';
import { emptyFrame, type Frame, MAXIMUM_DEPTH, type Machine } from './interpret-frame';
import {
  type Arguments,
  type ClassValue,
  type FunctionValue,
  noArguments,
  type ObjectValue,
  type PythonValue,
  textOf,
  unknownValue,
} from './interpret-values';
import type { Expression, FunctionStatement, Parameter } from './syntax';

/** Runs the constructor of a class, or of the first base that has one. */
export function initialise(machine: Machine, object: ObjectValue, target: ClassValue, args: Arguments): void {
  const method = methodOf(machine, target, '__init__');
  if (method) {
    machine.run({ ...method.function, self: object }, args, method.owner);
    return;
  }
  const fields = dataFields(target);
  if (fields.length > 0) assignFields(machine, object, fields, args, target);
  else {
    initialiseBase(machine, object, target, args);
    assignAnnotated(object, target, args);
  }
  const after = target.scope.names.has('__post_init__')
    ? methodOf(machine, target, '__post_init__')
    : undefined;
  if (after) machine.run({ ...after.function, self: object }, noArguments, after.owner);
}

/** A library base class may add children: `class ConvBNReLU(nn.Sequential)`. */
export function initialiseBase(
  machine: Machine,
  object: ObjectValue,
  owner: ClassValue,
  args: Arguments,
): void {
  for (const base of basesOf(machine, owner)) {
    if (base.kind === 'class') initialise(machine, object, base, args);
    else if (base.kind === 'path') {
      const built = construct(base.path, args, object.origin);
      object.base = { type: built.type, args };
      for (const [name, value] of built.attributes) object.attributes.set(name, value);
    }
  }
}

/** A class whose base makes a constructor of its fields, as configurations of libraries do: what is given by name. */
function assignAnnotated(object: ObjectValue, target: ClassValue, { keywords }: Arguments): void {
  for (const { name } of fieldsOf(target)) {
    const given = keywords.get(name);
    if (given && !object.attributes.has(name)) object.attributes.set(name, given);
  }
}

/** Fields of a data class in their order. */
function assignFields(
  machine: Machine,
  object: ObjectValue,
  fields: readonly Parameter[],
  args: Arguments,
  target: ClassValue,
): void {
  const frame = { ...emptyFrame(target), self: object, owner: target };
  fields.forEach((field, index) => {
    const given = args.positional[index] ?? args.keywords.get(field.name);
    object.attributes.set(
      field.name,
      given ?? (field.default ? machine.value(field.default, frame) : unknownValue),
    );
  });
}

export function basesOf(machine: Machine, target: ClassValue): readonly PythonValue[] {
  const known = machine.knownBases.get(target.scope);
  if (known) return known;
  const bases = baseValues(machine, target);
  // A class inside a function may have other bases each time, and so may one of a program that runs.
  if (!machine.world && target.scope.parent?.kind === 'module') machine.knownBases.set(target.scope, bases);
  return bases;
}

function baseValues(machine: Machine, target: ClassValue): readonly PythonValue[] {
  const outer = target.scope.parent;
  if (!outer) return [];
  const frame = emptyFrame({ ...target, scope: outer });
  return target.statement.bases
    .filter((base) => !base.keyword)
    .map((base) => machine.value(base.value, frame));
}

export function methodOf(
  machine: Machine,
  target: ClassValue,
  name: string,
  depth = 0,
): { readonly function: FunctionValue; readonly owner: ClassValue } | undefined {
  const bindings = target.scope.names.get(name);
  const own = bindings?.[bindings.length - 1];
  if (own?.kind === 'function') {
    const made: FunctionValue = {
      kind: 'function',
      statement: own.statement,
      scope: own.scope,
      closure: undefined,
      self: undefined,
      file: target.file,
    };
    return { function: made, owner: target };
  }
  if (depth > MAXIMUM_DEPTH) return undefined;
  for (const base of basesOf(machine, target)) {
    const found = base.kind === 'class' ? methodOf(machine, base, name, depth + 1) : undefined;
    if (found) return found;
  }
  return undefined;
}

export function classAttribute(
  machine: Machine,
  target: ClassValue,
  name: string,
  frame: Frame,
  depth = 0,
): PythonValue {
  const bindings = target.scope.names.get(name);
  const binding = bindings?.[bindings.length - 1];
  if (binding?.kind === 'variable' && binding.value)
    return machine.value(binding.value, { ...frame, scope: target.scope, file: target.file });
  const method = methodOf(machine, target, name);
  if (method) return method.function;
  if (depth > MAXIMUM_DEPTH) return unknownValue;
  for (const base of basesOf(machine, target)) {
    const found =
      base.kind === 'class' ? classAttribute(machine, base, name, frame, depth + 1) : unknownValue;
    if (found.kind !== 'unknown') return found;
  }
  return unknownValue;
}

/**
 * What an object has of its class; a configuration of Hugging Face states other names of its fields in `attribute_map`
 * (`num_hidden_layers` of GPT-2 is `n_layer`).
 */
export function inheritedAttribute(
  machine: Machine,
  object: ObjectValue,
  target: ClassValue,
  name: string,
  frame: Frame,
): PythonValue {
  const found = classAttribute(machine, target, name, frame);
  if (found.kind !== 'unknown') return found;
  const others = classAttribute(machine, target, 'attribute_map', frame);
  const other = others.kind === 'dict' ? textOf(others.entries.get(name) ?? unknownValue) : undefined;
  if (other === undefined) return unknownValue;
  return object.attributes.get(other) ?? classAttribute(machine, target, other, frame);
}

/** Annotated fields of a class without a constructor. */
function dataFields(target: ClassValue): readonly Parameter[] {
  const isData = target.statement.decorators.some((one) => /dataclass$/.test(decoratorName(one)));
  return isData ? fieldsOf(target) : [];
}

/** Names that a class states at its top, with their values. */
function fieldsOf(target: ClassValue): readonly Parameter[] {
  return target.statement.body.flatMap((statement) => {
    if (statement.kind !== 'assign') return [];
    const [field] = statement.targets;
    return field?.kind === 'name'
      ? [{ name: field.name, ...(statement.value && { default: statement.value }) }]
      : [];
  });
}

function decoratorName(expression: Expression): string {
  if (expression.kind === 'call') return decoratorName(expression.callee);
  if (expression.kind === 'attribute') return expression.attribute;
  return expression.kind === 'name' ? expression.name : '';
}

/** The class in which a method stands, found by its scope. */
export function ownerOf(target: FunctionValue, from: ClassValue, frame: Frame): ClassValue | undefined {
  const around = target.scope.parent;
  if (around === from.scope) return from;
  const statement = around?.statement;
  return around && statement?.kind === 'class'
    ? { kind: 'class', statement, scope: around, file: target.file }
    : frame.owner;
}

/** Gives the parameters of a function their values, in the order of Python. */
export function bindParameters(
  machine: Machine,
  { statement, self }: FunctionValue,
  args: Arguments,
  frame: Frame,
): void {
  const { names } = frame.environment;
  const positional = [...ownArgument(statement, self), ...args.positional];
  const left = new Map(args.keywords);
  for (const parameter of statement.parameters) {
    const { name } = parameter;
    if (parameter.star === '*') names.set(name, { kind: 'list', items: positional.splice(0) });
    else if (parameter.star === '**') names.set(name, { kind: 'dict', entries: left });
    else {
      const given = positional.shift() ?? left.get(name);
      left.delete(name);
      names.set(name, given ?? (parameter.default ? machine.value(parameter.default, frame) : unknownValue));
    }
  }
}

/** The object or class that a method gets before its arguments. */
function ownArgument(
  statement: FunctionValue['statement'],
  self: ObjectValue | undefined,
): readonly PythonValue[] {
  if (!self) return [];
  if (statement.kind !== 'function') return [self];
  if (hasDecorator(statement, 'staticmethod')) return [];
  return [hasDecorator(statement, 'classmethod') && self.class ? self.class : self];
}

function hasDecorator(statement: FunctionStatement, name: string): boolean {
  return statement.decorators.some((one) => one.kind === 'name' && one.name === name);
}

export function isSuperCall(expression: Expression): boolean {
  return (
    expression.kind === 'call' && expression.callee.kind === 'name' && expression.callee.name === 'super'
  );
}
