/** M15: an activation uses few of the levels its range has. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, measuredGains, quantizedLayers, severityOf } from '../rule';

const thresholds = {
  share: {
    default: 0.25,
    minimum: 0,
    maximum: 1,
    description: 'effective levels (exp of the entropy of the codes) divided by the levels of the format',
  },
} as const;

export const m15: ModelRule<'M15', keyof typeof thresholds> = {
  code: 'M15',
  severity: 'information',
  title: 'Few quantization levels are used',
  documentation: {
    trigger: `The effective number of levels of an activation, exp(entropy of its codes), is below ${thresholds.share.default * 100} % of the levels its format has.`,
    why: 'Codes that hardly occur carry no information: log2 of the ratio is the number of bits wasted. Values concentrated near zero (after ReLU) do this even under a good range; what counts is whether another range measures better.',
    remedy:
      'Choose the range by error (`mse`) instead of by extremes; equalise channels of very different range.',
    gain: 'local SQNR of the layer (activations only) and output SQNR of the whole network, under the present estimator and under `mse`.',
    source: 'Banner et al. 2019 (arXiv 1810.05723), section 3; entropy as effective levels: Shannon.',
  },
  thresholds,
  fixes: ['estimator-mse'],
  check(facts, limits) {
    const found = [];
    for (const { layer, plan } of quantizedLayers(facts)) {
      const { tensor, effectiveLevels, levels } = layer.activation ?? {};
      if (!plan.activations || effectiveLevels === undefined || levels === undefined) continue;
      if (!(effectiveLevels < limits.share * levels)) continue;
      found.push(
        issue(
          'M15',
          {
            effectiveLevels,
            levels,
            bitsLost: Math.log2(levels / Math.max(1, effectiveLevels)),
            gains: measuredGains(facts, ['estimator-mse'], layer.name),
          },
          { layer: layer.name, node: layer.node, tensor },
          severityOf(m15, facts.plan),
        ),
      );
    }
    return found;
  },
};
