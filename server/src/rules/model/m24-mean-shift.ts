/** M24: quantization moves the mean of a layer's output. */
import { issue } from '../../engine/base/issue';
import type { Gain } from '../../protocol/issues';
import { type ModelRule, severityOf } from '../rule';
import { goodFrom } from '../verdict';

const thresholds = {
  shift: {
    default: 0.1,
    minimum: 0,
    maximum: 1e6,
    description: 'mean error of an output channel divided by its standard deviation',
  },
  gain: {
    default: 0.5,
    minimum: 0,
    maximum: 120,
    description: 'dB that the correction must gain at the layer, where that was measured',
  },
  sqnr: {
    default: goodFrom,
    minimum: -120,
    maximum: 120,
    description: 'dB of the layer from which nothing needs to be corrected',
  },
} as const;

export const m24: ModelRule<'M24', keyof typeof thresholds> = {
  code: 'M24',
  severity: 'warning',
  title: 'Quantization shifts the mean of a channel',
  documentation: {
    trigger: `|E(ŷ − y)| of an output channel is more than ${thresholds.shift.default} times the standard deviation of y, at the layer's own output (local error), and correcting it gains at least ${thresholds.gain.default} dB there. Measured on data. Silent at layers that keep ${thresholds.sqnr.default} dB, which is good without, and where a file multiplies with another weight.`,
    why: 'An error with a mean is not noise: it does not average out in the next layer, it moves every sample the same way. Layers with few weights per channel (depthwise) show it most.',
    remedy:
      'Keep the layer in float. By hand, the mean error of every channel can be subtracted from the bias of the exported file: exact, and free at inference.',
    gain: 'SQNR at the output of this layer before and after subtracting every channel’s mean error, exact from the channel means.',
    source:
      'Nagel et al. 2019 (arXiv 1906.04721), section 4.2; Banner et al. 2019 (arXiv 1810.05723), section 5.',
  },
  thresholds,
  fixes: ['keep-float'],
  check(facts, limits) {
    const { report } = facts;
    const replaced = new Set(
      report.issues.flatMap(({ code, anchor }) => (code === 'weight-differs' ? [anchor.layer] : [])),
    );
    return report.layers.flatMap((layer) => {
      // Another weight moves the mean, too; no bias is to blame.
      if (replaced.has(layer.name)) return [];
      for (const [scheme, figures] of Object.entries(layer.metrics ?? {})) {
        const shift = figures.channelShift?.shift ?? Math.abs(figures.meanShift ?? 0);
        if (!(shift > limits.shift)) continue;
        const before = layer.local?.[scheme];
        const gain = figures.biasCorrectionGain;
        if (gain !== undefined && gain < limits.gain) continue;
        if (typeof before === 'number' && before >= limits.sqnr) continue;
        const gains: readonly Gain[] =
          typeof before === 'number' && gain !== undefined
            ? [{ of: 'local', before, after: before + gain, data: report.data ?? undefined }]
            : [];
        const channel = figures.channelShift?.channel;
        return [
          issue(
            'M24',
            { scheme, shift, channel, gains },
            { layer: layer.name, node: layer.node, tensor: layer.weight },
            severityOf(m24, facts.plan),
          ),
        ];
      }
      return [];
    });
  },
};
