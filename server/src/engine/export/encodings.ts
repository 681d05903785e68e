/**
 * The quantizers of a plan by tensor name, for tools that quantize the float model themselves: the same scales and zero
 * points that `exportQdq` writes.
 */
import { hasErrors, type Issue } from '../base/issue';
import { type Outcome, ok } from '../base/outcome';
import type { Encodings, TensorEncoding } from '../format/encodings';
import type { Model } from '../graph/ir';
import type { Layer } from '../graph/layers';
import type { QuantPlan } from '../methods/plan';
import type { ScopeParameters } from '../numerics/quantize-weight';
import type { QuantScheme } from '../numerics/scheme';
import { type Ranges, selectActivations } from './activations';
import { activationLayer, plannedLayers, weightQuantizers } from './qdq';
import { type LayerWeight, plannedScheme, readLayerWeight } from './weights';

export interface PlannedEncodings extends Encodings {
  /** Weights whose groups run over more than one axis: blocks of one axis cannot say that. */
  readonly leftOut: readonly string[];
}

/**
 * Encodings of all tensors that the plan quantizes; of a tensor in two formats the first.
 * @param model after BatchNormalization folding; not changed.
 * Issues: unreadable or non-finite weights, `range-missing`; with an error there is no value.
 */
export function planEncodings(model: Model, plan: QuantPlan, ranges: Ranges): Outcome<PlannedEncodings> {
  const planned = plannedLayers(model, plan);
  const selection = selectActivations(model, planned.flatMap(activationLayer), ranges);
  const issues: Issue[] = [...selection.issues];
  const activations = selection.tensors.flatMap(({ value, formats: [first] }): TensorEncoding[] => {
    if (first === undefined) return [];
    const { scheme, parameters } = first;
    const { bits, signed, symmetric } = scheme;
    const { scale, zeroPoint } = parameters;
    return [{ name: value.name, bits, signed, symmetric, scales: [scale], zeroPoints: [zeroPoint] }];
  });
  const quantizers = new Map(selection.tensors.map((tensor) => [tensor.value, tensor]));
  const parameters = new Map<string, TensorEncoding>();
  const leftOut: string[] = [];
  for (const one of planned) {
    const { name } = one.layer.weight;
    if (one.plan.form === 'float' || parameters.has(name)) continue;
    const weight = readLayerWeight(one.layer);
    issues.push(...weight.issues);
    if (weight.value === undefined) continue;
    const input = one.layer.node.input(one.layer.activationInput);
    const { fitted } = weightQuantizers(one, weight.value, input && quantizers.get(input));
    const encoding = weightEncoding(one.layer, weight.value, plannedScheme(one.plan), fitted);
    if (encoding) parameters.set(name, encoding);
    else leftOut.push(name);
  }
  if (hasErrors(issues)) return { value: undefined, issues };
  return ok({ activations, parameters: [...parameters.values()], leftOut }, issues);
}

function weightEncoding(
  layer: Layer,
  weight: LayerWeight,
  { bits, signed, symmetric, granularity }: QuantScheme,
  { scales, zeroPoints }: ScopeParameters,
): TensorEncoding | undefined {
  const head = {
    name: layer.weight.name,
    bits,
    signed,
    symmetric,
    scales: Array.from(scales),
    zeroPoints: Array.from(zeroPoints),
  };
  if (granularity === 'tensor') return head;
  const { channelAxis } = layer;
  if (granularity === 'channel') return { ...head, channelAxis };
  // Groups of a weight with kernel axes run over all of them.
  const axis = channelAxis === 0 ? 1 : 0;
  if (layer.shape.length !== 2 || weight.shape.length !== 2) return undefined;
  const count = Math.ceil((layer.shape[axis] ?? 0) / granularity.group);
  return { ...head, channelAxis, block: { axis, size: granularity.group, count } };
}
