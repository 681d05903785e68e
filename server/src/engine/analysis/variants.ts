/**
 * One stretch of the float network with one layer quantized, once per layer, all in one graph: the part before a layer
 * is shared, what depends on the layer is computed anew from its quantized output on.
 */
import { defined } from '../base/invariant';
import { cloneNode } from '../graph/clone';
import { removeDead } from '../graph/edit';
import type { Model, Node, Value } from '../graph/ir';
import { extract, nodesReachedFrom } from '../graph/walk';
import type { LayerPair } from './shadow';
import { activationOf, ConstantCopies, quantizeActivation, rerunQuantized } from './twin-parts';

export interface Variants {
  readonly model: Model;
  /** Per layer that could be quantized here: names of the stretch's outputs, in their order. */
  readonly outputs: ReadonlyMap<string, readonly string[]>;
}

/**
 * Extracts the stretch of `float` from `inputs` to `outputs` and adds a variant for every pair inside it.
 * @param keepsFloat the float outputs stay outputs, too.
 */
export function variantsOf(
  float: Model,
  inputs: readonly Value[],
  outputs: readonly Value[],
  pairs: readonly LayerPair[],
  keepsFloat = false,
): Variants {
  const model = extract(float, inputs, outputs);
  const { graph } = model;
  const ends = [...graph.outputs];
  const own = new Set(graph.nodes);
  const constants = new ConstantCopies(graph, 'quantized/');
  const names = new Map<string, readonly string[]>();
  const made: Value[] = keepsFloat ? [...ends] : [];
  for (const pair of pairs) {
    const output = graph.values.get(pair.float.output.name);
    const node = output?.producer;
    const exact = node && activationOf({ ...pair.float, chain: [node] });
    if (!output || !node || !exact) continue;
    const here = { ...pair, float: { ...pair.float, chain: [node], output } };
    const prefix = `${pair.name}/`;
    const input = quantizeActivation(graph, here, exact, constants, `${prefix}input/`);
    const quantized = rerunQuantized(graph, here, input?.forLayer ?? exact, constants, prefix);
    if (!quantized) continue;
    const map = new Map<Value, Value>([...graph.values.values()].map((value) => [value, value]));
    for (const [exactOutput, changed] of outputsOf(node, output, quantized)) map.set(exactOutput, changed);
    for (const later of nodesReachedFrom(graph, node.outputs)) {
      if (own.has(later)) cloneNode(graph, later, prefix, map);
    }
    const ended = ends.map((end) => defined(map.get(end), 'an output is a value of its graph'));
    names.set(
      pair.name,
      ended.map((value) => value.name),
    );
    made.push(...ended);
  }
  graph.outputs.splice(0, graph.outputs.length, ...new Set(made));
  removeDead(graph);
  return { model, outputs: names };
}

/** What the layer makes, and what its quantized form makes in its place. */
function outputsOf(node: Node, output: Value, quantized: Value): readonly (readonly [Value, Value])[] {
  const { producer } = quantized;
  // Recurrent layers give all states and the last ones; other forms of a layer have one output.
  if (producer?.op !== node.op || node.outputs.length === 1) return [[output, quantized]];
  return node.outputs.map((one, index) => [one, producer.output(index) ?? one]);
}
