/** M27: the layers' errors do not add up, so choosing layer by layer misleads. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, severityOf } from '../rule';
import { goodFrom, verdictOf } from '../verdict';

const thresholds = {
  deviation: {
    default: 0.3,
    minimum: 0,
    maximum: 100,
    description: '| output noise as the sum of single effects / output noise of all at once − 1 |',
  },
} as const;

/** dB from which nothing is left but the rounding of float32, which adds up to nothing. */
const NO_NOISE = 100;

/** Standard errors that a miss must be away from none. */
const CERTAIN = 2;

export const m27: ModelRule<'M27', keyof typeof thresholds> = {
  code: 'M27',
  severity: 'information',
  title: 'Errors of the layers do not add up',
  documentation: {
    trigger: `The layers' own output effects, added up, miss the output noise of all layers at once by more than ${thresholds.deviation.default * 100} % of its power. Both count weights and inputs of layers; quantizers between layers, such as the operands of Mul and Concat, belong to none and are left out of both. Needs output effects of all layers, measured on data (\`--metric output\`); estimates are not judged, nor noise ${NO_NOISE} dB below the output, nor where both figures keep ${goodFrom} dB, which is good, nor misses within twice their standard error over batches of samples. (One configuration is compared, not the R² of a fit over many; \`--find-worst\` makes such a fit.)`,
    why: 'Sensitivities are measured one layer at a time. Where errors interact, the sum of single effects is not the effect of all, and an allocation made from it is not the best one. This happens at low bit widths.',
    remedy: 'Raise the bits. Always check a chosen configuration by one run of the whole.',
    source: 'Nahshan et al. 2021 (LAPQ, arXiv 1911.07190), sections 3–4.',
  },
  thresholds,
  fixes: [],
  check(facts, limits) {
    return Object.entries(facts.report.output ?? {}).flatMap(([scheme, { additivity }]) => {
      const { predicted, measured, ratio, basis, error } = additivity ?? {};
      if (typeof predicted !== 'number' || typeof measured !== 'number' || ratio === undefined) return [];
      if (Math.max(predicted, measured) >= NO_NOISE) return [];
      // Both say that nothing has to be chosen.
      if (verdictOf(predicted) === 'good' && verdictOf(measured) === 'good') return [];
      const deviation = Math.abs(ratio - 1);
      if (basis !== 'measured' || !(deviation > limits.deviation)) return [];
      // Another choice of samples might show the opposite.
      if (error !== undefined && deviation < CERTAIN * error) return [];
      const spread = error === undefined ? {} : { error };
      return [
        issue('M27', { scheme, predicted, measured, deviation, ...spread }, {}, severityOf(m27, facts.plan)),
      ];
    });
  },
};
