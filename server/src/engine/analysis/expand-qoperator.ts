/**
 * Makes layers in QOperator form comparable: behind each QLinearConv, QLinearMatMul, QGemm and lookup of codes a
 * DequantizeLinear gives the real-valued output, for reading only; nothing else of the network changes.
 *
 *   x_codes → QLinearConv → y_codes        becomes     x_codes → QLinearConv → y_codes → (as before)
 *                                                                          └→ DequantizeLinear → y
 */
import { dataTypeByCode } from '../base/dtype';
import { type CodeReader, codeReader } from '../graph/code-readers';
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

/** What tells the codes that a lookup picks out of a table, where no DequantizeLinear follows at once. */
export function lookupReader(node: Node): CodeReader | undefined {
  const type = dataTypeByCode(node.input(0)?.tensor?.dataType ?? 0)?.name;
  if (node.op !== 'Gather' || (type !== 'uint8' && type !== 'int8')) return undefined;
  const codes = node.output();
  if (codes?.uses.some((use) => use.node.opType === 'DequantizeLinear')) return undefined;
  return codeReader(codes);
}

/** Adds the reading nodes. Returns, per QOperator node, the DequantizeLinear behind it. */
export function expandQOperators(model: Model): ReadonlyMap<Node, Node> {
  const added = new Map<Node, Node>();
  for (const node of [...model.graph.nodes]) {
    const made = madeCodes(node);
    if (!made) continue;
    const { codes, scale, zeroPoint } = made;
    const dequantize = addNode(model.graph, {
      opType: 'DequantizeLinear',
      inputs: [codes, scale, zeroPoint],
      outputs: [`${codes.name}_real`],
    });
    added.set(node, dequantize);
  }
  return added;
}

/** The codes that a node makes or picks, with what they mean. */
function madeCodes(
  node: Node,
): { readonly codes: Value; readonly scale: Value; readonly zeroPoint: Value | undefined } | undefined {
  const inputs = qOperators[node.op];
  const codes = node.output();
  const reader = lookupReader(node);
  if (codes && reader) return { codes, scale: reader.scale, zeroPoint: reader.zeroPoint };
  // QGemm without an output scale gives float already.
  const scale = inputs && node.input(inputs.output[0]);
  return codes && scale ? { codes, scale, zeroPoint: node.input(inputs.output[1]) } : undefined;
}
