/**
 * Before: `y = Conv(x, w); z = Conv(y, w)` · after: `y = Conv(x, w); z = Conv(y, w#2)`. Every layer gets a weight
 * and a bias of its own, so that rewriting one layer cannot change another. Quantized weights stay shared: codes and
 * scales belong together. The first use keeps the name; copies are called so that `listLayers` gives the same layer
 * names as before. Payloads are shared, not copied.
 */
import { defined } from '../../base/invariant';
import { addInitializer, addNode, setInput } from '../edit';
import type { Graph, Model, Value } from '../ir';
import { isMachineMade, type Layer, listLayers } from '../layers';
import { opFacts } from '../ops';
import type { Pass } from './pass';

export const unshareWeights: Pass = {
  name: 'unshare-weights',
  requires: ['no-identity'],
  ensures: ['weights-unshared'],
  run(model) {
    let modified = false;
    const taken = new Set<Value>();
    for (const layer of listLayers(model)) {
      // Nothing rewrites tables and computed weights, and a copy of an embedding is a large thing.
      if (layer.lookup || layer.computed) continue;
      if (!taken.has(layer.weight)) taken.add(layer.weight);
      else if (!layer.quantized) {
        giveOwnWeight(model, layer);
        modified = true;
      }
      const bias = layer.bias;
      const position = opFacts(layer.node).weight?.bias;
      if (!bias || position === undefined || layer.quantized || layer.node.input(position) !== bias) continue;
      if (taken.has(bias)) {
        const tensor = defined(bias.tensor, 'bias is constant');
        setInput(layer.node, position, addInitializer(graphOf(model, layer), `${layer.name}.bias`, tensor));
        modified = true;
      } else taken.add(bias);
    }
    return { modified, issues: [] };
  },
};

/** Points the layer at a copy of its weight, behind copies of the nodes that transpose or convert it. */
function giveOwnWeight(model: Model, layer: Layer): void {
  let value = copyOf(model, layer);
  for (const one of layer.through) {
    const made = addNode(
      graphOf(model, layer),
      {
        name: one.name === '' ? '' : `${one.name}#${layer.name}`,
        opType: one.opType,
        domain: one.domain,
        inputs: [value, ...one.inputs.slice(1)],
        outputs: [`${value.name}_${one.opType}`],
        attributes: one.attributes,
      },
      layer.node,
    );
    value = defined(made.output(), 'output of a made node');
  }
  setInput(layer.node, layer.weightInput, value);
}

function copyOf(model: Model, layer: Layer): Value {
  const { weight, name, tensor } = layer;
  const graph = graphOf(model, layer);
  if (!weight.producer && isMachineMade(weight.name)) {
    const count = /#(\d+)$/.exec(name)?.[1] ?? '';
    for (let next = Number(count) || 2; ; next++) {
      // Another suffix than `_2`: the copy must still count as machine-made.
      const candidate = `${weight.name}#${next}`;
      if (!graph.find(candidate)) return addInitializer(graph, candidate, tensor);
    }
  }
  return addInitializer(graph, `${name}.weight`, tensor);
}

function graphOf(model: Model, layer: Layer): Graph {
  return layer.node.graph ?? model.graph;
}
