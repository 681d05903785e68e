/**
 * How inference processes are started; also ahead of time, while the program that will need one is still loading: the
 * two take about as long, and there is more than one processor.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { memoryLimitVariable } from './pool-messages';

/**
 * For glibc, read when a process starts. Freed memory up to so many bytes is kept for what follows: otherwise the outputs
 * of every run are given back to the system, and every page of the next ones is a fault, which was half as long again.
 * One arena: what the library's threads free serves the others too, a tenth less at the peak.
 */
export const allocation = {
  MALLOC_TRIM_THRESHOLD_: '67108864',
  MALLOC_MMAP_THRESHOLD_: '33554432',
  MALLOC_ARENA_MAX: '1',
} as const;

/** Young objects may take two megabytes, not sixteen, before they are looked through: a child makes little but garbage. */
export const youngSpace = '--max-semi-space-size=2';

/** @param limit on anonymous resident memory, megabytes; undefined = none. */
export function forkChild(entry: string, limit: number | undefined): ChildProcess {
  return fork(entry, [], {
    serialization: 'advanced',
    // Standard output stays closed: a language server's or command's own output must never be mixed with it.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // Given explicitly, because inherited flags such as --inspect=PORT would collide.
    execArgv: [youngSpace, ...(limit === undefined ? [] : [`--max-old-space-size=${Math.ceil(limit)}`])],
    env: {
      ...allocation,
      ...process.env,
      ...(limit === undefined ? {} : { [memoryLimitVariable]: String(limit) }),
    },
  });
}

/** A child without a limit that nobody has a job for yet. It keeps what it hears, and nobody alive. */
export class EarlyChild {
  private readonly heard: unknown[] = [];
  private failure: Error | undefined;
  private readonly hear = (message: unknown) => this.heard.push(message);
  private readonly fail = (error: Error) => {
    this.failure = error;
  };

  private constructor(private readonly process: ChildProcess) {
    process.on('message', this.hear);
    process.on('error', this.fail);
    process.unref();
    process.channel?.unref();
    const { stderr } = process;
    if (stderr !== null && 'unref' in stderr && typeof stderr.unref === 'function') stderr.unref();
  }

  static start(entry: string): EarlyChild {
    return new EarlyChild(forkChild(entry, undefined));
  }

  /** Hands the process over: from here on its events are the caller's, who also gets what was missed. */
  adopt(): { readonly process: ChildProcess; readonly heard: readonly unknown[]; readonly failure?: Error } {
    this.process.off('message', this.hear);
    this.process.off('error', this.fail);
    const { process, heard, failure } = this;
    return failure === undefined ? { process, heard } : { process, heard, failure };
  }

  /** Ends a child that nobody needs. */
  kill(): void {
    this.process.kill('SIGKILL');
  }
}
