/** Waiting on conditions, never on time. */
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Repeats `probe` until it returns something other than undefined and false, and returns that.
 * @param what the condition in words, for the message of the failure
 * @param probe what it throws is remembered and told if the condition never comes true
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  seconds = 20,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  let problem: unknown;
  while (performance.now() < deadline) {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      problem = error;
    }
    await pause(100);
  }
  const because = problem instanceof Error ? ` (${problem.message})` : '';
  throw new Error(`After ${seconds} s still not: ${what}${because}`);
}
