/**
 * Activation ranges without data: behind BatchNormalization a channel is about N(β, γ²), so it lies in β ± 6·|γ|
 * (Nagel et al. 2019, 1906.04721 §4.1 and appendix C: clipped normal moments, data-free ranges). Moments are carried
 * through activation functions, additions, pooling and layers; where the rules end, the caller measures on noise.
 */
import type { ActivationRange, PreprocessingSpec } from '../../protocol/reports';
import { batchNormStatistics } from '../graph/batch-norm';
import type { Model, Node, Value } from '../graph/ir';
import { type Layer, listLayers } from '../graph/layers';
import { isPassThrough, opFacts, passThroughInputs } from '../graph/ops';
import { outputBounds } from './activation-taps';
import { inputMoments, momentsRange } from './input-moments';
import { clippedNormal, type Moments, throughLayer } from './moments';

/** Standard deviations on each side. */
const WIDTH = 6;

const AVERAGES: ReadonlySet<string> = new Set(['GlobalAveragePool', 'AveragePool', 'ReduceMean']);

interface Known {
  readonly range: ActivationRange;
  /** Per channel; undefined where channels are no longer told apart. */
  readonly moments?: Moments;
  /** One value per channel is left: spatial axes are gone. */
  readonly pooled?: boolean;
}

/**
 * Ranges by value name of the folded model; empty when the original has no readable BatchNormalization.
 * @param original the model before folding: folding keeps the names of the normalised values.
 */
export function batchNormRanges(
  original: Model,
  folded: Model,
  preprocessing: PreprocessingSpec,
): ReadonlyMap<string, ActivationRange> {
  const statistics = new Map(batchNormStatistics(original).map((one) => [one.valueName, one]));
  const ranges = new Map<string, ActivationRange>();
  if (statistics.size === 0) return ranges;
  const layers = new Map<Node, Layer>(listLayers(folded).map((layer) => [layer.node, layer]));
  const known = new Map<Value, Known>();
  const pixels = pixelRange(preprocessing);
  const moments = inputMoments(original);
  for (const input of folded.graph.dataInputs) {
    const told = moments?.input === input.name ? momentsRange(moments) : undefined;
    const range = pixels ?? told;
    if (range && input.shape?.length === 4) ranges.set(input.name, range);
  }
  for (const node of folded.graph.nodes) {
    const output = node.output();
    if (!output) continue;
    const normal = statistics.get(output.name);
    const found = normal
      ? fromMoments({ mean: Float64Array.from(normal.mean), variance: Float64Array.from(normal.variance) })
      : propagated(node, layers.get(node), known);
    if (!found || !Number.isFinite(found.range.min) || !Number.isFinite(found.range.max)) continue;
    known.set(output, found);
    ranges.set(output.name, found.range);
  }
  return ranges;
}

function propagated(
  node: Node,
  layer: Layer | undefined,
  known: ReadonlyMap<Value, Known>,
): Known | undefined {
  const bounds = outputBounds(node);
  const [first, second] = node.inputs;
  const input = first && known.get(first);
  if (bounds && opFacts(node).fusedActivation) return input && clipped(input, bounds);
  if (bounds) return { range: bounds };
  if (layer) {
    const source = layer.node.input(layer.activationInput);
    const moments = source && known.get(source)?.moments;
    const through = moments && throughLayer(layer, moments);
    return through && fromMoments(through);
  }
  if (node.op === 'Add') return first && second && sum(first, second, known);
  if (node.op === 'Concat') return concatenated(node, known);
  if (AVERAGES.has(node.op)) return input?.moments && averaged(node, input);
  if (!isPassThrough(node) || passThroughInputs(node).length !== 1) return undefined;
  return (
    input && {
      range: input.range,
      ...(keepsChannels(node, input) ? { moments: input.moments, pooled: input.pooled } : {}),
    }
  );
}

function fromMoments(moments: Moments): Known {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  moments.mean.forEach((mean, channel) => {
    const reach = WIDTH * Math.sqrt(moments.variance[channel] ?? 0);
    min = Math.min(min, mean - reach);
    max = Math.max(max, mean + reach);
  });
  return { range: { min: Math.fround(min), max: Math.fround(max) }, moments };
}

function clipped(input: Known, bounds: ActivationRange): Known {
  return {
    ...input,
    range: clip(input.range, bounds),
    moments: input.moments && clippedNormal(input.moments, bounds),
  };
}

/** Independent summands: means and variances add up, and no sum leaves the sum of the intervals. */
function sum(one: Value, other: Value, known: ReadonlyMap<Value, Known>): Known | undefined {
  const [left, right] = [known.get(one), known.get(other)];
  if (!left?.moments || !right?.moments || left.moments.mean.length !== right.moments.mean.length)
    return undefined;
  const { moments } = right;
  const added = fromMoments({
    mean: left.moments.mean.map((mean, channel) => mean + (moments.mean[channel] ?? 0)),
    variance: left.moments.variance.map((variance, channel) => variance + (moments.variance[channel] ?? 0)),
  });
  const most = { min: left.range.min + right.range.min, max: left.range.max + right.range.max };
  return { ...added, range: clip(added.range, most), pooled: left.pooled && right.pooled };
}

function concatenated(node: Node, known: ReadonlyMap<Value, Known>): Known | undefined {
  const parts = node.inputs.map((input) => input && known.get(input));
  if (parts.some((part) => part === undefined)) return undefined;
  const found = parts.filter((part) => part !== undefined);
  const range = {
    min: Math.min(...found.map((part) => part.range.min)),
    max: Math.max(...found.map((part) => part.range.max)),
  };
  const moments = found.flatMap((part) => part.moments ?? []);
  if (node.int('axis', 0) !== 1 || moments.length !== found.length) return { range };
  const joined = (pick: (one: Moments) => Float64Array) =>
    Float64Array.from(moments.flatMap((one) => [...pick(one)]));
  return { range, moments: { mean: joined((one) => one.mean), variance: joined((one) => one.variance) } };
}

/** An average has the mean of its terms and at most their variance, and stays among them. */
function averaged(node: Node, input: Known): Known | undefined {
  if (!input.moments) return undefined;
  // Averages over the channels themselves mix them.
  if (
    node.op === 'ReduceMean' &&
    !(node.ints('axes') ?? node.input(1)?.tensor?.toIntegers().value ?? [1]).every(
      (axis) => axis >= 2 || axis === -1 || axis === -2,
    )
  ) {
    return { range: input.range };
  }
  const narrowed = fromMoments(input.moments);
  return {
    range: clip(narrowed.range, input.range),
    moments: input.moments,
    pooled: node.op !== 'AveragePool',
  };
}

/** Flattening keeps the channels apart only when nothing but channels is left. */
function keepsChannels(node: Node, input: Known): boolean {
  if (['MaxPool', 'GlobalMaxPool', 'Identity', 'Dropout', 'Pad', 'Resize', 'Upsample'].includes(node.op))
    return true;
  return input.pooled === true && ['Flatten', 'Reshape', 'Squeeze'].includes(node.op);
}

function clip(range: ActivationRange, bounds: ActivationRange): ActivationRange {
  const inside = (value: number) => Math.min(Math.max(value, bounds.min), bounds.max);
  return { min: inside(range.min), max: inside(range.max) };
}

/** What pixels can become, when it is said how they are scaled. */
export function pixelRange({ scale, mean, std }: PreprocessingSpec): ActivationRange | undefined {
  if (scale === undefined && mean === undefined && std === undefined) return undefined;
  const ends: number[] = [];
  const channels = Math.max(mean?.length ?? 1, std?.length ?? 1);
  for (let channel = 0; channel < channels; channel++) {
    const shift = mean?.[mean.length === 1 ? 0 : channel] ?? 0;
    const width = std?.[std.length === 1 ? 0 : channel] ?? 1;
    for (const pixel of [0, 255]) ends.push((pixel * (scale ?? 1 / 255) - shift) / width);
  }
  return { min: Math.min(0, ...ends), max: Math.max(0, ...ends) };
}
