// @ts-check
// The file in which tests that run elsewhere (in an extension host, in a browser) say how they ended.
import { readFile, rm } from 'node:fs/promises';
import process from 'node:process';

/** @typedef {{ passed: number, failed: number, failures: string[] }} Verdict */

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

/** The file to write the verdict to: the one the caller asks for, else `otherwise`. @param {string} otherwise */
export function verdictFile(otherwise) {
  return process.env.QUANTLENS_VERDICT || otherwise;
}

/** @param {string} reason @returns {Verdict} */
function broken(reason) {
  return { passed: 0, failed: 1, failures: [`The verdict file ${reason}.`] };
}
