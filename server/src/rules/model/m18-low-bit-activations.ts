/** M18: activations at four bits or less without a method that optimises for it. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, measuredGains, quantizedLayers, severityOf } from '../rule';

const thresholds = {
  bits: { default: 4, minimum: 1, maximum: 8, description: 'activation bits' },
} as const;

export const m18: ModelRule<'M18', keyof typeof thresholds> = {
  code: 'M18',
  severity: 'warning',
  title: 'Activations at 4 bits or less',
  documentation: {
    trigger: `Activations are planned with ${thresholds.bits.default} bits or less.`,
    why: 'Activations lose more from few bits than weights do: their range differs from sample to sample, and their error is not averaged over a long sum of fixed terms. 4-bit activations cost far more accuracy than 4-bit weights.',
    remedy: 'Use 8-bit activations.',
    gain: 'output SQNR of the whole network as planned and with 8-bit activations.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), table 6; Wei et al. 2022 (QDrop, arXiv 2203.05740).',
  },
  thresholds,
  fixes: ['activations-8-bit'],
  check(facts, limits) {
    const low = [...quantizedLayers(facts)].filter(
      ({ plan }) => plan.activationBits !== undefined && plan.activationBits <= limits.bits,
    );
    if (low.length === 0) return [];
    const bits = Math.min(...low.map(({ plan }) => plan.activationBits ?? 8));
    // One finding for the network when all of it is planned so, else one per layer, where the fix belongs.
    const everywhere = low.length === [...quantizedLayers(facts)].length;
    const gainsOf = (layer?: string) => measuredGains(facts, ['activations-8-bit'], layer);
    if (everywhere)
      return [issue('M18', { bits, count: low.length, gains: gainsOf() }, {}, severityOf(m18, facts.plan))];
    return low.map(({ layer, plan }) =>
      issue(
        'M18',
        { bits: plan.activationBits ?? bits, count: 1, gains: gainsOf(layer.name) },
        { layer: layer.name, node: layer.node, tensor: layer.activation?.tensor },
        severityOf(m18, facts.plan),
      ),
    );
  },
};
