/** Runs a {@link ShadowModel} over samples and adds up its scalars; memory does not grow with the samples. */
import type { Decibel, ErrorMetrics } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import { type Outcome, ok } from '../base/outcome';
import type { ProgressSink, ProgressStage } from '../base/progress';
import { klDivergence, topOneAgreement } from '../numerics/metrics';
import type { Feeds } from '../runtime/feeds';
import type { RuntimeTensor, Session } from '../runtime/ort';
import { ComparisonSums, scalar } from './comparisons';
import {
  type Comparison,
  type ComparisonKind,
  comparisonKinds,
  type ScoreOutputs,
  type ShadowModel,
} from './shadow';
import { VaryingSums } from './varying';

export interface ShadowResult {
  readonly samples: number;
  /** dB per comparison kind and name. */
  readonly sqnr: Readonly<Record<ComparisonKind, Readonly<Record<string, Decibel>>>>;
  /** Share of rows (samples, or sample positions) with the same top class; null without class scores. */
  readonly topOneAgreement: number | null;
  /** Beside the dB, per comparison kind and name. */
  readonly metrics: Readonly<Record<ComparisonKind, Readonly<Record<string, ErrorMetrics>>>>;
  /** Mean KL(softmax x ‖ softmax x̂) in nats at the output that holds class scores; null without one. */
  readonly divergence: number | null;
  /** dB of the first compared output without its mean over the samples; missing where it is not known. */
  readonly varying?: Decibel;
  /** Σe² of the first compared output by run, with the samples of each. */
  readonly runs?: readonly { readonly samples: number; readonly noise: number }[];
}

export interface RunShadowInput {
  readonly shadow: ShadowModel;
  readonly session: Session;
  readonly feeds: Feeds;
  readonly batchSize: number;
  readonly stage: ProgressStage;
  readonly signal?: AbortSignal;
  readonly progress: ProgressSink;
  /** Result so far, after every batch. */
  readonly partial?: (result: ShadowResult) => void;
}

export async function runShadow(input: RunShadowInput): Promise<Outcome<ShadowResult>> {
  const { shadow, session, feeds } = input;
  const figures = new ShadowFigures(shadow.comparisons, shadow.topOne);
  let samples = 0;
  const output = shadow.comparisons.find(({ kind }) => kind === 'output');
  const runs: { samples: number; noise: number }[] = [];
  const varying = new VaryingSums();
  const result = (): ShadowResult => {
    const { sqnr } = varying;
    return { samples, ...figures.result(), ...(sqnr === undefined ? {} : { varying: sqnr }), runs };
  };
  for await (const batch of feeds.batches(input.batchSize)) {
    await checkpoint(input.signal);
    if (!batch.value) return { value: undefined, issues: batch.issues };
    const ran = await session.run(batch.value.feeds);
    if (!ran.value) return { value: undefined, issues: ran.issues };
    figures.add(ran.value);
    const [exact, close] = [shadow.whole?.exact, shadow.whole?.close].map((name) => ran.value?.[name ?? '']);
    if (exact?.data instanceof Float32Array && close?.data instanceof Float32Array)
      varying.add(exact.data, close.data, exact.dims, batch.value.count);
    samples += batch.value.count;
    if (output) runs.push({ samples: batch.value.count, noise: scalar(ran.value[output.noise]) });
    input.progress({ stage: input.stage, done: samples, total: feeds.count, unit: 'samples' });
    input.partial?.(result());
  }
  return ok(result());
}

/** Adds up the outputs of a session that makes comparisons. */
export class ShadowFigures {
  private readonly sums: readonly ComparisonSums[];
  private readonly scored = { rows: 0, agreeing: 0, divergence: 0 };

  constructor(
    private readonly comparisons: readonly Comparison[],
    private readonly scores?: ScoreOutputs,
  ) {
    this.sums = comparisons.map(() => new ComparisonSums());
  }

  add(outputs: Readonly<Record<string, RuntimeTensor>>): void {
    this.comparisons.forEach((comparison, index) => {
      this.sums[index]?.add(outputs, comparison);
    });
    const { scores, scored } = this;
    if (!scores) return;
    addAgreement(scored, outputs[scores.float], outputs[scores.quantized]);
    if (scores.divergence !== undefined) scored.divergence += scalar(outputs[scores.divergence]);
  }

  result(): Omit<ShadowResult, 'samples'> {
    const db = byKind<Decibel>();
    const metrics = byKind<ErrorMetrics>();
    this.comparisons.forEach(({ kind, name }, index) => {
      const sums = this.sums[index];
      db[kind][name] = sums?.sqnr ?? null;
      const figures = sums?.metrics;
      if (figures) metrics[kind][name] = figures;
    });
    return {
      sqnr: db,
      metrics,
      topOneAgreement: topOneAgreement(this.scored),
      divergence: this.scores?.divergence === undefined ? null : divergenceOf(this.scored),
    };
  }
}

/** Rounding of float32 terms may leave a tiny negative number; the divergence never is. */
function divergenceOf(scored: { readonly rows: number; readonly divergence: number }): number | null {
  const mean = klDivergence(scored);
  return mean === null ? null : Math.max(mean, 0);
}

function byKind<T>(): Record<ComparisonKind, Record<string, T>> {
  // Without a prototype: a layer may have any name, `__proto__` too.
  return Object.fromEntries(comparisonKinds.map((kind) => [kind, Object.create(null)])) as Record<
    ComparisonKind,
    Record<string, T>
  >;
}

function addAgreement(
  scored: { rows: number; agreeing: number },
  one: RuntimeTensor | undefined,
  other: RuntimeTensor | undefined,
): void {
  if (!one || !other) return;
  for (let index = 0; index < one.data.length; index++) {
    scored.rows++;
    if (one.data[index] === other.data[index]) scored.agreeing++;
  }
}
