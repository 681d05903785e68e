/**
 * Job `measure`: the three errors of each layer per scheme, on data or on ranges made without data. In the order in
 * which they are cheap: local of all schemes in one float session, the whole configuration beside the float network,
 * its parts, output effects by segments.
 */
import type { ActivationFacts, AnalysisReport, RangesFile } from '../../protocol/reports';
import { activationFacts } from '../analysis/activation-facts';
import { batchSizeFor } from '../analysis/batch-size';
import { ChannelPeaks } from '../analysis/input-channels';
import { joinedActivations } from '../analysis/joined-activations';
import { openLikelyFeeds } from '../analysis/likely-noise';
import { localSweep } from '../analysis/local-sweep';
import { countMacs } from '../analysis/macs';
import { openModelFacts } from '../analysis/model-facts';
import { type OpenSession, type OutputEffect, outputEffects } from '../analysis/output-effect';
import { ShadowFigures, type ShadowResult } from '../analysis/run-shadow';
import type { CutLayer } from '../analysis/segments';
import type { ShadowOptions } from '../analysis/shadow';
import { checkpoint } from '../base/cancel';
import { floatName } from '../base/format-names';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Model } from '../graph/ir';
import { listLayers } from '../graph/layers';
import type { MeasureJob } from '../jobs';
import type { ServedContext } from '../runtime/child';
import type { Feeds } from '../runtime/feeds';
import { openSession } from '../runtime/session-model';
import { rangesOf } from './calibrate';
import { Figures } from './figures';
import { findWorst } from './find-worst';
import {
  innerCumulative,
  innerEffects,
  innerLocal,
  innerRun,
  neverRuns,
  partlyQuantized,
} from './inner-layers';
import { inSinglePrecision, type PreparedModel, withModel } from './open';
import {
  asksInVain,
  floatBeside,
  layersOf,
  needsRanges,
  newIssues,
  type PreparedScheme,
  partOf,
  plannedPairs,
  prepareScheme,
} from './schemes';
import { simulate } from './simulate';
import { spaced } from './spaced';

export function measureHandler(job: MeasureJob, context: ServedContext): Promise<Outcome<AnalysisReport>> {
  return withModel(job.model, (prepared) => {
    // Quantized activations are float32 on both sides of their codes.
    const single = job.schemes.some(needsRanges) ? inSinglePrecision(prepared) : prepared;
    return new Measurement(single, job, context).run();
  });
}

/** Samples of noise that stand in for data when there is none (contract: data `none`). */
const noiseSamples = 16;

/** Multiply-accumulates of a whole sweep from which optimising its graph pays for itself (ResNet-50: one batch). */
const WORTH_OPTIMISING = 2e10;

/** Large samples run in twos: nothing is faster in larger batches, and memory stays small. */
const SWEEP_BATCH = 2;

/** As in `simulate.ts`. */
const LAYERS_AT_ONCE = 128;

/** What is told of a sample size from which {@link SWEEP_BATCH} holds. */
const LARGE_SAMPLE_BATCH = 8;

type Failed = readonly Issue[] | undefined;

class Measurement {
  private readonly figures: Figures;
  private readonly schemes: PreparedScheme[] = [];
  private readonly partial: (make: () => AnalysisReport) => void;
  private ranges: RangesFile | undefined;
  private activations: ReadonlyMap<string, ActivationFacts> = new Map();
  /** Output effects of layers inside bodies, by scheme. */
  private readonly innerEffects = new Map<string, ReadonlyMap<string, OutputEffect>>();

  constructor(
    private readonly prepared: PreparedModel,
    private readonly job: MeasureJob,
    private readonly context: ServedContext,
  ) {
    this.figures = new Figures(openModelFacts(prepared.open, { dimensions: job.dimensions }));
    const { widened: type } = prepared;
    if (type !== undefined) this.figures.issues.push(issue('measured-wider', { type }, {}, 'information'));
    this.partial = spaced((report: AnalysisReport) => context.partial(report));
  }

  async run(): Promise<Outcome<AnalysisReport>> {
    const { job, prepared, context, figures } = this;
    this.ranges = job.ranges;
    if (!this.ranges && job.schemes.some(needsRanges)) {
      const ranges = await rangesOf(prepared, job.data, job.estimator, job, context);
      if (!ranges.value) return fail(...ranges.issues);
      this.ranges = ranges.value;
      figures.issues.push(...ranges.issues);
    }
    this.activations = activationFacts(prepared.folded(), this.ranges?.stats);
    // Without data the errors are measured on the same noise that stands in for it.
    const samples =
      job.data.source === 'none'
        ? Math.min(job.data.samples ?? noiseSamples, noiseSamples)
        : job.data.samples;
    const feeds = await openLikelyFeeds({ ...job.data, samples }, prepared.folded(), prepared.open.model);
    if (!feeds.value) return fail(...feeds.issues);
    figures.issues.push(...newIssues(figures.issues, feeds.issues));
    try {
      const failed = await this.measure(feeds.value);
      return failed ? fail(...failed) : ok(this.report(), figures.issues);
    } finally {
      feeds.value.close();
    }
  }

  private async measure(feeds: Feeds): Promise<Failed> {
    const { job } = this;
    for (const name of job.schemes) {
      const scheme = prepareScheme(this.prepared, name, this.ranges, job.recipe);
      if (!scheme.value) return scheme.issues;
      this.figures.issues.push(...scheme.issues);
      this.schemes.push(scheme.value);
    }
    this.figures.joined = this.joined();
    const local = job.metrics.includes('local') ? await this.measureLocal(feeds) : undefined;
    if (local) return local;
    for (const scheme of this.schemes) {
      const failed = (await this.measureWhole(scheme, feeds)) ?? (await this.measureInner(scheme, feeds));
      if (failed) return failed;
    }
    if (job.findWorst !== undefined) {
      for (const scheme of this.schemes) {
        const failed = await this.findWorst(scheme, feeds, job.findWorst);
        if (failed) return failed;
      }
    }
    if (job.metrics.includes('output')) {
      for (const scheme of this.schemes) {
        const failed = await this.measureOutputEffects(scheme, feeds);
        if (failed) return failed;
      }
    }
    if (job.metrics.includes('cumulative')) {
      for (const scheme of this.schemes) {
        const failed = await this.measureParts(scheme, feeds);
        if (failed) return failed;
      }
    }
    return undefined;
  }

  /** What is joined in front of layers whose activations one of the schemes quantizes. */
  private joined() {
    const readers = this.schemes.flatMap(({ plan }) =>
      plan.layers.flatMap(({ name, activations }) => (activations === floatName ? [] : [name])),
    );
    return joinedActivations(this.prepared.folded(), this.ranges?.ranges ?? {}, new Set(readers));
  }

  /** Deep networks in parts, each cut behind its last layer: one session for all would take minutes to open. */
  private async measureLocal(feeds: Feeds): Promise<Failed> {
    const layers = Math.max(0, ...this.schemes.map(({ plan }) => plan.layers.length));
    for (let start = 0; start < layers; start += LAYERS_AT_ONCE) {
      const failed = await this.measureLocalPart(feeds, start, start + LAYERS_AT_ONCE);
      if (failed) return failed;
    }
    return undefined;
  }

  private async measureLocalPart(feeds: Feeds, start: number, end: number): Promise<Failed> {
    const { job, context, schemes } = this;
    const float = floatBeside(
      this.prepared,
      schemes.map((scheme) => scheme.twin),
    );
    const batchSize = batchSizeFor(float, job.dimensions);
    const { total } = countMacs(float, job.dimensions);
    const sweep = localSweep(
      float,
      schemes.map((scheme) => ({
        scheme: scheme.scheme,
        pairs: plannedPairs(float, scheme).slice(start, end),
      })),
    );
    // Every layer stays float, or is inside a subgraph.
    if (sweep.comparisons.every((comparisons) => comparisons.length === 0)) return undefined;
    const optimization = (total ?? 0) * feeds.count >= WORTH_OPTIMISING ? 'all' : 'disabled';
    const session = await this.open(sweep.model, optimization);
    if (!session.value) return session.issues;
    const figures = sweep.comparisons.map((comparisons) => new ShadowFigures(comparisons));
    const channels = sweep.channels.map((ends) => [ends, new ChannelPeaks(ends)] as const);
    const take = () => {
      for (const [{ layers }, { facts }] of channels) this.figures.takeChannels(layers, facts);
      schemes.forEach(({ scheme }, index) => {
        const result = figures[index]?.result();
        if (result) this.figures.takeLocal(scheme, result);
      });
    };
    let done = 0;
    context.progress({ stage: 'measure', done, total: feeds.count, unit: 'samples', detail: 'local' });
    try {
      for await (const batch of feeds.batches(runSizeFor(batchSize), context.signal)) {
        await checkpoint(context.signal);
        if (!batch.value) return batch.issues;
        const outputs = await session.value.run(batch.value.feeds);
        if (!outputs.value) return outputs.issues;
        for (const one of figures) one.add(outputs.value);
        for (const [, peaks] of channels) peaks.add(outputs.value);
        done += batch.value.count;
        this.figures.samples = done;
        context.progress({ stage: 'measure', done, total: feeds.count, unit: 'samples', detail: 'local' });
        this.partial(() => {
          take();
          return this.report();
        });
      }
    } finally {
      await session.value.release();
    }
    take();
    return undefined;
  }

  /** Everything quantized, layer by layer and at the output. */
  private async measureWhole(scheme: PreparedScheme, feeds: Feeds): Promise<Failed> {
    const take = (result: ShadowResult) => this.figures.takeWhole(scheme.scheme, result);
    const cumulative = this.job.metrics.includes('cumulative');
    const result = await this.runTwin(scheme, feeds, { cumulative, output: true }, take);
    if (!result.value) return result.issues;
    take(result.value);
    if (asksInVain(scheme)) this.figures.patchOutput(scheme.scheme, { activations: 'float' });
    return undefined;
  }

  /** Layers inside If, Loop and Scan bodies. */
  private async measureInner(scheme: PreparedScheme, feeds: Feeds): Promise<Failed> {
    const { prepared, job, context, figures } = this;
    if (job.metrics.length === 0) return undefined;
    const batchSize = batchSizeFor(scheme.twin, job.dimensions);
    const open: OpenSession = (model, level) => this.open(model, level);
    const input = { prepared, scheme, feeds, options: job, batchSize, open, context };
    const run = innerRun(input);
    const local = await innerLocal(run, partlyQuantized(scheme));
    if (!local.value && local.issues.length > 0) return local.issues;
    const idle = local.value?.idle ?? [];
    if (idle.length > 0) figures.issues.push(...newIssues(figures.issues, [neverRuns(idle)]));
    if (local.value && job.metrics.includes('local')) figures.takeLocal(scheme.scheme, local.value.errors);
    if (job.metrics.includes('cumulative')) {
      for (const { value, issues } of await innerCumulative(run)) {
        if (value) figures.takeCumulative(scheme.scheme, value);
        figures.issues.push(...newIssues(figures.issues, issues));
      }
    }
    if (!job.metrics.includes('output')) return undefined;
    const effects = await innerEffects(input, new Set(idle));
    if (!effects.value) return effects.issues;
    this.innerEffects.set(scheme.scheme, effects.value);
    return undefined;
  }

  /** The whole configuration with only its weights, then only its activations quantized. */
  private async measureParts(scheme: PreparedScheme, feeds: Feeds): Promise<Failed> {
    for (const part of ['weights', 'activations'] as const) {
      const reduced = partOf(this.prepared, scheme, part);
      if (!reduced) return undefined;
      if (!reduced.value) return reduced.issues;
      const take = (result: ShadowResult) => this.figures.takePart(scheme.scheme, part, result);
      const what = { cumulative: true, output: true };
      const result = await this.runTwin(reduced.value, feeds, what, undefined);
      if (!result.value) return result.issues;
      take(result.value);
    }
    return undefined;
  }

  private runTwin(
    scheme: PreparedScheme,
    feeds: Feeds,
    what: Omit<ShadowOptions, 'local'>,
    take: ((result: ShadowResult) => void) | undefined,
  ): Promise<Outcome<ShadowResult>> {
    const float = floatBeside(this.prepared, [scheme.twin]);
    return simulate({
      float,
      quantized: scheme.twin,
      pairs: plannedPairs(float, scheme),
      prepared: this.prepared,
      feeds,
      what: { ...what, local: false },
      options: this.job,
      stage: 'measure',
      context: this.context,
      partial:
        take &&
        ((result) =>
          this.partial(() => {
            take(result);
            return this.report();
          })),
    });
  }

  /** All that output effects are measured of, at once: where quantizers stand between layers, that is not the whole. */
  private async measureLayersTogether(scheme: PreparedScheme, feeds: Feeds): Promise<Failed> {
    const layers = layersOf(this.prepared, scheme);
    if (!layers) return undefined;
    if (!layers.value) return layers.issues;
    const result = await this.runTwin(layers.value, feeds, { cumulative: false, output: true }, undefined);
    if (!result.value) return result.issues;
    this.figures.takeLayersTogether(scheme.scheme, result.value);
    return undefined;
  }

  /** Each layer alone quantized, everything else float, at the model output: first estimated, then measured. */
  private async measureOutputEffects(scheme: PreparedScheme, feeds: Feeds): Promise<Failed> {
    const { job, context, prepared } = this;
    const failed = await this.measureLayersTogether(scheme, feeds);
    if (failed) return failed;
    const float = floatBeside(prepared, [scheme.twin]);
    const pairs = plannedPairs(float, scheme);
    const batchSize = batchSizeFor(float, job.dimensions);
    const result = await outputEffects({
      float,
      pairs,
      layers: cutLayers(float, job.dimensions),
      open: (model, level) => this.open(model, level),
      feeds,
      batchSize,
      runSize: runSizeFor(batchSize),
      dimensions: job.dimensions,
      seed: job.seed,
      signal: context.signal,
      progress: (done, total, detail) =>
        context.progress({
          stage: 'measure',
          ...inLayers(done, total, pairs.length),
          unit: 'layers',
          detail,
        }),
      effects: (effects) =>
        this.partial(() => {
          this.takeEffects(scheme, effects, pairs.length);
          return this.report();
        }),
    });
    if (!result.value) return result.issues;
    this.takeEffects(scheme, result.value, result.value.size);
    this.partial(() => this.report());
    return undefined;
  }

  /** Those of the main graph's layers beside those of layers inside bodies. */
  private takeEffects(
    { scheme }: PreparedScheme,
    effects: ReadonlyMap<string, OutputEffect>,
    layers: number,
  ): void {
    const inner = this.innerEffects.get(scheme) ?? new Map<string, OutputEffect>();
    this.figures.takeEffects(scheme, new Map([...inner, ...effects]), layers + inner.size);
  }

  private async findWorst(scheme: PreparedScheme, feeds: Feeds, count: number): Promise<Failed> {
    const float = floatBeside(this.prepared, [scheme.twin]);
    const found = await findWorst({
      float,
      pairs: plannedPairs(float, scheme),
      count,
      open: (model, level) => this.open(model, level),
      feeds,
      batchSize: batchSizeFor(float, this.job.dimensions),
      context: this.context,
    });
    if (!found.value) return found.issues;
    this.figures.patchOutput(scheme.scheme, found.value);
    this.partial(() => this.report());
    return undefined;
  }

  private open(model: Model, level: Parameters<OpenSession>[1]) {
    return openSession(model, this.prepared.open, {
      threads: this.job.threads,
      optimization: level === 'mapped' ? 'all' : level,
      // Quantizers stand where they stand: they are what is measured.
      configuration: { disable_quant_qdq: '1' },
      ...(level === 'all' ? {} : { prepack: false }),
    });
  }

  private report(): AnalysisReport {
    const { source } = this.job.data;
    const noData = this.ranges?.data.noData ?? (source === 'none' ? ('noise' as const) : undefined);
    const report = this.figures.report({ source, ...(noData ? { noData } : {}) });
    const { activations } = this;
    // What stays float clips nothing and wastes no levels.
    const floats = this.schemes.length > 0 && this.schemes.every(asksInVain);
    if (activations.size === 0 || floats) return report;
    const layers = report.layers.map((layer) => {
      const activation = activations.get(layer.name);
      return activation ? { ...layer, activation } : layer;
    });
    return { ...report, layers };
  }
}

/** Samples per run where samples are run in batches of `batchSize`. */
export function runSizeFor(batchSize: number): number {
  return batchSize === LARGE_SAMPLE_BATCH ? SWEEP_BATCH : batchSize;
}

/** Layers with their work; where a product cannot be counted, every weight counts once. */
export function cutLayers(model: Model, dimensions: Readonly<Record<string, number>>): readonly CutLayer[] {
  const { perNode } = countMacs(model, dimensions);
  const layers = listLayers(model).filter((layer) => layer.node.graph === model.graph);
  const counted = layers.every((layer) => typeof perNode.get(layer.node) === 'number');
  return layers.map(({ name, node, params }) => ({
    name,
    node,
    cost: counted ? (perNode.get(node) ?? params) : params,
    params,
  }));
}

/** Every batch runs all layers again: done parts of all batches, told as layers. */
export function inLayers(done: number, total: number, layers: number): { done: number; total: number } {
  return { done: total > 0 ? Math.floor((done * layers) / total) : 0, total: layers };
}
