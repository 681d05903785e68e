/**
 * Copies one graph's nodes and constants into another under a prefix, so that a float network and its quantized twin
 * run in one session on the same inputs and are compared inside it.
 */
import { defined } from '../base/invariant';
import { addInitializer, addNode, addValue } from './edit';
import { type Attribute, Graph, type Node, Value } from './ir';

/**
 * Copies `source` into `target`. Names get `prefix`; values in `bound` are used in place of copies (graph inputs).
 * @returns the copy of each value of `source`'s top graph.
 */
export function cloneInto(
  target: Graph,
  source: Graph,
  prefix: string,
  bound: ReadonlyMap<Value, Value>,
): ReadonlyMap<Value, Value> {
  const copies = new Map<Value, Value>(bound);
  for (const value of source.initializers.values()) {
    if (copies.has(value) || !value.tensor) continue;
    copies.set(value, addInitializer(target, prefix + value.name, value.tensor));
  }
  for (const node of source.nodes) cloneNode(target, node, prefix, copies);
  return copies;
}

/**
 * Copies one node to the end of `target`. Inputs are looked up in `copies`; inputs without a copy stay absent only
 * where they were. Outputs are added to `copies`.
 */
export function cloneNode(target: Graph, node: Node, prefix: string, copies: Map<Value, Value>): Node {
  const outputs = node.outputs.map((output) => {
    const copy = addValue(target, prefix + output.name, output.elementType, output.shape);
    copy.tensor = output.tensor;
    copy.otherType = output.otherType;
    copies.set(output, copy);
    return copy;
  });
  const made = addNode(target, {
    name: node.name === '' ? '' : prefix + node.name,
    opType: node.opType,
    domain: node.domain,
    overload: node.overload,
    inputs: node.inputs.map((input) => input && copyOf(input, copies)),
    outputs,
    attributes: cloneAttributes(target, node, copies),
  });
  for (const body of made.subgraphs) body.owner = made;
  return made;
}

function copyOf(value: Value, copies: ReadonlyMap<Value, Value>): Value {
  return defined(copies.get(value), `copy of ${value.name} exists before its use`);
}

function cloneAttributes(target: Graph, node: Node, outer: ReadonlyMap<Value, Value>): [string, Attribute][] {
  return [...node.attributes].map(([name, attribute]) => {
    if (attribute.type === 'graph')
      return [name, { type: 'graph', value: cloneBody(target, attribute.value, outer) }];
    if (attribute.type === 'graphs') {
      return [name, { type: 'graphs', value: attribute.value.map((body) => cloneBody(target, body, outer)) }];
    }
    return [name, attribute];
  });
}

/** A subgraph body keeps its own names: they only need to be unique inside it. */
function cloneBody(parent: Graph, body: Graph, outer: ReadonlyMap<Value, Value>): Graph {
  const copy = new Graph(body.name);
  copy.parent = parent;
  const copies = new Map(outer);
  for (const input of body.inputs) {
    const value = new Value(input.name);
    value.elementType = input.elementType;
    value.shape = input.shape;
    value.otherType = input.otherType;
    copy.values.set(value.name, value);
    copy.inputs.push(value);
    copies.set(input, value);
  }
  for (const [value, made] of cloneInto(copy, body, '', copies)) copies.set(value, made);
  for (const output of body.outputs) copy.outputs.push(copyOf(output, copies));
  return copy;
}
