/** M17: first or last layer at four bits or less. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, measuredGains, severityOf } from '../rule';

const thresholds = {
  bits: { default: 4, minimum: 1, maximum: 8, description: 'weight bits of the first or last layer' },
} as const;

export const m17: ModelRule<'M17', keyof typeof thresholds> = {
  code: 'M17',
  severity: 'warning',
  title: 'First or last layer at 4 bits or less',
  documentation: {
    trigger: `The first or the last layer of the network is planned, or held by a file, with ${thresholds.bits.default} weight bits or less.`,
    why: 'The first layer sees the raw input and has few weights; errors of the last one reach the output directly. Both cost little at 8 bit.',
    remedy: 'Keep both at 8 bit: every low-bit method of the literature does.',
    gain: 'SQNR of the weight in the planned format, or as the file holds it, and in int8 per channel; with data also the output SQNR of the whole network.',
    source: 'ACIQ (arXiv 1810.05723) section 5, AdaRound, BRECQ, PD-Quant: first and last layer at 8 bit.',
  },
  thresholds,
  fixes: ['weights-8-bit', 'keep-float'],
  check(facts, limits) {
    const layers = facts.report.layers;
    const ends = [
      { layer: layers[0], position: layers.length > 1 ? ('first' as const) : ('only' as const) },
      { layer: layers.length > 1 ? layers[layers.length - 1] : undefined, position: 'last' as const },
    ];
    return ends.flatMap(({ layer, position }) => {
      const plan = layer && facts.plan.layers.get(layer.name);
      if (!layer || !plan || plan.granularity === 'float' || plan.bits > limits.bits) return [];
      const { quantized, weightSqnr } = layer;
      const planned = plan.weights === undefined ? undefined : weightSqnr?.[plan.weights];
      const sqnr = (quantized ? quantized.weightSqnr : planned) ?? undefined;
      const sqnrAtEight = weightSqnr?.['int8.channel'] ?? undefined;
      // Without its float original a file tells no loss.
      if (sqnrAtEight === undefined || (quantized && sqnr === undefined)) return [];
      return [
        issue(
          'M17',
          {
            position,
            bits: plan.bits,
            inFile: quantized !== undefined,
            ...(sqnr === undefined ? {} : { sqnr }),
            sqnrAtEight,
            gains: [
              ...(sqnr === undefined ? [] : [{ of: 'weight', before: sqnr, after: sqnrAtEight } as const]),
              ...measuredGains(facts, ['weights-8-bit'], layer.name),
            ],
          },
          { layer: layer.name, node: layer.node, tensor: layer.weight },
          severityOf(m17, facts.plan),
        ),
      ];
    });
  },
};
