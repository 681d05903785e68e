/**
 * Long requests. Each streams progress, is cancelled by its token or by job id, answers with the best so far when
 * cancelled, and leaves a record.
 */
import * as path from 'node:path';
import type { Engine } from '../../engine/index';
import type { Issue } from '../../protocol/issues';
import type {
  CalibrateParams,
  CompareChangedParams,
  CompareParams,
  JobProgressParams,
  LayerDetailParams,
  OutputEffectParams,
  OutputEffectReply,
  QuantizeParams,
} from '../../protocol/lsp-ext';
import type { Progress } from '../../protocol/progress';
import type {
  CalibrationResult,
  CompareView,
  LayerDetailView,
  QuantizeResult,
  RunRecord,
} from '../../protocol/views';
import { editorWords } from '../../rules/words';
import { pathOf } from '../convert';
import type { Workspace } from '../workspace';
import { calibrateModel } from './calibrate';
import { compareFiles, detailOfLayer } from './compare';
import { type Calibrated, OutputEffects } from './output-effect';
import { quantizeModel } from './quantize';
import { calibrationRecord, compareRecord, quantizeRecord } from './records';

/** Progress notifications a second. */
const INTERVAL = 100;

export interface JobHost {
  readonly engine: Engine;
  readonly workspace: Workspace;
  /** Folder for ranges files; undefined = the system's temporary folder. */
  cacheDirectory(): string | undefined;
  notify(params: JobProgressParams): void;
  /** A comparison has measured more. */
  compareChanged(params: CompareChangedParams): void;
  /** Standard progress under the token of a request, when it brought one. */
  progress(
    title: string,
    token: string | number | undefined,
  ): { report(progress: Progress): void; end(): void };
  /** All issues of a finished job. */
  ended(issues: readonly Issue[]): void;
  /** A run ended: it goes into the history. */
  record(run: Omit<RunRecord, 'id' | 'finishedAt'>): void;
  log(line: string): void;
}

/** Sends progress, and layers measured so far. */
type Stream = (progress: Progress | undefined, layers?: CalibrationResult['layers']) => void;

/** Running jobs by id, for `cancelJob`. */
export class Jobs {
  private readonly running = new Map<string, AbortController>();

  private readonly effects: OutputEffects;

  constructor(private readonly host: JobHost) {
    this.effects = new OutputEffects(host, () => this.busy);
  }

  get busy(): boolean {
    return this.running.size > 0;
  }

  /** The last calibration of a model, by its path. */
  calibrated(model: string): Calibrated | undefined {
    return this.effects.last(model);
  }

  cancel(jobId: string): void {
    this.running.get(jobId)?.abort();
  }

  cancelAll(): void {
    this.effects.dispose();
    for (const controller of this.running.values()) controller.abort();
  }

  /** Calibrates, then measures local and cumulative error with the ranges; numbers arrive while it runs. */
  calibrate(params: CalibrateParams, signal: AbortSignal): Promise<CalibrationResult> {
    const model = pathOf(params.modelUri);
    const title = editorWords.calibrating(path.basename(model));
    return this.track(params, signal, title, async (tracked, stream) => {
      const { result, calibrated } = await calibrateModel(this.host, params, {
        signal: tracked,
        progress: (progress) => stream(progress),
        layers: (layers) => stream(undefined, layers),
      });
      if (calibrated) this.effects.keep(model, calibrated);
      this.host.record(calibrationRecord(params, result));
      return result;
    });
  }

  /** Measures what each layer alone does to the output, beside the figures of the last calibration. */
  outputEffect(params: OutputEffectParams, signal: AbortSignal): Promise<OutputEffectReply> {
    const model = pathOf(params.modelUri);
    return this.track(params, signal, editorWords.outputEffect, async (tracked, stream) => {
      const reply = await this.effects.measure(model, {
        signal: tracked,
        progress: (progress) => stream(progress),
      });
      this.host.record(this.effects.record(model, reply));
      return reply;
    });
  }

  /** Quantizes by recipe or scheme; the written file was loaded, run and compared before this answers. */
  quantize(params: QuantizeParams, signal: AbortSignal): Promise<QuantizeResult> {
    const title = editorWords.quantizing(path.basename(pathOf(params.modelUri)));
    return this.track(params, signal, title, async (tracked, stream) => {
      const began = performance.now();
      const result = await quantizeModel(this.host, params, {
        signal: tracked,
        progress: (progress) => stream(progress),
      });
      this.host.record(quantizeRecord(params, result, (performance.now() - began) / 1000));
      return result;
    });
  }

  /** Compares a quantized file with its float original; the view arrives while it runs. */
  compare(params: CompareParams, signal: AbortSignal): Promise<CompareView> {
    const title = editorWords.comparing(
      path.basename(pathOf(params.floatUri)),
      path.basename(pathOf(params.quantizedUri)),
    );
    return this.track(params, signal, title, async (tracked, stream) => {
      const began = performance.now();
      const view = await compareFiles(this.host, params, {
        signal: tracked,
        progress: (progress) => stream(progress),
        changed: (changed) => this.host.compareChanged({ jobId: params.jobId, view: changed }),
      });
      this.host.record(compareRecord(params, view, (performance.now() - began) / 1000));
      return view;
    });
  }

  /** One layer of a comparison. */
  layerDetail(params: LayerDetailParams, signal: AbortSignal): Promise<LayerDetailView> {
    return this.track(params, signal, editorWords.layer(params.layer), (tracked, stream) =>
      detailOfLayer(this.host, params, { signal: tracked, progress: (progress) => stream(progress) }),
    );
  }

  private async track<T>(
    { jobId, workDoneToken }: { readonly jobId: string; readonly workDoneToken?: string | number },
    signal: AbortSignal,
    title: string,
    body: (signal: AbortSignal, stream: Stream) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    const abort = () => controller.abort();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    this.running.set(jobId, controller);
    this.effects.giveWay();
    const progress = this.host.progress(title, workDoneToken);
    try {
      return await body(controller.signal, this.stream(jobId, progress.report));
    } finally {
      progress.end();
      // A second job of the same name may run already.
      if (this.running.get(jobId) === controller) this.running.delete(jobId);
      signal.removeEventListener('abort', abort);
      this.effects.resume();
    }
  }

  /** At most ten notifications a second; a change of stage and the end of one always pass. */
  private stream(jobId: string, report: (progress: Progress) => void): Stream {
    let at = 0;
    let last: Progress | undefined;
    let waiting: CalibrationResult['layers'] | undefined;
    return (progress, layers) => {
      waiting = layers ?? waiting;
      const now = performance.now();
      const edge =
        progress !== undefined && (progress.stage !== last?.stage || progress.done === progress.total);
      last = progress ?? last;
      if (!last || (!edge && now - at < INTERVAL)) return;
      at = now;
      this.host.notify({ jobId, progress: last, ...(waiting ? { layers: waiting } : {}) });
      waiting = undefined;
      if (progress) report(progress);
    };
  }
}
