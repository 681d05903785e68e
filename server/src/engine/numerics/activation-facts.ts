/** Figures of an activation's distribution under a planned range, from its histogram: what findings judge. */
import { codeRange, parametersFor, type Range, ROUNDING_MAGIC, realizedRange } from './affine';
import { loadRangeErrorKernel, RANGE_ERROR_BINS, type RangeErrorKernel } from './kernels/range-error';
import type { QuantScheme } from './scheme';
import type { Histogram } from './stats';

export interface DistributionFacts {
  /** 99.99th percentile of |x|. */
  readonly p9999: number;
  /** Share of the values beyond the range by more than half a step. */
  readonly clippedShare: number;
  /**
   * exp(entropy of the codes) in nats of the values that are not exactly 0: as many equally frequent codes would tell as
   * much. Zeros, half of what follows a ReLU, would hide how well the others are resolved.
   */
  readonly effectiveLevels: number;
  /** Codes that the scheme has. */
  readonly levels: number;
}

const SHARE = 0.9999;

/** Values count as where the centre of their bin lies. */
export function distributionFacts(
  histogram: Histogram,
  range: Range,
  scheme: Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>,
): DistributionFacts {
  const { min, max } = codeRange(scheme);
  const levels = max - min + 1;
  const kernel = kernelFor(histogram, levels);
  const { counts: codes, clipped } = countCodes(histogram, range, scheme, kernel);
  const total = Math.max(1, histogram.count);
  const others = Math.max(1, histogram.count - histogram.zeros);
  return {
    effectiveLevels: Math.exp(kernel ? kernel.entropy(levels, others) : entropyOf(codes, others)),
    p9999: magnitudeBelow(histogram, SHARE),
    clippedShare: clipped / total,
    levels,
  };
}

/** The kernel, where histogram and codes fit into its memory. */
function kernelFor(histogram: Histogram, levels: number): RangeErrorKernel | undefined {
  return Math.max(levels, histogram.occupied().length) <= RANGE_ERROR_BINS
    ? loadRangeErrorKernel()
    : undefined;
}

/** Entropy in nats of counts as shares of `all`. */
export function entropyOf(counts: Float64Array, all: number): number {
  let entropy = 0;
  for (const times of counts) if (times > 0) entropy -= (times / all) * Math.log(times / all);
  return entropy;
}

/**
 * How often each code occurs, values standing at the centres of their bins and zeros left out, and how many values lie
 * beyond the range by more than half a step.
 * @param kernel counts instead of the scalar reference.
 * @returns counts that the next call with the kernel voids.
 */
export function countCodes(
  histogram: Histogram,
  range: Range,
  scheme: Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>,
  kernel?: RangeErrorKernel,
): { readonly counts: Float64Array; readonly clipped: number } {
  const parameters = parametersFor(range, scheme);
  const { scale, zeroPoint, codeMin, codeMax } = parameters;
  const reached = realizedRange(parameters);
  const shift = zeroPoint - codeMin;
  const counts = histogram.occupied();
  const { firstBin, width } = histogram;
  const [lowest, highest] = [reached.min - scale / 2, reached.max + scale / 2];
  const last = codeMax - codeMin;
  if (kernel) {
    const quantizer = { scale, shift, codes: last + 1 };
    return kernel.codes({ counts, first: firstBin, width }, quantizer, lowest, highest);
  }
  const codes = new Float64Array(last + 1);
  let clipped = 0;
  for (let bin = 0; bin < counts.length; bin++) {
    const times = counts[bin] ?? 0;
    if (times === 0) continue;
    const x = (firstBin + bin + 0.5) * width;
    if (x > highest || x < lowest) clipped += times;
    const code = x / scale + ROUNDING_MAGIC - ROUNDING_MAGIC + shift;
    const at = Math.min(Math.max(code, 0), last);
    codes[at] = (codes[at] ?? 0) + times;
  }
  return { counts: codes, clipped };
}

/**
 * The magnitude below which a share of the values lies, interpolated in its bin; never more than the largest.
 * @param kernel searches instead of the scalar reference; undefined = where there is one.
 */
export function magnitudeBelow(
  histogram: Histogram,
  share: number,
  kernel: RangeErrorKernel | 'none' | undefined = kernelFor(histogram, 0),
): number {
  if (histogram.count === 0) return 0;
  const counts = histogram.occupied();
  const { firstBin, width } = histogram;
  const largest = Math.max(Math.abs(histogram.min), Math.abs(histogram.max));
  let left = (1 - share) * histogram.count;
  if (kernel && kernel !== 'none') {
    return Math.min(largest, kernel.magnitude({ counts, first: firstBin, width }, largest, left) ?? 0);
  }
  // From the largest magnitude inwards, bins of both signs together: bin b holds |x| in [b, b + 1) widths.
  const at = (bin: number) => counts[bin - firstBin] ?? 0;
  for (let bin = Math.floor(largest / width); bin >= 0; bin--) {
    const times = at(bin) + at(-1 - bin);
    if (times > 0 && times >= left) return Math.min(largest, (bin + 1 - left / times) * width);
    left -= times;
  }
  return 0;
}
