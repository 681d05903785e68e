/** M04: a quantizer stands between an operator and its activation function. */
import { type Issue, issue } from '../../engine/base/issue';
import type { ModelFacts, ModelRule } from '../rule';

export const m04: ModelRule<'M04'> = {
  code: 'M04',
  severity: 'warning',
  title: 'Quantizer between an operator and its activation function',
  documentation: {
    trigger:
      'QuantizeLinear and DequantizeLinear stand between a Conv, Gemm, MatMul or Add and the Relu or Clip that reads nothing else. Said once for a file.',
    why: 'Half of the codes go to numbers that the activation function throws away, so that what remains has one bit less; and an integer kernel computes operator and function in one step, which this quantizer breaks.',
    remedy:
      'Quantize behind the activation function only, as inference does: its range starts at 0, and the kernel clips instead of computing the function.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 3.2.1.',
  },
  fixes: [],
  check(facts) {
    const found = facts.report.quantization?.separated ?? [];
    const [first] = found;
    if (!first) return [];
    const { node, op, activation } = first;
    const names = found.length > 1 ? { names: found.map((one) => nameOf(one.node, facts)) } : {};
    return [issue('M04', { op, activation, ...names }, anchorOf(node, facts), m04.severity)];
  },
};

function nameOf(node: string, facts: ModelFacts): string {
  return anchorOf(node, facts).layer ?? node;
}

function anchorOf(node: string, facts: ModelFacts): Issue['anchor'] {
  const layer = facts.report.layers.find((one) => one.node === node);
  return layer ? { layer: layer.name, node, tensor: layer.weight } : { node };
}
