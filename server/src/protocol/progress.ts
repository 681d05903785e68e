/** Progress in real units: which stage, how many of what are done. Plain data, so it crosses processes. */

export interface Progress {
  /** What is being done, in the field's words: `calibrate`, `measure`, `export`, … */
  readonly stage: ProgressStage;
  readonly done: number;
  /** 0 when the total is not known. */
  readonly total: number;
  readonly unit: 'samples' | 'layers' | 'bytes' | 'steps' | 'files';
  /** The layer, file or tensor at hand. */
  readonly detail?: string;
}

export type ProgressStage =
  | 'read'
  | 'weights'
  | 'shapes'
  | 'calibrate'
  | 'measure'
  | 'quantize'
  | 'export'
  | 'verify'
  | 'evaluate'
  | 'compare'
  | 'fingerprint';

export type ProgressSink = (progress: Progress) => void;
