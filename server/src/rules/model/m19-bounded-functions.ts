/** M19: the output of Softmax, a normalisation or a sigmoid in few uniform levels. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, measuredGains, quantizedLayers, severityOf } from '../rule';

const thresholds = {
  bits: {
    default: 6,
    minimum: 1,
    maximum: 8,
    description: 'activation bits behind Softmax, LayerNormalization or Sigmoid',
  },
} as const;

const operators: ReadonlySet<string> = new Set([
  'Softmax',
  'Sigmoid',
  'HardSigmoid',
  'LayerNormalization',
  'SimplifiedLayerNormalization',
  'RMSNormalization',
  'SkipLayerNormalization',
]);

export const m19: ModelRule<'M19', keyof typeof thresholds> = {
  code: 'M19',
  severity: 'warning',
  title: 'Output of Softmax, normalisation or Sigmoid in few uniform levels',
  documentation: {
    trigger: `A quantized layer reads the output of Softmax, LayerNormalization, RMSNormalization or Sigmoid with ${thresholds.bits.default} activation bits or less. Reshapes and transposes in between are seen through.`,
    why: 'Softmax and Sigmoid put most of their mass near 0 and a little near 1; a uniform grid has a handful of levels where the values are. Normalised activations of transformers hold channels tens of times larger than the rest.',
    remedy: 'Keep these activations at 8 bits or in float.',
    gain: 'output SQNR of the whole network as planned and with 8-bit activations.',
    source: 'Yuan et al. 2022 (PTQ4ViT, arXiv 2111.12293), section 3; Liu et al. 2021 (arXiv 2106.14156).',
  },
  thresholds,
  fixes: ['activations-8-bit', 'keep-float'],
  check(facts, limits) {
    const found = [];
    for (const { layer, plan } of quantizedLayers(facts)) {
      const op = layer.facts?.inputFrom;
      const bits = plan.activationBits;
      if (op === undefined || !operators.has(op) || bits === undefined || bits > limits.bits) continue;
      found.push(
        issue(
          'M19',
          { op, bits, gains: measuredGains(facts, ['activations-8-bit'], layer.name) },
          { layer: layer.name, node: layer.node, tensor: layer.activation?.tensor },
          severityOf(m19, facts.plan),
        ),
      );
    }
    return found;
  },
};
