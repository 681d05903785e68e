/**
 * What a network's image input looks like, read backwards from its first BatchNormalization: the stored mean and
 * variance are those of the first convolution's outputs in training, and the convolution is known. Pixels are taken
 * as m + √b·z + √a·n with one z per image and one n per pixel (neighbours agree, more or less), which makes an output
 * channel's mean m·Σw + bias and its variance a·Σw² + b·(Σw)²: least squares for m and, without negative parts, a, b.
 */
import type { ActivationRange } from '../../protocol/reports';
import { isInferenceBatchNorm, readBatchNorm } from '../graph/batch-norm';
import type { Model, Node } from '../graph/ir';
import { type Layer, listLayers } from '../graph/layers';
import { sourceOf } from './activation-taps';

/** Distribution of an input over samples and elements. */
export interface InputMoments {
  /** Name of the graph input. */
  readonly input: string;
  readonly mean: number;
  /** Variance of an element around its sample's level, and of the levels. */
  readonly within: number;
  readonly between: number;
}

/** Standard deviations on each side that an assumed input range spans: pixels are bounded, so few are far out. */
const WIDTH = 3;

/** `undefined` when no image input leads straight into a convolution (or nothing) and a BatchNormalization. */
export function inputMoments(model: Model): InputMoments | undefined {
  const [input, second] = model.graph.dataInputs.filter((one) => one.shape?.length === 4);
  if (!input || second) return undefined;
  const layers = new Map<Node, Layer>(listLayers(model).map((layer) => [layer.node, layer]));
  for (const node of model.graph.nodes) {
    if (!isInferenceBatchNorm(node, model)) continue;
    const source = node.input(0);
    const statistics = readBatchNorm(node).value;
    if (!source || !statistics) continue;
    const variance = statistics.deviation.map((one) => one * one);
    if (sourceOf(source) === input) return { input: input.name, ...pooled(statistics.mean, variance) };
    const layer = source.producer && layers.get(source.producer);
    const from = layer?.node.input(layer.activationInput);
    const sums = layer && from && sourceOf(from) === input ? kernelSums(layer) : undefined;
    const found = sums && solved(sums, statistics.mean, variance);
    if (found) return { input: input.name, ...found };
  }
  return undefined;
}

/** Where nearly all values of such an input lie; always holds 0. */
export function momentsRange({ mean, within, between }: InputMoments): ActivationRange {
  const reach = WIDTH * Math.sqrt(within + between);
  return {
    min: Math.fround(Math.min(0, mean - reach)),
    max: Math.fround(Math.max(0, mean + reach)),
  };
}

interface Part {
  readonly mean: number;
  readonly within: number;
  readonly between: number;
}

/** Moments over channels that are normalised themselves. */
function pooled(means: Float64Array, variances: Float64Array): Part {
  const mean = average(means);
  return { mean, within: average(means.map((one) => (one - mean) ** 2)), between: average(variances) };
}

interface KernelSums {
  /** Σw, Σw² and the bias per output channel. */
  readonly sum: Float64Array;
  readonly squares: Float64Array;
  readonly bias: Float64Array;
}

function kernelSums(layer: Layer): KernelSums | undefined {
  if (layer.op !== 'Conv' || layer.quantized || layer.through.length > 0) return undefined;
  const weight = layer.tensor.toFloat32().value;
  const bias = layer.bias?.tensor?.toFloat32().value;
  const channels = layer.shape[0] ?? 0;
  if (!weight || channels === 0 || (layer.node.input(2) && bias?.length !== channels)) return undefined;
  const size = weight.length / channels;
  const reduced = (term: (w: number) => number) =>
    Float64Array.from({ length: channels }, (_, channel) =>
      weight.subarray(channel * size, (channel + 1) * size).reduce((total, w) => total + term(w), 0),
    );
  return {
    sum: reduced((w) => w),
    squares: reduced((w) => w * w),
    bias: Float64Array.from({ length: channels }, (_, channel) => bias?.[channel] ?? 0),
  };
}

/** Least squares over channels, each weighed by its own variance. */
function solved(
  { sum, squares, bias }: KernelSums,
  means: Float64Array,
  variances: Float64Array,
): Part | undefined {
  if (means.length !== sum.length) return undefined;
  let [top, bottom] = [0, 0];
  // Normal equations of 1 ≈ a·p + b·q with p = Σw²/variance, q = (Σw)²/variance.
  let [pp, pq, qq, p1, q1] = [0, 0, 0, 0, 0];
  variances.forEach((variance, channel) => {
    const s = sum[channel] ?? 0;
    top += (((means[channel] ?? 0) - (bias[channel] ?? 0)) * s) / variance;
    bottom += (s * s) / variance;
    const [p, q] = [(squares[channel] ?? 0) / variance, (s * s) / variance];
    pp += p * p;
    pq += p * q;
    qq += q * q;
    p1 += p;
    q1 += q;
  });
  const determinant = pp * qq - pq * pq;
  let within = determinant > 0 ? (p1 * qq - q1 * pq) / determinant : -1;
  let between = determinant > 0 ? (q1 * pp - p1 * pq) / determinant : -1;
  if (within < 0 || between < 0) {
    // The better of the two edges: what a term alone explains is its projection squared.
    const alone = p1 * p1 * qq > q1 * q1 * pp;
    within = alone ? p1 / pp : 0;
    between = alone ? 0 : q1 / qq;
  }
  const found = { mean: bottom > 0 ? top / bottom : 0, within, between };
  return Object.values(found).every(Number.isFinite) && within + between > 0 ? found : undefined;
}

function average(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0) / Math.max(1, values.length);
}
