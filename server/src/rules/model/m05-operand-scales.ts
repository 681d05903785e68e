/** M05: operands of very different scale are joined, in a file or by a plan. */
import { type Issue, issue } from '../../engine/base/issue';
import type { AnalysisReport, JoinedActivations, LayerReport } from '../../protocol/reports';
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
      'dB at the layer that reads the result, from its activation alone, from which a plan or file does no harm',
  },
} as const;

export const m05: ModelRule<'M05', keyof typeof thresholds> = {
  code: 'M05',
  severity: 'warning',
  title: 'Operands with very different scales',
  documentation: {
    trigger: `The scales of the quantized operands of a Concat, Max, Min or Where differ by more than a factor of ${thresholds.ratio.default}, below which fewer than two bits are at stake; or those of an Add, Sub or Sum do, and the layer behind it keeps less than ${thresholds.sqnr.default} dB from its activation alone (else the output of the file does). Silent where that was measured to be more. Said once for a file and remedy. Of a plan: the calibrated ranges of the activations that such an operator joins in front of a layer differ as much, and the activation alone leaves less than ${thresholds.sqnr.default} dB there, or, where that was not measured, 16 bits were not found to gain nothing.`,
    why: 'The result has one scale. Brought to the larger one, the finer operand loses log2 of the ratio in bits. Operators that only arrange values need no requantization where all scales are equal; sums take a scale per operand and lose by a shared one.',
    remedy:
      'Give the layer that reads the result 16-bit activations, or keep it in float. In a file, where the operator only arranges values (Concat, Max, Min, Where): calibrate the operands together so that they share a scale, the union of their ranges.',
    gain: 'of a plan: local SQNR of the layer and output SQNR of the whole network, with activations as planned and at 16 bits. For a file none.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 3.2.1.',
  },
  thresholds,
  fixes: ['activations-16-bit', 'keep-float'],
  check(facts, limits) {
    return [...inFile(facts, limits), ...planned(facts, limits)];
  },
};

type Limits = Readonly<Record<keyof typeof thresholds, number>>;

/** Operators that only pick or arrange: one scale serves operands and result, and nothing is computed with it. */
const ARRANGING: ReadonlySet<string> = new Set(['Concat', 'QLinearConcat', 'Max', 'Min', 'Where']);

interface Stored {
  readonly op: string;
  readonly node: string;
  readonly scales: readonly number[];
  readonly ratio: number;
  readonly shares: boolean;
  /** What it costs, where that was measured. */
  readonly cost?: { readonly at: 'layer' | 'output'; readonly sqnr: number };
}

/** Operators of a file, one finding per remedy. Sums take a scale per operand: they count where a cost was measured. */
function inFile(facts: ModelFacts, limits: Limits): readonly Issue[] {
  const found = (facts.report.quantization?.operands ?? []).flatMap(
    ({ node, op, scales, readers = [] }): readonly Stored[] => {
      const ratio = Math.max(...scales) / Math.min(...scales);
      if (!(ratio > limits.ratio)) return [];
      const cost = costOf(facts.report, readers);
      const shares = ARRANGING.has(op);
      if (cost ? cost.sqnr >= limits.sqnr : !shares) return [];
      return [{ op, node, scales, ratio, shares, ...(cost ? { cost } : {}) }];
    },
  );
  return [true, false].flatMap((shares) => together(found.filter((one) => one.shares === shares)));
}

/** At the layer behind, from its activation alone; else at the output. */
function costOf({ layers, output }: AnalysisReport, readers: readonly string[]): Stored['cost'] {
  const behind = layers
    .filter(({ name }) => readers.includes(name))
    .flatMap((one) => activationSqnr(one) ?? []);
  if (behind.length > 0) return { at: 'layer', sqnr: Math.min(...behind) };
  const whole = Object.values(output ?? {}).flatMap(({ sqnr }) => sqnr ?? []);
  return whole.length === 0 ? undefined : { at: 'output', sqnr: Math.min(...whole) };
}

/** One finding at the operator that loses most, which names all of them. */
function together(found: readonly Stored[]): readonly Issue[] {
  const [worst, ...others] = [...found].sort((one, other) => other.ratio - one.ratio);
  if (!worst) return [];
  const { op, node, scales, ratio, shares, cost } = worst;
  const names = others.length > 0 ? { names: [worst, ...others].map((one) => one.node) } : {};
  const stored = { shares, ...(cost ? { cost } : {}), ...names };
  return [issue('M05', { op, ratio, bitsLost: Math.log2(ratio), scales, stored }, { node }, m05.severity)];
}

/** Width of the widest operand over that of the finest; 0 is in every range, and constants of 0 have none. */
export function spanRatio({ operands }: Pick<JoinedActivations, 'operands'>): number {
  const spans = operands.map(spanOf).filter((span) => span > 0);
  return spans.length < 2 ? 1 : Math.max(...spans) / Math.min(...spans);
}

function spanOf({ min, max }: JoinedActivations['operands'][number]): number {
  return Math.max(max, 0) - Math.min(min, 0);
}

/** Joins in front of layers whose activations are planned to be quantized, each at the layer that loses most. */
function planned(facts: ModelFacts, limits: Limits): readonly Issue[] {
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
