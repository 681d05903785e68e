/** BatchNormalization nodes in inference: parameters, the layer in front, and what they say about activations. */
import type { Issue } from '../base/issue';
import type { Outcome } from '../base/outcome';
import { defaultOpset, type Model, type Node, type Value } from './ir';
import { type Layer, listLayers } from './layers';
import { allNodes } from './walk';

/** Parameters per channel, float64. */
export interface BatchNorm {
  /** γ */
  readonly scale: Float64Array;
  /** β */
  readonly shift: Float64Array;
  /** μ */
  readonly mean: Float64Array;
  /** σ = √(variance + ε) */
  readonly deviation: Float64Array;
}

/** Distribution of the values behind a BatchNormalization, per channel: about normal with these moments. */
export interface BatchNormStatistics {
  /** Name of the normalised value; folding keeps it. */
  readonly valueName: string;
  /** Layer whose output is normalised, `undefined` when something else is. */
  readonly layer: string | undefined;
  /** β */
  readonly mean: Float32Array;
  /** γ² */
  readonly variance: Float32Array;
}

/** Statistics of every readable BatchNormalization, in file order. Call it before folding: folding removes the nodes. */
export function batchNormStatistics(model: Model): readonly BatchNormStatistics[] {
  const byOutput = new Map<Value | undefined, Layer>(
    listLayers(model).map((layer) => [layer.node.output(), layer]),
  );
  const found: BatchNormStatistics[] = [];
  for (const node of allNodes(model.graph)) {
    const output = node.output();
    if (!output || !isInferenceBatchNorm(node, model)) continue;
    const { value } = readBatchNorm(node);
    if (!value) continue;
    found.push({
      valueName: output.name,
      layer: byOutput.get(node.input(0))?.name,
      mean: Float32Array.from(value.shift),
      variance: Float32Array.from(value.scale, (scale) => scale * scale),
    });
  }
  return found;
}

/** True for BatchNormalization that normalises with stored statistics and makes one output. */
export function isInferenceBatchNorm(node: Node, model: Model): boolean {
  if (node.op !== 'BatchNormalization' || node.outputs.filter((output) => output.name !== '').length !== 1)
    return false;
  // spatial = 0 (opset < 9) has statistics per element.
  if (node.int('training_mode', 0) !== 0 || node.int('spatial', 1) === 0) return false;
  if (defaultOpset(model) < 7 && node.attributes.has('is_test') && node.int('is_test', 0) === 0) return false;
  return [1, 2, 3, 4].every((index) => node.input(index)?.tensor !== undefined);
}

/** Reads γ, β, μ and variance. Issues when they are unreadable; no value when lengths differ. */
export function readBatchNorm(node: Node): Outcome<BatchNorm> {
  const epsilon = node.float('epsilon', 1e-5);
  const issues: Issue[] = [];
  const arrays: Float64Array[] = [];
  for (const index of [1, 2, 3, 4]) {
    const read = node.input(index)?.tensor?.toFloat32();
    if (!read?.value) return { value: undefined, issues: read?.issues ?? [] };
    issues.push(...read.issues);
    arrays.push(Float64Array.from(read.value));
  }
  const [scale, shift, mean, variance] = arrays;
  if (!scale || !shift || !mean || !variance) return { value: undefined, issues };
  if (new Set(arrays.map((array) => array.length)).size !== 1) return { value: undefined, issues };
  return {
    value: { scale, shift, mean, deviation: variance.map((one) => Math.sqrt(one + epsilon)) },
    issues,
  };
}

/** A BatchNormalization and the layer it can be folded into. */
export interface FoldableBatchNorm {
  readonly layer: Layer;
  readonly node: Node;
}

/**
 * Pairs that folding can merge: a float Conv, ConvTranspose or Gemm whose weight and bias are its own, and whose
 * output only the BatchNormalization uses.
 */
export function foldableBatchNorms(model: Model): readonly FoldableBatchNorm[] {
  const pairs: FoldableBatchNorm[] = [];
  for (const layer of listLayers(model)) {
    const node = followerOf(layer);
    if (node && isFoldable(layer) && isInferenceBatchNorm(node, model)) pairs.push({ layer, node });
  }
  return pairs;
}

function followerOf(layer: Layer): Node | undefined {
  const output = layer.node.output();
  const use = output?.uses[0];
  if (!output || !use || output.uses.length !== 1 || use.index !== 0) return undefined;
  return use.node.graph === layer.node.graph && !layer.node.graph?.isOutput(output) ? use.node : undefined;
}

function isFoldable(layer: Layer): boolean {
  if (!FOLDABLE.has(layer.op) || layer.quantized) return false;
  if (layer.weight.uses.length !== 1 || layer.through.some((node) => node.output()?.uses.length !== 1))
    return false;
  // Behind a Cast the stored type is narrower than the computation; folding would round twice.
  if (layer.through.some((node) => node.op !== 'Transpose')) return false;
  if (layer.computed || layer.weightInput !== 1) return false;
  const bias = layer.node.input(2);
  return bias === undefined || (bias === layer.bias && bias.tensor !== undefined);
}

const FOLDABLE: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm']);
