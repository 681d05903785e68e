/**
 * One network in which every layer can be switched between float and quantized by an input, so that any set of layers
 * is one run of one session. Each layer becomes an If: only the chosen form is computed.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { addInput, addNode, removeDead, replaceOutput, replaceUses } from '../graph/edit';
import { defaultOpset, Graph, type Model, type Value } from '../graph/ir';
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
  for (const pair of pairs) {
    const output = graph.values.get(pair.float.output.name);
    const node = output?.producer;
    const exact = node && activationOf({ ...pair.float, chain: [node] });
    if (!output || !node || !exact || node.outputs.length > 1) continue;
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
    if (!quantized) continue;
    quantizedBody.outputs.push(quantized);
    const floatBody = body(graph, 'float');
    floatBody.outputs.push(rerunNode(floatBody, node, {}, `${prefix}float/`));
    const on = addInput(graph, `switch/${pair.name}`, DataTypeCode.bool, []);
    const chosen = addNode(graph, {
      opType: 'If',
      inputs: [on],
      outputs: [`${output.name}/chosen`],
      attributes: [
        ['then_branch', { type: 'graph', value: quantizedBody }],
        ['else_branch', { type: 'graph', value: floatBody }],
      ],
    });
    for (const inner of [quantizedBody, floatBody]) inner.owner = chosen;
    const value = defined(chosen.output(), 'output of If');
    replaceUses(output, value, (reader) => reader === chosen);
    if (graph.isOutput(output)) replaceOutput(graph, output, value);
    switches.set(pair.name, on.name);
  }
  const { reference, noise } = compareSamples(model, defined(graph.outputs[0], 'a model has an output'));
  removeDead(graph);
  const sorted = topologicalOrder(graph);
  if ('order' in sorted) graph.nodes.splice(0, graph.nodes.length, ...sorted.order);
  return { model, switches, reference, noise };
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
