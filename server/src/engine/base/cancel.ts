/**
 * Cancellation: the platform's `AbortSignal` everywhere, one error class, and one helper that gives the
 * event loop a turn so that a cancel message can be read between two batches.
 */

/** Thrown at checkpoints after the user cancelled; the only exception besides our own bugs. */
export class Cancelled extends Error {
  constructor() {
    super('cancelled');
    this.name = 'Cancelled';
  }
}

/** Throws {@link Cancelled} when the signal has fired. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new Cancelled();
}

/**
 * Lets the event loop run once, then throws {@link Cancelled} when the signal has fired. Native calls and
 * long loops block the thread, so a cancel message is only seen at such a point.
 */
export async function checkpoint(signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  throwIfCancelled(signal);
}
