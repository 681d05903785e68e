/**
 * Weights that no layer shows: constants of operators this program does not know, whose output channels nobody told
 * it, and coefficients that ai.onnx.ml keeps in attributes. Said once per operator, so that nothing is left out silently.
 */
import { dataTypeByCode } from '../base/dtype';
import { type Issue, issue } from '../base/issue';
import type { Model, Node } from '../graph/ir';
import { constantSource } from '../graph/layers';
import { isKnownOp } from '../graph/ops';
import { allNodes } from '../graph/walk';

/** Known operators whose weights are stored in an order of their own. */
const REORDERED: ReadonlySet<string> = new Set(['com.microsoft.nchwc.Conv']);

/** One `unsupported-feature` (information) per operator with weights that are not measured. */
export function unlistedWeights(model: Model): readonly Issue[] {
  const found = new Map<string, { readonly node: Node; nodes: number; elements: number }>();
  for (const node of allNodes(model.graph)) {
    if (isKnownOp(node.op) && !REORDERED.has(node.op)) continue;
    const elements = constantElements(node) + coefficients(node);
    if (elements === 0) continue;
    const known = found.get(node.op) ?? { node, nodes: 0, elements: 0 };
    known.nodes++;
    known.elements += elements;
    found.set(node.op, known);
  }
  return [...found].map(([op, { node, nodes, elements }]) => {
    const what = `measuring the weights of ${op} (${elements} numbers in ${nodes} ${nodes === 1 ? 'node' : 'nodes'})`;
    const next = 'Which of them belong to one output channel is not known.';
    return issue('unsupported-feature', { what, next }, { node: node.label }, 'information');
  });
}

/** Elements of constant float inputs of two or more axes. */
function constantElements(node: Node): number {
  let elements = 0;
  for (const input of node.inputs) {
    const tensor = constantSource(input)?.tensor;
    if (!tensor || tensor.shape.length < 2 || dataTypeByCode(tensor.dataType)?.kind !== 'float') continue;
    elements += tensor.size;
  }
  return elements;
}

/** Numbers in float attributes of classical models: linear coefficients, support vectors, leaves of trees. */
function coefficients(node: Node): number {
  if (node.domain !== 'ai.onnx.ml') return 0;
  let count = 0;
  for (const attribute of node.attributes.values()) {
    if (attribute.type === 'floats') count += attribute.value.length;
    if (attribute.type === 'tensor' && dataTypeByCode(attribute.value.dataType)?.kind === 'float')
      count += attribute.value.dims.reduce((product, size) => product * size, 1);
  }
  return count;
}
