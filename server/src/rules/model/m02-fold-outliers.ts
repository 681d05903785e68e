/** M02: folding BatchNormalization into the weight creates outlier channels. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, quantizedLayers, severityOf } from '../rule';

const MAXIMUM_KURTOSIS_RATIO = 3;
const MAXIMUM_GAMMA_SPREAD = 30;

export const m02: ModelRule<'M02'> = {
  code: 'M02',
  severity: 'warning',
  title: 'BatchNormalization folding makes weight outliers',
  documentation: {
    trigger: `The kurtosis of the weight grows more than ${MAXIMUM_KURTOSIS_RATIO} times when the BatchNormalization behind it is folded, or max |γ/σ| is more than ${MAXIMUM_GAMMA_SPREAD} times the median.`,
    why: 'Folding multiplies each output channel by γ/σ. Where one channel has a tiny σ its weights dominate the range of the whole tensor.',
    remedy:
      'Per-channel scales remove the effect; cross-layer equalisation with bias absorption reduces it where only per-tensor weights are possible.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 3.1.2 and appendix A.',
  },
  fixes: ['per-channel-weights', 'keep-float'],
  check(facts) {
    const found = [];
    for (const { layer, plan } of quantizedLayers(facts)) {
      const fold = layer.facts?.batchNorm;
      if (!fold || plan.granularity !== 'tensor') continue;
      const ratio = fold.kurtosisBefore > 0 ? fold.kurtosisAfter / fold.kurtosisBefore : 0;
      if (ratio <= MAXIMUM_KURTOSIS_RATIO && fold.gammaSpread <= MAXIMUM_GAMMA_SPREAD) continue;
      found.push(
        issue(
          'M02',
          {
            kurtosisBefore: fold.kurtosisBefore,
            kurtosisAfter: fold.kurtosisAfter,
            gammaSpread: fold.gammaSpread,
            channel: fold.channel,
          },
          { layer: layer.name, node: layer.node, tensor: layer.weight },
          severityOf(m02, facts.plan),
        ),
      );
    }
    return found;
  },
};
