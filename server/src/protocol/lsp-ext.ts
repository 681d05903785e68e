/**
 * Custom requests and notifications between client and language server: method, direction, params, result.
 * Standard LSP does the rest. Long requests take a `workDoneToken` and are cancelled by the request's own token.
 */

import type { Progress } from './progress';
import type {
  CalibrationRequest,
  CalibrationResult,
  CompareView,
  LayerDetailView,
  LayerRow,
  ModelView,
  Preprocessing,
  QuantizeResult,
  RecipeAction,
  RunRecord,
  WhatIfAnswer,
  WhatIfQuestion,
} from './views';

/** URI scheme of the server's text view of a binary model: `quantlens-text:/abs/model.onnx.onnxtxt?file:///abs/model.onnx`. */
export const textViewScheme = 'quantlens-text';

/** Client → server: facts, layers and findings of a model as known now; starts the weight analysis when needed. */
export const modelViewRequest = 'quantlens/modelView';
export interface ModelViewParams {
  readonly uri: string;
  /** Analyse the weights even above the size setting (the *Measure* button). */
  readonly measure?: boolean;
}
export type ModelViewResult = ModelView;

/** Server → client: a model's view changed (numbers arrived, recipe edited, file replaced). */
export const modelViewChanged = 'quantlens/modelViewChanged';
export type ModelViewChangedParams = ModelView;

/**
 * Server → client, instead of {@link modelViewChanged}, to a client that takes it: the view without its layers, and the
 * rows that are not as they were told last, each with its place. All other layers are as they were.
 */
export const modelRowsChanged = 'quantlens/modelRowsChanged';
export interface ModelRowsChangedParams {
  readonly view: ModelView;
  readonly rows: readonly (readonly [index: number, row: LayerRow])[];
}

/** Client → server: calibrate and measure; streams {@link jobProgress}; the result after a cancel is the best so far. */
export const calibrateRequest = 'quantlens/calibrate';
export interface CalibrateParams extends CalibrationRequest {
  /** Chosen by the client, echoed in {@link jobProgress}; also names the job in {@link cancelJob}. */
  readonly jobId: string;
  readonly workDoneToken?: string | number;
}

/** Client → server: quantize a model. With `recipeUri` the recipe decides, else `scheme`. */
export const quantizeRequest = 'quantlens/quantize';
export interface QuantizeParams {
  readonly jobId: string;
  readonly modelUri: string;
  readonly recipeUri?: string;
  readonly scheme?: string;
  /** Ranges of an earlier calibration; otherwise `source` is calibrated first. */
  readonly rangesPath?: string;
  readonly calibration?: CalibrationRequest;
  /** Target file; default: the recipe's `output`, else `NAME.<scheme>.onnx` beside the model. */
  readonly outputPath?: string;
  readonly workDoneToken?: string | number;
}
export type QuantizeReply = QuantizeResult;
export type CalibrateReply = CalibrationResult;

/** Server → client while a job runs; at most ten a second. */
export const jobProgress = 'quantlens/jobProgress';
export interface JobProgressParams {
  readonly jobId: string;
  readonly progress: Progress;
  /** Layers measured so far, when they changed. */
  readonly layers?: CalibrationResult['layers'];
}

/** Client → server: cancel by job id (panel's button). The job's request then answers with the best so far. */
export const cancelJob = 'quantlens/cancelJob';
export interface CancelJobParams {
  readonly jobId: string;
}

/**
 * Client → server: the edit that a quick fix, button or tree item makes in the recipe beside the model (created when
 * absent). The answer is an LSP `WorkspaceEdit`; the client applies it, so undo works.
 */
export const recipeEditRequest = 'quantlens/recipeEdit';
export interface RecipeEditParams {
  readonly modelUri: string;
  readonly actions: readonly RecipeAction[];
}
export interface RecipeEditReply {
  readonly recipeUri: string;
  /** LSP WorkspaceEdit. */
  readonly edit: unknown;
  readonly problems: readonly string[];
}

/** Client → server: what a recipe decides, as Python for another library; works without trust. */
export const exportCodeRequest = 'quantlens/exportCode';
export interface ExportCodeParams {
  readonly recipeUri: string;
  readonly library: CodeLibrary;
}
export interface ExportCodeReply {
  /** Missing when nothing could be written: `problems` say why. */
  readonly text?: string;
  /** Name for a file beside the recipe. */
  readonly fileName: string;
  /** What the library does in another way, or not at all. */
  readonly problems: readonly string[];
}

/**
 * Client → server: the blocks that quantize the network which a place of a script speaks of, ready to be inserted, and
 * why others are not.
 */
export const insertionsRequest = 'quantlens/insertions';
export interface InsertionsParams {
  readonly textDocument: { readonly uri: string };
  readonly position: { readonly line: number; readonly character: number };
}
export interface InsertionsReply {
  readonly blocks: readonly InsertionBlock[];
  /** Why there are none. */
  readonly trouble?: 'broken' | 'no-network';
}
export interface InsertionBlock {
  readonly title: string;
  readonly detail: string;
  /** LSP WorkspaceEdit; missing when `reason` says why there is none. */
  readonly edit?: unknown;
  readonly reason?: string;
}

/** Client → server: the models that may hold the weights of a script's networks, each with the edit that says so. */
export const scriptModelsRequest = 'quantlens/scriptModels';
export interface ScriptModelsParams {
  readonly textDocument: { readonly uri: string };
  /** A model that shall be among them. */
  readonly modelUri?: string;
  /** The model that is to be replaced: of several that comments name, this one. */
  readonly insteadOf?: string;
}
export interface ScriptModelsReply {
  /** Those that fit best first. */
  readonly models: readonly ScriptModelChoice[];
}
export interface ScriptModelChoice {
  readonly uri: string;
  /** Relative to the script. */
  readonly name: string;
  /** The network that fits it best, with its layers and those of the model; missing when none does. */
  readonly network?: { readonly name: string; readonly tied: number; readonly layers: number };
  readonly layers: number;
  readonly by?: 'names' | 'shapes';
  /** Its figures are shown now. */
  readonly shown: boolean;
  /** LSP WorkspaceEdit: a comment in the script. */
  readonly edit: unknown;
}

/** Libraries that code can be written for. */
export const codeLibraries = ['onnxruntime', 'torchao', 'aimet'] as const;
export type CodeLibrary = (typeof codeLibraries)[number];

/** Client → server: weight error of one layer in formats of the user's choice; static, answered at once. */
export const whatIfRequest = 'quantlens/whatIf';
export type WhatIfParams = WhatIfQuestion;
export type WhatIfReply = WhatIfAnswer;

/** Client → server: measure a quantized file (or a scheme) against its float original; streams {@link compareChanged}. */
export const compareRequest = 'quantlens/compare';
export interface CompareParams {
  readonly jobId: string;
  readonly floatUri: string;
  readonly quantizedUri: string;
  /** As in {@link CalibrationRequest}; missing = seeded noise. */
  readonly source?: string;
  readonly samples?: number;
  readonly preprocessing?: Preprocessing;
  /** Measure again what is known already. */
  readonly fresh?: boolean;
  readonly workDoneToken?: string | number;
}
export type CompareReply = CompareView;

/** Server → client while a comparison runs. */
export const compareChanged = 'quantlens/compareChanged';
export interface CompareChangedParams {
  readonly jobId: string;
  readonly view: CompareView;
}

/** Client → server: distributions and channels of one layer of a comparison. */
export const layerDetailRequest = 'quantlens/layerDetail';
export interface LayerDetailParams extends CompareParams {
  readonly layer: string;
  /** Only the weight: answered without native inference, also in Restricted Mode. */
  readonly weightOnly?: boolean;
}
export type LayerDetailReply = LayerDetailView;

/** Client → server: finished runs, newest first, of one model or of all. */
export const historyRequest = 'quantlens/history';
export interface HistoryParams {
  readonly modelUri?: string;
}
export type HistoryReply = readonly RunRecord[];

/** Server → client: the history has a new run, or fewer. */
export const historyChanged = 'quantlens/historyChanged';

/** Client → server: forget some runs, or all. */
export const forgetRunsRequest = 'quantlens/forgetRuns';
export interface ForgetRunsParams {
  /** Missing = all. */
  readonly ids?: readonly string[];
}

/**
 * Client → server: measure what each layer alone does to the model output, on the data, scheme and ranges of the last
 * calibration of the model, else w8a8 on the data that the recipe beside it names, or without data. Figures arrive by {@link modelViewChanged}, first estimated ones.
 */
export const outputEffectRequest = 'quantlens/outputEffect';
export interface OutputEffectParams {
  readonly jobId: string;
  readonly modelUri: string;
  readonly workDoneToken?: string | number;
}
export interface OutputEffectReply {
  readonly state: 'done' | 'cancelled' | 'failed';
  /** Layers whose effect was measured. */
  readonly layers: number;
  readonly seconds: number;
  readonly problems: readonly string[];
}

/** Client → server: the workspace became trusted. */
export const trustChanged = 'quantlens/trustChanged';
export interface TrustChangedParams {
  readonly trusted: boolean;
}

/** Client → server: forget results in memory and on disk. Answers the number of bytes freed. */
export const clearCacheRequest = 'quantlens/clearCache';

/** Server → client: health for the language status item. */
export const serverStatus = 'quantlens/status';
export interface ServerStatusParams {
  readonly health: 'ok' | 'warning' | 'error';
  /** True when nothing is running. */
  readonly quiescent: boolean;
  readonly message: string;
}

/** What the client passes as `initializationOptions`. */
export interface InitializationOptions {
  readonly trusted: boolean;
  /** Folder for the disk cache; undefined = memory only. */
  readonly cacheDirectory?: string;
  /** Folder for the history of runs; undefined = it ends with the session. */
  readonly historyDirectory?: string;
  /** The editor completes recipes from their JSON schema; the server then completes layer names only. */
  readonly recipeSchema?: boolean;
  /** The client takes {@link modelRowsChanged}. */
  readonly takesRows?: boolean;
  /** Locale of the editor, BCP 47. */
  readonly locale?: string;
}

/** Commands the *client* registers; lenses, hovers and actions of the server name them. Arguments in brackets. */
export const clientCommands = {
  /** [modelUri, scheme] */
  quantize: 'quantlens.quantize',
  /** [modelUri | null, CalibrationPrefill?] opens the calibration panel with the model chosen, its form filled */
  calibrate: 'quantlens.calibrate',
  /** [recipeUri] */
  applyRecipe: 'quantlens.applyRecipe',
  /** [recipeUri, CodeLibrary?] opens what the recipe decides as Python */
  exportCode: 'quantlens.exportCode',
  /** [scriptUri, Position?] asks which block shall quantize the network there */
  insertQuantization: 'quantlens.insertQuantization',
  /** [scriptUri, modelUri?] asks which model holds the weights of a script, in place of the one that is shown */
  chooseScriptModel: 'quantlens.chooseScriptModel',
  /** [modelUri, layerName?] reveal layer in the text view */
  openAsText: 'quantlens.openAsText',
  /** [modelUri] */
  openModel: 'quantlens.openModel',
  /** [modelUri, RecipeAction[]] */
  editRecipe: 'quantlens.editRecipe',
  /** [modelUri] shows the recipe beside the model */
  openRecipe: 'quantlens.openRecipe',
  /** [modelUri] */
  measureWeights: 'quantlens.measureWeights',
  /** [modelUri, layerName?] asks what a layer's weight costs in other formats */
  whatIf: 'quantlens.whatIf',
  /** [modelUri] */
  measureOutputEffect: 'quantlens.measureOutputEffect',
} as const;

/** Settings under `quantlens.`; defaults are compared with package.json by a test. */
export interface Settings {
  /** 0 = max(1, cores − 1). */
  readonly threads: number;
  /** Memory limit of one inference process in MB; 0 = none. */
  readonly memoryLimit: number;
  /** Size cap of the disk cache in MB. */
  readonly cacheSize: number;
  /** Weights are analysed on opening up to this many MB. */
  readonly analyzeOnOpen: number;
  readonly codeLens: {
    readonly model: boolean;
    readonly layer: boolean;
    readonly recipe: boolean;
    readonly script: boolean;
    /** On loaders and transforms of scripts. */
    readonly data: boolean;
    /** On networks of scripts: blocks that quantize them. */
    readonly insert: boolean;
  };
  readonly inlayHints: boolean;
  /** Measure the output effect of every layer behind each calibration, while nothing else runs. */
  readonly outputEffectAfterCalibration: boolean;
  /** Python scripts and notebooks. The target is where the network shall run; empty = not said. */
  readonly script: {
    readonly enabled: boolean;
    readonly target: string;
    /** Findings of scripts that are not open, too. */
    readonly workspaceDiagnostics: boolean;
  };
  /** Severity per finding code: `error | warning | information | hint | off`. */
  readonly severity: Readonly<Record<string, string>>;
  /** Number per threshold, `M01.spread`; what is missing or out of bounds keeps its default. */
  readonly thresholds: Readonly<Record<string, number>>;
}

export const defaultSettings: Settings = {
  threads: 0,
  memoryLimit: 0,
  cacheSize: 512,
  analyzeOnOpen: 256,
  codeLens: { model: true, layer: true, recipe: true, script: true, data: true, insert: true },
  inlayHints: true,
  outputEffectAfterCalibration: false,
  script: { enabled: true, target: '', workspaceDiagnostics: false },
  severity: {},
  thresholds: {},
};
