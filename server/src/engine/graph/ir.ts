/**
 * The graph: values and nodes that know each other from both ends. A node belongs to one graph, its outputs are
 * fixed at creation, its inputs change only through `edit.ts`, which keeps the use lists. Node order is the file's
 * order and deterministic. Follows the invariants of onnx/ir-py (docs/ir.md); `verify.ts` states them as a table.
 */
import { dataTypeByCode } from '../base/dtype';
import type {
  AttributeValue,
  Dimension,
  FunctionProto,
  OperatorSet,
  SparseTensorProto,
  StringEntry,
  TensorAnnotation,
  TypeProto,
  UnknownField,
  ValueInfoProto,
} from '../format/onnx-types';
import type { Tensor } from './tensor';

export interface Use {
  readonly node: Node;
  /** Input position. */
  readonly index: number;
}

/** A named tensor in a graph: graph input, initializer or node output. */
export class Value {
  /** Node that makes it; `undefined` for graph inputs and initializers. */
  producer: Node | undefined;
  readonly uses: Use[] = [];
  /** Constant content: initializers, and outputs of Constant nodes. */
  tensor: Tensor | undefined;
  /** `TensorProto.DataType` number; 0 when unknown. */
  elementType = 0;
  shape: readonly Dimension[] | undefined;
  /** Set for sequences, maps, optionals and other non-tensor types. */
  otherType: TypeProto | undefined;
  /** Type entry of the file; written back unchanged while type and shape stay the same. */
  info: ValueInfoProto | undefined;

  /** The empty name marks an absent optional output: it belongs to its node but to no name table. */
  constructor(readonly name: string) {}

  get typeName(): string {
    return dataTypeByCode(this.elementType)?.name ?? 'unknown';
  }

  /**
   * Dimensions as numbers, `undefined` unless all are known. Some exporters write 0 or −1 where they do not know:
   * such dimensions count as unknown unless the content is there.
   */
  get staticShape(): readonly number[] | undefined {
    if (this.tensor) return this.tensor.shape;
    const known = this.shape?.filter((dimension) => typeof dimension === 'number').filter((size) => size > 0);
    return known?.length === this.shape?.length ? known : undefined;
  }
}

/** Attribute value of a node; subgraphs are graphs of this IR. */
export type Attribute = (
  | Exclude<AttributeValue, { type: 'graph' } | { type: 'graphs' }>
  | { readonly type: 'graph'; readonly value: Graph }
  | { readonly type: 'graphs'; readonly value: readonly Graph[] }
) & {
  /** Only the writer needs these. */
  readonly extra?: { readonly docString?: string; readonly unknown?: UnknownField[] };
};

export interface NodeInit {
  readonly name?: string;
  readonly opType: string;
  readonly domain?: string;
  readonly overload?: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  readonly attributes?: Iterable<readonly [string, Attribute]>;
  /** Position in the file's node list; kept through edits, so that machine-made names stay the same. */
  readonly fileIndex?: number;
}

export class Node {
  readonly name: string;
  readonly opType: string;
  /** `''` for the default domain (`ai.onnx` is normalised to it). */
  readonly domain: string;
  readonly overload: string | undefined;
  readonly outputs: readonly Value[];
  readonly attributes: Map<string, Attribute>;
  /** Fields and documentation that only the writer needs. */
  extra: { docString?: string; metadataProps?: readonly StringEntry[]; unknown?: UnknownField[] } = {};
  /** Changed through `edit.ts` only. */
  readonly inputs: (Value | undefined)[];
  readonly fileIndex: number | undefined;
  graph: Graph | undefined;

  constructor(init: NodeInit) {
    this.name = init.name ?? '';
    this.opType = init.opType;
    this.domain = init.domain === 'ai.onnx' ? '' : (init.domain ?? '');
    this.overload = init.overload;
    this.inputs = [...init.inputs];
    this.outputs = init.outputs;
    this.attributes = new Map(init.attributes);
    this.fileIndex = init.fileIndex;
    this.inputs.forEach((value, index) => {
      value?.uses.push({ node: this, index });
    });
    for (const output of this.outputs) output.producer = this;
  }

  input(index: number): Value | undefined {
    return this.inputs[index];
  }

  output(index = 0): Value | undefined {
    return this.outputs[index];
  }

  /** Operator name, domain-prefixed outside ai.onnx: the key of `ops.ts`. */
  get op(): string {
    return this.domain === '' ? this.opType : `${this.domain}.${this.opType}`;
  }

  /** Position in the file, or in the graph for nodes made later. */
  get index(): number {
    return this.fileIndex ?? this.graph?.nodes.indexOf(this) ?? 0;
  }

  /** The name, or `OpType_index` where the file has none: how reports and issues call the node. */
  get label(): string {
    return this.name === '' ? `${this.opType}_${this.index}` : this.name;
  }

  /** INT attribute as a number. */
  int(name: string, fallback: number): number {
    const attribute = this.attributes.get(name);
    return attribute?.type === 'int' ? Number(attribute.value) : fallback;
  }

  float(name: string, fallback: number): number {
    const attribute = this.attributes.get(name);
    return attribute?.type === 'float' ? attribute.value : fallback;
  }

  ints(name: string): readonly number[] | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.type === 'ints' ? attribute.value.map(Number) : undefined;
  }

  string(name: string, fallback: string): string {
    const attribute = this.attributes.get(name);
    return attribute?.type === 'string' ? new TextDecoder().decode(attribute.value) : fallback;
  }

  /** Graphs held by attributes (If, Loop, Scan bodies), in attribute order. */
  get subgraphs(): readonly Graph[] {
    const found: Graph[] = [];
    for (const attribute of this.attributes.values()) {
      if (attribute.type === 'graph') found.push(attribute.value);
      if (attribute.type === 'graphs') found.push(...attribute.value);
    }
    return found;
  }
}

/** A graph or subgraph body. Subgraph nodes may use values of enclosing graphs directly. */
export class Graph {
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  /** In file order. */
  readonly nodes: Node[] = [];
  /** Initializers by name, in file order. */
  readonly initializers = new Map<string, Value>();
  /** Every value owned by this graph, by name. */
  readonly values = new Map<string, Value>();
  /** Enclosing graph of a subgraph. */
  parent: Graph | undefined;
  /** Node that holds this subgraph. */
  owner: Node | undefined;
  docString = '';
  metadataProps: readonly StringEntry[] = [];
  /** Parts of the file that only the writer needs. `valueInfo` keeps the order of type entries. */
  extra: {
    valueInfo?: readonly ValueInfoProto[];
    sparseInitializers?: readonly SparseTensorProto[];
    quantizationAnnotation?: readonly TensorAnnotation[];
    unknown?: UnknownField[];
  } = {};

  constructor(public name: string) {}

  /** Inputs that a caller has to feed: those without a constant content of their own. */
  get dataInputs(): readonly Value[] {
    return this.inputs.filter((input) => input.tensor === undefined);
  }

  /** Value by name, looking outward through enclosing graphs. */
  find(name: string): Value | undefined {
    return this.values.get(name) ?? this.parent?.find(name);
  }

  /** True for graph outputs of this graph. */
  isOutput(value: Value): boolean {
    return this.outputs.includes(value);
  }
}

/** A model: main graph, operator sets, model-local functions (kept as they were read). */
export interface Model {
  readonly graph: Graph;
  /** Version per domain; `''` = ai.onnx. Mutable: exports raise opsets. */
  readonly opsets: Map<string, number>;
  irVersion: number;
  readonly functions: readonly FunctionProto[];
  readonly producerName: string;
  readonly producerVersion: string;
  readonly domain: string;
  readonly modelVersion: number;
  readonly docString: string;
  readonly metadataProps: readonly StringEntry[];
  readonly unknown?: UnknownField[];
}

/** Opset imports in file form. */
export function opsetImports(model: Model): readonly OperatorSet[] {
  return [...model.opsets].map(([domain, version]) => ({ domain, version }));
}

/** Version of the default operator set, 1 when the model states none. */
export function defaultOpset(model: Model): number {
  return model.opsets.get('') ?? 1;
}
