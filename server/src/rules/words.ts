/**
 * All wording of issues, for editor and command line alike: one sentence that names the file, node or tensor, and the
 * next step. Facts come from `protocol/issues.ts`; the mapped type asks for a sentence per code.
 */
import type { Anchor, Issue, IssueCode, IssueFacts } from '../protocol/issues';
import type { ProgressStage } from '../protocol/progress';
import type { FixKind, ReportedIssue } from '../protocol/reports';
import type { Effect, Verdict } from '../protocol/views';
import { activationRange, joinedOperands } from './activation-words';
import { fileSentences } from './file-words';
import { advice, measuredOutput, shiftAdvice } from './gain-words';
import { ruleOf } from './index';
import { bits, decibels, percent, smallShare, times } from './numbers';
import {
  alike,
  executionWords,
  grew,
  neverRuns,
  notComparedInside,
  onlyWeightsInside,
  otherSize,
  placeholderWords,
  quantizedAlready,
  quantizedSentences,
  storedAlready,
  storedSpread,
} from './quantized-words';
import { fewOf, oneLine, quote } from './quote';
import { WORTHWHILE } from './remedies';

export { quote } from './quote';

import { inputColumn, singleWeight } from './weight-words';
import { scriptSentences } from './words-script';

type Sentence<C extends IssueCode> = (facts: IssueFacts[C], anchor: Anchor) => string;

const sentences: { readonly [C in IssueCode]: Sentence<C> } = {
  ...scriptSentences,
  ...fileSentences,
  'external-missing': ({ tensor, location }) =>
    `tensor ${quote(tensor)}: its data file ${quote(location)} is missing. Put it beside the model.`,
  'external-outside': ({ tensor, location }) =>
    `tensor ${quote(tensor)}: its data file ${quote(location)} lies outside the model's folder and is not opened. Move it beside the model and fix the location.`,
  'external-range': ({ tensor, location, need, have }) =>
    `tensor ${quote(tensor)}: needs bytes up to ${need} of ${quote(location)}, which has ${have}. Export the model again.`,
  'tensor-invalid': ({ tensor, reason }) => `tensor ${quote(tensor)}: ${reason}. Export the model again.`,
  'tensor-not-finite': ({ tensor, count }) =>
    `tensor ${quote(tensor)}: holds ${count} NaN or infinite ${count === 1 ? 'value' : 'values'}; its error is undefined. Check the training.`,
  'activation-not-finite': ({ tensor, count, share }) =>
    `activation ${quote(tensor)}: ${count} NaN or infinite ${count === 1 ? 'value' : 'values'} (${smallShare(share)} of those seen) were left out of its range, which is that of the finite values. Attention masks hold infinities; elsewhere check data and preprocessing.`,
  'graph-invalid': ({ reason }) => `the graph is not valid: ${reason}.`,
  'inner-not-compared': (f) => notComparedInside(f),
  'layer-never-runs': (f) => neverRuns(f),
  'inner-weights-only': (f) => onlyWeightsInside(f),
  'graph-empty': () => 'the model has no nodes.',
  'opset-missing': () =>
    'the file states no operator set version, without which onnxruntime runs nothing; version 1 is assumed to read it. Export it again to quantize it.',
  'unsupported-op': ({ op, domain }) =>
    `operator ${domain === '' ? '' : `${domain}.`}${op} is not known here. To run or quantize the network, export it without this operator (often pre- or postprocessing).`,
  'unsupported-feature': ({ what, next }) => `${what} is not supported. ${next}`,
  'no-layers': () =>
    'no layer with constant weights was found; there is nothing to quantize. Export the network together with its trained weights.',
  'quantized-already': (f) => quantizedAlready(f),
  'nothing-to-quantize': ({ reason }) =>
    `no layer would be quantized (${reason}). ${reason.includes('repeating') ? 'Export the network with its trained weights stored.' : 'Start from the float model, or ask for more layers.'}`,
  'text-syntax': ({ expected, found }) => `expected ${expected}, found ${found}.`,

  'data-not-found': ({ source }) =>
    `${source}: no such data. Give a folder of images, an .npy or .npz file, a folder of input_*.pb, "random" or "none".`,
  'data-unsupported': ({ source, reason }) => `${source}: cannot be used as data (${reason}).`,
  'data-empty': ({ source }) => `${source}: holds no samples.`,
  'data-mismatch': ({ input, expected, found }) =>
    `input ${quote(input)}: the model expects ${expected}, the data has ${found}. Check resize, crop and layout of the preprocessing (--resize, --crop, --layout or --dim on the command line).`,
  'data-few': ({ asked, found }) =>
    `${asked} samples were asked for, ${found} are there; all of them are used.`,
  'preprocessing-unused': ({ source, options }) =>
    `${source}: ${options} not applied, the array is not uint8 pixels and is fed as it is.`,
  'labels-mismatch': ({ labels, samples }) =>
    `${labels} labels for ${samples} samples. Give one label per sample.`,
  'image-unreadable': ({ file, reason }) =>
    `${file}: not a readable image (${reason}). Remove or replace it.`,
  'dimension-unbound': ({ dimension, input }) =>
    `input ${quote(input)}: dimension ${quote(dimension)} has no value. Bind it with --dim ${dimension}=N.`,
  'dimension-assumed': ({ dimension, size }) =>
    `dimension ${quote(dimension)} is taken as ${size} for noise; give its size (calibration form, or --dim ${dimension}=N), or data.`,
  'dimension-needed': (f) => otherSize(f),
  'file-grew': (f) => grew(f),
  'ranges-stale': ({ what, path }) =>
    what === 'version'
      ? `${path}: written by another version. Calibrate again.`
      : what === 'options'
        ? `${path}: the calibration that was stopped had other options. Start it anew without --resume.`
        : what === 'data'
          ? `${path}: these ranges, or the calibration that was stopped, belong to other data or another number of samples. Calibrate again.`
          : `${path}: belongs to another ${what === 'model' ? 'model (its content changed)' : what}. Calibrate again.`,
  'encodings-incomplete': ({ tensors }) =>
    `the encodings lack ${some(tensors, 'range')}. Add --data to calibrate what is missing.`,
  'encodings-unused': ({ unknown, skipped, weights }) =>
    [
      ...(unknown.length > 0 ? [`${some(unknown, 'tensor')} not in the model`] : []),
      ...(skipped.length > 0 ? [`${some(skipped, 'encoding')} without integer form here`] : []),
      ...(weights > 0 ? [`${weights} of weights, which keep their own scales`] : []),
    ]
      .map((part, index) => `${index === 0 ? 'encodings not used: ' : ''}${part}`)
      .join('; '),
  'encodings-left-out': ({ tensors, why }) =>
    why === 'groups'
      ? `${some(tensors, 'weight')} left out: the file cannot hold scales of groups there.`
      : `${some(tensors, 'weight')} left out: onnxruntime would meet them before BatchNormalization is folded. Fold it first (quant_pre_process) to have them written.`,
  'encodings-folded': ({ tensors }) =>
    `${some(tensors, 'weight')} stated as after folding BatchNormalization: call fold_all_batch_norms_to_weight of aimet_onnx.batch_norm_fold before the encodings are loaded.`,
  'importance-unmatched': ({ covered, layers, mismatched }) =>
    `the importance matrix covers ${covered} ${covered === 1 ? 'layer' : 'layers'}; ${[
      ...(layers.length > 0 ? [`${some(layers, 'layer')} not in it`] : []),
      ...(mismatched.length > 0 ? [`${some(mismatched, 'layer')} with another number of columns`] : []),
    ].join('; ')}.`,
  'range-missing': ({ tensor }) => `tensor ${quote(tensor)}: has no activation range. Calibrate again.`,

  'recipe-syntax': ({ reason }) => `the recipe is not valid JSON: ${reason}.`,
  'recipe-value': ({ key, reason, expected, nearest }) => {
    const meant = nearest === undefined ? '' : ` Did you mean ${quote(nearest)}?`;
    return expected === nearest
      ? `${key}: ${reason}.${meant}`
      : `${key}: ${reason}. Expected ${expected}.${meant}`;
  },
  'scheme-unknown': ({ scheme, expected, nearest }) =>
    `${quote(scheme)} is not a format or scheme. ${nearest === undefined ? '' : `Did you mean ${quote(nearest)}? `}Use ${expected}.`,
  R01: ({ match, nearest }) =>
    `${quote(match)} matches no layer.${nearest === undefined ? '' : ` Did you mean ${quote(nearest)}?`}`,
  R02: ({ match, format, reason, names = [] }) =>
    `${quote(match)}: ${format} cannot be exported (${reason})${names.length > 0 ? `, nor in ${names.length} more ${names.length === 1 ? 'layer' : 'layers'} (${fewOf(names)})` : ''}.${reason.endsWith('not in float32') ? ' Convert the model to float32 first, or quantize weights only (int4.group32).' : ''}${/^opset \d+ has no/.test(reason) ? ' Export it with a newer operator set, or quantize weights only (int8).' : ''}`,
  R03: ({ match, by }) =>
    `${quote(match)} has no effect: every layer it matches is decided by the later rule ${quote(by)}.`,
  R05: (f) => storedAlready(f),
  R04: ({ model }) => `the recipe's model ${quote(model)} does not exist. Paths are relative to the recipe.`,

  'model-refused': ({ reason }) =>
    `onnxruntime refuses the model as it stands: ${reason.replace(/\.+$/, '')}. Export it again.`,
  'inference-failed': ({ reason }) => `inference failed: ${reason}.`,
  'inference-crashed': ({ signal, during }) =>
    `the inference process ended (${signal}) during ${during}. The program goes on; run again, with fewer threads or samples if it happens twice.`,
  'inference-unavailable': ({ reason }) =>
    `native inference is not available: ${reason}. Weight errors still work.`,
  'not-trusted': () =>
    'native inference is off in Restricted Mode. Trust the workspace to calibrate or quantize.',
  'not-implemented': ({ what, next }) =>
    `${what} is not available in this version. ${next.includes(' ') ? next : `Use ${next} instead.`}`,
  cancelled: () => 'cancelled.',
  internal: ({ reason }) => `internal error: ${reason}. Please report it with the log.`,
  'models-differ': ({ reason }) =>
    `the two models cannot be compared: ${reason}. Compare a quantized file with the float model it was made from.`,
  'layer-unmatched': ({ layer }) =>
    `no layer of the quantized file holds the weight of ${quote(layer)}; it is left out.`,
  'weight-differs': ({ layer, sqnr, transposed }) =>
    `the quantized file computes with another weight in place of ${quote(layer)}${transposed ? ': its transposed matrix' : ''}${sqnr === null ? '' : ` (${decibels(sqnr)} against the right one)`}. Look at how it was exported: a weight that several layers share may have been changed in place.`,
  'data-none': ({ from }) =>
    `no data: activation ranges come from ${from === 'batch-norm' ? 'BatchNormalization statistics' : 'random noise'}. Calibrate on real samples for figures you can trust.`,
  'input-assumed': ({ input, min, max, from }) =>
    `input ${quote(input)} is assumed to lie between ${min.toPrecision(3)} and ${max.toPrecision(3)}, ${from === 'batch-norm' ? 'as the first BatchNormalization suggests' : 'as standard normal noise does'}. State how pixels are scaled (preprocessing: scale, mean, standard deviation), or calibrate on real samples.`,
  'slower-than-float': ({ ratio, because, layers }) =>
    `the quantized model takes ${(1 / ratio).toFixed(2)}× the float model's time: ${slowReasons[because]}${layers.length > 0 ? ` (${layers.slice(0, 5).join(', ')}${layers.length > 5 ? ', …' : ''})` : ''}.`,
  'execution-differs': (facts) => executionWords(facts),
  'verify-failed': ({ path, sqnr }) =>
    `${path}: the exported model does not compute what the plan says (output ${sqnr === null ? 'undefined' : decibels(sqnr)}). It was not kept.`,

  M01: (f) =>
    f.stored
      ? storedSpread(f.bitsLost, f.stored)
      : (f.because === 'spread'
          ? `${f.assumed ? `${ifPerTensor}, int${f.bits} would lose` : `per-tensor int${f.bits} loses`} ${f.bitsLost.toFixed(1)} bits: channel ${f.channel} is ${times(f.spread)} the median channel. `
          : `${f.assumed ? ifPerTensor : 'under one scale for the tensor'}, channel ${f.channel} ${f.assumed ? 'would keep' : 'keeps'} only ${decibels(f.worstChannelSqnr)} at 8 bits. `) +
        (f.channelSqnr - f.tensorSqnr < WORTHWHILE
          ? `The weight's ${decibels(f.tensorSqnr)} tell of this channel alone; look whether its values are meant.`
          : `${perChannel(f.assumed)}${f.assumed ? ' make it' : ':'} ${decibels(f.tensorSqnr)} → ${decibels(f.channelSqnr)} (measured on the weight).`) +
        measuredOutput(f.gains),
  M02: (f) =>
    `${f.assumed ? `${ifPerTensor}: ` : ''}folding BatchNormalization makes outliers: kurtosis ${f.kurtosisBefore.toFixed(1)} → ${f.kurtosisAfter.toFixed(1)}, ` +
    `|γ/σ| of channel ${f.channel} is ${times(f.gammaSpread)} the median. ${advice('Use per-channel weights', f.gains)}`,
  M03: (f) => `${quote(f.batchNorm)} is not folded into this layer. Fold it before quantizing.`,
  ...quantizedSentences,
  M07: (f) =>
    `the activation lies between ${f.min.toPrecision(3)} and ${f.max.toPrecision(3)}: ` +
    (f.because === 'offset'
      ? `zero is far outside, so ${bits(f.bitsLost)} of the codes' range are wasted. Subtract the offset and fold it into the bias.`
      : `a symmetric format wastes ${bits(f.bitsLost)}. ${advice('Use asymmetric activations', f.gains)}`),
  M13: (f) =>
    f.placeholder
      ? placeholderWords(f.placeholder)
      : `${f.channels.length} of ${f.total} channels are dead (weights zero or next to zero): ${f.channels.slice(0, 8).join(', ')}${f.channels.length > 8 ? ', …' : ''}.`,
  M05: (f, { node }) => joinedOperands(f, node),
  M14: activationRange,
  M15: (f) =>
    `${f.inFile ? 'only ' : ''}${Math.round(f.effectiveLevels)} of ${f.levels} levels ${f.inFile ? 'of its activation occur' : 'do the work'}: ${bits(f.bitsLost)} wasted${alike(f.names)}. ` +
    advice(
      f.inFile
        ? 'The range fits other data or other preprocessing; calibrate again'
        : 'Estimate ranges by mse',
      f.gains,
    ),
  M16: (f) =>
    `${f.assumed ? `${ifPerTensor}: ${f.depthwise} of ${f.total} layers are depthwise with` : `${f.depthwise} of ${f.total} quantized layers are depthwise with one weight scale for`} channels of different range` +
    `${f.worst.length > 0 ? `, most of all ${f.worst.map((one) => `${quote(one.layer)} (channel ${one.channel} is ${times(one.spread)} the median, ${decibels(one.before)} → ${decibels(one.after)})`).join(', ')}` : ''}. ` +
    `${perChannel(f.assumed)} gain ${decibels(f.gain)} on average (measured on the weights).${measuredOutput(f.gains)}`,
  M17: (f) =>
    `the ${f.position} layer is ${f.inFile ? 'held' : 'planned'} with ${f.bits} bits${f.sqnr === undefined ? '' : `: ${decibels(f.sqnr)} against ${decibels(f.sqnrAtEight)} at 8 bits (measured on the weight)`}. Keep it at 8 bits.${measuredOutput(f.gains)}`,
  M18: (f) =>
    `${f.count === 1 ? 'its activations are' : `activations of ${f.count} layers are`} planned with ${f.bits} bits. ` +
    advice('Use 8-bit activations', f.gains),
  M19: (f) =>
    `the output of ${f.op} is quantized to ${f.bits} uniform bits. ${advice('Use 8-bit activations or keep the layer in float', f.gains)}`,
  M20: (f) =>
    `quantization reorders attention: Kendall τ ${f.tau.toFixed(2)} on average over ${f.rows} rows. Keep the layers that make queries and keys at 8 bits or in float.`,
  M21: (f) =>
    `${f.count} ${f.count === 1 ? 'layer is' : 'layers are'} followed by Clip(0, ${f.maximum}). The bound is used as the range; when retraining, plain ReLU does better.`,
  M22: (f) =>
    `a regression network without normalisation: the activation's standard deviation differs ${times(f.spread)} between samples under one fixed ${f.bits}-bit range. Use 16-bit activations or keep it in float.`,
  M24: (f) =>
    `${subject(f.scheme)} shifts the mean${f.channel === undefined ? '' : ` of channel ${f.channel}`} by ${f.shift.toFixed(2)} standard deviations. ${shiftAdvice(f.gains)}`,
  M25: (f) => {
    const few = f.samples < f.minimum ? [`${f.samples} samples were used; take ${f.minimum} or more`] : [];
    const what = f.unstable === 1 ? 'this activation' : `${f.unstable} activations`;
    const moving =
      f.variation === undefined
        ? []
        : [`the range of ${what} varies by up to ${percent(f.variation)} from batch to batch`];
    return `${[...few, ...moving].join('; ')}. Add samples like those of the application.`;
  },
  M26: (f, { layer }) =>
    `${subject(f.scheme)}: cosine ${f.cosine.toFixed(4)} looks fine, yet the output of ${layer === undefined ? 'this layer' : quote(layer)} is ${f.normRatio.toFixed(3)}× as long as it should be${alike(f.names)}. Judge it by SQNR; look for clipping.`,
  M29: singleWeight,
  M30: inputColumn,
  M27: (f) =>
    `${f.scheme}: the layers' own effects add up to ${decibels(f.predicted)} at the output, all layers at once give ${decibels(f.measured)}: ${(100 * f.deviation).toFixed(0)} % of the noise amiss${f.error === undefined ? ', on one batch of samples' : ` (± ${(100 * f.error).toFixed(0)} % over batches of samples)`}. Choose formats by runs of the whole network, or raise the bits.`,
};

const slowReasons = {
  'weight-only':
    'weights are dequantized at every run, so the file is smaller but not faster; integer kernels need quantized activations as well',
  unfused: 'these layers found no integer kernel',
  small: 'the network is so small that converting activations costs more than integer kernels save',
} as const;

const ifPerTensor = 'if weights had one scale per tensor';

/** The remedy of one scale per tensor; where nobody asked for one, a recipe begins with it. */
function perChannel(assumed: true | undefined): string {
  return assumed ? 'Per-channel weights, the default of a recipe,' : 'Per-channel weights';
}

/** One line for one issue, without its anchor. */
export function sentence<C extends IssueCode>(issue: Extract<Issue, { code: C }>): string {
  // The lookup and the facts share the code; TypeScript cannot follow that through the union.
  const make = sentences[issue.code] as (facts: unknown, anchor: Anchor) => string;
  return oneLine(make(issue.facts, issue.anchor));
}

/** Behind the last of several lines that are about the same. */
export function likeIt(more: number): string {
  return `(${more} more like it.)`;
}

/** One line with its anchor in front: what the command line prints. */
export function line(issue: Issue): string {
  const text = sentence(issue);
  const { path, layer, node, tensor } = issue.anchor;
  const place =
    layer ??
    node ??
    (tensor !== undefined && !text.includes(quote(tensor)) ? `tensor ${quote(tensor)}` : undefined);
  const prefix = [path, place].filter((part) => part !== undefined && !text.startsWith(`${part}:`));
  return oneLine([...prefix, text].join(': '));
}

/** The issue as reports print it. */
export function reported(issue: Issue): ReportedIssue {
  return {
    code: issue.code,
    severity: issue.severity,
    layer: issue.anchor.layer,
    ...(issue.anchor.layer === undefined && issue.anchor.node !== undefined
      ? { node: issue.anchor.node }
      : {}),
    message: sentence(issue),
    facts: issue.facts as Readonly<Record<string, unknown>>,
    fixes: issue.fixes ?? ruleOf(issue.code)?.fixes ?? [],
  };
}

/** How many of what, and the first of their names. */
function some(names: readonly string[], noun: string): string {
  const shown = names.slice(0, 3).map(quote).join(', ');
  return `${names.length} ${noun}${names.length === 1 ? '' : 's'} (${shown}${names.length > 3 ? ', …' : ''})`;
}

/** What was measured: a scheme by its name, or the quantized file of a comparison. */
function subject(scheme: string): string {
  return scheme === 'file' ? 'the file' : scheme;
}

/** Names of what a quick fix, link or lens does. */
export const fixTitles: Readonly<Record<FixKind, string>> = {
  'quantize-int4': 'Quantize to int4',
  'quantize-int8': 'Quantize to int8',
  'keep-float': 'Keep in float',
  'per-channel-weights': 'Use per-channel weights',
  'fold-batchnorm': 'Fold BatchNormalization',
  'weights-8-bit': 'Use 8-bit weights',
  'activations-8-bit': 'Use 8-bit activations',
  'activations-16-bit': 'Use 16-bit activations',
  'asymmetric-activations': 'Use asymmetric activations',
  'estimator-mse': 'Estimate ranges by mse',
};

/** Stages of a long job, as progress lines name them. */
export const stageWords: Readonly<Record<ProgressStage, string>> = {
  read: 'reading the model',
  weights: 'analysing weights',
  shapes: 'inferring shapes',
  calibrate: 'calibrating',
  measure: 'measuring layers',
  quantize: 'quantizing',
  export: 'writing the model',
  verify: 'running the written model',
  evaluate: 'evaluating',
  compare: 'comparing',
  fingerprint: 'fingerprinting',
};

export const effectWords: Readonly<Record<Effect, string>> = {
  weight: 'weight',
  local: 'local',
  cumulative: 'cumulative',
  output: 'output effect',
};

export const verdictWords: Readonly<Record<Verdict, string>> = {
  good: '✓ good',
  watch: '△ watch',
  bad: '✗ bad',
  unknown: '–',
};

/** A verdict in a narrow place. */
export const verdictMarks: Readonly<Record<Verdict, string>> = {
  good: '✓',
  watch: '△',
  bad: '✗',
  unknown: '',
};

const weightBasis = 'Weight error: measured on the weight, min-max ranges. Sizes: estimated.';

/** Facts of a model, as the editor labels them. */
export const factWords = {
  format: 'Format',
  onnx: (opset: string) => `ONNX, opset ${opset}`,
  producer: 'Producer',
  parameters: 'Parameters',
  size: 'Size',
  bytes: (bytes: number) => `${bytes} bytes, external data included`,
  macs: 'MACs',
  perSample: (count: string) => `${count} per sample`,
  nodes: 'Nodes',
  input: (name: string) => `Input ${name}`,
  output: (name: string) => `Output ${name}`,
  outputFigure: (db: string | undefined) => (db === undefined ? 'output SQNR undefined' : `output ${db}`),
  agreement: (share: string) => `top-1 agreement ${share}`,
} as const;

/** Everything else the language server says. Names in arguments are made harmless by the caller. */
export const editorWords = {
  calibrate: 'Calibrate',
  calibrateMore: 'Calibrate…',
  exportCode: 'Export as code…',
  exportRecipe: 'Export this recipe as code…',
  openModel: 'Open model',
  openRecipe: 'Open recipe',
  measureWeights: 'Measure the weights',
  measuringWeights: 'measuring weights…',
  restrictedModel: 'Restricted Mode: static numbers only',
  restrictedRecipe: 'Restricted Mode: trust the workspace to apply',
  modelUnreadable: 'The model of this recipe cannot be read',
  recipeBroken: 'Fix the errors of this recipe to apply it',
  nothingToApply: 'Nothing to apply: every layer of the model is stored quantized already',
  recipeBrokenReason: 'The recipe has errors; fix them first.',
  newFile: 'a new file',
  changeTo: (text: string) => `Change to ${text}`,
  fixLayer: (kind: FixKind, layer: string) => `${fixTitles[kind]}: ${layer}`,
  layers: (count: number) => `${count} ${count === 1 ? 'layer' : 'layers'}`,
  layer: (name: string) => `layer ${name}`,
  worst: {
    weight: (name: string, figure: string) => `worst weight ${name}: ${figure}`,
    cumulative: (name: string, figure: string, isRunning: boolean) =>
      `${isRunning ? 'worst so far, cumulative' : 'worst cumulative'} ${name}: ${figure}`,
    output: (name: string, figure: string, isRunning: boolean) =>
      `${isRunning ? 'worst so far at the output' : 'worst at the output'} ${name}: ${figure}`,
  },
  worstWeight: (text: string) => `worst weight ${text}`,
  cumulative: (scheme: string, db: string) => `${scheme} cumulative ${db}`,
  parameters: (count: string) => `${count} parameters`,
  planned: (format: string) => `planned: ${format}`,
  predicted: (after: string, before: string) => `≈ ${after} of ${before}`,
  apply: (output: string, predicted: string) => `Apply → ${output} (${predicted})`,
  sizeChange: (before: string, after: string) =>
    before === after ? `stays ${before}` : `${before} → ${after}`,
  ruleTooltip: (layers: string, worst: string | undefined, isMeasured = false) =>
    `${layers}; ${isMeasured ? 'SQNR measured at the layers, everything up to them quantized' : 'weight SQNR'}${worst === undefined ? ' unknown until measured' : `, lowest on ${worst}`}; bytes of the weights before and after`,
  plannedTooltip: 'Planned by the recipe beside the model; SQNR of the weight.',
  noLayerMatches: 'No layer matches.',
  matching: (count: number, pattern: string) =>
    count === 1 ? `**1 layer** matches ${pattern}` : `**${count} layers** match ${pattern}`,
  ruleTable: '| layer | planned | weight SQNR | size |\n|---|---|--:|--:|',
  andMore: (count: number) => `… and ${count} more`,
  depthwise: 'depthwise',
  macs: (count: string) => `${count} MACs per sample`,
  range: (minimum: string, maximum: string) => `range ${minimum} … ${maximum}`,
  becomes: (target: string, forms: string) => `${target}: ${forms || 'stays float'}`,
  otherTools: 'by other tools',
  storedAs: (type: string) => `stored as ${type}: quantized already`,
  measuringNow: 'measuring the weights…',
  measuring: 'measuring',
  notMeasured: 'not measured yet',
  errorTable: ['| format | error of | SQNR | verdict | size |', '|---|---|--:|---|--:|'],
  basisOfWeights: `${weightBasis} Error of activations: not measured yet; calibrate to measure it.`,
  basisWithoutData: (from: 'batch-norm' | 'noise') =>
    `${weightBasis} Local and cumulative error: estimated without data (${from === 'noise' ? 'random noise' : 'BatchNormalization statistics'}).`,
  basisOfData: (samples: number, source: string) =>
    `${weightBasis} Local and cumulative error: measured on ${samples} samples of ${source}.`,
  calibrating: (model: string) => `Calibrate ${model}`,
  quantizing: (model: string) => `Quantize ${model}`,
  comparing: (float: string, quantized: string) => `Compare ${float} with ${quantized}`,
  written: (file: string, sizes: string, output: string, samples: number, noise: boolean) =>
    `${file}: ${sizes}, ${output} against the original on ${samples} samples${noise ? ' of noise' : ''}.`,
  /** Before everything else of a file that is not worth its size. */
  outputLost: (db: string, isDestroyed: boolean) =>
    `The output is ${isDestroyed ? 'destroyed' : 'badly distorted'} (${db}).`,
  outputEffect: 'Output effect of every layer',
  outputEffectMore: 'Measure output effect',
  measuringLayers: 'measuring layers…',
  effectsMeasured: (layers: number) => `output effect of ${layers} ${layers === 1 ? 'layer' : 'layers'}`,
  outputEffectOf: (scheme: string, db: string) => `${scheme} output effect ${db}`,
  estimatedVerdict: (verdict: Verdict) => `○ estimated: ${verdictWords[verdict].slice(2)}`,
  basisWhileMeasuring: `${weightBasis} Error of activations: being measured.`,
  basisOfEffect: (estimated: boolean) =>
    estimated
      ? 'Output effect: this layer alone quantized; estimated from noise gains until it is measured.'
      : 'Output effect: this layer alone quantized, measured at the model output.',
  recipe: 'recipe',
  noFigures: 'no figures',
  whatIf: 'What if…',
  whatIfTitle: 'What if: SQNR of the weight, bytes as stored',
  noSuchLayer: (layer: string) => `${quote(layer)} is no layer of this model.`,
  whatIfFormats: 'a weight format such as int5.channel, int4.group32, nf4 or mxfp4',
  measuredOnly: (format: string) =>
    `${quote(format)} can be measured, not exported. Choose an integer format for the recipe.`,
  nothingWritten: 'Cancelled; nothing was written.',
  failed: 'Failed.',
} as const;
