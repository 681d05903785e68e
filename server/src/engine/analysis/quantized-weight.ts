/**
 * The codes of a layer whose weight is stored quantized, channel by channel, with the scale and zero point of every
 * element: DequantizeLinear per tensor, per axis and in blocks (ONNX operator specification), QOperator forms,
 * MatMulInteger and its relatives, MatMulNBits (onnxruntime ContribOperators). Codes stay in their stored width.
 */
import type { QuantizedLayerFacts } from '../../protocol/reports';
import type { DataType } from '../base/dtype';
import { unpackUnsigned } from '../base/pack';
import { isReshaped } from '../graph/constant-source';
import type { Node } from '../graph/ir';
import type { Layer } from '../graph/layers';
import { elementsOf, type Tensor } from '../graph/tensor';
import { type ChannelView, channelView, elementIndex } from '../numerics/layout';
import { weightScaleOf } from './integer-scales';
import { quantizedTable } from './quantized-table';
import { codesOf, floats, type MadeCodes, parameterOf, rearranged } from './stored-codes';

/** Codes of one weight; `read` gives one output channel at a time. */
export interface QuantizedWeight {
  readonly form: QuantizedLayerFacts['form'];
  readonly bits: number;
  readonly signed: boolean;
  readonly granularity: QuantizedLayerFacts['granularity'];
  readonly groupSize: number | undefined;
  readonly channels: number;
  /** Codes of one output channel. */
  readonly perChannel: number;
  readonly scales: Float32Array;
  /** One per scale, in their order; one for all; `undefined` = the operator's own. */
  readonly zeroPoints: ArrayLike<number> | undefined;
  /** Zero point where none is stored: 0, or the middle of MatMulNBits codes. */
  readonly defaultZero: number;
  /** Position of the scale that a whole channel shares; missing where scales may differ within one. */
  readonly scaleOf?: (channel: number) => number;
  /** Writes the codes of a channel into `codes` and the positions of their scales into `parameters`. */
  read(channel: number, codes: Int32Array, parameters: Int32Array): void;
}

/** Input positions of scale and zero point of the weight on operators that carry them themselves. */
const ownParameters: Readonly<
  Record<
    string,
    { readonly form: 'qoperator' | 'dynamic'; readonly at: readonly [number | undefined, number] }
  >
> = {
  QLinearConv: { form: 'qoperator', at: [4, 5] },
  QLinearMatMul: { form: 'qoperator', at: [4, 5] },
  'com.microsoft.QGemm': { form: 'qoperator', at: [4, 5] },
  'com.microsoft.MatMulIntegerToFloat': { form: 'dynamic', at: [3, 5] },
  'com.microsoft.DynamicQuantizeMatMul': { form: 'dynamic', at: [2, 3] },
  // Their scale is multiplied in behind the operator.
  MatMulInteger: { form: 'dynamic', at: [undefined, 3] },
  ConvInteger: { form: 'dynamic', at: [undefined, 3] },
};

/** Opens the codes of a layer; `undefined` when its weight is float, not readable, or stored in no integer type. */
export function quantizedWeight(layer: Layer): QuantizedWeight | undefined {
  if (!layer.quantized || layer.computed) return undefined;
  if (layer.op === 'com.microsoft.MatMulNBits') return nBitsWeight(layer);
  if (layer.lookup && layer.through.length === 0) return quantizedTable(layer);
  const made = codesOf(layer);
  if (!made) return undefined;
  if (made.dequantize) return dequantizedWeight(layer, made, made.dequantize);
  const own = ownParameters[layer.op];
  if (!own || isReshaped(layer.through)) return undefined;
  const { type, codes } = made;
  const [scaleAt, zeroAt] = own.at;
  const scales = scaleAt === undefined ? weightScale(layer.node) : floats(layer.node.input(scaleAt)?.tensor);
  if (!scales || (scaleAt !== undefined && scales.length === 0)) return undefined;
  const zeros = layer.node.input(zeroAt)?.tensor;
  const scaleOf = (channel: number) => (scales.length > 1 ? channel : 0);
  return {
    ...common(layer, type, own.form, scales.length > 1 ? 'channel' : 'tensor'),
    groupSize: undefined,
    scales,
    zeroPoints: floats(zeros),
    scaleOf,
    read: reader(made.toStored(codes), channelView(layer.shape, layer.channelAxis), scaleOf),
  };
}

function common(
  layer: Layer,
  type: DataType,
  form: QuantizedWeight['form'],
  granularity: QuantizedWeight['granularity'],
) {
  const view = channelView(layer.shape, layer.channelAxis);
  return {
    form,
    granularity,
    bits: type.bits,
    signed: type.kind === 'int',
    channels: view.channels,
    perChannel: view.perChannel,
    defaultZero: 0,
  };
}

function dequantizedWeight(layer: Layer, made: MadeCodes, node: Node): QuantizedWeight | undefined {
  const { type, codes, shape, after } = made;
  const scales = floats(node.input(1)?.tensor);
  if (!scales || scales.length === 0) return undefined;
  const zeroTensor = node.input(2)?.tensor;
  const block = node.int('block_size', 0);
  const parameter = parameterOf(shape, node.int('axis', 1), block, scales.length);
  const rest = { scales, zeroPoints: floats(zeroTensor) };
  if (!isReshaped(layer.through)) {
    const view = channelView(layer.shape, layer.channelAxis);
    const granularity = scales.length === 1 ? 'tensor' : block > 0 ? 'group' : 'channel';
    const stored = made.toStored(codes);
    const scaleOf = sharedScale(layer, node, made, scales.length);
    if (scaleOf) {
      return {
        ...common(layer, type, 'qdq', granularity),
        ...rest,
        groupSize: undefined,
        scaleOf,
        read: reader(stored, view, scaleOf),
      };
    }
    const moved =
      scales.length > 1 && stored !== codes
        ? made.toStored(Float64Array.from({ length: codes.length }, (_, at) => parameter(at)))
        : undefined;
    const parameterAt = moved ? (at: number) => moved[at] ?? 0 : parameter;
    return {
      ...common(layer, type, block > 0 ? 'blocked-qdq' : 'qdq', granularity),
      ...rest,
      groupSize: granularity === 'group' ? block : undefined,
      read: (channel, into, parameters) => {
        copyChannel(stored, view, channel, into);
        for (let k = 0; k < view.perChannel; k++) parameters[k] = parameterAt(elementIndex(view, channel, k));
      },
    };
  }
  // Codes stored in blocks or rows: bring codes and the positions of their scales to the layer's shape together.
  const whole = rearranged(Float32Array.from(codes), shape, after);
  const positions = rearranged(
    Float32Array.from({ length: codes.length }, (_, at) => parameter(at)),
    shape,
    after,
  );
  const row = codes.length / Math.max(1, scales.length);
  const view = channelView(layer.shape, layer.channelAxis);
  const grouped = scales.length > 1 && (block > 0 || scales.length !== view.channels);
  return {
    ...common(
      layer,
      type,
      grouped ? 'blocked-qdq' : 'qdq',
      grouped ? 'group' : scales.length === 1 ? 'tensor' : 'channel',
    ),
    ...rest,
    groupSize: grouped ? block || row : undefined,
    read: (channel, into, parameters) => {
      for (let k = 0; k < view.perChannel; k++) {
        const at = elementIndex(view, channel, k);
        into[k] = whole[at] ?? 0;
        parameters[k] = positions[at] ?? 0;
      }
    },
  };
}

/**
 * One scale for all, or one per output channel of codes that lie as the layer reads them: known without asking every
 * element. `undefined` for blocks, scales along other axes and codes that are moved.
 */
function sharedScale(
  layer: Layer,
  node: Node,
  { codes, shape, toStored }: MadeCodes,
  count: number,
): QuantizedWeight['scaleOf'] {
  if (node.int('block_size', 0) > 0) return undefined;
  if (count === 1) return () => 0;
  const axis = node.int('axis', 1);
  const along = axis < 0 ? axis + shape.length : axis;
  const asRead = toStored(codes) === codes && shape.every((size, at) => size === layer.shape[at]);
  return asRead && along === layer.channelAxis && count === shape[along] ? (channel) => channel : undefined;
}

/** (code − zero point) · scale of every element, output channel first. A weight without known scale keeps scale 1. */
export function dequantized(weight: QuantizedWeight): Float32Array {
  const { channels, perChannel, scales, zeroPoints, defaultZero } = weight;
  const values = new Float32Array(channels * perChannel);
  const codes = new Int32Array(perChannel);
  const parameters = new Int32Array(perChannel);
  const zeroAt = (parameter: number) =>
    zeroPoints ? (zeroPoints[parameter] ?? zeroPoints[0] ?? 0) : defaultZero;
  const scaleAt = (parameter: number) => (scales.length === 0 ? 1 : (scales[parameter] ?? 0));
  for (let channel = 0; channel < channels; channel++) {
    weight.read(channel, codes, parameters);
    const target = values.subarray(channel * perChannel, (channel + 1) * perChannel);
    const shared = weight.scaleOf?.(channel);
    if (shared !== undefined) scaled(codes, zeroAt(shared), scaleAt(shared), target);
    else
      for (let k = 0; k < perChannel; k++) {
        const parameter = parameters[k] ?? 0;
        target[k] = ((codes[k] ?? 0) - zeroAt(parameter)) * scaleAt(parameter);
      }
  }
  return values;
}

function scaled(codes: Int32Array, zero: number, scale: number, target: Float32Array): void {
  for (let k = 0; k < target.length; k++) target[k] = ((codes[k] ?? 0) - zero) * scale;
}

/** Reads whole channels of codes whose scale is one for the tensor or one per channel. */
function reader(
  codes: ArrayLike<number>,
  view: ChannelView,
  parameter: (channel: number) => number,
): QuantizedWeight['read'] {
  return (channel, into, parameters) => {
    copyChannel(codes, view, channel, into);
    parameters.fill(parameter(channel));
  };
}

/** One output channel in order of `k`. */
function copyChannel(codes: ArrayLike<number>, view: ChannelView, channel: number, into: Int32Array): void {
  const { outer, channels, inner } = view;
  for (let o = 0, k = 0; o < outer; o++) {
    const start = (o * channels + channel) * inner;
    for (let at = start; at < start + inner; at++, k++) into[k] = codes[at] ?? 0;
  }
}

function nBitsWeight(layer: Layer): QuantizedWeight | undefined {
  const { node } = layer;
  const [channels = 0, perChannel = 0] = layer.shape;
  const bits = node.int('bits', 4);
  const block = node.int('block_size', 32);
  const blocks = Math.ceil(perChannel / Math.max(1, block));
  const packed = elementsOf(layer.tensor).value;
  const scales = floats(node.input(2)?.tensor);
  const rowBytes = Math.ceil((blocks * block * bits) / 8);
  if (!(packed instanceof Uint8Array) || !scales || packed.length < channels * rowBytes) return undefined;
  const zeroTensor = node.input(3)?.tensor;
  return {
    form: 'matmul-n-bits',
    bits,
    signed: false,
    granularity: 'group',
    groupSize: block,
    channels,
    perChannel,
    scales,
    zeroPoints: zeroTensor && nBitsZeros(zeroTensor, channels, blocks, bits),
    defaultZero: 2 ** (bits - 1),
    read: (channel, into, parameters) => {
      const row = unpackUnsigned(
        packed.subarray(channel * rowBytes, (channel + 1) * rowBytes),
        blocks * block,
        bits,
      );
      for (let k = 0; k < perChannel; k++) {
        into[k] = row[k] ?? 0;
        parameters[k] = channel * blocks + Math.floor(k / block);
      }
    },
  };
}

/** Zero points of MatMulNBits, one per block: packed like the codes, or floats. */
function nBitsZeros(
  tensor: Tensor,
  channels: number,
  blocks: number,
  bits: number,
): ArrayLike<number> | undefined {
  const stored = elementsOf(tensor).value;
  if (!(stored instanceof Uint8Array)) return tensor.toFloat32().value;
  const rowBytes = Math.ceil((blocks * bits) / 8);
  const zeros = new Uint8Array(channels * blocks);
  for (let channel = 0; channel < channels; channel++) {
    const row = unpackUnsigned(stored.subarray(channel * rowBytes, (channel + 1) * rowBytes), blocks, bits);
    zeros.set(row, channel * blocks);
  }
  return zeros;
}

/** Scale of the weight of a MatMulInteger or ConvInteger; empty when the graph does not tell. */
function weightScale(node: Node): Float32Array {
  return weightScaleOf(node) ?? new Float32Array(0);
}
