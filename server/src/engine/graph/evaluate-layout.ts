/**
 * Evaluation of operators that move elements of small tensors (onnx/docs/Operators.md), and the readings of axes and
 * bounds that shape rules share.
 */
import { defined } from '../base/invariant';
import type { Dimension } from '../format/onnx-types';
import { permutation } from './constant-source';
import type { Node } from './ir';
import { eachIndex, isIntegerType, SMALL_LIMIT, type SmallTensor, stridesOf } from './small-tensor';

/** What is known about a node's inputs. */
export interface Known {
  /** Content of an input. */
  readonly content: (index: number) => SmallTensor | undefined;
  /** Shape of an input, single dimensions possibly symbolic or unknown. */
  readonly shape: (index: number) => readonly Dimension[] | undefined;
}

type Scalar = number | undefined;

export function gather(node: Node, known: Known): SmallTensor | undefined {
  const data = known.content(0);
  const indices = known.content(1);
  if (!data || !indices) return undefined;
  const axis = normalise(node.int('axis', 0), data.shape.length);
  const length = axis === undefined ? undefined : data.shape[axis];
  if (axis === undefined || length === undefined) return undefined;
  const shape = [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)];
  if (shape.reduce((product, one) => product * one, 1) > SMALL_LIMIT) return undefined;
  const strides = stridesOf(data.shape);
  const places = stridesOf(indices.shape);
  const values = eachIndex(shape, (index) => {
    const inner = index.slice(axis, axis + indices.shape.length);
    const place = inner.reduce((sum, at, dimension) => sum + at * (places[dimension] ?? 0), 0);
    const picked = indices.values[place];
    const from = picked === undefined ? undefined : picked < 0 ? picked + length : picked;
    if (from === undefined || from < 0 || from >= length) return undefined;
    const at = [...index.slice(0, axis), from, ...index.slice(axis + indices.shape.length)];
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

export function unsqueeze(node: Node, known: Known): SmallTensor | undefined {
  const input = known.content(0);
  const axes = axesOf(node, known);
  if (!input || !axes) return undefined;
  const rank = input.shape.length + axes.length;
  const added = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  const rest = [...input.shape];
  const shape = Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() ?? 1)));
  return { ...input, shape };
}

export function squeeze(node: Node, known: Known): SmallTensor | undefined {
  const input = known.content(0);
  const named = node.attributes.has('axes') || node.input(1) !== undefined;
  const axes = axesOf(node, known);
  if (!input || (named && !axes)) return undefined;
  const rank = input.shape.length;
  const dropped = axes && new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  return { ...input, shape: input.shape.filter((size, axis) => (dropped ? !dropped.has(axis) : size !== 1)) };
}

export function concat(node: Node, known: Known): SmallTensor | undefined {
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

export function slice(node: Node, known: Known): SmallTensor | undefined {
  const data = known.content(0);
  const bounds = sliceBounds(node, known);
  if (!data || !bounds) return undefined;
  const picks = data.shape.map((size): readonly number[] => Array.from({ length: size }, (_, at) => at));
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

/** Positions that `start:end:step` takes of an axis, as NumPy does. Only for small sizes. */
export function slicePositions(size: number, start: number, end: number, step: number): readonly number[] {
  const from = clampedStart(size, start, step);
  return Array.from({ length: sliceLength(size, start, end, step) }, (_, count) => from + count * step);
}

/** Number of positions that `start:end:step` takes of an axis. */
export function sliceLength(size: number, start: number, end: number, step: number): number {
  const from = clampedStart(size, start, step);
  const to = step > 0 ? clamp(end, size, 0, size) : clamp(end, size, -1, size - 1);
  return Math.max(0, Math.ceil((to - from) / step));
}

function clampedStart(size: number, start: number, step: number): number {
  return step > 0 ? clamp(start, size, 0, size) : clamp(start, size, 0, size - 1);
}

function clamp(position: number, size: number, low: number, high: number): number {
  return Math.min(Math.max(position < 0 ? position + size : position, low), high);
}

export function reshape(node: Node, known: Known): SmallTensor | undefined {
  const input = known.content(0);
  const wanted = node.ints('shape') ?? known.content(1)?.values;
  if (!input || !wanted || wanted.some((one) => one === undefined)) return undefined;
  const allowZero = node.int('allowzero', 0) !== 0;
  const sizes = wanted.map((one, axis) => (one === 0 && !allowZero ? (input.shape[axis] ?? 0) : (one ?? 0)));
  const rest = sizes.filter((one) => one !== -1).reduce((a, b) => a * b, 1);
  const shape = sizes.map((one) => (one === -1 ? input.values.length / rest : one));
  return shape.reduce((a, b) => a * b, 1) === input.values.length ? { ...input, shape } : undefined;
}

export function flat(input: SmallTensor | undefined): SmallTensor | undefined {
  return input && { ...input, shape: [1, input.values.length] };
}

export function transpose(node: Node, known: Known): SmallTensor | undefined {
  const input = known.content(0);
  if (!input || !isIntegerType(input.dataType)) return undefined;
  const order = permutation(node, input.shape.length);
  if (!order) return undefined;
  const strides = stridesOf(input.shape);
  const shape = order.map((axis) => input.shape[axis] ?? 0);
  const values = eachIndex(
    shape,
    (index) => input.values[index.reduce((sum, at, axis) => sum + at * (strides[order[axis] ?? 0] ?? 0), 0)],
  );
  return { ...input, shape, values };
}

/** Axis counted from the front, `undefined` when it is outside. */
export function normalise(axis: number, rank: number): number | undefined {
  const place = axis < 0 ? axis + rank : axis;
  return place >= 0 && place < rank ? place : undefined;
}
