/**
 * Error that quantization leaves in a weight, scalar reference: float32 quantizer of `affine.ts`, sums in float64,
 * any layout, any integer scheme. `kernels/` holds its fast twin.
 */
import { invariant } from '../base/invariant';
import { codeRange, fakeQuantizeValue, parametersFor, type QuantParameters, type Range } from './affine';
import { type ChannelView, forEachRun, forEachScope, scopeCount } from './layout';
import type { QuantScheme } from './scheme';

/**
 * Gives elements [offset, offset + length) of a weight in row-major order. The array may be overwritten by the next
 * call. Large weights are read piece by piece, some pieces twice.
 */
export type WeightReader = (offset: number, length: number) => Float32Array;

/** Everything that is summed over a weight; dB and other closing formulas are `weight-error.ts`. */
export interface WeightSums {
  /** NaN and infinities; when there are any, the sums below mean nothing. */
  nonFinite: number;
  min: number;
  max: number;
  /** Σx, Σx², Σx³, Σx⁴. */
  readonly powers: Float64Array;
  /** max|x| per channel. */
  readonly channelAbsMax: Float32Array;
  /** Σx² per channel. */
  readonly signal: Float64Array;
  /** Σ(x − x^)² per channel, one array per scheme. */
  readonly noise: readonly Float64Array[];
  /** Elements that the SIMD kernels measured: all or none. */
  fastElements: number;
}

/** A reader over elements in memory. */
export function readerOf(data: Float32Array): WeightReader {
  return (offset, length) => data.subarray(offset, offset + length);
}

/** Elements read at once: 1 MB. */
const CHUNK = 1 << 18;

export function emptyWeightSums(view: ChannelView, schemes: readonly QuantScheme[]): WeightSums {
  return {
    nonFinite: 0,
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
    powers: new Float64Array(4),
    channelAbsMax: new Float32Array(view.channels),
    signal: new Float64Array(view.channels),
    noise: schemes.map(() => new Float64Array(view.channels)),
    fastElements: 0,
  };
}

/** Sums over the whole weight, one scheme after the other. */
export function referenceWeightSums(
  reader: WeightReader,
  view: ChannelView,
  schemes: readonly QuantScheme[],
): WeightSums {
  const sums = emptyWeightSums(view, schemes);
  addExtremes(sums, reader, view);
  if (sums.nonFinite > 0) return sums;
  addPowers(sums, reader, view);
  schemes.forEach((scheme, index) => {
    const noise = sums.noise[index];
    invariant(noise !== undefined, 'one noise array per scheme');
    noise.set(weightNoise(reader, view, scheme));
  });
  return sums;
}

/** Extremes of the whole weight and of every channel; counts what is not finite and leaves it out. */
export function addExtremes(sums: WeightSums, reader: WeightReader, view: ChannelView): void {
  forEachChunk(reader, view, (data, start) => {
    forEachRun(view, start, data.length, (channel, _k, from, to) => {
      let absMax = sums.channelAbsMax[channel] ?? 0;
      for (let i = from; i < to; i++) {
        const x = data[i] ?? 0;
        if (!Number.isFinite(x)) {
          sums.nonFinite++;
          continue;
        }
        if (x < sums.min) sums.min = x;
        if (x > sums.max) sums.max = x;
        if (Math.abs(x) > absMax) absMax = Math.abs(x);
      }
      sums.channelAbsMax[channel] = absMax;
    });
  });
}

function addPowers(sums: WeightSums, reader: WeightReader, view: ChannelView): void {
  let [one = 0, two = 0, three = 0, four = 0] = sums.powers;
  forEachChunk(reader, view, (data, start) => {
    forEachRun(view, start, data.length, (channel, _k, from, to) => {
      let signal = 0;
      for (let i = from; i < to; i++) {
        const x = data[i] ?? 0;
        const square = x * x;
        signal += square;
        one += x;
        two += square;
        three += square * x;
        four += square * square;
      }
      sums.signal[channel] = (sums.signal[channel] ?? 0) + signal;
    });
  });
  sums.powers.set([one, two, three, four]);
}

/** Σ(x − x^)² per channel under one scheme. */
export function weightNoise(reader: WeightReader, view: ChannelView, scheme: QuantScheme): Float64Array {
  const noise = new Float64Array(view.channels);
  const parameters = scopeParameters(reader, view, scheme);
  const quantizer = quantizerFor(scheme);
  forEachChunk(reader, view, (data, start) => {
    forEachScope(view, scheme.granularity, start, data.length, (scope, channel, from, to) => {
      selectScope(quantizer, parameters, scope);
      noise[channel] = (noise[channel] ?? 0) + squaredErrors(data, from, to, quantizer);
    });
  });
  return noise;
}

function squaredErrors(data: Float32Array, from: number, to: number, quantizer: QuantParameters): number {
  let sum = 0;
  for (let i = from; i < to; i++) {
    const x = data[i] ?? 0;
    const error = x - fakeQuantizeValue(x, quantizer);
    sum += error * error;
  }
  return sum;
}

/** Quantizers of every scope of a weight, in order of channel, then group. */
export interface ScopeParameters {
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array;
}

/** A quantizer to be filled by {@link selectScope}; one for a whole weight, since stretches may be single elements. */
export function quantizerFor(scheme: QuantScheme): Mutable<QuantParameters> {
  const { min: codeMin, max: codeMax } = codeRange(scheme);
  return { scale: 1, zeroPoint: 0, codeMin, codeMax };
}

/** Gives a quantizer the scale and zero point of one scope. */
export function selectScope(
  quantizer: Mutable<QuantParameters>,
  parameters: ScopeParameters,
  scope: number,
): void {
  quantizer.scale = parameters.scales[scope] ?? 1;
  quantizer.zeroPoint = parameters.zeroPoints[scope] ?? 0;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Min-max quantizers of every scope. */
export function scopeParameters(
  reader: WeightReader,
  view: ChannelView,
  scheme: QuantScheme,
): ScopeParameters {
  const scopes = scopeCount(view, scheme.granularity);
  const low = new Float32Array(scopes);
  const high = new Float32Array(scopes);
  forEachChunk(reader, view, (data, start) => {
    forEachScope(view, scheme.granularity, start, data.length, (scope, _channel, from, to) => {
      // Starting from 0 relaxes every range to contain it.
      let min = low[scope] ?? 0;
      let max = high[scope] ?? 0;
      for (let i = from; i < to; i++) {
        const x = data[i] ?? 0;
        if (x < min) min = x;
        if (x > max) max = x;
      }
      low[scope] = min;
      high[scope] = max;
    });
  });
  const scales = new Float32Array(scopes);
  const zeroPoints = new Int32Array(scopes);
  for (let scope = 0; scope < scopes; scope++) {
    const { scale, zeroPoint } = parametersFor({ min: low[scope] ?? 0, max: high[scope] ?? 0 }, scheme);
    scales[scope] = scale;
    zeroPoints[scope] = zeroPoint;
  }
  return { scales, zeroPoints };
}

/**
 * Signal and noise per scheme of one stretch of a channel that starts where a group starts.
 * @param channel range of the whole channel, `tensor` of the whole weight; symmetric schemes look at magnitudes alone.
 */
export function rowSums(
  row: Float32Array,
  schemes: readonly QuantScheme[],
  channel: Range,
  tensor: Range,
): readonly number[] {
  const view = { outer: 1, channels: 1, inner: row.length, perChannel: row.length, count: row.length };
  const signal = row.reduce((sum, x) => sum + x * x, 0);
  const noise = schemes.map((scheme) => {
    const { granularity } = scheme;
    if (typeof granularity === 'string') {
      return squaredErrors(
        row,
        0,
        row.length,
        parametersFor(granularity === 'tensor' ? tensor : channel, scheme),
      );
    }
    return weightNoise(readerOf(row), view, scheme)[0] ?? 0;
  });
  return [signal, ...noise];
}

function forEachChunk(
  reader: WeightReader,
  view: ChannelView,
  visit: (data: Float32Array, start: number) => void,
): void {
  for (let start = 0; start < view.count; start += CHUNK) {
    visit(reader(start, Math.min(CHUNK, view.count - start)), start);
  }
}

/** The power of two at or below `value`; 1 for zero. */
export function powerOfTwoUnit(value: number): number {
  return value > 0 ? 2 ** Math.floor(Math.log2(value)) : 1;
}
