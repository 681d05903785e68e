/** What the parts of the interpreter share: where code runs, how a block ends, what they ask of each other. */
import {
  type Arguments,
  type ClassValue,
  type Environment,
  type FunctionValue,
  type ObjectValue,
  type PythonValue,
  sameValue,
  unknownValue,
} from './interpret-values';
import type { Scope } from './names';
import type { Expression } from './syntax';

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

/** The interpreter as its parts see it. */
export interface Machine {
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
