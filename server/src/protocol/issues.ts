/**
 * Every issue the product can report, as data: a code, the facts a sentence needs, an anchor. No words here:
 * `rules/words.ts` turns an issue into text, in one place for editor and command line.
 */

import type { FileFacts } from './file-issues';
import type { RangeFacts } from './range-facts';
import type { FixKind } from './reports';
import type { UnfusedReason } from './unfused';
import type { WeightFacts } from './weight-facts';

export type Severity = 'error' | 'warning' | 'information' | 'hint';

/** Where an issue stands. All parts are optional; the words name whichever are known. */
export interface Anchor {
  /** File path as the user gave it. */
  readonly path?: string;
  /** Node name or `OpType_index`. */
  readonly node?: string;
  /** Tensor or value name. */
  readonly tensor?: string;
  /** Layer name as in reports (`conv1`, `layer1.0.conv2`). */
  readonly layer?: string;
  /** Byte or character offsets [start, end) in the file. */
  readonly span?: readonly [number, number];
}

/** What a remedy gains, in dB, measured; `data` is missing for figures of weights alone. */
export interface Gain {
  readonly of: 'weight' | 'local' | 'output';
  readonly before: number;
  readonly after: number;
  /** Layers that the remedy changed together; missing = the whole plan, or this layer alone. */
  readonly layers?: number;
  /** What was changed beforehand: before and after have ranges of this data instead of those in the file. */
  readonly given?: 'recalibrated';
  readonly data?: { readonly source: string; readonly samples: number };
}

/** Facts of a finding whose remedy may have been measured; empty or missing = nothing was. */
export interface Measured {
  readonly gains?: readonly Gain[];
}

/** Facts of a finding on formats that a layer has or would have. */
interface Judged extends Measured {
  /** Set where nobody stated one scale per tensor: what it would do. */
  readonly assumed?: true;
}

/** Codes of the findings on scripts that exist; the numbers are those of the product's rule list. */
export const scriptCodes = [
  'S01',
  'S02',
  'S03',
  'S04',
  'S05',
  'S06',
  'S07',
  'S08',
  'S09',
  'S10',
  'S11',
  'S12',
  'S13',
  'S14',
  'S15',
  'S16',
  'S17',
  'S18',
  'S19',
  'S20',
  'S21',
  'S22',
  'S23',
  'S24',
  'S25',
  'S26',
  'S27',
  'S28',
  'S29',
  'S30',
  'S31',
  'S32',
  'S33',
  'S34',
  'S35',
  'S36',
  'S37',
  'S38',
  'S39',
  'S40',
  'S41',
  'S42',
  'S43',
  'S44',
  'S45',
  'S46',
  'S47',
  'S48',
  'S49',
  'S50',
  'S51',
  'S52',
  'S53',
  'S54',
  'S55',
  'S56',
  'S57',
  'S58',
  'S59',
  'S60',
  'S61',
  'S62',
  'S63',
  'S64',
  'S65',
  'S66',
  'S67',
  'S68',
  'S69',
  'S70',
  'S71',
  'S72',
  'S73',
  'S74',
  'S75',
  'S76',
  'S77',
  'S78',
  'S79',
  'S80',
  'S81',
  'S82',
  'S83',
  'S84',
  'S85',
  'S86',
  'S87',
  'S88',
  'S89',
  'S90',
] as const;
export type ScriptCode = (typeof scriptCodes)[number];

/** What a sentence about a script needs: names as the script writes them. */
export interface ScriptFindingFacts {
  /** The call, argument or value the finding is about. */
  readonly subject: string;
  /** What it should be, or what to use instead. */
  readonly instead?: string;
  /** A further value of the script: a number, a type, a second name. */
  readonly detail?: string | number;
}

/** Facts per code. Adding an issue = one line here and one in `rules/words.ts`; the compiler asks for both. */
export interface IssueFacts
  extends Readonly<Record<ScriptCode, ScriptFindingFacts>>,
    FileFacts,
    RangeFacts,
    WeightFacts {
  /** Our own bug in a rule: its findings are missing, all others are there. */
  'rule-failed': { readonly rule: string; readonly reason: string };
  // --- models ------------------------------------------------------------------------------------------
  'external-missing': { readonly tensor: string; readonly location: string };
  'external-outside': { readonly tensor: string; readonly location: string };
  'external-range': {
    readonly tensor: string;
    readonly location: string;
    readonly need: number;
    readonly have: number;
  };
  'tensor-invalid': { readonly tensor: string; readonly reason: string };
  'tensor-not-finite': { readonly tensor: string; readonly count: number };
  /** `count` NaN and infinities were left out of the range of an activation. */
  'activation-not-finite': { readonly tensor: string; readonly count: number; readonly share: number };
  'graph-invalid': { readonly reason: string };
  /** Layers inside bodies that run another number of times, or not at all, in the quantized network. */
  'inner-not-compared': { readonly layers: readonly string[] };
  /** Layers inside bodies that a quantized file and its original cannot be compared in on data. */
  'inner-weights-only': { readonly layers: readonly string[] };
  /** Layers of branches that are not taken and of loops without turns, on the data at hand. */
  'layer-never-runs': { readonly layers: readonly string[] };
  'graph-empty': Record<string, never>;
  'opset-missing': Record<string, never>;
  'unsupported-op': { readonly op: string; readonly domain: string };
  'unsupported-feature': { readonly what: string; readonly next: string };
  'no-layers': Record<string, never>;
  /** The quantized file is larger than the model it was made of. */
  'file-grew': { readonly before: number; readonly after: number; readonly weightsOnly: boolean };
  'nothing-to-quantize': { readonly reason: string };
  /** Most of the file's weights are codes; `original` is its float model, found beside it. */
  'quantized-already': {
    readonly path: string;
    readonly layers: number;
    readonly total: number;
    readonly original?: string;
  };
  'text-syntax': { readonly expected: string; readonly found: string };
  // --- data --------------------------------------------------------------------------------------------
  'data-not-found': { readonly source: string };
  'data-unsupported': { readonly source: string; readonly reason: string };
  'data-empty': { readonly source: string };
  'data-mismatch': { readonly input: string; readonly expected: string; readonly found: string };
  'data-few': { readonly asked: number; readonly found: number };
  'preprocessing-unused': { readonly source: string; readonly options: string };
  'labels-mismatch': { readonly labels: number; readonly samples: number };
  'image-unreadable': { readonly file: string; readonly reason: string };
  'dimension-unbound': { readonly dimension: string; readonly input: string };
  /** The network fails on inputs of the size it was given, and runs with these. */
  'dimension-needed': { readonly reason: string; readonly sizes: Readonly<Record<string, number>> };
  /** No data and no binding: the tool chose a size for its own noise. */
  'dimension-assumed': { readonly dimension: string; readonly size: number };
  'ranges-stale': { readonly what: 'model' | 'data' | 'version' | 'options'; readonly path: string };
  'range-missing': { readonly tensor: string };
  /** Tensors of the plan that an encodings file has no range for. */
  'encodings-incomplete': { readonly tensors: readonly string[] };
  /** Parts of an encodings file without effect: tensors that the model does not have, no integers, weights. */
  'encodings-unused': {
    readonly unknown: readonly string[];
    readonly skipped: readonly string[];
    readonly weights: number;
  };
  /** Tensors that the format of an encodings file cannot hold, or that the other tool would not find as they are. */
  'encodings-left-out': { readonly tensors: readonly string[]; readonly why: 'groups' | 'folded' };
  /** What a recipe says and exported code does not do, or does in the way of its library. */
  'code-differs': {
    readonly library: string;
    readonly what: string;
    readonly instead: string;
    readonly layers: readonly string[];
  };
  /** A file that is only replaced when that is asked for. */
  'output-exists': { readonly path: string };
  /** Weights whose encodings are those after BatchNormalization was folded into them. */
  'encodings-folded': { readonly tensors: readonly string[] };
  /** Layers that an importance matrix does not cover, or covers with another number of columns. */
  'importance-unmatched': {
    readonly covered: number;
    readonly layers: readonly string[];
    readonly mismatched: readonly string[];
  };
  // --- recipe and scheme -------------------------------------------------------------------------------
  'recipe-syntax': { readonly reason: string };
  'recipe-value': {
    readonly key: string;
    readonly reason: string;
    readonly expected: string;
    /** What was most likely meant. */
    readonly nearest?: string;
  };
  'scheme-unknown': { readonly scheme: string; readonly expected: string; readonly nearest?: string };
  R01: { readonly match: string; readonly nearest?: string };
  R02: {
    readonly match: string;
    readonly format: string;
    readonly reason: string;
    /** Further layers of which the same is true. */
    readonly names?: readonly string[];
  };
  R03: { readonly match: string; readonly by: string };
  R04: { readonly model: string };
  /** `match` is missing for the default: then no layer of the model is float. */
  R05: { readonly match?: string; readonly layers: number; readonly storedAs: readonly string[] };
  // --- inference ---------------------------------------------------------------------------------------
  /** onnxruntime refuses the file as it was given. */
  'model-refused': { readonly reason: string };
  'inference-failed': { readonly reason: string };
  'inference-crashed': { readonly signal: string; readonly during: string };
  'inference-unavailable': { readonly reason: string };
  'not-trusted': Record<string, never>;
  'not-implemented': { readonly what: string; readonly next: string };
  cancelled: Record<string, never>;
  internal: { readonly reason: string };
  'models-differ': { readonly reason: string };
  /** Weights of a weight file that are stored as integers of a scheme, as far as the files tell it. */
  'codes-unread': { readonly tensors: readonly string[]; readonly scheme?: string };
  /** `op` takes one scale from all samples of a run. */
  'single-samples': { readonly op: string };
  'layer-unmatched': { readonly layer: string };
  /** In the place of a layer the quantized file computes with another weight; `sqnr` against the right one. */
  'weight-differs': { readonly layer: string; readonly sqnr: number | null; readonly transposed: boolean };
  /** A function behind float layers that the quantized file lacks, while its quantizers keep what it cuts off. */
  'activation-missing': { readonly layers: readonly string[]; readonly op: string; readonly format: string };
  /** The network computes in half precision; it was measured in float32, where activations can be quantized. */
  'measured-wider': { readonly type: string };
  /** onnxruntime refuses the file; its figures are those of its operators one by one. */
  'not-loadable': { readonly reason: string };
  /** No user data was involved; ranges come from BatchNormalization statistics or noise. */
  'data-none': { readonly from: 'batch-norm' | 'noise' };
  /** Without data the range of an input is a guess: from the first BatchNormalization, or that of normal noise. */
  'input-assumed': {
    readonly input: string;
    readonly min: number;
    readonly max: number;
    readonly from: 'batch-norm' | 'noise';
  };
  'slower-than-float': {
    readonly ratio: number;
    readonly because: 'weight-only' | 'unfused' | 'small';
    readonly layers: readonly string[];
  };
  /**
   * What onnxruntime computes on this machine is not what the file says, operator by operator: dB at the model output
   * against the float model; without `simulated`, dB of the deployed output against the file's own.
   */
  'execution-differs': { readonly simulated?: number; readonly deployed: number };
  'verify-failed': { readonly path: string; readonly sqnr: number | null };
  // --- findings on models ------------------------------------------------------------------------------
  M01: Judged & {
    /** max over channels of |w| range divided by the median channel's. */
    readonly spread: number;
    readonly channel: number;
    /** What `channel` is: the widest, or the one that keeps the least. */
    readonly because: 'spread' | 'weakest';
    /** SQNR in dB of the worst channel under one scale for the whole tensor at `bits`. */
    readonly worstChannelSqnr: number;
    readonly bitsLost: number;
    readonly bits: number;
    /** Weight SQNR in dB, measured on the weight: one scale for the tensor / one per channel. */
    readonly tensorSqnr: number;
    readonly channelSqnr: number;
    /** Of a file without its float original: layers some of whose channels use less than an eighth of the codes. */
    readonly stored?: {
      readonly layers: readonly string[];
      /** Of all layers of one scale for the tensor. */
      readonly total: number;
      /** Such channels of the layer that has the largest share of them. */
      readonly narrow: number;
      readonly channels: number;
    };
  };
  M02: Judged & {
    readonly kurtosisBefore: number;
    readonly kurtosisAfter: number;
    readonly gammaSpread: number;
    readonly channel: number;
  };
  M03: { readonly batchNorm: string };
  M04: {
    readonly op: string;
    readonly activation: string;
    /** All operators that this holds for, this one first, where there are several. */
    readonly names?: readonly string[];
  };
  M06: {
    readonly tensor: string;
    /** What the real number 0 becomes. */
    readonly becomes: number;
    readonly because: 'pair' | 'padding' | 'fraction';
    /** All tensors that this holds for, the one furthest off first, where there are several. */
    readonly names?: readonly string[];
  };
  M08: {
    readonly layers: number;
    readonly total: number;
    /** Layers whose channels have different zero points. */
    readonly differ: number;
  };
  M09: { readonly layers: number; readonly total: number };
  M10: {
    readonly layers: number;
    readonly total: number;
    /** Largest 255 · |w1 + w2| of a pair. */
    readonly peak: number;
  };
  M11: {
    readonly peak: number;
    readonly limit: number;
    readonly reduction: number;
  };
  M12: { readonly scaleError: number; readonly saturated: number };
  M23: {
    readonly op: string;
    readonly reason: UnfusedReason;
    readonly names: readonly string[];
    /** Quantize and dequantize nodes on activations that stay in the runtime's graph; missing when it was not run. */
    readonly conversions?: number;
  };
  M28: {
    readonly because: 'remainder' | 'small' | 'negative';
    readonly groupSize: number;
    readonly reduction: number;
    readonly layers: number;
  };
  M07: Measured & {
    readonly min: number;
    readonly max: number;
    /** `offset`: 0 lies far outside the data; `symmetric`: one-sided data under a symmetric format. */
    readonly because: 'offset' | 'symmetric';
    readonly bitsLost: number;
  };
  M13: {
    readonly channels: readonly number[];
    readonly total: number;
    /** Instead of dead channels: all weights are this one number, in all these layers. */
    readonly placeholder?: { readonly value: number; readonly layers: readonly string[] };
  };
  M15: Measured & {
    readonly effectiveLevels: number;
    readonly levels: number;
    readonly bitsLost: number;
    /** The range stands in a file that is quantized already. */
    readonly inFile: boolean;
    /** All layers of a plan that this holds for, the worst first, where there are several. */
    readonly names?: readonly string[];
  };
  M16: Judged & {
    readonly depthwise: number;
    readonly total: number;
    /** Mean gain in dB of the depthwise weights. */
    readonly gain: number;
    /** Depthwise layers that gain most, at most three. */
    readonly worst: readonly {
      readonly layer: string;
      /** Largest channel range divided by the median channel's, and that channel. */
      readonly spread: number;
      readonly channel: number;
      readonly before: number;
      readonly after: number;
    }[];
  };
  M18: Measured & { readonly bits: number; readonly count: number };
  M19: Measured & { readonly op: string; readonly bits: number };
  M20: { readonly tau: number; readonly rows: number; readonly matrices: number };
  M22: { readonly spread: number; readonly bits: number };
  M24: Measured & {
    readonly scheme: string;
    /** |E(ŷ − y)| / std(y) of the channel, or over all elements without one. */
    readonly shift: number;
    readonly channel?: number;
  };
  M25: {
    readonly samples: number;
    readonly minimum: number;
    /** Standard deviation of the range over batches, divided by its mean; of the layer it varies most on. */
    readonly variation?: number;
    readonly unstable: number;
  };
  M26: {
    readonly scheme: string;
    readonly cosine: number;
    readonly normRatio: number;
    /** All layers that this holds for, the one furthest off first, where there are several. */
    readonly names?: readonly string[];
  };
  M27: {
    readonly scheme: string;
    /** dB at the output: of the sum of the layers' own effects, and of all of them at once. */
    readonly predicted: number;
    readonly measured: number;
    /** |noise predicted / noise measured − 1|, and its standard error over batches; missing for a single batch. */
    readonly deviation: number;
    readonly error?: number;
  };
  M17: Measured & {
    readonly position: 'first' | 'last' | 'only';
    readonly bits: number;
    /** It stands in a file that is quantized already. */
    readonly inFile: boolean;
    /** Of the weight in its format; missing when that was not measured. */
    readonly sqnr?: number;
    readonly sqnrAtEight: number;
  };
  M21: { readonly count: number; readonly maximum: number };
}

export type IssueCode = keyof IssueFacts;

/** Discriminated union over {@link IssueFacts}. */
export type Issue = {
  [C in IssueCode]: {
    readonly code: C;
    readonly facts: IssueFacts[C];
    readonly anchor: Anchor;
    readonly severity: Severity;
    /** Fixes that change something here; missing = all of its code. */
    readonly fixes?: readonly FixKind[];
  };
}[IssueCode];
