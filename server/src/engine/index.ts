/**
 * The façade: everything editor and command line ask of the engine. Opening and inspecting reads headers in this
 * process; whatever reads weights or runs a model is a job in a forked child. Results are kept by file state.
 */
import { LRUCache } from 'lru-cache';
import type { AnalysisReport, LayerReport, RangesFile } from '../protocol/reports';
import { modelFacts } from './analysis/model-facts';
import type { WeightReport } from './analysis/weight-reports';
import { issue } from './base/issue';
import { fail, type Outcome, ok } from './base/outcome';
import { removeTemporaries } from './export/write';
import { type Figures, FormatFigures, gridFormats } from './format-figures';
import { type OpenModel, openModel } from './graph/open';
import {
  type CalibrateJob,
  type CommonOptions,
  type CompareJob,
  type DebugJob,
  type ExamineJob,
  isNative,
  type Job,
  type JobContext,
  type JobPartials,
  type JobResults,
  jobProtocolVersion,
  type LayerDetailJob,
} from './jobs';
import { mergeReports, withoutActivations, withWeights } from './merge-reports';
import { fingerprintModel } from './model-fingerprint';
import { ModelStamps } from './model-stamps';
import type { EarlyChild } from './runtime/early-child';
import { removeOptimizedFolders } from './runtime/optimized-folder';
import { type Lane, Pool } from './runtime/pool';
import { stateFile } from './runtime/state-file';
import { dataStamps, sameStamp, stampOf } from './stamps';
import { type DiskDoor, type FileStamp, Store } from './store';

export { stampOf } from './stamps';

export interface EngineOptions {
  /** Path of the bundled `inference-process.js`. */
  readonly entry: string;
  readonly disk?: DiskDoor;
  /** False in an untrusted workspace: native jobs answer `not-trusted`. */
  readonly trusted: () => boolean;
  /** Memory limit of one inference process in MB; 0 = none. */
  readonly memoryLimit?: number;
  /** Every job in one process: for a program whose jobs follow one another anyway. */
  readonly single?: boolean;
  /** An inference process that was started ahead; only without a memory limit. */
  readonly early?: EarlyChild;
  readonly log?: (line: string) => void;
}

/** A finished or interrupted job: after a cancel or crash `partial` holds the best so far. */
export interface JobEnd<K extends Job['kind']> extends Outcome<JobResults[K]> {
  readonly partial?: JobPartials[K];
}

export class Engine {
  readonly store: Store;
  private readonly pool: Pool;
  private readonly open = new LRUCache<string, { stamp: FileStamp; model: OpenModel }>({
    max: 8,
    dispose: (entry) => entry.model.close(),
  });
  private readonly stamps = new ModelStamps();
  private readonly figures = new FormatFigures();
  private readonly reports = new LRUCache<string, { stamp: FileStamp; report: AnalysisReport }>({ max: 64 });
  private readonly inspected = new LRUCache<string, { stamp: FileStamp; outcome: Outcome<AnalysisReport> }>({
    max: 64,
  });

  constructor(private readonly options: EngineOptions) {
    this.store = new Store(options.disk);
    this.pool = new Pool({
      entry: options.entry,
      version: jobProtocolVersion,
      memoryMegabytes: options.memoryLimit || undefined,
      early: options.early,
      log: options.log,
    });
  }

  /** The parsed model, kept open while its file stays the same. Do not close it. */
  model(path: string): Outcome<OpenModel> {
    const held = this.open.get(path);
    if (held && sameStamp(held.stamp, this.stamps.of(path) ?? gone)) return ok(held.model);
    if (held) this.open.delete(path);
    const own = stampOf(path);
    const opened = openModel(path);
    if (own) this.stamps.learn(path, own, opened);
    const stamp = this.stamps.of(path);
    if (opened.value && stamp) this.open.set(path, { stamp, model: opened.value });
    return opened;
  }

  /** State of a model file and of the external data it points to; `undefined` when the file is not there. */
  stamp(path: string): FileStamp | undefined {
    const known = this.stamps.of(path);
    // Which files belong to a model is known once it was opened.
    if (known || !stampOf(path)) return known;
    this.model(path);
    return this.stamps.of(path);
  }

  /** Files that a model's weights lie in beside itself. */
  externalFiles(path: string): readonly string[] {
    return this.stamps.externalFiles(path);
  }

  /** Facts and layers from headers alone; no weight is read, no inference started. */
  inspect(path: string, dimensions: Readonly<Record<string, number>> = {}): Outcome<AnalysisReport> {
    if (Object.keys(dimensions).length > 0) return this.read(path, dimensions);
    const stamp = this.stamp(path);
    const held = this.inspected.get(path);
    if (held && stamp && sameStamp(held.stamp, stamp)) return held.outcome;
    const outcome = this.read(path, dimensions);
    if (stamp && outcome.value) this.inspected.set(path, { stamp, outcome });
    return outcome;
  }

  private read(path: string, dimensions: Readonly<Record<string, number>>): Outcome<AnalysisReport> {
    const facts = modelFacts(path, { dimensions });
    if (!facts.value) return fail(...facts.issues);
    return ok({ ...facts.value, data: null, issues: facts.issues }, facts.issues);
  }

  /** SHA-256 of the model's content, external data included. Issues: whatever opening it finds. */
  async fingerprint(path: string, signal?: AbortSignal): Promise<Outcome<string>> {
    return fingerprintModel(path, signal);
  }

  /** The best report known for the file's present state; answers from memory, at once. */
  report(path: string): AnalysisReport | undefined {
    const held = this.reports.get(path);
    return held && sameStamp(held.stamp, this.stamp(path) ?? gone) ? held.report : undefined;
  }

  /**
   * Weight error of every layer × format, from the store when the file has not changed.
   * Partial reports arrive layer by layer.
   */
  async weights(
    path: string,
    common: CommonOptions,
    context: {
      signal?: AbortSignal;
      progress?: JobContext['progress'];
      partial?: (report: AnalysisReport) => void;
      formats?: readonly string[];
    } = {},
  ): Promise<Outcome<AnalysisReport>> {
    const inspected = this.inspect(path, common.dimensions);
    const stamp = this.stamp(path);
    if (!inspected.value || !stamp) return inspected;
    const base = inspected.value;
    const key = this.store.key('weights', [stamp], context.formats ?? []);
    const stored = this.store.get<{ layers: readonly WeightReport[] }>(key);
    if (stored) return ok(this.keep(path, stamp, withWeights(base, stored.layers)), base.issues);
    const end = await this.run(
      { kind: 'weights', model: path, formats: context.formats ?? [], ...common },
      {
        signal: context.signal,
        progress: context.progress,
        partial: (layers) => context.partial?.(this.keep(path, stamp, withWeights(base, layers))),
      },
    );
    if (!end.value) return { value: undefined, issues: end.issues };
    const report = withWeights(base, end.value, end.issues);
    this.store.put(key, { layers: end.value });
    return ok(this.keep(path, stamp, report), report.issues);
  }

  /** Runs a job in a child. Never rejects; `cancelled` and crashes are issues, with the best so far in `partial`. */
  async run<K extends Job['kind']>(
    job: Extract<Job, { kind: K }>,
    context: JobContext<K> = {},
    priority = 0,
  ): Promise<JobEnd<K>> {
    const native = isNative(job);
    if (native && !this.options.trusted()) return fail(issue('not-trusted', {}));
    const lane = native || this.options.single ? 'native' : 'static';
    return this.send(job, { lane, priority }, context);
  }

  private async send<K extends Job['kind']>(
    job: Extract<Job, { kind: K }>,
    where: { readonly lane: Lane; readonly priority?: number },
    context: JobContext<K>,
  ): Promise<JobEnd<K>> {
    const end = await this.pool.run<JobResults[K]>(job, {
      ...where,
      label: job.kind,
      signal: context.signal,
      progress: context.progress,
      partial: (partial) => context.partial?.(partial as JobPartials[K]),
    });
    if ('output' in job && end.killed !== undefined) removeTemporaries(job.output, end.killed);
    if (job.kind === 'debug' && end.killed !== undefined) removeOptimizedFolders(end.killed);
    return { value: end.value, issues: end.issues, partial: end.partial as JobPartials[K] | undefined };
  }

  /**
   * Activation ranges, from the store when neither the model nor the data changed since they were calibrated with the
   * same options. Noise and `none` depend on the seed alone and are stored too.
   */
  async calibrate(job: CalibrateJob, context: JobContext<'calibrate'> = {}): Promise<JobEnd<'calibrate'>> {
    const stamp = this.stamp(job.model);
    // Threads change the time, not the ranges.
    const { model: _model, threads: _threads, ...options } = job;
    const key = stamp && this.store.key('calibrate', [stamp, ...dataStamps(job.data.source)], options);
    const stored = key === undefined ? undefined : this.store.get<RangesFile>(key);
    if (stored) return ok(stored);
    // A calibration that was stopped goes on where it was.
    const state =
      key === undefined || !this.options.disk
        ? job.state
        : { file: stateFile(key), resume: 'when-fresh' as const };
    const end = await this.run({ ...job, state }, context);
    if (key !== undefined && end.value && end.issues.length === 0) this.store.put(key, end.value);
    return end;
  }

  /**
   * Float against quantized, from the store when neither files nor data changed since with the same options.
   * @param fresh measures again in any case.
   */
  compare(job: CompareJob, context: JobContext<'compare'> = {}, fresh = false): Promise<JobEnd<'compare'>> {
    return this.stored(this.comparisonKey(job), job, context, fresh);
  }

  /** What a quantized file tells of itself when it is run; without data stored as comparisons are. */
  debug(job: DebugJob, context: JobContext<'debug'> = {}, background = false): Promise<JobEnd<'debug'>> {
    const { threads: _threads, ...options } = job;
    const stamp = job.data ? undefined : this.stamp(job.model);
    const key = stamp && this.store.key(job.kind, [stamp], options);
    return this.stored(key, job, context, false, background ? -1 : 0);
  }

  /** What remedies gain; stored as comparisons are, unless it stands on ranges of the caller. */
  examine(job: ExamineJob, context: JobContext<'examine'> = {}, fresh = false): Promise<JobEnd<'examine'>> {
    const { threads: _threads, ranges, ...options } = job;
    const stamp = ranges ? undefined : this.stamp(job.model);
    const key = stamp && this.store.key(job.kind, [stamp, ...dataStamps(job.data.source)], options);
    return this.stored(key, job, context, fresh);
  }

  /** Distributions and channels of one layer of a comparison; stored like it. */
  layerDetail(
    job: LayerDetailJob,
    context: JobContext<'layer-detail'> = {},
  ): Promise<JobEnd<'layer-detail'>> {
    return this.stored(this.comparisonKey(job), job, context);
  }

  /**
   * What is known of a layer's weight in any format, from memory: the report's figures and what {@link whatIf} and
   * {@link grid} measured.
   */
  weightFigures(path: string, layer: Pick<LayerReport, 'name' | 'weightSqnr'>): Figures {
    const stamp = this.stamp(path);
    return { ...(stamp ? this.figures.of(stamp, layer.name) : {}), ...layer.weightSqnr };
  }

  /**
   * Weight error of one layer in formats of the caller's choice, with all that is known of it. What is not known is
   * measured in a process of its own lane, so that no analysis keeps the answer waiting.
   */
  async whatIf(
    path: string,
    layer: string,
    formats: readonly string[],
    common: CommonOptions,
    signal?: AbortSignal,
  ): Promise<Outcome<Figures>> {
    const stamp = this.stamp(path);
    if (!stamp) return fail(issue('file-not-found', { path }, { path }));
    const reported = this.report(path)?.layers.find(({ name }) => name === layer);
    const known = () => ({ ...this.figures.of(stamp, layer), ...reported?.weightSqnr });
    const missing = formats.filter((format) => !(format in known()));
    if (missing.length === 0) return ok(known());
    const job = { kind: 'weights', model: path, formats: missing, layers: [layer], ...common } as const;
    const end = await this.send<'weights'>(job, { lane: 'quick' }, { signal });
    if (!end.value) return fail(...end.issues);
    this.figures.keep(stamp, end.value);
    return ok(known(), end.issues);
  }

  /** Measures {@link gridFormats} of all layers, behind every other analysis; see {@link weightFigures}. */
  async grid(path: string, common: CommonOptions, signal?: AbortSignal): Promise<void> {
    const stamp = this.stamp(path);
    const measured = this.report(path)?.layers.filter(({ weightSqnr }) => weightSqnr) ?? [];
    const formats = gridFormats.filter((format) =>
      measured.some((one) => !(format in (one.weightSqnr ?? {}))),
    );
    if (!stamp || formats.length === 0) return;
    const key = this.store.key('grid', [stamp], formats);
    const stored = this.store.get<{ layers: readonly WeightReport[] }>(key);
    const layers = measured.map(({ name }) => name);
    const job = { kind: 'weights', model: path, formats, layers, ...common } as const;
    const found = stored ?? {
      layers: (await this.send<'weights'>(job, { lane: 'static', priority: -1 }, { signal })).value,
    };
    if (!found.layers) return;
    this.figures.keep(stamp, found.layers);
    if (!stored) this.store.put(key, found);
  }

  /**
   * Remembers a measured report as the best known for a file.
   * @param stamp state of the file that was measured; when the file changed since, the report is dropped.
   * @param fresh true for the first report of a run: figures of an earlier run with other data or settings go.
   */
  remember(path: string, report: AnalysisReport, stamp = this.stamp(path), fresh = false): void {
    if (!stamp || !sameStamp(stamp, this.stamp(path) ?? gone)) return;
    const held = this.reports.get(path);
    if (fresh && held) this.reports.set(path, { ...held, report: withoutActivations(held.report) });
    this.keep(path, stamp, report);
  }

  /** Forgets results in memory and on disk; returns the number of bytes freed on disk. */
  clear(): number {
    this.reports.clear();
    this.inspected.clear();
    this.figures.clear();
    return this.store.clear();
  }

  /** Process ids of the living children, for diagnosis and tests. */
  get children(): readonly number[] {
    return this.pool.pids;
  }

  /** Ends all children and closes files. */
  async dispose(): Promise<void> {
    this.open.clear();
    await this.pool.dispose();
  }

  /** Runs a job unless its result is known; `key` is undefined when a file is not there. */
  private async stored<K extends Job['kind']>(
    key: string | undefined,
    job: Extract<Job, { kind: K }>,
    context: JobContext<K>,
    fresh = false,
    priority = 0,
  ): Promise<JobEnd<K>> {
    const allowed = this.options.trusted() || !isNative(job);
    const known = key === undefined || fresh || !allowed ? undefined : this.store.get<JobEnd<K>>(key);
    if (known) return known;
    const end = await this.run<K>(job, context, priority);
    if (key !== undefined && end.value) this.store.put(key, { value: end.value, issues: end.issues });
    return end;
  }

  private comparisonKey(job: CompareJob | LayerDetailJob): string | undefined {
    const stamps = [job.float, job.quantized].map((file) => this.stamp(file));
    const files = stamps.filter((stamp) => stamp !== undefined);
    // Threads change the time, not the figures.
    const { threads: _threads, ...options } = job;
    const data = job.data === undefined ? [] : dataStamps(job.data.source);
    return files.length === stamps.length
      ? this.store.key(job.kind, [...files, ...data], options)
      : undefined;
  }

  private keep(path: string, stamp: FileStamp, report: AnalysisReport): AnalysisReport {
    const held = this.reports.get(path);
    const known = held && sameStamp(held.stamp, stamp) ? held.report : undefined;
    const merged = known ? mergeReports(known, report) : report;
    this.reports.set(path, { stamp, report: merged });
    return merged;
  }
}

/** Equals the state of no file. */
const gone: FileStamp = { path: '', size: -1, modified: -1 };
