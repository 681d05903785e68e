/** M30: one input column of a matrix is far larger than the others, in every output channel. */
import { issue } from '../../engine/base/issue';
import type { Gain } from '../../protocol/issues';
import { helps } from '../remedies';
import { type ModelRule, quantizedLayers, severityOf } from '../rule';

const thresholds = {
  ratio: {
    default: 8,
    minimum: 8,
    maximum: 1e6,
    description: 'largest magnitude of an input column divided by that of the median column',
  },
} as const;

export const m30: ModelRule<'M30', keyof typeof thresholds> = {
  code: 'M30',
  severity: 'warning',
  title: 'An input column of a weight is far larger than the others',
  documentation: {
    trigger: `The largest magnitude of one input column of a matrix is more than ${thresholds.ratio.default} times that of the median column, the weight is planned with one scale for the tensor or per channel, and one scale per group was measured to gain.`,
    why: 'Every output channel holds an element of this column, so that scales per channel do not help: each follows that one element. With a scale per group of inputs only the group that holds the column pays.',
    remedy:
      'Use one scale per group of 32 inputs (`int8.group32`, `int4.group32`), or keep the layer in float.',
    gain: 'SQNR of the weight with one scale per channel and one per group of 32.',
    source: 'Dettmers et al. 2022 (LLM.int8, arXiv 2208.07339), section 3: outlier features.',
  },
  thresholds,
  fixes: ['keep-float'],
  check(facts, limits) {
    return [...quantizedLayers(facts)].flatMap(({ layer, plan }) => {
      const found = layer.facts?.column;
      if (!found || layer.lookup || plan.granularity === 'group' || !(found.ratio > limits.ratio)) return [];
      const bits = plan.bits <= 4 ? 4 : 8;
      const { before, after } = found.groups[`int${bits}`];
      if (before === null || after === null) return [];
      const gains: readonly Gain[] = [{ of: 'weight', before, after }];
      if (!helps(gains)) return [];
      const { index: column, ratio } = found;
      return [
        issue(
          'M30',
          { column, ratio, format: `int${bits}.group32`, gains },
          { layer: layer.name, node: layer.node, tensor: layer.weight },
          severityOf(m30, facts.plan),
        ),
      ];
    });
  },
};
