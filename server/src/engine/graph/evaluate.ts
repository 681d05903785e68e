/**
 * Evaluates operators on small tensors (shape arithmetic), one row per operator, after onnx/docs/Operators.md.
 * Elements may be unknown; what cannot be said is `undefined`, never a guess.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import type { Dimension } from '../format/onnx-types';
import type { Node } from './ir';
import { permutation } from './layers';
import type { OpType } from './ops';
import {
  broadcastOffsets,
  broadcastShapes,
  eachIndex,
  isIntegerType,
  SMALL_LIMIT,
  type SmallTensor,
  stridesOf,
} from './small-tensor';

/** What is known about a node's inputs. */
export interface Known {
  /** Content of an input. */
  readonly content: (index: number) => SmallTensor | undefined;
  /** Shape of an input, single dimensions possibly symbolic or unknown. */
  readonly shape: (index: number) => readonly Dimension[] | undefined;
}

type Evaluator = (node: Node, known: Known) => SmallTensor | undefined;
type Scalar = number | undefined;

/** Content of a node's only output, as far as it follows from what is known. */
export function evaluate(node: Node, known: Known): SmallTensor | undefined {
  const evaluator = evaluators.get(node.op);
  const result = node.outputs.length === 1 ? evaluator?.(node, known) : undefined;
  if (!result || result.values.length > SMALL_LIMIT) return undefined;
  return result;
}

const integerTable = {
  Shape: shapeOf,
  Size: sizeOf,
  Identity: (_node, known) => known.content(0),
  Cast: cast,
  Gather: gather,
  Unsqueeze: unsqueeze,
  Squeeze: squeeze,
  Concat: concat,
  Slice: slice,
  Reshape: reshape,
  Flatten: (node, known) => (node.int('axis', 1) === 0 ? flat(known.content(0)) : undefined),
  Transpose: transpose,
  ConstantOfShape: constantOfShape,
  Expand: expand,
  Range: range,
  Where: where,
  Add: arithmetic((a, b) => a + b),
  Sub: arithmetic((a, b) => a - b),
  Mul: arithmetic((a, b) => a * b),
  Div: divide,
  Mod: (node, known) => (node.int('fmod', 0) === 0 ? elementwise(known, modulo) : undefined),
  Min: arithmetic(Math.min),
  Max: arithmetic(Math.max),
  Neg: unary((a) => -a),
  Abs: unary(Math.abs),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Sqrt: unary(Math.sqrt),
  Equal: comparison((a, b) => a === b),
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  And: comparison((a, b) => a !== 0 && b !== 0),
  Or: comparison((a, b) => a !== 0 || b !== 0),
  Not: unary((a) => (a === 0 ? 1 : 0)),
  ReduceProd: reduce((a, b) => a * b, 1),
  ReduceSum: reduce((a, b) => a + b, 0),
  ReduceMax: reduce(Math.max, Number.NEGATIVE_INFINITY),
  ReduceMin: reduce(Math.min, Number.POSITIVE_INFINITY),
} as const satisfies Partial<Record<OpType, Evaluator>>;

const evaluators = new Map<string, Evaluator>(Object.entries(integerTable));

function shapeOf(node: Node, known: Known): SmallTensor | undefined {
  const shape = known.shape(0);
  if (!shape) return undefined;
  const part = shape.slice(node.int('start', 0), node.attributes.has('end') ? node.int('end', 0) : undefined);
  return int64(
    [part.length],
    part.map((dimension) => (typeof dimension === 'number' ? dimension : undefined)),
  );
}

function sizeOf(_node: Node, known: Known): SmallTensor | undefined {
  const shape = known.shape(0);
  return shape && int64([], [product(shape.map((one) => (typeof one === 'number' ? one : undefined)))]);
}

function cast(node: Node, known: Known): SmallTensor | undefined {
  const input = known.content(0);
  const dataType = node.int('to', 0);
  if (!input) return undefined;
  if (dataType === DataTypeCode.float)
    return { ...input, dataType, values: input.values.map(apply(Math.fround)) };
  if (dataType === DataTypeCode.bool)
    return { ...input, dataType, values: input.values.map(apply((a) => Number(a !== 0))) };
  return isIntegerType(dataType)
    ? { ...input, dataType, values: input.values.map(apply(Math.trunc)) }
    : undefined;
}

function gather(node: Node, known: Known): SmallTensor | undefined {
  const data = known.content(0);
  const indices = known.content(1);
  if (!data || !indices) return undefined;
  const axis = normalise(node.int('axis', 0), data.shape.length);
  const length = axis === undefined ? undefined : data.shape[axis];
  if (axis === undefined || length === undefined) return undefined;
  const shape = [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)];
  const strides = stridesOf(data.shape);
  const places = stridesOf(indices.shape);
  const values = eachIndex(shape, (index) => {
    const inner = index.slice(axis, axis + indices.shape.length);
    const place = inner.reduce((sum, at, dimension) => sum + at * (places[dimension] ?? 0), 0);
    const picked = indices.values[place];
    if (picked === undefined) return undefined;
    const at = [
      ...index.slice(0, axis),
      picked < 0 ? picked + length : picked,
      ...index.slice(axis + indices.shape.length),
    ];
    return data.values[at.reduce((sum, one, dimension) => sum + one * (strides[dimension] ?? 0), 0)];
  });
  return { dataType: data.dataType, shape, values };
}

/** Axes from the attribute (older opsets) or from input 1; `undefined` when neither is known. */
export function axesOf(node: Node, known: Known): readonly number[] | undefined {
  const attribute = node.ints('axes');
  if (attribute) return attribute;
  const values = known.content(1)?.values;
  return values?.every((value) => value !== undefined) ? values.map(Number) : undefined;
}

function unsqueeze(node: Node, known: Known): SmallTensor | undefined {
  const input = known.content(0);
  const axes = axesOf(node, known);
  if (!input || !axes) return undefined;
  const rank = input.shape.length + axes.length;
  const added = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  const rest = [...input.shape];
  const shape = Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() ?? 1)));
  return { ...input, shape };
}

function squeeze(node: Node, known: Known): SmallTensor | undefined {
  const input = known.content(0);
  const named = node.attributes.has('axes') || node.input(1) !== undefined;
  const axes = axesOf(node, known);
  if (!input || (named && !axes)) return undefined;
  const rank = input.shape.length;
  const dropped = axes && new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  return { ...input, shape: input.shape.filter((size, axis) => (dropped ? !dropped.has(axis) : size !== 1)) };
}

function concat(node: Node, known: Known): SmallTensor | undefined {
  const parts = node.inputs.map((_, index) => known.content(index));
  const first = parts[0];
  if (first?.shape.length !== 1) return undefined;
  const values: Scalar[] = [];
  for (const part of parts) {
    if (part?.shape.length !== 1) return undefined;
    values.push(...part.values);
  }
  return { dataType: first.dataType, shape: [values.length], values };
}

function slice(node: Node, known: Known): SmallTensor | undefined {
  const data = known.content(0);
  const bounds = sliceBounds(node, known);
  if (!data || !bounds) return undefined;
  const picks = data.shape.map((size) => Array.from({ length: size }, (_, at) => at));
  for (const { axis, start, end, step } of bounds) {
    const place = normalise(axis, data.shape.length);
    if (place === undefined || start === undefined || end === undefined || !step) return undefined;
    picks[place] = slicePositions(defined(data.shape[place], 'dimension'), start, end, step);
  }
  const shape = picks.map((pick) => pick.length);
  const strides = stridesOf(data.shape);
  const values = eachIndex(shape, (index) => {
    const offset = index.reduce((sum, at, axis) => sum + (picks[axis]?.[at] ?? 0) * (strides[axis] ?? 0), 0);
    return data.values[offset];
  });
  return { dataType: data.dataType, shape, values };
}

export interface SliceBound {
  readonly axis: number;
  readonly start: Scalar;
  readonly end: Scalar;
  readonly step: Scalar;
}

/** Bounds per sliced axis, from attributes (opset < 10) or inputs; `undefined` when the axes are not known. */
export function sliceBounds(node: Node, known: Known): readonly SliceBound[] | undefined {
  const starts = node.ints('starts') ?? known.content(1)?.values;
  const ends = node.ints('ends') ?? known.content(2)?.values;
  const count = starts?.length ?? ends?.length;
  if (count === undefined) return undefined;
  const axes =
    node.ints('axes') ??
    (node.input(3) ? known.content(3)?.values : Array.from({ length: count }, (_, at) => at));
  const steps = node.input(4) ? known.content(4)?.values : Array.from({ length: count }, () => 1);
  const bounds: SliceBound[] = [];
  for (let at = 0; at < count; at++) {
    const axis = axes?.[at];
    if (axis === undefined) return undefined;
    bounds.push({ axis, start: starts?.[at], end: ends?.[at], step: steps?.[at] });
  }
  return bounds;
}

/** Positions that `start:end:step` takes of an axis, as NumPy does. */
export function slicePositions(size: number, start: number, end: number, step: number): number[] {
  const clamp = (value: number, low: number, high: number) =>
    Math.min(Math.max(value < 0 ? value + size : value, low), high);
  const positions: number[] = [];
  if (step > 0) for (let at = clamp(start, 0, size); at < clamp(end, 0, size); at += step) positions.push(at);
  if (step < 0)
    for (let at = clamp(start, 0, size - 1); at > clamp(end, -1, size - 1); at += step) positions.push(at);
  return positions;
}

function reshape(node: Node, known: Known): SmallTensor | undefined {
  const input = known.content(0);
  const wanted = node.ints('shape') ?? known.content(1)?.values;
  if (!input || !wanted || wanted.some((one) => one === undefined)) return undefined;
  const allowZero = node.int('allowzero', 0) !== 0;
  const sizes = wanted.map((one, axis) => (one === 0 && !allowZero ? (input.shape[axis] ?? 0) : (one ?? 0)));
  const rest = sizes.filter((one) => one !== -1).reduce((a, b) => a * b, 1);
  const shape = sizes.map((one) => (one === -1 ? input.values.length / rest : one));
  return shape.reduce((a, b) => a * b, 1) === input.values.length ? { ...input, shape } : undefined;
}

function flat(input: SmallTensor | undefined): SmallTensor | undefined {
  return input && { ...input, shape: [1, input.values.length] };
}

function transpose(node: Node, known: Known): SmallTensor | undefined {
  const input = known.content(0);
  if (!input || !isIntegerType(input.dataType)) return undefined;
  const order = permutation(node, input.shape.length);
  const strides = stridesOf(input.shape);
  const shape = order.map((axis) => input.shape[axis] ?? 0);
  const values = eachIndex(
    shape,
    (index) => input.values[index.reduce((sum, at, axis) => sum + at * (strides[order[axis] ?? 0] ?? 0), 0)],
  );
  return { ...input, shape, values };
}

function constantOfShape(node: Node, known: Known): SmallTensor | undefined {
  const shape = wholeShape(known.content(0));
  const attribute = node.attributes.get('value');
  // Without a value the result is float32 zeros; those are data, not shape arithmetic, unless there is one.
  if (!shape || attribute?.type !== 'tensor') return undefined;
  const { dataType, payload } = attribute.value;
  if (!isIntegerType(dataType)) return undefined;
  const fill = fillValue(payload);
  return fill === undefined ? undefined : { dataType, shape, values: repeated(shape, fill) };
}

type Payload = Extract<ReturnType<Node['attributes']['get']>, { type: 'tensor' }>['value']['payload'];

/** The one integer of a ConstantOfShape attribute, inline as every writer stores it. */
function fillValue(payload: Payload): number | undefined {
  if (payload.kind === 'typed') return Number(payload.values[0]);
  if (payload.kind !== 'bytes' || payload.bytes.length > 8) return undefined;
  // Little endian two's complement of the payload's own width; fills are 0, 1 or -1 in shape arithmetic.
  let value = 0n;
  for (const byte of [...payload.bytes].reverse()) value = (value << 8n) | BigInt(byte);
  return Number(BigInt.asIntN(payload.bytes.length * 8, value));
}

function expand(_node: Node, known: Known): SmallTensor | undefined {
  const input = known.content(0);
  const wanted = wholeShape(known.content(1));
  const shape = input && wanted && smallShape([input.shape, wanted]);
  if (!input || !shape) return undefined;
  return {
    ...input,
    shape,
    values: broadcastOffsets(input.shape, shape).map((offset) => input.values[offset]),
  };
}

function range(_node: Node, known: Known): SmallTensor | undefined {
  const [start, limit, delta] = [0, 1, 2].map((index) => known.content(index)?.values[0]);
  const dataType = known.content(0)?.dataType ?? 0;
  if (start === undefined || limit === undefined || !delta || !isIntegerType(dataType)) return undefined;
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  if (count > SMALL_LIMIT) return undefined;
  return { dataType, shape: [count], values: Array.from({ length: count }, (_, at) => start + at * delta) };
}

function where(_node: Node, known: Known): SmallTensor | undefined {
  const [condition, yes, no] = [known.content(0), known.content(1), known.content(2)];
  if (!condition || !yes || !no) return undefined;
  const shape = smallShape([condition.shape, yes.shape, no.shape]);
  if (!shape) return undefined;
  const [conditions, left, right] = [condition, yes, no].map((one) => broadcastOffsets(one.shape, shape));
  const values = (conditions ?? []).map((offset, at) => {
    const chosen = condition.values[offset];
    if (chosen === undefined) return undefined;
    return chosen !== 0 ? yes.values[left?.[at] ?? 0] : no.values[right?.[at] ?? 0];
  });
  return { dataType: yes.dataType, shape, values };
}

function divide(node: Node, known: Known): SmallTensor | undefined {
  const integer = isIntegerType(known.content(0)?.dataType ?? 0);
  // Integer division truncates toward zero, as onnxruntime's kernels do.
  return arithmetic((a, b) => (integer ? (b === 0 ? Number.NaN : Math.trunc(a / b)) : a / b))(node, known);
}

/** Python's modulo: the result has the sign of the divisor. */
function modulo(a: number, b: number): number {
  return b === 0 ? Number.NaN : a - Math.floor(a / b) * b;
}

function arithmetic(compute: (a: number, b: number) => number): Evaluator {
  return (node, known) => {
    if (node.inputs.length === 1) return known.content(0);
    return node.inputs.length === 2 ? elementwise(known, compute) : undefined;
  };
}

function comparison(compute: (a: number, b: number) => boolean): Evaluator {
  return (_node, known) => {
    const result = elementwise(known, (a, b) => Number(compute(a, b)));
    return result && { ...result, dataType: DataTypeCode.bool };
  };
}

function unary(compute: (a: number) => number): Evaluator {
  return (_node, known) => {
    const input = known.content(0);
    return input && { ...input, values: input.values.map(apply((a) => exact(compute(a), input.dataType))) };
  };
}

function reduce(combine: (a: number, b: number) => number, start: number): Evaluator {
  return (node, known) => {
    const input = known.content(0);
    const named = node.attributes.has('axes') || node.input(1) !== undefined;
    // Only complete reductions of vectors occur in shape arithmetic.
    if (!input || input.shape.length > 1 || (named && axesOf(node, known)?.length !== 1)) return undefined;
    const all = input.values.reduce<Scalar>((sum, one) => both(sum, one, combine), start);
    return {
      ...input,
      shape: node.int('keepdims', 1) !== 0 && input.shape.length === 1 ? [1] : [],
      values: [all],
    };
  };
}

function elementwise(known: Known, compute: (a: number, b: number) => number): SmallTensor | undefined {
  const left = known.content(0);
  const right = known.content(1);
  const shape = left && right && smallShape([left.shape, right.shape]);
  if (!left || !right || !shape) return undefined;
  const rights = broadcastOffsets(right.shape, shape);
  const values = broadcastOffsets(left.shape, shape).map((offset, at) =>
    both(left.values[offset], right.values[rights[at] ?? 0], (a, b) => exact(compute(a, b), left.dataType)),
  );
  return { dataType: left.dataType, shape, values };
}

/** Results of float32 operators are float32: one rounding of the exact double result gives the same bits. */
function exact(value: number, dataType: number): number {
  return dataType === DataTypeCode.float ? Math.fround(value) : value;
}

function both(a: Scalar, b: Scalar, compute: (a: number, b: number) => number): Scalar {
  if (a === undefined || b === undefined) return undefined;
  const value = compute(a, b);
  return Number.isNaN(value) ? undefined : value;
}

function apply(compute: (a: number) => number): (value: Scalar) => Scalar {
  return (value) => (value === undefined ? undefined : compute(value));
}

function int64(shape: readonly number[], values: readonly Scalar[]): SmallTensor {
  return { dataType: DataTypeCode.int64, shape, values };
}

function product(values: readonly Scalar[]): Scalar {
  return values.reduce<Scalar>((all, one) => both(all, one, (a, b) => a * b), 1);
}

function wholeShape(input: SmallTensor | undefined): readonly number[] | undefined {
  const shape: number[] = [];
  for (const value of input?.values ?? [undefined]) {
    if (value === undefined || value < 0) return undefined;
    shape.push(value);
  }
  return product(shape) !== undefined && shape.reduce((a, b) => a * b, 1) <= SMALL_LIMIT ? shape : undefined;
}

function smallShape(shapes: readonly (readonly number[])[]): readonly number[] | undefined {
  const shape = broadcastShapes(shapes);
  return shape && shape.reduce((a, b) => a * b, 1) <= SMALL_LIMIT ? shape : undefined;
}

function repeated(shape: readonly number[], value: number): readonly number[] {
  return Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => value);
}

/** Axis counted from the front, `undefined` when it is outside. */
export function normalise(axis: number, rank: number): number | undefined {
  const place = axis < 0 ? axis + rank : axis;
  return place >= 0 && place < rank ? place : undefined;
}
