/** M22: a network without normalisation that gives images, whose activations differ widely from sample to sample. */
import { issue } from '../../engine/base/issue';
import type { ModelSummary } from '../../protocol/reports';
import { type ModelRule, quantizedLayers, severityOf } from '../rule';

const thresholds = {
  spread: {
    default: 3,
    minimum: 1,
    maximum: 1e6,
    description: 'largest standard deviation of an activation over one sample divided by the smallest',
  },
} as const;

const normalisations = [
  'BatchNormalization',
  'InstanceNormalization',
  'LayerNormalization',
  'GroupNormalization',
];

export const m22: ModelRule<'M22', keyof typeof thresholds> = {
  code: 'M22',
  severity: 'warning',
  title: 'Regression network without normalisation under fixed ranges',
  documentation: {
    trigger: `The network has no normalisation, its output is an image or field (rank 4), and the standard deviation of an activation differs more than ${thresholds.spread.default} times between samples. The widest such layer is named.`,
    why: 'One fixed range fits the samples with large values and leaves the others a few levels. Super-resolution networks drop BatchNormalization and show exactly this; their output is judged by error, not by class, so there is nothing to absorb it.',
    remedy:
      'Keep activations at 16 bits or in float (`"activations": "uint16.tensor"`), or quantize them per sample where the runtime can.',
    source:
      'Hong et al. 2022 (DAQ, arXiv 2012.11230), section 3; Krishnamoorthi 2018 (arXiv 1806.08342), section 7.',
  },
  thresholds,
  fixes: ['keep-float'],
  check(facts, limits) {
    if (!givesImages(facts.report.model)) return [];
    let widest: { readonly layer: string; readonly node: string; readonly tensor?: string } | undefined;
    let spread = limits.spread;
    let bits = 8;
    for (const { layer, plan } of quantizedLayers(facts)) {
      const own = layer.activation?.sampleSpread;
      if (own === undefined || plan.activationBits === undefined || plan.activationBits > 8) continue;
      if (!(own > spread)) continue;
      spread = own;
      bits = plan.activationBits;
      widest = { layer: layer.name, node: layer.node, tensor: layer.activation?.tensor };
    }
    return widest ? [issue('M22', { spread, bits }, widest, severityOf(m22, facts.plan))] : [];
  },
};

/** No normalisation, and an output of rank 4. */
function givesImages({ ops, outputs }: ModelSummary): boolean {
  return (
    !normalisations.some((op) => (ops[op] ?? 0) > 0) && outputs.some((output) => output.shape?.length === 4)
  );
}
