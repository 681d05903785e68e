/** Job `measure`: activation and output error per scheme, on data or on ranges made without data. */
import type { AnalysisReport, Decibel, LayerReport, OutputReport, RangesFile } from '../../protocol/reports';
import { recipeScheme } from '../../protocol/views';
import { exportedPairs } from '../analysis/layer-pairs';
import { openLikelyFeeds } from '../analysis/likely-noise';
import { type ModelFacts, openModelFacts } from '../analysis/model-facts';
import type { ShadowResult } from '../analysis/run-shadow';
import { hasErrors, type Issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { parseRecipe } from '../format/recipe';
import { listLayers } from '../graph/layers';
import type { MeasureJob } from '../jobs';
import { makePlan, type QuantPlan } from '../methods/plan';
import { parseScheme } from '../numerics/scheme';
import type { ServedContext } from '../runtime/child';
import type { Feeds } from '../runtime/feeds';
import { rangesOf } from './calibrate';
import { type PreparedModel, withModel } from './open';
import { outputReport, quantizedTwin, simulate } from './simulate';

type Measured = 'local' | 'localWeights' | 'localActivations' | 'cumulative' | 'outputEffect';

export function measureHandler(job: MeasureJob, context: ServedContext): Promise<Outcome<AnalysisReport>> {
  return withModel(job.model, async (prepared) => {
    const collector = new Collector(prepared, job, context);
    return collector.run();
  });
}

/** Gathers figures per layer and scheme; `report` is complete in itself at any time. */
class Collector {
  private readonly base: ModelFacts;
  private readonly layers = new Map<string, Partial<Record<Measured, Record<string, Decibel>>>>();
  private readonly outputs: Record<string, OutputReport> = {};
  private readonly issues: Issue[] = [];
  private samples = 0;
  private ranges: RangesFile | undefined;

  constructor(
    private readonly prepared: PreparedModel,
    private readonly job: MeasureJob,
    private readonly context: ServedContext,
  ) {
    this.base = openModelFacts(prepared.open, { dimensions: job.dimensions });
  }

  async run(): Promise<Outcome<AnalysisReport>> {
    const { job, prepared, context } = this;
    this.ranges = job.ranges;
    if (!this.ranges && job.schemes.some(needsRanges)) {
      const ranges = await rangesOf(prepared, job.data, job.estimator, job, context);
      if (!ranges.value) return fail(...ranges.issues);
      this.ranges = ranges.value;
      this.issues.push(...ranges.issues);
    }
    // Without data the errors are measured on the same noise that stands in for it.
    const samples =
      job.data.source === 'none'
        ? Math.min(job.data.samples ?? noiseSamples, noiseSamples)
        : job.data.samples;
    const feeds = await openLikelyFeeds({ ...job.data, samples }, prepared.folded(), prepared.open.model);
    if (!feeds.value) return fail(...feeds.issues);
    this.issues.push(...feeds.issues.filter((one) => !this.issues.some((known) => known.code === one.code)));
    try {
      for (const scheme of job.schemes) {
        const failed = await this.measureScheme(scheme, feeds.value);
        if (failed) return fail(...failed);
      }
    } finally {
      feeds.value.close();
    }
    return ok(this.report(), this.issues);
  }

  private async measureScheme(scheme: string, feeds: Feeds): Promise<readonly Issue[] | undefined> {
    const { job, prepared } = this;
    const plan = planFor(prepared, scheme, job.recipe);
    if (!plan.value) return plan.issues;
    this.issues.push(...plan.issues);
    const result = await this.simulatePlan(
      plan.value,
      feeds,
      {
        local: job.metrics.includes('local'),
        cumulative: job.metrics.includes('cumulative'),
        output: true,
      },
      (partial) => {
        this.take(scheme, partial);
        this.context.partial(this.report());
      },
    );
    if (!result.value) return result.issues;
    this.take(scheme, result.value);
    if (!job.metrics.includes('output')) return undefined;
    return this.measureOutputEffects(scheme, plan.value, feeds);
  }

  /** Each layer alone quantized, everything else float, measured at the model output. */
  private async measureOutputEffects(
    scheme: string,
    plan: QuantPlan,
    feeds: Feeds,
  ): Promise<readonly Issue[] | undefined> {
    const quantized = plan.layers.filter((layer) => layer.form !== 'float');
    for (const [index, layer] of quantized.entries()) {
      const keepFloat = plan.layers.filter((other) => other.name !== layer.name).map((other) => other.name);
      const alone = planFor(this.prepared, scheme, this.job.recipe, keepFloat);
      if (!alone.value) return alone.issues;
      const quiet = { signal: this.context.signal, progress: () => {} };
      const result = await this.simulatePlan(
        alone.value,
        feeds,
        { local: false, cumulative: false, output: true },
        undefined,
        quiet,
      );
      if (!result.value) return result.issues;
      this.set(layer.name, 'outputEffect', scheme, outputReport(result.value, 'simulated').sqnr);
      this.context.progress({
        stage: 'measure',
        done: index + 1,
        total: quantized.length,
        unit: 'layers',
        detail: layer.name,
      });
      this.context.partial(this.report());
    }
    return undefined;
  }

  private async simulatePlan(
    plan: QuantPlan,
    feeds: Feeds,
    what: { local: boolean; cumulative: boolean; output: boolean },
    partial: ((result: ShadowResult) => void) | undefined,
    context: Pick<ServedContext, 'signal' | 'progress'> = this.context,
  ): Promise<Outcome<ShadowResult>> {
    const quantized = quantizedTwin(this.prepared, plan, this.ranges);
    if (!quantized.value || hasErrors(quantized.issues)) return fail(...quantized.issues);
    const float = this.prepared.folded();
    const planned = new Set(plan.layers.filter((layer) => layer.form !== 'float').map((layer) => layer.name));
    const pairs = exportedPairs(float, quantized.value).filter((pair) => planned.has(pair.name));
    return simulate({
      float,
      quantized: quantized.value,
      pairs,
      prepared: this.prepared,
      feeds,
      what,
      options: this.job,
      stage: 'measure',
      context,
      partial,
    });
  }

  private take(scheme: string, result: ShadowResult): void {
    for (const kind of ['local', 'localWeights', 'localActivations', 'cumulative'] as const) {
      for (const [name, db] of Object.entries(result.sqnr[kind])) this.set(name, kind, scheme, db);
    }
    this.outputs[scheme] = outputReport(result, 'simulated');
    this.samples = result.samples;
  }

  private set(name: string, kind: Measured, scheme: string, db: Decibel): void {
    const layer = this.layers.get(name) ?? {};
    layer[kind] = { ...layer[kind], [scheme]: db };
    this.layers.set(name, layer);
  }

  private report(): AnalysisReport {
    const layers: readonly LayerReport[] = this.base.layers.map((layer) => ({
      ...layer,
      ...this.layers.get(layer.name),
    }));
    const { source } = this.job.data;
    const noData = this.ranges?.data.noData ?? (source === 'none' ? ('noise' as const) : undefined);
    return {
      model: this.base.model,
      data: { source, samples: this.samples, ...(noData ? { noData } : {}) },
      layers,
      output: { ...this.outputs },
      issues: [...this.issues],
    };
  }
}

/** Samples of noise that stand in for data when there is none (contract: data `none`). */
const noiseSamples = 16;

function planFor(
  prepared: PreparedModel,
  scheme: string,
  recipe: string | undefined,
  keepFloat: readonly string[] = [],
): Outcome<QuantPlan> {
  const model = prepared.folded();
  const layers = listLayers(model);
  if (recipe === undefined || scheme !== recipeScheme) return makePlan({ model, layers, scheme, keepFloat });
  const parsed = parseRecipe(recipe);
  if (!parsed.recipe || hasErrors(parsed.issues)) return fail(...parsed.issues);
  return makePlan({ model, layers, recipe: parsed.recipe, keepFloat });
}

function needsRanges(scheme: string): boolean {
  return parseScheme(scheme).value?.activations !== 'float';
}
