/** Mean and variance per channel, carried through clipping and linear layers under normality and independence. */
import type { ActivationRange } from '../../protocol/reports';
import type { Layer } from '../graph/layers';

export interface Moments {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/**
 * Moments of clip(x, a, b) for x ~ N(μ, σ²), per channel. With α = (a − μ)/σ, β = (b − μ)/σ, Z = Φ(β) − Φ(α):
 * E[y] = aΦ(α) + b(1 − Φ(β)) + μZ + σ(φ(α) − φ(β)), E[y²] accordingly (1906.04721, appendix C).
 */
export function clippedNormal(moments: Moments, bounds: ActivationRange): Moments {
  const mean = new Float64Array(moments.mean.length);
  const variance = new Float64Array(mean.length);
  moments.mean.forEach((mu, channel) => {
    const one = clippedMoments(mu, Math.sqrt(moments.variance[channel] ?? 0), bounds.min, bounds.max);
    mean[channel] = one.mean;
    variance[channel] = one.variance;
  });
  return { mean, variance };
}

function clippedMoments(mu: number, sigma: number, a: number, b: number): { mean: number; variance: number } {
  if (sigma === 0) return { mean: Math.min(Math.max(mu, a), b), variance: 0 };
  const alpha = (a - mu) / sigma;
  const beta = (b - mu) / sigma;
  const [below, above] = [cumulative(alpha), 1 - cumulative(beta)];
  const inside = 1 - below - above;
  const [left, right] = [density(alpha), density(beta)];
  // An infinite bound is never reached: its terms vanish, and Infinity · 0 must not become NaN.
  const times = (bound: number, factor: number) => (Number.isFinite(bound) ? bound * factor : 0);
  const mean = times(a, below) + times(b, above) + mu * inside + sigma * (left - right);
  const square =
    times(a, a * below) +
    times(b, b * above) +
    (mu * mu + sigma * sigma) * inside +
    sigma * sigma * (times(alpha, left) - times(beta, right)) +
    2 * mu * sigma * (left - right);
  return { mean, variance: Math.max(0, square - mean * mean) };
}

/**
 * Moments of a Conv or Gemm output for independent inputs: mean_o = b_o + Σ_i mean_i Σ_k w, variance_o =
 * Σ_i variance_i Σ_k w². `undefined` for layouts without such a rule and unreadable weights.
 */
export function throughLayer(layer: Layer, input: Moments): Moments | undefined {
  const { op, shape, groups } = layer;
  if ((op !== 'Conv' && op !== 'Gemm') || layer.weightInput !== 1) return undefined;
  if (layer.through.length > 0 || layer.quantized) return undefined;
  const weight = layer.tensor.toFloat32().value;
  const bias = layer.bias?.tensor?.toFloat32().value;
  const outputs = shape[layer.channelAxis] ?? 0;
  if (!weight || (layer.node.input(2) && !bias) || (bias && bias.length !== outputs)) return undefined;
  // Gemm without transB stores [in, out]; Conv stores [out, in/groups, kernel…].
  const columns = op === 'Gemm' && layer.channelAxis === 1;
  const inputsPerGroup = (columns ? shape[0] : shape[1]) ?? 0;
  if (inputsPerGroup * groups !== input.mean.length) return undefined;
  if (op === 'Gemm' && (layer.node.float('alpha', 1) !== 1 || layer.node.float('beta', 1) !== 1))
    return undefined;
  const kernel = columns ? 1 : shape.slice(2).reduce((product, size) => product * size, 1);
  const mean = Float64Array.from({ length: outputs }, (_, output) => bias?.[output] ?? 0);
  const variance = new Float64Array(outputs);
  for (let output = 0; output < outputs; output++) {
    const firstInput = Math.floor(output / (outputs / groups)) * inputsPerGroup;
    for (let i = 0; i < inputsPerGroup; i++) {
      const start = columns ? i * outputs + output : (output * inputsPerGroup + i) * kernel;
      let sum = 0;
      let squares = 0;
      for (let k = 0; k < kernel; k++) {
        const w = weight[start + k] ?? 0;
        sum += w;
        squares += w * w;
      }
      mean[output] = (mean[output] ?? 0) + sum * (input.mean[firstInput + i] ?? 0);
      variance[output] = (variance[output] ?? 0) + squares * (input.variance[firstInput + i] ?? 0);
    }
  }
  return { mean, variance };
}

/** Standard normal density φ. */
function density(x: number): number {
  return Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
}

/** Standard normal distribution Φ, absolute error below 7.5e-8 (Abramowitz and Stegun 26.2.17). */
export function cumulative(x: number): number {
  if (x === Number.POSITIVE_INFINITY) return 1;
  if (x === Number.NEGATIVE_INFINITY) return 0;
  if (x < 0) return 1 - cumulative(-x);
  const t = 1 / (1 + 0.2316419 * x);
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return 1 - density(x) * series;
}
