/**
 * Job `examine`: what findings need beyond the errors of layers: whether attention keeps its order and what each remedy
 * gains. The recipe's edit is applied, the plan made and run, exactly as the quick fix and
 * `quantize` would.
 */
import type { Gain } from '../../protocol/issues';
import type { AttentionOrder, RemedyGain } from '../../protocol/remedies';
import type { Decibel, RangesFile } from '../../protocol/reports';
import { attentionOrders } from '../analysis/attention-order';
import { exportedPairs } from '../analysis/layer-pairs';
import type { ShadowResult } from '../analysis/run-shadow';
import { hasErrors } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { parseRecipe } from '../format/recipe';
import { editRecipeAll } from '../format/recipe-edit';
import { fixEdits } from '../format/recipe-fix';
import { listLayers } from '../graph/layers';
import type { ExamineJob, ExamineResult, RemedyQuestion } from '../jobs';
import { raiseOpset } from '../methods/opset';
import { makePlan, type QuantPlan } from '../methods/plan';
import type { ServedContext } from '../runtime/child';
import { type Feeds, openFeeds } from '../runtime/feeds';
import { rangesOf } from './calibrate';
import { inSinglePrecision, type PreparedModel, withModel } from './open';
import { outputReport, quantizedTwin, simulate } from './simulate';

/** Attention and per-sample spread are looked at on the first samples only: their figures settle quickly. */
const LOOKED_AT = 8;

export function examineHandler(job: ExamineJob, context: ServedContext): Promise<Outcome<ExamineResult>> {
  return withModel(job.model, async (opened) => {
    const prepared = inSinglePrecision(opened);
    const feeds = await openFeeds(job.data, prepared.folded());
    if (!feeds.value) return fail(...feeds.issues);
    try {
      return await new Examination(prepared, job, context, feeds.value).run();
    } finally {
      feeds.value.close();
    }
  });
}

interface Run {
  readonly plan: QuantPlan;
  readonly ranges: RangesFile | undefined;
  readonly result: ShadowResult;
}

class Examination {
  private readonly ranges = new Map<string, RangesFile>();
  /** By the text of the recipe: several remedies start from the same plan. */
  private readonly runs = new Map<string, Run>();

  constructor(
    private readonly prepared: PreparedModel,
    private readonly job: ExamineJob,
    private readonly context: ServedContext,
    private readonly feeds: Feeds,
  ) {
    if (job.ranges) this.ranges.set(job.ranges.estimator, job.ranges);
  }

  async run(): Promise<Outcome<ExamineResult>> {
    const { job } = this;
    const needed = job.plan || job.attention;
    const before = needed ? await this.measured(job.recipe) : undefined;
    if (before && !before.value) return fail(...before.issues);
    const attention = job.attention && before?.value ? await this.orders(before.value) : ok([]);
    if (!attention.value) return fail(...attention.issues);
    const remedies: RemedyGain[] = [];
    for (const question of job.remedies) {
      const gain = await this.gain(question);
      if (hasErrors(gain.issues)) return fail(...gain.issues);
      if (gain.value) remedies.push(gain.value);
    }
    const result = before?.value?.result;
    const output = result && outputReport(result, 'simulated');
    return ok({
      ...(output
        ? {
            plan: {
              sqnr: output.sqnr,
              agreement: output.topOneAgreement,
              samples: result.samples,
              local: result.sqnr.local,
            },
          }
        : {}),
      remedies,
      attention: attention.value,
    });
  }

  /** {@link measure}, once per recipe. */
  private async measured(text: string): Promise<Outcome<Run>> {
    const known = this.runs.get(text);
    if (known) return ok(known);
    const run = await this.measure(text);
    if (run.value) this.runs.set(text, run.value);
    return run;
  }

  /** The plan of a recipe, run against the float network. */
  private async measure(text: string): Promise<Outcome<Run>> {
    const { prepared, job, context } = this;
    const { recipe, issues } = parseRecipe(text);
    if (!recipe || hasErrors(issues)) return fail(...issues);
    const model = prepared.folded();
    const plan = makePlan({ model, layers: listLayers(model), recipe });
    if (!plan.value || hasErrors(plan.issues)) return fail(...plan.issues);
    const ranges = await this.rangesFor(plan.value);
    if (hasErrors(ranges.issues)) return fail(...ranges.issues);
    const quantized = quantizedTwin(prepared, plan.value, ranges.value);
    if (!quantized.value || hasErrors(quantized.issues)) return fail(...quantized.issues);
    const float = prepared.folded();
    // Both run as one graph, under the operator set that the plan needs.
    raiseOpset(float, plan.value.opset);
    const planned = new Set(
      plan.value.layers.filter((layer) => layer.form !== 'float').map((layer) => layer.name),
    );
    const result = await simulate({
      float,
      quantized: quantized.value,
      pairs: exportedPairs(float, quantized.value).filter((pair) => planned.has(pair.name)),
      prepared,
      feeds: this.feeds,
      what: { local: true, cumulative: false, output: true },
      options: job,
      stage: 'measure',
      context,
    });
    if (!result.value) return fail(...result.issues);
    return ok({ plan: plan.value, ranges: ranges.value, result: result.value });
  }

  private async rangesFor(plan: QuantPlan): Promise<Outcome<RangesFile | undefined>> {
    if (!plan.layers.some((layer) => layer.form !== 'float' && layer.activations !== 'float')) {
      return ok(undefined);
    }
    const known = this.ranges.get(plan.estimator);
    if (known) return ok(known);
    const made = await rangesOf(this.prepared, this.job.data, plan.estimator, this.job, this.context);
    if (made.value) this.ranges.set(plan.estimator, made.value);
    return made;
  }

  /** Nothing when the remedy changes nothing or its effect is undefined. */
  private async gain({
    fix,
    layers,
    recipe = this.job.recipe,
  }: RemedyQuestion): Promise<Outcome<RemedyGain | undefined>> {
    const edits =
      layers === undefined ? fixEdits(fix, undefined) : layers.flatMap((one) => fixEdits(fix, one));
    const edited = editRecipeAll(recipe, edits);
    if (edited.edits.length === 0) return ok(undefined);
    const before = await this.measured(recipe);
    if (!before.value) return fail(...before.issues);
    const after = await this.measure(edited.text);
    if (!after.value) return fail(...after.issues);
    const data = { source: this.job.data.source, samples: after.value.result.samples };
    const [old, now] = [
      outputReport(before.value.result, 'simulated'),
      outputReport(after.value.result, 'simulated'),
    ];
    const atOutput = gainOf('output', old.sqnr, now.sqnr, data);
    if (!atOutput) return ok(undefined);
    const output = layers === undefined ? atOutput : { ...atOutput, layers: layers.length };
    const local: Record<string, Gain> = {};
    for (const [layer, db] of Object.entries(after.value.result.sqnr.local)) {
      const gain = gainOf('local', before.value.result.sqnr.local[layer], db, data);
      if (gain && (layers === undefined || layers.includes(layer))) local[layer] = gain;
    }
    return ok({
      fix,
      ...(layers === undefined ? {} : { layers }),
      output,
      ...(old.topOneAgreement === null || now.topOneAgreement === null
        ? {}
        : { agreement: { before: old.topOneAgreement, after: now.topOneAgreement } }),
      local,
    });
  }

  private orders({ plan, ranges }: Run): Promise<Outcome<readonly AttentionOrder[]>> | Outcome<never> {
    const quantized = quantizedTwin(this.prepared, plan, ranges);
    if (!quantized.value) return fail(...quantized.issues);
    const float = this.prepared.folded();
    raiseOpset(float, plan.opset);
    return attentionOrders(float, quantized.value, this.probe());
  }

  private probe() {
    const { job, prepared, feeds, context } = this;
    return { source: prepared.open, feeds, threads: job.threads, samples: LOOKED_AT, signal: context.signal };
  }
}

function gainOf(
  of: Gain['of'],
  before: Decibel | undefined,
  after: Decibel | undefined,
  data: NonNullable<Gain['data']>,
): Gain | undefined {
  return typeof before === 'number' && typeof after === 'number' ? { of, before, after, data } : undefined;
}
