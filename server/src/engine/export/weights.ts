/**
 * Weights as codes: reads a layer's weight the way the layer sees it, quantizes it with the numbers that `weightSqnr`
 * reports, and writes DequantizeLinear in the planned form. One stored weight serves all layers that want it alike.
 */
import { DataTypeCode, dataTypeByCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { addInitializer, setInput } from '../graph/edit';
import type { Graph, Value } from '../graph/ir';
import { type Layer, permutation } from '../graph/layers';
import { int64Tensor } from '../graph/tensor';
import type { PlanLayer } from '../methods/plan';
import type { StorageType } from '../methods/targets';
import { channelView, elementIndex } from '../numerics/layout';
import { type QuantizedWeight, quantizeWeight, type ScopeParameters } from '../numerics/quantize-weight';
import { parseQuantScheme, type QuantScheme } from '../numerics/scheme';
import { addDequantize, addQuantizer, addSimple, codeTensor, integer, integers } from './emit';

/** A layer's weight in the orientation in which the layer multiplies with it. */
export interface LayerWeight {
  readonly data: Float32Array;
  readonly shape: readonly number[];
  readonly channelAxis: number;
  /** `TensorProto.DataType` in which the layer computes. */
  readonly dataType: number;
}

/** Reads the weight through Transpose, Cast and Identity. Issues: unreadable data, `tensor-not-finite`. */
export function readLayerWeight(layer: Layer): Outcome<LayerWeight> {
  const read = layer.tensor.toFloat32();
  if (read.value === undefined) return fail(...read.issues);
  const bad = read.value.reduce((count, value) => (Number.isFinite(value) ? count : count + 1), 0);
  if (bad > 0) {
    const tensor = layer.weight.name;
    return fail(issue('tensor-not-finite', { tensor, count: bad }, { tensor, layer: layer.name }));
  }
  let weight: LayerWeight = {
    data: read.value,
    shape: layer.shape,
    channelAxis: layer.channelAxis,
    dataType: layer.tensor.dataType,
  };
  for (const node of layer.through) {
    if (node.opType === 'Transpose') weight = transposed(weight, permutation(node, weight.shape.length));
    if (node.opType === 'Cast') weight = { ...weight, dataType: node.int('to', weight.dataType) };
  }
  return ok(weight, read.issues);
}

/** Scheme of a planned weight format. */
export function plannedScheme(plan: PlanLayer): QuantScheme {
  return defined(parseQuantScheme(plan.weights).value, `planned format ${plan.weights}`);
}

/** Codes of the weight; `parameters` replace the min-max quantizers. */
export function weightCodes(
  weight: LayerWeight,
  scheme: QuantScheme,
  parameters?: ScopeParameters,
): QuantizedWeight {
  return quantizeWeight(weight.data, weight.shape, weight.channelAxis, scheme, parameters);
}

/** Writes quantized weights into one model. */
export class WeightWriter {
  private readonly written = new Map<string, Value>();

  constructor(private readonly opset: number) {}

  /**
   * Stores the codes and makes the layer read them through DequantizeLinear.
   * @param shared false when the codes were made for this layer alone.
   */
  write(
    layer: Layer,
    plan: PlanLayer,
    weight: LayerWeight,
    quantized: QuantizedWeight,
    shared: boolean,
  ): void {
    const graph = defined(layer.node.graph, 'layer is in a graph');
    const key = shared
      ? JSON.stringify([
          layer.weight.name,
          plan.weights,
          plan.form,
          weight.shape,
          weight.channelAxis,
          weight.dataType,
        ])
      : undefined;
    const known = key === undefined ? undefined : this.written.get(key);
    // A subgraph may be executed without the nodes that stand behind it in the outer graph: it gets its own copy.
    const usable = known !== undefined && known.producer?.graph === graph;
    const value = usable ? known : this.dequantized(graph, layer, plan, weight, quantized);
    if (key !== undefined && !usable) this.written.set(key, value);
    setInput(layer.node, layer.weightInput, value);
  }

  private dequantized(
    graph: Graph,
    layer: Layer,
    plan: PlanLayer,
    weight: LayerWeight,
    quantized: QuantizedWeight,
  ): Value {
    const type = plan.storage === 'float' ? 'int8' : plan.storage;
    const name = layer.weight.name;
    const value =
      plan.form === 'rows'
        ? this.rows(graph, layer, type, weight, quantized)
        : this.direct(graph, layer, plan, type, weight, quantized);
    if (weight.dataType === DataTypeCode.float) return value;
    return addSimple(graph, 'Cast', `${name}_Cast`, [value], layer.node, [['to', integer(weight.dataType)]]);
  }

  /** Codes in the weight's shape; scales per tensor, along the channel axis, or in blocks along the input axis. */
  private direct(
    graph: Graph,
    layer: Layer,
    plan: PlanLayer,
    type: StorageType,
    weight: LayerWeight,
    { codes, scales, zeroPoints, groups, scheme }: QuantizedWeight,
  ): Value {
    const name = layer.weight.name;
    const stored = addInitializer(graph, `${name}_quantized`, codeTensor(type, weight.shape, codes));
    const channels = scales.length / groups;
    if (plan.form === 'blocks' && typeof scheme.granularity !== 'string') {
      // Scales have the weight's rank: [channels, groups] when channels come first, else its transpose.
      const first = weight.channelAxis === 0;
      const layout = {
        axis: first ? 1 : 0,
        block: scheme.granularity.group,
        shape: first ? [channels, groups] : [groups, channels],
      };
      const order = (values: ArrayLike<number>) =>
        first
          ? values
          : Array.from(values, (_, at) => values[(at % channels) * groups + Math.floor(at / channels)] ?? 0);
      const quantizer = addQuantizer(
        graph,
        name,
        type,
        Float32Array.from(order(scales)),
        order(zeroPoints),
        layout,
      );
      return addDequantize(graph, name, stored, quantizer, this.opset, layer.node);
    }
    const layout =
      scheme.granularity === 'tensor' ? { shape: [] } : { axis: weight.channelAxis, shape: [channels] };
    const quantizer = addQuantizer(graph, name, type, scales, zeroPoints, layout);
    return addDequantize(graph, name, stored, quantizer, this.opset, layer.node);
  }

  /** One row of codes per group of one channel, then reshaped (and sliced, transposed) to the weight. */
  private rows(
    graph: Graph,
    layer: Layer,
    type: StorageType,
    weight: LayerWeight,
    quantized: QuantizedWeight,
  ): Value {
    const { codes, scales, zeroPoints, groups, scheme } = quantized;
    const group = typeof scheme.granularity === 'string' ? 1 : scheme.granularity.group;
    const view = channelView(weight.shape, weight.channelAxis);
    const name = layer.weight.name;
    const before = layer.node;
    const rows = new Int32Array(view.channels * groups * group);
    for (let channel = 0; channel < view.channels; channel++) {
      for (let k = 0; k < groups * group; k++) {
        const inside = k < view.perChannel;
        const filler = zeroPoints[channel * groups + Math.floor(k / group)] ?? 0;
        rows[channel * groups * group + k] = inside ? (codes[elementIndex(view, channel, k)] ?? 0) : filler;
      }
    }
    const stored = addInitializer(
      graph,
      `${name}_quantized`,
      codeTensor(type, [view.channels * groups, group], rows),
    );
    const quantizer = addQuantizer(graph, name, type, scales, zeroPoints, {
      axis: 0,
      shape: [scales.length],
    });
    let value = addDequantize(graph, name, stored, quantizer, this.opset, before);
    const reshape = (shape: readonly number[], step: string) => {
      const constant = addInitializer(graph, `${name}_${step}_shape`, int64Tensor([shape.length], shape));
      value = addSimple(graph, 'Reshape', `${name}_${step}`, [value, constant], before);
    };
    if (groups * group !== view.perChannel) {
      reshape([view.channels, groups * group], 'padded');
      const bounds = (what: string, at: number) =>
        addInitializer(graph, `${name}_${what}`, int64Tensor([1], [at]));
      const inputs = [
        value,
        bounds('slice_start', 0),
        bounds('slice_end', view.perChannel),
        bounds('slice_axis', 1),
      ];
      value = addSimple(graph, 'Slice', `${name}_slice`, inputs, before);
    }
    if (view.outer > 1) {
      reshape([view.channels, view.outer, view.inner], 'channels');
      value = addSimple(graph, 'Transpose', `${name}_transpose`, [value], before, [
        ['perm', integers([1, 0, 2])],
      ]);
    }
    reshape(weight.shape, 'reshape');
    return value;
  }
}

/** True when the stored tensor is float32, the type that quantized activations need. */
export function isFloat32(value: Value): boolean {
  return dataTypeByCode(value.tensor?.dataType ?? 0)?.name === 'float';
}

/** Row-major transposition; output axis i is input axis perm[i]. */
function transposed(weight: LayerWeight, perm: readonly number[]): LayerWeight {
  const shape = perm.map((axis) => weight.shape[axis] ?? 1);
  const strides = weight.shape.map((_, axis) =>
    weight.shape.slice(axis + 1).reduce((all, one) => all * one, 1),
  );
  const steps = perm.map((axis) => strides[axis] ?? 0);
  const data = new Float32Array(weight.data.length);
  const index = shape.map(() => 0);
  for (let at = 0, from = 0; at < data.length; at++) {
    data[at] = weight.data[from] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      from += steps[axis] ?? 0;
      if (next < (shape[axis] ?? 0)) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      from -= next * (steps[axis] ?? 0);
    }
  }
  return { ...weight, data, shape, channelAxis: perm.indexOf(weight.channelAxis) };
}
