/** Named tolerances and limits of numeric results, each with its reason. */

/** Reports clamp dB to ± this: float32 data carries no more than about 150 dB, and 10 % of that is rounding. */
export const DECIBEL_LIMIT = 120;

/**
 * dB between a fast kernel and its scalar reference. Kernels sum float32 squares in blocks of at most 4,096: relative
 * error below 1e-5, which is 4e-5 dB.
 */
export const KERNEL_DECIBEL = 1e-4;

/**
 * Largest relative cost of coarse range search: the clipping grid has 100 steps, and a histogram of 4,096 bins knows
 * a value to 1/2048 of the range.
 */
export const RANGE_SEARCH_RELATIVE = 0.02;

/** MatMulNBits accumulates float32 products in another order than a plain sum; relative to the largest output. */
export const MATMUL_NBITS_RELATIVE = 1e-5;

/** Mergeable moments against two-pass moments in float64, relative. */
export const MOMENT_RELATIVE = 1e-9;
