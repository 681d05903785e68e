/** M01: one scale for a whole weight tensor whose channels have very different ranges. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, quantizedLayers, severityOf } from '../rule';

const MAXIMUM_SPREAD = 8;
/** dB that the weakest channel keeps at 8 bit. */
const MINIMUM_CHANNEL_SQNR = 15;

export const m01: ModelRule<'M01'> = {
  code: 'M01',
  severity: 'warning',
  title: 'Per-tensor weights although channel ranges differ widely',
  documentation: {
    trigger: `Weights are planned with one scale per tensor, and the largest channel range is more than ${MAXIMUM_SPREAD} times the median channel's, or a channel keeps less than ${MINIMUM_CHANNEL_SQNR} dB at 8 bit. Ranges are taken after BatchNormalization folding, because that is what gets quantized.`,
    why: 'The scale follows the widest channel; every other channel is left with a fraction of the codes. log2 of the spread is the number of bits the median channel loses. MobileNets collapse to chance accuracy this way (0.1 % against 70 % top-1).',
    remedy:
      'Use one scale per output channel; where the target cannot, equalise channel ranges across layers first. The gain shown is measured on the weight.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), tables 2–3 and appendix A.',
  },
  fixes: ['per-channel-weights', 'keep-float'],
  check(facts) {
    const found = [];
    for (const { layer, plan } of quantizedLayers(facts)) {
      const known = layer.facts;
      if (plan.granularity !== 'tensor' || !known) continue;
      const weak = known.worstChannelSqnr !== null && known.worstChannelSqnr < MINIMUM_CHANNEL_SQNR;
      if (known.channelSpread <= MAXIMUM_SPREAD && !weak) continue;
      const tensorSqnr = known.folded[plan.bits <= 4 ? 'int4.tensor' : 'int8.tensor'];
      const channelSqnr = known.folded[plan.bits <= 4 ? 'int4.channel' : 'int8.channel'];
      if (tensorSqnr === null || channelSqnr === null) continue;
      found.push(
        issue(
          'M01',
          {
            spread: known.channelSpread,
            channel: known.channelSpread > MAXIMUM_SPREAD ? known.widestChannel : known.worstChannel,
            worstChannelSqnr: known.worstChannelSqnr ?? 0,
            bitsLost: Math.log2(Math.max(1, known.channelSpread)),
            bits: plan.bits <= 4 ? 4 : 8,
            tensorSqnr,
            channelSqnr,
          },
          { layer: layer.name, node: layer.node, tensor: layer.weight },
          severityOf(m01, facts.plan),
        ),
      );
    }
    return found;
  },
};
