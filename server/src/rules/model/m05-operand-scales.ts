/** M05: operands of very different scale are joined. */
import { issue } from '../../engine/base/issue';
import type { ModelRule } from '../rule';

const thresholds = {
  ratio: {
    default: 4,
    minimum: 1,
    maximum: 1e6,
    description: 'largest scale of the operands of Add or Concat divided by the smallest',
  },
} as const;

export const m05: ModelRule<'M05', keyof typeof thresholds> = {
  code: 'M05',
  severity: 'warning',
  title: 'Operands with very different scales',
  documentation: {
    trigger: `The scales of the quantized operands of an Add, Sub, Sum, Concat, Max, Min or Where differ by more than a factor of ${thresholds.ratio.default}. Below it fewer than two bits are at stake.`,
    why: 'The result has one scale. Brought to the larger one, the finer operand loses log2 of the ratio in bits; and equal scales need no requantization at all.',
    remedy:
      'Calibrate the operands together so that they share a scale (Concat: the union of their ranges), or bring their ranges closer by equalisation.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 3.2.1.',
  },
  thresholds,
  fixes: [],
  check(facts, limits) {
    return (facts.report.quantization?.operands ?? []).flatMap(({ node, op, scales }) => {
      const ratio = Math.max(...scales) / Math.min(...scales);
      if (!(ratio > limits.ratio)) return [];
      return [issue('M05', { op, ratio, bitsLost: Math.log2(ratio), scales }, { node }, m05.severity)];
    });
  },
};
