/**
 * Before: `s = Shape(c); n = Gather(s, 0); p = Concat(n, …); y = Pad(x, p)` · after: `p = constant; y = Pad(x, p)`.
 * Folds the shape arithmetic that exporters leave behind: small integer tensors and float scalars, computed exactly.
 * Weights are never touched; onnxruntime folds the rest itself.
 */
import { removeUnusedConstant, replaceByConstant } from '../edit';
import { evaluate, type Known } from '../evaluate';
import type { Node } from '../ir';
import { isIntegerType, readSmall, toTensor } from '../small-tensor';
import { allGraphs } from '../walk';
import type { Pass } from './pass';

export const foldConstants: Pass = {
  name: 'fold-constants',
  requires: [],
  ensures: ['shapes-folded'],
  run(model) {
    let modified = false;
    for (const graph of allGraphs(model.graph)) {
      for (const node of [...graph.nodes]) {
        const output = node.output();
        if (!output || output.tensor || graph.isOutput(output)) continue;
        const small = evaluate(node, knownOf(node));
        const tensor = small && toTensor(small);
        if (!tensor || (!isIntegerType(tensor.dataType) && tensor.size !== 1)) continue;
        const inputs = node.inputs.filter((input) => input !== undefined);
        replaceByConstant(node, tensor);
        for (const input of new Set(inputs)) removeUnusedConstant(graph, input);
        modified = true;
      }
    }
    return { modified, issues: [] };
  },
};

function knownOf(node: Node): Known {
  return {
    content: (index) => {
      const tensor = node.input(index)?.tensor;
      return tensor && readSmall(tensor);
    },
    shape: (index) => node.input(index)?.staticShape,
  };
}
