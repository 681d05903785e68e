/** M26: the direction is right and the length is not; the cosine cannot see it. */
import { issue } from '../../engine/base/issue';
import type { IssueFacts } from '../../protocol/issues';
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
    trigger: `Cosine above ${thresholds.cosine.default} although ‖ŷ‖ / ‖y‖ differs from 1 by more than ${thresholds.normError.default}; at a layer's output, everything before it quantized (else its own error). Measured on data, and said once for a scheme or file.`,
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
    const found = facts.report.layers.flatMap(({ name, node, metrics, cumulativeMetrics }) => {
      const all = Object.entries({ ...metrics, ...cumulativeMetrics });
      const [scheme, figures] = all.find(([, one]) => isOff(one)) ?? [];
      const { cosine, normRatio } = figures ?? {};
      if (scheme === undefined || typeof cosine !== 'number' || typeof normRatio !== 'number') return [];
      return [{ facts: { scheme, cosine, normRatio }, anchor: { layer: name, node } }];
    });
    return together(found).map((one) => issue('M26', one.facts, one.anchor, severityOf(m26, facts.plan)));
  },
};

interface Off {
  readonly facts: IssueFacts['M26'];
  readonly anchor: { readonly layer: string; readonly node: string };
}

/** One finding per scheme, at the layer whose length is furthest off, which names all of them. */
function together(found: readonly Off[]): readonly Off[] {
  const schemes = new Set(found.map((one) => one.facts.scheme));
  return [...schemes].flatMap((scheme) => {
    const [worst, ...others] = found
      .filter((one) => one.facts.scheme === scheme)
      .sort((one, other) => Math.abs(other.facts.normRatio - 1) - Math.abs(one.facts.normRatio - 1));
    if (!worst) return [];
    const names = others.length > 0 ? { names: [worst, ...others].map(({ anchor }) => anchor.layer) } : {};
    return [{ ...worst, facts: { ...worst.facts, ...names } }];
  });
}
