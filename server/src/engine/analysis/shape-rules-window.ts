/** Output shapes of operators that slide a window: convolutions, pooling, and rescaling of images. */
import type { Known } from '../graph/evaluate';
import type { Node } from '../graph/ir';
import type { OpType } from '../graph/ops';
import type { ShapeRule } from './shape-rules';
import type { Shape } from './static-shapes';

type Size = Shape[number];

const globalPool: ShapeRule = (_node, known) => {
  const input = known.shape(0);
  return [input?.map((size, axis) => (axis < 2 ? size : 1))];
};

export const windowRules = {
  Conv: convolution(1),
  ConvInteger: convolution(1),
  QLinearConv: convolution(3),
  'com.microsoft.FusedConv': convolution(1),
  ConvTranspose: (node, known) => [transposedConvolution(node, known)],
  DeformConv: convolution(1),
  MaxPool: pool,
  AveragePool: pool,
  LpPool: pool,
  'com.microsoft.QLinearAveragePool': (node, known) =>
    node.int('channels_last', 0) === 0 ? pool(node, known) : undefined,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  GlobalLpPool: globalPool,
  'com.microsoft.QLinearGlobalAveragePool': (node, known) =>
    node.int('channels_last', 0) === 0 ? globalPool(node, known) : undefined,
  Resize: (node, known) => [resized(node, known, 2, 3)],
  Upsample: (node, known) => [resized(node, known, 1, 3)],
  GridSample: (_node, known) => {
    const [input, grid] = [known.shape(0), known.shape(1)];
    return input && grid && [[...input.slice(0, 2), ...grid.slice(1, -1)]];
  },
} as const satisfies Partial<Record<OpType, ShapeRule>>;

function convolution(weightInput: number): ShapeRule {
  return (node, known) => {
    const [input, weight] = [known.shape(0), known.shape(weightInput)];
    if (!input || !weight) return undefined;
    const spatial = slide(node, input.slice(2), node.ints('kernel_shape') ?? weight.slice(2));
    return [[input[0], weight[0], ...spatial]];
  };
}

function pool(node: Node, known: Known): readonly (Shape | undefined)[] | undefined {
  const input = known.shape(0);
  const kernel = node.ints('kernel_shape');
  if (!input || !kernel) return undefined;
  const shape = [input[0], input[1], ...slide(node, input.slice(2), kernel)];
  return [shape, shape];
}

/** Positions of the window along each spatial axis; the formulas of Conv and MaxPool in Operators.md. */
function slide(node: Node, sizes: Shape, kernel: Shape): Shape {
  const strides = node.ints('strides');
  const dilations = node.ints('dilations');
  const pads = node.ints('pads');
  const padding = node.string('auto_pad', 'NOTSET');
  const ceil = node.int('ceil_mode', 0) !== 0;
  return sizes.map((size, axis) => {
    const window = kernel[axis];
    const stride = strides?.[axis] ?? 1;
    if (typeof size !== 'number' || typeof window !== 'number') return undefined;
    if (padding.startsWith('SAME')) return Math.ceil(size / stride);
    const reach = (window - 1) * (dilations?.[axis] ?? 1) + 1;
    const valid = padding === 'VALID';
    const before = valid ? 0 : (pads?.[axis] ?? 0);
    const after = valid ? 0 : (pads?.[axis + sizes.length] ?? 0);
    const room = (size + before + after - reach) / stride;
    if (!ceil) return Math.floor(room) + 1;
    // A window that would start in the right padding is dropped.
    const positions = Math.ceil(room) + 1;
    return (positions - 1) * stride >= size + before ? positions - 1 : positions;
  });
}

function transposedConvolution(node: Node, known: Known): Shape | undefined {
  const [input, weight] = [known.shape(0), known.shape(1)];
  const perGroup = weight?.[1];
  if (!input || !weight) return undefined;
  const channels = typeof perGroup === 'number' ? perGroup * Math.max(1, node.int('group', 1)) : undefined;
  const kernel = node.ints('kernel_shape') ?? weight.slice(2);
  const sizes = input.slice(2);
  const stated = node.ints('output_shape');
  const strides = node.ints('strides');
  const pads = node.ints('pads');
  const padding = node.string('auto_pad', 'NOTSET');
  const spatial = sizes.map((size, axis): Size => {
    const window = kernel[axis];
    const stride = strides?.[axis] ?? 1;
    if (stated) return stated[stated.length - sizes.length + axis];
    if (typeof size !== 'number' || typeof window !== 'number') return undefined;
    if (padding.startsWith('SAME')) return size * stride;
    const reach = (window - 1) * (node.ints('dilations')?.[axis] ?? 1) + 1;
    const cut = padding === 'VALID' ? 0 : (pads?.[axis] ?? 0) + (pads?.[axis + sizes.length] ?? 0);
    return stride * (size - 1) + (node.ints('output_padding')?.[axis] ?? 0) + reach - cut;
  });
  return [input[0], channels, ...spatial];
}

function resized(node: Node, known: Known, scalesInput: number, sizesInput: number): Shape | undefined {
  const input = known.shape(0);
  if (!input) return undefined;
  const axes = node.ints('axes')?.map((axis) => (axis < 0 ? axis + input.length : axis));
  const place = (axis: number) => (axes ? axes.indexOf(axis) : axis);
  const sizes = node.opType === 'Resize' ? known.content(sizesInput)?.values : undefined;
  if (sizes?.length && node.string('keep_aspect_ratio_policy', 'stretch') === 'stretch') {
    return input.map((size, axis) => (place(axis) < 0 ? size : sizes[place(axis)]));
  }
  // Opset 10 has the scales as input 1; older Upsample as an attribute.
  const attribute = node.attributes.get('scales');
  const scales =
    attribute?.type === 'floats'
      ? attribute.value
      : (known.content(node.inputs.length === 2 ? 1 : scalesInput)?.values ?? undefined);
  if (!scales?.length) return input.map(() => undefined);
  return input.map((size, axis) => {
    const scale = scales[place(axis)];
    if (place(axis) < 0) return size;
    return typeof size === 'number' && scale !== undefined ? Math.floor(size * scale) : undefined;
  });
}
