/** M26: the direction is right and the length is not; the cosine cannot see it. */
import { issue } from '../../engine/base/issue';
import type { ErrorMetrics } from '../../protocol/reports';
import { type ModelRule, severityOf } from '../rule';

const thresholds = {
  cosine: { default: 0.99, minimum: 0, maximum: 1, description: 'cosine above which a layer looks fine' },
  normError: { default: 0.05, minimum: 0, maximum: 10, description: '| ‖ŷ‖ / ‖y‖ − 1 |' },
} as const;

export const m26: ModelRule<'M26', keyof typeof thresholds> = {
  code: 'M26',
  severity: 'warning',
  title: 'Gain error that the cosine does not show',
  documentation: {
    trigger: `Cosine above ${thresholds.cosine.default} although ‖ŷ‖ / ‖y‖ differs from 1 by more than ${thresholds.normError.default}; at a layer's output, everything before it quantized (else its own error). Measured on data.`,
    why: 'The cosine ignores a factor. A layer whose output shrinks by 5 % passes every cosine test, and the next layers multiply what is left.',
    remedy:
      'Look for clipping in this layer and those before it (M14); re-estimate the ranges by error, or scale the layer. Judge by SQNR, which sees a gain.',
    source: 'Blind spots of cosine and Pearson correlation: docs/verdicts.md.',
  },
  thresholds,
  fixes: [],
  check(facts, limits) {
    const isOff = ({ cosine, normRatio }: ErrorMetrics) =>
      cosine !== null &&
      normRatio !== null &&
      cosine > limits.cosine &&
      Math.abs(normRatio - 1) > limits.normError;
    return facts.report.layers.flatMap((layer) => {
      const all = Object.entries({ ...layer.metrics, ...layer.cumulativeMetrics });
      const [scheme, figures] = all.find(([, one]) => isOff(one)) ?? [];
      if (scheme === undefined || !figures) return [];
      const { cosine, normRatio } = figures;
      if (cosine === null || normRatio === null) return [];
      return [
        issue(
          'M26',
          { scheme, cosine, normRatio },
          { layer: layer.name, node: layer.node },
          severityOf(m26, facts.plan),
        ),
      ];
    });
  },
};
