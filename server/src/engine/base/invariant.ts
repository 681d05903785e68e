/**
 * Guards for our own bugs. Bad input never reaches these: readers return `Outcome` values instead.
 */

/** Throws when `condition` is false: a defect of this program, never of a user's file. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant violated: ${message}`);
}

/** Returns `value`, or throws when it is `undefined` or `null` although the code guarantees it. */
export function defined<T>(value: T | undefined | null, message: string): T {
  if (value === undefined || value === null) throw new Error(`invariant violated: ${message}`);
  return value;
}

/** Ends an exhaustive switch: the compiler rejects the call while a case is missing. */
export function assertNever(value: never, what = 'value'): never {
  throw new Error(`invariant violated: unexpected ${what} ${JSON.stringify(value)}`);
}
