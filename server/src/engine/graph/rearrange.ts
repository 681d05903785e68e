/** Float arrays in row-major order with their axes permuted, cut, joined or repeated. */
import { eachIndex, stridesOf } from './small-tensor';

/** Elements of a tensor of `shape` after permuting its axes. */
export function permuted(
  values: Float32Array,
  shape: readonly number[],
  order: readonly number[],
): Float32Array {
  const result = new Float32Array(values.length);
  const [rows, columns] = shape;
  if (shape.length === 2 && rows !== undefined && columns !== undefined && order[0] === 1) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        result[column * rows + row] = values[row * columns + column] ?? 0;
      }
    }
    return result;
  }
  const strides = stridesOf(shape);
  const target = order.map((axis) => shape[axis] ?? 0);
  let next = 0;
  eachIndex(target, (index) => {
    const from = index.reduce((sum, at, axis) => sum + at * (strides[order[axis] ?? 0] ?? 0), 0);
    result[next++] = values[from] ?? 0;
  });
  return result;
}

/** Chosen positions of one axis, in the order given. */
export function selected(
  values: Float32Array,
  shape: readonly number[],
  axis: number,
  positions: readonly number[],
): Float32Array {
  const inner = product(shape.slice(axis + 1));
  const outer = product(shape.slice(0, axis));
  const size = shape[axis] ?? 0;
  const result = new Float32Array(outer * positions.length * inner);
  let next = 0;
  for (let at = 0; at < outer; at++) {
    for (const position of positions) {
      const from = (at * size + position) * inner;
      result.set(values.subarray(from, from + inner), next);
      next += inner;
    }
  }
  return result;
}

export interface Part {
  readonly values: Float32Array;
  readonly shape: readonly number[];
}

/** Parts joined along an axis; their other dimensions agree. */
export function joined(parts: readonly Part[], axis: number): Float32Array {
  const runs = parts.map(({ shape }) => product(shape.slice(axis)));
  const outer = product(parts[0]?.shape.slice(0, axis) ?? []);
  const result = new Float32Array(outer * runs.reduce((sum, run) => sum + run, 0));
  let next = 0;
  for (let at = 0; at < outer; at++) {
    parts.forEach(({ values }, index) => {
      const run = runs[index] ?? 0;
      result.set(values.subarray(at * run, (at + 1) * run), next);
      next += run;
    });
  }
  return result;
}

/** Broadcast to `target`, whose rank is at least that of `shape` and whose dimensions fit. */
export function repeated(
  values: Float32Array,
  shape: readonly number[],
  target: readonly number[],
): Float32Array {
  const lead = target.length - shape.length;
  const strides = stridesOf(shape);
  const steps = target.map((_, axis) => (shape[axis - lead] === 1 ? 0 : (strides[axis - lead] ?? 0)));
  const result = new Float32Array(product(target));
  const index = target.map(() => 0);
  for (let at = 0, from = 0; at < result.length; at++) {
    result[at] = values[from] ?? 0;
    for (let axis = target.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      from += steps[axis] ?? 0;
      if (next < (target[axis] ?? 0)) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      from -= next * (steps[axis] ?? 0);
    }
  }
  return result;
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1);
}
