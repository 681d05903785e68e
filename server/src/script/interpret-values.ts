/**
 * Values of the interpreter that builds `nn.Module` trees: a small part of Python, with `unknown` for the rest.
 * Lists, dictionaries and objects are shared and mutable, as in Python.
 */
import type { Binding, Scope } from './names';
import type { ClassStatement, FunctionStatement, LambdaExpression, Span } from './syntax';

export interface ConstantValue {
  readonly kind: 'constant';
  readonly value: number | string | boolean | null;
}

export interface ListValue {
  readonly kind: 'list';
  readonly items: PythonValue[];
}

export interface DictionaryValue {
  readonly kind: 'dict';
  readonly entries: Map<string, PythonValue>;
}

export interface ClassValue {
  readonly kind: 'class';
  readonly statement: ClassStatement;
  /** Scope inside the class. */
  readonly scope: Scope;
  readonly file: string;
}

export interface FunctionValue {
  readonly kind: 'function';
  readonly statement: FunctionStatement | LambdaExpression;
  /** Scope inside the function; a lambda has that around it. */
  readonly scope: Scope;
  /** Variables of the enclosing call, for lambdas and inner functions. */
  readonly closure: Environment | undefined;
  readonly self: ObjectValue | undefined;
  readonly file: string;
}

/** `functools.partial(target, …)`. */
export interface PartialValue {
  readonly kind: 'partial';
  readonly target: PythonValue;
  readonly args: Arguments;
}

/** An imported name that is not part of the workspace: `torch.nn.Conv2d`. */
export interface PathValue {
  readonly kind: 'path';
  readonly path: string;
}

/** A module, or any other object of a class of the workspace. */
export interface ObjectValue {
  readonly kind: 'object';
  /** Path (`torch.nn.Conv2d`) or class name. */
  readonly type: string;
  readonly class: ClassValue | undefined;
  readonly attributes: Map<string, PythonValue>;
  /** Where it is made: the call of its constructor. */
  readonly origin: Place;
  readonly args: Arguments;
  /** Class of a library that its own derives from, with what its constructor was given. */
  base?: { readonly type: string; readonly args: Arguments };
  /** Calls of functions that made it and handed it out, innermost first. */
  handedOut?: readonly Place[];
}

export interface UnknownValue {
  readonly kind: 'unknown';
}

export type PythonValue =
  | ConstantValue
  | ListValue
  | DictionaryValue
  | ClassValue
  | FunctionValue
  | PartialValue
  | PathValue
  | ObjectValue
  | UnknownValue;

export interface Place {
  readonly file: string;
  readonly span: Span;
}

export interface Arguments {
  readonly positional: readonly PythonValue[];
  readonly keywords: ReadonlyMap<string, PythonValue>;
}

/** Local variables of one call. */
export interface Environment {
  readonly names: Map<string, PythonValue>;
  readonly outer: Environment | undefined;
}

export const unknownValue: UnknownValue = { kind: 'unknown' };
export const noArguments: Arguments = { positional: [], keywords: new Map() };

export function constantValue(value: number | string | boolean | null): ConstantValue {
  return { kind: 'constant', value };
}

export function numberIn(value: PythonValue | undefined): number | undefined {
  return value?.kind === 'constant' && typeof value.value === 'number' ? value.value : undefined;
}

/** Python's truth, or undefined when it is not known. */
export function truthOf(value: PythonValue): boolean | undefined {
  switch (value.kind) {
    case 'constant':
      return Boolean(value.value);
    case 'list':
      return value.items.length > 0;
    case 'dict':
      return value.entries.size > 0;
    case 'unknown':
      return undefined;
    default:
      return true;
  }
}

/** Items a loop over the value visits, or undefined when they are not known. */
export function iterate(value: PythonValue): readonly PythonValue[] | undefined {
  switch (value.kind) {
    case 'list':
      return [...value.items];
    case 'dict':
      return [...value.entries.keys()].map(constantValue);
    case 'constant':
      return typeof value.value === 'string' ? [...value.value].map(constantValue) : undefined;
    case 'object':
      return isContainer(value) ? [...value.attributes.values()] : undefined;
    default:
      return undefined;
  }
}

const containers = new Set(['torch.nn.Sequential', 'torch.nn.ModuleList', 'torch.nn.ModuleDict']);

/** Sequential, ModuleList, ModuleDict and classes derived from them number or name their children. */
export function isContainer(value: ObjectValue): boolean {
  return containers.has(value.type) || value.attributes.has('0');
}

/** Text of a value inside a string, as `str()` gives it. */
export function textOf(value: PythonValue): string | undefined {
  if (value.kind !== 'constant') return undefined;
  if (value.value === null) return 'None';
  if (typeof value.value === 'boolean') return value.value ? 'True' : 'False';
  return String(value.value);
}

/** The same constant, or the same object. */
export function sameValue(one: PythonValue | undefined, other: PythonValue | undefined): boolean {
  if (one === other) return true;
  return one?.kind === 'constant' && other?.kind === 'constant' && one.value === other.value;
}

/** A class or function where its module defines it: no call around it, bound to no object. */
export function definedValue(
  definition: Extract<Binding, { readonly kind: 'class' | 'function' }>,
  file: string,
): ClassValue | FunctionValue {
  if (definition.kind === 'class') {
    const { statement, scope } = definition;
    return { kind: 'class', statement, scope, file };
  }
  const { statement, scope } = definition;
  return { kind: 'function', statement, scope, closure: undefined, self: undefined, file };
}
