/**
 * One network in which every layer can be switched between float and quantized by an input, so that any set of layers
 * is one run of one session. Each layer becomes an If: only the chosen form is computed. Operators with several
 * weights or outputs (LSTM, GRU) stay, and what they read becomes an If: its layers are switched one by one.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { addInput, addNode, removeDead, replaceOutput, replaceUses, setInput } from '../graph/edit';
import { defaultOpset, Graph, type Model, type Node, type Value } from '../graph/ir';
import { cloneModel, topologicalOrder } from '../graph/walk';
import { GraphBuilder } from './reductions';
import type { LayerPair } from './shadow';
import { activationOf, ConstantCopies, quantizeActivation, rerunNode, rerunQuantized } from './twin-parts';

export interface SwitchedModel {
  readonly model: Model;
  /** Boolean scalar inputs by layer. */
  readonly switches: ReadonlyMap<string, string>;
  /** Input for the float output, and output Σe² per sample against it. */
  readonly reference: string;
  readonly noise: string;
}

/** Builds it from a float network in the operator set of the twin; `float` is not changed. */
export function switchedModel(float: Model, pairs: readonly LayerPair[]): SwitchedModel {
  const model = cloneModel(float);
  const { graph } = model;
  const constants = new ConstantCopies(graph, 'quantized/');
  const switches = new Map<string, string>();
  const weights = new Map<Node, number>();
  for (const { float: ends } of pairs) {
    const [node] = ends.chain;
    if (node) weights.set(node, (weights.get(node) ?? 0) + 1);
  }
  for (const pair of pairs) {
    const output = graph.values.get(pair.float.output.name);
    const node = output?.producer;
    const exact = node && activationOf({ ...pair.float, chain: [node] });
    if (!output || !node || !exact) continue;
    const [original] = pair.float.chain;
    const single = node.outputs.length === 1 && (original ? weights.get(original) : 0) === 1;
    const place = { graph, node, output, exact, pair, constants };
    const on = single ? switchLayer(place) : switchInputs(place);
    if (on) switches.set(pair.name, on.name);
  }
  const { reference, noise } = compareSamples(model, defined(graph.outputs[0], 'a model has an output'));
  removeDead(graph);
  const sorted = topologicalOrder(graph);
  if ('order' in sorted) graph.nodes.splice(0, graph.nodes.length, ...sorted.order);
  return { model, switches, reference, noise };
}

/** A layer's place in the network that gets the switches. */
interface Place {
  readonly graph: Graph;
  readonly node: Node;
  readonly output: Value;
  /** The activation it reads. */
  readonly exact: Value;
  readonly pair: LayerPair;
  readonly constants: ConstantCopies;
}

/** @returns the switch; `undefined` where the layer cannot be computed in its quantized form here. */
function switchLayer({ graph, node, output, exact, pair, constants }: Place): Value | undefined {
  const quantizedBody = body(graph, 'quantized');
  const prefix = `${pair.name}/`;
  const input = quantizeActivation(quantizedBody, pair, exact, constants, prefix);
  const quantized = rerunQuantized(
    quantizedBody,
    { quantized: pair.quantized, float: { ...pair.float, chain: [node] } },
    input?.forLayer ?? exact,
    constants,
    prefix,
  );
  if (!quantized) return undefined;
  quantizedBody.outputs.push(quantized);
  const floatBody = body(graph, 'float');
  floatBody.outputs.push(rerunNode(floatBody, node, {}, `${prefix}float/`));
  const on = addSwitch(graph, pair);
  const value = choose(graph, on, quantizedBody, floatBody, output);
  replaceUses(output, value, (reader) => reader === value.producer);
  if (graph.isOutput(output)) replaceOutput(graph, output, value);
  return on;
}

/** Switches this layer's own weight, and its activation where that is quantized; what else is read stays float. */
function switchInputs({ graph, node, exact, pair, constants }: Place): Value | undefined {
  const [reader] = pair.quantized.chain;
  if (!reader || pair.quantized.chain.length > 1 || reader.op !== node.op) return undefined;
  const { activationInput, exact: others } = pair.quantized;
  const on = addSwitch(graph, pair);
  const quantizedBody = body(graph, 'quantized');
  const real = quantizeActivation(quantizedBody, pair, exact, constants, `${pair.name}/`)?.real;
  if (real) switchInput(on, node, pair.float.activationInput, quantizedBody, real);
  for (const [index, twin] of reader.inputs.entries()) {
    // What the file stores as it was is the same in both.
    if (!twin || twin.tensor || index === activationInput || others?.has(twin)) continue;
    const weight = constants.of(twin);
    if (weight) switchInput(on, node, index, body(graph, 'quantized'), weight);
  }
  return on;
}

function switchInput(on: Value, node: Node, index: number, quantizedBody: Graph, quantized: Value): void {
  const graph = defined(node.graph, 'a node of the network');
  const exact = node.input(index);
  if (!exact) return;
  const floatBody = body(graph, 'float');
  for (const [inner, value] of [
    [quantizedBody, quantized],
    [floatBody, exact],
  ] as const) {
    const copy = addNode(inner, {
      opType: 'Identity',
      inputs: [value],
      outputs: [`${exact.name}/${inner.name}`],
    });
    inner.outputs.push(defined(copy.output(), 'output of Identity'));
  }
  setInput(node, index, choose(graph, on, quantizedBody, floatBody, exact));
}

function addSwitch(graph: Graph, { name }: LayerPair): Value {
  return addInput(graph, `switch/${name}`, DataTypeCode.bool, []);
}

/** What one of the two bodies makes. */
function choose(graph: Graph, on: Value, quantized: Graph, float: Graph, like: Value): Value {
  const chosen = addNode(graph, {
    opType: 'If',
    inputs: [on],
    outputs: [`${like.name}/chosen`],
    attributes: [
      ['then_branch', { type: 'graph', value: quantized }],
      ['else_branch', { type: 'graph', value: float }],
    ],
  });
  for (const inner of [quantized, float]) inner.owner = chosen;
  return defined(chosen.output(), 'output of If');
}

function body(parent: Graph, name: string): Graph {
  const graph = new Graph(name);
  graph.parent = parent;
  return graph;
}

/** Leaves Σe² per sample, against a fed reference, as the only output. */
function compareSamples(model: Model, target: Value): { reference: string; noise: string } {
  const { graph } = model;
  const reference = addInput(graph, 'switch_reference', DataTypeCode.float, target.shape);
  graph.outputs.length = 0;
  const builder = new GraphBuilder(graph, defaultOpset(model));
  const error = builder.node('Sub', 'switch_error', [target, reference]);
  const rows = builder.reshape('switch_error_rows', error, [0, -1]);
  const noise = builder.output(builder.reduce('ReduceSumSquare', 'switch_noise', rows, [1]));
  return { reference: reference.name, noise };
}
