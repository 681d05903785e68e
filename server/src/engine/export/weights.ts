/**
 * Weights as codes: reads a layer's weight the way the layer sees it, quantizes it with the numbers that `weightSqnr`
 * reports, and writes DequantizeLinear in the planned form. One stored weight serves all layers that want it alike.
 */
import { DataTypeCode } from '../base/dtype';
import { defined, invariant } from '../base/invariant';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { setInput } from '../graph/edit';
import type { Graph, Value } from '../graph/ir';
import { type Layer, permutation } from '../graph/layers';
import type { PlanLayer } from '../methods/plan';
import type { StorageType } from '../methods/targets';
import { type QuantizedWeight, quantizeWeight, type ScopeParameters } from '../numerics/quantize-weight';
import { parseQuantScheme, type QuantScheme } from '../numerics/scheme';
import { addSimple, integer } from './emit';
import { storeWeight } from './weight-forms';

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
  let bad = 0;
  for (let at = 0; at < read.value.length; at++) if (!Number.isFinite(read.value[at])) bad++;
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
    if (node.opType === 'Transpose') {
      const order = defined(permutation(node, weight.shape.length), 'a layer has a permutation of its axes');
      weight = transposed(weight, order);
    }
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
   * @param widened 8-bit type that Cast makes of narrow codes before they are dequantized.
   */
  write(
    layer: Layer,
    plan: PlanLayer,
    weight: LayerWeight,
    quantized: QuantizedWeight,
    { shared, widened }: { readonly shared: boolean; readonly widened?: StorageType },
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
          widened,
        ])
      : undefined;
    const known = key === undefined ? undefined : this.written.get(key);
    // A subgraph may be executed without the nodes that stand behind it in the outer graph: it gets its own copy.
    const usable = known !== undefined && known.producer?.graph === graph;
    const value = usable ? known : this.dequantized(graph, layer, plan, weight, quantized, widened);
    if (key !== undefined && !usable) this.written.set(key, value);
    setInput(layer.node, layer.weightInput, value);
  }

  private dequantized(
    graph: Graph,
    layer: Layer,
    plan: PlanLayer,
    weight: LayerWeight,
    quantized: QuantizedWeight,
    widened: StorageType | undefined,
  ): Value {
    invariant(plan.storage !== 'float', `layer ${plan.name} is stored as codes`);
    const place = {
      graph,
      before: layer.node,
      opset: this.opset,
      name: layer.weight.name,
      type: plan.storage,
      widened,
    };
    const value = storeWeight(place, plan.form, weight, quantized);
    if (weight.dataType === DataTypeCode.float) return value;
    return addSimple(graph, 'Cast', `${place.name}_Cast`, [value], layer.node, [
      ['to', integer(weight.dataType)],
    ]);
  }
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
