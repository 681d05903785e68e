/**
 * The invariants of the graph as a table. Tests run it after every pass, exports before they write. A violation is
 * a defect of this program: readers refuse bad files earlier.
 */
import type { Graph, Model, Node, Value } from './ir';
import { allGraphs, needs } from './walk';

export interface Invariant {
  readonly name: string;
  /** Sentences about what is wrong in one graph; none when the invariant holds. */
  readonly check: (graph: Graph) => Iterable<string>;
}

export const invariants: readonly Invariant[] = [
  { name: 'nodes-belong-to-their-graph', check: nodesBelong },
  { name: 'outputs-know-their-producer', check: outputsKnowProducer },
  { name: 'uses-match-inputs', check: usesMatchInputs },
  { name: 'names-are-unique-and-listed', check: namesListed },
  { name: 'initializers-have-content', check: initializersHaveContent },
  { name: 'values-are-in-scope', check: valuesInScope },
  { name: 'nodes-are-in-order', check: nodesInOrder },
  { name: 'outputs-belong-to-the-graph', check: outputsBelong },
  { name: 'subgraphs-know-their-place', check: subgraphsKnowPlace },
];

/** Everything wrong with a model's graphs, `invariant: sentence` each; empty when all is well. */
export function verify(model: Model): readonly string[] {
  const found: string[] = [];
  for (const graph of allGraphs(model.graph)) {
    for (const { name, check } of invariants) {
      for (const sentence of check(graph)) found.push(`${name}: ${sentence}`);
    }
  }
  return found;
}

function* nodesBelong(graph: Graph): Iterable<string> {
  const seen = new Set<Node>();
  for (const node of graph.nodes) {
    if (node.graph !== graph) yield `${node.label} names another graph`;
    if (seen.has(node)) yield `${node.label} is listed twice`;
    seen.add(node);
  }
}

function* outputsKnowProducer(graph: Graph): Iterable<string> {
  for (const node of graph.nodes) {
    for (const output of node.outputs) {
      if (output.producer !== node) yield `${output.name} does not name ${node.label} as its producer`;
    }
  }
  for (const value of [...graph.inputs, ...graph.initializers.values()]) {
    if (value.producer) yield `${value.name} is an input or initializer and has a producer`;
  }
}

function* usesMatchInputs(graph: Graph): Iterable<string> {
  for (const node of graph.nodes) {
    for (const [index, input] of node.inputs.entries()) {
      if (!input) continue;
      const count = input.uses.filter((use) => use.node === node && use.index === index).length;
      if (count !== 1) yield `input ${index} of ${node.label} is recorded ${count} times on ${input.name}`;
    }
  }
  for (const value of graph.values.values()) {
    for (const { node, index } of value.uses) {
      if (node.inputs[index] !== value) yield `${value.name} records a use by ${node.label} that is none`;
      if (!node.graph?.nodes.includes(node))
        yield `${value.name} is used by ${node.label}, which is in no graph`;
    }
  }
}

function* namesListed(graph: Graph): Iterable<string> {
  const owned = new Map<string, Value>();
  const outputs = graph.nodes.flatMap((node) => node.outputs).filter((output) => output.name !== '');
  for (const value of new Set([...graph.inputs, ...graph.initializers.values(), ...outputs])) {
    if (owned.has(value.name)) yield `${value.name} names two values`;
    owned.set(value.name, value);
    if (graph.values.get(value.name) !== value) yield `${value.name} is not in the name table`;
  }
  const sparse = new Set(graph.extra.sparseInitializers?.map((one) => one.values?.name ?? ''));
  for (const [name, value] of graph.values) {
    if (value.name !== name) yield `${value.name} is listed as ${name}`;
    if (!owned.has(name) && !sparse.has(name)) yield `${name} is in the name table and nowhere else`;
  }
}

function* initializersHaveContent(graph: Graph): Iterable<string> {
  for (const [name, value] of graph.initializers) {
    if (!value.tensor) yield `initializer ${name} has no content`;
    if (value.name !== name) yield `initializer ${value.name} is listed as ${name}`;
  }
}

function* valuesInScope(graph: Graph): Iterable<string> {
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (input && graph.find(input.name) !== input)
        yield `${node.label} uses ${input.name}, which is not in scope`;
    }
  }
}

function* nodesInOrder(graph: Graph): Iterable<string> {
  const place = new Map(graph.nodes.map((node, index) => [node, index]));
  for (const [index, node] of graph.nodes.entries()) {
    for (const { name, producer } of needs(node)) {
      const made = producer && place.get(producer);
      if (made !== undefined && made >= index) yield `${node.label} comes before the producer of ${name}`;
    }
  }
}

function* outputsBelong(graph: Graph): Iterable<string> {
  for (const output of graph.outputs) {
    if (graph.values.get(output.name) !== output) yield `graph output ${output.name} is not of this graph`;
  }
}

function* subgraphsKnowPlace(graph: Graph): Iterable<string> {
  for (const node of graph.nodes) {
    for (const inner of node.subgraphs) {
      if (inner.parent !== graph) yield `subgraph ${inner.name} of ${node.label} names another parent`;
      if (inner.owner !== node) yield `subgraph ${inner.name} of ${node.label} names another owner`;
    }
  }
}
