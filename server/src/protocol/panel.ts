/**
 * Messages between the extension host and its webviews, one union per direction and panel. A webview keeps no engine
 * state: it shows the last `ModelView` and sends what the user did.
 */
import type { Progress } from './progress';
import type {
  CalibrationPrefill,
  CalibrationRequest,
  CalibrationResult,
  CompareView,
  InputQuestions,
  LayerDetailView,
  ModelView,
  Preprocessing,
  QuantizeResult,
  RecipeAction,
  WhatIfAnswer,
} from './views';

/** How the newest run on a model stands, in words of progress; `idle` takes the word back. */
export type RunNotice =
  | { readonly state: 'running'; readonly progress?: Progress }
  /** Layers that were measured until then, and on how many samples, where the run tells. */
  | { readonly state: 'cancelled'; readonly layers: number; readonly samples?: number }
  | { readonly state: 'failed'; readonly problem: string }
  | { readonly state: 'idle' };

/** Extension host → model editor webview. */
export type ToModelPanel =
  | { readonly type: 'view'; readonly view: ModelView }
  | { readonly type: 'busy'; readonly text: string | null }
  | { readonly type: 'run'; readonly notice: RunNotice }
  /** To the question of the same number; the page forgets answers to older ones. */
  | { readonly type: 'what-if'; readonly id: number; readonly answer: WhatIfAnswer };

/** Model editor webview → extension host. */
export type FromModelPanel =
  | { readonly type: 'ready' }
  | { readonly type: 'calibrate' }
  | { readonly type: 'quantize'; readonly scheme: string }
  | { readonly type: 'open-as-text'; readonly layer?: string }
  | { readonly type: 'measure' }
  | { readonly type: 'open-recipe' }
  | { readonly type: 'open-link'; readonly href: string }
  | { readonly type: 'recipe'; readonly actions: readonly RecipeAction[] }
  | { readonly type: 'compare' }
  | { readonly type: 'output-effect' }
  | {
      readonly type: 'what-if';
      readonly id: number;
      readonly layer: string;
      readonly formats: readonly string[];
    }
  | { readonly type: 'manage-trust' }
  | CopyMessage;

/** Extension host → calibration panel. */
export type ToCalibrationPanel =
  | {
      readonly type: 'models';
      readonly models: readonly { readonly uri: string; readonly name: string }[];
      readonly selected: string | null;
      readonly trusted: boolean;
      readonly defaults: Partial<CalibrationRequest>;
      /** The model that is selected is quantized already: nothing can be calibrated. */
      readonly isQuantized?: boolean;
      /** Of the model that is selected; missing until its header was read. */
      readonly inputs?: InputQuestions;
      /** A recipe lies beside the model: its plan can be measured. */
      readonly hasRecipe?: boolean;
      /** Taken over once, by its number; it is told again with the model that it is for. */
      readonly prefill?: { readonly id: number; readonly values: CalibrationPrefill };
    }
  | { readonly type: 'picked'; readonly source: string }
  | { readonly type: 'started'; readonly jobId: string; readonly request: CalibrationRequest }
  | { readonly type: 'progress'; readonly progress: Progress; readonly layers?: CalibrationResult['layers'] }
  | { readonly type: 'finished'; readonly result: CalibrationResult }
  | { readonly type: 'quantized'; readonly result: QuantizeResult };

/** Calibration panel → extension host. */
export type FromCalibrationPanel =
  | { readonly type: 'ready' }
  | { readonly type: 'select-model'; readonly uri: string }
  | { readonly type: 'pick-data'; readonly kind: 'folder' | 'file' }
  | { readonly type: 'run'; readonly request: CalibrationRequest }
  | { readonly type: 'cancel' }
  | { readonly type: 'quantize'; readonly scheme: string }
  | { readonly type: 'reveal'; readonly layer: string }
  | { readonly type: 'manage-trust' }
  | CopyMessage;

/** Which samples both models run on. */
export interface CompareData {
  /** As in {@link CalibrationRequest}; missing = seeded noise. */
  readonly source?: string;
  readonly samples?: number;
  readonly preprocessing?: Preprocessing;
}

/** What a compare view compares; the page keeps it, so that it comes back with the window. */
export interface CompareTarget extends CompareData {
  readonly floatUri: string;
  readonly quantizedUri: string;
}

/** Extension host → compare view. */
export type ToComparePanel =
  | { readonly type: 'target'; readonly target: CompareTarget }
  | { readonly type: 'picked'; readonly source: string }
  | { readonly type: 'view'; readonly view: CompareView }
  | { readonly type: 'progress'; readonly progress: Progress }
  /** First the weight alone, then everything: `complete`. */
  | {
      readonly type: 'detail';
      readonly layer: string;
      readonly view: LayerDetailView;
      readonly complete: boolean;
    };

/** Compare view → extension host. */
export type FromComparePanel =
  | { readonly type: 'ready' }
  | { readonly type: 'run' }
  | { readonly type: 'cancel' }
  | { readonly type: 'swap' }
  | { readonly type: 'pick-data'; readonly kind: 'folder' | 'file' }
  /** Compares on these samples from now on. */
  | { readonly type: 'compare-on'; readonly data: CompareData }
  | { readonly type: 'detail'; readonly layer: string }
  | { readonly type: 'reveal'; readonly layer: string }
  | { readonly type: 'compare-as-text' }
  | { readonly type: 'open'; readonly which: 'float' | 'quantized' }
  | { readonly type: 'recipe'; readonly actions: readonly RecipeAction[] }
  | { readonly type: 'open-link'; readonly href: string }
  | { readonly type: 'manage-trust' }
  | CopyMessage;

/** Any page → extension host: text for the clipboard. */
export interface CopyMessage {
  readonly type: 'copy';
  readonly text: string;
}

/** Words of a webview, translated by the extension host and handed over in the page's `data-words` attribute. */
export type PanelWords = Readonly<Record<string, string>>;
