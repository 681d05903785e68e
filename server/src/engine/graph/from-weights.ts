/**
 * Weight files without a graph (safetensors, GGUF) as a weight-only graph: one node per tensor of two or more
 * dimensions, so that everything that works on layers works on them. Such a model can be read but not run.
 */
import { type ByteSource, openFile } from '../base/byte-source';
import { DataTypeCode, dataTypeByCode } from '../base/dtype';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { guardReads } from '../format/byte-reader';
import type { TensorProto } from '../format/onnx-types';
import { sniff } from '../format/sniff';
import type { MetadataValue, WeightTensor } from '../format/weights-file';
import { type BlockType, blockType, dequantizeBlocks } from '../numerics/ggml-blocks';
import { Graph, type Model, Node, Value } from './ir';
import { bytesOf, protoTensor, type Tensor } from './tensor';
import { codesIssue, storedCodes } from './weight-file-codes';
import { openWeightParts, type WeightPart } from './weight-parts';

/**
 * Domain of the stand-in operators: `Weight` for values that can be read, plain or dequantized from blocks;
 * `BlockWeight` for blocks that cannot.
 */
const DOMAIN = 'quantlens';

/** Blocks dequantized between two reads. */
const CHUNK_BYTES = 1 << 20;

/** A weight file with all its parts, held open. Close it when done. */
export interface OpenWeights {
  /** As the user gave it: the file, the first part or the index. */
  readonly path: string;
  readonly format: 'safetensors' | 'gguf';
  /** GGUF version; 1 for safetensors, which has none. */
  readonly version: number;
  /** Of all parts, in their order and that of their data. */
  readonly tensors: readonly WeightTensor[];
  /** Of the first part. */
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  /** Weight-only graph; it has no inputs, outputs or operator set. */
  readonly model: Model;
  /** Every file, the index first. */
  readonly sources: readonly ByteSource[];
  /** Of all files. */
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

/**
 * Opens a `.safetensors` or `.gguf` file, or all parts of a split one, by their headers. ONNX files give
 * `unsupported-feature`, and so, as a warning, does each block type that cannot be dequantized; `codes-unread`, a warning
 * too, tells of integer codes.
 */
export function openWeights(path: string): Outcome<OpenWeights> {
  const opened = openWeightParts(path);
  if (!opened.value) return fail(...opened.issues);
  const { format, parts, sources } = opened.value;
  const first = parts[0]?.file;
  const tensors = parts.flatMap((part) => part.file.tensors);
  const value: OpenWeights = {
    path,
    format,
    version: first?.version ?? 1,
    tensors,
    metadata: first?.metadata ?? new Map(),
    model: weightModel(parts),
    sources,
    bytes: sources.reduce((sum, source) => sum + source.size, 0),
    unchanged: () => sources.every(isUnchanged),
    close: () => {
      for (const source of sources) source.close();
    },
  };
  return {
    value,
    issues: [...opened.issues, ...unreadableTypes(path, tensors), ...codesIssue(path, tensors)],
  };
}

/** The weight-only graph of headers. Nothing is read until elements are asked for. */
export function weightModel(parts: readonly WeightPart[]): Model {
  const graph = new Graph(parts[0]?.file.format ?? 'weights');
  const all = parts.flatMap(({ file, source }) => file.tensors.map((tensor) => ({ tensor, source })));
  const { parameters } = storedCodes(all.map(({ tensor }) => tensor));
  for (const [index, { tensor, source }] of all.entries()) {
    if (graph.values.has(tensor.name)) continue;
    const value = new Value(tensor.name);
    value.tensor = tensorOf(tensor, source);
    value.elementType = value.tensor.dataType;
    value.shape = tensor.shape;
    graph.values.set(value.name, value);
    graph.initializers.set(value.name, value);
    if (tensor.shape.length < 2 || parameters.has(tensor.name)) continue;
    const node = new Node({
      name: tensor.name,
      opType: value.tensor.dataType === 0 ? 'BlockWeight' : 'Weight',
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
    modelVersion: parts[0]?.file.version ?? 1,
    docString: '',
    metadataProps: [],
  };
}

function isUnchanged(source: ByteSource): boolean {
  const now = openFile(source.path).value;
  now?.close();
  return now?.size === source.size && now.modified === source.modified;
}

/** One warning for each block type of layers that stays closed. */
function unreadableTypes(path: string, tensors: readonly WeightTensor[]): Issue[] {
  const counts = new Map<string, number>();
  for (const { dtype, dataType, shape } of tensors) {
    const readable = dataType !== undefined || blockType(dtype) !== undefined;
    if (!readable && shape.length >= 2) counts.set(dtype, (counts.get(dtype) ?? 0) + 1);
  }
  return [...counts].map(([dtype, count]) => {
    const what = `dequantizing ${dtype} (${count} ${count === 1 ? 'tensor' : 'tensors'})`;
    return issue('unsupported-feature', { what, next: INSTEAD }, { path }, 'warning');
  });
}

const INSTEAD = 'Use a file of another type, such as Q4_K or F16, to measure these weights.';

function tensorOf(tensor: WeightTensor, source: ByteSource): Tensor {
  const plain = tensor.dataType === undefined ? undefined : dataTypeByCode(tensor.dataType);
  if (plain) return plainTensor(tensor, plain.code, source);
  const type = blockType(tensor.dtype);
  return type ? new BlockTensor(tensor, type, source) : new ClosedTensor(tensor);
}

function plainTensor(tensor: WeightTensor, dataType: number, source: ByteSource): Tensor {
  const slice = { source, offset: tensor.offset, length: tensor.length };
  return protoTensor(
    { name: tensor.name, dims: tensor.shape, dataType, payload: { kind: 'slice', slice } },
    undefined,
  );
}

/** Blocks of quantized elements (Q4_0, Q8_0, …) as the float32 values they stand for. */
class BlockTensor implements Tensor {
  readonly dataType = DataTypeCode.float;

  constructor(
    private readonly tensor: WeightTensor,
    private readonly type: BlockType,
    private readonly source: ByteSource,
  ) {}

  get shape(): readonly number[] {
    return this.tensor.shape;
  }

  get size(): number {
    return this.tensor.elements;
  }

  toFloat32(): Outcome<Float32Array> {
    const { type, source } = this;
    const { offset, length, elements } = this.tensor;
    return guardReads(source.path, () => {
      const values = new Float32Array(elements);
      const step = Math.max(1, Math.floor(CHUNK_BYTES / type.bytes)) * type.bytes;
      for (let done = 0; done < length; done += step) {
        const bytes = source.read(offset + done, Math.min(step, length - done));
        dequantizeBlocks(type, bytes, values, (done / type.bytes) * type.elements);
      }
      return ok(values);
    });
  }

  toIntegers(): Outcome<readonly number[]> {
    const facts = { tensor: this.tensor.name, reason: `${this.type.name} is not an integer type` };
    return fail(issue('tensor-invalid', facts));
  }

  toProto(name: string): TensorProto {
    const values = this.toFloat32().value;
    const payload = values
      ? ({ kind: 'bytes', bytes: bytesOf(values) } as const)
      : ({ kind: 'none' } as const);
    return { name, dims: this.tensor.shape, dataType: this.dataType, payload };
  }
}

/** Blocks of a type without a dequantizer: shape and size are known, elements are not. */
class ClosedTensor implements Tensor {
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

  private unsupported(): Issue {
    const { name, dtype } = this.tensor;
    return issue('unsupported-feature', { what: `dequantizing ${dtype}`, next: INSTEAD }, { tensor: name });
  }
}
