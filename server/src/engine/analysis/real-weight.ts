/**
 * The real-valued weight of a layer, whatever its storage: float, codes behind DequantizeLinear (per tensor, per axis,
 * blocked), QOperator forms with scale inputs, MatMulInteger, MatMulNBits, MatMulBnb4. Order: output channel first,
 * then its inputs, so that the same weight compares equal across storages.
 */
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { isReshaped, type Layer } from '../graph/layers';
import { type ChannelView, channelView, gatherChannel } from '../numerics/layout';
import { bnb4Codes, bnb4Weight } from './bnb4-codes';
import { dequantized, quantizedWeight } from './quantized-weight';
import { parameterOf, reshapedCodes } from './stored-codes';

/** float32 weight, channel-major. Issues: the tensor's own, `tensor-invalid` for codes that cannot be read. */
export function realWeight(layer: Layer): Outcome<Float32Array> {
  const stored = quantizedWeight(layer);
  if (stored) return ok(dequantized(stored));
  const levels = bnb4Codes(layer);
  if (levels) return ok(bnb4Weight(levels));
  const values = layer.tensor.toFloat32();
  if (!values.value) return fail(...values.issues);
  // Computed weights are what the layer reads already.
  if (layer.computed) return ok(channelMajor(values.value, layer), values.issues);
  const dequantize = layer.through.find((node) => node.opType === 'DequantizeLinear');
  if (layer.quantized && !dequantize) {
    const facts = { tensor: layer.weight.name, reason: 'its codes or scales are not constant' };
    return fail(issue('tensor-invalid', facts, { tensor: layer.weight.name }));
  }
  const data = values.value;
  // Codes of 8-bit floats are numbers already; they only miss their scale.
  const scales = dequantize?.input(1)?.tensor?.toFloat32().value;
  if (dequantize && scales && scales.length > 0) {
    const position = parameterOf(
      layer.tensor.shape,
      dequantize.int('axis', 1),
      dequantize.int('block_size', 0),
      scales.length,
    );
    for (let index = 0; index < data.length; index++)
      data[index] = (data[index] ?? 0) * (scales[position(index)] ?? 0);
  }
  const real = isReshaped(layer.through) ? reshapedCodes(data, layer) : data;
  return ok(channelMajor(real, layer), values.issues);
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
