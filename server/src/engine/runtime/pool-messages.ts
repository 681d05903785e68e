/**
 * What a pool and its children say to each other: plain data, one union per direction, a version handshake.
 * `jobs.ts` binds `J` to the engine's union of jobs; the pool itself knows no job.
 */
import type { Outcome } from '../base/outcome';
import type { Progress } from '../base/progress';

export type PoolToChild<J = unknown> =
  | { readonly type: 'run'; readonly id: number; readonly job: J }
  /** Read between batches; the parent sends SIGKILL 100 ms later. */
  | { readonly type: 'cancel'; readonly id: number };

export type PoolFromChild =
  | { readonly type: 'ready'; readonly version: number }
  | { readonly type: 'progress'; readonly id: number; readonly progress: Progress }
  | { readonly type: 'partial'; readonly id: number; readonly partial: unknown }
  | { readonly type: 'done'; readonly id: number; readonly outcome: Outcome<unknown> }
  | { readonly type: 'cancelled'; readonly id: number }
  /** Our own bug in the child: message and stack go to the log, the user sees `internal`. */
  | { readonly type: 'failed'; readonly id: number; readonly reason: string; readonly stack: string };

/** Environment variable that tells a child its resident memory limit in megabytes. */
export const memoryLimitVariable = 'QUANTLENS_MEMORY_MB';

/** Exit code of a child that went over its memory limit. */
export const memoryExitCode = 77;
