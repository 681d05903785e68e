/**
 * One layer before and after quantization, closer than a figure in dB: distributions of its weight and of its output,
 * and its output channels by error. Sums and bins only, so memory does not grow with the samples.
 */
import type { Histogram, LayerDetail } from '../../protocol/reports';
import { invariant } from '../base/invariant';
import { addErrors, type ErrorSums, emptySums, sqnr } from '../numerics/metrics';
import { Histogram as FineHistogram } from '../numerics/stats';

/** Bins of a distribution as it is shown. */
export const DETAIL_BINS = 64;

/** Channels that are listed, the worst ones. */
export const DETAIL_CHANNELS = 32;

/** A float tensor and its approximation, element by element the same; in parts of any size. */
export class TensorPair {
  private readonly exact = new FineHistogram();
  private readonly approximate = new FineHistogram();
  private readonly sums: readonly ErrorSums[];
  private readonly ranges: readonly { min: number; max: number }[];

  /** @param channels output channels; 0 where the tensor has none that are known. */
  constructor(readonly channels: number) {
    this.sums = Array.from({ length: channels }, emptySums);
    this.ranges = Array.from({ length: channels }, () => ({
      min: Number.POSITIVE_INFINITY,
      max: Number.NEGATIVE_INFINITY,
    }));
  }

  /**
   * Adds a part seen as [outer, channels, inner] in row-major order.
   * @param inner elements that follow one another in one channel.
   */
  observe(exact: Float32Array, approximate: Float32Array, inner: number): void {
    invariant(exact.length === approximate.length, 'both tensors have the same elements');
    this.exact.observe(exact);
    this.approximate.observe(approximate);
    if (this.channels === 0 || inner === 0) return;
    for (let start = 0, run = 0; start < exact.length; start += inner, run++) {
      const channel = run % this.channels;
      const part = exact.subarray(start, start + inner);
      const sums = this.sums[channel];
      if (sums) addErrors(sums, part, approximate.subarray(start, start + inner));
      widen(this.ranges[channel], part);
    }
  }

  /** Equal bins over the range of both; `undefined` without finite values. */
  histogram(bins = DETAIL_BINS): Histogram | undefined {
    const min = Math.min(this.exact.min, this.approximate.min);
    const max = Math.max(this.exact.max, this.approximate.max);
    if (!(min <= max)) return undefined;
    return {
      min,
      max,
      float: binned(this.exact, min, max, bins),
      quantized: binned(this.approximate, min, max, bins),
    };
  }

  /** SQNR of a channel in dB; `null` where undefined. */
  sqnr(channel: number): number | null {
    const sums = this.sums[channel];
    return sums ? sqnr(sums) : null;
  }

  /** Smallest and largest float value of a channel; zeros for one without finite values. */
  range(channel: number): readonly [number, number] {
    const { min, max } = this.ranges[channel] ?? { min: 0, max: 0 };
    return min <= max ? [min, max] : [0, 0];
  }
}

/**
 * Puts the parts together. Channels are ordered by the error of the output where it was measured, else of the weight;
 * undefined figures last.
 */
export function layerDetail(
  name: string,
  weight: TensorPair | undefined,
  output: TensorPair | undefined,
): LayerDetail {
  const count = weight?.channels ?? output?.channels ?? 0;
  const hasOutput = output !== undefined && output.channels === count;
  const channels = Array.from({ length: count }, (_, channel) => ({
    channel,
    weightSqnr: weight?.sqnr(channel) ?? null,
    ...(hasOutput ? { outputSqnr: output.sqnr(channel) } : {}),
    floatRange: weight?.range(channel) ?? output?.range(channel) ?? ([0, 0] as const),
  }));
  const rank = (one: (typeof channels)[number]) =>
    one.outputSqnr ?? one.weightSqnr ?? Number.POSITIVE_INFINITY;
  channels.sort((one, other) => rank(one) - rank(other) || one.channel - other.channel);
  const weightHistogram = weight?.histogram();
  const outputHistogram = output?.histogram();
  return {
    name,
    ...(weightHistogram ? { weight: weightHistogram } : {}),
    ...(outputHistogram ? { output: outputHistogram } : {}),
    channels: channels.slice(0, DETAIL_CHANNELS),
  };
}

/**
 * Fine bins are counted where their middle lies: they are at least 32 times narrower than the bins shown, and every
 * value stands within half a fine bin of its middle.
 */
function binned(fine: FineHistogram, min: number, max: number, bins: number): readonly number[] {
  const counts = new Array<number>(bins).fill(0);
  const perWidth = max > min ? bins / (max - min) : 0;
  const add = (value: number, count: number) => {
    const bin = Math.min(bins - 1, Math.max(0, Math.floor((value - min) * perWidth)));
    counts[bin] = (counts[bin] ?? 0) + count;
  };
  for (const { low, count } of fine.bins()) add(low + fine.width / 2, count);
  if (fine.zeros > 0) add(0, fine.zeros);
  return counts;
}

function widen(range: { min: number; max: number } | undefined, part: Float32Array): void {
  if (!range) return;
  for (let index = 0; index < part.length; index++) {
    const value = part[index] ?? 0;
    if (!Number.isFinite(value)) continue;
    if (value < range.min) range.min = value;
    if (value > range.max) range.max = value;
  }
}
