/** Ctrl+C and SIGTERM as a signal to cancel by, from the first moment on. */

const names = ['SIGINT', 'SIGTERM'] as const;

let controller: AbortController | undefined;

const interrupt = () => controller?.abort();

/** Catches both from now on, if it does not yet: the signal aborts at the first. */
export function catchInterruption(): AbortSignal {
  if (!controller) {
    controller = new AbortController();
    for (const name of names) process.on(name, interrupt);
  }
  return controller.signal;
}

/** From now on they end the process again. */
export function releaseInterruption(): void {
  for (const name of names) process.off(name, interrupt);
  controller = undefined;
}
