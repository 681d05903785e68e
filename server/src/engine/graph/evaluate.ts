/**
 * Evaluates operators on small tensors (shape arithmetic), one row per operator, after onnx/docs/Operators.md.
 * Elements may be unknown; what cannot be said is `undefined`, never a guess.
 */
import { DataTypeCode } from '../base/dtype';
import {
  axesOf,
  concat,
  flat,
  gather,
  type Known,
  reshape,
  slice,
  squeeze,
  transpose,
  unsqueeze,
} from './evaluate-layout';
import type { Node } from './ir';
import type { OpType } from './ops';
import {
  broadcastOffsets,
  broadcastShapes,
  isIntegerType,
  SMALL_LIMIT,
  type SmallTensor,
} from './small-tensor';

export {
  axesOf,
  type Known,
  normalise,
  type SliceBound,
  sliceBounds,
  sliceLength,
  slicePositions,
} from './evaluate-layout';

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
