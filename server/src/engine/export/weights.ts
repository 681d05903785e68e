/**
 * Weights as codes: reads a layer's weight the way the layer sees it, quantizes it with the numbers that `weightSqnr`
 * reports, and writes DequantizeLinear in the planned form. One stored weight serves all layers that want it alike.
 */
import { DataTypeCode } from '../base/dtype';
import { defined, invariant } from '../base/invariant';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { setInput } from '../graph/edit';
import type { Graph, Node, Value } from '../graph/ir';
import { type Layer, permutation } from '../graph/layers';
import type { PlanLayer } from '../methods/plan';
import type { StorageType } from '../methods/targets';
import { type QuantizedWeight, quantizeWeight, type ScopeParameters } from '../numerics/quantize-weight';
import { parseQuantScheme, type QuantScheme } from '../numerics/scheme';
import { addSimple, integer } from './emit';
import { type Place, type StoredCodes, storeWeight } from './weight-forms';

/** A layer's weight in the orientation in which the layer multiplies with it. */
export interface LayerWeight {
  readonly data: Float32Array;
  readonly shape: readonly number[];
  /** The shape that the operator reads, where `shape` has several of its axes as one. */
  readonly statedShape: readonly number[];
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
    statedShape: layer.statedShape,
    channelAxis: layer.channelAxis,
    dataType: layer.tensor.dataType,
  };
  // A computed weight is read as the layer reads it.
  for (const node of layer.computed ? [] : layer.through) {
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

/** How one layer's codes are written. */
export interface WriteOptions {
  /** False when the codes were made for this layer alone. */
  readonly shared: boolean;
  /** 8-bit type that Cast makes of narrow codes before they are dequantized. */
  readonly widened?: StorageType;
}

/** Writes quantized weights into one model; what layers store alike is stored once. */
export class WeightWriter {
  private readonly written = new Map<object, Map<string, Value>>();
  private readonly stored = new Map<object, Map<string, StoredCodes>>();

  constructor(private readonly opset: number) {}

  /** Stores the codes and makes the layer read them through DequantizeLinear. */
  write(
    layer: Layer,
    plan: PlanLayer,
    weight: LayerWeight,
    quantized: QuantizedWeight,
    { shared, widened }: WriteOptions,
  ): void {
    const { before, graph } = placeOf(layer);
    const { statedShape, channelAxis, dataType } = weight;
    const key = JSON.stringify([plan.weights, plan.form, statedShape, channelAxis, dataType, widened]);
    const values = entriesOf(this.written, shared ? identityOf(layer) : quantized);
    const known = values.get(key);
    // What is made inside a subgraph is not there outside of it.
    const usable = known?.producer?.graph && isWithin(graph, known.producer.graph);
    const codes = entriesOf(this.stored, shared ? identityOf(layer) : quantized);
    const place: Place = {
      graph,
      before,
      opset: this.opset,
      name: layer.weight.name,
      type: storedType(plan),
      widened,
      stored: (make) => {
        const found = codes.get(key);
        if (found && isWithin(graph, found.graph)) return found;
        const home = homeOf(layer, graph);
        const made = { ...make(home), graph: home };
        codes.set(key, made);
        return made;
      },
    };
    const value = known && usable ? known : dequantized(place, plan, weight, quantized);
    values.set(key, value);
    setInput(layer.node, layer.weightInput, value);
  }
}

function dequantized(place: Place, plan: PlanLayer, weight: LayerWeight, quantized: QuantizedWeight): Value {
  const value = storeWeight(place, plan.form, weight, quantized);
  if (weight.dataType === DataTypeCode.float) return value;
  const attributes = [['to', integer(weight.dataType)]] as const;
  return addSimple(place.graph, 'Cast', `${place.name}_Cast`, [value], place.before, attributes);
}

function storedType({ storage, name }: PlanLayer): StorageType {
  invariant(storage !== 'float', `layer ${name} is stored as codes`);
  return storage;
}

function entriesOf<T>(entries: Map<object, Map<string, T>>, owner: object): Map<string, T> {
  const known = entries.get(owner) ?? new Map<string, T>();
  entries.set(owner, known);
  return known;
}

/** What layers with the same weight have in common; copies of an initializer share its content. */
function identityOf({ computed, node, weightInput, tensor }: Layer): object {
  return computed ? defined(node.input(weightInput), 'a layer reads its weight') : tensor;
}

const repeating: ReadonlySet<string> = new Set(['Loop', 'Scan', 'SequenceMap']);

/** In front of the layer; of a layer that is repeated in front of the outermost node that repeats it. */
function placeOf({ node }: Layer): { readonly graph: Graph; readonly before: Node } {
  let before = node;
  for (let owner = node.graph?.owner; owner; owner = owner.graph?.owner)
    if (repeating.has(owner.op)) before = owner;
  return { graph: defined(before.graph, 'layer is in a graph'), before };
}

/** The graph that holds the float weight, where that is around `graph`; else `graph`. */
function homeOf({ weight }: Layer, graph: Graph): Graph {
  for (let home: Graph | undefined = graph; home; home = home.parent)
    if (home.values.get(weight.name) === weight) return home;
  return graph;
}

function isWithin(graph: Graph, outer: Graph): boolean {
  for (let at: Graph | undefined = graph; at; at = at.parent) if (at === outer) return true;
  return false;
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
  return { ...weight, data, shape, statedShape: shape, channelAxis: perm.indexOf(weight.channelAxis) };
}
