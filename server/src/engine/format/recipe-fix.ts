/**
 * What each remedy changes in a recipe: the one place that quick fixes, buttons and the measurement of a remedy's gain
 * share, so that what was measured is what the fix writes.
 */
import type { FixKind } from '../../protocol/reports';
import type { RecipeEdit } from './recipe-edit';

/** Edits of one remedy on one layer, or on the recipe's default without one; none where it makes no sense. */
export function fixEdits(kind: FixKind, layer: string | undefined): readonly RecipeEdit[] {
  switch (kind) {
    case 'quantize-int4':
      return layer === undefined
        ? [{ kind: 'set-default', weights: 'int4', activations: 'float' }]
        : [{ kind: 'set-rule', layer, weights: 'int4', activations: 'float' }];
    case 'quantize-int8':
      return layer === undefined
        ? [{ kind: 'set-default', weights: 'int8.channel', activations: 'uint8.tensor' }]
        : [{ kind: 'set-rule', layer, weights: 'int8.channel', activations: 'uint8.tensor' }];
    case 'keep-float':
      return layer === undefined ? [] : [{ kind: 'keep-float', layer }];
    case 'per-channel-weights':
      return layer === undefined
        ? [{ kind: 'set-default', weights: 'int8.channel' }]
        : [{ kind: 'per-channel', layer }];
    case 'fold-batchnorm':
      return [{ kind: 'add-method', method: 'fold-batchnorm' }];
    case 'weights-8-bit':
      return [{ kind: 'set-weights', layer, weights: 'int8.channel' }];
    case 'activations-8-bit':
      return [{ kind: 'set-activations', layer, activations: 'uint8.tensor' }];
    case 'activations-16-bit':
      return [{ kind: 'set-activations', layer, activations: 'uint16.tensor' }];
    case 'asymmetric-activations':
      return [{ kind: 'asymmetric-activations', layer }];
    case 'estimator-mse':
      // One estimator serves the whole network.
      return [{ kind: 'set-default', estimator: 'mse' }];
  }
}
