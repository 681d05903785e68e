/**
 * The only functions that change a graph. Each keeps use lists, producer links and name tables consistent, so that
 * `verify.ts` holds after every call.
 */
import { defined, invariant } from '../base/invariant';
import { type Graph, Node, type NodeInit, Value } from './ir';
import type { Tensor } from './tensor';

/** A name not yet used by a value of the graph or of the graphs around it: `base`, else `base_2`, `base_3`, … */
export function freshName(graph: Graph, base: string): string {
  if (!graph.find(base)) return base;
  for (let count = 2; ; count++) {
    const name = `${base}_${count}`;
    if (!graph.find(name)) return name;
  }
}

/** Adds a new value under a fresh name. */
export function addValue(graph: Graph, name: string, elementType = 0, shape?: Value['shape']): Value {
  const value = new Value(freshName(graph, name));
  value.elementType = elementType;
  value.shape = shape;
  graph.values.set(value.name, value);
  return value;
}

/** Adds a constant under a fresh name. */
export function addInitializer(graph: Graph, name: string, tensor: Tensor): Value {
  const value = addValue(graph, name, tensor.dataType, tensor.shape);
  value.tensor = tensor;
  graph.initializers.set(value.name, value);
  return value;
}

/** Adds a graph input. */
export function addInput(graph: Graph, name: string, elementType: number, shape?: Value['shape']): Value {
  const value = addValue(graph, name, elementType, shape);
  graph.inputs.push(value);
  return value;
}

export interface NewNode extends Omit<NodeInit, 'outputs'> {
  /** Names of outputs to create (made fresh), or values that exist without a producer. */
  readonly outputs: readonly (string | Value)[];
}

/** Creates a node at the end, or before `before`. */
export function addNode(graph: Graph, init: NewNode, before?: Node): Node {
  const outputs = init.outputs.map((output) => {
    if (typeof output !== 'string') return output;
    return output === '' ? new Value('') : addValue(graph, output);
  });
  for (const output of outputs) invariant(!output.producer, `value ${output.name} has a producer already`);
  const node = new Node({ ...init, outputs });
  node.graph = graph;
  if (before === undefined) graph.nodes.push(node);
  else {
    const at = graph.nodes.indexOf(before);
    invariant(at >= 0, 'anchor node is in the graph');
    graph.nodes.splice(at, 0, node);
  }
  return node;
}

/** Replaces one input of a node. `undefined` = absent optional input. */
export function setInput(node: Node, index: number, value: Value | undefined): void {
  const old = node.inputs[index];
  if (old) dropUse(old, node, index);
  while (node.inputs.length < index) node.inputs.push(undefined);
  node.inputs[index] = value;
  value?.uses.push({ node, index });
}

/** Replaces the content of an initializer or of a Constant node's output. Type and shape follow the tensor. */
export function replaceTensor(value: Value, tensor: Tensor): void {
  invariant(value.tensor !== undefined, `${value.name} is a constant`);
  value.tensor = tensor;
  value.elementType = tensor.dataType;
  value.shape = tensor.shape;
  if (!value.producer) return;
  value.producer.attributes.clear();
  value.producer.attributes.set('value', { type: 'tensor', value: tensor.toProto('') });
}

/** Points every use of `from` (graph outputs only when asked) at `to`. */
export function replaceUses(from: Value, to: Value, keep: (node: Node) => boolean = () => false): void {
  for (const use of [...from.uses]) if (!keep(use.node)) setInput(use.node, use.index, to);
}

/** Makes `to` a graph output in place of `from`. The output keeps its position; its name is `to`'s. */
export function replaceOutput(graph: Graph, from: Value, to: Value): void {
  graph.outputs.forEach((output, index) => {
    if (output === from) graph.outputs[index] = to;
  });
}

/** Removes a node whose outputs nobody uses. Refuses live outputs: that would break the graph. */
export function removeNode(node: Node): void {
  const graph = defined(node.graph, 'node to remove is in a graph');
  for (const output of node.outputs) {
    invariant(
      output.uses.length === 0 && !graph.isOutput(output),
      `output ${output.name} of removed node is in use`,
    );
  }
  node.inputs.forEach((value, index) => {
    if (value) dropUse(value, node, index);
  });
  for (const output of node.outputs) {
    output.producer = undefined;
    graph.values.delete(output.name);
  }
  graph.nodes.splice(graph.nodes.indexOf(node), 1);
  node.graph = undefined;
}

/** Replaces a node with one output by a constant of the same name. The output must not be a graph output. */
export function replaceByConstant(node: Node, tensor: Tensor): Value {
  const graph = defined(node.graph, 'node to replace is in a graph');
  const old = defined(node.output(), 'node to replace has an output');
  invariant(node.outputs.length === 1 && !graph.isOutput(old), `${old.name} can become a constant`);
  const value = new Value(old.name);
  value.tensor = tensor;
  value.elementType = tensor.dataType;
  value.shape = tensor.shape;
  replaceUses(old, value);
  removeNode(node);
  graph.values.set(value.name, value);
  graph.initializers.set(value.name, value);
  return value;
}

/** Removes a constant that nobody uses any more: its initializer or its Constant node. Others stay. */
export function removeUnusedConstant(graph: Graph, value: Value): void {
  if (value.uses.length > 0 || !value.tensor || graph.values.get(value.name) !== value) return;
  if (graph.isOutput(value) || graph.inputs.includes(value)) return;
  if (value.producer) removeNode(value.producer);
  else removeInitializer(graph, value);
}

/** Removes an initializer that nobody uses. */
export function removeInitializer(graph: Graph, value: Value): void {
  invariant(value.uses.length === 0 && !graph.isOutput(value), `initializer ${value.name} is in use`);
  graph.initializers.delete(value.name);
  graph.values.delete(value.name);
}

/**
 * Rebuilds `node` with another operator, inputs or attributes but the same outputs, at the same place.
 * @returns the new node.
 */
export function replaceNode(node: Node, init: Omit<NodeInit, 'outputs'>): Node {
  const graph = defined(node.graph, 'node to replace is in a graph');
  const at = graph.nodes.indexOf(node);
  node.inputs.forEach((value, index) => {
    if (value) dropUse(value, node, index);
  });
  for (const output of node.outputs) output.producer = undefined;
  const made = new Node({ fileIndex: node.fileIndex, ...init, outputs: node.outputs });
  made.graph = graph;
  graph.nodes[at] = made;
  node.graph = undefined;
  return made;
}

/** Rebuilds a node at its place with one more output behind its own, and returns that output. */
export function addOutput(node: Node, name: string): Value {
  const graph = defined(node.graph, 'node is in a graph');
  const value = addValue(graph, name);
  node.inputs.forEach((input, index) => {
    if (input) dropUse(input, node, index);
  });
  for (const output of node.outputs) output.producer = undefined;
  const { opType, domain, overload, inputs, attributes, fileIndex } = node;
  const outputs = [...node.outputs, value];
  const made = new Node({
    name: node.name,
    opType,
    domain,
    overload,
    inputs,
    outputs,
    attributes,
    fileIndex,
  });
  made.graph = graph;
  made.extra = node.extra;
  graph.nodes[graph.nodes.indexOf(node)] = made;
  node.graph = undefined;
  for (const body of made.subgraphs) body.owner = made;
  return value;
}

/**
 * Lets `node` take over what its follower makes: a node built from `init` stands in its place and produces the
 * follower's output; both old nodes are gone. The follower must be the only use of `node`'s only output, and must
 * have one output itself.
 */
export function absorbFollower(node: Node, follower: Node, init: Omit<NodeInit, 'outputs'>): Node {
  const graph = defined(node.graph, 'node is in a graph');
  const link = defined(node.output(), 'node has an output');
  const output = defined(follower.output(), 'follower has an output');
  invariant(follower.graph === graph && link.uses.length === 1 && link.uses[0]?.node === follower, 'one use');
  for (const one of [node, follower]) {
    one.inputs.forEach((value, index) => {
      if (value) dropUse(value, one, index);
    });
    one.graph = undefined;
  }
  link.producer = undefined;
  graph.values.delete(link.name);
  output.producer = undefined;
  const made = new Node({ fileIndex: node.fileIndex, ...init, outputs: [output] });
  made.graph = graph;
  graph.nodes[graph.nodes.indexOf(node)] = made;
  graph.nodes.splice(graph.nodes.indexOf(follower), 1);
  return made;
}

/** Removes nodes and initializers that reach no output, repeatedly. Subgraph uses count as uses. */
export function removeDead(graph: Graph): number {
  let removed = 0;
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const node = defined(graph.nodes[index], 'node index');
    const live = node.outputs.some((output) => output.uses.length > 0 || graph.isOutput(output));
    if (live || node.subgraphs.length > 0) continue;
    removeNode(node);
    removed++;
  }
  for (const value of [...graph.initializers.values()]) {
    if (value.uses.length > 0 || graph.isOutput(value) || graph.inputs.includes(value)) continue;
    removeInitializer(graph, value);
    removed++;
  }
  return removed;
}

function dropUse(value: Value, node: Node, index: number): void {
  const at = value.uses.findIndex((use) => use.node === node && use.index === index);
  invariant(at >= 0, `use of ${value.name} is recorded`);
  value.uses.splice(at, 1);
}
