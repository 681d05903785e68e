/**
 * What the codes and scales of layers that are quantized already tell, without data and without the float original:
 * levels that work, saturation, spread of scales, limits of accumulators, bias scales. Reads one weight at a time.
 */
import type { ActivationQuantizer, QuantizedLayerFacts } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import { dataTypeByCode } from '../base/dtype';
import type { ProgressSink } from '../base/progress';
import type { Model, Node, Value } from '../graph/ir';
import { type Layer, listLayers } from '../graph/layers';
import { elementsOf } from '../graph/tensor';
import { INT32_MAX, pairSum } from '../numerics/accumulators';
import { type FloatCodes, floatActivation, floatCodeFacts, floatCodes } from './float-codes';
import { type QuantizedWeight, quantizedWeight } from './quantized-weight';
import { clipBehind, quantizerOf } from './quantizers';

/** Smallest positive float32 that is not subnormal. */
const SMALLEST_NORMAL = 2 ** -126;

/** Forms whose products are computed in integers when the activation is quantized too. */
const INTEGER_FORMS: ReadonlySet<string> = new Set(['qdq', 'qoperator', 'dynamic']);

export interface NamedFacts {
  readonly name: string;
  readonly quantized: QuantizedLayerFacts;
}

/** Facts of every layer stored quantized, in order; `partial` gets all so far after every layer. */
export async function quantizedFacts(
  model: Model,
  context: {
    readonly signal?: AbortSignal;
    readonly progress: ProgressSink;
    readonly partial?: (facts: readonly NamedFacts[]) => void;
  },
): Promise<readonly NamedFacts[]> {
  const layers = listLayers(model).filter((layer) => layer.quantized);
  const found: NamedFacts[] = [];
  for (const [index, layer] of layers.entries()) {
    await checkpoint(context.signal);
    const quantized = layerFacts(layer);
    if (quantized) found.push({ name: layer.name, quantized });
    context.progress({
      stage: 'weights',
      done: index + 1,
      total: layers.length,
      unit: 'layers',
      detail: layer.name,
    });
    if (quantized) context.partial?.(found);
  }
  return found;
}

/** Facts of one layer; `undefined` for float weights and codes that cannot be read. */
export function layerFacts(layer: Layer): QuantizedLayerFacts | undefined {
  const floats = floatCodes(layer);
  if (floats) return factsOfFloats(layer, floats);
  const weight = quantizedWeight(layer);
  if (!weight || weight.channels * weight.perChannel === 0) return undefined;
  const inputQuantizer = quantizerOf(layer);
  const codes = codeFacts(weight, layer, inputQuantizer);
  const bias = biasFacts(layer, weight, inputQuantizer);
  const clippedBy = clipBehind(layer.node);
  return {
    form: weight.form,
    weightBits: weight.bits,
    weightSigned: weight.signed,
    granularity: weight.granularity,
    ...(weight.groupSize === undefined ? {} : { groupSize: weight.groupSize }),
    ...codes,
    ...scaleFacts(weight),
    reduction: weight.perChannel,
    ...(bias ? { bias } : {}),
    ...(inputQuantizer ? { inputQuantizer } : {}),
    ...(clippedBy ? { clippedBy } : {}),
  };
}

/** What is known of codes that are small floats. */
function factsOfFloats(layer: Layer, codes: FloatCodes): QuantizedLayerFacts {
  const { type, bits, scales, granularity, groupSize } = codes;
  const inputFloat = floatActivation(layer);
  return {
    form: layer.through.length === 0 ? 'matmul-n-bits' : granularity === 'group' ? 'blocked-qdq' : 'qdq',
    weightBits: bits,
    weightSigned: true,
    weightFloat: type,
    granularity,
    ...(groupSize === undefined ? {} : { groupSize }),
    ...floatCodeFacts(codes),
    ...scaleFacts({ scales, zeroPoints: undefined, defaultZero: 0 }),
    saturatedShare: 0,
    lowestCode: 0,
    highestCode: 0,
    accumulatorPeak: 0,
    reach: { median: 0, least: 0, channel: 0 },
    reduction: layer.params / Math.max(1, layer.shape[layer.channelAxis] ?? 1),
    ...(inputFloat === undefined ? {} : { inputFloat }),
  };
}

/** Largest |code − zero point| an activation can have; 255 where it is not quantized, as 8-bit kernels would make it. */
function activationPeak(quantizer: ActivationQuantizer | undefined): number {
  if (!quantizer) return 255;
  const lowest = quantizer.signed ? -(2 ** (quantizer.bits - 1)) : 0;
  const highest = lowest + 2 ** quantizer.bits - 1;
  const { zeroPoint } = quantizer;
  return zeroPoint === null ? highest - lowest : Math.max(highest - zeroPoint, zeroPoint - lowest);
}

type CodeFacts = Pick<
  QuantizedLayerFacts,
  | 'codesUsed'
  | 'effectiveLevels'
  | 'saturatedShare'
  | 'lowestCode'
  | 'highestCode'
  | 'accumulatorPeak'
  | 'pairSumPeak'
  | 'reach'
>;

function codeFacts(weight: QuantizedWeight, layer: Layer, input: ActivationQuantizer | undefined): CodeFacts {
  const peak = activationPeak(input);
  const { channels, perChannel, bits, signed } = weight;
  const lowest = signed ? -(2 ** (bits - 1)) : 0;
  const counts = new Float64Array(2 ** bits);
  const reaches = new Float64Array(channels);
  const codes = new Int32Array(perChannel);
  const parameters = new Int32Array(perChannel);
  const order = input && pairOrder(layer, weight, perChannel);
  let accumulatorPeak = 0;
  let pairSumPeak = 0;
  for (let channel = 0; channel < channels; channel++) {
    weight.read(channel, codes, parameters);
    count(codes, lowest, counts);
    const { sum, reach } = distancesFromZero(weight, channel, codes, parameters);
    if (sum * peak > accumulatorPeak) accumulatorPeak = sum * peak;
    reaches[channel] = reach;
    if (order) pairSumPeak = Math.max(pairSumPeak, largestPairSum(codes, order));
  }
  const { used, levels, low, high } = occupation(counts, lowest);
  const total = channels * perChannel;
  // A symmetric range leaves its lowest code out, so that the one above it is an end too.
  const highest = lowest + counts.length - 1;
  const ends = (counts[0] ?? 0) + (signed ? (counts[1] ?? 0) : 0) + (counts[highest - lowest] ?? 0);
  return {
    codesUsed: used,
    effectiveLevels: levels,
    saturatedShare: ends / total,
    lowestCode: low,
    highestCode: high,
    accumulatorPeak,
    ...(order ? { pairSumPeak } : {}),
    reach: reachOf(reaches, 2 ** (bits - 1)),
  };
}

function count(codes: Int32Array, lowest: number, counts: Float64Array): void {
  for (let k = 0; k < codes.length; k++) {
    const at = (codes[k] ?? 0) - lowest;
    counts[at] = (counts[at] ?? 0) + 1;
  }
}

/** Sum and maximum of |code − zero point| in a channel. */
function distancesFromZero(
  { scaleOf, zeroPoints, defaultZero }: QuantizedWeight,
  channel: number,
  codes: Int32Array,
  parameters: Int32Array,
): { readonly sum: number; readonly reach: number } {
  const zeroAt = (parameter: number) =>
    zeroPoints ? (zeroPoints[parameter] ?? zeroPoints[0] ?? 0) : defaultZero;
  if (scaleOf) return distancesFrom(zeroAt(scaleOf(channel)), codes);
  let sum = 0;
  let reach = 0;
  for (let k = 0; k < codes.length; k++) {
    const distance = Math.abs((codes[k] ?? 0) - zeroAt(parameters[k] ?? 0));
    sum += distance;
    if (distance > reach) reach = distance;
  }
  return { sum, reach };
}

function distancesFrom(zero: number, codes: Int32Array): { readonly sum: number; readonly reach: number } {
  let sum = 0;
  let reach = 0;
  for (let k = 0; k < codes.length; k++) {
    const distance = Math.abs((codes[k] ?? 0) - zero);
    sum += distance;
    if (distance > reach) reach = distance;
  }
  return { sum, reach };
}

/** Largest sum of two products that a kernel adds in 16 bits, over neighbours in this order. */
function largestPairSum(codes: Int32Array, order: Int32Array): number {
  let largest = 0;
  for (let k = 0; k + 1 < order.length; k++) {
    const both = pairSum(codes[order[k] ?? 0] ?? 0, codes[order[k + 1] ?? 0] ?? 0);
    if (both > largest) largest = both;
  }
  return largest;
}

/** Codes that occur, exp of their entropy, and the outermost ones. */
function occupation(counts: Float64Array, lowest: number) {
  let used = 0;
  let total = 0;
  let low = 0;
  let high = 0;
  for (const [index, count] of counts.entries()) {
    if (count === 0) continue;
    if (used === 0) low = lowest + index;
    high = lowest + index;
    used++;
    total += count;
  }
  return { used, levels: effectiveLevels(counts, total), low, high };
}

/** exp(entropy) of counts: the number of equally used levels that carry as much. */
export function effectiveLevels(counts: ArrayLike<number>, total: number): number {
  let entropy = 0;
  for (let index = 0; index < counts.length; index++) {
    const share = (counts[index] ?? 0) / total;
    if (share > 0) entropy -= share * Math.log(share);
  }
  return Math.exp(entropy);
}

/** @param full codes on either side of zero. */
function reachOf(reaches: Float64Array, full: number): QuantizedLayerFacts['reach'] {
  let channel = 0;
  for (const [index, reach] of reaches.entries()) if (reach < (reaches[channel] ?? 0)) channel = index;
  const sorted = reaches.slice().sort();
  const narrow = reaches.filter((reach) => reach > 0 && reach < full / 8).length;
  const median = sorted[sorted.length >> 1] ?? 0;
  return { median, least: reaches[channel] ?? 0, channel, narrow, channels: reaches.length };
}

/**
 * Order in which onnxruntime's x86 kernels run over a channel: convolutions by kernel position, then by input
 * channel. `undefined` where the kernel adds no byte pairs: other widths, depthwise convolutions, float activations.
 */
function pairOrder(layer: Layer, weight: QuantizedWeight, perChannel: number): Int32Array | undefined {
  if (weight.bits !== 8 || !weight.signed || layer.depthwise || !INTEGER_FORMS.has(weight.form))
    return undefined;
  const inputs = layer.shape.length > 2 && layer.channelAxis === 0 ? (layer.shape[1] ?? 1) : 1;
  const positions = perChannel / Math.max(1, inputs);
  return Int32Array.from({ length: perChannel }, (_, k) =>
    inputs === 1 || positions === 1 ? k : (k % inputs) * positions + Math.floor(k / inputs),
  );
}

type ScaleFacts = Pick<
  QuantizedLayerFacts,
  | 'badScales'
  | 'scaleSpread'
  | 'zeroPointNonZero'
  | 'zeroPointsDiffer'
  | 'negativeScales'
  | 'fractionalZeroPoints'
>;

function scaleFacts({
  scales,
  zeroPoints,
  defaultZero,
}: Pick<QuantizedWeight, 'scales' | 'zeroPoints' | 'defaultZero'>): ScaleFacts {
  let badScales = 0;
  let negativeScales = 0;
  let smallest = Number.POSITIVE_INFINITY;
  let largest = 0;
  for (const scale of scales) {
    const size = Math.abs(scale);
    if (scale < 0) negativeScales++;
    if (!Number.isFinite(scale) || size < SMALLEST_NORMAL) {
      badScales++;
      continue;
    }
    smallest = Math.min(smallest, size);
    largest = Math.max(largest, size);
  }
  let zeroPointNonZero = false;
  let zeroPointsDiffer = false;
  let fractionalZeroPoints = 0;
  for (let index = 0; index < (zeroPoints?.length ?? 0); index++) {
    const zero = zeroPoints?.[index] ?? 0;
    if (zero !== defaultZero) zeroPointNonZero = true;
    if (zero !== zeroPoints?.[0]) zeroPointsDiffer = true;
    if (!Number.isInteger(zero)) fractionalZeroPoints++;
  }
  return {
    badScales,
    scaleSpread: largest > 0 ? largest / smallest : 1,
    zeroPointNonZero,
    zeroPointsDiffer,
    negativeScales,
    fractionalZeroPoints,
  };
}

/** Scale and saturation of an int32 bias; `undefined` without one. */
function biasFacts(
  layer: Layer,
  weight: QuantizedWeight,
  input: ActivationQuantizer | undefined,
): QuantizedLayerFacts['bias'] {
  const stored = layer.bias;
  if (!stored?.tensor || dataTypeByCode(stored.tensor.dataType)?.name !== 'int32') return undefined;
  const codes = elementsOf(stored.tensor).value;
  if (!codes) return undefined;
  let saturated = 0;
  for (const code of codes) if (Math.abs(Number(code)) >= INT32_MAX) saturated++;
  return { scaleError: biasScaleError(layer.node, stored, weight, input), saturated };
}

/** Largest |s_b / (s_x · s_w) − 1|; 0 where the operator implies the scale. */
function biasScaleError(
  node: Node,
  stored: Value,
  weight: QuantizedWeight,
  input: ActivationQuantizer | undefined,
): number {
  const dequantize = node.inputs.find(
    (value) => value?.producer?.opType === 'DequantizeLinear' && value.producer.input(0) === stored,
  )?.producer;
  const scales = dequantize?.input(1)?.tensor?.toFloat32().value;
  const inputScale = input?.scale;
  if (!scales || inputScale === null || inputScale === undefined || weight.granularity === 'group') return 0;
  let error = 0;
  const count = Math.max(scales.length, weight.scales.length);
  for (let index = 0; index < count; index++) {
    const expected = inputScale * (weight.scales[weight.scales.length === 1 ? 0 : index] ?? 0);
    const found = scales[scales.length === 1 ? 0 : index] ?? 0;
    if (expected > 0) error = Math.max(error, Math.abs(found / expected - 1));
  }
  return error;
}
