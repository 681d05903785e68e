/** M05: operands of very different scale are joined, in a file or by a plan. */
import { type Issue, issue } from '../../engine/base/issue';
import type { JoinedActivations, LayerReport } from '../../protocol/reports';
import { helps } from '../remedies';
import { type ModelFacts, type ModelRule, measuredGains, quantizedLayers, severityOf } from '../rule';
import { goodFrom } from '../verdict';

const thresholds = {
  ratio: {
    default: 4,
    minimum: 1,
    maximum: 1e6,
    description: 'largest scale of the operands of Add or Concat divided by the smallest',
  },
  sqnr: {
    default: goodFrom,
    minimum: -120,
    maximum: 120,
    description:
      'dB at the layer that reads the result, from its activation alone, from which a plan does no harm',
  },
} as const;

export const m05: ModelRule<'M05', keyof typeof thresholds> = {
  code: 'M05',
  severity: 'warning',
  title: 'Operands with very different scales',
  documentation: {
    trigger: `The scales of the quantized operands of an Add, Sub, Sum, Concat, Max, Min or Where differ by more than a factor of ${thresholds.ratio.default}. Below it fewer than two bits are at stake. Of a plan: the calibrated ranges of the activations that such an operator joins in front of a layer differ as much, and the activation alone leaves less than ${thresholds.sqnr.default} dB there, or, where that was not measured, 16 bits were not found to gain nothing.`,
    why: 'The result has one scale. Brought to the larger one, the finer operand loses log2 of the ratio in bits; and equal scales need no requantization at all.',
    remedy:
      'Give the layer that reads the result 16-bit activations, or keep it in float; or bring the ranges closer by equalisation. In a file: calibrate the operands together so that they share a scale (Concat: the union of their ranges), where their ranges allow that.',
    gain: 'of a plan: local SQNR of the layer and output SQNR of the whole network, with activations as planned and at 16 bits. For a file none.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 3.2.1.',
  },
  thresholds,
  fixes: ['activations-16-bit', 'keep-float'],
  check(facts, limits) {
    const inFile = (facts.report.quantization?.operands ?? []).flatMap(({ node, op, scales }) => {
      const ratio = Math.max(...scales) / Math.min(...scales);
      if (!(ratio > limits.ratio)) return [];
      return [issue('M05', { op, ratio, bitsLost: Math.log2(ratio), scales }, { node }, m05.severity)];
    });
    return [...inFile, ...planned(facts, limits)];
  },
};

/** Width of the widest operand over that of the finest; 0 is in every range, and constants of 0 have none. */
export function spanRatio({ operands }: Pick<JoinedActivations, 'operands'>): number {
  const spans = operands.map(spanOf).filter((span) => span > 0);
  return spans.length < 2 ? 1 : Math.max(...spans) / Math.min(...spans);
}

function spanOf({ min, max }: JoinedActivations['operands'][number]): number {
  return Math.max(max, 0) - Math.min(min, 0);
}

/** Joins in front of layers whose activations are planned to be quantized, each at the layer that loses most. */
function planned(
  facts: ModelFacts,
  limits: Readonly<Record<keyof typeof thresholds, number>>,
): readonly Issue[] {
  const readers = new Map([...quantizedLayers(facts)].map((one) => [one.layer.name, one]));
  return (facts.report.joined ?? []).flatMap((joined) => {
    const ratio = spanRatio(joined);
    if (!(ratio > limits.ratio)) return [];
    const found = joined.readers
      .flatMap((name) => readers.get(name) ?? [])
      .filter(({ plan }) => plan.activations && (plan.activationBits ?? 8) <= 8)
      .map((one) => ({ ...one, sqnr: activationSqnr(one.layer) }))
      .sort((one, other) => (one.sqnr ?? 0) - (other.sqnr ?? 0));
    const [worst] = found;
    if (!worst || (worst.sqnr !== undefined && worst.sqnr >= limits.sqnr)) return [];
    const { layer, plan, sqnr } = worst;
    const gains = measuredGains(facts, ['activations-16-bit'], layer.name);
    // A cost that was measured at the layer is one, even where other errors hide it at the output.
    if (sqnr === undefined && !helps(gains)) return [];
    const bits = plan.activationBits ?? 8;
    const operands = [...joined.operands]
      .filter((one) => spanOf(one) > 0)
      .sort((a, b) => spanOf(a) - spanOf(b));
    return [
      issue(
        'M05',
        {
          op: joined.op,
          ratio,
          bitsLost: Math.log2(ratio),
          scales: joined.operands.map((one) => spanOf(one) / (2 ** bits - 1)),
          planned: {
            node: joined.node,
            finest: operands[0]?.tensor ?? '',
            widest: operands.at(-1)?.tensor ?? '',
            bits,
            ...(sqnr === undefined ? {} : { sqnr }),
          },
          gains,
        },
        { layer: layer.name, node: layer.node },
        severityOf(m05, facts.plan),
      ),
    ];
  });
}

/** dB that a layer's activation alone leaves, under the scheme that leaves least; `undefined` where none was measured. */
export function activationSqnr({ localActivations, local }: LayerReport): number | undefined {
  const measured = Object.values(localActivations ?? local ?? {}).filter((db) => db !== null);
  return measured.length === 0 ? undefined : Math.min(...measured);
}
