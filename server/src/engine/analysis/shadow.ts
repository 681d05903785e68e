/**
 * One graph that computes a float network and its quantized twin on the same inputs and reduces their differences to
 * sums inside the session (`comparisons.ts`). Nothing large leaves native code.
 *
 *   cumulative: y_l of the float net against ŷ_l of the quantized net (everything before it quantized)
 *   local:      y_l against f̂_l(Q(x_l)) where x_l is the float input, so only layer l's own noise
 *   output:     graph outputs of both
 */

import { DataTypeCode, dataTypeByCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { cloneInto, cloneNode } from '../graph/clone';
import { addNode, addValue } from '../graph/edit';
import { defaultOpset, type Graph, type Model, type Node, type Value } from '../graph/ir';
import { type Channels, type ComparisonOutputs, ComparisonWriter } from './comparisons';
import { activationParameters } from './expand-qoperator';
import { GraphBuilder } from './reductions';

/** One layer in both networks. */
export interface LayerPair {
  readonly name: string;
  readonly float: LayerEnds;
  readonly quantized: LayerEnds;
  /** Output channels, where the operator has them at a known place. */
  readonly channels?: Channels;
  /** Channels of the activation it reads, where the operator has them at a known place. */
  readonly inputs?: Channels;
  /** The layer computes in float32; other real types are cast before they are summed. */
  readonly single?: boolean;
  /** Real types that both compute in, where they are not the same: activations are cast at the border. */
  readonly types?: { readonly float: number; readonly quantized: number };
}

/** The stretch of a network that computes one layer's output, before any activation function. */
export interface LayerEnds {
  /** First node reads the activation; a Gemm written as MatMulNBits and Add has two. */
  readonly chain: readonly Node[];
  /** Position of the activation on the first node. */
  readonly activationInput: number;
  readonly output: Value;
  /**
   * Weights of other layers that the same operator holds (W and R of an LSTM), as the quantized network reads them,
   * each with the float network's: a layer's own error has the others exact.
   */
  readonly exact?: ReadonlyMap<Value, Value>;
}

/** What is compared; figures are grouped by it. */
export const comparisonKinds = ['local', 'localWeights', 'localActivations', 'cumulative', 'output'] as const;

export type ComparisonKind = (typeof comparisonKinds)[number];

/** One comparison and the names of its outputs. */
export interface Comparison extends ComparisonOutputs {
  readonly kind: ComparisonKind;
  /** Layer name, or output name for `output`. */
  readonly name: string;
}

/** Outputs that compare class scores. */
export interface ScoreOutputs {
  /** ArgMax over the last axis: float net, quantized net. */
  readonly float: string;
  readonly quantized: string;
  /** Σ KL(softmax x ‖ softmax x̂) over all rows. */
  readonly divergence?: string;
}

export interface ShadowModel {
  readonly model: Model;
  readonly comparisons: readonly Comparison[];
  /** Of the first float output that holds class scores. */
  readonly topOne: ScoreOutputs | undefined;
  /** Whole tensors of the first float output, of both networks; none where they are large. */
  readonly whole?: { readonly exact: string; readonly close: string };
}

export interface ShadowOptions {
  readonly local: boolean;
  readonly cumulative: boolean;
  readonly output: boolean;
  /** Only what makes the dB of layers. */
  readonly ratiosOnly?: boolean;
}

const PREFIX = 'quantized/';

/**
 * Adds the quantized net and the comparisons to `float`'s graph, which is changed; both models must have the same
 * inputs in the same order. The quantized model's opsets win where they are newer.
 */
export function shadowModel(
  float: Model,
  quantized: Model,
  pairs: readonly LayerPair[],
  options: ShadowOptions,
): ShadowModel {
  const graph = float.graph;
  const floatOutputs = [...graph.outputs];
  const bound = new Map<Value, Value>();
  const data = (model: Model) => model.graph.dataInputs;
  const inputs = data(float);
  data(quantized).forEach((input, index) => {
    bound.set(input, defined(inputs[index], 'both networks have the same inputs'));
  });
  const copies = new Map(cloneInto(graph, quantized.graph, PREFIX, bound));
  for (const [domain, version] of quantized.opsets) {
    float.opsets.set(domain, Math.max(version, float.opsets.get(domain) ?? 0));
  }
  float.irVersion = Math.max(float.irVersion, quantized.irVersion);

  const builder = new GraphBuilder(graph, defaultOpset(float));
  const writer = new ComparisonWriter(builder, options.ratiosOnly);
  const comparisons: Comparison[] = [];
  graph.outputs.length = 0;
  const compare: Compare = (kind, name, signal, approximation, layer) => {
    const single = layer?.single ?? true;
    const real = (what: string, value: Value) =>
      single ? value : builder.float(`${kind}/${name}/${what}`, value);
    const exact = real('exact', signal);
    const error = builder.node('Sub', `${kind}/${name}/error`, [real('close', approximation), exact]);
    const outputs = writer.add(`${kind}/${name}`, exact, error, layer?.channels);
    comparisons.push({ kind, name, ...outputs });
  };
  for (const pair of pairs) {
    if (options.local) addLocal(builder, pair, copies, compare);
    const approximation = copies.get(pair.quantized.output);
    if (options.cumulative && approximation)
      compare('cumulative', pair.name, pair.float.output, approximation, pair);
  }
  let topOne: ShadowModel['topOne'];
  let whole: ShadowModel['whole'];
  if (options.output) {
    quantized.graph.outputs.forEach((output, index) => {
      const [stated, other] = [floatOutputs[index], copies.get(output)];
      if (!stated || !other || dataTypeByCode(stated.elementType)?.kind !== 'float') return;
      const exact = inSingle(builder, stated, 'exact');
      const approximation = inSingle(builder, other, 'close', stated.elementType);
      const isFirst = comparisons.every(({ kind }) => kind !== 'output');
      if (isFirst && isSmall(exact)) whole = wholeOutputs(builder, exact, approximation);
      compare('output', stated.name, exact, approximation);
      if (topOne === undefined && rankAllowsClasses(exact)) {
        topOne = addScores(builder, exact, approximation);
      }
    });
  }
  return { model: float, comparisons, topOne, ...(whole ? { whole } : {}) };
}

/** Elements of a sample's output, as far as they are known, up to which it leaves the session. */
const SMALL = 2 ** 18;

function isSmall({ shape }: Value): boolean {
  const sizes = (shape ?? []).slice(1).map((size) => (typeof size === 'number' ? size : 1));
  return sizes.reduce((all, one) => all * one, 1) <= SMALL;
}

function wholeOutputs(builder: GraphBuilder, exact: Value, close: Value): ShadowModel['whole'] {
  const [one, other] = [exact, close].map((value, index) =>
    builder.output(builder.node('Identity', `whole/${index}`, [value])),
  );
  return { exact: defined(one, 'output of the float network'), close: defined(other, 'output of the twin') };
}

/** A real output as float32, in which differences are taken; `type` where the value does not state its own. */
function inSingle(builder: GraphBuilder, value: Value, what: string, type = 0): Value {
  if ((value.elementType || type) === DataTypeCode.float) return value;
  const single = builder.float(`output/${value.name}/${what}`, value);
  single.shape = value.shape;
  return single;
}

type Compare = (
  kind: ComparisonKind,
  name: string,
  signal: Value,
  approximation: Value,
  layer?: LayerPair,
) => void;

/** The layer's own noise: its quantized form on the float input, quantized as the twin quantizes it. */
function addLocal(
  builder: GraphBuilder,
  pair: LayerPair,
  copies: ReadonlyMap<Value, Value>,
  compare: Compare,
): void {
  const { graph } = builder;
  const { types } = pair;
  const floatInput = activationOf(pair.float);
  const twinInput = activationOf(pair.quantized);
  if (!floatInput || !twinInput) return;
  const exactInput = types
    ? builder.cast(`local/${pair.name}/cast`, floatInput, types.quantized)
    : floatInput;
  const isExact = pair.quantized.exact?.has(twinInput);
  const input = isExact ? undefined : requantize(graph, pair, exactInput, twinInput, copies);
  const [reader] = pair.quantized.chain;
  // Operators on codes cannot run on real numbers; what the codes mean is not known.
  if (!input && reader && activationParameters(reader)) return;
  const exact = pair.float.output;
  const quantized = rerun(
    graph,
    pair.quantized,
    input?.forQuantized ?? exactInput,
    copies,
    `local/${pair.name}`,
  );
  compare('local', pair.name, exact, quantized, pair);
  if (!input) return;
  // Integer operators cannot run on a float input, so their weights' share is not separated.
  if (input.forQuantized === input.real) {
    const weights = rerun(graph, pair.quantized, exactInput, copies, `weights/${pair.name}`);
    compare('localWeights', pair.name, exact, weights, pair);
  }
  const back = types ? builder.cast(`activations/${pair.name}/cast`, input.real, types.float) : input.real;
  const activations = rerun(graph, pair.float, back, undefined, `activations/${pair.name}`);
  compare('localActivations', pair.name, exact, activations, pair);
}

function activationOf(ends: LayerEnds): Value | undefined {
  return ends.chain[0]?.input(ends.activationInput);
}

/** Copies a layer's chain with another activation. Without `copies` the chain is of this graph and reads its values. */
function rerun(
  graph: Graph,
  ends: LayerEnds,
  input: Value,
  copies: ReadonlyMap<Value, Value> | undefined,
  tag: string,
): Value {
  const map = new Map(copies);
  if (!copies)
    for (const node of ends.chain) for (const value of node.inputs) if (value) map.set(value, value);
  // Of a file that is compared, every weight of the float network lies in this graph.
  for (const [quantized, exact] of ends.exact ?? []) map.set(quantized, exact);
  map.set(defined(activationOf(ends), 'activation input'), input);
  for (const node of ends.chain) cloneNode(graph, node, `${tag}/`, map);
  return defined(map.get(ends.output), 'layer output is made by its chain');
}

interface LocalInput {
  /** What the quantized chain reads: codes for a QOperator layer, real values otherwise. */
  readonly forQuantized: Value;
  /** The float input after quantization, real-valued. */
  readonly real: Value;
}

/**
 * The float input through the same quantizer parameters that the twin's input went through; `undefined` when the
 * twin's input is not quantized.
 */
function requantize(
  graph: Graph,
  pair: LayerPair,
  exact: Value,
  twin: Value,
  copies: ReadonlyMap<Value, Value>,
): LocalInput | undefined {
  const reader = pair.quantized.chain[0];
  const own = reader && activationParameters(reader);
  const dequantize = twin.producer?.opType === 'DequantizeLinear' ? twin.producer : undefined;
  const [scale, zeroPoint] = own ?? [dequantize?.input(1), dequantize?.input(2)];
  const scaleCopy = scale && copies.get(scale);
  if (!scaleCopy) return undefined;
  const parameters = [scaleCopy, zeroPoint && copies.get(zeroPoint)];
  const codes = addValue(graph, `local/${pair.name}/codes`);
  const real = addValue(graph, `local/${pair.name}/input`);
  const domain = dequantize?.domain ?? '';
  addNode(graph, { opType: 'QuantizeLinear', domain, inputs: [exact, ...parameters], outputs: [codes] });
  addNode(graph, { opType: 'DequantizeLinear', domain, inputs: [codes, ...parameters], outputs: [real] });
  return { forQuantized: own ? codes : real, real };
}

/** Top class of both, and the divergence of what softmax makes of them. */
function addScores(builder: GraphBuilder, exact: Value, approximation: Value): ScoreOutputs {
  const rank = exact.shape?.length ?? 2;
  const best = (value: Value) =>
    builder.output(
      builder.node('ArgMax', `${value.name}/class`, [value], { axis: rank - 1, keepdims: 0 }),
      DataTypeCode.int64,
    );
  // Probabilities are their own softmax: their logarithms are scores.
  const source = exact.producer?.opType === 'Cast' ? exact.producer.input(0) : exact;
  const probabilities = source?.producer?.opType === 'Softmax';
  const logarithms = (value: Value) => {
    const scores = probabilities ? builder.node('Log', `${value.name}/log`, [value]) : value;
    return builder.node('LogSoftmax', `${value.name}/log_softmax`, [scores], { axis: rank - 1 });
  };
  const [p, q] = [logarithms(exact), logarithms(approximation)];
  const difference = builder.node('Sub', `${exact.name}/log_ratio`, [p, q]);
  const share = builder.node('Exp', `${exact.name}/probability`, [p]);
  const terms = builder.node('Mul', `${exact.name}/divergences`, [share, difference]);
  const divergence = builder.output(builder.reduce('ReduceSum', `${exact.name}/divergence`, terms));
  return { float: best(exact), quantized: best(approximation), divergence };
}

/** Scores over classes: (N, C) or (N, T, C) with more than one class, or an unknown last dimension. */
function rankAllowsClasses(output: Value): boolean {
  const rank = output.shape?.length ?? 0;
  if (rank !== 2 && rank !== 3) return false;
  const classes = output.shape?.[rank - 1];
  return typeof classes !== 'number' || classes > 1;
}
