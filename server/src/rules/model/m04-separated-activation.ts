/** M04: a quantizer stands between an operator and its activation function. */
import { issue } from '../../engine/base/issue';
import type { ModelRule } from '../rule';

export const m04: ModelRule<'M04'> = {
  code: 'M04',
  severity: 'warning',
  title: 'Quantizer between an operator and its activation function',
  documentation: {
    trigger:
      'QuantizeLinear and DequantizeLinear stand between a Conv, Gemm, MatMul or Add and the Relu or Clip that reads nothing else.',
    why: 'Half of the codes go to numbers that the activation function throws away, so that what remains has one bit less; and an integer kernel computes operator and function in one step, which this quantizer breaks.',
    remedy:
      'Quantize behind the activation function only, as inference does: its range starts at 0, and the kernel clips instead of computing the function.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 3.2.1.',
  },
  fixes: [],
  check(facts) {
    return (facts.report.quantization?.separated ?? []).map(({ node, op, activation }) =>
      issue('M04', { op, activation }, anchorOf(node, facts), m04.severity),
    );
  },
};

function anchorOf(node: string, facts: Parameters<typeof m04.check>[0]) {
  const layer = facts.report.layers.find((one) => one.node === node);
  return layer ? { layer: layer.name, node, tensor: layer.weight } : { node };
}
