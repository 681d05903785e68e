/**
 * Names of tensors behind a folded BatchNormalization. Here the operator in front takes over the name of the
 * normalization's output; other tools let it keep its own, so that encodings of one activation have two names.
 */
import type { PreparedModel } from './open';

/** By the name of what an operator writes: the name of what the BatchNormalization folded into it wrote. */
export function foldedNames(prepared: PreparedModel): ReadonlyMap<string, string> {
  const after = prepared.folded().graph.values;
  const names = new Map<string, string>();
  for (const node of prepared.open.model.graph.nodes) {
    const [input, output] = [node.input(0), node.output()];
    if (node.opType !== 'BatchNormalization' || !input || !output) continue;
    const maker = after.get(output.name)?.producer;
    if (maker && maker.opType !== 'BatchNormalization') names.set(input.name, output.name);
  }
  return names;
}
