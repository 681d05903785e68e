/**
 * Repairs tried on a copy of a quantized model, so that their gain is measured and not guessed: weights with one scale
 * per output channel in place of one per tensor, and activation ranges of this data in place of those in the file.
 * Both are for running only; a file is written from the float model and a plan. Scales per channel are given to operators
 * that read codes too; ranges only between a QuantizeLinear and DequantizeLinear, because elsewhere they are inputs of all
 * operators around the codes and units of their biases.
 */
import type { ActivationRange } from '../../protocol/reports';
import { DataTypeCode, dataTypeByCode } from '../base/dtype';
import { addInitializer, setInput } from '../graph/edit';
import type { Model, Node, Value } from '../graph/ir';
import { bytesOf, floatTensor, memoryTensor, type Tensor } from '../graph/tensor';
import { parametersFor, roundHalfEven } from '../numerics/affine';
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
    if (!bits || bits > 8 || exact?.length !== stored.tensor.size) continue;
    if (ownWeight[stored.op]) {
      if (giveIntegerScales(model, stored, exact)) changed.push(name);
      continue;
    }
    const one = dequantize?.input(1)?.tensor?.size === 1;
    if (!one) continue;
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

/** Input positions on operators that read codes: the weight's codes, scale and zero point, and the integer bias. */
const ownWeight: Readonly<
  Record<string, { readonly weight: readonly [number, number, number]; readonly bias?: number }>
> = {
  QLinearConv: { weight: [3, 4, 5], bias: 8 },
  QLinearMatMul: { weight: [3, 4, 5] },
  'com.microsoft.QGemm': { weight: [3, 4, 5], bias: 6 },
};

/** The same on an operator that reads codes: int8 codes, a scale per channel, and the bias in units of the new scales. */
function giveIntegerScales(model: Model, stored: LayerTwins['quantized'], exact: Float32Array): boolean {
  const { node, op, shape, channelAxis, tensor, weight } = stored;
  const { weight: [codesAt, scaleAt, zeroAt] = [], bias: biasAt } = ownWeight[op] ?? {};
  const old = scaleAt === undefined ? undefined : node.input(scaleAt)?.tensor?.toFloat32().value;
  const bias = biasAt === undefined ? undefined : node.input(biasAt);
  const biasCodes = bias?.tensor?.toIntegers().value;
  // A stack of matrices takes one scale only.
  const flat = op === 'QLinearConv' || shape.length === 2;
  if (codesAt === undefined || scaleAt === undefined || zeroAt === undefined) return false;
  if (!flat || stored.through.length > 0 || old?.length !== 1 || (bias && !biasCodes)) return false;
  const view = channelView(shape, channelAxis);
  const scheme: QuantScheme = { bits: 8, signed: true, symmetric: true, granularity: 'channel' };
  const rounded = quantizeWeight(exact, [view.channels, view.perChannel], 0, scheme);
  const codes = new Int8Array(tensor.size);
  for (let channel = 0, at = 0; channel < view.channels; channel++)
    for (let k = 0; k < view.perChannel; k++, at++)
      codes[elementIndex(view, channel, k)] = rounded.codes[at] ?? 0;
  const { int8, int32 } = DataTypeCode;
  const put = (at: number, what: string, made: Tensor) =>
    setInput(node, at, addInitializer(model.graph, `${weight.name}_${node.index}_${what}`, made));
  put(codesAt, 'channels', memoryTensor(int8, tensor.shape, bytesOf(codes)));
  put(scaleAt, 'channel_scales', floatTensor([view.channels], rounded.scales));
  put(zeroAt, 'channel_zeros', memoryTensor(int8, [view.channels], new Uint8Array(view.channels)));
  if (biasAt !== undefined && biasCodes) {
    const moved = Int32Array.from(biasCodes, (code, channel) => {
      const exactCode = (Number(code) * (old[0] ?? 0)) / (rounded.scales[channel] ?? 1);
      return Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), roundHalfEven(exactCode)));
    });
    put(biasAt, 'channel_bias', memoryTensor(int32, [moved.length], bytesOf(moved)));
  }
  return true;
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
