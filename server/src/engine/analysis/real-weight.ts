/**
 * The real-valued weight of a layer, whatever its storage: float, codes behind DequantizeLinear (per tensor, per axis,
 * blocked), QOperator forms with scale inputs, MatMulNBits. Order: output channel first, then its inputs, so that the
 * same weight compares equal across storages.
 */
import { dataTypeByCode } from '../base/dtype';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Node } from '../graph/ir';
import { isReshaped, type Layer, permutation, shapesThrough, sliceOf } from '../graph/layers';
import { permuted } from '../graph/rearrange';
import type { Tensor } from '../graph/tensor';
import { type ChannelView, channelView, gatherChannel } from '../numerics/layout';
import { unpackMatMulNBits } from '../numerics/pack';

/** Input positions of scale and zero point of a weight on operators that carry them themselves. */
const ownParameters: Readonly<Record<string, readonly [scale: number, zeroPoint: number]>> = {
  QLinearConv: [4, 5],
  QLinearMatMul: [4, 5],
  'com.microsoft.QGemm': [4, 5],
  'com.microsoft.MatMulIntegerToFloat': [3, 5],
  'com.microsoft.DynamicQuantizeMatMul': [2, 3],
};

/** float32 weight, channel-major. Issues: the tensor's own, `unsupported-feature` for storages not listed above. */
export function realWeight(layer: Layer): Outcome<Float32Array> {
  if (layer.op === 'com.microsoft.MatMulNBits') return nBitsWeight(layer);
  const codes = layer.tensor.toFloat32();
  if (!codes.value) return fail(...codes.issues);
  const data = codes.value;
  const dequantize = layer.through.find((node) => node.opType === 'DequantizeLinear');
  if (dequantize) {
    applyParameters(
      data,
      layer.tensor.shape,
      dequantize.int('axis', 1),
      dequantize.int('block_size', 0),
      tensorAt(dequantize, 1),
      tensorAt(dequantize, 2),
    );
  }
  if (isReshaped(layer.through)) return ok(channelMajor(reshaped(data, layer), layer), codes.issues);
  const own = ownParameters[layer.op];
  if (own)
    applyParameters(
      data,
      layer.shape,
      layer.channelAxis,
      0,
      tensorAt(layer.node, own[0]),
      tensorAt(layer.node, own[1]),
    );
  return ok(channelMajor(data, layer), codes.issues);
}

/** The weight in the layer's shape, from codes that were stored in blocks or rows. */
function reshaped(data: Float32Array, { tensor, through }: Layer): Float32Array {
  const shapes = [tensor.shape, ...(shapesThrough(tensor.shape, through) ?? [])];
  let values = data;
  through.forEach((node, index) => {
    const shape = shapes[index] ?? [];
    const order = node.op === 'Transpose' ? permutation(node, shape.length) : undefined;
    if (order) values = permuted(values, shape, order);
    const kept = node.op === 'Slice' ? sliceOf(node, shape) : undefined;
    if (kept) values = sliced(values, shape, kept);
  });
  return values;
}

function sliced(
  data: Float32Array,
  shape: readonly number[],
  { axis, start, end }: { readonly axis: number; readonly start: number; readonly end: number },
): Float32Array {
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const row = (shape[axis] ?? 0) * inner;
  const kept = Math.max(0, end - start) * inner;
  const rows = row > 0 ? data.length / row : 0;
  const result = new Float32Array(rows * kept);
  for (let at = 0; at < rows; at++) {
    const from = at * row + start * inner;
    result.set(data.subarray(from, from + kept), at * kept);
  }
  return result;
}

function tensorAt(node: Node, index: number): Tensor | undefined {
  return node.input(index)?.tensor;
}

/** (code − zero point) · scale in place; one scale, one per index of `axis`, or one per block along `axis`. */
function applyParameters(
  data: Float32Array,
  shape: readonly number[],
  axis: number,
  block: number,
  scaleTensor: Tensor | undefined,
  zeroTensor: Tensor | undefined,
): void {
  const scales = scaleTensor?.toFloat32().value;
  if (!scales || scales.length === 0) return;
  const zeros = zeroTensor?.toFloat32().value;
  const at = axis < 0 ? axis + shape.length : axis;
  const size = shape[at] ?? 1;
  const inner = shape.slice(at + 1).reduce((product, dimension) => product * dimension, 1);
  const blocks = block > 0 ? Math.ceil(size / block) : 0;
  for (let index = 0; index < data.length; index++) {
    const along = Math.floor(index / inner) % size;
    const parameter =
      scales.length === 1
        ? 0
        : block > 0
          ? (Math.floor(index / (inner * size)) * blocks + Math.floor(along / block)) * inner +
            (index % inner)
          : along;
    data[index] = ((data[index] ?? 0) - (zeros?.[parameter] ?? 0)) * (scales[parameter] ?? 0);
  }
}

function nBitsWeight(layer: Layer): Outcome<Float32Array> {
  const { node } = layer;
  const [rows = 0, inputs = 0] = layer.shape;
  const codes = node.input(1)?.tensor;
  const scales = node.input(2)?.tensor?.toFloat32().value;
  const bytes = codes?.toIntegers();
  if (!bytes?.value || !scales) {
    return fail(
      ...(bytes?.issues ?? []),
      issue('tensor-invalid', { tensor: layer.weight.name, reason: 'codes or scales are not constant' }),
    );
  }
  const zeroTensor = node.input(3)?.tensor;
  if (zeroTensor && dataTypeByCode(zeroTensor.dataType)?.name !== 'uint8') {
    return fail(
      issue('unsupported-feature', {
        what: 'MatMulNBits with float zero points',
        next: 'Store them packed in uint8.',
      }),
    );
  }
  const zeros = zeroTensor?.toIntegers().value;
  const blockSize = node.int('block_size', 32);
  const values = unpackMatMulNBits({
    bits: node.int('bits', 4),
    blockSize,
    n: rows,
    k: inputs,
    blocks: Math.ceil(inputs / blockSize),
    packed: Uint8Array.from(bytes.value),
    scales,
    zeroPoints: zeros && Uint8Array.from(zeros),
  });
  return ok(reordered(values, channelView([inputs, rows], 1)));
}

function channelMajor(data: Float32Array, layer: Layer): Float32Array {
  return reordered(data, channelView(layer.shape, layer.channelAxis));
}

function reordered(data: Float32Array, view: ChannelView): Float32Array {
  if (view.outer === 1) return data;
  const ordered = new Float32Array(data.length);
  for (let channel = 0; channel < view.channels; channel++) {
    gatherChannel(data, view, channel, ordered.subarray(channel * view.perChannel));
  }
  return ordered;
}
