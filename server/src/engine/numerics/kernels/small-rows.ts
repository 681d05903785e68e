/**
 * Channels so small that float32 loses their squares. They are common: weight decay leaves dead channels of 1e-30 and
 * less. The kernels measure them lifted by a power of two, which is exact, except where a scale is not theirs.
 */
import type { Range } from '../affine';
import type { QuantScheme } from '../scheme';
import { powerOfTwoUnit, rowSums } from '../weight-error-reference';

/** Channels with a smaller max|x| are small. */
export const SMALLEST = 2 ** -50;

/** Below this a scale may be held up by the smallest one allowed, which does not scale: left to the reference. */
const LIFTABLE = 2 ** -110;

export interface SmallRow {
  readonly row: number;
  /** Σx² of the row. */
  readonly signal: number;
  /** The true noise of scheme `index`, given what the kernels measured on the changed row. */
  readonly noise: (index: number, measured: number) => number;
}

/** A channel-major block in the kernels' memory and what is known of its scopes; lifted or cleared in place. */
export interface LiftedBlock {
  /** [rows][len] */
  readonly elements: Float32Array;
  readonly len: number;
  /** max|x| of the tensor, then of the rows' channels. */
  readonly absMax: Float32Array;
  /** Least and largest value of the rows' channels, where an asymmetric scheme needs them. */
  readonly ranges: Float32Array | undefined;
  readonly tensor: Range;
}

/** Lifts or clears the small rows of a block in place. */
export function setSmallRowsAside(block: LiftedBlock, schemes: readonly QuantScheme[]): readonly SmallRow[] {
  const { elements, len, absMax, ranges, tensor } = block;
  const small: SmallRow[] = [];
  for (let row = 0; row + 1 < absMax.length; row++) {
    const own = absMax[row + 1] ?? 0;
    if (own === 0 || own >= SMALLEST) continue;
    const data = elements.subarray(row * len, (row + 1) * len);
    const channel = ranges
      ? { min: ranges[2 * row] ?? 0, max: ranges[2 * row + 1] ?? 0 }
      : { min: -own, max: own };
    if (own < LIFTABLE) {
      const [signal = 0, ...noise] = rowSums(data, schemes, channel, tensor);
      small.push({ row, signal, noise: (index) => noise[index] ?? 0 });
      data.fill(0);
      ranges?.fill(0, 2 * row, 2 * row + 2);
      continue;
    }
    const unit = powerOfTwoUnit(own);
    const signal = squares(data);
    const underTensor = schemes.map((scheme) => tensorNoise(data, signal, own, tensor, scheme));
    for (let i = 0; i < len; i++) data[i] = (data[i] ?? 0) / unit;
    absMax[row + 1] = own / unit;
    ranges?.set([channel.min / unit, channel.max / unit], 2 * row);
    small.push({ row, signal, noise: (index, measured) => underTensor[index] ?? measured * unit * unit });
  }
  return small;
}

/** Noise of a row under the tensor's scale; undefined for schemes that have other scales. */
function tensorNoise(
  row: Float32Array,
  signal: number,
  own: number,
  tensor: Range,
  scheme: QuantScheme,
): number | undefined {
  if (scheme.granularity !== 'tensor') return undefined;
  // Where every code is that of 0 the error is the signal.
  const steps = scheme.symmetric ? 2 ** (scheme.bits - 1) : 2 ** scheme.bits;
  const allZero = 2 * own < Math.max(-tensor.min, tensor.max) / steps;
  return allZero ? signal : rowSums(row, [scheme], tensor, tensor)[1];
}

function squares(data: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (data[i] ?? 0) ** 2;
  return sum;
}
