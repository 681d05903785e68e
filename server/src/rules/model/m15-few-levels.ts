/** M15: an activation uses few of the levels its range has. */
import { issue } from '../../engine/base/issue';
import type { Issue, IssueFacts } from '../../protocol/issues';
import type { DataReport } from '../../protocol/reports';
import { helps, isByError } from '../remedies';
import { type ModelRule, measuredGains, quantizedLayers, severityOf } from '../rule';

const thresholds = {
  share: {
    default: 0.25,
    minimum: 0,
    maximum: 1,
    description: 'effective levels (exp of the entropy of the codes) divided by the levels of the format',
  },
  gain: {
    default: 0.5,
    minimum: 0,
    maximum: 120,
    description: 'dB that other ranges must gain at the layer, where that was measured',
  },
} as const;

export const m15: ModelRule<'M15', keyof typeof thresholds> = {
  code: 'M15',
  severity: 'information',
  title: 'Few quantization levels are used',
  documentation: {
    trigger: `The effective number of levels of an activation, exp(entropy of its codes), is below ${thresholds.share.default * 100} % of the levels its format has. In a file that is quantized already: the number of codes that occur on the data. Silent where ranges are estimated by mse already, and where other ranges were measured and gain less than ${thresholds.gain.default} dB at the layer, or in a file nothing at the output where the layer alone was not measured. Layers of a plan are told together, for the estimator is one for all of them.`,
    why: 'Codes that hardly occur carry no information: log2 of the ratio is the number of bits wasted. Values concentrated near zero (after ReLU) do this even under a good range; what counts is whether another range measures better.',
    remedy:
      'Choose the range by error (`mse`) instead of by extremes. In a quantized file a range far wider than the data means that it was calibrated on other data or other preprocessing: calibrate again.',
    gain: 'local SQNR of the layer and output SQNR of the whole network, under the present estimator and under `mse`; for a quantized file, its output SQNR and that of the same formats calibrated on this data. At the layer none for operators in QOperator form, whose codes are those of the output too.',
    source: 'Banner et al. 2019 (arXiv 1810.05723), section 3; entropy as effective levels: Shannon.',
  },
  thresholds,
  fixes: ['estimator-mse'],
  check(facts, limits) {
    const planned: Few[] = [];
    const inFile: Few[] = [];
    for (const { layer, plan } of quantizedLayers(facts)) {
      // A file that is quantized already tells which codes occur; no more than those can do work.
      const seen = layer.quantized?.input;
      const effectiveLevels = layer.quantized ? seen?.codesUsed : layer.activation?.effectiveLevels;
      const levels = layer.quantized ? seen?.levels : layer.activation?.levels;
      // Noise tells nothing of the codes that real data uses.
      if (layer.quantized && isNoise(facts.report.data)) continue;
      if (!plan.activations || effectiveLevels === undefined || levels === undefined) continue;
      if (!(effectiveLevels < limits.share * levels)) continue;
      // Unused levels are then what the least error costs.
      if (!layer.quantized && isByError(facts.plan)) continue;
      const gains = measuredGains(facts, [layer.quantized ? 'recalibrate' : 'estimator-mse'], layer.name);
      // Few levels do no harm where another range measures no better at the layer.
      const local = gains.find(({ of }) => of === 'local');
      if (local ? local.after - local.before < limits.gain : layer.quantized && !helps(gains)) continue;
      const few = {
        effectiveLevels,
        levels,
        bitsLost: Math.log2(levels / Math.max(1, effectiveLevels)),
        inFile: layer.quantized !== undefined,
        gains,
      };
      const anchor = { layer: layer.name, node: layer.node, tensor: layer.activation?.tensor };
      (layer.quantized ? inFile : planned).push({ facts: few, anchor });
    }
    return [
      // In a file this is a mistake that happened, in each layer by a range of its own.
      ...inFile.map((one) => issue('M15', one.facts, one.anchor, 'warning')),
      // In a plan the estimator may know better, and it is one for all layers.
      ...together(planned).map((one) => issue('M15', one.facts, one.anchor, severityOf(m15, facts.plan))),
    ];
  },
};

interface Few {
  readonly facts: IssueFacts['M15'];
  readonly anchor: Issue['anchor'];
}

/** One finding at the layer that loses most, which names all of them. */
function together(found: readonly Few[]): readonly Few[] {
  const [worst, ...others] = [...found].sort((one, other) => other.facts.bitsLost - one.facts.bitsLost);
  if (!worst || others.length === 0) return found;
  const names = [worst, ...others].flatMap(({ anchor }) => anchor.layer ?? []);
  return [{ ...worst, facts: { ...worst.facts, names } }];
}

function isNoise(data: DataReport | null): boolean {
  return data !== null && (data.noData !== undefined || data.source === 'random');
}
