/**
 * Which layers onnxruntime runs as integer operators, read from the graph it optimised, and why the others stay float.
 * The reasons follow its selectors (onnxruntime core/optimizer/qdq_transformer/selectors_actions), seen on the
 * optimised graph: there int8 activations of x64 have become uint8 wherever only one operator reads them, which is
 * what keeps the operators around a shared int8 tensor from fusing.
 */
import type { UnfusedNode, UnfusedReason } from '../../protocol/reports';
import { dataTypeByCode } from '../base/dtype';
import type { Model, Node, Value } from '../graph/ir';
import { listLayers } from '../graph/layers';
import { opFacts } from '../graph/ops';
import { scalarOf } from '../graph/tensor';
import { dequantizerOf } from './quantizers';

export interface Fusion {
  /** Per layer: it runs as an integer operator; layers that were folded away are missing. */
  readonly fused: ReadonlyMap<string, boolean>;
  readonly unfused: readonly UnfusedNode[];
  /** Conversions of activations that stay in the graph: QuantizeLinear and DequantizeLinear nodes. */
  readonly conversions: number;
}

/** Operators of onnxruntime that compute on codes. */
const INTEGER_OPS =
  /^(QLinear|QGemm|QAttention|QEmbed|QMoE|MatMulInteger|ConvInteger|DynamicQuantize(MatMul|LSTM)|MatMulNBits|MatMulBnb4|GatherBlockQuantized)/;

/** Layers whose kernels may give float, so that their output need not be quantized. */
const FLOAT_OUTPUT: ReadonlySet<string> = new Set(['Gemm', 'MatMul']);

/** Compares a model with what onnxruntime made of it; `nodesOf` finds the nodes in place of one of its nodes. */
export function fusionOf(
  model: Model,
  optimized: { readonly model: Model; nodesOf(node: Node): readonly Node[] },
): Fusion {
  const fused = new Map<string, boolean>();
  const unfused: UnfusedNode[] = [];
  const layerNodes = new Set<Node>();
  for (const layer of listLayers(model)) {
    if (!layer.quantized || layer.lookup || layer.node.graph !== model.graph) continue;
    layerNodes.add(layer.node);
    const there = optimized.nodesOf(layer.node);
    if (there.length === 0) continue;
    const integer = there.some((node) => INTEGER_OPS.test(node.opType));
    fused.set(layer.name, integer);
    const left = there.find((node) => !INTEGER_OPS.test(node.opType) && node.opType !== 'DequantizeLinear');
    if (integer || !left) continue;
    const reason = reasonOf(left, layer.weightInput);
    unfused.push({ node: layer.node.label, op: layer.node.opType, layer: layer.name, reason });
  }
  for (const node of model.graph.nodes) {
    if (layerNodes.has(node) || opFacts(node).ortCpu !== 'kernel' || !standsBetween(node)) continue;
    const left = optimized.nodesOf(node).find((one) => one.op === node.op);
    if (left) unfused.push({ node: node.label, op: node.opType, reason: reasonOf(left, undefined) });
  }
  return { fused, unfused, conversions: optimized.model.graph.nodes.filter(converts).length };
}

/** All data comes from DequantizeLinear. */
function standsBetween(node: Node): boolean {
  const data = node.inputs.filter((value) => value && !value.tensor);
  return (
    data.length > 0 &&
    data.every((value) => value?.producer?.opType === 'DequantizeLinear' && !value.producer.input(0)?.tensor)
  );
}

function converts(node: Node): boolean {
  return /^(De)?[qQ]uantizeLinear$/.test(node.opType) && !node.input(0)?.tensor;
}

/** First rule of the selectors that a node of the optimised graph breaks. */
function reasonOf(node: Node, weightInput: number | undefined): UnfusedReason {
  const data = node.inputs.flatMap((value, index) =>
    value && index < 2 && index !== weightInput ? [value] : [],
  );
  const inputs = data.map((value) => codesType(value));
  if (inputs.some((type) => type === undefined)) {
    const isAlone = weightInput !== undefined && outputOf(node).reason === 'output-not-quantized';
    return isAlone ? 'weight-only' : 'input-not-quantized';
  }
  if (weightInput !== undefined) {
    const weight = dequantizerOf(node.input(weightInput));
    if (!weight) return 'weight-not-quantized';
    if (node.opType === 'MatMul' && (weight.input(1)?.tensor?.size ?? 1) > 1 && rankOf(weight) > 2)
      return 'scales-per-channel';
    const bias = node.input(2);
    const offset = dequantizerOf(bias);
    if (bias && typeName(offset?.input(0)) !== 'int32') return 'bias-not-integer';
    if (offset && biasIsOff(offset, data[0]?.producer, weight)) return 'bias-scale';
  }
  // Fused with the function behind it, in float.
  if (node.string('activation', '') !== '') return 'activation-kept';
  const output = outputOf(node);
  if (output.reason && !(output.reason !== 'activation-kept' && FLOAT_OUTPUT.has(node.opType)))
    return output.reason;
  const types = new Set([...inputs, ...(output.type === undefined ? [] : [output.type])]);
  if (types.size > 1) return 'types-differ';
  return opFacts(node).ortCpu === 'kernel' ? 'unknown' : 'no-kernel';
}

/** Type of the codes behind a value that DequantizeLinear makes right there. */
function codesType(value: Value): string | undefined {
  const dequantize = value.producer?.opType === 'DequantizeLinear' ? value.producer : undefined;
  return dequantize && typeName(dequantize.input(2) ?? dequantize.input(0));
}

function outputOf(node: Node): { readonly reason?: UnfusedReason; readonly type?: string } {
  const output = node.output();
  if (!output) return { reason: 'output-not-quantized' };
  const [first] = output.uses;
  if (node.graph?.isOutput(output) || !first) return { reason: 'output-not-quantized' };
  if (output.uses.length > 1) {
    const quantized = output.uses.some((use) => use.node.opType === 'QuantizeLinear');
    return { reason: quantized ? 'shared-output' : 'output-not-quantized' };
  }
  if (first.node.opType === 'QuantizeLinear') return { type: typeName(first.node.input(2)) ?? 'uint8' };
  const after = opFacts(first.node).activation ? first.node.output()?.uses[0]?.node : undefined;
  return { reason: after?.opType === 'QuantizeLinear' ? 'activation-kept' : 'output-not-quantized' };
}

function typeName(value: Value | undefined): string | undefined {
  const code = value?.tensor?.dataType ?? value?.elementType;
  return code ? dataTypeByCode(code)?.name : undefined;
}

/** onnxruntime 1.30 fuses at 1.5 % beside input scale · weight scale, and no more at 2 % (measured). */
const BIAS_TOLERANCE = 0.018;

function biasIsOff(bias: Node, input: Node | undefined, weight: Node): boolean {
  const [stored, read, own] = [bias, input, weight].map((node) => constantScale(node));
  if (stored === undefined || read === undefined || own === undefined) return false;
  return !(Math.abs(stored / (read * own) - 1) <= BIAS_TOLERANCE);
}

function constantScale(node: Node | undefined): number | undefined {
  const tensor = node?.input(1)?.tensor;
  return tensor && scalarOf(tensor);
}

function rankOf(dequantize: Node): number {
  return dequantize.input(0)?.tensor?.shape.length ?? 2;
}
