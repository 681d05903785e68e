/**
 * The float network with the activation quantizers of a quantized file beside it: what each of them would make of the
 * float activations, apart from what earlier layers of the file did to them.
 */
import type { ActivationQuantizer } from '../../protocol/reports';
import { DataTypeCode } from '../base/dtype';
import { addInitializer, addNode } from '../graph/edit';
import { defaultOpset, type Model } from '../graph/ir';
import { bytesOf, floatTensor, memoryTensor } from '../graph/tensor';
import type { LayerTwins } from './layer-pairs';
import { quantizerOf } from './quantizers';

/** First operator set with QuantizeLinear. */
const QUANTIZE_OPSET = 10;

/**
 * Adds a QuantizeLinear for the activation of every layer whose twin reads 8-bit codes of a constant scale.
 * @param float changed; `twins` hold its layers.
 * @returns by layer name: the quantizer, its `tensor` the added codes, and the name of the float activation.
 */
export function probeQuantizers(
  float: Model,
  twins: readonly LayerTwins[],
): ReadonlyMap<string, { readonly quantizer: ActivationQuantizer; readonly activation: string }> {
  const found = new Map<string, { quantizer: ActivationQuantizer; activation: string }>();
  if (defaultOpset(float) < QUANTIZE_OPSET) return found;
  for (const { name, float: layer, quantized } of twins) {
    const quantizer = quantizerOf(quantized);
    const activation = layer.node.input(layer.activationInput);
    if (!activation || quantizer?.bits !== 8 || quantizer.scale === null || quantizer.zeroPoint === null)
      continue;
    if (activation.elementType !== 0 && activation.elementType !== DataTypeCode.float) continue;
    const { scale, zeroPoint, signed } = quantizer;
    const zero = signed
      ? memoryTensor(DataTypeCode.int8, [], bytesOf(Int8Array.of(zeroPoint)))
      : memoryTensor(DataTypeCode.uint8, [], bytesOf(Uint8Array.of(zeroPoint)));
    const node = addNode(float.graph, {
      opType: 'QuantizeLinear',
      inputs: [
        activation,
        addInitializer(float.graph, `probe/${name}/scale`, floatTensor([], Float32Array.of(scale))),
        addInitializer(float.graph, `probe/${name}/zero`, zero),
      ],
      outputs: [`probe/${name}/codes`],
    });
    const codes = node.output();
    if (!codes) continue;
    codes.elementType = signed ? DataTypeCode.int8 : DataTypeCode.uint8;
    found.set(name, { quantizer: { ...quantizer, tensor: codes.name }, activation: activation.name });
  }
  return found;
}
