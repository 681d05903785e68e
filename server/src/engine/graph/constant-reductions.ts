/**
 * Lengths, sums and functions of constants, element by element in float64: what normalised weights (weight
 * normalisation, weight standardisation) are divided by. Semantics after onnx/docs/Operators.md.
 */
import type { Node } from './ir';
import { eachIndex, stridesOf } from './small-tensor';

interface Reduction {
  /** What one element adds. */
  readonly term: (value: number) => number;
  readonly finish: (sum: number, count: number) => number;
}

const same = (value: number) => value;

/** Reductions to one number per position of the axes that stay. */
export const reductions: Readonly<Record<string, Reduction>> = {
  ReduceSum: { term: same, finish: same },
  ReduceMean: { term: same, finish: (sum, count) => sum / count },
  ReduceL1: { term: Math.abs, finish: same },
  ReduceL2: { term: (value) => value * value, finish: Math.sqrt },
  ReduceSumSquare: { term: (value) => value * value, finish: same },
};

/** Functions of one number. */
export const functions: Readonly<Record<string, (value: number) => number>> = {
  Abs: Math.abs,
  Exp: Math.exp,
  Log: Math.log,
  Neg: (value) => -value,
  Reciprocal: (value) => 1 / value,
  Sigmoid: (value) => 1 / (1 + Math.exp(-value)),
  Sqrt: Math.sqrt,
  Tanh: Math.tanh,
};

/** Shape after a reduction over `axes` (all of them when there are none). */
export function reducedShape(
  node: Node,
  shape: readonly number[],
  axes: readonly number[],
): readonly number[] {
  const dropped = new Set(axes);
  const kept = node.int('keepdims', 1) !== 0;
  return shape.flatMap((size, axis) => (dropped.has(axis) ? (kept ? [1] : []) : [size]));
}

/** Elements of the reduction of an array of `shape`. */
export function reduced(
  { term, finish }: Reduction,
  values: Float32Array,
  shape: readonly number[],
  axes: readonly number[],
): Float32Array {
  const dropped = new Set(axes);
  const target = shape.map((size, axis) => (dropped.has(axis) ? 1 : size));
  const strides = stridesOf(target).map((stride, axis) => (dropped.has(axis) ? 0 : stride));
  const sums = new Float64Array(target.reduce((all, size) => all * size, 1));
  let next = 0;
  eachIndex(shape, (index) => {
    const to = index.reduce((sum, at, axis) => sum + at * (strides[axis] ?? 0), 0);
    sums[to] = (sums[to] ?? 0) + term(values[next++] ?? 0);
  });
  const count = sums.length === 0 ? 0 : values.length / sums.length;
  return Float32Array.from(sums, (sum) => finish(sum, count));
}
