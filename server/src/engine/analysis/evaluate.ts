/** Accuracy of a model on labelled samples, agreement with another model, next-token cross-entropy. Streaming. */
import type { EvaluationReport } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { ProgressSink } from '../base/progress';
import type { Feeds } from '../runtime/feeds';
import type { Session } from '../runtime/ort';
import { ordered } from './agreement';
import { AccuracyScorer, AgreementScorer } from './scorers';

export interface EvaluateInput {
  readonly session: Session;
  /** Float model to agree with. */
  readonly reference?: Session;
  /** Counts the agreement; default a new one. */
  readonly agreement?: AgreementScorer;
  readonly feeds: Feeds;
  /** Class per sample. */
  readonly labels?: readonly number[];
  readonly task: 'classify' | 'next-token';
  readonly batchSize: number;
  readonly signal?: AbortSignal;
  readonly progress: ProgressSink;
  readonly partial?: (report: EvaluationReport) => void;
}

/** Figures on all samples. The first output is the one scored; all outputs count for SQNR and cosine. */
export async function evaluate(input: EvaluateInput): Promise<Outcome<EvaluationReport>> {
  const { feeds, labels } = input;
  if (labels && labels.length < feeds.count) {
    return fail(issue('labels-mismatch', { labels: labels.length, samples: feeds.count }));
  }
  const own = new AccuracyScorer(input.task, labels);
  const theirs = input.reference && new AccuracyScorer(input.task, labels);
  const agreement = input.agreement ?? new AgreementScorer();
  let samples = 0;
  const report = (): EvaluationReport => ({
    ...own.figures(),
    samples,
    ...agreement.figures(),
    ...(theirs ? { reference: theirs.figures() } : {}),
    issues: [],
  });
  for await (const batch of feeds.batches(input.batchSize)) {
    await checkpoint(input.signal);
    if (!batch.value) return { value: undefined, issues: batch.issues };
    const { feeds: tensors, first, count } = batch.value;
    const outputs = await input.session.run(tensors);
    if (!outputs.value) return { value: undefined, issues: outputs.issues };
    const reference = await input.reference?.run(tensors);
    if (reference && !reference.value) return { value: undefined, issues: reference.issues };
    const ids = Object.values(tensors)[0];
    const scores = ordered(input.session, outputs.value);
    const wrong = own.add(ids, scores[0], first, count);
    if (wrong) return fail(wrong);
    if (theirs && input.reference && reference?.value) {
      const exact = ordered(input.reference, reference.value);
      const different = theirs.add(ids, exact[0], first, count) ?? agreement.add(exact, scores, count);
      if (different) return fail(different);
    }
    samples += count;
    input.progress({ stage: 'evaluate', done: samples, total: feeds.count, unit: 'samples' });
    input.partial?.(report());
  }
  return ok(report());
}
