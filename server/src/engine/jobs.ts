/**
 * The job protocol between the engine façade and its forked processes: which jobs there are, what each takes and
 * gives, plain data both ways; how messages travel is `runtime/pool-messages.ts`. `inference-process.ts` answers with
 * one switch over {@link Job}. Nothing here may hold functions, class instances or large arrays: results are small,
 * weights and samples are read by the process that needs them.
 */
import type { CodeLibrary } from '../codegen/index';
import type { AttentionOrder, RemedyGain } from '../protocol/remedies';
import type {
  AnalysisReport,
  DataSpec,
  Decibel,
  EncodingsReport,
  EvaluationReport,
  FixKind,
  LayerDetail,
  QuantizeReport,
  RangesFile,
} from '../protocol/reports';
import type { ImportanceReport } from './analysis/importance';
import type { WeightReport } from './analysis/weight-reports';
import type { Progress } from './base/progress';

/** Raised whenever a job or reply changes meaning; parent and child must agree. */
export const jobProtocolVersion = 1;

export interface CommonOptions {
  /** Intra-op threads of native inference. */
  readonly threads: number;
  readonly seed: number;
  /** Bindings of symbolic dimensions, `--dim NAME=N`. */
  readonly dimensions: Readonly<Record<string, number>>;
}

/** Weight error of every layer; reads weights, never starts native inference. */
export interface WeightsJob extends CommonOptions {
  readonly kind: 'weights';
  readonly model: string;
  /** Further weight formats beside the standard ones. */
  readonly formats: readonly string[];
  /** Only these layers, and only `formats` of each, without the figures findings need; missing = all layers. */
  readonly layers?: readonly string[];
}

/** Weight errors weighted with an importance matrix of llama.cpp; reads weights, never starts native inference. */
export interface ImportanceJob extends CommonOptions {
  readonly kind: 'importance';
  readonly model: string;
  /** Path of the matrix. */
  readonly matrix: string;
  /** Complete weight formats. */
  readonly formats: readonly string[];
}

export interface CalibrateJob extends CommonOptions {
  readonly kind: 'calibrate';
  readonly model: string;
  readonly data: DataSpec;
  readonly estimator: string;
  /** Stop once more samples no longer move the ranges; missing = only where no number of samples is given. */
  readonly untilStable?: boolean;
  /** Where the state of a stopped calibration is kept, and whether to go on from there: stale states fail or not. */
  readonly state?: { readonly file: string; readonly resume: 'no' | 'when-fresh' | 'strict' };
}

export type MetricName = 'local' | 'cumulative' | 'output';

export interface MeasureJob extends CommonOptions {
  readonly kind: 'measure';
  readonly model: string;
  readonly data: DataSpec;
  readonly estimator: string;
  readonly schemes: readonly string[];
  readonly metrics: readonly MetricName[];
  /** Ranges calibrated just now on the same model and data; otherwise they are calibrated first. */
  readonly ranges?: RangesFile;
  /** Text of the recipe that the scheme named `recipe` stands for. */
  readonly recipe?: string;
  /** Find this many layers that alone move the output most, by group testing. */
  readonly findWorst?: number;
}

/** Activation ranges that another tool chose, and what else its file holds. */
export interface EncodingRanges {
  readonly path: string;
  /** Keyed by tensor name. */
  readonly ranges: RangesFile['ranges'];
  /** Encodings of weights; weights keep their own min-max scales. */
  readonly weights: number;
  /** Tensors whose encodings are no integers with a scale. */
  readonly skipped: readonly string[];
}

/** What makes a plan and the ranges that it needs. */
export interface PlanningJob extends CommonOptions {
  readonly model: string;
  /** Text of a recipe, or undefined: then `scheme` says what all layers become. Flags win over the recipe. */
  readonly recipe?: string;
  readonly scheme?: string;
  readonly estimator?: string;
  readonly keepFloat: readonly string[];
  readonly target?: string;
  readonly data?: DataSpec;
  /** Content of a ranges file, already parsed and checked to be fresh by the child. */
  readonly ranges?: RangesFile;
  readonly rangesPath?: string;
  /** They win over calibrated ranges; with `data` all other tensors are calibrated. */
  readonly encodings?: EncodingRanges;
}

export interface QuantizeJob extends PlanningJob {
  readonly kind: 'quantize';
  readonly output: string;
}

/** Formats in which other tools take scales and zero points. */
const encodingFormats = ['ort', 'aimet-0.6.1', 'aimet-1.0.0', 'aimet-2.0.0'] as const;
export type EncodingFormat = (typeof encodingFormats)[number];

/** Scales and zero points of a plan, written for another tool. */
export interface EncodingsJob extends PlanningJob {
  readonly kind: 'encodings';
  readonly output: string;
  readonly format: EncodingFormat;
}

/** The plan of a recipe as Python for another library; reads headers, never starts native inference. */
export interface CodeJob extends CommonOptions {
  readonly kind: 'code';
  readonly model: string;
  /** Text and file name of the recipe. */
  readonly recipe: string;
  readonly recipeName: string;
  readonly library: CodeLibrary;
}

export interface CodeResult {
  readonly text: string;
}

export interface CompareJob extends CommonOptions {
  readonly kind: 'compare';
  readonly float: string;
  readonly quantized: string;
  readonly data: DataSpec;
  /** This error per layer and the output's, in dB; nothing else is measured. */
  readonly only?: 'local' | 'cumulative';
}

/** Distributions and channel errors of one layer, float against quantized. */
export interface LayerDetailJob extends CommonOptions {
  readonly kind: 'layer-detail';
  readonly float: string;
  readonly quantized: string;
  readonly layer: string;
  /** Missing: the weight alone, without native inference. */
  readonly data?: DataSpec;
}

/** What an already quantized file tells of itself, without its float original; data is optional. */
export interface DebugJob extends CommonOptions {
  readonly kind: 'debug';
  readonly model: string;
  readonly data?: DataSpec;
}

/** What findings need beyond the errors of layers, measured on data; see `handlers/examine.ts`. */
export interface ExamineJob extends CommonOptions {
  readonly kind: 'examine';
  readonly model: string;
  readonly data: DataSpec;
  /** Text of the recipe that is judged; remedies are edits of it. */
  readonly recipe: string;
  readonly remedies: readonly RemedyQuestion[];
  /** Run the judged recipe itself even when no remedy is compared with it. */
  readonly plan: boolean;
  /** Compare the order of attention rows. */
  readonly attention: boolean;
  /** Ranges calibrated just now on the same model and data, for the estimator they name. */
  readonly ranges?: RangesFile;
}

/** A remedy to try: on these layers, or on the recipe's default. */
export interface RemedyQuestion {
  readonly fix: FixKind;
  readonly layers?: readonly string[];
  /** Text of the recipe that it is an edit of, where that is not the judged one. */
  readonly recipe?: string;
}

export interface ExamineResult {
  /** The judged recipe itself, run on the data; missing when nothing needed it. */
  readonly plan?: {
    readonly sqnr: Decibel;
    readonly agreement: number | null;
    readonly samples: number;
    /** By layer name, at the layer's own output. */
    readonly local: Readonly<Record<string, Decibel>>;
  };
  readonly remedies: readonly RemedyGain[];
  readonly attention: readonly AttentionOrder[];
}

export interface EvaluateJob extends CommonOptions {
  readonly kind: 'evaluate';
  readonly model: string;
  readonly data: DataSpec;
  readonly labels?: string;
  readonly against?: string;
  readonly task: 'classify' | 'next-token';
}

export type Job =
  | WeightsJob
  | ImportanceJob
  | CalibrateJob
  | MeasureJob
  | QuantizeJob
  | EncodingsJob
  | CodeJob
  | CompareJob
  | LayerDetailJob
  | DebugJob
  | ExamineJob
  | EvaluateJob;

/** Result per job kind. */
export interface JobResults {
  readonly weights: readonly WeightReport[];
  readonly importance: ImportanceReport;
  readonly calibrate: RangesFile;
  readonly measure: AnalysisReport;
  readonly quantize: QuantizeReport;
  readonly encodings: EncodingsReport;
  readonly code: CodeResult;
  readonly compare: AnalysisReport;
  readonly 'layer-detail': LayerDetail;
  readonly debug: AnalysisReport;
  readonly examine: ExamineResult;
  readonly evaluate: EvaluationReport;
}

/** What leaves the process before the end: the best so far, complete in itself and usable after a cancel. */
export interface JobPartials {
  readonly weights: readonly WeightReport[];
  readonly importance: never;
  readonly calibrate: RangesFile;
  readonly measure: AnalysisReport;
  readonly quantize: never;
  readonly encodings: never;
  readonly code: never;
  readonly compare: AnalysisReport;
  readonly 'layer-detail': LayerDetail;
  readonly debug: AnalysisReport;
  readonly examine: never;
  readonly evaluate: EvaluationReport;
}

/** Jobs that start onnxruntime; refused while the workspace is untrusted. */
export const nativeJobs = {
  weights: false,
  importance: false,
  calibrate: true,
  measure: true,
  quantize: true,
  encodings: true,
  code: false,
  compare: true,
  'layer-detail': true,
  debug: true,
  examine: true,
  evaluate: true,
} as const satisfies Record<Job['kind'], boolean>;

/** True when this job starts onnxruntime: of a layer's detail, its weight is read without. */
export function isNative(job: Job): boolean {
  return nativeJobs[job.kind] && !(job.kind === 'layer-detail' && job.data === undefined);
}

/** What a caller gives with a job. */
export interface JobContext<K extends Job['kind'] = Job['kind']> {
  readonly signal?: AbortSignal;
  readonly progress?: (progress: Progress) => void;
  readonly partial?: (partial: JobPartials[K]) => void;
}
