/**
 * True error of a stored weight against its float original, in real numbers: codes are dequantized in float, so that
 * unsigned and asymmetric ones are measured right (onnxruntime's own debugger subtracts zero points in the integer
 * type, where they wrap around: −16.0 dB where 39.8 is true).
 */
import type { Decibel } from '../../protocol/reports';
import type { Layer } from '../graph/layers';
import { sqnr } from '../numerics/metrics';
import { realWeight } from './real-weight';

/** A channel this much smaller than the median carries next to nothing: its own SQNR is no reason for a finding. */
const INACTIVE_RATIO = 8;

export interface StoredError {
  readonly weightSqnr: Decibel;
  /** Lowest of the channels that are not far smaller than the median one. */
  readonly worstChannel?: { readonly channel: number; readonly sqnr: Decibel };
}

/** Error of a layer's stored weight; `undefined` where a weight cannot be read or they do not fit together. */
export function storedError(float: Layer, stored: Layer): StoredError | undefined {
  const exact = realWeight(float).value;
  const real = realWeight(stored).value;
  const channels = float.shape[float.channelAxis] ?? 0;
  if (!exact || !real || exact.length !== real.length || channels === 0) return undefined;
  const size = exact.length / channels;
  const sums = Array.from({ length: channels }, (_, channel) => {
    const [from, to] = [channel * size, (channel + 1) * size];
    return channelSums(exact.subarray(from, to), real.subarray(from, to));
  });
  const peaks = sums.map(({ peak }) => peak).sort((one, other) => one - other);
  const least = (peaks[channels >> 1] ?? 0) / INACTIVE_RATIO;
  let worst: { channel: number; sqnr: number } | undefined;
  for (const [channel, sum] of sums.entries()) {
    const db = sum.peak >= least ? sqnr(sum) : null;
    if (db !== null && (worst === undefined || db < worst.sqnr)) worst = { channel, sqnr: db };
  }
  const signal = sums.reduce((all, sum) => all + sum.signal, 0);
  const noise = sums.reduce((all, sum) => all + sum.noise, 0);
  return { weightSqnr: sqnr({ signal, noise }), ...(worst ? { worstChannel: worst } : {}) };
}

function channelSums(exact: Float32Array, real: Float32Array) {
  let signal = 0;
  let noise = 0;
  let peak = 0;
  for (let at = 0; at < exact.length; at++) {
    const x = exact[at] ?? 0;
    const difference = x - (real[at] ?? 0);
    signal += x * x;
    noise += difference * difference;
    peak = Math.max(peak, Math.abs(x));
  }
  return { signal, noise, peak };
}
