/** Work that is done in steps, so that who waits for something else can be served in between. */

/** The result of steps that are taken without a pause. */
export function atOnce<T>(steps: Generator<unknown, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Lets in what waits for this process. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The result of steps; after every `slice` milliseconds of work what waits comes in between. */
export async function inTurns<T>(steps: Generator<unknown, T>, slice: number): Promise<T> {
  for (;;) {
    await turn();
    const began = performance.now();
    let step = steps.next();
    while (!step.done && performance.now() - began < slice) step = steps.next();
    if (step.done) return step.value;
  }
}
