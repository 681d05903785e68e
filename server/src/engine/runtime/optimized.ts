/**
 * The graph as onnxruntime runs it: it writes the optimised model to a folder of its own, which is removed at once;
 * only the structure is read back. Every node of the main graph goes in under a made name, because fused nodes keep
 * the name of the operator they replace (measured with onnxruntime 1.30: `NAME` or `NAME_token_N`).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { memorySource } from '../base/byte-source';
import { hasErrors, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { decodeModel } from '../format/onnx-decode';
import type { ModelProto } from '../format/onnx-types';
import { fromOnnx } from '../graph/from-onnx';
import type { Model, Node } from '../graph/ir';
import { makeOptimizedFolder } from './optimized-folder';
import { createSession } from './ort';
import { preflight } from './preflight';
import { type ModelSource, sessionBytes } from './session-model';

export interface OptimizedGraph {
  /** What onnxruntime made of the model; large constants have shape and type, no content. */
  readonly model: Model;
  /** Nodes that stand where a node of the given main graph stood, in its order; none where it was folded away. */
  nodesOf(node: Node): readonly Node[];
}

/** Weights are written to disk once more while the graph is optimised. */
const MAX_BYTES = 4 * 2 ** 30;

/**
 * Optimises `model` at the full level for this machine's CPU provider.
 * @param bytes size of the model with its weights; beyond 4 GiB nothing is written (`unsupported-feature`).
 */
export async function optimizedGraph(
  model: Model,
  source: ModelSource,
  options: { readonly threads: number; readonly bytes: number },
): Promise<Outcome<OptimizedGraph>> {
  if (options.bytes > MAX_BYTES) {
    const facts = { what: 'reading the optimised graph of more than 4 GiB', next: 'Facts of weights stay.' };
    return fail(issue('unsupported-feature', facts));
  }
  const refused = preflight(model);
  if (hasErrors(refused)) return fail(...refused);
  const made = sessionBytes(model, source, named);
  if (made.value === undefined) return fail(...made.issues);
  const folder = makeOptimizedFolder();
  try {
    const file = path.join(folder, 'optimized.onnx');
    const session = await createSession(made.value.bytes, {
      folder: made.value.folder,
      threads: options.threads,
      optimization: 'all',
      metadataOnly: true,
      optimizedFile: file,
    });
    if (session.value === undefined) return fail(...session.issues);
    await session.value.release();
    return readBack(new Uint8Array(fs.readFileSync(file)), model);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function readBack(bytes: Uint8Array, model: Model): Outcome<OptimizedGraph> {
  const proto = decodeModel(memorySource(bytes));
  if (proto.value === undefined) return fail(...proto.issues);
  const graph = fromOnnx(proto.value);
  if (graph.value === undefined) return fail(...graph.issues);
  const optimized = graph.value;
  const byIndex = new Map<number, Node[]>();
  for (const node of optimized.graph.nodes) {
    const index = MADE_NAME.exec(node.name)?.[1];
    if (index === undefined) continue;
    const list = byIndex.get(Number(index)) ?? [];
    list.push(node);
    byIndex.set(Number(index), list);
  }
  const positions = new Map(model.graph.nodes.map((node, index) => [node, index]));
  return ok({ model: optimized, nodesOf: (node) => byIndex.get(positions.get(node) ?? -1) ?? [] });
}

const MADE_NAME = /^quantlens(\d+)_/;

/** Gives every node of the main graph a name of its own. */
function named(proto: ModelProto): ModelProto {
  const nodes = proto.graph?.nodes.map((node, index) => ({ ...node, name: `quantlens${index}_` }));
  return proto.graph && nodes ? { ...proto, graph: { ...proto.graph, nodes } } : proto;
}
