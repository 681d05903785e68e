/**
 * Quantizers that papers propose for single kinds of activations and for nested codes, value by value. No runtime stores
 * them; they answer what such a format would buy.
 */
import { roundHalfEven } from './affine';
import { logarithmicCode } from './level-formats';

/**
 * log√2 of a non-negative value (RepQ-ViT, Li et al. 2023): δ · 2^−⌈q/2⌉ · (√2 for odd q), q = round(−2·log2(x / δ));
 * codes from 2^bits on give zero.
 */
export function logSqrt2Value(x: number, delta: number, bits: number): number {
  const code = logarithmicCode(x / delta, 2, 2 ** bits);
  return code === 2 ** bits ? 0 : delta * 2 ** -Math.ceil(code / 2) * (code % 2 === 1 ? Math.SQRT2 : 1);
}

/**
 * Twin uniform quantizer of a value after a Softmax (PTQ4ViT, Yuan et al. 2022): step split / (2^(bits−1) − 1) below
 * `split`, 1 / (2^(bits−1) − 1) from there to 1. A flag bit tells the branches apart, so exactly one of them applies.
 */
export function twinSoftmaxValue(x: number, bits: number, split: number): number {
  const codes = 2 ** (bits - 1) - 1;
  const step = (x < split ? split : 1) / codes;
  return Math.min(Math.max(roundHalfEven(x / step), 0), codes) * step;
}

/** Smallest value of GELU, at x = −0.75179; the fixed end of the negative branch after a GELU in PTQ4ViT. */
export const GELU_MINIMUM = -0.1699712074799;

/** Twin uniform quantizer of a value after a GELU: the negative branch spans what GELU can reach, the positive is free. */
export function twinGeluValue(x: number, bits: number, positiveStep: number): number {
  const codes = 2 ** (bits - 1);
  if (x >= 0) return Math.min(roundHalfEven(x / positiveStep), codes - 1) * positiveStep;
  const step = -GELU_MINIMUM / codes;
  return -Math.min(roundHalfEven(-x / step), codes) * step;
}

/**
 * Value of the first `kept` bits of a nested code, in the middle of the codes it stands for, so that dropping bits adds no
 * bias (vertical-layered representation, Wu et al. 2022): (q + ½ − 2^(kept−1)) · scale · 2^(bits−kept).
 */
export function nestedValue(code: number, bits: number, kept: number, scale: number): number {
  const dropped = bits - kept;
  return ((code >> dropped) + 0.5 - 2 ** (kept - 1)) * scale * 2 ** dropped;
}
