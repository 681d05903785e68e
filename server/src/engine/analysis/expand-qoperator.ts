/**
 * Makes layers in QOperator form comparable: behind each QLinearConv, QLinearMatMul and QGemm a DequantizeLinear gives
 * the real-valued output, for reading only; nothing else of the network changes.
 *
 *   x_codes → QLinearConv → y_codes        becomes     x_codes → QLinearConv → y_codes → (as before)
 *                                                                          └→ DequantizeLinear → y
 */
import { addNode } from '../graph/edit';
import type { Model, Node, Value } from '../graph/ir';
import { integerSums, rescalingOf } from './integer-scales';

interface QOperatorInputs {
  /** Positions of the activation's codes, scale and zero point. */
  readonly activation: readonly [number, number, number];
  /** Positions of the output's scale and zero point. */
  readonly output: readonly [number, number];
}

const qOperators: Readonly<Record<string, QOperatorInputs>> = {
  QLinearConv: { activation: [0, 1, 2], output: [6, 7] },
  QLinearMatMul: { activation: [0, 1, 2], output: [6, 7] },
  'com.microsoft.QGemm': { activation: [0, 1, 2], output: [7, 8] },
};

/** Scale and zero point of the activation input of a node that reads codes; `undefined` for other operators. */
export function activationParameters(
  node: Node,
): readonly [Value | undefined, Value | undefined] | undefined {
  if (integerSums.has(node.op)) return [rescalingOf(node)?.activationScale, node.input(2)];
  const inputs = qOperators[node.op];
  return inputs && [node.input(inputs.activation[1]), node.input(inputs.activation[2])];
}

/** True for operators that make codes, which need a DequantizeLinear behind them to be read. */
export function makesCodes({ op }: Node): boolean {
  return op in qOperators;
}

/** Adds the reading nodes. Returns, per QOperator node, the DequantizeLinear behind it. */
export function expandQOperators(model: Model): ReadonlyMap<Node, Node> {
  const added = new Map<Node, Node>();
  for (const node of [...model.graph.nodes]) {
    const inputs = qOperators[node.op];
    const codes = node.output();
    const scale = inputs && node.input(inputs.output[0]);
    // QGemm without an output scale gives float already.
    if (!inputs || !codes || !scale) continue;
    const dequantize = addNode(model.graph, {
      opType: 'DequantizeLinear',
      inputs: [codes, scale, node.input(inputs.output[1])],
      outputs: [`${codes.name}_real`],
    });
    added.set(node, dequantize);
  }
  return added;
}
