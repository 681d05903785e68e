/** One forward of two models at batch 1 on the same sample: what a user will feel. */
import { checkpoint } from '../base/cancel';
import type { Feeds } from '../runtime/feeds';
import type { Session } from '../runtime/ort';

const WARM_UP = 2;
const FEWEST_RUNS = 5;
/** The median of more says nothing new: of quick networks thousands would fit into the budget. */
const MOST_RUNS = 21;
/** Milliseconds spent on one model. */
const BUDGET = 150;

export interface Latency {
  /** Milliseconds, median of the runs. */
  readonly float: number;
  readonly quantized: number;
}

/** Times both in turn; `undefined` when there is no sample or a run fails. */
export async function latencyOf(
  float: Session,
  quantized: Session,
  feeds: Feeds,
  signal: AbortSignal | undefined,
): Promise<Latency | undefined> {
  for await (const batch of feeds.batches(1)) {
    if (!batch.value) return undefined;
    const sample = batch.value.feeds;
    const exact = await timeOf(float, sample, signal);
    const approximate = await timeOf(quantized, sample, signal);
    return exact === undefined || approximate === undefined
      ? undefined
      : { float: exact, quantized: approximate };
  }
  return undefined;
}

async function timeOf(
  session: Session,
  sample: Parameters<Session['run']>[0],
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  for (let run = 0; run < WARM_UP; run++) {
    await checkpoint(signal);
    if (!(await session.run(sample)).value) return undefined;
  }
  const times: number[] = [];
  const end = performance.now() + BUDGET;
  while (times.length < FEWEST_RUNS || (times.length < MOST_RUNS && performance.now() < end)) {
    await checkpoint(signal);
    const start = performance.now();
    const outputs = await session.run(sample);
    if (!outputs.value) return undefined;
    times.push(performance.now() - start);
  }
  times.sort((one, other) => one - other);
  return times[times.length >> 1];
}
