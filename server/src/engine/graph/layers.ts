/**
 * The layers of a model: Conv, ConvTranspose, Gemm and MatMul with a constant weight, with the names, channel axes
 * and sizes that reports print. Nothing of the weights is read.
 */
import { dataTypeByCode } from '../base/dtype';
import type { Graph, Model, Node, Value } from './ir';
import { opFacts, type WeightFacts } from './ops';
import type { Tensor } from './tensor';
import { allGraphs } from './walk';

export interface Layer {
  /** Unique; see {@link listLayers}. */
  readonly name: string;
  readonly node: Node;
  /** Operator, domain-prefixed outside ai.onnx. */
  readonly op: string;
  /** Initializer or Constant output that holds the weight, also when Transpose, Cast or DequantizeLinear follow. */
  readonly weight: Value;
  readonly tensor: Tensor;
  /** Shape of the weight as stored; of MatMulNBits the logical [N, K]; of codes in blocks or rows, that at the layer. */
  readonly shape: readonly number[];
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
   * behind DequantizeLinear also Reshape and Slice.
   */
  readonly through: readonly Node[];
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
    const facts = opFacts(node).weight;
    const found = facts && weightOf(node, facts);
    if (!facts || !found) continue;
    const bias = facts.bias === undefined ? undefined : constantSource(node.input(facts.bias))?.value;
    const groups = facts.grouped ? Math.max(1, node.int('group', 1)) : 1;
    const name = uniqueName(layerName(node, found.value), names);
    layers.push({
      name,
      node,
      op: node.op,
      weight: found.value,
      tensor: found.tensor,
      shape: found.shape,
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
    });
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

interface Source {
  readonly value: Value;
  readonly tensor: Tensor;
  readonly through: readonly Node[];
}

/** Operators through which a weight stays a weight. */
const TRANSPARENT: ReadonlySet<string> = new Set([
  'Identity',
  'Cast',
  'Transpose',
  'DequantizeLinear',
  'com.microsoft.DequantizeLinear',
]);

/** Operators that bring codes stored in blocks or rows back to the weight's shape. */
const RESHAPING: ReadonlySet<string> = new Set(['Reshape', 'Slice']);

/**
 * The constant behind a value, looking through nodes that only convert or transpose it; when it is dequantized on the
 * way, also through nodes that reshape it afterwards.
 */
export function constantSource(value: Value | undefined): Source | undefined {
  const through: Node[] = [];
  let reshaped = false;
  for (let at = value; at; at = through.at(-1)?.input(0)) {
    if (at.tensor) return reshaped ? undefined : { value: at, tensor: at.tensor, through: through.reverse() };
    const node = at.producer;
    if (!node) return undefined;
    if (RESHAPING.has(node.op)) reshaped = true;
    else if (!TRANSPARENT.has(node.op)) return undefined;
    else if (node.opType === 'DequantizeLinear') reshaped = false;
    through.push(node);
  }
  return undefined;
}

/** True when {@link shapesThrough} are needed to tell the layer's shape from the stored one. */
export function isReshaped(through: readonly Node[]): boolean {
  return through.some((node) => RESHAPING.has(node.op));
}

/**
 * Shapes of a constant of shape `stored` behind each of the nodes; `undefined` when a shape or a bound is not constant
 * or does not fit.
 */
export function shapesThrough(
  stored: readonly number[],
  through: readonly Node[],
): readonly (readonly number[])[] | undefined {
  const shapes: (readonly number[])[] = [];
  let shape: readonly number[] | undefined = stored;
  for (const node of through) {
    shape = shapeAfter(node, shape);
    if (!shape) return undefined;
    shapes.push(shape);
  }
  return shapes;
}

/** What a Slice along one axis keeps of a constant of this shape; `undefined` for other ones. */
export function sliceOf(
  node: Node,
  shape: readonly number[],
): { readonly axis: number; readonly start: number; readonly end: number } | undefined {
  const single = (index: number) => {
    const values = node.input(index)?.tensor?.toIntegers().value;
    return values?.length === 1 ? Number(values[0]) : undefined;
  };
  const [from, to, along] = [single(1), single(2), single(3)];
  if (from === undefined || to === undefined || along === undefined) return undefined;
  if (node.input(4) && single(4) !== 1) return undefined;
  const axis = along < 0 ? along + shape.length : along;
  const size = shape[axis];
  if (size === undefined) return undefined;
  const clamp = (bound: number) => Math.min(size, Math.max(0, bound < 0 ? bound + size : bound));
  return { axis, start: clamp(from), end: clamp(to) };
}

function shapeAfter(node: Node, shape: readonly number[]): readonly number[] | undefined {
  if (node.op === 'Transpose') return permutation(node, shape.length)?.map((axis) => shape[axis] ?? 0);
  if (node.op === 'Slice') {
    const kept = sliceOf(node, shape);
    return (
      kept && shape.map((size, axis) => (axis === kept.axis ? Math.max(0, kept.end - kept.start) : size))
    );
  }
  if (node.op !== 'Reshape') return shape;
  const stated = node.input(1)?.tensor?.toIntegers().value;
  if (!stated) return undefined;
  const sizes = Array.from(stated, (size, axis) => (Number(size) === 0 ? (shape[axis] ?? 0) : Number(size)));
  const product = (list: readonly number[]) => list.reduce((all, size) => all * size, 1);
  const known = product(sizes.filter((size) => size !== -1));
  const whole = sizes.map((size) => (size === -1 ? product(shape) / known : size));
  return product(whole) === product(shape) && whole.every(Number.isInteger) ? whole : undefined;
}

interface FoundWeight extends Source {
  readonly shape: readonly number[];
  readonly channelAxis: number;
  readonly quantized: boolean;
}

function weightOf(node: Node, facts: WeightFacts): FoundWeight | undefined {
  const source = constantSource(node.input(facts.input));
  // Two constants multiplied are a constant, not a layer.
  if (!source || constantSource(node.input(facts.activation))) return undefined;
  const shape = shapeOf(node, source);
  if (!shape || shape.length < facts.minimumRank) return undefined;
  const dequantized = source.through.some((one) => opFacts(one).quantized);
  const quantized = dequantized || opFacts(node).quantized === true;
  if (!quantized && dataTypeByCode(source.tensor.dataType)?.kind !== 'float') return undefined;
  // The axis is known at the layer; undo the transpositions on the way back to the stored weight.
  let channelAxis = facts.channelAxis(node, shape.length);
  if (isReshaped(source.through)) return { ...source, shape, channelAxis, quantized };
  for (const one of [...source.through].reverse()) {
    if (one.opType !== 'Transpose') continue;
    const axis = permutation(one, shape.length)?.[channelAxis];
    if (axis === undefined) return undefined;
    channelAxis = axis;
  }
  return { ...source, shape, channelAxis, quantized };
}

function shapeOf(node: Node, { tensor, through }: Source): readonly number[] | undefined {
  if (node.op === 'com.microsoft.MatMulNBits') return [node.int('N', 0), node.int('K', 0)];
  return isReshaped(through) ? shapesThrough(tensor.shape, through)?.at(-1) : tensor.shape;
}

/** Permutation of a Transpose node; default reverses the axes. `undefined` when it is none of `rank` axes. */
export function permutation(node: Node, rank: number): readonly number[] | undefined {
  const stated = node.ints('perm');
  if (!stated) return Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const valid = stated.length === rank && stated.every((_, axis) => stated.includes(axis));
  return valid ? stated : undefined;
}

function isDepthwise(node: Node, shape: readonly number[], groups: number): boolean {
  // Conv stores [out, in/groups, …], ConvTranspose [in, out/groups, …].
  return node.opType === 'ConvTranspose' ? shape[0] === groups : shape[1] === 1;
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
