/**
 * Pool of forked children that run jobs: native inference can crash, hang or block, and only a process can be ended
 * safely (esbuild's service protocol is the model for the bookkeeping). Lanes keep static work from waiting behind
 * inference, and questions on one layer from waiting behind the analysis of all. Every job ends with exactly one outcome, whatever happens to its child.
 */
import { assertNever } from '../base/invariant';
import { issue } from '../base/issue';
import { fail, type Outcome } from '../base/outcome';
import type { Progress } from '../base/progress';
import type { EarlyChild } from './early-child';
import { PoolChild } from './pool-child';
import type { PoolFromChild } from './pool-messages';

/** `static` and `quick` never load onnxruntime; `native` may. A job of `quick` takes no time worth waiting for. */
export type Lane = (typeof lanes)[number];

const lanes = ['static', 'native', 'quick'] as const;

export interface PoolOptions {
  /** Path of the script that calls `serveJobs`. */
  readonly entry: string;
  /** Protocol version, the child must announce the same. */
  readonly version: number;
  /** Children per lane. */
  readonly children?: Readonly<Partial<Record<Lane, number>>>;
  /** An idle child ends after this time. */
  readonly idleMilliseconds?: number;
  /** Time between a cancel message and SIGKILL. */
  readonly graceMilliseconds?: number;
  readonly startMilliseconds?: number;
  /** Anonymous resident memory a child may take, megabytes. */
  readonly memoryMegabytes?: number;
  /** Start a fresh child at once after one was killed for a cancel, since another job usually follows. */
  readonly keepWarm?: boolean;
  /** Serves the first job: started from the same entry before anybody knew of one. For pools without a memory limit. */
  readonly early?: EarlyChild;
  readonly log?: (line: string) => void;
}

export interface RunOptions {
  readonly lane: Lane;
  /** Higher first; equal priorities in order of arrival. */
  readonly priority?: number;
  /** What the job does, for the report of a crash. */
  readonly label: string;
  readonly signal?: AbortSignal;
  readonly progress?: (progress: Progress) => void;
  readonly partial?: (partial: unknown) => void;
}

/** `partial` is the last partial result that arrived, also after a cancel or crash. */
export interface JobOutcome<T> extends Outcome<T> {
  readonly partial?: unknown;
  /** Process id of the child that ended with the job, which may have left temporary files. */
  readonly killed?: number;
}

interface Task {
  readonly id: number;
  readonly job: unknown;
  readonly options: RunOptions;
  readonly settle: (outcome: Outcome<unknown>) => void;
  partial: unknown;
  last: Progress | undefined;
  cancelled: boolean;
  killed: number | undefined;
}

interface Slot {
  readonly lane: Lane;
  child: PoolChild | undefined;
  task: Task | undefined;
  idle: NodeJS.Timeout | undefined;
  grace: NodeJS.Timeout | undefined;
}

const DEFAULT_IDLE = 60_000;
const DEFAULT_GRACE = 100;
const DEFAULT_START = 30_000;

export class Pool {
  private readonly slots: readonly Slot[];
  private readonly queue: Task[] = [];
  private nextId = 1;
  private disposed = false;
  private early: EarlyChild | undefined;

  constructor(private readonly options: PoolOptions) {
    this.early = options.early;
    const slots = (lane: Lane): Slot[] =>
      Array.from({ length: options.children?.[lane] ?? 1 }, () => ({
        lane,
        child: undefined,
        task: undefined,
        idle: undefined,
        grace: undefined,
      }));
    this.slots = lanes.flatMap(slots);
  }

  /**
   * Queues a job. Never rejects: cancel gives `cancelled`, a dead child `inference-crashed`, a child that does not
   * start `inference-unavailable`, a thrown error in the child `internal`.
   */
  run<T>(job: unknown, options: RunOptions): Promise<JobOutcome<T>> {
    return new Promise((resolve) => {
      const task: Task = {
        id: this.nextId++,
        job,
        options,
        partial: undefined,
        last: undefined,
        cancelled: false,
        killed: undefined,
        settle: (outcome) => {
          options.signal?.removeEventListener('abort', onAbort);
          resolve({ ...(outcome as Outcome<T>), partial: task.partial, killed: task.killed });
        },
      };
      const onAbort = () => this.cancel(task);
      if (this.disposed || options.signal?.aborted) {
        task.settle(fail(issue('cancelled', {})));
        return;
      }
      options.signal?.addEventListener('abort', onAbort, { once: true });
      this.enqueue(task);
      this.pump();
    });
  }

  /** Process ids of living children. */
  get pids(): readonly number[] {
    return this.slots.flatMap((slot) => slot.child?.pid ?? []);
  }

  /** Kills every child by its id; waiting and running jobs end as cancelled. */
  dispose(): void {
    this.disposed = true;
    this.early?.kill();
    for (const task of this.queue.splice(0)) task.settle(fail(issue('cancelled', {})));
    for (const slot of this.slots) {
      this.clearTimers(slot);
      const { child, task } = slot;
      slot.child = undefined;
      slot.task = undefined;
      child?.kill();
      child?.keepParentAlive(false);
      if (task) task.killed = child?.pid;
      task?.settle(fail(issue('cancelled', {})));
    }
  }

  private enqueue(task: Task): void {
    const priority = task.options.priority ?? 0;
    const at = this.queue.findIndex((other) => (other.options.priority ?? 0) < priority);
    if (at < 0) this.queue.push(task);
    else this.queue.splice(at, 0, task);
  }

  /** Gives waiting jobs to free slots, starting children where none runs yet. Warm children come first. */
  private pump(): void {
    for (const lane of lanes) {
      const free = this.slots.filter((slot) => slot.lane === lane && slot.task === undefined);
      free.sort((a, b) => Number(b.child?.ready ?? false) - Number(a.child?.ready ?? false));
      for (const slot of free) {
        const at = this.queue.findIndex((task) => task.options.lane === lane);
        if (at < 0) break;
        const [task] = this.queue.splice(at, 1);
        if (task !== undefined) this.assign(slot, task);
      }
    }
  }

  private assign(slot: Slot, task: Task): void {
    this.clearTimers(slot);
    slot.task = task;
    slot.child ??= this.start(slot);
    slot.child.keepParentAlive(true);
    if (slot.child.ready) slot.child.send({ type: 'run', id: task.id, job: task.job });
  }

  private start(slot: Slot): PoolChild {
    const early = this.early;
    this.early = undefined;
    const child: PoolChild = new PoolChild(
      {
        entry: this.options.entry,
        version: this.options.version,
        startMilliseconds: this.options.startMilliseconds ?? DEFAULT_START,
        memoryMegabytes: this.options.memoryMegabytes,
        log: this.options.log ?? (() => {}),
      },
      {
        onReady: () => {
          if (slot.child !== child) return;
          if (slot.task) child.send({ type: 'run', id: slot.task.id, job: slot.task.job });
          else this.rest(slot);
        },
        onMessage: (message) => {
          if (slot.child === child) this.receive(slot, message);
        },
        onEnd: (reason, ready) => {
          if (slot.child === child) this.childEnded(slot, reason, ready);
        },
      },
      early,
    );
    return child;
  }

  private receive(slot: Slot, message: PoolFromChild): void {
    const task = slot.task;
    if (message.type === 'ready' || task === undefined || message.id !== task.id) return;
    switch (message.type) {
      case 'progress':
        task.last = message.progress;
        task.options.progress?.(message.progress);
        return;
      case 'partial':
        task.partial = message.partial;
        task.options.partial?.(message.partial);
        return;
      case 'done':
        this.finish(slot, task, message.outcome);
        return;
      case 'cancelled':
        this.finish(slot, task, fail(issue('cancelled', {})));
        return;
      case 'failed':
        this.options.log?.(`${task.options.label}: ${message.stack || message.reason}`);
        this.finish(slot, task, fail(issue('internal', { reason: message.reason })));
        return;
      default:
        assertNever(message, 'message from child');
    }
  }

  private finish(slot: Slot, task: Task, outcome: Outcome<unknown>): void {
    slot.task = undefined;
    this.rest(slot);
    task.settle(task.cancelled ? fail(issue('cancelled', {})) : outcome);
    this.pump();
  }

  /** An idle child may end by itself and never keeps the parent alive. */
  private rest(slot: Slot): void {
    this.clearTimers(slot);
    const child = slot.child;
    child?.keepParentAlive(false);
    slot.idle = setTimeout(() => {
      slot.child = undefined;
      child?.kill();
    }, this.options.idleMilliseconds ?? DEFAULT_IDLE);
    slot.idle.unref();
  }

  private cancel(task: Task): void {
    const waiting = this.queue.indexOf(task);
    if (waiting >= 0) {
      this.queue.splice(waiting, 1);
      task.settle(fail(issue('cancelled', {})));
      return;
    }
    const slot = this.slots.find((one) => one.task === task);
    if (slot === undefined || task.cancelled) return;
    task.cancelled = true;
    if (!slot.child?.ready) {
      // Nothing was sent yet: the starting child is kept for the next job.
      this.finish(slot, task, fail(issue('cancelled', {})));
      return;
    }
    slot.child.send({ type: 'cancel', id: task.id });
    slot.grace = setTimeout(() => this.abandon(slot, task), this.options.graceMilliseconds ?? DEFAULT_GRACE);
  }

  /** Kills a child that does not react. Nobody waits until the system has taken its memory back. */
  private abandon(slot: Slot, task: Task): void {
    const child = slot.child;
    slot.child = undefined;
    slot.task = undefined;
    this.clearTimers(slot);
    child?.kill();
    child?.keepParentAlive(false);
    task.killed = child?.pid;
    task.settle(fail(issue('cancelled', {})));
    if (this.options.keepWarm) this.warm(slot);
    this.pump();
  }

  private childEnded(slot: Slot, reason: string, ready: boolean): void {
    this.clearTimers(slot);
    const task = slot.task;
    if (task) task.killed = slot.child?.pid;
    slot.child = undefined;
    slot.task = undefined;
    // Ctrl+C reaches every process of a terminal; one that still starts has no answer to it.
    if (task && (task.cancelled || reason === 'SIGINT')) {
      task.settle(fail(issue('cancelled', {})));
    } else if (!ready) {
      // What keeps one child from starting keeps the next from starting: do not try once per waiting job.
      const stuck = [task, ...this.queue.filter((other) => other.options.lane === slot.lane)];
      for (const one of stuck) {
        if (one === undefined) continue;
        const at = this.queue.indexOf(one);
        if (at >= 0) this.queue.splice(at, 1);
        one.settle(fail(issue('inference-unavailable', { reason })));
      }
    } else if (task) {
      task.settle(fail(issue('inference-crashed', { signal: reason, during: during(task) })));
    }
    if (!this.disposed) this.pump();
  }

  private warm(slot: Slot): void {
    slot.child = this.start(slot);
    slot.child.keepParentAlive(false);
  }

  private clearTimers(slot: Slot): void {
    clearTimeout(slot.idle);
    clearTimeout(slot.grace);
    slot.idle = undefined;
    slot.grace = undefined;
  }
}

function during(task: Task): string {
  const last = task.last;
  if (last === undefined) return task.options.label;
  const place = last.detail ?? (last.total > 0 ? `${last.unit} ${last.done} of ${last.total}` : last.stage);
  return `${task.options.label} (${place})`;
}
