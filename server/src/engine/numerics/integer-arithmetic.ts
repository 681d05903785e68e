/**
 * What integer hardware does with codes: how many products a sum holds, and how a real multiplier becomes an integer and
 * a shift. Sources: EasyQuant (Wu et al. 2020) section 3.3, Jacob et al. 2018 section 2.2, HAWQ-v3 (Yao et al. 2021).
 */
import { codeRange, roundHalfEven } from './affine';
import type { QuantScheme } from './scheme';

/**
 * Products of two codes that a signed sum of `accumulatorBits` holds whatever the codes are. Two factors of 8 bits leave
 * room for 2 in int16, of 7 bits for 8: why kernels for narrow sums clip weights to 7 bits.
 */
export function exactProducts(
  left: Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>,
  right: Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>,
  accumulatorBits: number,
): number {
  return Math.floor((2 ** (accumulatorBits - 1) - 1) / (largestCode(left) * largestCode(right)));
}

/** A real multiplier as mantissa · 2^−shift with a mantissa of 31 bits. */
export interface DyadicMultiplier {
  readonly mantissa: number;
  readonly shift: number;
}

/** The nearest multiplier that integer hardware has, off by less than 2^−31 of its value. `multiplier` is > 0. */
export function dyadicMultiplier(multiplier: number): DyadicMultiplier {
  const exponent = Math.floor(Math.log2(multiplier)) + 1;
  const mantissa = roundHalfEven(multiplier * 2 ** (31 - exponent));
  // A fraction that rounds up to 1 is half of the next power.
  return mantissa === 2 ** 31
    ? { mantissa: 2 ** 30, shift: 30 - exponent }
    : { mantissa, shift: 31 - exponent };
}

function largestCode(scheme: Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>): number {
  const { min, max } = codeRange(scheme);
  return Math.max(-min, max);
}
