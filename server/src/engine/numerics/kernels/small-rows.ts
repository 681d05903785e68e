/**
 * Channels so small that float32 loses their squares. They are common: weight decay leaves dead channels of 1e-30 and
 * less. The kernels measure them lifted by a power of two, which is exact, except where a scale is not theirs.
 */
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

/**
 * Lifts or clears the small rows of a block in place.
 * @param block [rows][len]
 * @param absMax max|x| of the tensor, then of the rows' channels; lifted with the rows.
 */
export function setSmallRowsAside(
  block: Float32Array,
  len: number,
  absMax: Float32Array,
  schemes: readonly QuantScheme[],
): readonly SmallRow[] {
  const tensor = absMax[0] ?? 0;
  const small: SmallRow[] = [];
  for (let row = 0; row + 1 < absMax.length; row++) {
    const own = absMax[row + 1] ?? 0;
    if (own === 0 || own >= SMALLEST) continue;
    const data = block.subarray(row * len, (row + 1) * len);
    if (own < LIFTABLE) {
      const [signal = 0, ...noise] = rowSums(data, schemes, own, tensor);
      small.push({ row, signal, noise: (index) => noise[index] ?? 0 });
      data.fill(0);
      continue;
    }
    const unit = powerOfTwoUnit(own);
    const signal = squares(data);
    const underTensor = schemes.map((scheme) => tensorNoise(data, signal, own, tensor, scheme));
    for (let i = 0; i < len; i++) data[i] = (data[i] ?? 0) / unit;
    absMax[row + 1] = own / unit;
    small.push({ row, signal, noise: (index, measured) => underTensor[index] ?? measured * unit * unit });
  }
  return small;
}

/** Noise of a row under the tensor's scale; undefined for schemes that have other scales. */
function tensorNoise(
  row: Float32Array,
  signal: number,
  own: number,
  tensor: number,
  scheme: QuantScheme,
): number | undefined {
  if (scheme.granularity !== 'tensor') return undefined;
  // Where every code is 0 the error is the signal.
  const allZero = 2 * own < tensor / 2 ** (scheme.bits - 1);
  return allZero ? signal : rowSums(row, [scheme], own, tensor)[1];
}

function squares(data: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (data[i] ?? 0) ** 2;
  return sum;
}
