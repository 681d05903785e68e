/** How many threads native inference gets by default. */
import * as os from 'node:os';

/** Threads when the user chose none: leave one core to the editor. */
export function defaultThreads(): number {
  return Math.max(1, os.availableParallelism() - 1);
}
