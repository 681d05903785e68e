/**
 * From the graph back to ONNX structs. Lossless for everything `from-onnx.ts` keeps: type entries whose value did
 * not change are written as they were, payloads stay slices, unknown fields stay in place.
 */

import { defined } from '../base/invariant';
import type {
  AttributeProto,
  Dimension,
  GraphProto,
  ModelProto,
  NodeProto,
  TypeProto,
  ValueInfoProto,
} from '../format/onnx-types';
import { type Attribute, type Graph, type Model, type Node, opsetImports, type Value } from './ir';

/** The model as structs for `encodeModel`. */
export function toOnnx(model: Model): ModelProto {
  return {
    irVersion: model.irVersion,
    opsetImports: opsetImports(model),
    producerName: model.producerName,
    producerVersion: model.producerVersion,
    domain: model.domain,
    modelVersion: model.modelVersion,
    docString: model.docString,
    graph: graphProto(model.graph),
    metadataProps: model.metadataProps,
    functions: model.functions,
    ...(model.unknown ? { unknown: model.unknown } : {}),
  };
}

function graphProto(graph: Graph): GraphProto {
  const { sparseInitializers, quantizationAnnotation, unknown } = graph.extra;
  return {
    name: graph.name,
    inputs: graph.inputs.map(valueInfo),
    outputs: graph.outputs.map(valueInfo),
    valueInfo: typeEntries(graph),
    initializers: [...graph.initializers.values()].map((value) =>
      defined(value.tensor, `initializer ${value.name} has a tensor`).toProto(value.name),
    ),
    nodes: graph.nodes.map(nodeProto),
    ...(graph.docString === '' ? {} : { docString: graph.docString }),
    ...(graph.metadataProps.length === 0 ? {} : { metadataProps: graph.metadataProps }),
    ...(sparseInitializers ? { sparseInitializers } : {}),
    ...(quantizationAnnotation
      ? { quantizationAnnotation: quantizationAnnotation.filter((one) => graph.values.has(one.tensorName)) }
      : {}),
    ...(unknown ? { unknown } : {}),
  };
}

/** Entries of the file in their order, then those of values that got a type later. */
function typeEntries(graph: Graph): readonly ValueInfoProto[] {
  const written = new Set<string>();
  const entries: ValueInfoProto[] = [];
  for (const info of graph.extra.valueInfo ?? []) {
    const value = graph.values.get(info.name);
    if (!value || written.has(info.name)) continue;
    written.add(info.name);
    entries.push(valueInfo(value));
  }
  for (const value of graph.values.values()) {
    if (written.has(value.name) || !value.producer || value.tensor || graph.isOutput(value)) continue;
    if (value.elementType !== 0 || value.otherType) entries.push(valueInfo(value));
  }
  return entries;
}

function valueInfo(value: Value): ValueInfoProto {
  const { info } = value;
  if (info && sameType(value, info.type)) return info;
  return { ...info, name: value.name, ...typeOf(value) };
}

function sameType(value: Value, type: TypeProto | undefined): boolean {
  if (!type) return value.elementType === 0 && !value.otherType;
  if (type.kind !== 'tensor') return value.otherType === type;
  return type.elementType === value.elementType && sameShape(type.shape, value.shape);
}

function sameShape(left: readonly Dimension[] | undefined, right: readonly Dimension[] | undefined): boolean {
  if (left === right) return true;
  return (
    left?.length === right?.length &&
    (left?.every((dimension, index) => dimension === right?.[index]) ?? false)
  );
}

function typeOf(value: Value): { type?: TypeProto } {
  if (value.otherType) return { type: value.otherType };
  if (value.elementType === 0) return {};
  const shape = value.shape === undefined ? {} : { shape: value.shape };
  return { type: { kind: 'tensor', elementType: value.elementType, ...shape } };
}

function nodeProto(node: Node): NodeProto {
  return {
    name: node.name,
    opType: node.opType,
    domain: node.domain,
    ...(node.overload === undefined ? {} : { overload: node.overload }),
    inputs: node.inputs.map((input) => input?.name ?? ''),
    outputs: node.outputs.map((output) => output.name),
    attributes: [...node.attributes].map(([name, attribute]) => attributeProto(name, attribute)),
    ...node.extra,
  };
}

function attributeProto(name: string, attribute: Attribute): AttributeProto {
  const { extra, ...value } = attribute;
  if (value.type === 'graph')
    return { name, value: { type: 'graph', value: graphProto(value.value) }, ...extra };
  if (value.type === 'graphs')
    return { name, value: { type: 'graphs', value: value.value.map(graphProto) }, ...extra };
  return { name, value, ...extra };
}
