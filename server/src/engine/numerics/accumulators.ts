/**
 * Limits of integer dot products: 16-bit sums of byte pairs (x86 VPMADDUBSW without VNNI) and wrapping accumulators
 * (EasyQuant, arXiv 2006.16669: how many products an int16 register holds).
 */

/** Largest sum the saturating 16-bit add of VPMADDUBSW holds. */
export const INT16_MAX = 2 ** 15 - 1;
/** Largest sum of an int32 accumulator. */
export const INT32_MAX = 2 ** 31 - 1;

/** Products of two symmetric `bits`-bit codes that always fit one accumulator of `width` bits. */
export function safeAccumulations(bits: number, width: number): number {
  const largest = 2 ** (bits - 1) - 1;
  return Math.floor((2 ** (width - 1) - 1) / (largest * largest));
}

/** |255 · (w1 + w2)|: what VPMADDUBSW adds up for two neighbouring int8 weights under the largest uint8 activation. */
export function pairSum(first: number, second: number): number {
  return 255 * Math.abs(first + second);
}
