/** Whose fault a failed run is: a file that onnxruntime refuses as it stands is the user's to mend, not a defect here. */
import { type Issue, issue } from '../base/issue';
import { openFeeds } from '../runtime/feeds';
import { openSession } from '../runtime/session-model';
import { runnableSizes } from './input-sizes';
import type { PreparedModel } from './open';

/**
 * Issues of a failed job; `inference-failed` becomes `model-refused` when the file itself fails: on loading, or at the
 * same node on a sample of noise; `dimension-needed` when it runs on noise of another size.
 */
export async function blamed(prepared: PreparedModel, issues: readonly Issue[]): Promise<readonly Issue[]> {
  const failed = issues.find((one) => one.code === 'inference-failed');
  if (!failed) return issues;
  const own = await ownFailure(prepared, failed.anchor.node);
  if (!own) return issues;
  const anchor = { ...own.failure.anchor, path: prepared.open.path };
  const { reason } = own.failure.facts;
  const blame = own.sizes
    ? issue('dimension-needed', { reason, sizes: own.sizes }, anchor)
    : issue('model-refused', { reason }, anchor);
  return issues.map((one) => (one === failed ? blame : one));
}

type Failure = Extract<Issue, { code: 'inference-failed' }>;

interface OwnFailure {
  readonly failure: Failure;
  /** With these the file runs. */
  readonly sizes?: Readonly<Record<string, number>>;
}

async function ownFailure(prepared: PreparedModel, at: string | undefined): Promise<OwnFailure | undefined> {
  const model = prepared.plain();
  const session = await openSession(model, prepared.open, { threads: 1, optimization: 'disabled' });
  if (!session.value) {
    const failure = failureOf(session.issues);
    return failure && { failure };
  }
  const spec = { source: 'none', samples: 1, seed: 0, preprocessing: {}, dimensions: {} } as const;
  try {
    const feeds = await openFeeds(spec, model);
    for await (const batch of feeds.value?.batches(1) ?? []) {
      const ran = batch.value && (await session.value.run(batch.value.feeds));
      const found = ran && failureOf(ran.issues);
      // Noise may fail where the user's samples do not: only the same node is the same failure.
      if (!found) continue;
      if (bare(found.anchor.node) !== bare(at)) return undefined;
      return { failure: found, sizes: await runnableSizes(model, session.value) };
    }
    return undefined;
  } finally {
    await session.value.release();
  }
}

function failureOf(issues: readonly Issue[]): Failure | undefined {
  return issues.find((one): one is Failure => one.code === 'inference-failed');
}

/** Nodes of the quantized twin stand under a prefix. */
function bare(node: string | undefined): string | undefined {
  return node?.replace(/^quantized\//, '');
}
