/**
 * Walks over graphs: subgraphs, topological order, reach, and extraction of the part between chosen values.
 * Values that a subgraph takes from outside count as inputs of the node that holds the subgraph.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { Graph, type Model, Node, Value } from './ir';

/** The graph and every subgraph inside it, outer before inner, in file order. */
export function allGraphs(graph: Graph): readonly Graph[] {
  const found: Graph[] = [];
  const pending = [graph];
  for (let next = pending.pop(); next; next = pending.pop()) {
    found.push(next);
    const inner = next.nodes.flatMap((node) => node.subgraphs);
    for (let index = inner.length - 1; index >= 0; index--) pending.push(defined(inner[index], 'subgraph'));
  }
  return found;
}

/** Nodes of the graph and its subgraphs; a node comes before the nodes of its own subgraphs. */
export function* allNodes(graph: Graph): Generator<Node> {
  const pending: Node[] = [...graph.nodes].reverse();
  for (let node = pending.pop(); node; node = pending.pop()) {
    yield node;
    for (const inner of [...node.subgraphs].reverse()) {
      for (let index = inner.nodes.length - 1; index >= 0; index--)
        pending.push(defined(inner.nodes[index], 'node'));
    }
  }
}

/** Values of enclosing graphs that the node's subgraphs use, at any depth, each once. */
export function captures(node: Node): readonly Value[] {
  if (node.subgraphs.length === 0) return [];
  const own = new Set<Value>();
  const used = new Set<Value>();
  for (const graph of node.subgraphs.flatMap(allGraphs)) {
    for (const value of graph.values.values()) own.add(value);
    for (const inner of graph.nodes) for (const input of inner.inputs) if (input) used.add(input);
    for (const output of graph.outputs) used.add(output);
  }
  return [...used].filter((value) => !own.has(value));
}

/** Everything a node needs: its inputs, then what its subgraphs capture. */
export function needs(node: Node): readonly Value[] {
  const inputs = node.inputs.filter((input) => input !== undefined);
  return node.subgraphs.length === 0 ? inputs : [...inputs, ...captures(node)];
}

/**
 * Nodes in topological order, file order wherever it allows (depth first from each node in turn).
 * @returns `cycle` instead when there is one: its nodes, in the direction of the data.
 */
export function topologicalOrder(graph: Graph): { order: readonly Node[] } | { cycle: readonly Node[] } {
  const order: Node[] = [];
  const state = new Map<Node, 'open' | 'done'>();
  for (const root of graph.nodes) {
    if (state.has(root)) continue;
    const stack = [{ node: root, pending: producers(root, graph) }];
    state.set(root, 'open');
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const next = top.pending.pop();
      if (next === undefined) {
        state.set(top.node, 'done');
        order.push(top.node);
        stack.pop();
        continue;
      }
      const seen = state.get(next);
      if (seen === 'open') {
        const from = stack.findIndex((frame) => frame.node === next);
        return {
          cycle: stack
            .slice(from)
            .map((frame) => frame.node)
            .reverse(),
        };
      }
      if (seen === undefined) {
        state.set(next, 'open');
        stack.push({ node: next, pending: producers(next, graph) });
      }
    }
  }
  return { order };
}

/** Nodes of `graph` that compute `targets`, in graph order. `stop` values count as given. */
export function nodesReaching(
  graph: Graph,
  targets: readonly Value[],
  stop: ReadonlySet<Value> = new Set(),
): readonly Node[] {
  const wanted = new Set<Node>();
  const pending = [...targets];
  for (let value = pending.pop(); value; value = pending.pop()) {
    const node = value.producer;
    if (stop.has(value) || !node || wanted.has(node) || node.graph !== graph) continue;
    wanted.add(node);
    pending.push(...needs(node));
  }
  return graph.nodes.filter((node) => wanted.has(node));
}

/** Nodes of `graph` that depend on `sources`, in graph order. */
export function nodesReachedFrom(graph: Graph, sources: readonly Value[]): readonly Node[] {
  const reached = new Set<Value>(sources);
  return graph.nodes.filter((node) => {
    if (!needs(node).some((value) => reached.has(value))) return false;
    for (const output of node.outputs) reached.add(output);
    return true;
  });
}

/**
 * A model of the nodes that compute `outputs` from `inputs`: prefix, suffix or any segment of the main graph. The
 * given model stays untouched; tensors are shared, not copied. Inputs of the model that the segment still needs stay
 * inputs, after the chosen ones; the outputs keep their names. Inputs must be typed: where the file states no type,
 * float32 is taken, the type of activations.
 */
export function extract(model: Model, inputs: readonly Value[], outputs: readonly Value[]): Model {
  const source = model.graph;
  const stop = new Set(inputs);
  const nodes = nodesReaching(source, outputs, stop);
  const graph = new Graph(source.name);
  const copies = new Map<Value, Value>();
  for (const value of inputs) {
    const input = copyValue(value, graph, copies, { constant: false });
    if (input.elementType === 0 && !input.otherType) input.elementType = DataTypeCode.float;
    graph.inputs.push(input);
  }
  const produced = new Set(nodes.flatMap((node) => node.outputs));
  const used = new Set([...nodes.flatMap(needs), ...outputs]);
  for (const value of source.inputs) {
    if (used.has(value) && !stop.has(value) && !value.tensor)
      graph.inputs.push(copyValue(value, graph, copies));
  }
  for (const value of source.initializers.values()) {
    if (!used.has(value) || stop.has(value) || produced.has(value)) continue;
    graph.initializers.set(value.name, copyValue(value, graph, copies));
  }
  for (const node of nodes) copyNode(node, graph, copies);
  for (const output of outputs)
    graph.outputs.push(defined(copies.get(output), `output ${output.name} is computed`));
  keepSparse(source, graph);
  return { ...model, graph, opsets: new Map(model.opsets) };
}

/** An independent copy of the model; tensors are shared. */
export function cloneModel(model: Model): Model {
  return { ...model, graph: cloneGraph(model.graph, undefined, new Map()), opsets: new Map(model.opsets) };
}

function producers(node: Node, graph: Graph): Node[] {
  const found: Node[] = [];
  for (const value of needs(node)) if (value.producer?.graph === graph) found.push(value.producer);
  // Popped from the end: the first input's producer comes first.
  return found.reverse();
}

function cloneGraph(source: Graph, parent: Graph | undefined, copies: Map<Value, Value>): Graph {
  const graph = new Graph(source.name);
  graph.parent = parent;
  graph.docString = source.docString;
  graph.metadataProps = source.metadataProps;
  graph.extra = { ...source.extra };
  for (const value of source.inputs) graph.inputs.push(copyValue(value, graph, copies));
  for (const value of source.initializers.values()) {
    graph.initializers.set(value.name, copies.get(value) ?? copyValue(value, graph, copies));
  }
  for (const value of source.values.values()) {
    if (!value.producer && !copies.has(value)) copyValue(value, graph, copies);
  }
  for (const node of source.nodes) copyNode(node, graph, copies);
  for (const output of source.outputs) graph.outputs.push(copies.get(output) ?? output);
  return graph;
}

function copyNode(node: Node, graph: Graph, copies: Map<Value, Value>): void {
  const outputs = node.outputs.map((output) =>
    output.name === '' ? new Value('') : copyValue(output, graph, copies),
  );
  const subgraphs: Graph[] = [];
  const inner = (one: Graph) => {
    const copy = cloneGraph(one, graph, copies);
    subgraphs.push(copy);
    return copy;
  };
  const copy = new Node({
    name: node.name,
    opType: node.opType,
    domain: node.domain,
    overload: node.overload,
    inputs: node.inputs.map((input) => (input ? (copies.get(input) ?? input) : undefined)),
    outputs,
    attributes: [...node.attributes].map(([name, attribute]) => {
      if (attribute.type === 'graph') return [name, { ...attribute, value: inner(attribute.value) }];
      if (attribute.type === 'graphs') return [name, { ...attribute, value: attribute.value.map(inner) }];
      return [name, attribute];
    }),
    fileIndex: node.fileIndex,
  });
  copy.extra = { ...node.extra };
  copy.graph = graph;
  for (const subgraph of subgraphs) subgraph.owner = copy;
  graph.nodes.push(copy);
}

function copyValue(
  value: Value,
  graph: Graph,
  copies: Map<Value, Value>,
  options: { readonly constant: boolean } = { constant: true },
): Value {
  const copy = new Value(value.name);
  copy.elementType = value.elementType;
  copy.shape = value.shape;
  copy.otherType = value.otherType;
  copy.info = value.info;
  if (options.constant) copy.tensor = value.tensor;
  copies.set(value, copy);
  graph.values.set(copy.name, copy);
  return copy;
}

/** Sparse initializers are no tensors of this graph; the writer needs those that are still named. */
function keepSparse(source: Graph, graph: Graph): void {
  graph.extra.sparseInitializers = source.extra.sparseInitializers?.filter((sparse) =>
    graph.values.has(sparse.values?.name ?? ''),
  );
}
