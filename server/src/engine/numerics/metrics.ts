/**
 * Error metrics between a reference x and an approximation y = x + e, as mergeable sums and their closing formulas.
 * Every metric that is undefined for its data is `null`.
 */
import type { ErrorMetrics } from '../../protocol/reports';
import { DECIBEL_LIMIT } from './tolerances';

/** Sums over elements; sums of parts add up to the sums of the whole. */
export interface ErrorSums {
  count: number;
  /** Σx² */
  signal: number;
  /** Σ(y−x)² */
  noise: number;
  /** Σxy */
  dot: number;
  /** Σy² */
  energy: number;
  /** Σ(y−x) */
  shift: number;
  /** max|y−x| */
  worst: number;
}

export function emptySums(): ErrorSums {
  return { count: 0, signal: 0, noise: 0, dot: 0, energy: 0, shift: 0, worst: 0 };
}

/** Adds the elements of two arrays of equal length. */
export function addErrors(sums: ErrorSums, x: ArrayLike<number>, y: ArrayLike<number>): void {
  let { signal, noise, dot, energy, shift, worst } = sums;
  for (let i = 0; i < x.length; i++) {
    const a = x[i] ?? 0;
    const b = y[i] ?? 0;
    const error = b - a;
    signal += a * a;
    noise += error * error;
    dot += a * b;
    energy += b * b;
    shift += error;
    if (Math.abs(error) > worst) worst = Math.abs(error);
  }
  Object.assign(sums, { count: sums.count + x.length, signal, noise, dot, energy, shift, worst });
}

/** Adds the sums of another part. */
export function mergeSums(into: ErrorSums, other: Readonly<ErrorSums>): void {
  into.count += other.count;
  into.signal += other.signal;
  into.noise += other.noise;
  into.dot += other.dot;
  into.energy += other.energy;
  into.shift += other.shift;
  into.worst = Math.max(into.worst, other.worst);
}

/** Sums of two whole arrays. */
export function errorSums(x: ArrayLike<number>, y: ArrayLike<number>): ErrorSums {
  const sums = emptySums();
  addErrors(sums, x, y);
  return sums;
}

/** 10·log10(Σx² / Σe²) in dB, clamped to ±120; null where both are zero or a sum is not finite. */
export function sqnr(sums: Pick<ErrorSums, 'signal' | 'noise'>): number | null {
  const { signal, noise } = sums;
  if (!Number.isFinite(signal) || !Number.isFinite(noise) || (signal === 0 && noise === 0)) return null;
  // The difference of logarithms, because the quotient of two extreme sums may overflow.
  const decibel = 10 * (Math.log10(signal) - Math.log10(noise));
  return Math.min(Math.max(decibel, -DECIBEL_LIMIT), DECIBEL_LIMIT);
}

/** Σe² / n; null without elements. */
export function mse(sums: Pick<ErrorSums, 'count' | 'noise'>): number | null {
  return finite(sums.noise / sums.count);
}

/** Σxy / (‖x‖·‖y‖); null when one of them is zero. Blind to scale: cosine(x, 2x) = 1. */
export function cosine(sums: Pick<ErrorSums, 'signal' | 'dot' | 'energy'>): number | null {
  return finite(Math.min(Math.max(sums.dot / (Math.sqrt(sums.signal) * Math.sqrt(sums.energy)), -1), 1));
}

/** ‖y‖ / ‖x‖; null when x is zero. */
export function normRatio(sums: Pick<ErrorSums, 'signal' | 'energy'>): number | null {
  return finite(Math.sqrt(sums.energy) / Math.sqrt(sums.signal));
}

/** Mean of y − x; null without elements. */
export function meanShift(sums: Pick<ErrorSums, 'count' | 'shift'>): number | null {
  return finite(sums.shift / sums.count);
}

/** Sums over the elements of each channel. */
export interface ChannelSums {
  /** Elements of one channel. */
  count: number;
  /** Σx, Σx² and Σe by channel. */
  readonly sum: Float64Array;
  readonly square: Float64Array;
  readonly shift: Float64Array;
}

/** Sums of an error e against x, from which every figure beside the SQNR follows. */
export interface ComparedSums {
  readonly count: number;
  /** Σx², Σe², Σxe */
  readonly signal: number;
  readonly noise: number;
  readonly cross: number;
  readonly channels?: Readonly<ChannelSums>;
}

/**
 * The figures beside an SQNR. With y = x + e: Σxy = Σx² + Σxe and Σy² = Σx² + 2Σxe + Σe², so neither needs y. Bias
 * correction takes each channel's mean error away, which is exactly Σ_c (Σe)²/n_c of the noise power.
 */
export function errorMetrics(sums: ComparedSums): ErrorMetrics {
  const { signal, noise, cross, channels } = sums;
  const energy = Math.max(signal + 2 * cross + noise, 0);
  const figures = {
    mse: mse(sums),
    cosine: cosine({ signal, dot: signal + cross, energy }),
    normRatio: normRatio({ signal, energy }),
    meanShift: channels ? relativeShift(channels) : null,
  };
  if (!channels || !Number.isFinite(noise)) return figures;
  const worst = worstShift(channels);
  const gain = biasCorrectionGain(noise, channels);
  return {
    ...figures,
    ...(worst ? { channelShift: worst } : {}),
    ...(gain === undefined ? {} : { biasCorrectionGain: gain }),
  };
}

/** mean(e) / std(x) over all channels; null where x is constant. */
function relativeShift({ count, sum, square, shift }: Readonly<ChannelSums>): number | null {
  const elements = count * sum.length;
  const mean = total(sum) / elements;
  const deviation = Math.sqrt(Math.max(total(square) / elements - mean * mean, 0));
  return finite(total(shift) / elements / deviation);
}

/** The channel with the largest |E(e)| / std(x); channels that hardly vary have no scale to judge by. */
function worstShift({ count, sum, square, shift }: Readonly<ChannelSums>): ErrorMetrics['channelShift'] {
  let worst: ErrorMetrics['channelShift'];
  const power = total(square) / sum.length / count;
  for (let channel = 0; channel < sum.length; channel++) {
    const mean = (sum[channel] ?? 0) / count;
    const variance = (square[channel] ?? 0) / count - mean * mean;
    // Below this share of the tensor's power a variance is rounding of the sums it is taken from.
    if (!(variance > power * CONSTANT_CHANNEL)) continue;
    const relative = Math.abs((shift[channel] ?? 0) / count) / Math.sqrt(variance);
    if (relative > (worst?.shift ?? Number.NEGATIVE_INFINITY)) worst = { channel, shift: relative };
  }
  return worst;
}

/** Variance of a channel, relative to the power of its tensor, below which it counts as constant. */
const CONSTANT_CHANNEL = 1e-5;

/** 10·log10(Σe² / (Σe² − Σ_c (Σe)²/n_c)) in dB, clamped; undefined without noise. */
function biasCorrectionGain(noise: number, { count, shift }: Readonly<ChannelSums>): number | undefined {
  // One element is its own mean: taking it away says nothing.
  if (!(noise > 0) || count < 2) return undefined;
  const removed = shift.reduce((all, one) => all + (one * one) / count, 0);
  const left = Math.max(noise - removed, 0);
  return Math.min(10 * (Math.log10(noise) - Math.log10(left)), DECIBEL_LIMIT);
}

function total(values: Float64Array): number {
  return values.reduce((all, one) => all + one, 0);
}

/** Sums over rows of class scores. */
export interface AgreementSums {
  rows: number;
  /** Rows whose largest score stands at the same class. */
  agreeing: number;
  /** Σ KL(softmax(x) ‖ softmax(y)) in nats. */
  divergence: number;
}

/** Compares rows of `classes` logits each; the first of equal largest scores counts as the top. */
export function agreementSums(x: ArrayLike<number>, y: ArrayLike<number>, classes: number): AgreementSums {
  const sums = { rows: 0, agreeing: 0, divergence: 0 };
  for (let start = 0; start + classes <= x.length; start += classes) {
    sums.rows++;
    if (argMax(x, start, classes) === argMax(y, start, classes)) sums.agreeing++;
    sums.divergence += softmaxDivergence(x, y, start, classes);
  }
  return sums;
}

/** Share of rows with the same top class; null without rows. */
export function topOneAgreement(sums: Pick<AgreementSums, 'rows' | 'agreeing'>): number | null {
  return finite(sums.agreeing / sums.rows);
}

/** Mean KL(softmax(x) ‖ softmax(y)) per row in nats; null without rows. */
export function klDivergence(sums: Pick<AgreementSums, 'rows' | 'divergence'>): number | null {
  return finite(sums.divergence / sums.rows);
}

/** Index of the largest of `length` values from `start`, relative to it; the first among equals; NaN never wins. */
export function argMax(values: ArrayLike<number>, start = 0, length = values.length - start): number {
  let best = 0;
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < length; i++) {
    const value = values[start + i] ?? Number.NaN;
    if (value > top) {
      top = value;
      best = i;
    }
  }
  return best;
}

/** KL of one row: Σ p·(log p − log q) with log-softmax of each, computed against its largest score. */
function softmaxDivergence(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  start: number,
  classes: number,
): number {
  const logX = logNormalizer(x, start, classes);
  const logY = logNormalizer(y, start, classes);
  let sum = 0;
  for (let i = start; i < start + classes; i++) {
    const logP = (x[i] ?? 0) - logX;
    sum += Math.exp(logP) * (logP - ((y[i] ?? 0) - logY));
  }
  // Rounding may leave a tiny negative number; the divergence never is.
  return Math.max(sum, 0);
}

/** log Σ exp of one row. */
function logNormalizer(values: ArrayLike<number>, start: number, classes: number): number {
  const top = values[start + argMax(values, start, classes)] ?? 0;
  let sum = 0;
  for (let i = start; i < start + classes; i++) sum += Math.exp((values[i] ?? 0) - top);
  return top + Math.log(sum);
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
