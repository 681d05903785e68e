/**
 * Biases of integer kernels: int32 codes whose scale is s_x · s_w of the channel, zero point 0, so that they add to
 * the accumulator directly. Where that product is too small for the bias, the weight's scale grows until it fits.
 * Source: Krishnamoorthi 2018 §2.1; onnxruntime's QDQ quantizer does the same adjustment.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { addInitializer, addNode, addValue, setInput } from '../graph/edit';
import type { Layer } from '../graph/layers';
import { opFacts } from '../graph/ops';
import { bytesOf, floatTensor, memoryTensor } from '../graph/tensor';
import { quantizeDomain } from '../methods/targets';
import { roundHalfEven, SMALLEST_SCALE } from '../numerics/affine';
import { channelView, elementIndex } from '../numerics/layout';
import type { QuantizedWeight, ScopeParameters } from '../numerics/quantize-weight';
import { integer, nodeName } from './emit';
import type { LayerWeight } from './weights';

const LARGEST_CODE = 2 ** 31 - 1;

/** Bits of headroom for the bias of a channel whose weights are all zero. */
const ZERO_CHANNEL_BITS = 24;

/** `undefined`: the layer has no bias. `'float'`: it has one that no integer kernel takes. */
export function biasOf(layer: Layer): Float32Array | 'float' | undefined {
  const index = opFacts(layer.node).weight?.bias;
  const input = index === undefined ? undefined : layer.node.input(index);
  if (input === undefined) return undefined;
  const { bias } = layer;
  const channels = layer.shape[layer.channelAxis] ?? 0;
  // Through Identity or Cast the constant is not what the layer adds, or not directly.
  if (bias === undefined || bias !== input || bias.tensor?.dataType !== DataTypeCode.float) return 'float';
  if (bias.tensor.shape.length !== 1 || bias.tensor.size !== channels) return 'float';
  return bias.tensor.toFloat32().value ?? 'float';
}

/**
 * Quantizers of the weight with which every bias code fits into int32: the given ones when nothing has to change. Where
 * a scale grows, the weights it serves are negligible beside the bias.
 */
export function fitWeightScales(
  parameters: ScopeParameters,
  weight: LayerWeight,
  bias: Float32Array,
  inputScale: number,
): ScopeParameters {
  const perTensor = parameters.scales.length === 1;
  let scales: Float32Array | undefined;
  for (let channel = 0; channel < bias.length; channel++) {
    const at = perTensor ? 0 : channel;
    const scale = (scales ?? parameters.scales)[at] ?? 1;
    const magnitude = Math.abs(bias[channel] ?? 0);
    const least = Math.max(
      magnitude / (inputScale * LARGEST_CODE),
      SMALLEST_SCALE / inputScale,
      SMALLEST_SCALE,
    );
    // Any scale is exact for a channel of zeros; 1 would round its bias to multiples of the input scale.
    const zero = !perTensor && scale === 1 && isZeroChannel(weight, channel);
    const fine = magnitude / (inputScale * 2 ** ZERO_CHANNEL_BITS);
    const wanted = zero ? Math.max(fine, least) : scale >= least ? scale : least * (1 + 2 ** -20);
    if (wanted === scale) continue;
    scales ??= parameters.scales.slice();
    scales[at] = Math.fround(wanted);
  }
  return scales === undefined ? parameters : { ...parameters, scales };
}

/** Codes and scales of a bias. */
export function quantizeBias(
  bias: Float32Array,
  inputScale: number,
  weightScales: Float32Array,
): { codes: Int32Array; scales: Float32Array } {
  const scales = weightScales.map((scale) => Math.fround(inputScale * scale));
  const codes = Int32Array.from(bias, (value, channel) => {
    const scale = scales[scales.length === 1 ? 0 : channel] ?? 1;
    return Math.min(Math.max(roundHalfEven(Math.fround(value / scale)), -LARGEST_CODE), LARGEST_CODE);
  });
  return { codes, scales };
}

/** Stores the bias as `<b>_quantized` and makes the layer read it through DequantizeLinear. */
export function writeBias(
  layer: Layer,
  bias: Float32Array,
  inputScale: number,
  weight: QuantizedWeight,
  opset: number,
): void {
  const graph = defined(layer.node.graph, 'layer is in a graph');
  const index = defined(opFacts(layer.node).weight?.bias, 'layer takes a bias');
  const name = defined(layer.bias, 'layer has a bias').name;
  const { codes, scales } = quantizeBias(bias, inputScale, weight.scales);
  const perTensor = weight.scheme.granularity === 'tensor';
  const shape = perTensor ? [] : [scales.length];
  const int32 = (values: Int32Array, dimensions: readonly number[]) =>
    memoryTensor(DataTypeCode.int32, dimensions, bytesOf(values));
  const inputs = [
    addInitializer(graph, `${name}_quantized`, int32(codes, [codes.length])),
    addInitializer(graph, `${name}_quantized_scale`, floatTensor(shape, scales)),
    addInitializer(graph, `${name}_quantized_zero_point`, int32(new Int32Array(scales.length), shape)),
  ];
  const output = addValue(graph, `${name}_DequantizeLinear_Output`, DataTypeCode.float, [codes.length]);
  addNode(
    graph,
    {
      name: nodeName(graph, `${name}_DequantizeLinear`),
      opType: 'DequantizeLinear',
      domain: quantizeDomain('int8', perTensor ? 'tensor' : 'axis', opset),
      inputs,
      outputs: [output],
      attributes: perTensor ? [] : [['axis', integer(0)]],
    },
    layer.node,
  );
  setInput(layer.node, index, output);
}

/** A zero bias in float: onnxruntime then leaves the layer in float, where its integer kernel would refuse. */
export function writeFloatBias(layer: Layer): void {
  const graph = defined(layer.node.graph, 'layer is in a graph');
  const index = opFacts(layer.node).weight?.bias;
  if (index === undefined || layer.node.input(index)) return;
  // A grouped ConvTranspose stores the output channels of one group.
  const channels = (layer.shape[layer.channelAxis] ?? 0) * (layer.channelAxis === 0 ? 1 : layer.groups);
  setInput(
    layer.node,
    index,
    addInitializer(graph, `${layer.name}_zero_bias`, floatTensor([channels], new Float32Array(channels))),
  );
}

function isZeroChannel(weight: LayerWeight, channel: number): boolean {
  const view = channelView(weight.shape, weight.channelAxis);
  for (let k = 0; k < view.perChannel; k++) {
    if (weight.data[elementIndex(view, channel, k)] !== 0) return false;
  }
  return true;
}
