/** Runs a {@link ShadowModel} over samples and adds up its scalars; memory does not grow with the samples. */
import type { Decibel } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import { type Outcome, ok } from '../base/outcome';
import type { ProgressSink, ProgressStage } from '../base/progress';
import { sqnr } from '../numerics/metrics';
import type { Feeds } from '../runtime/feeds';
import type { RuntimeTensor, Session } from '../runtime/ort';
import type { ComparisonKind, ShadowModel } from './shadow';

export interface ShadowResult {
  readonly samples: number;
  /** dB per comparison kind and name. */
  readonly sqnr: Readonly<Record<ComparisonKind, Readonly<Record<string, Decibel>>>>;
  /** Share of rows (samples, or sample positions) with the same top class; null without class scores. */
  readonly topOneAgreement: number | null;
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
  const sums = shadow.comparisons.map(() => ({ signal: 0, noise: 0 }));
  const classes = { rows: 0, same: 0 };
  let samples = 0;
  const result = (): ShadowResult => ({
    samples,
    sqnr: grouped(shadow, sums),
    topOneAgreement: classes.rows > 0 ? classes.same / classes.rows : null,
  });
  for await (const batch of feeds.batches(input.batchSize)) {
    await checkpoint(input.signal);
    if (!batch.value) return { value: undefined, issues: batch.issues };
    const ran = await session.run(batch.value.feeds);
    if (!ran.value) return { value: undefined, issues: ran.issues };
    const outputs = ran.value;
    shadow.comparisons.forEach((comparison, index) => {
      const sum = sums[index];
      if (!sum) return;
      sum.signal += scalar(outputs[comparison.signal]);
      sum.noise += scalar(outputs[comparison.noise]);
    });
    if (shadow.topOne) addAgreement(classes, outputs[shadow.topOne.float], outputs[shadow.topOne.quantized]);
    samples += batch.value.count;
    input.progress({ stage: input.stage, done: samples, total: feeds.count, unit: 'samples' });
    input.partial?.(result());
  }
  return ok(result());
}

function grouped(
  shadow: ShadowModel,
  sums: readonly { readonly signal: number; readonly noise: number }[],
): ShadowResult['sqnr'] {
  const groups: Record<ComparisonKind, Record<string, Decibel>> = {
    local: {},
    localWeights: {},
    localActivations: {},
    cumulative: {},
    output: {},
  };
  shadow.comparisons.forEach(({ kind, name }, index) => {
    const sum = sums[index];
    groups[kind][name] = sum && Number.isFinite(sum.signal + sum.noise) ? sqnr(sum) : null;
  });
  return groups;
}

function scalar(tensor: RuntimeTensor | undefined): number {
  return Number(tensor?.data[0] ?? Number.NaN);
}

function addAgreement(
  classes: { rows: number; same: number },
  one: RuntimeTensor | undefined,
  other: RuntimeTensor | undefined,
): void {
  if (!one || !other) return;
  for (let index = 0; index < one.data.length; index++) {
    classes.rows++;
    if (one.data[index] === other.data[index]) classes.same++;
  }
}
