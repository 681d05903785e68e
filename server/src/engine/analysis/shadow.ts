/**
 * One graph that computes a float network and its quantized twin on the same inputs and reduces their differences to
 * two scalars per comparison inside the session: Σx² and Σ(x − x̂)². Nothing large leaves native code.
 *
 *   cumulative: y_l of the float net against ŷ_l of the quantized net (everything before it quantized)
 *   local:      y_l against f̂_l(Q(x_l)) where x_l is the float input, so only layer l's own noise
 *   output:     graph outputs of both
 */

import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { cloneInto, cloneNode } from '../graph/clone';
import { addNode, addValue } from '../graph/edit';
import type { Graph, Model, Node, Value } from '../graph/ir';
import { activationParameters } from './expand-qoperator';

/** One layer in both networks. */
export interface LayerPair {
  readonly name: string;
  readonly float: LayerEnds;
  readonly quantized: LayerEnds;
}

/** The stretch of a network that computes one layer's output, before any activation function. */
export interface LayerEnds {
  /** First node reads the activation; a Gemm written as MatMulNBits and Add has two. */
  readonly chain: readonly Node[];
  /** Position of the activation on the first node. */
  readonly activationInput: number;
  readonly output: Value;
}

export type ComparisonKind = 'local' | 'localWeights' | 'localActivations' | 'cumulative' | 'output';

/** Names of the two scalar outputs of one comparison. */
export interface Comparison {
  readonly kind: ComparisonKind;
  /** Layer name, or output name for `output`. */
  readonly name: string;
  readonly signal: string;
  readonly noise: string;
}

export interface ShadowModel {
  readonly model: Model;
  readonly comparisons: readonly Comparison[];
  /** ArgMax over the last axis of the first float output: float net, quantized net. */
  readonly topOne: { readonly float: string; readonly quantized: string } | undefined;
}

export interface ShadowOptions {
  readonly local: boolean;
  readonly cumulative: boolean;
  readonly output: boolean;
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

  const comparisons: Comparison[] = [];
  graph.outputs.length = 0;
  const compare = (kind: ComparisonKind, name: string, signal: Value, approximation: Value) => {
    comparisons.push(addComparison(graph, kind, name, signal, approximation));
  };
  for (const pair of pairs) {
    if (options.local) addLocal(graph, pair, copies, compare);
    const approximation = copies.get(pair.quantized.output);
    if (options.cumulative && approximation)
      compare('cumulative', pair.name, pair.float.output, approximation);
  }
  let topOne: ShadowModel['topOne'];
  if (options.output) {
    quantized.graph.outputs.forEach((output, index) => {
      const exact = floatOutputs[index];
      const approximation = copies.get(output);
      if (!exact || !approximation || exact.elementType !== DataTypeCode.float) return;
      compare('output', exact.name, exact, approximation);
      if (topOne === undefined && rankAllowsClasses(exact)) {
        topOne = { float: addArgMax(graph, exact), quantized: addArgMax(graph, approximation) };
      }
    });
  }
  return { model: float, comparisons, topOne };
}

/** The layer's own noise: its quantized form on the float input, quantized as the twin quantizes it. */
function addLocal(
  graph: Graph,
  pair: LayerPair,
  copies: ReadonlyMap<Value, Value>,
  compare: (kind: ComparisonKind, name: string, signal: Value, approximation: Value) => void,
): void {
  const exactInput = activationOf(pair.float);
  const twinInput = activationOf(pair.quantized);
  if (!exactInput || !twinInput) return;
  const input = requantize(graph, pair, exactInput, twinInput, copies);
  const exact = pair.float.output;
  const quantized = rerun(graph, pair.quantized, input?.forQuantized ?? exactInput, copies, 'local');
  compare('local', pair.name, exact, quantized);
  if (!input) return;
  // Integer operators cannot run on a float input, so their weights' share is not separated.
  if (input.forQuantized === input.real) {
    compare('localWeights', pair.name, exact, rerun(graph, pair.quantized, exactInput, copies, 'weights'));
  }
  compare(
    'localActivations',
    pair.name,
    exact,
    rerun(graph, pair.float, input.real, undefined, 'activations'),
  );
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

function addComparison(
  graph: Graph,
  kind: ComparisonKind,
  name: string,
  signal: Value,
  approximation: Value,
): Comparison {
  const difference = addNode(graph, {
    opType: 'Sub',
    inputs: [signal, approximation],
    outputs: [`${kind}/${name}/difference`],
  });
  return {
    kind,
    name,
    signal: sumOfSquares(graph, `${kind}/${name}/signal`, signal),
    noise: sumOfSquares(graph, `${kind}/${name}/noise`, defined(difference.output(), 'difference')),
  };
}

function sumOfSquares(graph: Graph, name: string, value: Value): string {
  const node = addNode(graph, {
    opType: 'ReduceSumSquare',
    inputs: [value],
    outputs: [name],
    attributes: [['keepdims', { type: 'int', value: 0n }]],
  });
  return addOutput(graph, defined(node.output(), 'sum'), DataTypeCode.float);
}

function addArgMax(graph: Graph, value: Value): string {
  const node = addNode(graph, {
    opType: 'ArgMax',
    inputs: [value],
    outputs: [`${value.name}/class`],
    attributes: [
      ['axis', { type: 'int', value: -1n }],
      ['keepdims', { type: 'int', value: 0n }],
    ],
  });
  return addOutput(graph, defined(node.output(), 'class'), DataTypeCode.int64);
}

function addOutput(graph: Graph, value: Value, elementType: number): string {
  value.elementType = elementType;
  graph.outputs.push(value);
  return value.name;
}

/** Scores over classes: (N, C) or (N, T, C) with more than one class, or an unknown last dimension. */
function rankAllowsClasses(output: Value): boolean {
  const rank = output.shape?.length ?? 0;
  if (rank !== 2 && rank !== 3) return false;
  const classes = output.shape?.[rank - 1];
  return typeof classes !== 'number' || classes > 1;
}
