/** M20: quantization changes which tokens attention looks at. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, severityOf } from '../rule';

const thresholds = {
  tau: {
    default: 0.9,
    minimum: -1,
    maximum: 1,
    description: 'mean Kendall τ between attention rows of the float and the quantized network',
  },
} as const;

export const m20: ModelRule<'M20', keyof typeof thresholds> = {
  code: 'M20',
  severity: 'warning',
  title: 'Quantization reorders attention',
  documentation: {
    trigger: `The mean Kendall τ between rows of an attention matrix (outputs of Softmax in the middle of the network) of the float and the quantized network is below ${thresholds.tau.default}. Measured on data.`,
    why: 'Attention works by order: which tokens weigh most. A small error of the scores can swap them, and no SQNR of a single tensor shows it.',
    remedy:
      'Keep the layers that make queries and keys at 8 bits or in float. No gain is stated: there is no single change to try.',
    source: 'Liu et al. 2021 (arXiv 2106.14156), ranking loss; Kendall 1938 (τ).',
  },
  thresholds,
  fixes: [],
  check(facts, limits) {
    const low = (facts.report.attention ?? []).filter((one) => one.tau < limits.tau);
    return low.map(({ node, tau, rows }) =>
      issue(
        'M20',
        { tau, rows, matrices: facts.report.attention?.length ?? 0 },
        { node },
        severityOf(m20, facts.plan),
      ),
    );
  },
};
