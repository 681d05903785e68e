/** Ctrl+C and SIGTERM as a signal to cancel by. */

const names = ['SIGINT', 'SIGTERM'] as const;

export interface Interruption {
  /** Aborts at the first. */
  readonly signal: AbortSignal;
  /** From now on they end the process again. */
  release(): void;
}

/** Catches both from now on. */
export function catchInterruption(): Interruption {
  const controller = new AbortController();
  const interrupt = () => controller.abort();
  for (const name of names) process.on(name, interrupt);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of names) process.off(name, interrupt);
    },
  };
}
