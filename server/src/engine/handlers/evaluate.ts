/** Job `evaluate`: accuracy on labels, agreement with another model, next-token cross-entropy; deployed numerics. */
import type { EvaluationReport } from '../../protocol/reports';
import { batchSizeFor } from '../analysis/batch-size';
import { evaluate } from '../analysis/evaluate';
import { runBatch } from '../analysis/run-batch';
import { fail, type Outcome } from '../base/outcome';
import type { EvaluateJob } from '../jobs';
import type { ServedContext } from '../runtime/child';
import { openFeeds } from '../runtime/feeds';
import { readLabels } from '../runtime/labels';
import type { Session } from '../runtime/ort';
import { openSession } from '../runtime/session-model';
import { type PreparedModel, withModel } from './open';

export function evaluateHandler(
  job: EvaluateJob,
  context: ServedContext,
): Promise<Outcome<EvaluationReport>> {
  return withModel(job.model, async (prepared) => {
    if (job.against === undefined) return run(job, context, prepared, undefined);
    return withModel(job.against, (reference) => run(job, context, prepared, reference));
  });
}

async function run(
  job: EvaluateJob,
  context: ServedContext,
  prepared: PreparedModel,
  reference: PreparedModel | undefined,
): Promise<Outcome<EvaluationReport>> {
  const model = prepared.plain();
  const batch = runBatch(reference ? [model, reference.plain()] : [model], job.data.dimensions);
  if (!batch.value) return fail(...batch.issues);
  const feeds = await openFeeds(job.data, model, batch.value.size);
  if (!feeds.value) return fail(...feeds.issues);
  const sessions: Session[] = [];
  const open = async (one: PreparedModel) => {
    const session = await openSession(one.plain(), one.open, { threads: job.threads, optimization: 'all' });
    if (session.value) sessions.push(session.value);
    return session;
  };
  try {
    const labels = job.labels === undefined ? undefined : await readLabels(job.labels, feeds.value);
    if (labels && !labels.value) return fail(...labels.issues);
    const session = await open(prepared);
    if (!session.value) return fail(...session.issues);
    const against = reference && (await open(reference));
    if (against && !against.value) return fail(...against.issues);
    const outcome = await evaluate({
      session: session.value,
      reference: against?.value,
      feeds: feeds.value,
      labels: labels?.value,
      task: job.task,
      batchSize: batchSizeFor(model, job.data.dimensions),
      signal: context.signal,
      progress: context.progress,
      partial: context.partial,
    });
    const issues = [...batch.issues, ...feeds.issues, ...outcome.issues];
    return { value: outcome.value && { ...outcome.value, issues }, issues };
  } finally {
    for (const session of sessions) await session.release();
    feeds.value.close();
  }
}
