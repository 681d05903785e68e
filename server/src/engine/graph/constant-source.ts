/**
 * The constant behind a value: through nodes that convert, transpose or dequantize it, and behind DequantizeLinear
 * through those that bring codes stored in blocks or rows back to the weight's shape. Nothing of it is read.
 */
import type { Node, Value } from './ir';
import { product } from './rearrange';
import type { Tensor } from './tensor';

export interface ConstantSource {
  readonly value: Value;
  readonly tensor: Tensor;
  readonly through: readonly Node[];
}

/** Operators through which a weight stays a weight. */
const TRANSPARENT: ReadonlySet<string> = new Set([
  'Identity',
  'Cast',
  'Transpose',
  'QuantizeLinear',
  'com.microsoft.QuantizeLinear',
  'DequantizeLinear',
  'com.microsoft.DequantizeLinear',
]);

/** Operators that bring codes stored in blocks or rows back to the weight's shape. */
const RESHAPING: ReadonlySet<string> = new Set(['Reshape', 'Slice', 'Squeeze', 'Unsqueeze', 'Flatten']);

/**
 * The constant behind a value, looking through nodes that only convert or transpose it; when it is dequantized on the
 * way, also through nodes that reshape it afterwards.
 */
export function constantSource(value: Value | undefined): ConstantSource | undefined {
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
  if (node.op === 'Reshape') return reshapedTo(shape, node.input(1)?.tensor?.toIntegers().value);
  if (node.op === 'Flatten') {
    const axis = node.int('axis', 1);
    const cut = axis < 0 ? axis + shape.length : axis;
    return [product(shape.slice(0, cut)), product(shape.slice(cut))];
  }
  const axes = node.ints('axes') ?? node.input(1)?.tensor?.toIntegers().value?.map(Number);
  if (node.op === 'Squeeze') return squeezed(shape, axes);
  return node.op === 'Unsqueeze' ? axes && unsqueezed(shape, axes) : shape;
}

/** Shape after Reshape to `stated` with allowzero = 0; `undefined` when it does not hold the same elements. */
export function reshapedTo(
  shape: readonly number[],
  stated: readonly number[] | undefined,
): readonly number[] | undefined {
  if (!stated) return undefined;
  const sizes = Array.from(stated, (size, axis) => (Number(size) === 0 ? (shape[axis] ?? 0) : Number(size)));
  const known = product(sizes.filter((size) => size !== -1));
  const whole = sizes.map((size) => (size === -1 ? product(shape) / known : size));
  return product(whole) === product(shape) && whole.every(Number.isInteger) ? whole : undefined;
}

/** Shape without the given axes of size 1; without axes, without all of size 1. */
export function squeezed(shape: readonly number[], axes: readonly number[] | undefined): readonly number[] {
  const dropped = axes && new Set(axes.map((axis) => (axis < 0 ? axis + shape.length : axis)));
  return shape.filter((size, axis) => size !== 1 || (dropped !== undefined && !dropped.has(axis)));
}

/** Shape with axes of size 1 at the given places of the result. */
export function unsqueezed(shape: readonly number[], axes: readonly number[]): readonly number[] {
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  const rest = [...shape];
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() ?? 1)));
}

/** Permutation of a Transpose node; default reverses the axes. `undefined` when it is none of `rank` axes. */
export function permutation(node: Node, rank: number): readonly number[] | undefined {
  const stated = node.ints('perm');
  if (!stated) return Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const valid = stated.length === rank && stated.every((_, axis) => stated.includes(axis));
  return valid ? stated : undefined;
}
