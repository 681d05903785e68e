/** M14: the planned range cuts off part of an activation, or rare peaks decide it. */
import { issue } from '../../engine/base/issue';
import { helps, isByError } from '../remedies';
import { type ModelRule, measuredGains, quantizedLayers, severityOf } from '../rule';

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
  sqnr: {
    default: 20,
    minimum: -120,
    maximum: 120,
    description: 'dB at the layer from its activation alone, where a quantized file clips any of it',
  },
} as const;

export const m14: ModelRule<'M14', keyof typeof thresholds> = {
  code: 'M14',
  severity: 'warning',
  title: 'Activation range clips values or follows rare peaks',
  documentation: {
    trigger: `More than ${thresholds.clippedShare.default * 100} % of the values of an activation lie outside its planned range, or the largest magnitude is more than ${thresholds.peakRatio.default} times the 99.99th percentile. In a file that is quantized already: its range clips values, and the activation alone leaves less than ${thresholds.sqnr.default} dB at the layer, unless fitting ranges were measured and gain nothing.`,
    why: 'A range that is too narrow distorts the values beyond it; a range that reaches for one peak leaves all others a few codes.',
    remedy:
      'Let the `mse` estimator weigh both errors; where it has done so already, keep the layer in float. When the same channels peak on every sample, move the range into the weights (SmoothQuant).',
    gain: 'local SQNR of the layer and output SQNR of the whole network, under the present estimator and under `mse`; for a quantized file, with the ranges of the file and with those of this data.',
    source:
      'Banner et al. 2019 (arXiv 1810.05723), section 3; Krishnamoorthi 2018 (arXiv 1806.08342), section 2; Xiao et al. 2023 (arXiv 2211.10438).',
  },
  thresholds,
  fixes: ['estimator-mse', 'keep-float'],
  check(facts, limits) {
    const found = [];
    for (const { layer, plan } of quantizedLayers(facts)) {
      const known = layer.activation;
      if (!plan.activations) continue;
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
      if (inFile && !clipped && !helps(gains)) continue;
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
