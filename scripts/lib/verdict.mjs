// @ts-check
// The file in which tests that run elsewhere (in an extension host, in a browser) say how they ended.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** @typedef {{ passed: number, failed: number, failures: string[] }} Verdict */

/**
 * Runs a mocha instance to its end and writes the verdict file, if one is asked for.
 * @param {import('mocha')} mocha
 * @param {string | undefined} file
 * @returns {Promise<Verdict>}
 */
export async function runToVerdict(mocha, file) {
  const failures = /** @type {string[]} */ ([]);
  const verdict = await new Promise((resolve) => {
    const runner = mocha.run(() => {
      resolve({ passed: runner.stats?.passes ?? 0, failed: failures.length, failures });
    });
    runner.on('fail', (test, error) => failures.push(`${test.fullTitle()}: ${error.message}`));
  });
  if (file) await writeVerdict(file, verdict);
  return verdict;
}

/** @param {string} file @param {Verdict} verdict */
export async function writeVerdict(file, verdict) {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(verdict, null, 2));
}

/**
 * Reads a verdict. A missing or unreadable file and a run of no tests are failures: silence is not success.
 * @param {string} file
 * @returns {Promise<Verdict>}
 */
export async function readVerdict(file) {
  try {
    const { passed, failed, failures } = JSON.parse(await readFile(file, 'utf8'));
    if (!Number.isInteger(passed) || !Number.isInteger(failed)) return broken('is not one');
    if (passed + failed === 0) return broken('counts no test');
    return { passed, failed, failures: failures ?? [] };
  } catch {
    return broken('is missing: the run ended before its tests did');
  }
}

/** Forgets the verdict of an earlier run. @param {string} file */
export async function forgetVerdict(file) {
  await rm(file, { force: true });
}

/** @param {string} reason @returns {Verdict} */
function broken(reason) {
  return { passed: 0, failed: 1, failures: [`The verdict file ${reason}.`] };
}
