/**
 * What the editor surfaces show of one model: plain data with words and verdicts already made by the server, so
 * that custom editor, tree and panel only lay it out.
 */
import type {
  DataReport,
  Decibel,
  ErrorMetrics,
  FixKind,
  LayerDetail,
  OutputReport,
  ReportedIssue,
  ValueSummary,
} from './reports';

/** In dB: good from 20 on (noise ≤ 1 % of the signal power), watch from 10, bad below; docs/verdicts.md has the source. */
export const verdictScale = { goodFrom: 20, watchFrom: 10 } as const;

/** Judgement of a figure on {@link verdictScale}. */
export type Verdict = 'good' | 'watch' | 'bad' | 'unknown';

/** What a dB figure speaks of. */
export type Effect = 'weight' | 'local' | 'cumulative' | 'output';

export interface ErrorCell {
  /** Format or scheme name: `int4.channel`, `w8a8`. */
  readonly format: string;
  readonly effect: Effect;
  readonly db: Decibel;
  readonly verdict: Verdict;
  readonly basis: 'estimated' | 'measured';
  /** Bytes of this layer's weight in this format, as stored in ONNX. */
  readonly bytes?: number;
}

/** A layer that is quantized already: what its codes and scales tell without the float original. */
export interface QuantizedRow {
  /** How it is written in the file. */
  readonly form: 'qdq' | 'qoperator' | 'matmul-n-bits' | 'blocked-qdq' | 'dynamic';
  /** `int8.channel`, `uint4.group32 asym`. */
  readonly weights: string;
  /** Distinct weight codes that occur, of `levels`. */
  readonly codesUsed: number;
  readonly levels: number;
  /** exp(entropy of the codes): levels that do work. */
  readonly effectiveLevels: number;
  /** Share of weight codes at the two ends of the range. */
  readonly endShare: number;
  /** Largest channel scale divided by the smallest. */
  readonly scaleSpread: number;
  /** Channels whose scale is 0, subnormal or not finite. */
  readonly badScales: number;
  /**
   * How the runtime computes it at its full optimisation level: in integers, by a kernel that reads codes in blocks
   * and multiplies as its accuracy level says, or in float; missing = not looked at.
   */
  readonly execution?: 'integer' | 'blocks' | 'float';
  /** Why it stays float, where that is known: a clause. */
  readonly reason?: string;
}

export interface LayerRow {
  readonly name: string;
  readonly node: string;
  readonly op: string;
  readonly shape: readonly number[];
  readonly params: number;
  readonly bytes: number;
  readonly macs: number | null;
  readonly depthwise: boolean;
  readonly range?: { readonly min: number; readonly max: number };
  readonly cells: readonly ErrorCell[];
  /** Type of the weight as the file names it: `float`, `int8`, `F16`, `Q4_0`. */
  readonly dataType: string;
  readonly quantized?: QuantizedRow;
  /** Type of the weight when it is not stored as float: quantized already, nothing to plan. */
  readonly storedAs?: string;
  /** Format the recipe beside the model plans for it, `float` when kept, undefined without a recipe. */
  readonly planned?: string;
  /** Codes of findings on this layer. */
  readonly findings: readonly string[];
}

export interface Fact {
  readonly label: string;
  readonly value: string;
  /** Longer explanation for a tooltip. */
  readonly detail?: string;
}

/** Life of a model's analysis as the user sees it. */
export type AnalysisState =
  | 'header'
  | 'weights-running'
  | 'weights'
  | 'measuring'
  | 'measured'
  | 'failed'
  | 'too-large';

export interface ModelView {
  readonly uri: string;
  readonly name: string;
  readonly state: AnalysisState;
  /** False in Restricted Mode: static numbers only, no native inference. */
  readonly trusted: boolean;
  readonly facts: readonly Fact[];
  readonly layers: readonly LayerRow[];
  /** Columns in the order to show: formats that occur in cells. */
  readonly columns: readonly { readonly format: string; readonly effect: Effect; readonly label: string }[];
  readonly findings: readonly ReportedIssue[];
  /** One line each: why the file cannot be shown, or what is missing. */
  readonly problems: readonly string[];
  readonly data: DataReport | null;
  readonly output?: Readonly<Record<string, OutputReport>>;
  readonly recipeUri?: string;
  /** Bytes of the float model and, when a recipe exists, the predicted bytes after it. */
  readonly bytes: number;
  readonly plannedBytes?: number;
  readonly worstLayer?: string;
  /** What the graph wants to be fed; missing where there is none. */
  readonly inputs?: readonly ValueSummary[];
}

/** Most layers hold codes in place of weights: there is nothing left to calibrate or to quantize as a whole. */
export function isQuantizedAlready({ layers }: Pick<ModelView, 'layers'>): boolean {
  return 2 * layers.filter(({ storedAs }) => storedAs !== undefined).length > layers.length;
}

/** How pixels become inputs, as fields of a form. */
export interface Preprocessing {
  readonly scale?: string;
  readonly mean?: string;
  readonly std?: string;
  readonly resize?: number;
  readonly crop?: number;
  readonly layout?: 'nchw' | 'nhwc';
  readonly color?: 'rgb' | 'bgr';
}

/** What a training script says of its data, to fill the calibration form with; what it does not say is missing. */
export interface CalibrationPrefill extends Preprocessing {
  /** Name of the script. */
  readonly from: string;
  /** Path of the data, where it exists. */
  readonly source?: string;
  /** One sentence each: what could not be told, and what is only nearly the same. */
  readonly notes: readonly string[];
}

/** Scheme of a calibration that measures what the recipe beside the model plans. */
export const recipeScheme = 'recipe';

/** One run of the calibration panel. */
export interface CalibrationRequest extends Preprocessing {
  readonly modelUri: string;
  /** Path, `random` or `none`. */
  readonly source: string;
  readonly samples: number;
  readonly estimator: string;
  readonly scheme: string;
  readonly seed: number;
  /** Sizes of free dimensions by name; what is left out follows from the data. */
  readonly dimensions?: Readonly<Record<string, number>>;
}

/** What the calibration form asks beside the data. */
export interface InputQuestions {
  /** Free dimensions other than the samples', as they are called on the command line. */
  readonly dimensions: readonly string[];
  /** All inputs are indices: nothing of pictures applies to them. */
  readonly areIndices: boolean;
}

export interface CalibrationResult {
  readonly state: 'done' | 'cancelled' | 'failed';
  /** Samples that the numbers stand on: fewer than asked for after a cancel. */
  readonly samples: number;
  readonly seconds: number;
  /** Ranges file written to the workspace cache; `quantize` uses it. */
  readonly rangesPath?: string;
  readonly output?: OutputReport;
  readonly problems: readonly string[];
  readonly layers: readonly {
    readonly name: string;
    readonly local: Decibel;
    readonly cumulative: Decibel;
    readonly verdict: Verdict;
  }[];
}

export interface QuantizeResult {
  readonly state: 'done' | 'cancelled' | 'failed';
  readonly outputUri?: string;
  readonly outputPath?: string;
  readonly bytesBefore?: number;
  readonly bytesAfter?: number;
  /** Output SQNR in dB and top-1 agreement against the float model, as measured on the written file. */
  readonly output?: OutputReport;
  readonly samples?: number;
  readonly latency?: { readonly float: number; readonly quantized: number };
  /** One sentence for a notification. */
  readonly summary: string;
  readonly problems: readonly string[];
}

export type RecipeAction =
  | { readonly kind: FixKind; readonly layer?: string }
  /** A weight format for one layer; its activations stay as the recipe has them. */
  | { readonly kind: 'weights'; readonly layer: string; readonly weights: string };

/** A what-if question on one layer's weight; answered from the weight alone. */
export interface WhatIfQuestion {
  readonly modelUri: string;
  readonly layer: string;
  /** Weight format names, `int5.group64` or `nf4`. */
  readonly formats: readonly string[];
}

export interface WhatIfAnswer {
  /** In the order asked; formats that nobody can measure are left out and named in `problems`. */
  readonly cells: readonly ErrorCell[];
  /** Why a format cannot be put into a recipe, by format; missing = it can. */
  readonly notExported: Readonly<Record<string, string>>;
  readonly problems: readonly string[];
}

/** Float against quantized, layer by layer; for the compare view. */
export interface CompareView {
  readonly state: 'running' | 'done' | 'cancelled' | 'failed';
  /** False in Restricted Mode: nothing runs, only weights can be looked at. */
  readonly trusted: boolean;
  readonly floatName: string;
  readonly quantizedName: string;
  /** Bytes of both, external data included; missing when a file cannot be read. */
  readonly floatBytes?: number;
  readonly quantizedBytes?: number;
  readonly data: DataReport | null;
  readonly output?: OutputReport;
  /** In graph order. */
  readonly layers: readonly {
    readonly name: string;
    readonly op: string;
    readonly local: Decibel;
    readonly cumulative: Decibel;
    readonly localWeights?: Decibel;
    readonly localActivations?: Decibel;
    /** Of the local error. */
    readonly metrics?: ErrorMetrics;
    readonly cumulativeMetrics?: ErrorMetrics;
    /** Of the cumulative error, else of the local one. */
    readonly verdict: Verdict;
    readonly findings: readonly string[];
  }[];
  readonly findings: readonly ReportedIssue[];
  readonly problems: readonly string[];
}

/** Answer to a click on one bar of the compare view. */
export interface LayerDetailView {
  readonly detail?: LayerDetail;
  readonly problems: readonly string[];
}

/** What a run was asked: enough to ask it again. */
export type RunRequest =
  | { readonly kind: 'calibrate'; readonly calibration: CalibrationRequest }
  | {
      readonly kind: 'quantize';
      readonly recipeUri?: string;
      readonly scheme?: string;
      readonly outputPath?: string;
      readonly calibration?: CalibrationRequest;
    }
  | {
      readonly kind: 'compare';
      readonly source?: string;
      readonly samples?: number;
      readonly preprocessing?: Preprocessing;
    }
  | { readonly kind: 'output-effect' };

/** One finished run, newest first in the history. */
export interface RunRecord {
  readonly id: string;
  readonly kind: RunRequest['kind'] | 'analyze' | 'evaluate';
  /** Who ran it; missing = this editor. */
  readonly from?: 'command-line';
  /** Missing in records of an earlier version. */
  readonly request?: RunRequest;
  readonly modelUri: string;
  /** Milliseconds since 1970. */
  readonly finishedAt: number;
  readonly seconds: number;
  readonly state: 'done' | 'cancelled' | 'failed';
  readonly scheme?: string;
  readonly estimator?: string;
  readonly source?: string;
  readonly samples?: number;
  readonly output?: OutputReport;
  readonly outputUri?: string;
  /** One sentence. */
  readonly summary: string;
}

/** A run as the command line writes it down: with paths in place of addresses. */
export interface LoggedRun extends Omit<RunRecord, 'modelUri' | 'outputUri' | 'request' | 'from'> {
  readonly model: string;
  readonly outputFile?: string;
}
