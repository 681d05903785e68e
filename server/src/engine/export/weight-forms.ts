/**
 * The forms in which a weight's codes stand behind DequantizeLinear: in the weight's own shape, in blocks along the
 * inputs (opset 21), or with one row per group, which every operator set can say.
 */
import { DataTypeCode } from '../base/dtype';
import { addInitializer } from '../graph/edit';
import type { Graph, Node, Value } from '../graph/ir';
import { int64Tensor } from '../graph/tensor';
import type { WeightForm } from '../methods/plan-types';
import type { StorageType } from '../methods/targets';
import { type ChannelView, channelView, elementIndex } from '../numerics/layout';
import { blockedLayout } from '../numerics/pack';
import type { QuantizedWeight } from '../numerics/quantize-weight';
import {
  addDequantize,
  addQuantizer,
  addSimple,
  codeTensor,
  integer,
  integers,
  type QuantizerValues,
} from './emit';
import type { LayerWeight } from './weights';

/** Codes as constants, and the constants that say what they stand for. */
export interface StoredCodes {
  readonly codes: Value;
  readonly quantizer: QuantizerValues;
  /** The graph that holds them. */
  readonly graph: Graph;
}

/** Where new nodes go and what they are called. */
export interface Place {
  readonly graph: Graph;
  readonly before: Node;
  readonly opset: number;
  /** Name of the float weight. */
  readonly name: string;
  readonly type: StorageType;
  /** Type to which narrow codes are cast before DequantizeLinear. */
  readonly widened: StorageType | undefined;
  /** The constants of this weight: those that are there already, or those that `make` adds to a graph. */
  readonly stored: (make: (home: Graph) => Omit<StoredCodes, 'graph'>) => StoredCodes;
}

/** Adds codes, scales, zero points and the nodes that turn them into the weight. */
export function storeWeight(
  place: Place,
  form: WeightForm,
  weight: LayerWeight,
  quantized: QuantizedWeight,
): Value {
  const value =
    form === 'blocks'
      ? storeBlocks(place, weight, quantized)
      : form === 'rows'
        ? storeRows(place, weight, quantized)
        : storeDirect(place, weight, quantized);
  const { shape, statedShape } = weight;
  return shape.length === statedShape.length ? value : reshape(place, value, statedShape, 'stated');
}

/** Codes in the weight's shape; one scale, or one per output channel. */
function storeDirect(
  place: Place,
  weight: LayerWeight,
  { codes, scales, zeroPoints, scheme }: QuantizedWeight,
): Value {
  const layout =
    scheme.granularity === 'tensor' ? { shape: [] } : { axis: weight.channelAxis, shape: [scales.length] };
  return dequantized(place, weight.shape, codes, scales, zeroPoints, layout);
}

/** `block_size` along the input axis of a matrix; weights of other ranks are stored as [channels, inputs]. */
function storeBlocks(place: Place, weight: LayerWeight, quantized: QuantizedWeight): Value {
  const { codes, scales, zeroPoints, groups } = quantized;
  const view = channelView(weight.shape, weight.channelAxis);
  const block = groupOf(quantized);
  if (weight.shape.length === 2 && weight.channelAxis === 1) {
    const layout = { axis: 0, block, shape: [groups, view.channels] };
    const ordered = blockedLayout(scales, view.channels, groups);
    return dequantized(
      place,
      weight.shape,
      codes,
      ordered,
      blockedLayout(zeroPoints, view.channels, groups),
      layout,
    );
  }
  const matrix = new Int32Array(view.count);
  for (let channel = 0; channel < view.channels; channel++) {
    for (let k = 0; k < view.perChannel; k++) {
      matrix[channel * view.perChannel + k] = codes[elementIndex(view, channel, k)] ?? 0;
    }
  }
  const layout = { axis: 1, block, shape: [view.channels, groups] };
  const value = dequantized(place, [view.channels, view.perChannel], matrix, scales, zeroPoints, layout);
  return weight.shape.length === 2 ? value : toWeightShape(place, value, weight, view);
}

/** One row of codes per group; a short last group is filled up with its zero point and cut off again. */
function storeRows(place: Place, weight: LayerWeight, quantized: QuantizedWeight): Value {
  const { codes, scales, zeroPoints, groups } = quantized;
  const view = channelView(weight.shape, weight.channelAxis);
  const group = groupOf(quantized);
  const padded = groups * group;
  const rows = new Int32Array(view.channels * padded);
  for (let channel = 0; channel < view.channels; channel++) {
    for (let k = 0; k < padded; k++) {
      const filler = zeroPoints[channel * groups + Math.floor(k / group)] ?? 0;
      rows[channel * padded + k] =
        k < view.perChannel ? (codes[elementIndex(view, channel, k)] ?? 0) : filler;
    }
  }
  const layout = { axis: 0, shape: [scales.length] };
  let value = dequantized(place, [view.channels * groups, group], rows, scales, zeroPoints, layout);
  if (padded !== view.perChannel) {
    value = reshape(place, value, [view.channels, padded], 'padded');
    const bound = (what: string, at: number) =>
      addInitializer(place.graph, `${place.name}_${what}`, int64Tensor([1], [at]));
    const inputs = [
      value,
      bound('slice_start', 0),
      bound('slice_end', view.perChannel),
      bound('slice_axis', 1),
    ];
    value = addSimple(place.graph, 'Slice', `${place.name}_slice`, inputs, place.before);
  }
  return toWeightShape(place, value, weight, view);
}

/** [channels, inputs] → the weight's shape; channels go back between the axes around them. */
function toWeightShape(place: Place, matrix: Value, weight: LayerWeight, view: ChannelView): Value {
  let value = matrix;
  if (view.outer > 1) {
    value = reshape(place, value, [view.channels, view.outer, view.inner], 'channels');
    const attributes = [['perm', integers([1, 0, 2])]] as const;
    value = addSimple(place.graph, 'Transpose', `${place.name}_transpose`, [value], place.before, attributes);
  }
  return reshape(place, value, weight.shape, 'reshape');
}

function dequantized(
  { graph, before, opset, name, type, widened, stored }: Place,
  shape: readonly number[],
  codes: ArrayLike<number>,
  scales: Float32Array,
  zeroPoints: ArrayLike<number>,
  layout: { readonly axis?: number; readonly block?: number; readonly shape: readonly number[] },
): Value {
  const constants = stored((home) => ({
    codes: addInitializer(home, `${name}_quantized`, codeTensor(type, shape, codes)),
    quantizer: addQuantizer(home, name, widened ?? type, scales, zeroPoints, layout),
  }));
  if (widened === undefined)
    return addDequantize(graph, name, constants.codes, constants.quantizer, opset, before);
  const attributes = [['to', integer(DataTypeCode[widened])]] as const;
  const wide = addSimple(graph, 'Cast', `${name}_widened`, [constants.codes], before, attributes);
  return addDequantize(graph, name, wide, constants.quantizer, opset, before);
}

function reshape(
  { graph, before, name }: Place,
  value: Value,
  shape: readonly number[],
  step: string,
): Value {
  const constant = addInitializer(graph, `${name}_${step}_shape`, int64Tensor([shape.length], shape));
  return addSimple(graph, 'Reshape', `${name}_${step}`, [value, constant], before);
}

function groupOf({ scheme }: QuantizedWeight): number {
  return typeof scheme.granularity === 'string' ? 1 : scheme.granularity.group;
}
