/**
 * What a plan says about each layer, in the few facts the rules need. Without a recipe a float model is judged
 * against w8a8 with per-tensor weights: the harshest plan that is still common.
 */
import type { Recipe } from '../engine/format/recipe';
import { chooseLayer } from '../engine/format/recipe-match';
import { defaultEstimator } from '../engine/methods/plan';
import {
  formatName,
  parseActivationFormat,
  parseWeightFormat,
  weightSchemeFor,
} from '../engine/numerics/scheme';
import type { LayerReport, TargetName } from '../protocol/reports';
import type { PlannedFormat, PlannedFormats } from './rule';
import { isFloat } from './stored-type';

const withoutRecipe: PlannedFormat = {
  bits: 8,
  granularity: 'tensor',
  activations: true,
  activationBits: 8,
  activationSymmetric: false,
};
const keptFloat: PlannedFormat = { bits: 32, granularity: 'float', activations: false };

/**
 * Planned formats of all layers.
 * @param measured the estimator of the ranges at hand, which counts where no recipe names one.
 */
export function plannedFormats(
  layers: readonly LayerReport[],
  recipe: Recipe | undefined,
  measured?: string,
): PlannedFormats {
  const entries = layers.map(
    (layer) =>
      [
        layer.name,
        plannedByFile(layer) ?? (recipe ? plannedByRecipe(layer, recipe) : plannedByDefault(layer)),
      ] as const,
  );
  const folds =
    !recipe ||
    recipe.methods.length === 0 ||
    recipe.methods.some((method) => method.name === 'fold-batchnorm');
  const stated = recipe !== undefined || layers.some((layer) => layer.quantized !== undefined);
  const target = recipe?.target;
  const estimator = recipe ? (recipe.default.estimator ?? defaultEstimator) : measured;
  return {
    fromRecipe: stated,
    hasRecipe: recipe !== undefined,
    folds,
    ...(estimator === undefined ? {} : { estimator }),
    ...(target ? { target } : {}),
    layers: new Map(entries),
  };
}

/** The complete weight format a recipe gives a layer (`int4.channel`), or `float`; nothing where codes are stored. */
export function plannedWeightFormat(layer: LayerReport, recipe: Recipe): string | undefined {
  if (!isFloat(layer)) return undefined;
  const choice = chooseLayer(recipe, layer.name);
  if (choice.keep || choice.weights === undefined || choice.weights === 'float') return 'float';
  if (staysFloat(layer, recipe.target)) return 'float';
  const scheme = schemeFor(layer, choice.weights);
  if (!scheme) return choice.weights;
  const scope =
    typeof scheme.granularity === 'string' ? scheme.granularity : `group${scheme.granularity.group}`;
  return `${scheme.signed ? 'int' : 'uint'}${scheme.bits}.${scope}`;
}

function plannedByRecipe(layer: LayerReport, recipe: Recipe): PlannedFormat {
  const choice = chooseLayer(recipe, layer.name);
  if (choice.keep || choice.weights === undefined || choice.weights === 'float') return keptFloat;
  if (staysFloat(layer, recipe.target)) return keptFloat;
  const scheme = schemeFor(layer, choice.weights);
  if (!scheme) return keptFloat;
  const asked = layer.lookup ? undefined : choice.activations;
  const read = asked === undefined ? 'float' : parseActivationFormat(asked).value;
  const granularity = typeof scheme.granularity === 'string' ? scheme.granularity : 'group';
  // A name that cannot be read is reported elsewhere; what was meant is some quantized format.
  const activations = read !== 'float';
  const weights = formatName(scheme);
  if (read === undefined || read === 'float') return { bits: scheme.bits, granularity, weights, activations };
  return {
    bits: scheme.bits,
    granularity,
    weights,
    activations,
    activationBits: read.bits,
    activationSymmetric: read.symmetric,
  };
}

function plannedByDefault(layer: LayerReport): PlannedFormat {
  if (staysFloat(layer)) return keptFloat;
  if (!layer.lookup) return withoutRecipe;
  return { bits: withoutRecipe.bits, granularity: withoutRecipe.granularity, activations: false };
}

/** True when no form is written of the layer's weight, whatever is asked. */
function staysFloat({ becomes }: LayerReport, target: TargetName = 'ort-cpu'): boolean {
  const forms = becomes?.[target];
  return forms !== undefined && !forms.some((form) => form.written);
}

/** What a file that is quantized already made of a layer. */
function plannedByFile({ quantized }: LayerReport): PlannedFormat | undefined {
  if (!quantized) return undefined;
  // What rules know of integers does not hold for small floats.
  if (quantized.weightFloat !== undefined) return keptFloat;
  const { weightBits: bits, granularity, form } = quantized;
  const activations = form === 'qdq' || form === 'qoperator' || form === 'dynamic';
  return { bits, granularity, activations, ...(activations ? { activationBits: 8 } : {}) };
}

function schemeFor(layer: LayerReport, format: string) {
  const parsed = parseWeightFormat(format).value;
  return parsed && weightSchemeFor(parsed, layer.op === 'MatMul' || layer.op === 'Gemm' ? 'matmul' : 'other');
}
