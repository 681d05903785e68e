/**
 * Structure, sizes and operator counts of a model, and its layers without errors: what `inspect` prints and an
 * editor shows at once. From headers alone; nothing here reads a weight.
 */
import type { LayerReport, ModelSummary, QuantizedModelFacts, ValueSummary } from '../../protocol/reports';
import { openFile } from '../base/byte-source';
import { byteLength, dataTypeByCode } from '../base/dtype';
import { fail, type Outcome, ok } from '../base/outcome';
import type { TypeProto } from '../format/onnx-types';
import { sniff } from '../format/sniff';
import type { Model, Value } from '../graph/ir';
import { countConstants, type Layer, listLayers } from '../graph/layers';
import { type OpenModel, openModel } from '../graph/open';
import { allNodes } from '../graph/walk';
import { becomesOf } from './becomes';
import { brokenScales } from './broken-scales';
import { countMacs } from './macs';
import { quantizedGraphFacts } from './quantized-graph';
import { unlistedWeights } from './unlisted-weights';
import { weightFileFacts } from './weight-file-facts';

export interface ModelFacts {
  readonly model: ModelSummary;
  readonly layers: readonly LayerReport[];
  /** Of a model that is quantized already: scales and structure, no weight. */
  readonly quantization?: QuantizedModelFacts;
}

export interface FactsOptions {
  /** Bindings of symbolic dimensions. */
  readonly dimensions?: Readonly<Record<string, number>>;
  /** SHA-256 of the content, when the caller has computed it. */
  readonly fingerprint?: string;
}

/** Facts of a file of any model format. Issues without a value say why it cannot be read. */
export function modelFacts(path: string, options: FactsOptions = {}): Outcome<ModelFacts> {
  const file = openFile(path);
  if (!file.value) return fail(...file.issues);
  const format = sniff(file.value);
  file.value.close();
  if (!format.value) return fail(...format.issues);
  if (format.value === 'safetensors' || format.value === 'gguf') return weightFileFacts(path, options);
  const opened = openModel(path);
  if (!opened.value) return fail(...opened.issues);
  try {
    const issues = [
      ...opened.issues,
      ...brokenScales(opened.value.model),
      ...unlistedWeights(opened.value.model),
    ];
    return ok(openModelFacts(opened.value, options), issues);
  } finally {
    opened.value.close();
  }
}

/** Facts of a model that is open already. */
export function openModelFacts(open: OpenModel, options: FactsOptions = {}): ModelFacts {
  const { model } = open;
  const macs = countMacs(model, options.dimensions ?? {});
  const ops = new Map<string, number>();
  let nodes = 0;
  for (const node of allNodes(model.graph)) {
    ops.set(node.op, (ops.get(node.op) ?? 0) + 1);
    nodes++;
  }
  const producer = [model.producerName, model.producerVersion].filter((part) => part !== '').join(' ');
  const summary: ModelSummary = {
    path: open.path,
    format: open.format,
    opset: model.opsets.get('') ?? null,
    opsets: Object.fromEntries([...model.opsets].map(([domain, version]) => [domain || 'ai.onnx', version])),
    irVersion: model.irVersion,
    ...(producer === '' ? {} : { producer }),
    params: countConstants(model).elements,
    bytes: open.bytes,
    macs: macs.total,
    ...(macs.reason === undefined ? {} : { macsReason: macs.reason }),
    inputs: model.graph.dataInputs.map(valueSummary),
    outputs: model.graph.outputs.map(valueSummary),
    nodes,
    ops: Object.fromEntries([...ops].sort(([left, a], [right, b]) => b - a || (left < right ? -1 : 1))),
    ...(options.fingerprint === undefined ? {} : { fingerprint: options.fingerprint }),
    ...metadataOf(model),
  };
  const quantization = quantizedGraphFacts(model);
  return {
    ...(quantization ? { quantization } : {}),
    model: summary,
    layers: listLayers(model).map((layer) => layerReport(layer, macs.perNode.get(layer.node) ?? null)),
  };
}

/** A layer's report before anything is measured. */
export function layerReport(layer: Layer, macs: number | null): LayerReport {
  const type = dataTypeByCode(layer.tensor.dataType);
  return {
    name: layer.name,
    node: layer.node.label,
    op: layer.op,
    weight: layer.weight.name,
    shape: layer.statedShape,
    params: layer.params,
    bytes: type ? byteLength(type, layer.tensor.size) : 0,
    macs,
    dataType: type?.name ?? 'unknown',
    ...(layer.depthwise ? { depthwise: true } : {}),
    ...(layer.lookup ? { lookup: true } : {}),
    ...(layer.quantized ? {} : { becomes: becomesOf(layer) }),
    issues: [],
  };
}

function metadataOf(model: Model): { metadata?: Readonly<Record<string, string>> } {
  if (model.metadataProps.length === 0) return {};
  return { metadata: Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value])) };
}

function valueSummary(value: Value): ValueSummary {
  return {
    name: value.name,
    type: value.otherType ? typeText(value.otherType) : value.typeName,
    shape: value.shape?.map((dimension) => dimension ?? null) ?? null,
  };
}

/** Types other than tensors in the words of the ONNX textual syntax. */
function typeText(type: TypeProto | undefined): string {
  switch (type?.kind) {
    case 'tensor':
      return dataTypeByCode(type.elementType)?.name ?? 'unknown';
    case 'sparse-tensor':
      return `sparse_tensor(${dataTypeByCode(type.elementType)?.name ?? 'unknown'})`;
    case 'sequence':
      return `seq(${typeText(type.element)})`;
    case 'optional':
      return `optional(${typeText(type.element)})`;
    case 'map':
      return `map(${dataTypeByCode(type.keyType)?.name ?? 'unknown'}, ${typeText(type.value)})`;
    case 'opaque':
      return `opaque(${type.name})`;
    default:
      return 'unknown';
  }
}
