/** M02: folding BatchNormalization into the weight creates outlier channels. */
import { issue } from '../../engine/base/issue';
import type { Gain } from '../../protocol/issues';
import type { LayerFacts } from '../../protocol/reports';
import { assumed, type ModelRule, measuredGains, quantizedLayers, severityOf } from '../rule';

const thresholds = {
  kurtosisRatio: {
    default: 3,
    minimum: 1,
    maximum: 1e6,
    description: 'kurtosis of the weight after folding divided by that before',
  },
  gammaSpread: {
    default: 30,
    minimum: 1,
    maximum: 1e6,
    description: 'largest |γ/σ| of a channel divided by the median',
  },
} as const;

export const m02: ModelRule<'M02', keyof typeof thresholds> = {
  code: 'M02',
  severity: 'warning',
  title: 'BatchNormalization folding makes weight outliers',
  documentation: {
    trigger: `The kurtosis of the weight grows more than ${thresholds.kurtosisRatio.default} times when the BatchNormalization behind it is folded, or max |γ/σ| is more than ${thresholds.gammaSpread.default} times the median.`,
    why: 'Folding multiplies each output channel by γ/σ. Where one channel has a tiny σ its weights dominate the range of the whole tensor.',
    remedy:
      'Per-channel scales remove the effect; where only per-tensor weights are possible, keep the layer in float.',
    gain: 'SQNR of the folded weight with one scale for the tensor and one per channel; with data also the output SQNR of the whole network under both.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 3.1.2 and appendix A.',
  },
  thresholds,
  fixes: ['per-channel-weights', 'keep-float'],
  check(facts, limits) {
    const found = [];
    for (const { layer, plan } of quantizedLayers(facts)) {
      const fold = layer.facts?.batchNorm;
      if (!fold || plan.granularity !== 'tensor') continue;
      const ratio = fold.kurtosisBefore > 0 ? fold.kurtosisAfter / fold.kurtosisBefore : 0;
      if (ratio <= limits.kurtosisRatio && fold.gammaSpread <= limits.gammaSpread) continue;
      found.push(
        issue(
          'M02',
          {
            kurtosisBefore: fold.kurtosisBefore,
            kurtosisAfter: fold.kurtosisAfter,
            gammaSpread: fold.gammaSpread,
            channel: fold.channel,
            gains: [
              ...weightGain(layer.facts, plan.bits),
              ...measuredGains(facts, ['per-channel-weights'], layer.name),
            ],
            ...assumed(facts.plan),
          },
          { layer: layer.name, node: layer.node, tensor: layer.weight },
          severityOf(m02, facts.plan),
        ),
      );
    }
    return found;
  },
};

function weightGain(known: LayerFacts | undefined, bits: number): readonly Gain[] {
  const before = known?.folded[bits <= 4 ? 'int4.tensor' : 'int8.tensor'];
  const after = known?.folded[bits <= 4 ? 'int4.channel' : 'int8.channel'];
  return typeof before === 'number' && typeof after === 'number' ? [{ of: 'weight', before, after }] : [];
}
