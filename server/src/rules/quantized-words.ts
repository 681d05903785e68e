/** Wording of files that are quantized already. */
import type { IssueFacts } from '../protocol/issues';
import type { UnfusedReason } from '../protocol/unfused';
import { decibels, percent } from './numbers';
import { fewOf, quote } from './quote';

/** Why an operator gets no integer kernel, as a noun clause. */
export const unfusedWords: Readonly<Record<UnfusedReason, string>> = {
  'output-not-quantized': 'its output is not quantized',
  'input-not-quantized': 'another operator stands between its input and the DequantizeLinear',
  'weight-only': 'only its weight is quantized, as the file says',
  'weight-not-quantized': 'its weight is not quantized',
  'bias-not-integer': 'its bias is not int32 behind DequantizeLinear',
  'bias-scale': 'the scale of its bias is not input scale times weight scale',
  'activation-kept':
    'an activation function that its output range does not replace stands before the quantizer',
  'shared-output': 'its output is read by a quantizer and by others',
  'scales-per-channel': 'its weight of more than two dimensions has more than one scale',
  'types-differ':
    'its input and output have different 8-bit types; on x64 int8 activations become uint8 unless several operators read them: use uint8 activations',
  'no-kernel': 'there is no integer kernel for it',
  unknown: 'the graph does not tell why',
};

type Code = 'M04' | 'M06' | 'M08' | 'M09' | 'M10' | 'M11' | 'M12' | 'M23' | 'M28';

/** Sentences of the findings on files that are quantized already. */
export const quantizedSentences: { readonly [C in Code]: (facts: IssueFacts[C]) => string } = {
  M04: (f) =>
    `a quantizer stands between this ${f.op} and ${quote(f.activation)}${alike(f.names, 'operators')}. Quantize behind the activation function only.`,
  M06: (f) => zeroWords(f),
  M08: (f) =>
    `${f.layers} of ${f.total} integer layers have weight zero points other than 0${f.differ > 0 ? ` (${f.differ} with different ones per channel)` : ''}, which cost a sum over all activations at every run; not every runtime takes them. Symmetric weights avoid it.`,
  M09: (f) =>
    `${f.layers} of ${f.total} integer layers use the weight code −128; TensorFlow Lite and some ARM kernels want −127 … 127.`,
  M10: (f) =>
    `${f.layers} of ${f.total} integer layers: pairs of products can exceed 16 bits on x86 processors without VNNI and are then cut off. Use 7-bit weights (reduce_range) where such processors matter.`,
  M11: (f) =>
    `the int32 accumulator can overflow: ${f.reduction} products reach ${f.peak.toExponential(2)} of ${f.limit.toExponential(2)}. Use fewer bits, or split the layer.`,
  M12: (f) => {
    const off = `the bias scale is ${percent(f.scaleError)} off input scale × weight scale`;
    const cut = `${f.saturated} bias codes are cut off at the ends of int32`;
    const parts = [...(f.scaleError > 1e-5 ? [off] : []), ...(f.saturated > 0 ? [cut] : [])];
    return `${parts.join(' and ')}. Requantize the bias with input scale × weight scale.`;
  },
  M23: (f) =>
    `${f.names.length === 1 ? `this ${f.op} runs` : `${f.names.length} ${f.op} run`} in float between quantizers: ${unfusedWords[f.reason]}${f.names.length === 1 ? '' : ` (${fewOf(f.names)})`}.${f.conversions === undefined ? ' Keep it in float altogether.' : ` ${f.conversions} conversions stay in the graph.`}`,
  M28: (f) => blockWords(f),
};

/** A quantized file that shall be quantized. */
export function quantizedAlready({ path, layers, total, original }: IssueFacts['quantized-already']): string {
  const which = layers === total ? `all ${total} layers` : `${layers} of ${total} layers`;
  const next =
    original === undefined ? 'quantize its float original' : `quantize its float original, ${original},`;
  const rest = layers === total ? '' : ' A recipe can name the layers that are still float.';
  return `${path}: ${which} are stored quantized already; ${next} instead.${rest}`;
}

/** Layers whose loop or branch runs another way in the quantized network. */
export function notComparedInside({ layers }: IssueFacts['inner-not-compared']): string {
  const which = layers.length === 1 ? 'this layer stands' : `${fewOf(layers)} stand`;
  return `${which} in a loop or branch that runs another way once it is quantized, or whose turns differ in shape: there is no cumulative error, only its own and the one at the output.`;
}

/** Layers of a quantized file in bodies that do not run beside the float network's. */
export function onlyWeightsInside({ layers }: IssueFacts['inner-weights-only']): string {
  const which = layers.length === 1 ? 'this layer stands' : `${fewOf(layers)} stand`;
  return `${which} in a loop or branch whose operators cannot run beside those of the float network: only the figures of its weight are told, no error on data.`;
}

/** Layers of a branch that no sample takes. */
export function neverRuns({ layers }: IssueFacts['layer-never-runs']): string {
  const which = layers.length === 1 ? 'this layer stands' : `${fewOf(layers)} stand`;
  return `${which} in a branch that is never taken, or in a loop without turns, on this data: what quantizing does there is not measured. Add samples that take the other branch.`;
}

/** Inputs of a size with which the network fails. */
export function otherSize({ reason, sizes }: IssueFacts['dimension-needed']): string {
  const flags = Object.entries(sizes).map(([name, size]) => `--dim ${name}=${size}`);
  return `the network does not run on inputs of this size: ${reason.replace(/\.+$/, '')}. It runs with ${flags.join(' ')}: bind its dimensions, or give data of a size it takes.`;
}

/** Codes, scales and what converts them weigh more than the weights did. */
export function grew({ before, after, weightsOnly }: IssueFacts['file-grew']): string {
  const next = weightsOnly
    ? 'Keep the float model.'
    : 'Quantize weights only (int8), or keep the float model.';
  return `the file grew from ${before} to ${after} bytes: scales and quantizers take more than codes save on weights this small. ${next}`;
}

/** Deployed against simulated: what a user of the file gets, against what the file says. */
export function executionWords({ simulated, deployed }: IssueFacts['execution-differs']): string {
  if (simulated === undefined)
    return `with its optimisations on, onnxruntime computes something else on this machine than the file says operator by operator: the two outputs agree to ${decibels(deployed)} only. Users get the optimised one; compare the file with its float original.`;
  const how = deployed < simulated ? 'worse' : 'better';
  return `deployed on this machine, the output keeps ${decibels(deployed)}, simulated operator by operator ${decibels(simulated)}: the kernels that onnxruntime chooses compute ${how} than the file says. Users get the deployed figure; errors of layers are simulated.`;
}

function zeroWords(f: IssueFacts['M06']): string {
  const others = alike(f.names, f.because === 'fraction' ? 'layers' : 'tensors');
  if (f.because === 'fraction')
    return `its zero points are no integers, so that 0 has no code of its own${others}. Round them.`;
  const becomes = `0 becomes ${f.becomes.toPrecision(3)}`;
  return f.because === 'pair'
    ? `QuantizeLinear and DequantizeLinear of ${quote(f.tensor)} have different zero points: ${becomes}${others}. Use one for both.`
    : `${quote(f.tensor)} is padded with another number than the code of 0: ${becomes}${others}. Pad with the zero point.`;
}

function blockWords(f: IssueFacts['M28']): string {
  const layers = `${f.layers} ${f.layers === 1 ? 'layer has' : 'layers have'}`;
  if (f.because === 'remainder')
    return `${layers} inputs that are no multiple of the group size (here ${f.reduction} in groups of ${f.groupSize}). Choose a group size that divides them, or pad.`;
  if (f.because === 'small')
    return `${layers} groups of only ${f.groupSize} weights: scales take more room than they save, and MatMulNBits starts at 16. Use larger groups.`;
  return `${layers} negative scales, which not every runtime reads. Store them as positive numbers.`;
}

/** M01 of a file without its float original. */
export function storedSpread(bitsLost: number, f: NonNullable<IssueFacts['M01']['stored']>): string {
  const more = f.layers.length - 1;
  const others =
    more > 0
      ? `; so in ${f.layers.length} of ${f.total} layers with one scale for the tensor (${fewOf(f.layers)})`
      : '';
  return `under one scale for the tensor, ${f.narrow} of ${f.channels} channels use less than an eighth of the codes, and the median channel loses ${bitsLost.toFixed(1)} bits${others}. Use per-channel weights.`;
}

/** M13 of weights that hold one number. */
export function placeholderWords({ value, layers }: NonNullable<IssueFacts['M13']['placeholder']>): string {
  return `all weights are ${value === 0 ? 'zero' : `the same number (${value.toPrecision(3)})`}, a placeholder or a fixed filter${alike(layers)}: errors of such weights say nothing. Put the trained weights into the file.`;
}

/** The layers that the same holds for, this one among them. */
export function alike(names: readonly string[] = [], what = 'layers'): string {
  return names.length > 1 ? `; so in ${names.length} ${what} (${fewOf(names)})` : '';
}

/** A recipe that plans what the file holds already. */
export function storedAlready({ match, layers, storedAs }: IssueFacts['R05']): string {
  const how = `stored quantized already (${fewOf(storedAs)})`;
  const next = 'Write the recipe for the float original.';
  if (match === undefined)
    return `${layers === 1 ? 'the only layer' : `all ${layers} layers`} of the model ${layers === 1 ? 'is' : 'are'} ${how}: nothing is left to plan. ${next}`;
  const what = layers === 1 ? 'a layer that is' : `${layers} layers that are`;
  return `${quote(match)} is about ${what} ${how}: the rule has no effect. ${next}`;
}
