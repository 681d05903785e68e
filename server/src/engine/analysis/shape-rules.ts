/**
 * Output shapes per operator (onnx/docs/Operators.md, onnxruntime ContribOperators.md): elementwise operators,
 * normalisation, products and recurrence here; windows and layout in the files beside.
 */
import type { Known } from '../graph/evaluate';
import type { Node } from '../graph/ir';
import type { OpType } from '../graph/ops';
import { attentionShape, projectionWidths } from './attention-macs';
import { layoutRules } from './shape-rules-layout';
import { windowRules } from './shape-rules-window';
import type { Shape } from './static-shapes';

/** Shape per output; `undefined` entries are unknown. */
export type ShapeRule = (node: Node, known: Known) => readonly (Shape | undefined)[] | undefined;

const first: ShapeRule = (_node, known) => [known.shape(0)];
/** The optional second output (mask, quantized residual) has the first input's shape as well. */
const firstTwice: ShapeRule = (_node, known) => [known.shape(0), known.shape(0)];
const broadcastAll: ShapeRule = (node, known) => [
  broadcast(node.inputs.map((_, index) => known.shape(index))),
];
const quantizedBinary: ShapeRule = (_node, known) => [broadcast([known.shape(0), known.shape(3)])];

const plainRules = {
  Relu: first,
  Clip: first,
  LeakyRelu: first,
  PRelu: first,
  ThresholdedRelu: first,
  Elu: first,
  Selu: first,
  Celu: first,
  Gelu: first,
  'com.microsoft.Gelu': first,
  'com.microsoft.FastGelu': first,
  'com.microsoft.QuickGelu': first,
  'com.microsoft.BiasGelu': first,
  Sigmoid: first,
  HardSigmoid: first,
  HardSwish: first,
  Swish: first,
  Mish: first,
  Softplus: first,
  Softsign: first,
  Tanh: first,
  Shrink: first,
  Softmax: first,
  LogSoftmax: first,
  Hardmax: first,
  Erf: first,
  Neg: first,
  Abs: first,
  Reciprocal: first,
  Sqrt: first,
  Exp: first,
  Log: first,
  Floor: first,
  Ceil: first,
  Round: first,
  Sign: first,
  Sin: first,
  Cos: first,
  Tan: first,
  Asin: first,
  Acos: first,
  Atan: first,
  Sinh: first,
  Cosh: first,
  Asinh: first,
  Acosh: first,
  Atanh: first,
  BitwiseNot: first,
  Not: first,
  IsInf: first,
  IsNaN: first,
  CumSum: first,
  CumProd: first,
  Trilu: first,
  EyeLike: first,
  Identity: first,
  Cast: first,
  CastLike: first,
  BitCast: first,
  Dropout: firstTwice,
  ReverseSequence: first,
  RandomNormalLike: first,
  RandomUniformLike: first,
  Bernoulli: first,
  Scatter: first,
  ScatterElements: first,
  ScatterND: first,
  TensorScatter: first,
  BatchNormalization: first,
  InstanceNormalization: first,
  LayerNormalization: first,
  GroupNormalization: first,
  RMSNormalization: first,
  SimplifiedLayerNormalization: first,
  'com.microsoft.SkipLayerNormalization': first,
  'com.microsoft.SkipSimplifiedLayerNormalization': first,
  MeanVarianceNormalization: first,
  LpNormalization: first,
  LRN: first,
  RotaryEmbedding: first,
  'com.microsoft.RotaryEmbedding': first,
  'com.microsoft.MultiHeadAttention': first,
  'com.microsoft.GroupQueryAttention': first,
  QuantizeLinear: first,
  DequantizeLinear: first,
  DynamicQuantizeLinear: (_node, known) => [known.shape(0), [], []],
  'com.microsoft.QuantizeLinear': first,
  'com.microsoft.DequantizeLinear': first,
  'com.microsoft.QLinearSigmoid': first,
  'com.microsoft.QLinearLeakyRelu': first,
  'com.microsoft.QLinearSoftmax': first,
  'com.microsoft.QLinearAdd': quantizedBinary,
  'com.microsoft.QLinearMul': quantizedBinary,
  Add: broadcastAll,
  Sub: broadcastAll,
  Mul: broadcastAll,
  Div: broadcastAll,
  Pow: broadcastAll,
  Mod: broadcastAll,
  Min: broadcastAll,
  Max: broadcastAll,
  Sum: broadcastAll,
  Mean: broadcastAll,
  And: broadcastAll,
  Or: broadcastAll,
  Xor: broadcastAll,
  Equal: broadcastAll,
  Greater: broadcastAll,
  GreaterOrEqual: broadcastAll,
  Less: broadcastAll,
  LessOrEqual: broadcastAll,
  BitShift: broadcastAll,
  BitwiseAnd: broadcastAll,
  BitwiseOr: broadcastAll,
  BitwiseXor: broadcastAll,
  Where: broadcastAll,
  Gemm: gemm(0, 1),
  'com.microsoft.QGemm': gemm(0, 3),
  'com.microsoft.FusedGemm': gemm(0, 1),
  MatMul: matMul(0, 1),
  MatMulInteger: matMul(0, 1),
  QLinearMatMul: matMul(0, 3),
  'com.microsoft.MatMulIntegerToFloat': matMul(0, 1),
  'com.microsoft.DynamicQuantizeMatMul': matMul(0, 1),
  'com.microsoft.GemmFastGelu': matMul(0, 1),
  'com.microsoft.FusedMatMul': fusedMatMul,
  'com.microsoft.TransposeMatMul': fusedMatMul,
  'com.microsoft.FusedMatMulActivation': fusedMatMul,
  'com.microsoft.MatMulNBits': columnsStated,
  'com.microsoft.MatMulBnb4': columnsStated,
  Attention: (node, known) => [attentionShape(node, known)],
  'com.microsoft.Attention': mergedAttention,
  'com.microsoft.QAttention': mergedAttention,
  'com.microsoft.EmbedLayerNormalization': embedded,
  'com.microsoft.QEmbedLayerNormalization': embedded,
  'com.microsoft.MoE': first,
  'com.microsoft.QMoE': first,
  Einsum: einsum,
  LSTM: recurrent(2),
  GRU: recurrent(1),
  RNN: recurrent(1),
  'com.microsoft.DynamicQuantizeLSTM': recurrent(2),
} as const satisfies Partial<Record<OpType, ShapeRule>>;

const rules = new Map<string, ShapeRule>([
  ...Object.entries<ShapeRule>(plainRules),
  ...Object.entries<ShapeRule>(windowRules),
  ...Object.entries<ShapeRule>(layoutRules),
]);

/** The rule of a node's operator, `undefined` when there is none. */
export function shapeRule(node: Node): ShapeRule | undefined {
  return rules.get(node.op);
}

/** NumPy broadcasting where dimensions may be unknown: only 1 surely gives way to the other. */
export function broadcast(shapes: readonly (Shape | undefined)[]): Shape | undefined {
  let rank = 0;
  const known: Shape[] = [];
  for (const shape of shapes) {
    if (!shape) return undefined;
    known.push(shape);
    rank = Math.max(rank, shape.length);
  }
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = known
      .filter((shape) => axis - rank + shape.length >= 0)
      .map((shape) => shape[axis - rank + shape.length])
      .filter((size) => size !== 1);
    if (sizes.length === 0) return 1;
    // A number other than 1 decides; an unknown beside it must be 1 or the same.
    return (
      sizes.find((size) => typeof size === 'number') ??
      (sizes.every((size) => size === sizes[0]) ? sizes[0] : undefined)
    );
  });
}

function columnsStated(node: Node, known: Known): readonly (Shape | undefined)[] {
  const input = known.shape(0);
  return [input && [...input.slice(0, -1), node.int('N', 0)]];
}

function mergedAttention(node: Node, known: Known): readonly (Shape | undefined)[] | undefined {
  const input = known.shape(0);
  const widths = projectionWidths(node, known.shape(1));
  return input && [[input[0], input[1], widths?.[1]]];
}

/** Embeddings [batch, length, width] and mask indices [batch]. */
function embedded(_node: Node, known: Known): readonly (Shape | undefined)[] | undefined {
  const ids = known.shape(0);
  return ids && [[ids[0], ids[1], known.shape(2)?.[1]], [ids[0]]];
}

function gemm(left: number, right: number): ShapeRule {
  return (node, known) => {
    const [a, b] = [known.shape(left), known.shape(right)];
    if (a?.length !== 2 || b?.length !== 2) return undefined;
    return [[a[node.int('transA', 0) !== 0 ? 1 : 0], b[node.int('transB', 0) !== 0 ? 0 : 1]]];
  };
}

function matMul(left: number, right: number): ShapeRule {
  return (_node, known) => [matMulShape(known.shape(left), known.shape(right))];
}

function fusedMatMul(node: Node, known: Known): readonly (Shape | undefined)[] {
  const swap = (shape: Shape | undefined, name: string) =>
    shape && node.int(name, 0) !== 0 ? [...shape.slice(0, -2), shape.at(-1), shape.at(-2)] : shape;
  return [matMulShape(swap(known.shape(0), 'transA'), swap(known.shape(1), 'transB'))];
}

function matMulShape(left: Shape | undefined, right: Shape | undefined): Shape | undefined {
  if (!left || !right || left.length === 0 || right.length === 0) return undefined;
  const batch = broadcast([left.slice(0, -2), right.slice(0, -2)]);
  if (!batch) return undefined;
  // One-dimensional operands take part as a row or column that is dropped again.
  const rows = left.length > 1 ? [left.at(-2)] : [];
  const columns = right.length > 1 ? [right.at(-1)] : [];
  return [...batch, ...rows, ...columns];
}

/** Labels of an Einsum equation with their sizes; `undefined` for ellipses and ranks that do not fit. */
export function einsumSizes(
  node: Node,
  known: Known,
): { readonly sizes: ReadonlyMap<string, Shape[number]>; readonly output: readonly string[] } | undefined {
  const equation = node.string('equation', '').replace(/\s/g, '');
  const [inputs, stated] = equation.split('->');
  if (!inputs || equation.includes('.')) return undefined;
  const sizes = new Map<string, Shape[number]>();
  const terms = inputs.split(',');
  for (const [index, term] of terms.entries()) {
    const shape = known.shape(index);
    if (shape?.length !== term.length) return undefined;
    for (const [axis, label] of [...term].entries()) {
      const size = shape[axis];
      if (typeof sizes.get(label) !== 'number' || sizes.get(label) === 1) sizes.set(label, size);
    }
  }
  const once = [...sizes.keys()].filter((label) => inputs.split(label).length === 2).sort();
  return { sizes, output: stated === undefined ? once : [...stated] };
}

function einsum(node: Node, known: Known): readonly (Shape | undefined)[] | undefined {
  const found = einsumSizes(node, known);
  return found && [found.output.map((label) => found.sizes.get(label))];
}

function recurrent(states: number): ShapeRule {
  return (node, known) => {
    const input = known.shape(0);
    if (input?.length !== 3) return undefined;
    const directions = node.string('direction', 'forward') === 'bidirectional' ? 2 : 1;
    const hidden = node.int('hidden_size', 0) || known.shape(2)?.[2];
    const batchFirst = node.int('layout', 0) !== 0;
    const [sequence, batch] = batchFirst ? [input[1], input[0]] : [input[0], input[1]];
    const state = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
    const all = batchFirst ? [batch, sequence, directions, hidden] : [sequence, directions, batch, hidden];
    return [all, ...Array.from({ length: states }, () => state)];
  };
}
