/** Runs one or more networks on the first samples, one sample at a time, and shows chosen values of each. */
import { checkpoint } from '../base/cancel';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Model } from '../graph/ir';
import type { Feeds } from '../runtime/feeds';
import type { RuntimeTensor, Session } from '../runtime/ort';
import { type ModelSource, openSession } from '../runtime/session-model';
import { tapModel } from '../runtime/tap';

export interface RunTapsInput {
  /** Networks with the same inputs, and names of the values to show of each. */
  readonly networks: readonly { readonly model: Model; readonly values: readonly string[] }[];
  readonly source: ModelSource;
  readonly feeds: Feeds;
  readonly threads: number;
  /** Samples after which to stop; a network with a fixed batch may see a few more. */
  readonly samples: number;
  readonly signal?: AbortSignal;
}

/** Float32 values per network, in the order of `values`. */
export type Shown = readonly (readonly (RuntimeTensor | undefined)[])[];

export async function runTaps(input: RunTapsInput, look: (shown: Shown) => void): Promise<Outcome<true>> {
  const sessions: { readonly session: Session; readonly outputs: readonly string[] }[] = [];
  try {
    for (const { model, values } of input.networks) {
      const taps = values.map((value) => ({ value, what: 'all', float: true }) as const);
      const tapped = tapModel(model, taps);
      const session = await openSession(tapped.model, input.source, {
        threads: input.threads,
        optimization: 'disabled',
      });
      if (!session.value) return fail(...session.issues);
      sessions.push({ session: session.value, outputs: tapped.outputs.map((names) => names[0] ?? '') });
    }
    return await feedAll(input, sessions, look);
  } finally {
    for (const { session } of sessions) await session.release();
  }
}

async function feedAll(
  { feeds, samples, signal }: RunTapsInput,
  sessions: readonly { readonly session: Session; readonly outputs: readonly string[] }[],
  look: (shown: Shown) => void,
): Promise<Outcome<true>> {
  let seen = 0;
  for await (const batch of feeds.batches(1, signal)) {
    await checkpoint(signal);
    if (!batch.value) return fail(...batch.issues);
    const shown: (readonly (RuntimeTensor | undefined)[])[] = [];
    for (const { session, outputs } of sessions) {
      const ran = await session.run(batch.value.feeds);
      if (!ran.value) return fail(...ran.issues);
      const tensors = ran.value;
      shown.push(outputs.map((name) => tensors[name]));
    }
    look(shown);
    seen += batch.value.count;
    if (seen >= samples) break;
  }
  return ok(true);
}
