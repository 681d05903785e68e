/**
 * What each layer alone does to the model output: asked for by the user, or begun behind a calibration and put off
 * while anything the user waits for runs. Estimates come first; measured figures replace them as they arrive.
 */
import * as path from 'node:path';
import type { JobEnd } from '../../engine/index';
import { defaultEstimator } from '../../engine/methods/plan';
import { recipeData } from '../../engine/recipe-data';
import type { OutputEffectReply } from '../../protocol/lsp-ext';
import type { Progress } from '../../protocol/progress';
import type { AnalysisReport, DataSpec, RangesFile } from '../../protocol/reports';
import type { RunRecord } from '../../protocol/views';
import { problemLines } from '../../rules/problem-lines';
import { editorWords } from '../../rules/words';
import { recipePathOf, uriOf } from '../convert';
import type { JobHost } from './jobs';

/** The calibration whose figures an output effect stands beside. */
export interface Calibrated {
  readonly data: DataSpec;
  readonly estimator: string;
  readonly scheme: string;
  readonly seed: number;
  readonly recipe?: string;
  readonly ranges?: RangesFile;
}

export interface EffectContext {
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
}

export class OutputEffects {
  private readonly calibrated = new Map<string, Calibrated>();
  /** The model whose effects are due in the background, and what stops measuring them. */
  private due: string | undefined;
  private running: AbortController | undefined;

  constructor(
    private readonly host: JobHost,
    /** True while a job that someone waits for runs. */
    private readonly busy: () => boolean,
  ) {}

  /** A calibration ended: later effects stand on it, and begin by themselves where the setting says so. */
  keep(model: string, run: Calibrated): void {
    this.calibrated.set(model, run);
    if (this.host.workspace.measuresEffects) this.due = model;
  }

  /** The last calibration of a model. */
  last(model: string): Calibrated | undefined {
    return this.calibrated.get(model);
  }

  /** Measures the effects of a model now; after a cancel what was measured stays. */
  async measure(model: string, { signal, progress }: EffectContext): Promise<OutputEffectReply> {
    const began = performance.now();
    if (this.due === model) this.due = undefined;
    const end = await this.run(model, { signal, progress });
    const report = end.value ?? end.partial;
    const cancelled = end.issues.some(({ code }) => code === 'cancelled');
    return {
      state: cancelled ? 'cancelled' : end.value ? 'done' : 'failed',
      layers: report ? measuredLayers(report) : 0,
      seconds: (performance.now() - began) / 1000,
      problems: problemLines(end.issues),
    };
  }

  /** What a history says of a run. */
  record(model: string, reply: OutputEffectReply): Omit<RunRecord, 'id' | 'finishedAt'> {
    const run = this.settingsFor(model);
    return {
      kind: 'output-effect',
      request: { kind: 'output-effect' },
      modelUri: uriOf(model),
      seconds: reply.seconds,
      state: reply.state,
      scheme: run.scheme,
      estimator: run.estimator,
      source: run.data.source,
      samples: run.data.samples,
      summary: reply.problems[0] ?? editorWords.effectsMeasured(reply.layers),
    };
  }

  /** Gives way to a job that someone waits for; {@link resume} begins anew. */
  giveWay(): void {
    this.running?.abort();
  }

  /** Begins or takes up again what is due, once nobody waits. */
  resume(): void {
    const model = this.due;
    if (model === undefined || this.running || this.busy()) return;
    const controller = new AbortController();
    this.running = controller;
    const progress = this.host.progress(editorWords.outputEffect, undefined);
    void this.run(model, { signal: controller.signal, progress: progress.report }).then((end) => {
      progress.end();
      this.running = undefined;
      // Given way: it stays due. Whatever else ended it would end it again.
      if (!controller.signal.aborted && this.due === model) this.due = undefined;
      if (end.value) this.host.log(`output effect of ${model}: measured`);
      this.resume();
    });
  }

  dispose(): void {
    this.due = undefined;
    this.running?.abort();
  }

  /** The last calibration's; before one, the data that the recipe beside the model names, or none. */
  private settingsFor(model: string): Calibrated {
    const calibrated = this.calibrated.get(model);
    if (calibrated) return calibrated;
    const file = recipePathOf(model);
    const { recipe } = this.host.workspace.recipe(uriOf(file), file) ?? {};
    const data = recipe && recipeData(recipe, path.dirname(file), withoutData.seed);
    return {
      ...withoutData,
      ...(data ? { data } : {}),
      estimator: recipe?.default.estimator ?? withoutData.estimator,
    };
  }

  private async run(model: string, { signal, progress }: EffectContext): Promise<JobEnd<'measure'>> {
    const { workspace, engine } = this.host;
    const { scheme, ...run } = this.settingsFor(model);
    const taking = workspace.measuring(model, !this.calibrated.has(model));
    const end = await engine.run<'measure'>(
      { kind: 'measure', model, ...workspace.common(), ...run, schemes: [scheme], metrics: ['output'] },
      { signal, progress, partial: taking.take },
    );
    taking.end(end.value ?? end.partial);
    this.host.ended(end.issues);
    return end;
  }
}

/** Where no calibration came before: what a new recipe and the panel begin with, on ranges made without data. */
const withoutData: Calibrated = {
  data: { source: 'none', samples: 16, seed: 0, preprocessing: {}, dimensions: {} },
  estimator: defaultEstimator,
  scheme: 'w8a8',
  seed: 0,
};

function measuredLayers({ layers }: AnalysisReport): number {
  return layers.filter(({ outputEffect, outputEffectBasis }) =>
    Object.keys(outputEffect ?? {}).some((scheme) => outputEffectBasis?.[scheme] !== 'estimated'),
  ).length;
}
