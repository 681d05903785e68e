/** Outputs of several models against those of one reference, on the same samples: the reference runs once for all. */
import { checkpoint } from '../base/cancel';
import type { Issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { ProgressSink } from '../base/progress';
import type { Feeds } from '../runtime/feeds';
import type { InputTensors, RuntimeTensor, Session } from '../runtime/ort';
import { AgreementScorer } from './scorers';

export interface AgreementInput {
  readonly reference: Session;
  readonly others: readonly Session[];
  readonly feeds: Feeds;
  readonly batchSize: number;
  readonly signal?: AbortSignal;
  readonly progress: ProgressSink;
}

/** What became of one of the models: its agreement, or what kept it from running to the end. */
export type Agreement = AgreementScorer | readonly Issue[];

/**
 * Agreement of every model with the reference, in their order, and the number of samples.
 * @returns the issues of the samples and of the reference; those of another model stand in its place.
 */
export async function agreements(
  input: AgreementInput,
): Promise<Outcome<{ readonly found: readonly Agreement[]; readonly samples: number }>> {
  const { reference, feeds, signal } = input;
  const found: Agreement[] = input.others.map(() => new AgreementScorer());
  let samples = 0;
  for await (const batch of feeds.batches(input.batchSize)) {
    await checkpoint(signal);
    if (!batch.value) return fail(...batch.issues);
    const { feeds: tensors, count } = batch.value;
    const exact = await reference.run(tensors);
    if (!exact.value) return fail(...exact.issues);
    const expected = ordered(reference, exact.value);
    for (const [index, session] of input.others.entries()) {
      const scorer = found[index];
      if (!(scorer instanceof AgreementScorer)) continue;
      await checkpoint(signal);
      const issues = await score(scorer, session, tensors, expected, count);
      if (issues.length > 0) found[index] = issues;
    }
    samples += count;
    input.progress({ stage: 'verify', done: samples, total: feeds.count, unit: 'samples' });
  }
  return ok({ found, samples });
}

async function score(
  scorer: AgreementScorer,
  session: Session,
  tensors: InputTensors,
  expected: readonly (RuntimeTensor | undefined)[],
  count: number,
): Promise<readonly Issue[]> {
  const outputs = await session.run(tensors);
  if (!outputs.value) return outputs.issues;
  const different = scorer.add(expected, ordered(session, outputs.value), count);
  return different ? [different] : [];
}

/** Outputs in the session's order. */
export function ordered(
  session: Session,
  outputs: Readonly<Record<string, RuntimeTensor>>,
): readonly (RuntimeTensor | undefined)[] {
  return session.outputs.map(({ name }) => outputs[name]);
}
