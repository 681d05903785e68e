/** Pairs the layers of a float network with those of its quantized form, as {@link LayerPair}s for the shadow graph. */
import type { Decibel } from '../../protocol/reports';
import { DataTypeCode, dataTypeByCode } from '../base/dtype';
import type { Model, Node, Value } from '../graph/ir';
import { inputChannels, type Layer, listLayers } from '../graph/layers';
import { opFacts } from '../graph/ops';
import type { ChannelPlace } from './comparisons';
import { expandQOperators, lookupReader, makesCodes } from './expand-qoperator';
import { integerSums, rescalingOf } from './integer-scales';
import { type MatchLayer, matchByPlace, matchLayers } from './match-layers';
import { realWeight } from './real-weight';
import { cosineOf, sampleOf } from './sampled-weights';
import type { LayerEnds, LayerPair } from './shadow';
import { storedError } from './stored-error';

/**
 * Pairs of a float model and the model that was exported from a copy of it: layers are the same ones in the same
 * order, and their outputs kept their names.
 */
export function exportedPairs(float: Model, exported: Model): readonly LayerPair[] {
  return pairsOf(float, exported, true);
}

/** The same of layers inside If, Loop and Scan bodies: their values are no values of the main graphs. */
export function innerPairs(float: Model, exported: Model): readonly LayerPair[] {
  return pairsOf(float, exported, false);
}

function pairsOf(float: Model, exported: Model, inMain: boolean): readonly LayerPair[] {
  const others = listLayers(exported);
  const twins: LayerTwins[] = [];
  const pairs = listLayers(float).flatMap((layer, index) => {
    const twin = others[index];
    const output = usedOutput(layer.node);
    if (!twin || !output || (layer.node.graph === float.graph) !== inMain) return [];
    const ends = endsOf(twin, output.name);
    if (!ends) return [];
    twins.push({ name: layer.name, float: layer, quantized: twin });
    return [{ ...pairFacts(layer), float: floatEnds(layer, output), quantized: ends }];
  });
  return alone(pairs, twins);
}

/** Pairs in which the other weights of one operator are exact; `twins` in the order of the pairs. */
function alone(pairs: readonly LayerPair[], twins: readonly LayerTwins[]): readonly LayerPair[] {
  const byNode = new Map<Node, LayerTwins[]>();
  for (const one of twins) {
    const { node } = one.quantized;
    byNode.set(node, [...(byNode.get(node) ?? []), one]);
  }
  return pairs.map((pair, index) => {
    const own = twins[index];
    const others = (own && byNode.get(own.quantized.node))?.filter((one) => one !== own) ?? [];
    const exact = new Map<Value, Value>();
    // The activation is another weight's.
    const [real, codes] = [activationOf(own?.float), activationOf(own?.quantized)];
    if (own?.float.inner && real && codes) exact.set(codes, real);
    for (const { float, quantized } of others) {
      const [real, codes] = [
        float.node.input(float.weightInput),
        quantized.node.input(quantized.weightInput),
      ];
      if (real && codes && float.node.op === quantized.node.op) exact.set(codes, real);
    }
    return exact.size === 0 ? pair : { ...pair, quantized: { ...pair.quantized, exact } };
  });
}

function activationOf(layer: Layer | undefined): Value | undefined {
  return layer?.node.input(layer.activationInput);
}

/** The first output that anything reads: of a recurrent layer often the last state alone. */
function usedOutput(node: Node): Value | undefined {
  const read = (value: Value) => value.uses.length > 0 || node.graph?.isOutput(value) === true;
  return node.outputs.find(read) ?? node.output();
}

export interface FoundPairs {
  readonly pairs: readonly LayerPair[];
  /** The layers of the pairs, in their order. */
  readonly twins: readonly LayerTwins[];
  /** Names of float layers without a counterpart. */
  readonly unmatched: readonly string[];
  /** Pairs that stand in the same place but hold different weights. */
  readonly differing: readonly DifferentWeight[];
}

/** The quantized file computes with another weight than the one it should hold. */
export interface DifferentWeight {
  readonly layer: string;
  readonly sqnr: Decibel;
  /** It is the right one with rows and columns exchanged. */
  readonly transposed: boolean;
}

/** A layer of the float network and the same one as the quantized file stores it. */
export interface LayerTwins {
  readonly name: string;
  readonly float: Layer;
  readonly quantized: Layer;
}

/** Positions of layers that belong together: those with the same weight, and those in the same place with another one. */
export interface Matching {
  readonly matched: readonly Positions[];
  readonly placed: readonly Positions[];
}

interface Positions {
  readonly float: number;
  readonly quantized: number;
}

/**
 * Pairs of two models that only share their origin, found by graph and weights.
 * @param known what was found for other copies of the same two models: it takes reading all of their weights.
 */
export function matchedPairs(
  float: Model,
  quantized: Model,
  known?: Matching,
): FoundPairs & { readonly matching: Matching } {
  const dequantizers = expandQOperators(quantized);
  const ours = listLayers(float).filter((layer) => layer.node.graph === float.graph);
  const theirs = listLayers(quantized).filter((layer) => layer.node.graph === quantized.graph);
  const matching = known ?? matchingOf(ours, theirs);
  const { matched, placed } = matching;
  const found = [...matched, ...placed].sort((left, right) => left.float - right.float);
  const strangers = new Set(placed.map(({ float: at }) => ours[at]));
  const pairs: LayerPair[] = [];
  const twins: LayerTwins[] = [];
  for (const { float: at, quantized: other } of found) {
    const layer = ours[at];
    const twin = theirs[other];
    const output = layer && usedOutput(layer.node);
    if (!layer || !twin || !output) continue;
    const dequantize = dequantizers.get(twin.node) ?? lookupDequantize(twin);
    const pair = dequantize
      ? qOperatorPair(layer, output, twin, dequantize)
      : (dynamicPair(layer, output, twin) ??
        integerPair(layer, output, twin) ??
        plainPair(layer, output, twin));
    if (!pair) continue;
    pairs.push({ ...pair, ...differentTypes(layer, twin) });
    twins.push({ name: pair.name, float: layer, quantized: twin });
  }
  const names = new Set(pairs.map((pair) => pair.name));
  return {
    matching,
    pairs: alone(pairs, twins),
    twins,
    unmatched: ours.map((layer) => layer.name).filter((name) => !names.has(name)),
    differing: twins.filter((twin) => strangers.has(twin.float)).map(differentWeight),
  };
}

/** Layers inside If, Loop and Scan bodies of two models that only share their origin. */
export interface InnerMatches {
  /** Those whose outputs can be compared. */
  readonly pairs: readonly LayerPair[];
  /** All that hold the same weight, or stand in the same place. */
  readonly twins: readonly LayerTwins[];
  readonly unmatched: readonly string[];
  readonly differing: readonly DifferentWeight[];
}

export function innerMatches(float: Model, quantized: Model): InnerMatches {
  const ours = listLayers(float).filter((layer) => layer.node.graph !== float.graph);
  const theirs = listLayers(quantized).filter((layer) => layer.node.graph !== quantized.graph);
  const { matched, placed } = matchingOf(ours, theirs);
  const strangers = new Set(placed.map(({ float: at }) => ours[at]));
  const twins = [...matched, ...placed]
    .sort((left, right) => left.float - right.float)
    .flatMap(({ float: at, quantized: other }): LayerTwins[] => {
      const [layer, twin] = [ours[at], theirs[other]];
      return layer && twin ? [{ name: layer.name, float: layer, quantized: twin }] : [];
    });
  const paired = twins.flatMap((both) => {
    const { float: layer, quantized: twin } = both;
    const output = usedOutput(layer.node);
    // Codes that a QOperator makes would have to be dequantized inside the body.
    if (!output || makesCodes(twin.node) || lookupReader(twin.node)) return [];
    const pair =
      dynamicPair(layer, output, twin) ?? integerPair(layer, output, twin) ?? plainPair(layer, output, twin);
    return pair ? [{ pair: { ...pair, ...differentTypes(layer, twin) }, both }] : [];
  });
  const names = new Set(twins.map(({ name }) => name));
  return {
    pairs: alone(
      paired.map(({ pair }) => pair),
      paired.map(({ both }) => both),
    ),
    twins,
    unmatched: ours.map(({ name }) => name).filter((name) => !names.has(name)),
    differing: twins.filter((twin) => strangers.has(twin.float)).map(differentWeight),
  };
}

function matchingOf(ours: readonly Layer[], theirs: readonly Layer[]): Matching {
  const [ourFacts, theirFacts] = [ours.map(describe), theirs.map(describe)];
  const matched = matchLayers(ourFacts, theirFacts);
  return { matched, placed: matchByPlace(ourFacts, theirFacts, matched) };
}

function differentWeight({ name, float, quantized }: LayerTwins): DifferentWeight {
  const sqnr = storedError(float, quantized)?.weightSqnr ?? null;
  return { layer: name, sqnr, transposed: isTransposed(float, quantized) };
}

/** Only a square matrix still fits its layer when it is turned over. */
function isTransposed(float: Layer, quantized: Layer): boolean {
  const [rows = 0, columns = 0] = float.shape;
  if (float.shape.length !== 2 || rows !== columns) return false;
  const [right, held] = [realWeight(float).value, realWeight(quantized).value];
  if (!right || !held) return false;
  const turned = right.map((_, index) => right[(index % rows) * rows + Math.floor(index / rows)] ?? 0);
  return cosineOf(turned, held) > SAME_WEIGHT;
}

/** Cosine from which a weight is another one quantized. */
const SAME_WEIGHT = 0.9;

function plainPair(layer: Layer, output: Value, twin: Layer): LayerPair | undefined {
  // Sums of codes without their scales are no result to compare.
  if (integerSums.has(twin.op)) return undefined;
  const quantized = endsOf(twin, undefined, layer.bias !== undefined);
  return quantized && { ...pairFacts(layer), float: floatEnds(layer, output), quantized };
}

/** A QOperator layer has its activation function inside: its codes cannot say what was below zero. */
function qOperatorPair(layer: Layer, output: Value, twin: Layer, dequantize: Node): LayerPair | undefined {
  const real = dequantize.output();
  if (!real) return undefined;
  const quantized = { chain: [twin.node, dequantize], activationInput: twin.activationInput, output: real };
  const activation = onlyConsumer(output);
  const activated = activation && opFacts(activation).fusedActivation ? activation.output() : undefined;
  const float =
    activation && activated
      ? { chain: [layer.node, activation], activationInput: layer.activationInput, output: activated }
      : floatEnds(layer, output);
  return { ...pairFacts(layer), float, quantized };
}

/**
 * A layer on integers that were quantized just before it: from the real activation to the real result.
 *
 *   x → DynamicQuantizeLinear → MatMulInteger → Cast → Mul(s_x · s_w) [→ Add(bias)] → y
 */
function dynamicPair(layer: Layer, output: Value, twin: Layer): LayerPair | undefined {
  const quantize = twin.node.input(twin.activationInput)?.producer;
  if (quantize?.opType !== 'DynamicQuantizeLinear') return undefined;
  const chain = [quantize];
  let last: Node | undefined = twin.node;
  // The rescaling behind an operator whose result is int32; one that gives float has none.
  if (twin.node.domain === '') {
    const rescaling = rescalingOf(twin.node);
    if (!rescaling) return undefined;
    const { cast, rescale, scales } = rescaling;
    chain.push(...(scales ? [scales] : []), twin.node, cast);
    last = rescale;
  }
  return chainPair(layer, output, twin, [...chain, last], 0);
}

/** The same where its codes were made elsewhere: from the codes to the real result. */
function integerPair(layer: Layer, output: Value, twin: Layer): LayerPair | undefined {
  const rescaling = integerSums.has(twin.op) ? rescalingOf(twin.node) : undefined;
  if (!rescaling) return undefined;
  const chain = [twin.node, rescaling.cast, rescaling.rescale];
  return chainPair(layer, output, twin, chain, twin.activationInput);
}

/** Ends at the Add of a bias that the float layer has inside. */
function chainPair(
  layer: Layer,
  output: Value,
  twin: Layer,
  chain: readonly Node[],
  activationInput: number,
): LayerPair | undefined {
  const last = chain.at(-1)?.output();
  const add = layer.bias && twin.bias === undefined ? onlyConsumer(last ?? output) : undefined;
  const whole = add?.opType === 'Add' ? [...chain, add] : chain;
  const real = whole.at(-1)?.output();
  if (!real) return undefined;
  const quantized = { chain: whole, activationInput, output: real };
  return { ...pairFacts(layer), float: floatEnds(layer, output), quantized };
}

/** Name, channels and type of a float layer. */
function pairFacts(layer: Layer): Pick<LayerPair, 'name' | 'channels' | 'inputs' | 'single'> {
  const { shape, channelAxis, tensor } = layer;
  const casts = layer.through.some((node) => node.opType === 'Cast');
  const count = shape[channelAxis];
  const place = placeOf(layer);
  const facts = {
    name: layer.name,
    single: tensor.dataType === DataTypeCode.float && !casts,
    ...(place === undefined ? {} : { inputs: { place, count: inputChannels(layer) } }),
  };
  return place === undefined || !count || (place === 'last' && channelAxis !== lastOf(layer))
    ? facts
    : { ...facts, channels: { place, count } };
}

/** A constant on the left has its channels before the last axis. */
function placeOf({ op, weightInput }: Layer): ChannelPlace | undefined {
  if (convolutions.has(op)) return 'second';
  return products.has(op) && weightInput === 1 ? 'last' : undefined;
}

/** Types of both where they differ; the indices of a lookup have none. */
function differentTypes(layer: Layer, twin: Layer): Pick<LayerPair, 'types' | 'single'> {
  const [float, quantized] = [realType(layer), realType(twin)];
  if (float === undefined || quantized === undefined || float === quantized) return {};
  return { single: false, ...(layer.lookup ? {} : { types: { float, quantized } }) };
}

/** Element type of the weight as the operator reads it; `undefined` where it reads codes. */
function realType({ tensor, through }: Layer): number | undefined {
  let type = tensor.dataType;
  for (const node of through) {
    if (node.opType === 'Cast') type = node.int('to', type);
    if (node.opType === 'QuantizeLinear') type = node.input(2)?.elementType || DataTypeCode.uint8;
    if (node.opType === 'DequantizeLinear') {
      const scale = node.input(1);
      type =
        node.int('output_dtype', 0) || scale?.tensor?.dataType || scale?.elementType || DataTypeCode.float;
    }
  }
  return dataTypeByCode(type)?.kind === 'float' ? type : undefined;
}

/** Axis of the weight that becomes the last of the output; stored matrices may be transposed on the way. */
function lastOf(layer: Layer): number {
  return layer.shape.length === 2 ? layer.channelAxis : layer.shape.length - 1;
}

const convolutions: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'com.microsoft.FusedConv']);

const products: ReadonlySet<string> = new Set(['Gemm', 'MatMul', 'com.microsoft.FusedMatMul']);

/** A table of codes is dequantized behind the lookup. */
function lookupDequantize({ node, lookup, through }: Layer): Node | undefined {
  if (!lookup || node.domain !== '' || through.length > 0) return undefined;
  return node.output()?.uses.find((use) => use.node.opType === 'DequantizeLinear' && use.index === 0)?.node;
}

function floatEnds(layer: Layer, output: Value): LayerEnds {
  return { chain: [layer.node], activationInput: layer.activationInput, output };
}

/** The chain that ends at the value called `name`, or at the layer itself (with its bias when that is an own Add). */
function endsOf(layer: Layer, name: string | undefined, withBias = false): LayerEnds | undefined {
  const { node, activationInput } = layer;
  const output = node.outputs.find((one) => one.name === name) ?? usedOutput(node);
  if (!output) return undefined;
  const ends = { chain: [node], activationInput, output };
  if (name === undefined ? !withBias || layer.bias !== undefined : output.name === name) return ends;
  const add = onlyConsumer(output);
  const sum = add?.opType === 'Add' ? add.output() : undefined;
  if (!add || !sum || (name !== undefined && sum.name !== name)) return name === undefined ? ends : undefined;
  return { chain: [node, add], activationInput, output: sum };
}

function onlyConsumer(value: Value): Node | undefined {
  return value.uses.length === 1 ? value.uses[0]?.node : undefined;
}

/** What operators of one family share across storages. */
const families: Readonly<Record<string, string>> = {
  Conv: 'conv',
  QLinearConv: 'conv',
  ConvInteger: 'conv',
  'com.microsoft.FusedConv': 'conv',
  ConvTranspose: 'conv-transpose',
};

function describe(layer: Layer): MatchLayer {
  const weight = realWeight(layer).value;
  return {
    name: layer.name,
    // Everything that is no convolution is a matrix product: Gemm, MatMul, MatMulNBits, QGemm, …
    family: layer.lookup ? 'lookup' : (families[layer.op] ?? 'matmul'),
    params: layer.params,
    // Zeros have no direction to compare.
    sample: weight?.some((value) => value !== 0) ? sampleOf(weight) : undefined,
  };
}
