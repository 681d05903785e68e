/** M27: the layers' errors do not add up, so choosing layer by layer misleads. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, severityOf } from '../rule';

const thresholds = {
  unexplained: {
    default: 0.3,
    minimum: 0,
    maximum: 1,
    description:
      'share of the variation of the output noise that the additive fit leaves unexplained, 1 − R²',
  },
} as const;

export const m27: ModelRule<'M27', keyof typeof thresholds> = {
  code: 'M27',
  severity: 'information',
  title: 'Errors of the layers do not add up',
  documentation: {
    trigger: `1 − R² of the additive fit of the output noise from the layers' own output effects is above ${thresholds.unexplained.default}. Needs output effects measured on data (\`--metric output\`).`,
    why: 'Sensitivities are measured one layer at a time. Where errors interact, the sum of single effects is not the effect of all, and an allocation made from it is not the best one. This happens at low bit widths.',
    remedy:
      'Raise the bits, or optimise the scales jointly (LAPQ). Always check a chosen configuration by one run of the whole.',
    source: 'Nahshan et al. 2021 (LAPQ, arXiv 1911.07190), sections 3–4.',
  },
  thresholds,
  fixes: [],
  check(facts, limits) {
    return Object.entries(facts.report.additivity ?? {}).flatMap(([scheme, { r2 }]) =>
      r2 < 1 - limits.unexplained ? [issue('M27', { scheme, r2 }, {}, severityOf(m27, facts.plan))] : [],
    );
  },
};
