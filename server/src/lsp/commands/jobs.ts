/**
 * Long requests: calibrate and quantize. Each streams progress, is cancelled by its token or by job id, and answers
 * with the best so far when cancelled.
 */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { fingerprintOf } from '../../engine/base/fingerprint';
import { issue } from '../../engine/base/issue';
import { writeText } from '../../engine/export/write';
import type { Engine, JobEnd } from '../../engine/index';
import type { Job, JobContext } from '../../engine/jobs';
import { readRangesFile } from '../../engine/ranges-file';
import { recipeData, recipePath } from '../../engine/recipe-data';
import type { Issue } from '../../protocol/issues';
import type {
  CalibrateParams,
  CompareChangedParams,
  CompareParams,
  JobProgressParams,
  LayerDetailParams,
  QuantizeParams,
} from '../../protocol/lsp-ext';
import type { Progress } from '../../protocol/progress';
import type { AnalysisReport, RangesFile } from '../../protocol/reports';
import type { CalibrationResult, CompareView, LayerDetailView, QuantizeResult } from '../../protocol/views';
import { outputSentence } from '../../rules/model-view';
import { shortBytes } from '../../rules/numbers';
import { verdictOf } from '../../rules/verdict';
import { editorWords, line } from '../../rules/words';
import { pathOf, uriOf } from '../convert';
import type { Workspace } from '../workspace';
import { compareFiles, detailOfLayer } from './compare';
import { dataOf } from './data';

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
}

/** Sends progress, and layers measured so far. */
type Stream = (progress: Progress | undefined, layers?: CalibrationResult['layers']) => void;

/** Running jobs by id, for `cancelJob`. */
export class Jobs {
  private readonly running = new Map<string, AbortController>();

  constructor(private readonly host: JobHost) {}

  get busy(): boolean {
    return this.running.size > 0;
  }

  cancel(jobId: string): void {
    this.running.get(jobId)?.abort();
  }

  cancelAll(): void {
    for (const controller of this.running.values()) controller.abort();
  }

  /** Calibrates, then measures local and cumulative error with the ranges; numbers arrive while it runs. */
  calibrate(params: CalibrateParams, signal: AbortSignal): Promise<CalibrationResult> {
    const model = pathOf(params.modelUri);
    return this.track(
      params,
      signal,
      editorWords.calibrating(path.basename(model)),
      async (tracked, stream) => {
        const began = performance.now();
        const data = dataOf(params);
        if (!data.value) return failed(data.issues, began);
        const ranges = await this.host.engine.calibrate(
          {
            kind: 'calibrate',
            model,
            data: data.value,
            estimator: params.estimator,
            ...this.host.workspace.common(),
            seed: params.seed,
          },
          { signal: tracked, progress: (progress) => stream(progress) },
        );
        this.host.ended(ranges.issues);
        const kept = ranges.value ?? ranges.partial;
        const rangesPath = kept && (await this.saveRanges(kept));
        if (!ranges.value) return ended(ranges.issues, kept?.data.samples ?? 0, rangesPath, undefined, began);
        const measured = await this.run(
          {
            kind: 'measure',
            model,
            data: data.value,
            estimator: params.estimator,
            schemes: [params.scheme],
            metrics: ['local', 'cumulative'],
            ranges: ranges.value,
            ...this.host.workspace.common(),
            seed: params.seed,
          },
          {
            signal: tracked,
            progress: (progress) => stream(progress),
            partial: (report) => stream(undefined, layersOf(report, params.scheme)),
          },
        );
        const report = measured.value ?? measured.partial;
        if (report) this.host.workspace.remember(model, report);
        return ended(
          [...ranges.issues, ...measured.issues],
          report?.data?.samples ?? ranges.value.data.samples,
          rangesPath,
          report && { report, scheme: params.scheme },
          began,
        );
      },
    );
  }

  /** Quantizes by recipe or scheme; the written file was loaded, run and compared before this answers. */
  quantize(params: QuantizeParams, signal: AbortSignal): Promise<QuantizeResult> {
    const title = editorWords.quantizing(path.basename(pathOf(params.modelUri)));
    return this.track(params, signal, title, async (tracked, stream) => {
      const job = this.quantizeJob(params);
      if (!job.value) return quantizeFailed(job.issues);
      const end = await this.run(job.value, { signal: tracked, progress: (progress) => stream(progress) });
      if (!end.value) return quantizeFailed(end.issues);
      const report = end.value;
      const { verification } = report;
      return {
        state: 'done',
        outputPath: report.output,
        outputUri: uriOf(report.output),
        bytesBefore: report.bytesBefore,
        bytesAfter: report.bytesAfter,
        output: verification,
        samples: verification.samples,
        latency: report.latency,
        summary: editorWords.written(
          path.basename(report.output),
          `${shortBytes(report.bytesBefore)} → ${shortBytes(report.bytesAfter)}`,
          outputSentence(verification),
          verification.samples,
          verification.data === 'noise',
        ),
        problems: report.issues.map(line),
      };
    });
  }

  /** Compares a quantized file with its float original; the view arrives while it runs. */
  compare(params: CompareParams, signal: AbortSignal): Promise<CompareView> {
    const title = editorWords.comparing(
      path.basename(pathOf(params.floatUri)),
      path.basename(pathOf(params.quantizedUri)),
    );
    return this.track(params, signal, title, (tracked, stream) =>
      compareFiles(this.host, params, {
        signal: tracked,
        progress: (progress) => stream(progress),
        changed: (view) => this.host.compareChanged({ jobId: params.jobId, view }),
      }),
    );
  }

  /** One layer of a comparison. */
  layerDetail(params: LayerDetailParams, signal: AbortSignal): Promise<LayerDetailView> {
    return this.track(params, signal, editorWords.layer(params.layer), (tracked, stream) =>
      detailOfLayer(this.host, params, { signal: tracked, progress: (progress) => stream(progress) }),
    );
  }

  private quantizeJob(params: QuantizeParams): {
    readonly value?: Extract<Job, { kind: 'quantize' }>;
    readonly issues: readonly Issue[];
  } {
    const common = this.host.workspace.common();
    const recipeFile = params.recipeUri === undefined ? undefined : pathOf(params.recipeUri);
    const parsed =
      params.recipeUri !== undefined && recipeFile !== undefined
        ? this.host.workspace.recipe(params.recipeUri, recipeFile)
        : undefined;
    if (recipeFile !== undefined && !parsed?.recipe)
      return { issues: [issue('recipe-syntax', { reason: 'it holds no object' }, { path: recipeFile })] };
    const folder = recipeFile === undefined ? '' : path.dirname(recipeFile);
    const named = parsed?.recipe?.model;
    const model = named !== undefined ? recipePath(folder, named) : pathOf(params.modelUri);
    const planned = parsed?.recipe?.output;
    const output =
      params.outputPath ??
      (planned !== undefined
        ? recipePath(folder, planned)
        : defaultOutput(model, params.scheme ?? 'quantized'));
    const calibration = params.calibration && dataOf(params.calibration);
    if (calibration && !calibration.value) return { issues: calibration.issues };
    const ranges = params.rangesPath === undefined ? undefined : readRangesFile(params.rangesPath);
    if (ranges && !ranges.value) return { issues: ranges.issues };
    return {
      issues: [],
      value: {
        kind: 'quantize',
        model,
        output,
        recipe:
          parsed && recipeFile !== undefined
            ? this.host.workspace.recipeText(params.recipeUri ?? '', recipeFile)
            : undefined,
        scheme: params.scheme,
        estimator: params.calibration?.estimator,
        keepFloat: [],
        data:
          calibration?.value ?? (parsed?.recipe ? recipeData(parsed.recipe, folder, common.seed) : undefined),
        ranges: ranges?.value,
        rangesPath: params.rangesPath,
        ...common,
      },
    };
  }

  private async run<K extends Job['kind']>(
    job: Extract<Job, { kind: K }>,
    context: JobContext<K>,
  ): Promise<JobEnd<K>> {
    const end = await this.host.engine.run(job, context);
    this.host.ended(end.issues);
    return end;
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
    const progress = this.host.progress(title, workDoneToken);
    try {
      return await body(controller.signal, this.stream(jobId, progress.report));
    } finally {
      progress.end();
      // A second job of the same name may run already.
      if (this.running.get(jobId) === controller) this.running.delete(jobId);
      signal.removeEventListener('abort', abort);
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

  private async saveRanges(ranges: RangesFile): Promise<string | undefined> {
    const name = `ranges-${fingerprintOf(ranges.model.fingerprint, ranges.data.fingerprint, ranges.estimator, String(ranges.data.samples)).slice(0, 16)}.json`;
    const folder = this.host.cacheDirectory() ?? os.tmpdir();
    const file = path.join(folder, name);
    // Nothing was cached yet in a new profile. Where it cannot be made, writing says so.
    await fs.mkdir(folder, { recursive: true }).catch(() => undefined);
    const written = await writeText(file, JSON.stringify(ranges), []);
    return written.value && file;
  }
}

function defaultOutput(model: string, scheme: string): string {
  return model.replace(/(\.[^./\\]+)?$/, `.${scheme}.onnx`);
}

function layersOf(report: AnalysisReport, scheme: string): CalibrationResult['layers'] {
  return report.layers
    .filter((layer) => layer.local?.[scheme] !== undefined || layer.cumulative?.[scheme] !== undefined)
    .map((layer) => {
      const local = layer.local?.[scheme] ?? null;
      const cumulative = layer.cumulative?.[scheme] ?? null;
      return { name: layer.name, local, cumulative, verdict: verdictOf(cumulative ?? local) };
    });
}

function failed(issues: readonly Issue[], began: number): CalibrationResult {
  return ended(issues, 0, undefined, undefined, began);
}

function ended(
  issues: readonly Issue[],
  samples: number,
  rangesPath: string | undefined,
  measured: { readonly report: AnalysisReport; readonly scheme: string } | undefined,
  began: number,
): CalibrationResult {
  const cancelled = issues.some((one) => one.code === 'cancelled');
  const wrong = issues.some((one) => one.severity === 'error' && one.code !== 'cancelled');
  return {
    state: cancelled ? 'cancelled' : wrong ? 'failed' : 'done',
    samples,
    seconds: (performance.now() - began) / 1000,
    rangesPath,
    output: measured?.report.output?.[measured.scheme],
    // Calibrating and measuring read the same model and data, and say the same of them.
    problems: [...new Set(issues.filter((one) => one.code !== 'cancelled').map(line))],
    layers: measured ? layersOf(measured.report, measured.scheme) : [],
  };
}

function quantizeFailed(issues: readonly Issue[]): QuantizeResult {
  const cancelled = issues.some((one) => one.code === 'cancelled');
  const problems = issues.filter((one) => one.severity === 'error' && one.code !== 'cancelled').map(line);
  return {
    state: cancelled ? 'cancelled' : 'failed',
    summary: cancelled ? editorWords.nothingWritten : (problems[0] ?? editorWords.failed),
    problems,
  };
}
