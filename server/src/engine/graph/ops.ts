/**
 * What the engine knows about operators, one row each: which input is the weight, where its output channels are,
 * whether values pass through unchanged, which kernels of onnxruntime's CPU provider work on 8-bit data. Shared code
 * asks these facts and never branches on a name. Sources: onnx/docs/Operators.md, onnxruntime's ContribOperators.md
 * and its QDQ transformer (core/optimizer/qdq_transformer/selectors_actions).
 */
import type { Node } from './ir';
import {
  attention,
  blockTable,
  conv,
  convTranspose,
  einsum,
  embeddings,
  experts,
  fusedMatMul,
  gemm,
  leftFusedMatMul,
  leftGemm,
  leftMatMul,
  matMul,
  quantizedExperts,
  recurrent,
  rowMajor,
  table,
  transposedRecurrent,
  type WeightFacts,
} from './op-weights';

export type { WeightFacts } from './op-weights';

export interface OpFacts {
  /** Multiplies a weight with an activation and sums: a layer when the weight is constant. */
  readonly weight?: WeightFacts;
  /**
   * Further constants that are layers: tables that are looked up, gates, projections inside an operator, a factor on
   * the other side.
   */
  readonly weights?: readonly WeightFacts[];
  /**
   * Output values are values of the data inputs, moved, repeated or dropped, so a scale of the input serves the
   * output. The predicate says whether this holds for a node.
   */
  readonly passThrough?: true | ((node: Node) => boolean);
  /** Input positions that carry data when `passThrough` holds; default [0]. */
  readonly dataInputs?: 'all' | readonly number[];
  /** Elementwise function that an integer kernel folds into the layer before it by clipping the output range. */
  readonly fusedActivation?: true;
  /** Elementwise and monotone non-linear or bounded; ends a linear stretch. */
  readonly activation?: true;
  /**
   * Target ort-cpu: `kernel` = an 8-bit kernel replaces DQ → op → Q; `moves` = the op runs on 8-bit data as it is,
   * the Q/DQ pairs around it vanish when both sides share scale and zero point.
   */
  readonly ortCpu?: 'kernel' | 'moves';
  /** The operator already works on quantized weights. */
  readonly quantized?: true;
  /** f(s·x) = s·f(x) for s > 0: scales can move across it (equalisation). */
  readonly positivelyHomogeneous?: true;
}

const moves = { passThrough: true, ortCpu: 'moves', positivelyHomogeneous: true } as const;
const passes = { passThrough: true, positivelyHomogeneous: true } as const;
const kernel = { ortCpu: 'kernel' } as const;
const bounded = { activation: true } as const;

/** One row per operator; domains other than ai.onnx are part of the name. */
export const opTable = {
  // Layers
  Conv: { weight: conv, ...kernel },
  ConvTranspose: { weight: convTranspose },
  Gemm: { weight: gemm, weights: [leftGemm], ...kernel },
  MatMul: { weight: matMul, weights: [leftMatMul], ...kernel },
  DeformConv: { weight: { ...conv, bias: 3 } },
  // Layers on quantized weights
  QLinearConv: { weight: { ...conv, input: 3, bias: 8 }, quantized: true },
  QLinearMatMul: { weight: { ...matMul, input: 3 }, quantized: true },
  ConvInteger: { weight: { ...conv, bias: undefined }, quantized: true },
  MatMulInteger: { weight: matMul, quantized: true },
  'com.microsoft.QGemm': { weight: { ...gemm, input: 3, bias: 6 }, quantized: true },
  'com.microsoft.MatMulNBits': { weight: { ...rowMajor, bias: 5 }, quantized: true },
  'com.microsoft.MatMulBnb4': { weight: { ...rowMajor, minimumRank: 1 }, quantized: true },
  'com.microsoft.QLinearConv': { weight: { ...conv, input: 3, bias: 8 }, quantized: true },
  'com.microsoft.QAttention': { weight: attention, quantized: true },
  'com.microsoft.DynamicQuantizeLSTM': { weights: transposedRecurrent, quantized: true },
  'com.microsoft.QEmbedLayerNormalization': { weights: embeddings, quantized: true },
  'com.microsoft.QMoE': { weights: quantizedExperts, quantized: true },
  'com.microsoft.MatMulIntegerToFloat': { weight: { ...matMul, bias: 6 }, quantized: true },
  'com.microsoft.DynamicQuantizeMatMul': { weight: { ...matMul, bias: 4 }, quantized: true },
  // Layers fused by onnxruntime
  'com.microsoft.FusedConv': { weight: conv },
  'com.microsoft.FusedGemm': { weight: gemm },
  'com.microsoft.FusedMatMul': { weight: fusedMatMul, weights: [leftFusedMatMul] },
  'com.microsoft.TransposeMatMul': { weight: fusedMatMul, weights: [leftFusedMatMul] },
  'com.microsoft.FusedMatMulActivation': { weight: fusedMatMul, weights: [leftFusedMatMul] },
  'com.microsoft.GemmFastGelu': { weight: { ...matMul, bias: 2 } },
  'com.microsoft.NhwcConv': { weight: conv },
  'com.microsoft.NhwcFusedConv': { weight: conv },
  'com.microsoft.nchwc.Conv': {},
  // Stand-ins of weight files without a graph: [out, in, …], as PyTorch and GGUF store weights
  'quantlens.Weight': { weight: rowMajor },
  'quantlens.BlockWeight': { weight: rowMajor, quantized: true },
  // Values moved, repeated or dropped
  Identity: moves,
  Reshape: moves,
  Transpose: moves,
  Flatten: moves,
  Squeeze: moves,
  Unsqueeze: moves,
  Slice: moves,
  Gather: { ...moves, weights: [table] },
  GatherElements: passes,
  GatherND: passes,
  Split: moves,
  Expand: moves,
  Tile: moves,
  DepthToSpace: moves,
  SpaceToDepth: moves,
  MaxPool: moves,
  GlobalMaxPool: passes,
  ReduceMax: passes,
  ReduceMin: passes,
  Dropout: passes,
  Compress: passes,
  ReverseSequence: passes,
  TopK: passes,
  Concat: { passThrough: true, dataInputs: 'all', ortCpu: 'kernel', positivelyHomogeneous: true },
  Max: { passThrough: true, dataInputs: 'all', positivelyHomogeneous: true },
  Min: { passThrough: true, dataInputs: 'all', positivelyHomogeneous: true },
  Where: { passThrough: true, dataInputs: [1, 2], ortCpu: 'kernel', positivelyHomogeneous: true },
  Pad: { passThrough: padsWithoutNewValues, ortCpu: 'moves' },
  Resize: {
    passThrough: (node: Node) => node.string('mode', 'nearest') === 'nearest',
    ortCpu: 'moves',
    positivelyHomogeneous: true,
  },
  Upsample: {
    passThrough: (node: Node) => node.string('mode', 'nearest') === 'nearest',
    positivelyHomogeneous: true,
  },
  MaxUnpool: passes,
  MaxRoiPool: passes,
  // Averages
  AveragePool: { ...kernel, positivelyHomogeneous: true },
  GlobalAveragePool: { ...kernel, positivelyHomogeneous: true },
  ReduceMean: { positivelyHomogeneous: true },
  ReduceSum: { positivelyHomogeneous: true },
  ReduceL1: { positivelyHomogeneous: true },
  ReduceL2: { positivelyHomogeneous: true },
  ReduceSumSquare: {},
  ReduceProd: {},
  ReduceLogSum: {},
  ReduceLogSumExp: {},
  LpPool: {},
  GlobalLpPool: {},
  // Activation functions
  Relu: { activation: true, fusedActivation: true, positivelyHomogeneous: true },
  Clip: { activation: true, fusedActivation: true },
  LeakyRelu: { ...bounded, ...kernel, positivelyHomogeneous: true },
  PRelu: { activation: true, positivelyHomogeneous: true },
  ThresholdedRelu: bounded,
  Elu: bounded,
  Selu: bounded,
  Celu: bounded,
  Gelu: bounded,
  'com.microsoft.Gelu': bounded,
  'com.microsoft.FastGelu': bounded,
  'com.microsoft.QuickGelu': bounded,
  'com.microsoft.BiasGelu': bounded,
  Sigmoid: { ...bounded, ...kernel },
  HardSigmoid: bounded,
  HardSwish: bounded,
  Swish: bounded,
  Mish: bounded,
  Softplus: bounded,
  Softsign: bounded,
  Tanh: bounded,
  Shrink: bounded,
  Softmax: { ...bounded, ...kernel },
  LogSoftmax: bounded,
  Hardmax: bounded,
  Erf: bounded,
  // Elementwise arithmetic
  Add: kernel,
  Mul: kernel,
  Sub: {},
  Div: {},
  Sum: {},
  Mean: {},
  Pow: {},
  Mod: {},
  Neg: {},
  Abs: { positivelyHomogeneous: true },
  Reciprocal: {},
  Sqrt: {},
  Exp: {},
  Log: {},
  Floor: {},
  Ceil: {},
  Round: {},
  Sign: {},
  Sin: {},
  Cos: {},
  Tan: {},
  Asin: {},
  Acos: {},
  Atan: {},
  Sinh: {},
  Cosh: {},
  Asinh: {},
  Acosh: {},
  Atanh: {},
  BitShift: {},
  BitwiseAnd: {},
  BitwiseNot: {},
  BitwiseOr: {},
  BitwiseXor: {},
  CumSum: {},
  CumProd: {},
  Det: {},
  Einsum: { weights: einsum },
  // Comparison and logic
  And: {},
  Or: {},
  Xor: {},
  Not: {},
  Equal: {},
  Greater: {},
  GreaterOrEqual: {},
  Less: {},
  LessOrEqual: {},
  IsInf: {},
  IsNaN: {},
  ArgMax: {},
  ArgMin: {},
  NonZero: {},
  Unique: {},
  // Normalisation
  BatchNormalization: {},
  InstanceNormalization: {},
  LayerNormalization: {},
  GroupNormalization: {},
  RMSNormalization: {},
  MeanVarianceNormalization: {},
  LpNormalization: {},
  LRN: {},
  'com.microsoft.SkipLayerNormalization': {},
  SimplifiedLayerNormalization: {},
  'com.microsoft.SkipSimplifiedLayerNormalization': {},
  'com.microsoft.EmbedLayerNormalization': { weights: embeddings },
  // Attention and recurrence
  Attention: {},
  RotaryEmbedding: {},
  'com.microsoft.Attention': { weights: [attention] },
  'com.microsoft.PackedAttention': { weights: [attention] },
  'com.microsoft.DecoderMaskedSelfAttention': { weights: [attention] },
  'com.microsoft.LongformerAttention': {
    weights: [attention, { ...attention, input: 4, bias: 5 }],
  },
  'com.microsoft.DecoderAttention': {
    weights: [
      { ...matMul, input: 2 },
      { ...matMul, input: 3, activation: 1 },
    ],
  },
  'com.microsoft.MoE': { weights: experts },
  'com.microsoft.MultiHeadAttention': {},
  'com.microsoft.GroupQueryAttention': {},
  'com.microsoft.RotaryEmbedding': {},
  LSTM: { weights: recurrent },
  GRU: { weights: recurrent },
  RNN: { weights: recurrent },
  // Quantization
  QuantizeLinear: { quantized: true },
  DequantizeLinear: { quantized: true },
  DynamicQuantizeLinear: { quantized: true },
  'com.microsoft.QuantizeLinear': { quantized: true },
  'com.microsoft.DequantizeLinear': { quantized: true },
  'com.microsoft.QLinearAdd': { quantized: true },
  'com.microsoft.QLinearMul': { quantized: true },
  'com.microsoft.QLinearConcat': { quantized: true },
  'com.microsoft.QLinearAveragePool': { quantized: true },
  'com.microsoft.QLinearGlobalAveragePool': { quantized: true },
  'com.microsoft.QLinearSigmoid': { quantized: true },
  'com.microsoft.QLinearLeakyRelu': { quantized: true },
  'com.microsoft.QLinearSoftmax': { quantized: true },
  'com.microsoft.QLinearWhere': { quantized: true },
  'com.microsoft.QLinearReduceMean': { quantized: true },
  'com.microsoft.GatherBlockQuantized': { weights: [blockTable], quantized: true },
  // Types, shapes, constants
  Cast: {},
  CastLike: {},
  BitCast: {},
  Shape: {},
  Size: {},
  Constant: {},
  ConstantOfShape: {},
  EyeLike: {},
  Range: {},
  OneHot: {},
  Trilu: {},
  // Scatter, windows, signals, images
  Scatter: {},
  ScatterElements: {},
  ScatterND: {},
  TensorScatter: {},
  NonMaxSuppression: {},
  RoiAlign: {},
  GridSample: {},
  AffineGrid: {},
  CenterCropPad: {},
  Col2Im: {},
  DFT: {},
  STFT: {},
  MelWeightMatrix: {},
  HannWindow: {},
  HammingWindow: {},
  BlackmanWindow: {},
  ImageDecoder: {},
  // Randomness
  Bernoulli: {},
  Multinomial: {},
  RandomNormal: {},
  RandomNormalLike: {},
  RandomUniform: {},
  RandomUniformLike: {},
  // Control flow, sequences, strings, losses
  If: {},
  Loop: {},
  Scan: {},
  SequenceMap: {},
  SequenceAt: {},
  SequenceConstruct: {},
  SequenceEmpty: {},
  SequenceErase: {},
  SequenceInsert: {},
  SequenceLength: {},
  SplitToSequence: {},
  ConcatFromSequence: {},
  Optional: {},
  OptionalGetElement: {},
  OptionalHasElement: {},
  StringConcat: {},
  StringNormalizer: {},
  StringSplit: {},
  RegexFullMatch: {},
  TfIdfVectorizer: {},
  NegativeLogLikelihoodLoss: {},
  SoftmaxCrossEntropyLoss: {},
} as const satisfies Record<string, OpFacts>;

export type OpType = keyof typeof opTable;

const facts = new Map<string, OpFacts>(Object.entries(opTable));
const none: OpFacts = {};

/** Facts of a node's operator; empty for operators this program does not know. */
export function opFacts(node: Node): OpFacts {
  return facts.get(node.op) ?? none;
}

/** Every place where the node may carry a weight, the one it multiplies with first. */
export function weightFacts(node: Node): readonly WeightFacts[] {
  const { weight, weights = [] } = opFacts(node);
  return weight ? [weight, ...weights] : weights;
}

/** True when the table has a row for the operator. */
export function isKnownOp(op: string): op is OpType {
  return facts.has(op);
}

/** True when the node's first output only holds values of its data inputs (Reshape, MaxPool, Concat, …). */
export function isPassThrough(node: Node): boolean {
  const { passThrough } = opFacts(node);
  return typeof passThrough === 'function' ? passThrough(node) : passThrough === true;
}

/** Input positions that carry the data through a pass-through node. */
export function passThroughInputs(node: Node): readonly number[] {
  const { dataInputs } = opFacts(node);
  return dataInputs === 'all' ? node.inputs.map((_, index) => index) : (dataInputs ?? [0]);
}

/**
 * Padding adds no new values when it repeats values of the input, or adds 0, which every quantizer of this program
 * represents exactly.
 */
function padsWithoutNewValues(node: Node): boolean {
  if (node.string('mode', 'constant') !== 'constant') return true;
  if (node.attributes.has('value')) return node.float('value', 0) === 0;
  const value = node.input(2);
  if (!value) return true;
  return value.tensor?.size === 1 && value.tensor.toFloat32().value?.[0] === 0;
}
