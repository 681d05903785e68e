/**
 * One forked child as the pool sees it: start with handshake, messages, kill, and the reason it ended. Measured:
 * a child with onnxruntime is ready in 0.5 s, SIGKILL during a native run takes 5-16 ms and leaves the parent unharmed,
 * while a worker thread would take the whole process down.
 */
import type { ChildProcess } from 'node:child_process';
import { type EarlyChild, forkChild } from './early-child';
import { anonymousMemory } from './memory';
import { memoryExitCode, type PoolFromChild, type PoolToChild } from './pool-messages';

export interface ChildOptions {
  /** Path of the script that calls `serveJobs`. */
  readonly entry: string;
  /** Protocol version the child must announce. */
  readonly version: number;
  readonly startMilliseconds: number;
  /** Limit on anonymous resident memory, megabytes; undefined = none. */
  readonly memoryMegabytes: number | undefined;
  readonly log: (line: string) => void;
}

export interface ChildEvents {
  readonly onReady: () => void;
  readonly onMessage: (message: PoolFromChild) => void;
  /** Called once; `ready` says whether the handshake was done before. */
  readonly onEnd: (reason: string, ready: boolean) => void;
}

const MEMORY_INTERVAL = 250;

/** Characters of standard error that go to the log per child; native libraries can be talkative. */
const STDERR_LIMIT = 16_384;

export class PoolChild {
  /** Handshake done. */
  ready = false;
  private ended = false;
  private endReason: string | undefined;
  private readonly process: ChildProcess;
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly options: ChildOptions,
    private readonly events: ChildEvents,
    /** Started already, from the same entry and without a limit. */
    early?: EarlyChild,
  ) {
    const limit = options.memoryMegabytes;
    const given = early?.adopt();
    this.process = given?.process ?? forkChild(options.entry, limit);
    this.process.on('error', (error) => this.end(error.message));
    this.process.on('exit', (code, signal) => this.end(this.endReason ?? exitReason(code, signal, limit)));
    this.process.on('message', (message) => this.receive(message as PoolFromChild));
    this.captureStandardError();
    this.watch();
    // Later, as all events: whoever makes a child does not know it yet.
    if (given) queueMicrotask(() => this.catchUp(given));
  }

  get pid(): number | undefined {
    return this.process.pid;
  }

  send(message: PoolToChild): void {
    // A channel that is already closed is reported by 'exit'; nothing to do here.
    if (this.process.connected) this.process.send(message, () => {});
  }

  /** SIGKILL, by process id. `reason` is what `onEnd` will say instead of the signal. */
  kill(reason?: string): void {
    this.endReason ??= reason;
    this.process.kill('SIGKILL');
  }

  /** A busy child keeps the parent alive, an idle one must not: a finished command exits. */
  keepParentAlive(alive: boolean): void {
    if (alive) {
      this.process.ref();
      this.process.channel?.ref();
    } else {
      this.process.unref();
      this.process.channel?.unref();
    }
  }

  /** What happened to a child that was started early, in order. */
  private catchUp({
    process: { exitCode, signalCode },
    heard,
    failure,
  }: ReturnType<EarlyChild['adopt']>): void {
    for (const message of heard) this.receive(message as PoolFromChild);
    if (failure) this.end(failure.message);
    else if (exitCode !== null || signalCode !== null)
      this.end(exitReason(exitCode, signalCode, this.options.memoryMegabytes));
  }

  private receive(message: PoolFromChild): void {
    if (this.ended) return;
    if (message.type !== 'ready') {
      this.events.onMessage(message);
      return;
    }
    if (message.version !== this.options.version) {
      this.kill(`protocol version ${message.version}, expected ${this.options.version}`);
      return;
    }
    this.ready = true;
    this.events.onReady();
  }

  private end(reason: string): void {
    if (this.ended) return;
    this.ended = true;
    for (const timer of this.timers) clearInterval(timer);
    this.events.onEnd(reason, this.ready);
  }

  private captureStandardError(): void {
    let left = STDERR_LIMIT;
    const stream = this.process.stderr;
    stream?.setEncoding('utf8');
    stream?.on('data', (text: string) => {
      if (left <= 0) return;
      this.options.log(text.slice(0, left).trimEnd());
      left -= text.length;
    });
    // The pipe alone must not keep the parent alive; 'exit' and the channel do where needed.
    if (stream !== null && 'unref' in stream && typeof stream.unref === 'function') stream.unref();
  }

  private watch(): void {
    const start = setTimeout(() => {
      if (!this.ready) this.kill(`did not start within ${this.options.startMilliseconds} ms`);
    }, this.options.startMilliseconds);
    start.unref();
    this.timers.push(start);
    const limit = this.options.memoryMegabytes;
    if (limit === undefined) return;
    const memory = setInterval(() => {
      const used = this.pid === undefined ? undefined : anonymousMemory(this.pid);
      if (used !== undefined && used > limit * 2 ** 20) this.kill(memoryReason(limit));
    }, MEMORY_INTERVAL);
    memory.unref();
    this.timers.push(memory);
  }
}

function exitReason(code: number | null, signal: NodeJS.Signals | null, limit: number | undefined): string {
  if (signal !== null) return signal;
  if (code === memoryExitCode && limit !== undefined) return memoryReason(limit);
  return `exit code ${code}`;
}

function memoryReason(limit: number): string {
  return `memory limit of ${limit} MB`;
}
