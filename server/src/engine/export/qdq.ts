/**
 * Executes a quantization plan on a model: weights become codes behind DequantizeLinear (or MatMulNBits), activations
 * get one QuantizeLinear/DequantizeLinear pair per tensor, placed so that onnxruntime replaces DQ → op → Q by its
 * integer kernels. Rules of placement: onnxruntime, core/optimizer/qdq_transformer/selectors_actions/qdq_selectors.cc.
 */
import { defined, invariant } from '../base/invariant';
import { hasErrors, type Issue } from '../base/issue';
import { type Outcome, ok } from '../base/outcome';
import { removeDead } from '../graph/edit';
import type { Model, Node } from '../graph/ir';
import { inputChannels, type Layer, listLayers } from '../graph/layers';
import { type OpType, opTable } from '../graph/ops';
import { allGraphs, allNodes } from '../graph/walk';
import { raiseIrVersion, raiseOpset } from '../methods/opset';
import type { PlanLayer, QuantPlan } from '../methods/plan';
import { hasIntegerKernel } from '../methods/plan-form';
import { type StorageType, storageBits, type TargetFacts, targets } from '../methods/targets';
import { parametersFor } from '../numerics/affine';
import { type QuantizedWeight, type ScopeParameters, weightParameters } from '../numerics/quantize-weight';
import { parseActivationFormat, type QuantScheme } from '../numerics/scheme';
import { ActivationWriter, type GuardedInput } from './activation-writer';
import {
  type ActivationLayer,
  layerInputsAlone,
  type Ranges,
  selectActivations,
  type TensorQuantizer,
} from './activations';
import { biasOf, fitWeightScales, writeBias, writeFloatBias } from './bias';
import { contribDomain } from './emit';
import { toGatherBlocks } from './gather-blocks';
import { type AccuracyLevel, toMatMulNBits } from './int4';
import { type LayerWeight, plannedScheme, readLayerWeight, WeightWriter, weightCodes } from './weights';

export interface ExportInput {
  /** After BatchNormalization folding; changed in place. */
  readonly model: Model;
  readonly plan: QuantPlan;
  /** Needed when a planned layer quantizes its activations. */
  readonly ranges?: Ranges;
  /** Codes that a method chose, by layer name, in the orientation in which the layer reads its weight. */
  readonly codes?: ReadonlyMap<string, QuantizedWeight>;
  /** `accuracy_level` of MatMulNBits; default 0: float activations. */
  readonly accuracyLevel?: AccuracyLevel;
  readonly part?: ExportPart;
}

/**
 * What of the whole file is quantized, to measure its share: all quantizers of activations with exact weights and
 * biases; or what belongs to single layers, their weights and inputs, without the quantizers between layers.
 */
export type ExportPart = 'activations' | 'layers';

/**
 * Quantizes the model as planned; graph inputs and outputs keep names and types. Issues: unreadable or non-finite
 * weights, `range-missing`; with an error there is no value and the model must not be used.
 */
export function exportQdq(input: ExportInput): Outcome<Model> {
  const { model, plan } = input;
  raiseOpset(model, plan.opset);
  raiseIrVersion(model);
  const planned = plannedLayers(model, plan);
  const selection = selectActivations(model, planned.flatMap(activationLayer), input.ranges ?? {});
  const issues: Issue[] = [...selection.issues];
  if (hasErrors(issues)) return { value: undefined, issues };

  const quantizers = new Map(selection.tensors.map((tensor) => [tensor.value, tensor]));
  const writer = new WeightWriter(plan.opset);
  const moved = new Map<Node, Node>();
  for (const one of planned) {
    if (one.plan.form === 'float' || input.part === 'activations') continue;
    const weight = readLayerWeight(one.layer);
    issues.push(...weight.issues);
    if (weight.value === undefined) continue;
    const quantizer = quantizers.get(defined(one.layer.node.input(one.layer.activationInput), 'layer input'));
    const reader = writeLayer(one, weight.value, quantizer, writer, input);
    if (reader !== one.layer.node) moved.set(one.layer.node, reader);
  }
  if (hasErrors(issues)) return { value: undefined, issues };

  const readers = planned
    .flatMap(activationLayer)
    .map((layer) => ({ ...layer, node: moved.get(layer.node) ?? layer.node }));
  const guarded = guardedLayers(planned, moved, targets[plan.target]);
  const written = input.part === 'layers' ? layerInputsAlone(selection, readers) : selection;
  new ActivationWriter(model.graph, written, readers, guarded, plan.opset).write();
  removeLeftovers(model, planned);
  return ok(model, issues);
}

/** A layer and what becomes of it. */
export interface Planned {
  readonly layer: Layer;
  readonly plan: PlanLayer;
  readonly activations: QuantScheme | undefined;
  readonly kernel: ActivationLayer['kernel'];
  /** Type in which an integer kernel gets codes that are stored narrower. */
  readonly widened: StorageType | undefined;
}

/** Layers of the folded model with what the plan says and what the target's kernels make of it. */
export function plannedLayers(model: Model, plan: QuantPlan): readonly Planned[] {
  const byName = new Map(plan.layers.map((layer) => [layer.name, layer]));
  const target = targets[plan.target];
  return listLayers(model).map((layer) => {
    const found = defined(byName.get(layer.name), `layer ${layer.name} is planned`);
    const parsed = parseActivationFormat(found.activations).value;
    const activations = parsed === 'float' ? undefined : parsed;
    const weights = found.form === 'dequantize' ? plannedScheme(found) : undefined;
    const integer = hasIntegerKernel(layer, target, weights, activations, plan.opset) && fitsKernel(layer);
    const facts = integer
      ? Object.entries(target.layerKernels).find(([op]) => op === layer.op)?.[1]
      : undefined;
    const kernel =
      facts === undefined ? 'none' : facts.needsQuantizedOutput ? 'needs-output' : 'takes-output';
    const widened =
      kernel === 'none' || found.storage === 'float' ? undefined : target.widened[found.storage]?.to;
    return { layer, plan: found, activations, kernel, widened };
  });
}

/** Integer kernels read the stored weight itself, and a bias only as int32. */
function fitsKernel(layer: Layer): boolean {
  return biasOf(layer) !== 'float';
}

/** The layer as far as activations are concerned; none where they stay float. */
export function activationLayer({ layer, activations, kernel }: Planned): ActivationLayer[] {
  const input = layer.node.input(layer.activationInput);
  if (activations === undefined || input === undefined) return [];
  return [{ name: layer.name, node: layer.node, input, scheme: activations, kernel }];
}

/** Quantizes one layer's weight and bias. Returns the node that reads the activation afterwards. */
function writeLayer(
  planned: Planned,
  weight: LayerWeight,
  quantizer: TensorQuantizer | undefined,
  writer: WeightWriter,
  input: ExportInput,
): Node {
  const { layer, plan, kernel, widened } = planned;
  const scheme = plannedScheme(plan);
  const chosen = input.codes?.get(layer.name);
  if (plan.form === 'matmul-nbits') {
    invariant(plan.storage !== 'float', 'MatMulNBits stores codes');
    const codes = chosen ?? weightCodes(weight, scheme);
    return toMatMulNBits(layer, weight, codes, storageBits[plan.storage], input.accuracyLevel ?? 0);
  }
  if (plan.form === 'gather-blocks') {
    invariant(plan.storage !== 'float', 'GatherBlockQuantized stores codes');
    return toGatherBlocks(layer, weight, chosen ?? weightCodes(weight, scheme), storageBits[plan.storage]);
  }
  const { parameters, fitted, integerBias } = weightQuantizers(planned, weight, quantizer, chosen);
  const codes = chosen && fitted === parameters ? chosen : weightCodes(weight, scheme, fitted);
  writer.write(layer, plan, weight, codes, {
    shared: chosen === undefined && fitted === parameters,
    widened,
  });
  if (integerBias) writeBias(layer, integerBias.bias, integerBias.inputScale, codes, input.plan.opset);
  if (kernel === 'none' && quantizer !== undefined) writeFloatBias(layer);
  return layer.node;
}

/**
 * Quantizers of a layer's weight: min-max or chosen ones, and as an integer bias makes them (the same object where it
 * changes nothing).
 */
export function weightQuantizers(
  { layer, plan, activations, kernel }: Planned,
  weight: LayerWeight,
  quantizer: TensorQuantizer | undefined,
  chosen?: QuantizedWeight,
): {
  readonly parameters: ScopeParameters;
  readonly fitted: ScopeParameters;
  readonly integerBias: { readonly bias: Float32Array; readonly inputScale: number } | undefined;
} {
  const bias = biasOf(layer);
  const inputScale = activations && quantizer && scaleOf(quantizer, activations);
  const parameters =
    chosen ?? weightParameters(weight.data, weight.shape, weight.channelAxis, plannedScheme(plan));
  if (kernel === 'none' || inputScale === undefined || bias === undefined || bias === 'float') {
    return { parameters, fitted: parameters, integerBias: undefined };
  }
  const fitted = fitWeightScales(parameters, weight, bias, inputScale);
  return { parameters, fitted, integerBias: { bias, inputScale } };
}

function scaleOf(quantizer: TensorQuantizer, scheme: QuantScheme): number | undefined {
  const { bits, signed, symmetric } = scheme;
  const found = quantizer.formats.find(
    (format) =>
      format.scheme.bits === bits && format.scheme.signed === signed && format.scheme.symmetric === symmetric,
  );
  return found?.parameters.scale ?? parametersFor({ min: 0, max: 0 }, scheme).scale;
}

/** Layers that the runtime would quantize on its own account although the plan has other ideas. */
function guardedLayers(
  planned: readonly Planned[],
  moved: ReadonlyMap<Node, Node>,
  target: TargetFacts,
): ReadonlyMap<Node, GuardedInput> {
  const guarded = new Map<Node, GuardedInput>();
  for (const { layer, kernel } of planned) {
    if (kernel !== 'none' || moved.has(layer.node)) continue;
    if (!Object.hasOwn(opTable, layer.op) || !target.requantized.has(layer.op as OpType)) continue;
    guarded.set(layer.node, { axis: inputChannelAxis(layer), channels: inputChannels(layer) });
  }
  return guarded;
}

function inputChannelAxis({ node }: Layer): number {
  return node.int('transA', 0) === 0 ? 1 : 0;
}

/** Float weights that nothing reads any more, unused inputs that carried them, and the domain of new operators. */
function removeLeftovers(model: Model, planned: readonly Planned[]): void {
  const { graph } = model;
  for (let pass = 0; pass < 2; pass++) {
    // Bodies first: what they leave alone may be unused outside.
    for (const one of [...allGraphs(graph)].reverse()) removeDead(one);
    for (const { layer } of planned) {
      for (const value of [layer.weight, layer.bias]) {
        if (!value || value.uses.length > 0 || graph.isOutput(value)) continue;
        const at = graph.inputs.indexOf(value);
        if (at >= 0) graph.inputs.splice(at, 1);
      }
    }
  }
  for (const node of allNodes(graph)) if (node.domain === contribDomain) model.opsets.set(contribDomain, 1);
}
