/**
 * Activation ranges of a model on samples: taps × feeds × range estimators, streaming. Extremes are reduced inside the
 * session; where an estimator needs all elements they are counted and given back at once, a few samples at a time, so
 * that memory stays that of plain inference. Without data, ranges come from BatchNormalization parameters, else from
 * seeded noise.
 */
import type { ActivationFacts, ActivationRange, DataSpec, RangesFile } from '../../protocol/reports';
import { Cancelled, checkpoint } from '../base/cancel';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { ProgressSink } from '../base/progress';
import type { Model } from '../graph/ir';
import type { OpenModel } from '../graph/open';
import { opFacts } from '../graph/ops';
import { allNodes } from '../graph/walk';
import { createRandom } from '../numerics/random';
import { createEstimator, judgesOutputs, needsOnlyExtremes } from '../numerics/ranges';
import { relaxed } from '../numerics/ranges/estimator';
import type { QuantScheme } from '../numerics/scheme';
import { type FeedBatch, type Feeds, noiseSamples } from '../runtime/feeds';
import { modelFileFingerprint } from '../runtime/file-fingerprint';
import { type FreeTensors, tensorDrain } from '../runtime/free';
import { dimensionName } from '../runtime/model-inputs';
import type { RuntimeTensor, Session } from '../runtime/ort';
import { openSession } from '../runtime/session-model';
import { inferShapes, type ValueShape } from '../runtime/shapes';
import { type ActivationTensor, activationTensors } from './activation-taps';
import { batchNormRanges, pixelRange } from './batch-norm-ranges';
import { calibrationTaps, readTap } from './calibrate-taps';
import { FREE_DIMENSION, watchedBatchSize, watchesFor } from './calibrate-watches';
import { type CalibrationState, checkState, stateKey, stateVersion } from './calibration-state';
import { type FetchPlan, fetchPlans } from './fetch-plan';
import { inputMoments } from './input-moments';
import { openLikelyFeeds } from './likely-noise';
import { cosineSteps, type OutputCosine, outputCosine } from './output-cosine';
import { FIRST_LOOK, FIRST_LOOK_UNASKED, RangeStability, STABLE_SHARE } from './range-stability';
import type { TensorWatch } from './tensor-watch';
import { knownSizes } from './value-sizes';

export interface CalibrateInput {
  readonly open: OpenModel;
  /** The model after BatchNormalization folding; not changed. */
  readonly model: Model;
  readonly data: DataSpec;
  /** As the contract writes it: `mse`, `percentile:99.99`, … */
  readonly estimator: string;
  /** Format that estimators search the best range for; default 8 bits, asymmetric. */
  readonly scheme?: Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>;
  readonly threads: number;
  /** Names of tensors; default {@link activationTensors}. */
  readonly tensors?: readonly string[];
  readonly signal?: AbortSignal;
  readonly progress: ProgressSink;
  /** Complete in itself after every batch. */
  readonly partial?: (ranges: RangesFile) => void;
  /** Stop once more samples no longer move the ranges. Default: when no number of samples is asked for. */
  readonly untilStable?: boolean;
  /** Where an earlier calibration stopped; of another model, other data or options it is refused: `ranges-stale`. */
  readonly resume?: CalibrationState;
  /** False leaves fingerprints empty: ranges that nobody keeps need none, and hashing a large model takes a while. */
  readonly fingerprints?: boolean;
  /** Gets the state from time to time, and when cancelled; made only when it is called. */
  readonly keep?: (state: () => CalibrationState) => void;
}

const DEFAULT_SCHEME = { bits: 8, signed: false, symmetric: false } as const;

/** With an estimator that needs extremes only, one run in so many shows elements, for the facts. */
const LOOK_EVERY = 2;

/** Milliseconds before the first state to resume from, and between two. */
const KEEP_FIRST = 300;
const KEEP_INTERVAL = 1000;

/** A partial result may take this share of the time spent. */
const PARTIAL_SHARE = 0.1;

/** What the search of one range takes, roughly. */
const SEARCH_MILLISECONDS = 1;

/**
 * Ranges of all activation tensors that integer kernels may need.
 * @returns issues of `openFeeds`, `openSession`, `createEstimator`; the warning `activation-not-finite` where NaN
 *   or infinities were left out.
 */
export async function calibrate(input: CalibrateInput): Promise<Outcome<RangesFile>> {
  const estimator = createEstimator(input.estimator);
  if (estimator.value === undefined) return fail(...estimator.issues);
  const none = input.data.source === 'none';
  const data = none ? { ...input.data, samples: noiseSamples } : input.data;
  const feeds = await openLikelyFeeds(data, input.model, input.open.model);
  if (feeds.value === undefined) return fail(...feeds.issues);
  try {
    const run = new Calibration(input, feeds.value, estimator.value.id);
    const outcome = await run.run();
    return { value: outcome.value, issues: [...feeds.issues, ...outcome.issues] };
  } finally {
    feeds.value.close();
  }
}

/** `ranges-stale` when a ranges file was made from another model, or from other data where that is asked. */
export function checkRanges(
  ranges: RangesFile,
  modelFingerprint: string,
  path: string,
  dataFingerprint?: string,
): readonly Issue[] {
  const stale = (what: 'model' | 'data' | 'version') => [issue('ranges-stale', { what, path }, { path })];
  if (ranges.version !== 1) return stale('version');
  if (ranges.model.fingerprint !== modelFingerprint) return stale('model');
  return dataFingerprint !== undefined && ranges.data.fingerprint !== dataFingerprint ? stale('data') : [];
}

/** An open session on the tapped network, and which of its outputs runs fetch. */
interface Watched {
  readonly session: Session;
  readonly plans: ReturnType<typeof fetchPlans>;
}

class Calibration {
  private readonly tensors: readonly ActivationTensor[];
  private watches: readonly TensorWatch[] = [];
  private fixed: ReadonlyMap<string, ActivationRange> = new Map();
  private header: Pick<RangesFile, 'model' | 'data'> | undefined;
  private samples = 0;
  private stable = false;
  private judged: OutputCosine | undefined;
  private session: Session | undefined;
  private fixedShapes = true;
  private partialTime = 0;
  private keptAt = 0;
  private readonly startTime = performance.now();

  constructor(
    private readonly input: CalibrateInput,
    private readonly feeds: Feeds,
    private readonly estimatorId: string,
  ) {
    const named = input.tensors?.filter((name) => input.model.graph.values.has(name));
    this.tensors = named?.map((name) => ({ name, source: name })) ?? activationTensors(input.model);
  }

  async run(): Promise<Outcome<RangesFile>> {
    const { input } = this;
    const none = input.data.source === 'none';
    if (none) this.fixed = batchNormRanges(input.open.model, input.model, input.data.preprocessing);
    this.header = await this.fingerprints(none ? (this.fixed.size > 0 ? 'batch-norm' : 'noise') : undefined);
    const shapes = await this.sampleShapes();
    if (shapes.value === undefined) return fail(...shapes.issues);
    this.watches = watchesFor({
      ...{ model: input.model, data: input.data, tensors: this.tensors, shapes: shapes.value },
      ...{ estimator: this.estimatorId, samples: this.feeds.count, known: new Set(this.fixed.keys()) },
    });
    const stale = this.resume();
    if (stale.length > 0) return fail(...stale);
    const batchSize = watchedBatchSize(input.model, input.data, shapes.value, this.watches);
    // Otherwise everything followed from BatchNormalization, or was seen before.
    if (this.watches.length > 0 && this.samples < this.feeds.count) {
      const failed = await this.observeSamples(batchSize);
      if (failed.length > 0) return fail(...failed);
    }
    const failed = judgesOutputs(this.estimatorId) ? await this.judgeOutputs() : [];
    return failed.length > 0 ? fail(...failed) : this.finished();
  }

  private async observeSamples(batchSize: number): Promise<readonly Issue[]> {
    try {
      return await this.observeAll(batchSize);
    } catch (error) {
      if (error instanceof Cancelled && this.samples > 0) this.input.keep?.(() => this.state());
      throw error;
    } finally {
      await this.session?.release();
    }
  }

  /** Opens the session that shows what the watches ask for now, in place of an earlier one. */
  private async watchedSession(): Promise<Outcome<Watched>> {
    await this.session?.release();
    this.session = undefined;
    const { input, watches } = this;
    // Kernels of a higher level compute the same in float, but replace quantized patterns by other numerics.
    const quantized = hasQuantizedNodes(input.model);
    const taps = calibrationTaps(
      input.model,
      watches.map(({ tap }) => tap),
      { pooled: !quantized, fixed: this.fixedShapes },
    );
    const opened = await openSession(taps.model, input.open, {
      threads: input.threads,
      optimization: quantized ? 'basic' : 'all',
    });
    if (opened.value === undefined) return fail(...opened.issues);
    this.session = opened.value;
    return ok({ session: opened.value, plans: fetchPlans(watches, taps) });
  }

  private async observeAll(batchSize: number): Promise<readonly Issue[]> {
    const { signal, progress } = this.input;
    const watched = await this.watchedSession();
    if (watched.value === undefined) return watched.issues;
    let { session, plans } = watched.value;
    const free = await tensorDrain();
    const stability = this.stability();
    const start = { done: this.samples, total: this.feeds.count };
    if (judgesOutputs(this.estimatorId))
      progress({ stage: 'calibrate', ...start, unit: 'samples', ...this.outlook(start.total) });
    let runs = 0;
    for await (const batch of this.feeds.batches(batchSize, signal, this.samples)) {
      await checkpoint(signal);
      if (batch.value === undefined) return batch.issues;
      const { value } = batch;
      const plan = runs++ % LOOK_EVERY === 0 ? plans.whole : plans.usual;
      const ran = await session.run(value.feeds, plan.names);
      if (ran.value === undefined) return ran.issues;
      const spoiled = this.observe(plan, ran.value, value, free);
      if (spoiled.length > 0) {
        for (const watch of spoiled) watch.lookCarefully();
        const careful = await this.watchedSession();
        if (careful.value === undefined) return careful.issues;
        ({ session, plans } = careful.value);
        const again = await session.run(value.feeds, plans.usual.names);
        if (again.value === undefined) return again.issues;
        const fetched = plans.usual.fetched.filter(({ watch }) => spoiled.includes(watch));
        this.observe({ ...plans.usual, fetched }, again.value, value, free);
      }
      this.samples += value.count;
      const { count: total } = this.feeds;
      if (this.samples < total && stability?.due(this.samples)) {
        this.stable = stability.look(this.samples, this.render().ranges);
      }
      const done = { done: this.samples, total: this.stable ? this.samples : total };
      progress({ stage: 'calibrate', ...done, unit: 'samples', ...this.outlook(total) });
      this.sendPartial();
      this.keepState();
      if (this.stable) break;
    }
    if (this.stable && this.header?.data.fingerprint) {
      const fingerprint = await this.feeds.fingerprint(signal, this.samples);
      this.header = { ...this.header, data: { ...this.header.data, fingerprint } };
    }
    return [];
  }

  /** What a line of progress says beside its figures: above all what follows, where that takes far longer. */
  private outlook(total: number): { readonly detail?: string } {
    if (this.stable) return { detail: `stable after ${this.samples} of ${total}` };
    if (!judgesOutputs(this.estimatorId)) return {};
    const steps = cosineSteps(this.input.model, total);
    return { detail: `then ${steps} steps of output cosine, each of several forwards: mse takes none` };
  }

  /** Replaces what tensors tell alone where a layer's output tells better. */
  private async judgeOutputs(): Promise<readonly Issue[]> {
    const { model, open, threads, signal, progress } = this.input;
    const wholes = new Map<string, ActivationRange>();
    for (const { name, estimator } of this.watches) {
      const { min, max } = relaxed(estimator.min, estimator.max, false);
      if (estimator.count > 0 && max > min) wholes.set(name, { min, max });
    }
    const { feeds } = this;
    const common = { open, model, feeds, threads, signal, progress };
    const found = await outputCosine({ ...common, ranges: wholes });
    this.judged = found.value;
    return found.value === undefined ? found.issues : [];
  }

  /** @returns watches whose extremes are not finite: they took nothing in. */
  private observe(
    { fetched, taps }: FetchPlan,
    values: Readonly<Record<string, RuntimeTensor>>,
    { first, count }: FeedBatch,
    free: FreeTensors,
  ): readonly TensorWatch[] {
    // Seeded by position, so that a resumed calibration draws what the whole one would have drawn.
    const random = createRandom(first);
    const spoiled: TensorWatch[] = [];
    for (const { watch, shown } of fetched) {
      const { ends, elements } = readTap(taps, shown, values, count);
      const known = extremesOf(ends);
      if (known?.every(Number.isFinite) === false) spoiled.push(watch);
      else watch.observe({ extremes: known, shown: elements }, count, random);
    }
    free(Object.values(values));
    return spoiled;
  }

  private finished(): Outcome<RangesFile> {
    const ranges = this.ranges();
    return ok(ranges, [...this.notFinite(), ...this.assumptions(ranges)]);
  }

  /** Nothing in a file says how its pixels are scaled: what was assumed in place of data is told. */
  private assumptions({ ranges }: RangesFile): readonly Issue[] {
    const { data, model, open } = this.input;
    if (data.source !== 'none' || this.fixed.size === 0 || pixelRange(data.preprocessing)) return [];
    const told = inputMoments(open.model)?.input;
    return model.graph.dataInputs.flatMap(({ name: input }) => {
      const range = ranges[input];
      if (!range) return [];
      const from = input === told ? 'batch-norm' : 'noise';
      return issue('input-assumed', { input, ...range, from }, { tensor: input }, 'warning');
    });
  }

  /** Shapes at batch 1, with free dimensions at a size that stands for them. */
  private async sampleShapes(): Promise<Outcome<ReadonlyMap<string, ValueShape>>> {
    const { model, open, data } = this.input;
    const dimensions: Record<string, number> = {};
    for (const input of model.graph.dataInputs) {
      input.shape?.forEach((dimension, axis) => {
        const name = dimensionName(dimension, input.name, axis);
        if (typeof name !== 'string') return;
        dimensions[name] ??= axis === 0 ? 1 : FREE_DIMENSION;
        if (axis !== 0 && data.dimensions[name] === undefined) this.fixedShapes = false;
      });
    }
    const bound: Readonly<Record<string, number>> = { ...dimensions, ...data.dimensions };
    const known = knownSizes(
      model,
      this.tensors.map(({ source }) => source),
      (name, input) => (name === undefined ? (input ? 1 : undefined) : bound[name]),
    );
    if (known) return ok(known);
    const sized = await inferShapes(model, open, bound);
    // A size that the model refuses is no reason to stop.
    return sized.value ? sized : inferShapes(model, open, data.dimensions);
  }

  private stability(): RangeStability | undefined {
    const { untilStable, data } = this.input;
    const asked = untilStable === true;
    if (untilStable === false || (!asked && data.samples !== undefined)) return undefined;
    return new RangeStability(asked ? FIRST_LOOK : FIRST_LOOK_UNASKED);
  }

  private sendPartial(): void {
    const { partial } = this.input;
    if (!partial) return;
    const searched = needsOnlyExtremes(this.estimatorId) ? 0 : this.watches.length;
    const before = performance.now();
    // Rendering ranges can be a search; it must not slow the calibration down.
    const cost = this.partialTime + searched * SEARCH_MILLISECONDS;
    if (searched > 0 && cost > PARTIAL_SHARE * (before - this.startTime)) return;
    partial(this.ranges());
    this.partialTime += performance.now() - before;
  }

  /** Takes up where an earlier calibration stopped; issues when that was another one. */
  private resume(): readonly Issue[] {
    const { resume, open } = this.input;
    if (!resume) return [];
    const stale = checkState(resume, this.key(), open.path);
    if (stale.length > 0) return stale;
    for (const watch of this.watches) {
      const state = resume.tensors[watch.name];
      if (!state) return [issue('ranges-stale', { what: 'version', path: open.path }, { path: open.path })];
      watch.restore(state);
    }
    this.samples = resume.samples;
    return [];
  }

  private keepState(): void {
    const { keep } = this.input;
    const now = performance.now();
    const due = this.keptAt === 0 ? this.startTime + KEEP_FIRST : this.keptAt + KEEP_INTERVAL;
    if (!keep || now < due) return;
    keep(() => this.state());
    this.keptAt = performance.now();
  }

  private state(): CalibrationState {
    const tensors = Object.fromEntries(this.watches.map((watch) => [watch.name, watch.save()]));
    return { version: stateVersion, key: this.key(), samples: this.samples, tensors };
  }

  private key(): CalibrationState['key'] {
    const { data, scheme } = this.input;
    const { model, data: fingerprints } = this.header ?? {};
    return stateKey({
      model: model?.fingerprint ?? '',
      data: fingerprints?.fingerprint ?? '',
      options: {
        estimator: this.estimatorId,
        scheme: scheme ?? DEFAULT_SCHEME,
        source: data.source,
        seed: data.seed,
        preprocessing: data.preprocessing,
        dimensions: data.dimensions,
        count: this.feeds.count,
        tensors: this.watches.map(({ name }) => name),
      },
    });
  }

  private render(): Pick<RangesFile, 'ranges' | 'stats'> {
    const scheme = this.input.scheme ?? DEFAULT_SCHEME;
    const bySource = new Map<string, ActivationRange>(this.fixed);
    const stats: Record<string, ActivationFacts> = {};
    for (const watch of this.watches) {
      if (watch.estimator.count === 0) continue;
      const { min, max } = this.judged?.ranges.get(watch.name) ?? watch.estimator.range(scheme);
      bySource.set(watch.name, { min, max });
      const facts = watch.facts({ min, max }, scheme);
      if (facts) stats[watch.name] = facts;
    }
    const ranges: Record<string, ActivationRange> = {};
    for (const { name, source } of this.tensors) {
      const range = this.fixed.get(name) ?? bySource.get(source);
      if (range) ranges[name] = range;
    }
    return { ranges, stats };
  }

  private ranges(): RangesFile {
    const { input, header } = this;
    const base = header?.data ?? { source: input.data.source, fingerprint: '' };
    const stable = this.stable ? { stable: { of: this.feeds.count, share: STABLE_SHARE } } : {};
    return {
      version: 1,
      model: header?.model ?? { path: input.open.path, fingerprint: '' },
      data: { ...base, samples: this.samples, ...stable },
      estimator: this.estimatorId,
      preprocessing: input.data.preprocessing,
      seed: input.data.seed,
      ...this.render(),
      ...(this.judged ? { weightRatios: this.judged.weights } : {}),
    };
  }

  private notFinite(): readonly Issue[] {
    return this.watches
      .filter(({ estimator }) => estimator.nonFinite > 0)
      .map(({ name, estimator: { nonFinite: count, count: finite } }) => {
        const facts = { tensor: name, count, share: count / (count + finite) };
        return issue('activation-not-finite', facts, { tensor: name }, 'warning');
      });
  }

  private async fingerprints(
    noData: 'batch-norm' | 'noise' | undefined,
  ): Promise<Pick<RangesFile, 'model' | 'data'>> {
    const { open, data, signal, fingerprints = true } = this.input;
    const fingerprint = fingerprints ? await this.feeds.fingerprint(signal) : '';
    const model = fingerprints ? await modelFileFingerprint(open, signal) : '';
    return {
      model: { path: open.path, fingerprint: model },
      data: { source: data.source, fingerprint, samples: 0, ...(noData ? { noData } : {}) },
    };
  }
}

/** Alone stands the largest value of what is never negative. */
function extremesOf([one, other]: readonly number[]): Float32Array | undefined {
  if (one === undefined) return undefined;
  return other === undefined ? Float32Array.of(0, one) : Float32Array.of(one, other);
}

function hasQuantizedNodes(model: Model): boolean {
  for (const node of allNodes(model.graph)) if (opFacts(node).quantized) return true;
  return false;
}
