/** M03: a BatchNormalization behind a quantized layer that the plan does not fold. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, quantizedLayers, severityOf } from '../rule';

export const m03: ModelRule<'M03'> = {
  code: 'M03',
  severity: 'warning',
  title: 'BatchNormalization left unfolded behind a quantized layer',
  documentation: {
    trigger:
      'A Conv, ConvTranspose or Gemm that shall be quantized with its activations is followed by a BatchNormalization, and folding is not among the methods of the recipe (or the file is quantized already and still holds it).',
    why: 'The integer path is interrupted by a float operator: slower, and the ranges before and after it are both quantized.',
    remedy:
      'Fold it: W′ = γW/σ, b′ = β − γμ/σ + γb/σ. The default methods do so; add "fold-batchnorm" when the recipe lists its own.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 3.2.2; formula: methods page, folding.',
  },
  fixes: ['fold-batchnorm'],
  check(facts) {
    if (facts.plan.folds) return [];
    const found = [];
    for (const { layer, plan } of quantizedLayers(facts)) {
      const batchNorm = layer.facts?.batchNorm;
      if (!batchNorm || !plan.activations) continue;
      found.push(
        issue(
          'M03',
          { batchNorm: batchNorm.node },
          { layer: layer.name, node: layer.node, tensor: layer.weight },
          severityOf(m03, facts.plan),
        ),
      );
    }
    return found;
  },
};
