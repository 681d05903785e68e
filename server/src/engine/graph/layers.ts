/**
 * The layers of a model: every constant of two or more axes that an operator multiplies with, looks up in or steps
 * through time with, with the names, channel axes and sizes that reports print. Nothing of the weights is read.
 */
import { type DataType, dataTypeByCode } from '../base/dtype';
import { codeReader } from './code-readers';
import { constantExpression } from './constant-expression';
import {
  type ConstantSource,
  constantSource,
  isReshaped,
  permutation,
  shapesThrough,
} from './constant-source';
import type { Graph, Model, Node, Value } from './ir';
import { opFacts, type WeightFacts, weightFacts } from './ops';
import type { Tensor } from './tensor';
import { allGraphs } from './walk';

export { constantSource, isReshaped, permutation, shapesThrough, sliceOf } from './constant-source';

export interface Layer {
  /** Unique; see {@link listLayers}. */
  readonly name: string;
  readonly node: Node;
  /** Operator, domain-prefixed outside ai.onnx. */
  readonly op: string;
  /** Initializer or Constant output that holds the weight, also when Transpose, Cast or DequantizeLinear follow. */
  readonly weight: Value;
  readonly tensor: Tensor;
  /**
   * Shape of the weight as stored; of MatMulNBits the logical [N, K]; of codes in blocks or rows, and of weights
   * computed from constants, that at the layer. Where channels span several axes (directions and gates, experts and
   * outputs) these axes are one.
   */
  readonly shape: readonly number[];
  /** The same before axes were made one: what reports print. */
  readonly statedShape: readonly number[];
  /** Axis of the output channels in `shape`. */
  readonly channelAxis: number;
  /** Weight elements. */
  readonly params: number;
  /** Grouped with one input channel per group. */
  readonly depthwise: boolean;
  readonly groups: number;
  /** Position in the list. */
  readonly index: number;
  /** Input positions on `node`. */
  readonly weightInput: number;
  readonly activationInput: number;
  /** Constant bias of the operator itself; a MatMul's bias is an Add of its own. */
  readonly bias: Value | undefined;
  /** The stored weight is quantized: codes and scales, not real numbers. */
  readonly quantized: boolean;
  /**
   * Nodes between the stored weight and the layer, from the weight on: Identity, Cast, Transpose, DequantizeLinear;
   * behind DequantizeLinear also Reshape and Slice. Of computed weights all nodes that compute it.
   */
  readonly through: readonly Node[];
  /** The graph computes the weight from constants; `tensor` holds what the layer reads, behind all of `through`. */
  readonly computed: boolean;
  /** Elements of the constants that a computed weight comes from, without scales and offsets. */
  readonly sourceElements: number;
  /** Rows are picked by indices: nothing is multiplied, and the activation input holds integers. */
  readonly lookup: boolean;
  /** The weight multiplies with a state inside the operator; `activationInput` feeds another of its weights. */
  readonly inner: boolean;
}

/**
 * Layers in execution order, those of subgraphs after the node that holds them.
 *
 * A layer is called like its weight's initializer without a final `.weight`. Where that name is machine-made
 * (`onnx::…`, digits, `_v_…`) or the weight is a Constant's output, it is called like its node, without a leading `/`
 * and a final `/<OpType>`; where that is empty, `<OpType>_<node index>`. Second and later uses of one name get `#2`, `#3`.
 */
export function listLayers(model: Model): readonly Layer[] {
  const layers: Layer[] = [];
  const names = new Set<string>();
  for (const node of executionOrder(model.graph)) {
    for (const facts of weightFacts(node)) {
      const found = weightOf(node, facts);
      if (!found) continue;
      const bias = facts.bias === undefined ? undefined : constantSource(node.input(facts.bias))?.value;
      const groups = facts.grouped ? Math.max(1, node.int('group', 1)) : 1;
      layers.push({
        name: uniqueName(layerName(node, found.value), names),
        node,
        op: node.op,
        weight: found.value,
        tensor: found.tensor,
        shape: found.shape,
        statedShape: found.statedShape,
        channelAxis: found.channelAxis,
        params: found.shape.reduce((product, dimension) => product * dimension, 1),
        depthwise: groups > 1 && isDepthwise(node, found.shape, groups),
        groups,
        index: layers.length,
        weightInput: facts.input,
        activationInput: facts.activation,
        bias,
        quantized: found.quantized,
        through: found.through,
        computed: found.computed,
        sourceElements: found.sourceElements,
        lookup: facts.lookup === true,
        inner: facts.inner === true,
      });
    }
  }
  return layers;
}

/** True for names that exporters make up: they say nothing and change from export to export. */
export function isMachineMade(name: string): boolean {
  return /^(onnx::.*|_v_.*|\d+)$/.test(name.replace(/#\d+$/, ''));
}

/** Name of a layer before it is made unique. */
export function layerName(node: Node, weight: Value): string {
  if (!weight.producer && !isMachineMade(weight.name)) {
    const stem = weight.name.replace(/\.weight$/, '');
    if (stem !== '') return stem;
  }
  const stem = node.name.replace(/^\//, '');
  const suffix = `/${node.opType}`;
  const name = stem.endsWith(suffix) ? stem.slice(0, -suffix.length) : stem;
  return name === '' ? `${node.opType}_${node.index}` : name;
}

interface FoundWeight extends ConstantSource {
  readonly shape: readonly number[];
  readonly statedShape: readonly number[];
  readonly channelAxis: number;
  readonly quantized: boolean;
  readonly computed: boolean;
  readonly sourceElements: number;
}

function weightOf(node: Node, facts: WeightFacts): FoundWeight | undefined {
  const input = node.input(facts.input);
  const source = constantSource(input);
  const expression = source ? undefined : constantExpression(input);
  const found =
    source ??
    (expression && { value: expression.value, tensor: expression.tensor, through: expression.nodes });
  // Two constants multiplied are a constant, not a layer.
  if (!found || isConstant(node.input(facts.activation))) return undefined;
  const statedShape = source ? shapeOf(node, source) : found.tensor.shape;
  if (!statedShape || statedShape.length < facts.minimumRank) return undefined;
  const type = dataTypeByCode(found.tensor.dataType);
  const quantized = expression?.fromCodes || isQuantized(node, facts, found, type);
  if (!quantized && type?.kind !== 'float') return undefined;
  const shape = facts.merged?.(node, statedShape) ?? statedShape;
  const channelAxis = facts.channelAxis(node, shape.length);
  const computed = expression !== undefined;
  const sourceElements = expression?.sourceElements ?? found.tensor.size;
  const whole = { ...found, shape, statedShape, quantized, computed, sourceElements };
  if (!source || isReshaped(source.through)) return { ...whole, channelAxis };
  const transposed = source.through.some((one) => one.opType === 'Transpose');
  // Axes are made one in the weight as the layer reads it; a transposition in front keeps them apart.
  if (transposed && shape !== statedShape) return undefined;
  const stored = storedAxis(source.through, channelAxis, shape.length);
  return stored === undefined ? undefined : { ...whole, channelAxis: stored };
}

function isConstant(value: Value | undefined): boolean {
  return constantSource(value) !== undefined || constantExpression(value) !== undefined;
}

/** Codes: dequantized on the way, in the operator, or, as integers, behind it. */
function isQuantized(
  node: Node,
  facts: WeightFacts,
  { through }: ConstantSource,
  type: DataType | undefined,
): boolean {
  if (opFacts(node).quantized || through.some((one) => opFacts(one).quantized)) return true;
  const integer = (type?.kind === 'int' || type?.kind === 'uint') && type.bits <= 8;
  if (!integer) return false;
  if (facts.lookup) return codeReader(node.output()) !== undefined;
  return through.some((one) => one.opType === 'Cast');
}

/** The axis is known at the layer; undoes the transpositions on the way back to the stored weight. */
function storedAxis(through: readonly Node[], axis: number, rank: number): number | undefined {
  let stored: number | undefined = axis;
  for (const one of [...through].reverse()) {
    if (one.opType !== 'Transpose' || stored === undefined) continue;
    stored = permutation(one, rank)?.[stored];
  }
  return stored;
}

/** Operators whose weight is packed in bytes or a blob and says its size itself. */
function shapeOf(node: Node, { tensor, through }: ConstantSource): readonly number[] | undefined {
  const { op } = node;
  if (op === 'com.microsoft.MatMulNBits' || op === 'com.microsoft.MatMulBnb4')
    return [node.int('N', 0), node.int('K', 0)];
  const packed = dataTypeByCode(tensor.dataType)?.name === 'uint8';
  if (op === 'com.microsoft.GatherBlockQuantized' && packed)
    return unpackedLast(tensor.shape, 8 / node.int('bits', 4));
  if (op === 'com.microsoft.QMoE' && packed)
    return unpackedLast(tensor.shape, 8 / node.int('expert_weight_bits', 4));
  return isReshaped(through) ? shapesThrough(tensor.shape, through)?.at(-1) : tensor.shape;
}

function unpackedLast(shape: readonly number[], factor: number): readonly number[] {
  return shape.map((size, axis) => (axis === shape.length - 1 ? size * factor : size));
}

function isDepthwise(node: Node, shape: readonly number[], groups: number): boolean {
  // Conv stores [out, in/groups, …], ConvTranspose [in, out/groups, …].
  return node.opType === 'ConvTranspose' ? shape[0] === groups : shape[1] === 1;
}

/** Channels of the activation that a convolution or product reads. */
export function inputChannels({ node, shape, channelAxis, groups }: Layer): number {
  // Conv [out, in / groups, …], ConvTranspose [in, out / groups, …]; matrices on the last two axes, either way round.
  const convolution = weightFacts(node).some(({ grouped }) => grouped);
  const inputs = shape[convolution ? 1 - channelAxis : 2 * shape.length - 3 - channelAxis] ?? 1;
  return convolution && channelAxis === 0 ? inputs * groups : inputs;
}

function uniqueName(base: string, names: Set<string>): string {
  let name = base;
  for (let count = 2; names.has(name); count++) name = `${base}#${count}`;
  names.add(name);
  return name;
}

function* executionOrder(graph: Graph): Generator<Node> {
  for (const node of graph.nodes) {
    yield node;
    for (const inner of node.subgraphs) yield* executionOrder(inner);
  }
}

/** Number of elements and bytes of all constants, each counted once, in every graph of the model. */
export function countConstants(model: Model): { elements: number; bytes: number } {
  let elements = 0;
  let bytes = 0;
  for (const graph of allGraphs(model.graph)) {
    for (const value of graph.values.values()) {
      if (!value.tensor) continue;
      elements += value.tensor.size;
      bytes += Math.ceil(((dataTypeByCode(value.tensor.dataType)?.bits ?? 0) * value.tensor.size) / 8);
    }
  }
  return { elements, bytes };
}
