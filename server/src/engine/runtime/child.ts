/**
 * The child's side of `pool.ts`: reads jobs from the channel, runs one at a time, streams progress and partial
 * results, and answers every job with exactly one of done, cancelled or failed. Ends itself when the parent is gone.
 */
import { Cancelled } from '../base/cancel';
import type { Outcome } from '../base/outcome';
import type { Progress, ProgressSink } from '../base/progress';
import { anonymousMemory } from './memory';
import { memoryExitCode, memoryLimitVariable, type PoolFromChild, type PoolToChild } from './pool-messages';

/** What a running job may use. */
export interface ServedContext {
  /** Fires when the parent cancels; seen at `checkpoint(signal)` between batches. */
  readonly signal: AbortSignal;
  readonly progress: ProgressSink;
  /** Sends the best result so far; complete in itself, since a kill may follow at any time. */
  readonly partial: (partial: unknown) => void;
}

export type JobHandler<J> = (job: J, context: ServedContext) => Promise<Outcome<unknown>>;

/** At most one progress message per this many milliseconds, except where the stage changes or ends. */
const PROGRESS_INTERVAL = 50;

/** How often a child looks at its own resident memory. The parent looks too, for when the child is busy. */
const MEMORY_INTERVAL = 250;

/**
 * Serves jobs until the parent disconnects.
 * @param version the job protocol's version, told to the parent at once.
 */
export function serveJobs<J>(version: number, handler: JobHandler<J>): void {
  const running = new Map<number, AbortController>();
  process.on('message', (message: PoolToChild<J>) => {
    if (message.type === 'cancel') running.get(message.id)?.abort();
    else void runJob(message.id, message.job, handler, running);
  });
  process.on('disconnect', () => process.exit(0));
  // Ctrl-C in a terminal reaches the whole process group; the parent decides what to do and tells us.
  process.on('SIGINT', () => {});
  watchMemory(Number(process.env[memoryLimitVariable]));
  send({ type: 'ready', version });
}

async function runJob<J>(
  id: number,
  job: J,
  handler: JobHandler<J>,
  running: Map<number, AbortController>,
): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const outcome = await handler(job, {
      signal: controller.signal,
      progress: throttled((progress) => send({ type: 'progress', id, progress })),
      partial: (partial) => send({ type: 'partial', id, partial }),
    });
    send({ type: 'done', id, outcome });
  } catch (error) {
    if (error instanceof Cancelled) send({ type: 'cancelled', id });
    else send({ type: 'failed', id, ...describe(error) });
  } finally {
    running.delete(id);
  }
}

function send(message: PoolFromChild): void {
  // The callback swallows a channel that closed meanwhile: 'disconnect' ends the process right after.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

/** Lets through the first, the last (done = total), every change of stage, and otherwise 20 a second. */
function throttled(sink: ProgressSink): ProgressSink {
  let last: Progress | undefined;
  let at = 0;
  return (progress) => {
    const now = performance.now();
    const edge = last === undefined || last.stage !== progress.stage || progress.done === progress.total;
    if (!edge && now - at < PROGRESS_INTERVAL) return;
    last = progress;
    at = now;
    sink(progress);
  };
}

function describe(error: unknown): { reason: string; stack: string } {
  if (error instanceof Error) return { reason: error.message, stack: error.stack ?? '' };
  return { reason: String(error), stack: '' };
}

function watchMemory(limit: number): void {
  if (!(limit > 0)) return;
  const timer = setInterval(() => {
    const used = anonymousMemory(process.pid) ?? process.memoryUsage.rss();
    if (used > limit * 2 ** 20) process.exit(memoryExitCode);
  }, MEMORY_INTERVAL);
  timer.unref();
}
