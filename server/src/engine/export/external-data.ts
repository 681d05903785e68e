/**
 * Weights between a model file and files beside it: external payloads become slices to be copied, and large payloads
 * move out into one data file. Structs only; nothing is read or written here. Source: onnx/docs/ExternalData.md.
 */

import type { Issue } from '../../protocol/issues';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Chunk } from '../format/onnx-encode';
import { type ExternalFiles, externalPayload } from '../format/onnx-external';
import type {
  AttributeProto,
  AttributeValue,
  GraphProto,
  ModelProto,
  Payload,
  TensorProto,
} from '../format/onnx-types';

/** Payloads below stay in the model file: shapes, axes, scales. */
const SMALLEST_MOVED = 1024;

/** Page size: tensors that start on one can be mapped into memory. */
const ALIGNMENT = 4096;

/** Replaces external payloads by slices of their files. Issues: those of `ExternalFiles.resolve`. */
export function inlineExternal(proto: ModelProto, external: ExternalFiles | undefined): Outcome<ModelProto> {
  const issues: Issue[] = [];
  const value = mapTensors(proto, (tensor) => {
    if (tensor.payload.kind !== 'external') return tensor;
    const { location } = tensor.payload;
    const resolved =
      external?.resolve(tensor.name, tensor.payload) ??
      fail(issue('external-missing', { tensor: tensor.name, location }));
    if (resolved.value === undefined) {
      issues.push(...resolved.issues);
      return tensor;
    }
    return { ...tensor, payload: { kind: 'slice', slice: resolved.value } };
  });
  return issues.length > 0 ? fail(...issues) : ok(value);
}

/** Moves payloads into a data file called `location`: the graph-only struct, and the data file's content. */
export function moveOut(proto: ModelProto, location: string): { proto: ModelProto; data: readonly Chunk[] } {
  const data: Chunk[] = [];
  let size = 0;
  const moved = mapTensors(proto, (tensor) => {
    const bytes = rawBytes(tensor.payload);
    if (bytes === undefined || bytes.length < SMALLEST_MOVED) return tensor;
    const padding = (ALIGNMENT - (size % ALIGNMENT)) % ALIGNMENT;
    if (padding > 0) data.push(new Uint8Array(padding));
    data.push(bytes);
    const payload = externalPayload(location, size + padding, bytes.length);
    size += padding + bytes.length;
    return { ...tensor, payload };
  });
  return { proto: moved, data };
}

/** The little-endian bytes that raw_data of this payload would hold; undefined where the elements are encoded otherwise. */
function rawBytes(payload: Payload): Chunk | undefined {
  if (payload.kind === 'bytes') return payload.bytes;
  if (payload.kind === 'slice') return payload.slice;
  // int32_data also holds 8- and 16-bit elements, so only the fields with one meaning are taken.
  const plain =
    payload.kind === 'typed' && (payload.field === 'float_data' || payload.field === 'int64_data');
  if (!plain) return undefined;
  return new Uint8Array(payload.values.buffer, payload.values.byteOffset, payload.values.byteLength);
}

/** Applies `map` to initializers of all graphs; attribute tensors stay: readers do not look for their data elsewhere. */
function mapTensors(proto: ModelProto, map: (tensor: TensorProto) => TensorProto): ModelProto {
  return proto.graph === undefined ? proto : { ...proto, graph: mapGraph(proto.graph, map) };
}

function mapGraph(graph: GraphProto, map: (tensor: TensorProto) => TensorProto): GraphProto {
  return {
    ...graph,
    initializers: graph.initializers.map(map),
    nodes: graph.nodes.map((node) =>
      node.attributes.some(holdsGraphOrTensor)
        ? {
            ...node,
            attributes: node.attributes.map((attribute) => ({
              ...attribute,
              value: mapAttribute(attribute.value, map),
            })),
          }
        : node,
    ),
  };
}

function mapAttribute(value: AttributeValue, map: (tensor: TensorProto) => TensorProto): AttributeValue {
  if (value.type === 'graph') return { type: 'graph', value: mapGraph(value.value, map) };
  if (value.type === 'graphs') return { type: 'graphs', value: value.value.map((one) => mapGraph(one, map)) };
  if (value.type === 'tensor' && value.value.payload.kind === 'external')
    return { type: 'tensor', value: map(value.value) };
  return value;
}

function holdsGraphOrTensor({ value }: AttributeProto): boolean {
  return value.type === 'graph' || value.type === 'graphs' || value.type === 'tensor';
}
