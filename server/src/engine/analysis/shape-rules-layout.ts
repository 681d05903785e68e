/** Output shapes of operators that move, cut, join or reduce axes. */
import { axesOf, type Known, normalise, sliceBounds, sliceLength } from '../graph/evaluate';
import type { Node } from '../graph/ir';
import { permutation } from '../graph/layers';
import type { OpType } from '../graph/ops';
import type { ShapeRule } from './shape-rules';
import type { Shape } from './static-shapes';

type Size = Shape[number];

export const layoutRules = {
  Reshape: (node, known) => [reshaped(node, known)],
  Flatten: (node, known) => [flattened(node, known)],
  Transpose: (node, known) => {
    const input = known.shape(0);
    return [input && permutation(node, input.length)?.map((axis) => input[axis])];
  },
  Squeeze: (node, known) => [squeezed(node, known)],
  Unsqueeze: (node, known) => [unsqueezed(node, known)],
  Concat: (node, known) => [
    concatenated(
      node,
      node.inputs.map((_, index) => known.shape(index)),
    ),
  ],
  'com.microsoft.QLinearConcat': (node, known) => [
    // Inputs after the output's scale and zero point come in threes: tensor, scale, zero point.
    concatenated(
      node,
      node.inputs.flatMap((_, index) => (index % 3 === 2 ? [known.shape(index)] : [])),
    ),
  ],
  Split: split,
  Slice: (node, known) => [sliced(node, known)],
  Gather: (node, known) => [gathered(node, known)],
  'com.microsoft.GatherBlockQuantized': (node, known) => [gathered(node, known)],
  GatherElements: (_node, known) => [known.shape(1)],
  GatherND: (node, known) => [gatheredWindows(node, known)],
  Expand: (_node, known) => [expanded(known)],
  Tile: (_node, known) => {
    const repeats = known.content(1)?.values;
    return [known.shape(0)?.map((size, axis) => times(size, repeats?.[axis]))];
  },
  Pad: (node, known) => [padded(node, known)],
  DepthToSpace: (node, known) => [blocks(known.shape(0), node.int('blocksize', 1), 'space')],
  SpaceToDepth: (node, known) => [blocks(known.shape(0), node.int('blocksize', 1), 'depth')],
  ConstantOfShape: (_node, known) => [known.content(0)?.values ?? unknownAxes(known.shape(0)?.[0])],
  Shape: (_node, known) => {
    const input = known.shape(0);
    return input && [[input.length]];
  },
  Size: () => [[]],
  Range: () => [[undefined]],
  OneHot: (node, known) => {
    const indices = known.shape(0);
    if (!indices) return undefined;
    const axis = normalise(node.int('axis', -1), indices.length + 1) ?? indices.length;
    return [[...indices.slice(0, axis), known.content(1)?.values[0], ...indices.slice(axis)]];
  },
  TopK: (node, known) => {
    const input = known.shape(0);
    const axis = input && normalise(node.int('axis', -1), input.length);
    const count = node.attributes.has('k') ? node.int('k', 0) : known.content(1)?.values[0];
    const shape = input?.map((size, at) => (at === axis ? count : size));
    return [shape, shape];
  },
  ArgMax: argument,
  ArgMin: argument,
  ReduceMean: reduced,
  ReduceSum: reduced,
  ReduceMax: reduced,
  ReduceMin: reduced,
  ReduceProd: reduced,
  ReduceL1: reduced,
  ReduceL2: reduced,
  ReduceSumSquare: reduced,
  ReduceLogSum: reduced,
  ReduceLogSumExp: reduced,
  NonZero: (_node, known) => [[known.shape(0)?.length, undefined]],
  NonMaxSuppression: () => [[undefined, 3]],
} as const satisfies Partial<Record<OpType, ShapeRule>>;

function times(left: Size, right: Size): Size {
  return typeof left === 'number' && typeof right === 'number' ? left * right : undefined;
}

function plus(left: Size, right: Size): Size {
  return typeof left === 'number' && typeof right === 'number' ? left + right : undefined;
}

function productOf(sizes: Shape): Size {
  return sizes.reduce<Size>(times, 1);
}

/** A rank beyond this is a lie of the file. */
const MAX_RANK = 64;

function unknownAxes(rank: Size): Shape | undefined {
  return typeof rank === 'number' && rank <= MAX_RANK
    ? Array.from({ length: rank }, () => undefined)
    : undefined;
}

function reshaped(node: Node, known: Known): Shape | undefined {
  const input = known.shape(0);
  const wanted = node.ints('shape') ?? known.content(1)?.values;
  if (!wanted) return unknownAxes(known.shape(1)?.[0]);
  const allowZero = node.int('allowzero', 0) !== 0;
  const sizes = wanted.map((size, axis) => (size === 0 && !allowZero ? input?.[axis] : size));
  const open = sizes.indexOf(-1);
  if (open < 0) return sizes;
  const rest = productOf(sizes.filter((_, axis) => axis !== open));
  const all = input && productOf(input);
  const found = typeof all === 'number' && typeof rest === 'number' && rest > 0 ? all / rest : undefined;
  return sizes.map((size, axis) => (axis === open ? found : size));
}

function flattened(node: Node, known: Known): Shape | undefined {
  const input = known.shape(0);
  if (!input) return undefined;
  const axis = node.int('axis', 1);
  const cut = axis < 0 ? axis + input.length : axis;
  return [productOf(input.slice(0, cut)), productOf(input.slice(cut))];
}

function squeezed(node: Node, known: Known): Shape | undefined {
  const input = known.shape(0);
  const named = node.attributes.has('axes') || node.input(1) !== undefined;
  const axes = axesOf(node, known);
  if (!input || (named && !axes)) return undefined;
  if (!axes && !input.every((size) => typeof size === 'number')) return undefined;
  const dropped = axes && new Set(axes.map((axis) => (axis < 0 ? axis + input.length : axis)));
  return input.filter((size, axis) => (dropped ? !dropped.has(axis) : size !== 1));
}

function unsqueezed(node: Node, known: Known): Shape | undefined {
  const input = known.shape(0);
  const axes = axesOf(node, known);
  if (!input || !axes) return undefined;
  const rank = input.length + axes.length;
  const added = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  const rest = [...input];
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : rest.shift()));
}

function concatenated(node: Node, shapes: readonly (Shape | undefined)[]): Shape | undefined {
  const known = shapes.find((shape) => shape !== undefined);
  const axis = known && normalise(node.int('axis', 1), known.length);
  if (!known || axis === undefined) return undefined;
  return known.map((_, at) => {
    const sizes = shapes.map((shape) => shape?.[at]);
    return at === axis ? sizes.reduce<Size>(plus, 0) : sizes.find((size) => typeof size === 'number');
  });
}

function split(node: Node, known: Known): readonly (Shape | undefined)[] | undefined {
  const input = known.shape(0);
  const axis = input && normalise(node.int('axis', 0), input.length);
  if (!input || axis === undefined) return undefined;
  const parts = node.ints('split') ?? known.content(1)?.values;
  const size = input[axis];
  const equal = typeof size === 'number' ? Math.ceil(size / node.outputs.length) : undefined;
  return node.outputs.map((_, index) => {
    const last = index === node.outputs.length - 1 && typeof size === 'number' && equal !== undefined;
    const part = node.input(1) || parts ? parts?.[index] : last ? size - equal * index : equal;
    return input.map((one, at) => (at === axis ? part : one));
  });
}

function sliced(node: Node, known: Known): Shape | undefined {
  const input = known.shape(0);
  const bounds = sliceBounds(node, known);
  if (!input) return undefined;
  if (!bounds) return input.map(() => undefined);
  const result: Size[] = [...input];
  for (const { axis, start, end, step } of bounds) {
    const place = normalise(axis, input.length);
    if (place === undefined) return undefined;
    const size = input[place];
    const complete = start === 0 && end !== undefined && end >= Number.MAX_SAFE_INTEGER && step === 1;
    if (complete) continue;
    const known = typeof size === 'number' && start !== undefined && end !== undefined && step;
    result[place] = known ? sliceLength(size, start, end, step) : undefined;
  }
  return result;
}

function gathered(node: Node, known: Known): Shape | undefined {
  const [data, indices] = [known.shape(0), known.shape(1)];
  const axis = data && normalise(node.int('axis', 0), data.length);
  if (!data || !indices || axis === undefined) return undefined;
  return [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)];
}

function gatheredWindows(node: Node, known: Known): Shape | undefined {
  const [data, indices] = [known.shape(0), known.shape(1)];
  const depth = indices?.at(-1);
  if (!data || !indices || typeof depth !== 'number') return undefined;
  return [...indices.slice(0, -1), ...data.slice(node.int('batch_dims', 0) + depth)];
}

function expanded(known: Known): Shape | undefined {
  const input = known.shape(0);
  const wanted = known.content(1)?.values;
  if (!input || !wanted) return unknownAxes(known.shape(1)?.[0]);
  const rank = Math.max(input.length, wanted.length);
  return Array.from({ length: rank }, (_, axis) => {
    const at = axis - rank + input.length;
    const size = at >= 0 ? input[at] : 1;
    const to = axis - rank + wanted.length;
    const target = to >= 0 ? wanted[to] : 1;
    return size === 1 ? target : target === 1 ? size : (size ?? target);
  });
}

function padded(node: Node, known: Known): Shape | undefined {
  const input = known.shape(0);
  const pads = node.ints('pads') ?? node.ints('paddings') ?? known.content(1)?.values;
  if (!input) return undefined;
  if (!pads) return input.map(() => undefined);
  const stated = node.input(3) ? known.content(3)?.values : input.map((_, axis) => axis);
  if (!stated) return input.map(() => undefined);
  const axes = stated.map((axis) => (axis === undefined ? -1 : axis < 0 ? axis + input.length : axis));
  return input.map((size, axis) => {
    const place = axes.indexOf(axis);
    return place < 0 ? size : plus(plus(size, pads[place]), pads[place + axes.length]);
  });
}

function blocks(input: Shape | undefined, size: number, to: 'space' | 'depth'): Shape | undefined {
  if (input?.length !== 4) return undefined;
  const scale = to === 'space' ? size : 1 / size;
  return [input[0], times(input[1], 1 / (scale * scale)), times(input[2], scale), times(input[3], scale)];
}

function argument(node: Node, known: Known): readonly (Shape | undefined)[] | undefined {
  const input = known.shape(0);
  const axis = input && normalise(node.int('axis', 0), input.length);
  return input && axis !== undefined ? [without(input, new Set([axis]), node)] : undefined;
}

function reduced(node: Node, known: Known): readonly (Shape | undefined)[] | undefined {
  const input = known.shape(0);
  const named = node.attributes.has('axes') || node.input(1) !== undefined;
  const axes = axesOf(node, known);
  if (!input || (named && !axes)) return undefined;
  // No axes means all, unless the node says that it then does nothing.
  if (!axes?.length && node.int('noop_with_empty_axes', 0) !== 0) return [input];
  const all = axes?.length
    ? axes.map((axis) => (axis < 0 ? axis + input.length : axis))
    : input.map((_, axis) => axis);
  return [without(input, new Set(all), node)];
}

function without(input: Shape, axes: ReadonlySet<number>, node: Node): Shape {
  if (node.int('keepdims', 1) !== 0) return input.map((size, axis) => (axes.has(axis) ? 1 : size));
  return input.filter((_, axis) => !axes.has(axis));
}
