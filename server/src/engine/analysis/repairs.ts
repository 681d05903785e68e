/**
 * Repairs tried on a copy of a quantized model, so that their gain is measured and not guessed: weights with one scale
 * per output channel in place of one per tensor, and activation ranges of this data in place of those in the file.
 * Both are for running only; a file is written from the float model and a plan.
 */
import type { ActivationRange } from '../../protocol/reports';
import { dataTypeByCode } from '../base/dtype';
import { addInitializer, setInput } from '../graph/edit';
import type { Model, Node, Value } from '../graph/ir';
import { bytesOf, floatTensor, memoryTensor } from '../graph/tensor';
import { parametersFor } from '../numerics/affine';
import { channelView, elementIndex } from '../numerics/layout';
import { dequantizeWeight, quantizeWeight } from '../numerics/quantize-weight';
import type { QuantScheme } from '../numerics/scheme';
import type { LayerTwins } from './layer-pairs';
import { parametersOf } from './quantizers';
import { realWeight } from './real-weight';

/** Operators that leave the elements of a weight where they are. */
const PLAIN: ReadonlySet<string> = new Set(['Identity', 'Cast', 'DequantizeLinear']);

/**
 * Gives layers of one weight scale one per output channel, quantized from the float weight: symmetric, as many bits.
 * @param twins layers of `model` and of the float network; whose stored weight nothing rearranges on the way.
 * @returns names of the layers that were changed.
 */
export function giveChannelScales(model: Model, twins: readonly LayerTwins[]): readonly string[] {
  const changed: string[] = [];
  for (const { name, float, quantized: stored } of twins) {
    const dequantize = stored.through.find((node) => node.opType === 'DequantizeLinear');
    const bits = dataTypeByCode(stored.tensor.dataType)?.bits;
    if (!stored.through.every((node) => PLAIN.has(node.opType))) continue;
    const exact = realWeight(float).value;
    const one = dequantize?.input(1)?.tensor?.size === 1;
    if (!one || !bits || bits > 8 || exact?.length !== stored.tensor.size) continue;
    const scheme: QuantScheme = { bits, signed: true, symmetric: true, granularity: 'channel' };
    const view = channelView(stored.shape, stored.channelAxis);
    const shape = [view.channels, view.perChannel];
    const rounded = dequantizeWeight(quantizeWeight(exact, shape, 0, scheme), shape, 0);
    const values = new Float32Array(rounded.length);
    for (let channel = 0, at = 0; channel < view.channels; channel++) {
      for (let k = 0; k < view.perChannel; k++, at++)
        values[elementIndex(view, channel, k)] = rounded[at] ?? 0;
    }
    const weight = addInitializer(
      model.graph,
      `${stored.weight.name}_channels`,
      floatTensor(stored.tensor.shape, values),
    );
    setInput(stored.node, stored.weightInput, weight);
    changed.push(name);
  }
  return changed;
}

/**
 * Replaces scale and zero point of activation quantizers; type and bits stay.
 * @param ranges real ranges by the name of the codes' tensor.
 * @returns names of the codes' tensors that were changed: those between one QuantizeLinear and DequantizeLinear nodes.
 */
export function giveRanges(model: Model, ranges: ReadonlyMap<string, ActivationRange>): readonly string[] {
  return [...ranges].flatMap(([name, range]) => {
    const codes = model.graph.values.get(name);
    const ends = codes && endsOf(codes);
    const [quantize] = ends ?? [];
    const old = quantize && parametersOf(quantize.input(1), quantize.input(2));
    if (!codes || !ends || !old) return [];
    const { bits, signed } = old;
    const { scale, zeroPoint } = parametersFor(range, { bits, signed, symmetric: false });
    const type = quantize?.input(2)?.tensor?.dataType ?? codes.elementType;
    if (!type || bits !== 8) return [];
    const zero = signed ? Int8Array.of(zeroPoint) : Uint8Array.of(zeroPoint);
    const scaleValue = addInitializer(
      model.graph,
      `${name}_scale_of_data`,
      floatTensor([], Float32Array.of(scale)),
    );
    const zeroValue = addInitializer(
      model.graph,
      `${name}_zero_of_data`,
      memoryTensor(type, [], bytesOf(zero)),
    );
    for (const node of ends) {
      setInput(node, 1, scaleValue);
      setInput(node, 2, zeroValue);
    }
    return [name];
  });
}

/** The QuantizeLinear that makes codes and the DequantizeLinear nodes that read them; `undefined` with other readers. */
function endsOf(codes: Value): readonly Node[] | undefined {
  const { producer } = codes;
  const readers = codes.uses.map(({ node }) => node);
  if (producer?.opType !== 'QuantizeLinear' || codes.uses.some(({ index }) => index !== 0)) return undefined;
  return readers.every((node) => node.opType === 'DequantizeLinear') ? [producer, ...readers] : undefined;
}
