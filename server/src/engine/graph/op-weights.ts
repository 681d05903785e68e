/**
 * Where operators carry weights: input positions, output channels, how the weight acts. Rows of `ops.ts` refer to
 * these facts. Sources: onnx/docs/Operators.md, onnxruntime's ContribOperators.md (shapes of merged and stacked
 * weights).
 */
import type { Node } from './ir';

export interface WeightFacts {
  /** Input position of the weight. */
  readonly input: number;
  /** Input position of the activation; of a lookup, that of its indices. */
  readonly activation: number;
  /** Input position of the bias, when the operator has one. */
  readonly bias?: number;
  /** Axis of the weight's output channels, given the weight's rank. */
  readonly channelAxis: (node: Node, rank: number) => number;
  /** Smallest rank at which the weight has output channels; vectors (biases, γ, β, peepholes) are no layers. */
  readonly minimumRank: number;
  /** The weight's channels are split in groups (attribute `group`). */
  readonly grouped?: true;
  /** Rows are picked, not multiplied: the activation is integer indices. */
  readonly lookup?: true;
  /** The weight multiplies with a state inside the operator; the activation feeds another of its weights. */
  readonly inner?: true;
  /**
   * The weight in fewer axes with the same elements in the same order, where its channels span several axes
   * (directions × gates, experts × outputs); `undefined` = as it is.
   */
  readonly merged?: (node: Node, shape: readonly number[]) => readonly number[] | undefined;
}

const first = () => 0;
const second = () => 1;
const last = (_node: Node, rank: number) => rank - 1;
const gemmAxis = (node: Node) => (node.int('transB', 0) !== 0 ? 0 : 1);
const gemmLeftAxis = (node: Node) => (node.int('transA', 0) !== 0 ? 1 : 0);
const fusedMatMulAxis = (node: Node, rank: number) => (node.int('transB', 0) !== 0 ? rank - 2 : rank - 1);
const fusedLeftAxis = (node: Node, rank: number) => (node.int('transA', 0) !== 0 ? rank - 1 : rank - 2);

export const conv: WeightFacts = {
  input: 1,
  activation: 0,
  bias: 2,
  channelAxis: first,
  minimumRank: 3,
  grouped: true,
};
export const convTranspose: WeightFacts = { ...conv, channelAxis: second };
export const gemm: WeightFacts = { input: 1, activation: 0, bias: 2, channelAxis: gemmAxis, minimumRank: 2 };
export const matMul: WeightFacts = { input: 1, activation: 0, channelAxis: last, minimumRank: 2 };
export const fusedMatMul: WeightFacts = { ...matMul, channelAxis: fusedMatMulAxis };
/** Weights stored [out, in, …]. */
export const rowMajor: WeightFacts = { ...matMul, channelAxis: first };

/** A constant on the left: its rows are the output channels. */
export const leftMatMul: WeightFacts = {
  input: 0,
  activation: 1,
  channelAxis: (_node, rank) => rank - 2,
  minimumRank: 2,
};
export const leftGemm: WeightFacts = { ...leftMatMul, channelAxis: gemmLeftAxis };
export const leftFusedMatMul: WeightFacts = { ...leftMatMul, channelAxis: fusedLeftAxis };

/** Projection [input, q + k + v] of the attention operators of com.microsoft. */
export const attention: WeightFacts = { input: 1, activation: 0, bias: 2, channelAxis: last, minimumRank: 2 };

/** A table of vectors; each entry of the gathered axis is a channel. */
export const table: WeightFacts = {
  input: 0,
  activation: 1,
  channelAxis: (node, rank) => {
    const axis = node.int('axis', 0);
    return axis < 0 ? axis + rank : axis;
  },
  minimumRank: 2,
  lookup: true,
};
export const blockTable: WeightFacts = {
  ...table,
  channelAxis: (node, rank) => {
    const axis = node.int('gather_axis', 0);
    return axis < 0 ? axis + rank : axis;
  },
};
/** Tables of EmbedLayerNormalization: words, positions, segments. */
export const embeddings: readonly WeightFacts[] = [2, 3, 4].map((input) => ({
  input,
  activation: input === 4 ? 1 : 0,
  channelAxis: first,
  minimumRank: 2,
  lookup: true,
}));

/** [stack, out, in]: every member of the stack has output channels of its own. */
function stacked(input: number): WeightFacts {
  return {
    input,
    activation: 0,
    channelAxis: (_node, rank) => rank - 2,
    minimumRank: 3,
    merged: (_node, [stack = 1, rows = 0, columns = 0]) =>
      stack === 1 ? undefined : [stack * rows, columns],
  };
}

/** W and R of LSTM, GRU and RNN: [directions, gates · hidden, inputs]. */
export const recurrent: readonly WeightFacts[] = [stacked(1), { ...stacked(2), inner: true }];
/** W and R of DynamicQuantizeLSTM are stored transposed: [directions, inputs, gates · hidden]. */
export const transposedRecurrent: readonly WeightFacts[] = [1, 2].map((input) => ({
  input,
  activation: 0,
  channelAxis: last,
  minimumRank: 3,
  ...(input === 2 ? { inner: true } : {}),
}));
/** fc1, fc2, fc3 of mixtures of experts: [experts, out, in]. */
export const experts: readonly WeightFacts[] = [stacked(2), { ...stacked(4), inner: true }, stacked(6)];
export const quantizedExperts: readonly WeightFacts[] = [
  stacked(2),
  { ...stacked(5), inner: true },
  stacked(8),
];

/** Both operands of Einsum: channels are the labels that only the weight gives to the output. */
export const einsum: readonly WeightFacts[] = [einsumOperand(1, 0), einsumOperand(0, 1)];

function einsumOperand(input: number, activation: number): WeightFacts {
  return {
    input,
    activation,
    channelAxis: (node, rank) => {
      const run = channelRun(node, input, activation);
      if (!run) return rank - 1;
      return run.start + (run.merges && rank === run.rank ? run.length - 1 : 0);
    },
    minimumRank: 2,
    merged: (node, shape) => {
      const run = channelRun(node, input, activation);
      if (!run?.merges || shape.length !== run.rank) return undefined;
      const end = run.start + run.length;
      const channels = shape.slice(run.start, end).reduce((product, size) => product * size, 1);
      return [...shape.slice(0, run.start), channels, ...shape.slice(end)];
    },
  };
}

/** The last run of neighbouring channel labels in the operand's term. */
function channelRun(
  node: Node,
  input: number,
  activation: number,
):
  | { readonly start: number; readonly length: number; readonly rank: number; readonly merges: boolean }
  | undefined {
  const [terms = '', stated] = node.string('equation', '').replace(/\s/g, '').split('->');
  const operands = terms.split(',');
  const [term = '', other = ''] = [operands[input] ?? '', operands[activation] ?? ''];
  if (operands.length !== 2 || terms.includes('.')) return undefined;
  const isChannel = (label: string) =>
    !other.includes(label) && (stated === undefined || stated.includes(label));
  const labels = [...term];
  const end = labels.findLastIndex(isChannel) + 1;
  if (end === 0) return undefined;
  let start = end - 1;
  while (start > 0 && isChannel(labels[start - 1] ?? '')) start--;
  return { start, length: end - start, rank: labels.length, merges: end - start > 1 };
}
