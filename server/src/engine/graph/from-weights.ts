/**
 * Weight files without a graph (safetensors, GGUF) as a weight-only graph: one node per tensor of two or more
 * dimensions, so that everything that works on layers works on them. Such a model can be read but not run.
 */
import { type ByteSource, openFile } from '../base/byte-source';
import { dataTypeByCode } from '../base/dtype';
import { issue } from '../base/issue';
import { fail, type Outcome } from '../base/outcome';
import { readGguf } from '../format/gguf';
import type { TensorProto } from '../format/onnx-types';
import { readSafetensors } from '../format/safetensors';
import { sniff } from '../format/sniff';
import type { WeightsFile, WeightTensor } from '../format/weights-file';
import { Graph, type Model, Node, Value } from './ir';
import { protoTensor, type Tensor } from './tensor';

/** Domain of the stand-in operators: `Weight` for real numbers, `BlockWeight` for quantized blocks. */
const DOMAIN = 'quantlens';

/** A weight file, held open. Close it when done. */
export interface OpenWeights {
  readonly path: string;
  readonly format: 'safetensors' | 'gguf';
  readonly file: WeightsFile;
  /** Weight-only graph; it has no inputs, outputs or operator set. */
  readonly model: Model;
  readonly source: ByteSource;
  readonly bytes: number;
  unchanged(): boolean;
  close(): void;
}

/** True for a readable file whose content is safetensors or GGUF. */
export function isWeightFile(path: string): boolean {
  const source = openFile(path).value;
  if (!source) return false;
  const format = sniff(source).value;
  source.close();
  return format === 'safetensors' || format === 'gguf';
}

/** Opens a `.safetensors` or `.gguf` file by its header. ONNX files give `unsupported-feature`. */
export function openWeights(path: string): Outcome<OpenWeights> {
  const opened = openFile(path);
  const source = opened.value;
  if (!source) return fail(...opened.issues);
  const format = sniff(source);
  const file = format.value ? readWeights(source, format.value) : fail<WeightsFile>(...format.issues);
  if (!file.value) {
    source.close();
    return fail(...file.issues);
  }
  const value: OpenWeights = {
    path,
    format: file.value.format,
    file: file.value,
    model: weightModel(file.value, source),
    source,
    bytes: source.size,
    unchanged: () => {
      const now = openFile(path).value;
      now?.close();
      return now?.size === source.size && now.modified === source.modified;
    },
    close: () => source.close(),
  };
  return { value, issues: file.issues };
}

/** The weight-only graph of a header. Nothing is read until elements are asked for. */
export function weightModel(file: WeightsFile, source: ByteSource): Model {
  const graph = new Graph(file.format);
  for (const [index, tensor] of file.tensors.entries()) {
    if (graph.values.has(tensor.name)) continue;
    const value = new Value(tensor.name);
    const plain = tensor.dataType === undefined ? undefined : dataTypeByCode(tensor.dataType);
    value.tensor = plain ? plainTensor(tensor, plain.code, source) : new BlockTensor(tensor);
    value.elementType = plain?.code ?? 0;
    value.shape = tensor.shape;
    graph.values.set(value.name, value);
    graph.initializers.set(value.name, value);
    if (tensor.shape.length < 2) continue;
    const node = new Node({
      name: tensor.name,
      opType: plain ? 'Weight' : 'BlockWeight',
      domain: DOMAIN,
      inputs: [undefined, value],
      outputs: [],
      fileIndex: index,
    });
    node.graph = graph;
    graph.nodes.push(node);
  }
  return {
    graph,
    opsets: new Map(),
    irVersion: 0,
    functions: [],
    producerName: '',
    producerVersion: '',
    domain: '',
    modelVersion: file.version,
    docString: '',
    metadataProps: [],
  };
}

function readWeights(source: ByteSource, format: string): Outcome<WeightsFile> {
  if (format === 'safetensors') return readSafetensors(source);
  if (format === 'gguf') return readGguf(source);
  const facts = { what: `weights alone of a file in ${format} format`, next: 'open it as a model' };
  return fail(issue('unsupported-feature', facts, { path: source.path }));
}

function plainTensor(tensor: WeightTensor, dataType: number, source: ByteSource): Tensor {
  const slice = { source, offset: tensor.offset, length: tensor.length };
  return protoTensor(
    { name: tensor.name, dims: tensor.shape, dataType, payload: { kind: 'slice', slice } },
    undefined,
  );
}

/** Blocks of quantized elements (Q4_0, Q8_0, …): shape and size are known, elements are not converted. */
class BlockTensor implements Tensor {
  readonly dataType = 0;

  constructor(private readonly tensor: WeightTensor) {}

  get shape(): readonly number[] {
    return this.tensor.shape;
  }

  get size(): number {
    return this.tensor.elements;
  }

  toFloat32(): Outcome<Float32Array> {
    return fail(this.unsupported());
  }

  toIntegers(): Outcome<readonly number[]> {
    return fail(this.unsupported());
  }

  toProto(name: string): TensorProto {
    return { name, dims: this.tensor.shape, dataType: 0, payload: { kind: 'none' } };
  }

  private unsupported() {
    const { name, dtype } = this.tensor;
    const facts = {
      what: `reading elements of type ${dtype}`,
      next: 'use a file with F32, F16 or BF16 weights',
    };
    return issue('unsupported-feature', facts, { tensor: name });
  }
}
