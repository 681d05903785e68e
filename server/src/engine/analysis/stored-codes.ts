/**
 * Codes between a stored constant and the layer that reads them: through nodes that move, dequantize and quantize it
 * (ONNX operator specification of QuantizeLinear and DequantizeLinear), and the position of every code's scale.
 */
import { type DataType, DataTypeCode, dataTypeByCode } from '../base/dtype';
import { permutation, shapesThrough, sliceOf } from '../graph/constant-source';
import type { Node } from '../graph/ir';
import type { Layer } from '../graph/layers';
import { permuted } from '../graph/rearrange';
import { elementsOf, type Tensor } from '../graph/tensor';
import { roundHalfEven } from '../numerics/affine';

/** Codes where they arise on the way from the stored constant to the layer. */
export interface MadeCodes {
  readonly type: DataType;
  /** In the order of `shape`. */
  readonly codes: ArrayLike<number>;
  readonly shape: readonly number[];
  /** What dequantizes them before the layer reads them; missing = the operator reads codes. */
  readonly dequantize: Node | undefined;
  /** Nodes behind the codes. */
  readonly after: readonly Node[];
  /** Brings one number per code to the order in which the constant is stored. */
  toStored(values: ArrayLike<number>): ArrayLike<number>;
}

/**
 * The integers that count: those of the last DequantizeLinear, or those the operator reads. A file may quantize a
 * constant at every run, even one that it dequantized just before.
 */
export function codesOf({ tensor, through }: Layer): MadeCodes | undefined {
  const dequantizeAt = through.findLastIndex((node) => node.opType === 'DequantizeLinear');
  const quantizeAt = through.findLastIndex((node) => node.opType === 'QuantizeLinear');
  const end = quantizeAt >= 0 ? quantizeAt : dequantizeAt >= 0 ? dequantizeAt : through.length;
  const before = through.slice(0, end);
  const quantize = quantizeAt >= 0 ? through[quantizeAt] : undefined;
  const type = dataTypeByCode(quantize ? codeType(quantize) : tensor.dataType);
  const shape = before.length === 0 ? tensor.shape : shapesThrough(tensor.shape, before)?.at(-1);
  if (!type || !isInteger(type) || !shape) return undefined;
  const real = quantize && valuesBehind(tensor, before);
  const codes = quantize ? real && quantizedNow(real, shape, type, quantize) : codesBehind(tensor, before);
  if (!codes) return undefined;
  return {
    type,
    codes,
    shape,
    dequantize: dequantizeAt > quantizeAt ? through[dequantizeAt] : undefined,
    after: through.slice(Math.max(dequantizeAt, end)),
    toStored: (values) => inStoredOrder(values, tensor.shape, before),
  };
}

function isInteger(type: DataType): boolean {
  return (type.kind === 'int' || type.kind === 'uint') && type.bits <= 16;
}

/** A constant in the layer's shape, from one that was stored in blocks or rows. */
export function reshapedCodes(data: Float32Array, { tensor, through }: Layer): Float32Array {
  return rearranged(data, tensor.shape, through);
}

/** Elements of an array of this shape behind nodes that move them. */
export function rearranged(
  data: Float32Array,
  shape: readonly number[],
  nodes: readonly Node[],
): Float32Array {
  const shapes = [shape, ...(shapesThrough(shape, nodes) ?? [])];
  return nodes.reduce((values, node, index) => moved(values, shapes[index] ?? [], node), data);
}

function moved(data: Float32Array, shape: readonly number[], node: Node): Float32Array {
  const order = node.op === 'Transpose' ? permutation(node, shape.length) : undefined;
  if (order) return permuted(data, shape, order);
  const kept = node.op === 'Slice' ? sliceOf(node, shape) : undefined;
  return kept ? sliced(data, shape, kept) : data;
}

/** Stored integers behind nodes that move them; in their own width where nothing does. */
function codesBehind(tensor: Tensor, nodes: readonly Node[]): ArrayLike<number> | undefined {
  const codes = integersOf(tensor);
  const moves = nodes.some((node) => node.op === 'Transpose' || node.op === 'Slice');
  return codes && moves ? rearranged(Float32Array.from(codes), tensor.shape, nodes) : codes;
}

/** Real numbers of a constant behind nodes that dequantize, quantize and move it. */
function valuesBehind(tensor: Tensor, nodes: readonly Node[]): Float32Array | undefined {
  const stored = floats(tensor);
  const shapes = shapesThrough(tensor.shape, nodes);
  if (!stored || !shapes) return undefined;
  let values = stored;
  for (const [index, node] of nodes.entries()) {
    const shape = shapes[index - 1] ?? tensor.shape;
    if (node.opType === 'DequantizeLinear' || node.opType === 'QuantizeLinear') {
      const type = dataTypeByCode(codeType(node));
      const next =
        node.opType === 'DequantizeLinear'
          ? realsOf(values, shape, node)
          : type && quantizedNow(values, shape, type, node);
      if (!next) return undefined;
      values = Float32Array.from(next);
    } else values = moved(values, shape, node);
  }
  return values;
}

/** (code − zero point) · scale, as DequantizeLinear computes it. */
function realsOf(codes: Float32Array, shape: readonly number[], node: Node): Float32Array | undefined {
  const scales = floats(node.input(1)?.tensor);
  if (!scales || scales.length === 0) return undefined;
  const zeros = floats(node.input(2)?.tensor);
  const position = parameterOf(shape, node.int('axis', 1), node.int('block_size', 0), scales.length);
  return codes.map((code, index) => {
    const at = position(index);
    return (code - (zeros?.[at] ?? 0)) * (scales[at] ?? 0);
  });
}

/** One number per element behind `nodes`, brought back to where the elements are stored; the same array in place. */
function inStoredOrder(
  values: ArrayLike<number>,
  stored: readonly number[],
  nodes: readonly Node[],
): ArrayLike<number> {
  let order = stored.map((_, axis) => axis);
  for (const node of nodes) {
    const permutes = node.op === 'Transpose' ? permutation(node, stored.length) : undefined;
    if (permutes) order = permutes.map((axis) => order[axis] ?? 0);
  }
  if (order.every((axis, at) => axis === at)) return values;
  const shape = order.map((axis) => stored[axis] ?? 0);
  const back = stored.map((_, axis) => order.indexOf(axis));
  return permuted(Float32Array.from(values), shape, back);
}

function sliced(
  data: Float32Array,
  shape: readonly number[],
  { axis, start, end }: { readonly axis: number; readonly start: number; readonly end: number },
): Float32Array {
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const row = (shape[axis] ?? 0) * inner;
  const kept = Math.max(0, end - start) * inner;
  const rows = row > 0 ? data.length / row : 0;
  const result = new Float32Array(rows * kept);
  for (let at = 0; at < rows; at++) {
    const from = at * row + start * inner;
    result.set(data.subarray(from, from + kept), at * kept);
  }
  return result;
}

/** Element type that a QuantizeLinear makes: its zero point's, the one it states, uint8 without both. */
function codeType(node: Node): number {
  return node.input(2)?.elementType || node.int('output_dtype', DataTypeCode.uint8);
}

/** Codes of real numbers that the file quantizes at every run. */
function quantizedNow(
  values: Float32Array,
  shape: readonly number[],
  type: DataType,
  node: Node,
): Int32Array | undefined {
  const scales = floats(node.input(1)?.tensor);
  if (!scales) return undefined;
  const zeros = floats(node.input(2)?.tensor);
  const position = parameterOf(shape, node.int('axis', 1), node.int('block_size', 0), scales.length);
  const lowest = type.kind === 'int' ? -(2 ** (type.bits - 1)) : 0;
  const highest = lowest + 2 ** type.bits - 1;
  return Int32Array.from(values, (value, index) => {
    const at = position(index);
    const code = roundHalfEven(Math.fround(value / (scales[at] ?? 1))) + (zeros?.[at] ?? 0);
    return Math.min(highest, Math.max(lowest, code));
  });
}

/** Position of an element's scale, as DequantizeLinear finds it. */
export function parameterOf(
  shape: readonly number[],
  axis: number,
  block: number,
  count: number,
): (index: number) => number {
  if (count === 1) return () => 0;
  const at = axis < 0 ? axis + shape.length : axis;
  const size = shape[at] ?? 1;
  const inner = shape.slice(at + 1).reduce((product, dimension) => product * dimension, 1);
  if (block <= 0) return (index) => Math.floor(index / inner) % size;
  const blocks = Math.ceil(size / block);
  return (index) => {
    const along = Math.floor(index / inner) % size;
    return (
      (Math.floor(index / (inner * size)) * blocks + Math.floor(along / block)) * inner + (index % inner)
    );
  };
}

/** Codes in their own width. */
function integersOf(tensor: Tensor): ArrayLike<number> | undefined {
  const codes = elementsOf(tensor).value;
  return codes instanceof BigInt64Array || codes instanceof BigUint64Array ? undefined : codes;
}

export function floats(tensor: Tensor | undefined): Float32Array | undefined {
  return tensor?.toFloat32().value;
}
