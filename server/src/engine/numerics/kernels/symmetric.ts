/** What the kernels of symmetric schemes share: which weights are theirs, and how far their rounding can be trusted. */

/**
 * A weight with a larger element is left to the reference, or its squares would leave float32. Small channels stay:
 * see `small-rows.ts`.
 */
export const LARGEST = 2 ** 40;

export interface SymmetricCodes {
  readonly qmax: number;
  /** Errors of more than so many steps may hide another code than the division gives. */
  readonly margin: number;
}

export function symmetricCodes(bits: number): SymmetricCodes {
  const qmax = 2 ** (bits - 1) - 1;
  // float32 is wrong by less than 3.5 · 2^-23 · qmax steps in x · (1 / scale) against x / scale.
  return { qmax, margin: 0.5 - qmax * 2 ** -21 };
}
