/**
 * The plan that findings and the gains of their remedies are judged by: a recipe's; the formats of a quantized file;
 * else the scheme that was measured, so that a stated gain starts from the figure that is shown.
 */

import { floatName, isActivationFormatName, isWeightFormatName } from '../engine/base/format-names';
import { escapeLayerName } from '../engine/format/layer-glob';
import { editRecipe } from '../engine/format/recipe-edit';
import type { RemedyQuestion } from '../engine/jobs';
import { formatName, parseScheme } from '../engine/numerics/scheme';
import type { QuantizedLayerFacts } from '../protocol/quantized';
import type { AnalysisReport, LayerReport } from '../protocol/reports';

/**
 * Text of the recipe that findings judge by: the one given; for a quantized file its own formats; else the measured scheme.
 * `undefined` for a file with a format that recipes have no name for: other formats would be another file.
 */
export function judgedRecipe(
  report: AnalysisReport,
  given: string | undefined,
  estimator: string,
): string | undefined {
  if (given !== undefined) return editRecipe(given, { kind: 'set-default', estimator }).text;
  const isQuantized = report.layers.some((layer) => layer.quantized);
  const formats = report.layers.map(formatsOfFile);
  if (!formats.every((one) => one !== undefined)) return undefined;
  // What most layers have is the default, so that a remedy on the network is a change of the default.
  const base = isQuantized ? mostCommon(formats.filter((one) => one !== floatFormats)) : undefined;
  const { weights, activations } = base ?? measuredFormats(report);
  const layers = !isQuantized
    ? []
    : report.layers.flatMap(({ name }, index) => {
        const own = formats[index] ?? floatFormats;
        if (own.weights === weights && own.activations === activations) return [];
        const match = escapeLayerName(name);
        return [own === floatFormats ? { match, keep: 'float' } : { match, ...own }];
      });
  return JSON.stringify({ model: report.model.path, default: { weights, activations, estimator }, layers });
}

/**
 * The questions, each beside the plan it is about. Where nobody planned anything, what one scale per tensor would cost is
 * measured from such weights; all other remedies start from the measured scheme.
 */
export function withBaselines(
  questions: readonly RemedyQuestion[],
  report: AnalysisReport,
  given: string | undefined,
  estimator: string,
): readonly RemedyQuestion[] {
  if (given !== undefined || report.layers.some((layer) => layer.quantized)) return questions;
  const formats = { weights: 'int8.tensor', activations: 'uint8.tensor' };
  const recipe = JSON.stringify({ model: report.model.path, default: { ...formats, estimator } });
  return questions.map((one) => (one.fix === 'per-channel-weights' ? { ...one, recipe } : one));
}

/** Formats of the scheme whose figures are shown: the first one measured that quantizes activations. */
function measuredFormats({ output, layers }: AnalysisReport): Formats {
  const names = [output ?? {}, ...layers.map(({ local }) => local ?? {})].flatMap((one) => Object.keys(one));
  for (const name of names) {
    const scheme = parseScheme(name).value;
    if (!scheme || scheme.activations === floatName) continue;
    return { weights: scheme.weights.name, activations: formatName(scheme.activations) };
  }
  return { weights: 'int8.channel', activations: 'uint8.tensor' };
}

interface Formats {
  readonly weights: string;
  readonly activations: string;
}

const floatFormats: Formats = { weights: 'float', activations: 'float' };

/** Names of a layer's formats in the file; `undefined` where there are none. */
function formatsOfFile({ quantized }: LayerReport): Formats | undefined {
  if (!quantized) return floatFormats;
  // Recipes plan small floats of weights alone.
  if (quantized.weightFloat !== undefined) return undefined;
  const [weights, activations] = [weightsOfFile(quantized), activationsOfFile(quantized)];
  const isKnown =
    weights !== undefined &&
    activations !== undefined &&
    isWeightFormatName(weights) &&
    isActivationFormatName(activations);
  return isKnown ? { weights, activations } : undefined;
}

function weightsOfFile(facts: QuantizedLayerFacts): string | undefined {
  const { weightBits, weightSigned, granularity, groupSize, fractionalZeroPoints } = facts;
  if (fractionalZeroPoints > 0) return undefined;
  const symmetric = hasMiddleZero(facts);
  return formatName({
    bits: weightBits - (leavesOneBit(facts) ? 1 : 0),
    // Symmetric codes are the same numbers with and without a sign.
    signed: weightSigned || symmetric,
    symmetric,
    granularity: granularity === 'group' ? { group: groupSize ?? 0 } : granularity,
  });
}

/** The zero point is the middle of the codes everywhere; of unsigned ones that is told by the codes that occur. */
function hasMiddleZero(facts: QuantizedLayerFacts): boolean {
  const { form, weightBits, weightSigned, lowestCode, highestCode } = facts;
  if (weightSigned || form === 'matmul-n-bits') return !facts.zeroPointNonZero;
  return facts.zeroPointNonZero && !facts.zeroPointsDiffer && highestCode - lowestCode < 2 ** weightBits - 2;
}

/** 8-bit codes of half the range, so that sums of two products fit 16 bits (reduce_range). */
function leavesOneBit({ weightBits, weightSigned, lowestCode, highestCode }: QuantizedLayerFacts): boolean {
  if (weightBits !== 8) return false;
  return weightSigned ? Math.max(-lowestCode, highestCode) <= 64 : highestCode - lowestCode < 128;
}

/** `undefined` where ranges are computed at run time: there is nothing to calibrate, and no plan does the same. */
function activationsOfFile({ form, inputQuantizer }: QuantizedLayerFacts): string | undefined {
  if (form === 'dynamic') return undefined;
  if (!inputQuantizer) return 'float';
  const { bits, signed, scale, zeroPoint } = inputQuantizer;
  if (scale === null || zeroPoint === null) return undefined;
  const symmetric = zeroPoint === (signed ? 0 : 2 ** (bits - 1));
  // Codes with a zero point are the same numbers with and without a sign.
  return formatName({ bits, signed: signed && symmetric, symmetric, granularity: 'tensor' });
}

function mostCommon(formats: readonly Formats[]): Formats | undefined {
  const counts = new Map<string, { readonly formats: Formats; count: number }>();
  for (const one of formats) {
    const key = `${one.weights} ${one.activations}`;
    const known = counts.get(key);
    if (known) known.count++;
    else counts.set(key, { formats: one, count: 1 });
  }
  return [...counts.values()].sort((a, b) => b.count - a.count)[0]?.formats;
}
