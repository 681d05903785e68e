/**
 * The scales of operators that give plain int32 sums: MatMulInteger and ConvInteger carry zero points only, and the
 * product of both scales is multiplied in behind them, as onnxruntime's dynamic quantization writes it.
 *
 *   MatMulInteger → Cast → Mul(s_x · s_w) → y          s_x · s_w: a constant, or Mul(s_x, s_w)
 */
import type { Node, Value } from '../graph/ir';
import { isPassThrough, passThroughInputs } from '../graph/ops';
import { scalarOf } from '../graph/tensor';
import { onlyConsumer } from './quantizers';

/** Operators whose result is int32. */
export const integerSums: ReadonlySet<string> = new Set(['MatMulInteger', 'ConvInteger']);

export interface Rescaling {
  readonly cast: Node;
  /** Makes real numbers of the sums. */
  readonly rescale: Node;
  /** The node that multiplies the two scales; missing where they are one constant. */
  readonly scales: Node | undefined;
  /** Missing where the graph does not tell it apart. */
  readonly activationScale: Value | undefined;
}

/** What follows an operator of {@link integerSums}; `undefined` when the graph goes on otherwise. */
export function rescalingOf(node: Node): Rescaling | undefined {
  const cast = onlyConsumer(node.output());
  const rescale = cast?.opType === 'Cast' ? onlyConsumer(cast.output()) : undefined;
  if (!cast || rescale?.opType !== 'Mul') return undefined;
  const scales = factorOf(cast, rescale)?.producer;
  if (scales?.opType !== 'Mul')
    return { cast, rescale, scales: undefined, activationScale: scaleOfCodes(node.input(0)) };
  const weight = weightFactor(scales);
  return { cast, rescale, scales, activationScale: scales.inputs.find((value) => value !== weight) };
}

/** Scale of the weight, one or one per channel; `undefined` when the graph does not tell it. */
export function weightScaleOf(node: Node): Float32Array | undefined {
  const rescaling = rescalingOf(node);
  if (!rescaling) return undefined;
  const { cast, rescale, scales, activationScale } = rescaling;
  if (scales) return weightFactor(scales)?.tensor?.toFloat32().value;
  // Both scales are one constant.
  const both = factorOf(cast, rescale)?.tensor?.toFloat32().value;
  const activation = activationScale?.tensor && scalarOf(activationScale.tensor);
  return both && activation ? both.map((scale) => scale / activation) : undefined;
}

function factorOf(cast: Node, rescale: Node): Value | undefined {
  return rescale.inputs.find((value) => value?.producer !== cast);
}

/** The constant factor; where both are constant the second, as scales are written in the order of the operands. */
function weightFactor(scales: Node): Value | undefined {
  return scales.inputs.findLast((value) => value?.tensor);
}

/** Scale that codes have where they are made, or where others dequantize them, also in front of moving data. */
function scaleOfCodes(value: Value | undefined): Value | undefined {
  for (let at = value, steps = 0; at && steps < 16; steps++) {
    const reader = at.uses.find(({ node, index }) => node.opType === 'DequantizeLinear' && index === 0);
    if (reader) return reader.node.input(1);
    const node: Node | undefined = at.producer;
    if (node?.opType === 'QuantizeLinear') return node.input(1);
    const data = node && isPassThrough(node) ? passThroughInputs(node) : [];
    if (!node || data.length !== 1) return undefined;
    at = node.input(data[0] ?? 0);
  }
  return undefined;
}
