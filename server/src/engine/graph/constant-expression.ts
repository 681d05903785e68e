/**
 * Weights that the graph computes from constants: reshaped, cut, joined (PyTorch's gates in ONNX order), repeated or
 * filled, normalised. Shape and type follow from headers; elements are computed when they are asked for. Semantics after
 * onnx/docs/Operators.md.
 */
import { DataTypeCode, dataTypeByCode, elementCount } from '../base/dtype';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { TensorProto } from '../format/onnx-types';
import { functions, reduced, reducedShape, reductions } from './constant-reductions';
import { permutation, reshapedTo, squeezed, unsqueezed } from './constant-source';
import { axesOf, evaluate, type Known, normalise, sliceBounds, slicePositions } from './evaluate';
import type { Node, Value } from './ir';
import { joined, type Part, permuted, product, repeated, selected } from './rearrange';
import { broadcastShapes, readSmall, type SmallTensor } from './small-tensor';
import { floatTensor, protoTensor, realTensor, type Tensor } from './tensor';

export interface ConstantExpression {
  /** The one constant that everything comes from but for scales and offsets, else the value itself. */
  readonly value: Value;
  readonly tensor: Tensor;
  /** The nodes that compute it, producers first. */
  readonly nodes: readonly Node[];
  /** Integer codes take part: the weight is stored quantized. */
  readonly fromCodes: boolean;
  /** Elements of all constants that it comes from but for scales and offsets. */
  readonly sourceElements: number;
}

/** More nodes than this compute no weight; more elements were never stored anywhere. */
const MAX_NODES = 512;
const MAX_ELEMENTS = 2 ** 28;

/** The value as an expression of float constants; `undefined` when anything else takes part. */
export function constantExpression(value: Value | undefined): ConstantExpression | undefined {
  const builder = new Builder();
  const built = value && builder.build(value);
  if (!value || !built || dataTypeByCode(built.dataType)?.kind !== 'float') return undefined;
  const [only, second] = [...built.from];
  return {
    value: only && second === undefined ? only : value,
    tensor: new ExpressionTensor(value.name, built),
    nodes: builder.nodes,
    fromCodes: builder.fromCodes,
    sourceElements: [...built.from].reduce((sum, { tensor }) => sum + (tensor?.size ?? 0), 0),
  };
}

/** A constant array that has not been computed yet. */
interface Built {
  readonly shape: readonly number[];
  readonly dataType: number;
  /** Constants that its elements come from, without scales and offsets. */
  readonly from: ReadonlySet<Value>;
  readonly read: () => Outcome<Float32Array>;
}

type Rule = (node: Node, input: Built, known: Known) => Built | undefined;

/** Operators on one array; further inputs are small integers. */
const rules: Readonly<Record<string, Rule>> = {
  Identity: (_node, input) => input,
  Cast: cast,
  Transpose: transpose,
  Reshape: (node, input, known) =>
    node.int('allowzero', 0) === 0
      ? sameElements(input, reshapedTo(input.shape, node.ints('shape') ?? integers(known.content(1))))
      : undefined,
  Flatten: (node, input) => {
    const axis = node.int('axis', 1);
    const cut = axis < 0 ? axis + input.shape.length : axis;
    return sameElements(input, [product(input.shape.slice(0, cut)), product(input.shape.slice(cut))]);
  },
  Squeeze: (node, input, known) => sameElements(input, squeezed(input.shape, axesOf(node, known))),
  Unsqueeze: (node, input, known) => {
    const axes = axesOf(node, known);
    return axes && sameElements(input, unsqueezed(input.shape, axes));
  },
  Slice: slice,
  Gather: pick,
  Expand: expand,
  ...Object.fromEntries(Object.keys(reductions).map((op) => [op, reduce])),
  ...Object.fromEntries(Object.keys(functions).map((op) => [op, applied])),
};

/** Scales of normalised weights, codes that are dequantized step by step. */
const arithmetic: Readonly<Record<string, (left: number, right: number) => number>> = {
  Mul: (left, right) => left * right,
  Div: (left, right) => left / right,
  Add: (left, right) => left + right,
  Sub: (left, right) => left - right,
  Pow: (left, right) => left ** right,
};

class Builder {
  readonly nodes: Node[] = [];
  fromCodes = false;
  private readonly known = new Map<Value, Built | undefined>();
  private visited = 0;

  build(value: Value): Built | undefined {
    if (this.known.has(value)) return this.known.get(value);
    if (++this.visited > MAX_NODES) return undefined;
    const built = value.tensor ? this.leaf(value, value.tensor) : this.made(value);
    this.known.set(value, built);
    return built;
  }

  private leaf(value: Value, tensor: Tensor): Built | undefined {
    const type = dataTypeByCode(tensor.dataType);
    const codes = (type?.kind === 'int' || type?.kind === 'uint') && type.bits <= 8;
    if (type?.kind !== 'float' && !codes) return undefined;
    if (codes) this.fromCodes = true;
    const from = new Set([value]);
    return { shape: tensor.shape, dataType: tensor.dataType, from, read: () => tensor.toFloat32() };
  }

  private made(value: Value): Built | undefined {
    const node = value.producer;
    if (!node) return undefined;
    const built = this.apply(node, value);
    const size = built && elementCount(built.shape);
    if (!built || size === undefined || size > MAX_ELEMENTS) return undefined;
    this.nodes.push(node);
    return built;
  }

  private apply(node: Node, value: Value): Built | undefined {
    const known: Known = {
      content: (index) => smallContent(node.input(index)),
      shape: (index) => node.input(index)?.staticShape,
    };
    if (node.op === 'ConstantOfShape') return filled(node, known);
    if (node.op === 'Concat') {
      const parts = node.inputs.map((input) => input && this.build(input));
      return concat(
        node,
        parts.filter((part) => part !== undefined),
      );
    }
    const calculate = Object.hasOwn(arithmetic, node.op) ? arithmetic[node.op] : undefined;
    if (calculate) {
      const [left, right] = [node.input(0), node.input(1)].map((input) => input && this.build(input));
      return left && right && elementwise(left, right, calculate);
    }
    const rule = Object.hasOwn(rules, node.op) ? rules[node.op] : undefined;
    if (!rule && node.op !== 'Split') return undefined;
    const input = node.input(0);
    const data = input && this.build(input);
    if (!data) return undefined;
    return rule ? rule(node, data, known) : split(node, data, known, node.outputs.indexOf(value));
  }
}

/** Content of a small constant, followed through shape arithmetic. */
function smallContent(value: Value | undefined, depth = 0): SmallTensor | undefined {
  if (!value || depth > 16) return undefined;
  if (value.tensor) return readSmall(value.tensor);
  const node = value.producer;
  if (!node) return undefined;
  return evaluate(node, {
    content: (index) => smallContent(node.input(index), depth + 1),
    shape: (index) => node.input(index)?.staticShape,
  });
}

function integers(small: SmallTensor | undefined): readonly number[] | undefined {
  return small?.values.every((one) => one !== undefined) ? small.values.map(Number) : undefined;
}

function sameElements(input: Built, shape: readonly number[] | undefined): Built | undefined {
  return shape && product(shape) === product(input.shape) ? { ...input, shape } : undefined;
}

function mapped(
  input: Built,
  shape: readonly number[],
  change: (values: Float32Array) => Float32Array,
): Built {
  return {
    ...input,
    shape,
    read: () => {
      const { value, issues } = input.read();
      return value ? ok(change(value), issues) : fail(...issues);
    },
  };
}

/** To a float type, rounded as it is stored. */
function cast(node: Node, input: Built): Built | undefined {
  const dataType = node.int('to', 0);
  if (dataTypeByCode(dataType)?.kind !== 'float') return undefined;
  const rounded = (values: Float32Array) =>
    realTensor(dataType, input.shape, values)?.toFloat32().value ?? values;
  return { ...mapped(input, input.shape, rounded), dataType };
}

function transpose(node: Node, input: Built): Built | undefined {
  const order = permutation(node, input.shape.length);
  return (
    order &&
    mapped(
      input,
      order.map((axis) => input.shape[axis] ?? 0),
      (values) => permuted(values, input.shape, order),
    )
  );
}

function along(input: Built, axis: number, positions: readonly number[]): Built {
  const shape = input.shape.map((size, at) => (at === axis ? positions.length : size));
  return mapped(input, shape, (values) => selected(values, input.shape, axis, positions));
}

function slice(node: Node, input: Built, known: Known): Built | undefined {
  let built = input;
  for (const { axis, start, end, step } of sliceBounds(node, known) ?? [
    { axis: 0, start: undefined, end: undefined, step: undefined },
  ]) {
    const place = normalise(axis, input.shape.length);
    if (place === undefined || start === undefined || end === undefined || !step) return undefined;
    built = along(built, place, slicePositions(built.shape[place] ?? 0, start, end, step));
  }
  return built;
}

function pick(node: Node, input: Built, known: Known): Built | undefined {
  const indices = known.content(1);
  const axis = normalise(node.int('axis', 0), input.shape.length);
  const size = axis === undefined ? 0 : (input.shape[axis] ?? 0);
  const positions = integers(indices)?.map((at) => (at < 0 ? at + size : at));
  if (axis === undefined || !indices || !positions?.every((at) => at >= 0 && at < size)) return undefined;
  const picked = along(input, axis, positions);
  const shape = [...input.shape.slice(0, axis), ...indices.shape, ...input.shape.slice(axis + 1)];
  return { ...picked, shape };
}

function split(node: Node, input: Built, known: Known, output: number): Built | undefined {
  const axis = normalise(node.int('axis', 0), input.shape.length);
  const size = axis === undefined ? undefined : input.shape[axis];
  if (axis === undefined || size === undefined || output < 0) return undefined;
  const equal = Math.ceil(size / node.outputs.length);
  const stated = node.ints('split') ?? integers(known.content(1));
  if (node.input(1) && !stated) return undefined;
  const sizes = stated ?? node.outputs.map((_, index) => Math.max(0, Math.min(equal, size - equal * index)));
  const start = sizes.slice(0, output).reduce((sum, one) => sum + one, 0);
  const length = sizes[output] ?? 0;
  if (start + length > size) return undefined;
  return along(
    input,
    axis,
    Array.from({ length }, (_, at) => start + at),
  );
}

/** Over the stated axes, else over all of them. */
function reduce(node: Node, input: Built, known: Known): Built | undefined {
  const stated = axesOf(node, known);
  if (!stated && node.input(1)) return undefined;
  if (!stated?.length && node.int('noop_with_empty_axes', 0) !== 0) return input;
  const axes = stated?.length
    ? stated.map((axis) => normalise(axis, input.shape.length))
    : [...input.shape.keys()];
  if (input.dataType !== DataTypeCode.float || axes.includes(undefined)) return undefined;
  const along = axes.filter((axis) => axis !== undefined);
  const rule = reductions[node.op];
  return (
    rule &&
    mapped(input, reducedShape(node, input.shape, along), (values) =>
      reduced(rule, values, input.shape, along),
    )
  );
}

/** In float32, element by element. */
function applied(node: Node, input: Built): Built | undefined {
  const calculate = functions[node.op];
  if (!calculate || input.dataType !== DataTypeCode.float) return undefined;
  return mapped(input, input.shape, (values) => values.map(calculate));
}

function expand(_node: Node, input: Built, known: Known): Built | undefined {
  const stated = integers(known.content(1));
  const target = stated && broadcastShapes([input.shape, stated]);
  return target && mapped(input, target, (values) => repeated(values, input.shape, target));
}

function concat(node: Node, parts: readonly Built[]): Built | undefined {
  const [first] = parts;
  const axis = first && normalise(node.int('axis', 1), first.shape.length);
  if (!first || axis === undefined || parts.length !== node.inputs.length) return undefined;
  const fits = parts.every(
    ({ shape, dataType }) =>
      dataType === first.dataType &&
      shape.length === first.shape.length &&
      shape.every((size, at) => at === axis || size === first.shape[at]),
  );
  if (!fits) return undefined;
  const total = parts.reduce((sum, { shape }) => sum + (shape[axis] ?? 0), 0);
  return {
    shape: first.shape.map((size, at) => (at === axis ? total : size)),
    dataType: first.dataType,
    from: new Set(parts.flatMap((part) => [...part.from])),
    read: () => {
      const read: Part[] = [];
      for (const part of parts) {
        const { value, issues } = part.read();
        if (!value) return fail(...issues);
        read.push({ values: value, shape: part.shape });
      }
      return ok(joined(read, axis));
    },
  };
}

/** In float32, broadcast like NumPy. Codes must have been cast before. */
function elementwise(
  left: Built,
  right: Built,
  calculate: (left: number, right: number) => number,
): Built | undefined {
  const shape = broadcastShapes([left.shape, right.shape]);
  if (!shape || left.dataType !== DataTypeCode.float || right.dataType !== DataTypeCode.float)
    return undefined;
  return {
    shape,
    dataType: DataTypeCode.float,
    from: sourcesOf(left, right),
    read: () => {
      const [one, other] = [left.read(), right.read()];
      if (!one.value || !other.value) return fail(...one.issues, ...other.issues);
      const values = repeated(one.value, left.shape, shape);
      const factors = repeated(other.value, right.shape, shape);
      for (let at = 0; at < values.length; at++) values[at] = calculate(values[at] ?? 0, factors[at] ?? 0);
      return ok(values);
    },
  };
}

/** Scales and offsets are smaller than what they scale. */
function sourcesOf(left: Built, right: Built): ReadonlySet<Value> {
  const [one, other] = [product(left.shape), product(right.shape)];
  if (one === other) return new Set([...left.from, ...right.from]);
  return one > other ? left.from : right.from;
}

function filled(node: Node, known: Known): Built | undefined {
  const shape = integers(known.content(0));
  const attribute = node.attributes.get('value');
  const stated = attribute?.type === 'tensor' ? protoTensor(attribute.value, undefined) : undefined;
  if (!shape || shape.some((size) => size < 0)) return undefined;
  return {
    shape,
    dataType: stated?.dataType ?? DataTypeCode.float,
    from: new Set(),
    read: () => {
      const number = stated ? stated.toFloat32().value?.[0] : 0;
      return ok(new Float32Array(product(shape)).fill(number ?? Number.NaN));
    },
  };
}

class ExpressionTensor implements Tensor {
  constructor(
    private readonly name: string,
    private readonly built: Built,
  ) {}

  get shape(): readonly number[] {
    return this.built.shape;
  }

  get dataType(): number {
    return this.built.dataType;
  }

  get size(): number {
    return product(this.built.shape);
  }

  toFloat32(): Outcome<Float32Array> {
    return this.built.read();
  }

  toIntegers(): Outcome<readonly number[]> {
    return fail(issue('tensor-invalid', { tensor: this.name, reason: 'it holds no integers' }));
  }

  toProto(name: string): TensorProto {
    const values = this.toFloat32().value ?? new Float32Array(this.size);
    return (realTensor(this.dataType, this.shape, values) ?? floatTensor(this.shape, values)).toProto(name);
  }
}
