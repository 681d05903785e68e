/** M16: a network with many depthwise convolutions under per-tensor weights. */
import { issue } from '../../engine/base/issue';
import type { IssueFacts } from '../../protocol/issues';
import { assumed, type ModelRule, networkGains, quantizedLayers, severityOf } from '../rule';

const thresholds = {
  share: {
    default: 0.2,
    minimum: 0,
    maximum: 1,
    description: 'share of depthwise layers with one weight scale among the quantized layers',
  },
} as const;

/** Layers that the finding names. */
const NAMED = 3;

export const m16: ModelRule<'M16', keyof typeof thresholds> = {
  code: 'M16',
  severity: 'warning',
  title: 'Depthwise network with per-tensor weights',
  documentation: {
    trigger: `More than ${thresholds.share.default * 100} % of the quantized layers are depthwise convolutions with one weight scale per tensor at 8 bit or less.`,
    why: 'A depthwise filter has few weights per channel and channels of very different range. Small depthwise networks lose most under per-tensor weights (MobileNet: 0.1 % top-1).',
    remedy: 'Per-channel weights.',
    gain: 'mean weight SQNR gained over the depthwise layers; with data also the output SQNR of the whole network with one scale per tensor and one per channel.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), tables 2–3, observations 3–4.',
  },
  thresholds,
  fixes: ['per-channel-weights'],
  check(facts, limits) {
    let total = 0;
    const found: IssueFacts['M16']['worst'][number][] = [];
    for (const { layer, plan } of quantizedLayers(facts)) {
      total++;
      const known = layer.facts;
      if (!layer.depthwise || plan.granularity !== 'tensor' || plan.bits > 8 || !known) continue;
      const before = known.folded['int8.tensor'] ?? 0;
      const after = known.folded['int8.channel'] ?? 0;
      const { channelSpread: spread, widestChannel: channel } = known;
      found.push({ layer: layer.name, spread, channel, before, after });
    }
    if (found.length === 0 || found.length / total <= limits.share) return [];
    const gainOf = (one: (typeof found)[number]) => one.after - one.before;
    const gain = found.reduce((sum, one) => sum + gainOf(one), 0) / found.length;
    const worst = [...found].sort((one, other) => gainOf(other) - gainOf(one)).slice(0, NAMED);
    const names = found.map((one) => one.layer);
    const gains = networkGains(facts, 'per-channel-weights', names);
    return [
      issue(
        'M16',
        { depthwise: found.length, total, gain, worst, gains, ...assumed(facts.plan) },
        {},
        severityOf(m16, facts.plan),
      ),
    ];
  },
};
