/** What the parts of the interpreter share: where code runs, how a block ends, what they ask of each other. */
import {
  type Arguments,
  type ClassValue,
  type Environment,
  type FunctionValue,
  type ObjectValue,
  type Place,
  type PythonValue,
  sameValue,
  unknownValue,
} from './interpret-values';
import type { Scope } from './names';
import type { Expression, Span } from './syntax';

/** Where code runs. */
export interface Frame {
  readonly scope: Scope;
  readonly environment: Environment;
  readonly file: string;
  readonly self: ObjectValue | undefined;
  /** Class whose method runs, for `super()`. */
  readonly owner: ClassValue | undefined;
}

/** How a block ended. */
export type Ending =
  | { readonly kind: 'return'; readonly value: PythonValue }
  | { readonly kind: 'raise' | 'break' | 'next' };

/**
 * A whole program that runs from its top, and what it is given from outside the workspace: variables of the module
 * keep their values in the order of execution, functions see them, loops over what is not known run once.
 * A method that answers undefined leaves the answer to the interpreter.
 */
export interface World {
  /** Variables of the file that runs. */
  readonly globals: Environment;
  readonly file: string;
  /** Variables of any file of the workspace, run from its top by then. */
  globalsOf(file: string): Environment | undefined;
  /** A function of a library is called. */
  call(path: string, args: Arguments, origin: Place): PythonValue | undefined;
  /** A method of something that is no class of the workspace. */
  method(object: PythonValue, name: string, args: Arguments, origin: Place): PythonValue | undefined;
  /** An object of a library is called itself. */
  apply(target: PythonValue, args: Arguments, origin: Place): PythonValue | undefined;
  operate(operator: string, left: PythonValue, right: PythonValue, span: Span): PythonValue | undefined;
  subscript(object: PythonValue, indexes: readonly Expression[], span: Span): PythonValue | undefined;
  /** An attribute of something that has no value of its own for it. */
  attribute(object: PythonValue, name: string): PythonValue | undefined;
  /** In place of the constructor of a class of the workspace. */
  instantiate(target: ClassValue, args: Arguments, origin: Place): PythonValue | undefined;
  /** A function of the workspace runs. */
  entered(statement: FunctionValue['statement']): void;
}

/** The interpreter as its parts see it. */
export interface Machine {
  readonly world: World | undefined;
  /** Result of a binary operator. */
  operate(operator: string, left: PythonValue, right: PythonValue, span: Span): PythonValue;
  /** What an imported path stands for. */
  imported(path: string, file: string): PythonValue;
  /** Bases of classes at the top of a file, by the scope inside the class. */
  readonly knownBases: Map<Scope, readonly PythonValue[]>;
  /** Choices that are not known, both branches of which run, around what runs now. */
  undecided: number;
  /** Counts a step; true once the budget is used up. */
  exhausted(): boolean;
  value(expression: Expression, frame: Frame): PythonValue;
  run(target: FunctionValue, args: Arguments, owner: ClassValue | undefined): PythonValue;
}

/** Calls inside calls, and classes above classes. */
export const MAXIMUM_DEPTH = 40;

export function emptyFrame(target: ClassValue): Frame {
  const environment = { names: new Map<string, PythonValue>(), outer: undefined };
  return { scope: target.scope, environment, file: target.file, self: undefined, owner: undefined };
}

/** Of two possible values the one that says more about layers. */
export function preferred(one: PythonValue, other: PythonValue | undefined): PythonValue {
  if (!other || sameValue(one, other)) return one;
  const isLayer = (value: PythonValue) =>
    value.kind === 'object' || value.kind === 'class' || value.kind === 'partial';
  if (isLayer(one)) return one;
  return isLayer(other) ? other : unknownValue;
}

/** `key: value` of a dictionary comprehension. */
export function isPair(expression: Expression): expression is Extract<Expression, { kind: 'other' }> {
  return expression.kind === 'other' && expression.type === 'pair';
}
