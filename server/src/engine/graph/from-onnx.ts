/**
 * From decoded ONNX structs (onnx.proto, IR 14) to the graph. Bad models are values: names defined twice, inputs
 * that nothing produces and cycles become issues that name node and tensor. Nothing of a tensor's data is read.
 */
import { dataTypeByCode, elementCount } from '../base/dtype';
import { defined } from '../base/invariant';
import { type Issue, issue } from '../base/issue';
import type { Outcome } from '../base/outcome';
import type { ExternalFiles } from '../format/onnx-external';
import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TypeProto,
  ValueInfoProto,
} from '../format/onnx-types';
import { constantOf } from './constant';
import { type Attribute, Graph, type Model, Node, Value } from './ir';
import { protoTensor } from './tensor';
import { needs, topologicalOrder } from './walk';

/** More issues than this say nothing new about a damaged file. */
const MAX_ISSUES = 20;

/**
 * Builds the graph of a model. Nodes out of order are sorted, with a warning.
 * @param external resolves external data when elements are read; without it such tensors are unreadable.
 * @param positions node positions to report where they differ from those in the list.
 * @returns no value when the graph is invalid; then the issues say where.
 */
export function fromOnnx(
  proto: ModelProto,
  external?: ExternalFiles,
  positions: ReadonlyMap<NodeProto, number> = new Map(),
): Outcome<Model> {
  const issues: Issue[] = [];
  if (!proto.graph) return { value: undefined, issues: [issue('graph-empty', {})] };
  const opsets = new Map<string, number>();
  for (const { domain, version } of proto.opsetImports) {
    const key = domain === 'ai.onnx' ? '' : domain;
    opsets.set(key, Math.max(version, opsets.get(key) ?? 0));
  }
  if (opsets.size === 0) issues.push(issue('opset-missing', {}, {}, 'warning'));
  const graph = new GraphReader(external, issues, positions).read(proto.graph, undefined);
  if (issues.some((one) => one.severity === 'error')) return { value: undefined, issues };
  if (graph.nodes.length === 0) issues.push(issue('graph-empty', {}, {}, 'warning'));
  const value: Model = {
    graph,
    opsets,
    irVersion: proto.irVersion,
    functions: proto.functions,
    producerName: proto.producerName,
    producerVersion: proto.producerVersion,
    domain: proto.domain,
    modelVersion: proto.modelVersion,
    docString: proto.docString,
    metadataProps: proto.metadataProps,
    ...(proto.unknown ? { unknown: proto.unknown } : {}),
  };
  return { value, issues };
}

class GraphReader {
  constructor(
    private readonly external: ExternalFiles | undefined,
    private readonly issues: Issue[],
    private readonly positions: ReadonlyMap<NodeProto, number>,
  ) {}

  read(proto: GraphProto, parent: Graph | undefined): Graph {
    const graph = new Graph(proto.name);
    graph.parent = parent;
    graph.docString = proto.docString ?? '';
    graph.metadataProps = proto.metadataProps ?? [];
    graph.extra = {
      valueInfo: proto.valueInfo,
      ...(proto.sparseInitializers ? { sparseInitializers: proto.sparseInitializers } : {}),
      ...(proto.quantizationAnnotation ? { quantizationAnnotation: proto.quantizationAnnotation } : {}),
      ...(proto.unknown ? { unknown: proto.unknown } : {}),
    };
    for (const info of proto.inputs) this.addInput(graph, info);
    this.addInitializers(graph, proto);
    const outputs = proto.nodes.map((node, index) => this.declareOutputs(graph, node, index));
    for (const info of proto.valueInfo) applyType(graph.values.get(info.name), info);
    for (const info of proto.outputs) this.addOutput(graph, info);
    proto.nodes.forEach((node, index) => {
      graph.nodes.push(this.readNode(graph, node, index, defined(outputs[index], 'outputs per node')));
    });
    this.sort(graph);
    return graph;
  }

  private addInput(graph: Graph, info: ValueInfoProto): void {
    if (graph.values.has(info.name)) {
      this.invalid(`input ${info.name} is declared twice`, { tensor: info.name });
      return;
    }
    const value = new Value(info.name);
    applyType(value, info);
    graph.values.set(value.name, value);
    graph.inputs.push(value);
  }

  private addInitializers(graph: Graph, proto: GraphProto): void {
    for (const tensor of proto.initializers) {
      const { name } = tensor;
      if (name === '') {
        this.invalid('an initializer has no name', {});
        continue;
      }
      if (graph.initializers.has(name)) {
        this.invalid(`initializer ${name} is defined twice`, { tensor: name });
        continue;
      }
      if (elementCount(tensor.dims) === undefined) {
        const reason = `dimensions [${tensor.dims.join(', ')}] are not a shape`;
        this.report(issue('tensor-invalid', { tensor: name, reason }, { tensor: name }));
      } else if (!dataTypeByCode(tensor.dataType)) {
        const reason = `data type ${tensor.dataType} is unknown`;
        this.report(issue('tensor-invalid', { tensor: name, reason }, { tensor: name }, 'warning'));
      }
      const value = graph.values.get(name) ?? new Value(name);
      value.tensor = protoTensor(tensor, this.external);
      value.elementType = tensor.dataType;
      value.shape ??= tensor.dims;
      graph.values.set(name, value);
      graph.initializers.set(name, value);
    }
    for (const sparse of proto.sparseInitializers ?? []) {
      const name = sparse.values?.name ?? '';
      if (name === '' || graph.initializers.has(name)) {
        this.invalid(`sparse initializer ${name || 'without a name'} is defined twice or unnamed`, {
          tensor: name,
        });
        continue;
      }
      const value = graph.values.get(name) ?? new Value(name);
      value.elementType = sparse.values?.dataType ?? 0;
      value.shape = sparse.dims;
      graph.values.set(name, value);
    }
  }

  private declareOutputs(graph: Graph, node: NodeProto, index: number): readonly Value[] {
    return node.outputs.map((name) => {
      const value = new Value(name);
      if (name === '') return value;
      const other = graph.values.get(name);
      if (other) {
        const first = graph.inputs.includes(other)
          ? 'a graph input'
          : graph.initializers.has(name)
            ? 'an initializer'
            : 'another node';
        this.invalid(`${name} is made by node ${labelOf(node, index)} and by ${first}`, {
          node: labelOf(node, index),
          tensor: name,
        });
        return value;
      }
      graph.values.set(name, value);
      return value;
    });
  }

  private addOutput(graph: Graph, info: ValueInfoProto): void {
    const value = graph.values.get(info.name);
    if (!value) {
      const reason = graph.parent?.find(info.name)
        ? `subgraph ${graph.name} returns ${info.name} of the enclosing graph directly; an Identity node is needed`
        : `output ${info.name} is produced by nothing`;
      this.invalid(reason, { tensor: info.name });
      return;
    }
    applyType(value, info);
    graph.outputs.push(value);
  }

  private readNode(graph: Graph, proto: NodeProto, index: number, outputs: readonly Value[]): Node {
    const node = labelOf(proto, index);
    if (proto.opType === '') this.invalid(`node ${node} has no operator`, { node });
    const inputs = proto.inputs.map((name) => {
      if (name === '') return undefined;
      const value = graph.find(name);
      if (!value) this.invalid(`node ${node} reads ${name}, which nothing produces`, { node, tensor: name });
      return value;
    });
    const subgraphs: Graph[] = [];
    const attributes = new Map<string, Attribute>();
    for (const attribute of proto.attributes) {
      if (attributes.has(attribute.name))
        this.invalid(`node ${node} has attribute ${attribute.name} twice`, { node });
      attributes.set(attribute.name, this.readAttribute(graph, attribute, subgraphs));
    }
    const fileIndex = this.positions.get(proto) ?? index;
    const made = new Node({ ...proto, inputs, outputs, attributes, fileIndex });
    made.graph = graph;
    made.extra = {
      ...(proto.docString === undefined ? {} : { docString: proto.docString }),
      ...(proto.metadataProps ? { metadataProps: proto.metadataProps } : {}),
      ...(proto.unknown ? { unknown: proto.unknown } : {}),
    };
    for (const subgraph of subgraphs) subgraph.owner = made;
    const output = outputs[0];
    if (made.op === 'Constant' && output) output.tensor = constantOf(made, this.external);
    return made;
  }

  private readAttribute(graph: Graph, proto: AttributeProto, subgraphs: Graph[]): Attribute {
    const extra = {
      ...(proto.docString === undefined ? {} : { docString: proto.docString }),
      ...(proto.unknown ? { unknown: proto.unknown } : {}),
    };
    const rest = Object.keys(extra).length === 0 ? {} : { extra };
    const inner = (one: GraphProto) => {
      const subgraph = this.read(one, graph);
      subgraphs.push(subgraph);
      return subgraph;
    };
    const { value } = proto;
    if (value.type === 'graph') return { type: 'graph', value: inner(value.value), ...rest };
    if (value.type === 'graphs') return { type: 'graphs', value: value.value.map(inner), ...rest };
    return { ...value, ...rest };
  }

  private sort(graph: Graph): void {
    const sorted = topologicalOrder(graph);
    if ('cycle' in sorted) {
      const names = sorted.cycle.map((node) => node.label);
      const shown = names.length > 6 ? [...names.slice(0, 6), '…'] : names;
      this.invalid(`nodes form a cycle: ${shown.join(' → ')} → ${names[0]}`, { node: names[0] });
      return;
    }
    const seen = new Set<Node>();
    const inOrder = graph.nodes.every((node) => {
      seen.add(node);
      return needs(node).every(({ producer }) => producer?.graph !== graph || seen.has(producer));
    });
    if (inOrder) return;
    this.report(issue('graph-invalid', { reason: 'nodes are not in topological order' }, {}, 'warning'));
    graph.nodes.splice(0, graph.nodes.length, ...sorted.order);
  }

  private invalid(reason: string, anchor: { node?: string; tensor?: string }): void {
    this.report(issue('graph-invalid', { reason }, anchor));
  }

  private report(one: Issue): void {
    if (this.issues.length < MAX_ISSUES || !this.issues.some((known) => known.severity === 'error')) {
      this.issues.push(one);
    }
  }
}

function labelOf(node: NodeProto, index: number): string {
  return node.name === '' ? `${node.opType}_${index}` : node.name;
}

/** A value keeps the first entry that has a type: the one of the input list before value_info and outputs. */
function applyType(value: Value | undefined, info: ValueInfoProto): void {
  if (!value || value.info?.type) return;
  value.info = info;
  const type: TypeProto | undefined = info.type;
  if (!type) return;
  if (type.kind !== 'tensor') {
    value.otherType = type;
    return;
  }
  value.elementType = type.elementType;
  value.shape = type.shape;
}
