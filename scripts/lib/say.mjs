// @ts-check
// What the scripts print: one line per step, with the time since the start.
import process from 'node:process';

const began = performance.now();

/** Prints one line, after the seconds since the start. @param {string} text */
export function say(text) {
  process.stdout.write(`[${seconds(began).padStart(6)} s] ${text}\n`);
}

/** Seconds since a `performance.now()` value, with one decimal. @param {number} since */
export function seconds(since) {
  return ((performance.now() - since) / 1000).toFixed(1);
}

/**
 * Says what is being done, does it, says how long it took.
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(title, work) {
  say(`${title} …`);
  const since = performance.now();
  const result = await work();
  say(`${title}: ${seconds(since)} s`);
  return result;
}

/** An expected failure: its message is all that a user needs to read. */
export class Failure extends Error {}

/**
 * Runs a script's main function: a Failure is one line and exit code 1, anything else shows its stack.
 * @param {() => Promise<number | undefined>} main returns the exit code, 0 when undefined
 */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    console.error(error instanceof Failure ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}
