/** M14: the planned range cuts off part of an activation, or rare peaks decide it. */
import { type Issue, issue } from '../../engine/base/issue';
import type { LayerReport } from '../../protocol/reports';
import { helps, isByError } from '../remedies';
import {
  type ModelFacts,
  type ModelRule,
  measuredGains,
  type PlannedFormat,
  quantizedLayers,
  severityOf,
} from '../rule';
import { losesDifferences } from '../verdict';
import { activationSqnr, m05, spanRatio } from './m05-operand-scales';

const thresholds = {
  clippedShare: {
    default: 0.01,
    minimum: 0,
    maximum: 1,
    description: 'share of the values of an activation outside its planned range',
  },
  peakRatio: {
    default: 10,
    minimum: 1,
    maximum: 1e6,
    description: 'largest magnitude of an activation divided by its 99.99th percentile',
  },
  channelRatio: {
    default: 16,
    minimum: 1,
    maximum: 1e6,
    description: 'largest magnitude of one channel of an activation divided by that of the median channel',
  },
  sqnr: {
    default: 20,
    minimum: -120,
    maximum: 120,
    description:
      'dB at the layer from its activation alone, where a quantized file clips any of it or one channel is far out',
  },
} as const;

/** Share of the samples on which a channel must be the widest to be called fixed. */
const FIXED = 0.9;

/** Effective levels of an activation, of those of its format, below which nothing but its outliers is told apart. */
const FEW = 1 / 16;

export const m14: ModelRule<'M14', keyof typeof thresholds> = {
  code: 'M14',
  severity: 'warning',
  title: 'Activation range clips values, or follows rare peaks or one channel',
  documentation: {
    trigger: `More than ${thresholds.clippedShare.default * 100} % of the values of an activation lie outside its planned range, or the largest magnitude is more than ${thresholds.peakRatio.default} times the 99.99th percentile. Or one channel reaches more than ${thresholds.channelRatio.default} times as far as the median channel, on at least ${FIXED * 100} % of the samples (measured with the errors of the layers; silent where an M05 explains it, and where 16 bits were measured to gain nothing while the activation alone leaves ${thresholds.sqnr.default} dB, unless fewer than one in ${1 / FEW} levels does the work and the output loses what differs between samples behind a constant). In a file that is quantized already: its range clips values, and the activation alone leaves less than ${thresholds.sqnr.default} dB at the layer, unless fitting ranges were measured and gain nothing.`,
    why: 'A range that is too narrow distorts the values beyond it; a range that reaches for one peak leaves all others a few codes. A channel that is far out on every sample does that to all other channels, whatever the estimator: cutting it off would cost what it tells.',
    remedy:
      'Let the `mse` estimator weigh both errors; where it has done so already, keep the layer in float. When the same channel peaks on every sample, use 16-bit activations or keep the layer in float. By hand, before exporting, the channel can be divided by a factor where it is made and its weights multiplied by it where it is read: with nothing but Relu in between the network computes the same.',
    gain: 'local SQNR of the layer and output SQNR of the whole network, under the present estimator and under `mse`, for a channel with activations as planned and at 16 bits; for a quantized file, with the ranges of the file and with those of this data.',
    source:
      'Banner et al. 2019 (arXiv 1810.05723), section 3; Krishnamoorthi 2018 (arXiv 1806.08342), section 2; Xiao et al. 2023 (arXiv 2211.10438).',
  },
  thresholds,
  fixes: ['estimator-mse', 'activations-16-bit', 'keep-float'],
  check(facts, limits) {
    const found: Issue[] = [];
    for (const { layer, plan } of quantizedLayers(facts)) {
      const known = layer.activation;
      if (!plan.activations) continue;
      const outlier = outlierChannel(facts, layer, plan, limits);
      if (outlier) {
        found.push(outlier);
        continue;
      }
      const peak = known ? Math.max(Math.abs(known.min), Math.abs(known.max)) : undefined;
      const p9999 = known?.p9999;
      const peakRatio = peak !== undefined && p9999 !== undefined && p9999 > 0 ? peak / p9999 : undefined;
      const inFile = layer.quantized !== undefined;
      const clippedShare = inFile ? layer.quantized?.input?.clippedShare : known?.clippedShare;
      // Of heavy tails a few clipped values carry most of the energy: the error tells, not their share.
      const sqnr = layer.localActivations?.file ?? undefined;
      const costly = inFile && sqnr !== undefined && sqnr < limits.sqnr && (clippedShare ?? 0) > 0;
      const clipped = (clippedShare ?? 0) > limits.clippedShare;
      if (!clipped && !costly && (inFile || !((peakRatio ?? 1) > limits.peakRatio))) continue;
      const gains = measuredGains(facts, [inFile ? 'recalibrate' : 'estimator-mse'], layer.name);
      // Where fitting ranges leave as much noise, it is not made by the few values that are cut off.
      if (inFile && !helps(gains)) continue;
      found.push(
        issue(
          'M14',
          {
            clippedShare,
            peakRatio: peakRatio ?? 1,
            peak: peak ?? 0,
            p9999: p9999 ?? 0,
            inFile,
            byError: isByError(facts.plan),
            sqnr,
            gains,
          },
          { layer: layer.name, node: layer.node, tensor: known?.tensor },
          severityOf(m14, facts.plan),
        ),
      );
    }
    return found;
  },
};

/** One channel that decides the range of all, on every sample. */
function outlierChannel(
  facts: ModelFacts,
  layer: LayerReport,
  plan: PlannedFormat,
  limits: Readonly<Record<keyof typeof thresholds, number>>,
): Issue | undefined {
  const { inputChannels: seen, activation } = layer;
  const bits = plan.activationBits ?? 8;
  if (!seen || layer.quantized || bits > 8 || seen.share < FIXED) return undefined;
  const ratio = seen.peak / seen.median;
  if (!(ratio > limits.channelRatio) || explainedByJoin(facts, layer)) return undefined;
  const lost = fewLevels(layer) && losesDifferences(facts.report);
  // Figures that a constant dominates tell nothing of what it costs.
  const gains = lost ? [] : measuredGains(facts, ['activations-16-bit'], layer.name);
  // A cost that was measured at the layer is one, even where other errors hide it at the output.
  if (!lost && !helps(gains) && !((activationSqnr(layer) ?? limits.sqnr) < limits.sqnr)) return undefined;
  const levels = 2 ** bits;
  const { widest: index, count: of, share } = seen;
  return issue(
    'M14',
    {
      channel: { index, of, ratio, share, left: levels / ratio, levels },
      peakRatio: 1,
      peak: seen.peak,
      p9999: activation?.p9999 ?? 0,
      inFile: false,
      byError: isByError(facts.plan),
      gains,
    },
    { layer: layer.name, node: layer.node, tensor: activation?.tensor },
    severityOf(m14, facts.plan),
  );
}

function fewLevels({ activation }: LayerReport): boolean {
  const { effectiveLevels, levels } = activation ?? {};
  return effectiveLevels !== undefined && levels !== undefined && effectiveLevels < FEW * levels;
}

/** The wide channel is an operand of a Concat: M05 tells. */
function explainedByJoin({ report }: ModelFacts, { name }: LayerReport): boolean {
  const limit = m05.thresholds?.ratio.default ?? 1;
  return (report.joined ?? []).some((one) => one.readers.includes(name) && spanRatio(one) > limit);
}
