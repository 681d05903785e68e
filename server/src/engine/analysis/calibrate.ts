/**
 * Activation ranges of a model on samples: taps × feeds × range estimators, streaming. Estimators that only need
 * extremes get them reduced inside the session; memory does not grow with the samples. Without data, ranges come
 * from BatchNormalization parameters, else from seeded noise.
 */
import type { ActivationRange, DataSpec, RangesFile } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { ProgressSink } from '../base/progress';
import type { Model } from '../graph/ir';
import type { OpenModel } from '../graph/open';
import { opFacts } from '../graph/ops';
import { allNodes } from '../graph/walk';
import { createRandom, type Random } from '../numerics/random';
import { createEstimator, type Estimator, needsOnlyExtremes } from '../numerics/ranges';
import type { QuantScheme } from '../numerics/scheme';
import { type Feeds, noiseSamples } from '../runtime/feeds';
import { modelFileFingerprint } from '../runtime/file-fingerprint';
import { dimensionName } from '../runtime/model-inputs';
import type { RuntimeTensor, Session } from '../runtime/ort';
import { openSession } from '../runtime/session-model';
import { inferShapes, type ValueShape } from '../runtime/shapes';
import { type Tap, tapModel } from '../runtime/tap';
import { type ActivationTensor, activationTensors } from './activation-taps';
import { batchNormRanges, pixelRange } from './batch-norm-ranges';
import { batchSizeFor } from './batch-size';
import { inputMoments } from './input-moments';
import { openLikelyFeeds } from './likely-noise';

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
}

const DEFAULT_SCHEME = { bits: 8, signed: false, symmetric: false } as const;

/** Bytes of observed tensors that one run may return. */
const TAPPED_BYTES = 64 << 20;

/** Bytes of all tensors of one run together; onnxruntime frees most of them on the way. */
const COMPUTED_BYTES = 512 << 20;

/**
 * Elements of one tensor that a histogram gets: of larger ones a random part, one out of every stride, and the exact
 * extremes. Eight million leave 800 values beyond the 99.99th percentile.
 */
const OBSERVED_ELEMENTS = 8 << 20;

/** Stands for free dimensions when sizes are estimated: a sequence of tokens. */
const FREE_DIMENSION = 256;

/** A partial result may take this share of the time spent. */
const PARTIAL_SHARE = 0.1;

/** What the search of one range takes, roughly. */
const SEARCH_MILLISECONDS = 3;

/**
 * Ranges of all activation tensors that integer kernels may need.
 * @returns issues of `openFeeds`, `openSession`, `createEstimator`; the warning `tensor-not-finite` where NaN or
 *   infinities were seen.
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

interface Observed {
  readonly name: string;
  readonly taps: readonly Tap[];
  readonly estimator: Estimator;
  /** One of so many elements is looked at. */
  readonly stride: number;
}

class Calibration {
  private readonly tensors: readonly ActivationTensor[];
  private observed: readonly Observed[] = [];
  private fixed: ReadonlyMap<string, ActivationRange> = new Map();
  private header: Pick<RangesFile, 'model' | 'data'> | undefined;
  private samples = 0;
  private partialTime = 0;
  private readonly random = createRandom(0);
  private readonly startTime = performance.now();

  constructor(
    private readonly input: CalibrateInput,
    private readonly feeds: Feeds,
    private readonly estimatorId: string,
  ) {
    const named = input.tensors?.filter((name) => input.model.graph.values.has(name));
    this.tensors =
      named?.map((name) => ({ name, source: name, rough: false })) ?? activationTensors(input.model);
  }

  async run(): Promise<Outcome<RangesFile>> {
    const { input } = this;
    const none = input.data.source === 'none';
    if (none) this.fixed = batchNormRanges(input.open.model, input.model, input.data.preprocessing);
    this.header = await this.fingerprints(none ? (this.fixed.size > 0 ? 'batch-norm' : 'noise') : undefined);
    const shapes = await this.sampleShapes();
    if (shapes.value === undefined) return fail(...shapes.issues);
    this.observed = this.observers(shapes.value);
    // Everything followed from BatchNormalization.
    if (this.observed.length === 0) return this.finished();
    const tapped = tapModel(
      input.model,
      this.observed.flatMap((one) => one.taps),
    );
    const session = await openSession(tapped.model, input.open, {
      threads: input.threads,
      // Kernels of a higher level compute the same in float, but replace quantized patterns by other numerics.
      optimization: hasQuantizedNodes(input.model) ? 'basic' : 'all',
    });
    if (session.value === undefined) return fail(...session.issues);
    try {
      return await this.observeAll(session.value, tapped.outputs, this.batchSize(shapes.value));
    } finally {
      await session.value.release();
    }
  }

  private async observeAll(
    session: Session,
    outputs: readonly (readonly string[])[],
    batchSize: number,
  ): Promise<Outcome<RangesFile>> {
    const { signal, progress } = this.input;
    for await (const batch of this.feeds.batches(batchSize, signal)) {
      await checkpoint(signal);
      if (batch.value === undefined) return fail(...batch.issues);
      const ran = await session.run(batch.value.feeds);
      if (ran.value === undefined) return fail(...ran.issues);
      let at = 0;
      for (const { taps, estimator, stride } of this.observed) {
        for (const _ of taps) {
          const tensors = (outputs[at++] ?? []).flatMap((name) => ran.value?.[name] ?? []);
          estimator.observe(thinned(chunk(tensors), tensors.length > 1 ? 1 : stride, this.random));
        }
      }
      this.samples += batch.value.count;
      progress({ stage: 'calibrate', done: this.samples, total: this.feeds.count, unit: 'samples' });
      this.sendPartial();
    }
    return this.finished();
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

  /** One observer per source tensor; only float tensors are observed. */
  private observers(shapes: ReadonlyMap<string, ValueShape>): readonly Observed[] {
    const observed = new Map<string, Observed>();
    const extremes = needsOnlyExtremes(this.estimatorId);
    for (const { source, rough } of this.tensors) {
      const type = shapes.get(source)?.type;
      if (observed.has(source) || this.fixed.has(source) || !type?.startsWith('float')) continue;
      const estimator = createEstimator(rough && !extremes ? 'min-max' : this.estimatorId).value;
      if (!estimator) continue;
      const tap = { value: source, float: type === 'float32' };
      const whole = !extremes && !rough;
      const elements = elementsPerSample(shapes.get(source)?.shape ?? []) * this.feeds.count;
      const stride = whole ? Math.ceil(elements / OBSERVED_ELEMENTS) : 1;
      const taps: Tap[] = [];
      if (!whole || stride > 1) taps.push({ ...tap, what: 'extremes' });
      if (whole) taps.push({ ...tap, what: 'all' });
      observed.set(source, { name: source, taps, estimator, stride });
    }
    return [...observed.values()];
  }

  /** Shapes at batch 1, with free dimensions at a size that stands for them. */
  private async sampleShapes(): Promise<Outcome<ReadonlyMap<string, ValueShape>>> {
    const { model, open, data } = this.input;
    const dimensions: Record<string, number> = {};
    for (const input of model.graph.dataInputs) {
      input.shape?.forEach((dimension, axis) => {
        const name = dimensionName(dimension, input.name, axis);
        if (typeof name === 'string') dimensions[name] ??= axis === 0 ? 1 : FREE_DIMENSION;
      });
    }
    const sized = await inferShapes(model, open, { ...dimensions, ...data.dimensions });
    // A size that the model refuses is no reason to stop.
    return sized.value ? sized : inferShapes(model, open, data.dimensions);
  }

  private batchSize(shapes: ReadonlyMap<string, ValueShape>): number {
    const most = batchSizeFor(this.input.model, this.input.data.dimensions);
    const bytesOf = (name: string) => 4 * elementsPerSample(shapes.get(name)?.shape ?? []);
    let tapped = 1;
    for (const { name, taps } of this.observed)
      if (taps.some((tap) => tap.what === 'all')) tapped += bytesOf(name);
    let computed = 1;
    for (const name of shapes.keys()) computed += bytesOf(name);
    const limit = Math.floor(Math.min(TAPPED_BYTES / tapped, COMPUTED_BYTES / computed));
    return Math.max(1, Math.min(most, limit));
  }

  private sendPartial(): void {
    const { partial } = this.input;
    if (!partial) return;
    const searched = this.observed.filter(({ taps }) => taps.some((tap) => tap.what === 'all')).length;
    const before = performance.now();
    // Rendering ranges can be a search; it must not slow the calibration down.
    const cost = this.partialTime + searched * SEARCH_MILLISECONDS;
    if (searched > 0 && cost > PARTIAL_SHARE * (before - this.startTime)) return;
    partial(this.ranges());
    this.partialTime += performance.now() - before;
  }

  private ranges(): RangesFile {
    const { input, header } = this;
    const scheme = input.scheme ?? DEFAULT_SCHEME;
    const bySource = new Map<string, ActivationRange>(this.fixed);
    for (const { name, estimator } of this.observed) {
      if (estimator.count === 0) continue;
      const { min, max } = estimator.range(scheme);
      bySource.set(name, { min, max });
    }
    const ranges: Record<string, ActivationRange> = {};
    for (const { name, source } of this.tensors) {
      const range = this.fixed.get(name) ?? bySource.get(source);
      if (range) ranges[name] = range;
    }
    return {
      version: 1,
      model: header?.model ?? { path: input.open.path, fingerprint: '' },
      data: { ...(header?.data ?? { source: input.data.source, fingerprint: '' }), samples: this.samples },
      estimator: this.estimatorId,
      preprocessing: input.data.preprocessing,
      seed: input.data.seed,
      ranges,
    };
  }

  private notFinite(): readonly Issue[] {
    return this.observed
      .filter(({ estimator }) => estimator.nonFinite > 0)
      .map(({ name, estimator }) =>
        issue('tensor-not-finite', { tensor: name, count: estimator.nonFinite }, { tensor: name }, 'warning'),
      );
  }

  private async fingerprints(
    noData: 'batch-norm' | 'noise' | undefined,
  ): Promise<Pick<RangesFile, 'model' | 'data'>> {
    const { open, data, signal } = this.input;
    const fingerprint = await this.feeds.fingerprint(signal);
    return {
      model: { path: open.path, fingerprint: await modelFileFingerprint(open, signal) },
      data: { source: data.source, fingerprint, samples: 0, ...(noData ? { noData } : {}) },
    };
  }
}

/** What one run returned for a tap as one array: all elements, or [minimum, maximum]. */
function chunk(tensors: readonly RuntimeTensor[]): Float32Array {
  const [first, second] = tensors;
  if (second === undefined) return first?.data instanceof Float32Array ? first.data : new Float32Array(0);
  return Float32Array.of(Number(first?.data[0]), Number(second.data[0]));
}

/** One element out of every `stride` neighbours, chosen at random: a fixed step would meet the same channels again. */
function thinned(elements: Float32Array, stride: number, random: Random): Float32Array {
  if (stride <= 1) return elements;
  const part = new Float32Array(Math.floor(elements.length / stride));
  for (let index = 0; index < part.length; index++) {
    part[index] = elements[index * stride + (random.bits() % stride)] ?? 0;
  }
  return part;
}

function elementsPerSample(shape: readonly (number | string)[]): number {
  const [batch, ...rest] = shape;
  const size = (dimension: number | string) => (typeof dimension === 'number' ? dimension : FREE_DIMENSION);
  const first = typeof batch === 'number' ? batch : 1;
  return rest.reduce<number>((product, dimension) => product * size(dimension), first);
}

function hasQuantizedNodes(model: Model): boolean {
  for (const node of allNodes(model.graph)) if (opFacts(node).quantized) return true;
  return false;
}
