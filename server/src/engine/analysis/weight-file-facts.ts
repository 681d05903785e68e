/** Facts of weight files without a graph (safetensors, GGUF): what the header says, layer by layer. */
import type { LayerReport, ModelSummary } from '../../protocol/reports';
import { fail, type Outcome, ok } from '../base/outcome';
import type { MetadataValue } from '../format/weights-file';
import { type OpenWeights, openWeights } from '../graph/from-weights';
import { listLayers } from '../graph/layers';
import type { FactsOptions, ModelFacts } from './model-facts';

/** Texts in metadata may be whole licences. */
const MAX_METADATA_CHARACTERS = 500;

/** Facts of a file; nothing of the weights is read. */
export function weightFileFacts(path: string, options: FactsOptions = {}): Outcome<ModelFacts> {
  const opened = openWeights(path);
  if (!opened.value) return fail(...opened.issues);
  try {
    return ok(openWeightFacts(opened.value, options), opened.issues);
  } finally {
    opened.value.close();
  }
}

/** Facts of a weight file that is open already. */
export function openWeightFacts(open: OpenWeights, options: FactsOptions = {}): ModelFacts {
  const summary: ModelSummary = {
    path: open.path,
    format: open.format,
    opset: null,
    params: open.tensors.reduce((sum, tensor) => sum + tensor.elements, 0),
    bytes: open.bytes,
    macs: null,
    macsReason: `a ${open.format} file has weights and no graph`,
    inputs: [],
    outputs: [],
    nodes: 0,
    ops: {},
    ...(options.fingerprint === undefined ? {} : { fingerprint: options.fingerprint }),
    metadata: Object.fromEntries([...open.metadata].map(([key, value]) => [key, metadataText(value)])),
  };
  const byName = new Map(open.tensors.map((tensor) => [tensor.name, tensor]));
  const layers = listLayers(open.model).map((layer): LayerReport => {
    const tensor = byName.get(layer.weight.name);
    return {
      name: layer.name,
      node: layer.weight.name,
      op: layer.node.opType,
      weight: layer.weight.name,
      shape: layer.shape,
      params: layer.params,
      bytes: tensor?.length ?? 0,
      macs: null,
      dataType: tensor?.dtype ?? 'unknown',
      issues: [],
    };
  });
  return { model: summary, layers };
}

function metadataText(value: MetadataValue): string {
  const text = typeof value === 'object' ? `${value.length} × ${value.elementType}` : String(value);
  return text.length > MAX_METADATA_CHARACTERS ? `${text.slice(0, MAX_METADATA_CHARACTERS)}…` : text;
}
