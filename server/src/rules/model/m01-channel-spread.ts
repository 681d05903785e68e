/** M01: one scale for a whole weight tensor whose channels have very different ranges. */
import { type Issue, issue } from '../../engine/base/issue';
import type { LayerReport } from '../../protocol/reports';
import { storedLayers } from '../quantized';
import { WORTHWHILE } from '../remedies';
import {
  assumed,
  type ModelFacts,
  type ModelRule,
  measuredGains,
  quantizedLayers,
  severityOf,
} from '../rule';

const thresholds = {
  spread: {
    default: 8,
    minimum: 1,
    maximum: 1e6,
    description: 'largest channel range divided by the median channel range',
  },
  channelSqnr: {
    default: 15,
    minimum: -120,
    maximum: 120,
    description: 'dB that the weakest channel must keep at 8 bit under one scale',
  },
} as const;

export const m01: ModelRule<'M01', keyof typeof thresholds> = {
  code: 'M01',
  severity: 'warning',
  title: 'Per-tensor weights although channel ranges differ widely',
  documentation: {
    trigger: `Weights are planned with one scale per tensor, and the largest channel range is more than ${thresholds.spread.default} times the median channel's, or a channel keeps less than ${thresholds.channelSqnr.default} dB at 8 bit. Ranges are taken after BatchNormalization folding, because that is what gets quantized. Of a quantized file without its float original: layers of one scale in which a quarter of the channels use less than an eighth of the codes, said once for all.`,
    why: 'The scale follows the widest channel; every other channel is left with a fraction of the codes. log2 of the spread is the number of bits the median channel loses. MobileNets collapse to chance accuracy this way (0.1 % against 70 % top-1).',
    remedy: 'Use one scale per output channel; where the target cannot, keep the layer in float.',
    gain: 'SQNR of the folded weight with one scale for the tensor and one per channel; with data also the output SQNR of the whole network under both.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), tables 2–3 and appendix A.',
  },
  thresholds,
  fixes: ['per-channel-weights', 'keep-float'],
  check(facts, limits) {
    const found = storedSpread(facts);
    for (const { layer, plan } of quantizedLayers(facts)) {
      const known = layer.facts;
      if (plan.granularity !== 'tensor' || !known) continue;
      const weak = known.worstChannelSqnr !== null && known.worstChannelSqnr < limits.channelSqnr;
      // One weight makes the channel: M29 tells.
      if (known.element) continue;
      if (known.channelSpread <= limits.spread && !weak) continue;
      const tensorSqnr = known.folded[plan.bits <= 4 ? 'int4.tensor' : 'int8.tensor'];
      const channelSqnr = known.folded[plan.bits <= 4 ? 'int4.channel' : 'int8.channel'];
      if (tensorSqnr === null || channelSqnr === null) continue;
      // What scales per channel do not mend has another cause; where one channel is all, its figure hides the others.
      if (channelSqnr - tensorSqnr < WORTHWHILE && tensorSqnr < ALL_OF_ONE) continue;
      found.push(
        issue(
          'M01',
          {
            spread: known.channelSpread,
            because: known.channelSpread > limits.spread ? 'spread' : 'weakest',
            channel: known.channelSpread > limits.spread ? known.widestChannel : known.worstChannel,
            worstChannelSqnr: known.worstChannelSqnr ?? 0,
            // No more than there are.
            bitsLost: Math.min(plan.bits, Math.log2(Math.max(1, known.channelSpread))),
            bits: plan.bits <= 4 ? 4 : 8,
            tensorSqnr,
            channelSqnr,
            gains: [
              { of: 'weight', before: tensorSqnr, after: channelSqnr },
              ...measuredGains(facts, ['per-channel-weights'], layer.name),
            ],
            ...assumed(facts.plan),
          },
          { layer: layer.name, node: layer.node, tensor: layer.weight },
          severityOf(m01, facts.plan),
        ),
      );
    }
    return found;
  },
};

/** dB of a weight that is the range of one channel, all others being next to nothing beside it. */
const ALL_OF_ONE = 100;

/** Share of channels that use less than an eighth of the codes from which a layer is named. */
const NARROW_SHARE = 0.25;

/** What the codes alone tell: one finding for all layers, at the one that loses most. */
function storedSpread(facts: ModelFacts): Issue[] {
  let total = 0;
  const found: { layer: LayerReport; narrow: number; channels: number; median: number; bits: number }[] = [];
  for (const { layer, quantized } of storedLayers(facts)) {
    if (layer.facts || quantized.granularity !== 'tensor') continue;
    const { narrow = 0, channels = 0, median } = quantized.reach;
    if (channels < 2) continue;
    total++;
    if (narrow / channels >= NARROW_SHARE)
      found.push({ layer, narrow, channels, median, bits: quantized.weightBits });
  }
  found.sort((one, other) => other.narrow / other.channels - one.narrow / one.channels);
  const [worst] = found;
  if (!worst) return [];
  const { layer, narrow, channels, median, bits } = worst;
  const spread = 2 ** (bits - 1) / Math.max(1, median);
  const stored = { layers: found.map((one) => one.layer.name), total, narrow, channels };
  const none = { channel: 0, worstChannelSqnr: 0, tensorSqnr: 0, channelSqnr: 0, gains: [] };
  const known = { spread, because: 'spread', bitsLost: Math.log2(spread), bits, stored } as const;
  return [issue('M01', { ...none, ...known }, { layer: layer.name, node: layer.node }, m01.severity)];
}
