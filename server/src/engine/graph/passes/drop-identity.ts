/**
 * Before: `b = Identity(a); y = f(b)` · after: `y = f(a)`. Also Dropout outside training. Nodes that make a graph
 * output stay, because outputs keep their names.
 */
import { removeNode, replaceUses } from '../edit';
import { defaultOpset, type Model, type Node } from '../ir';
import { allGraphs } from '../walk';
import type { Pass } from './pass';

export const dropIdentity: Pass = {
  name: 'drop-identity',
  requires: [],
  ensures: ['no-identity'],
  run(model) {
    let modified = false;
    for (const graph of allGraphs(model.graph)) {
      for (const node of [...graph.nodes]) {
        const [input, output] = [node.input(0), node.output(0)];
        if (!input || !output || graph.isOutput(output) || !isIdentity(node, model)) continue;
        replaceUses(output, input);
        removeNode(node);
        modified = true;
      }
    }
    return { modified, issues: [] };
  },
};

function isIdentity(node: Node, model: Model): boolean {
  if (node.op === 'Identity') return true;
  if (node.op !== 'Dropout') return false;
  const mask = node.output(1);
  if (mask && (mask.uses.length > 0 || node.graph?.isOutput(mask))) return false;
  if (defaultOpset(model) < 7) return node.int('is_test', 0) !== 0;
  const training = node.input(2);
  return !training || training.tensor?.toIntegers().value?.[0] === 0;
}
