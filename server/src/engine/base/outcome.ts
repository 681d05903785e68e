/** Bad input is a value: every reader and analyser returns what it could make and what it found wrong. */
import type { Issue } from '../../protocol/issues';

export interface Outcome<T> {
  /** `undefined` when nothing usable came out; then at least one issue says why. */
  readonly value: T | undefined;
  readonly issues: readonly Issue[];
}

/** A usable value, possibly with warnings beside it. */
export function ok<T>(value: T, issues: readonly Issue[] = []): Outcome<T> {
  return { value, issues };
}

/** No value; at least one issue. */
export function fail<T = never>(...issues: Issue[]): Outcome<T> {
  return { value: undefined, issues };
}

/**
 * Applies `next` to the value and keeps the issues of both. Not called `then`: a module that exports that name is a
 * thenable, and importing it dynamically never resolves.
 */
export function andThen<T, U>(outcome: Outcome<T>, next: (value: T) => Outcome<U>): Outcome<U> {
  if (outcome.value === undefined) return { value: undefined, issues: outcome.issues };
  const result = next(outcome.value);
  return { value: result.value, issues: [...outcome.issues, ...result.issues] };
}
