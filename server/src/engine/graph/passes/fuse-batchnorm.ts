/**
 * Before: `c = Conv(x, W, b); y = BatchNormalization(c, γ, β, μ, v)` · after: `y = Conv(x, W', b')` with
 * σ = √(v + ε), W' = W·γ/σ per output channel, b' = β + (b − μ)·γ/σ (Krishnamoorthi 1806.08342 §3.2.2; methods: fold
 * BatchNormalization). Computed in float64, stored in the weight's type. Weight and bias keep their names, so the
 * layer keeps its own; the value y keeps its name too.
 */
import { defined } from '../../base/invariant';
import type { Issue } from '../../base/issue';
import { type BatchNorm, foldableBatchNorms, readBatchNorm } from '../batch-norm';
import { absorbFollower, addInitializer, removeUnusedConstant, replaceTensor } from '../edit';
import type { Attribute, Node, Value } from '../ir';
import type { Layer } from '../layers';
import { realTensor, type Tensor } from '../tensor';
import type { Pass } from './pass';

export const fuseBatchNorm: Pass = {
  name: 'fold-batchnorm',
  requires: ['no-identity', 'weights-unshared'],
  ensures: ['batch-norm-folded'],
  run(model) {
    const issues: Issue[] = [];
    let modified = false;
    for (const { layer, node } of foldableBatchNorms(model)) {
      const folded = foldedTensors(layer, node, issues);
      if (!folded) continue;
      fuse(layer, node, folded);
      modified = true;
    }
    return { modified, issues };
  },
};

interface Folded {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

function foldedTensors(layer: Layer, node: Node, issues: Issue[]): Folded | undefined {
  const norm = readBatchNorm(node);
  const weight = layer.tensor.toFloat32();
  const stored = layer.bias?.tensor?.toFloat32();
  issues.push(...norm.issues, ...weight.issues, ...(stored?.issues ?? []));
  if (!norm.value || !weight.value || (layer.bias && !stored?.value)) return undefined;
  const channels = outputChannels(layer);
  if (norm.value.scale.length !== channels) return undefined;
  const bias = scaledBias(layer, stored?.value, channels, norm.value);
  const folded = realTensor(
    layer.tensor.dataType,
    layer.shape,
    scaledWeight(layer, weight.value, norm.value),
  );
  const foldedBias =
    bias && realTensor(layer.bias?.tensor?.dataType ?? layer.tensor.dataType, [channels], bias);
  return folded && foldedBias && { weight: folded, bias: foldedBias };
}

/** Output channels of the layer; a grouped ConvTranspose stores them divided by the groups. */
function outputChannels(layer: Layer): number {
  const stored = layer.shape[layer.channelAxis] ?? 0;
  return layer.op === 'ConvTranspose' ? stored * layer.groups : stored;
}

function scaledWeight(layer: Layer, weight: Float32Array, norm: BatchNorm): Float64Array {
  const { shape, channelAxis, groups } = layer;
  const stored = defined(shape[channelAxis], 'channel axis is in the shape');
  const inner = shape.slice(channelAxis + 1).reduce((product, dimension) => product * dimension, 1);
  // ConvTranspose keeps [in, out/groups, …]: the input channel tells the group.
  const inputsPerGroup = layer.op === 'ConvTranspose' ? defined(shape[0], 'input channels') / groups : 0;
  const scaled = new Float64Array(weight.length);
  let at = 0;
  for (let row = 0; at < weight.length; row++) {
    const group = inputsPerGroup > 0 ? Math.floor(Math.floor(row / stored) / inputsPerGroup) : 0;
    const channel = group * stored + (row % stored);
    const [scale, deviation] = [defined(norm.scale[channel], 'γ'), defined(norm.deviation[channel], 'σ')];
    for (const end = at + inner; at < end; at++) scaled[at] = ((weight[at] ?? 0) * scale) / deviation;
  }
  return scaled;
}

/**
 * b' per channel. Gemm adds beta·C: its C may be one number for all channels; a C with rows cannot be folded.
 * The stored bias is b'/1, so beta becomes 1.
 */
function scaledBias(
  layer: Layer,
  bias: Float32Array | undefined,
  channels: number,
  norm: BatchNorm,
): Float64Array | undefined {
  if (bias && bias.length !== channels && (layer.op !== 'Gemm' || bias.length !== 1)) return undefined;
  // A column C of shape [M, 1] broadcasts along rows, not channels.
  if (
    bias &&
    (layer.bias?.tensor?.shape.length ?? 1) > 1 &&
    layer.bias?.tensor?.shape.at(-1) !== bias.length
  ) {
    return undefined;
  }
  const factor = layer.op === 'Gemm' ? layer.node.float('beta', 1) : 1;
  return Float64Array.from({ length: channels }, (_, channel) => {
    const before = factor * (bias?.[bias.length === 1 ? 0 : channel] ?? 0);
    const [scale, shift] = [defined(norm.scale[channel], 'γ'), defined(norm.shift[channel], 'β')];
    return (
      shift + ((before - defined(norm.mean[channel], 'μ')) * scale) / defined(norm.deviation[channel], 'σ')
    );
  });
}

function fuse(layer: Layer, follower: Node, folded: Folded): void {
  const { node, bias } = layer;
  const graph = defined(node.graph, 'layer is in a graph');
  replaceTensor(layer.weight, folded.weight);
  const ownBias = bias && bias.uses.length === 1 && graph.values.get(bias.name) === bias;
  if (ownBias) replaceTensor(bias, folded.bias);
  const newBias = ownBias ? bias : addInitializer(graph, `${layer.name}.bias`, folded.bias);
  const parameters = [...follower.inputs.slice(1), bias].filter(
    (value): value is Value => value !== undefined,
  );
  absorbFollower(node, follower, {
    name: node.name,
    opType: node.opType,
    domain: node.domain,
    inputs: [node.input(0), node.input(1), newBias],
    attributes: attributesOf(node),
  });
  for (const value of new Set(parameters)) removeUnusedConstant(graph, value);
}

function attributesOf(node: Node): Iterable<readonly [string, Attribute]> {
  const attributes = new Map(node.attributes);
  if (node.opType === 'Gemm') attributes.delete('beta');
  return attributes;
}
