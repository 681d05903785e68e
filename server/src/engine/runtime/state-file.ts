/**
 * Where a stopped calibration leaves its state: in the user's cache, never beside the output, so that a cancelled command
 * leaves nothing where a result is expected. Failures to write only cost the chance to resume.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fingerprintOf } from '../base/fingerprint';
import { cacheFolder, replaceFile } from './cache-folder';

/** States that nobody has come back to for so long are removed. */
const KEPT_DAYS = 14;

/** File of the state that belongs to a key, such as the path of an output. */
export function stateFile(key: string): string {
  return path.join(cacheFolder(), 'calibrations', `${fingerprintOf(key).slice(0, 32)}.json`);
}

/** Text of a state; undefined when there is none. */
export function readState(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Replaces the state as a whole. */
export function writeState(file: string, text: string): void {
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    replaceFile(file, text);
    removeOld(path.dirname(file));
  } catch {
    // See the header.
  }
}

export function removeState(file: string): void {
  fs.rmSync(file, { force: true });
}

function removeOld(folder: string): void {
  const oldest = Date.now() - KEPT_DAYS * 86_400_000;
  for (const name of fs.readdirSync(folder)) {
    const file = path.join(folder, name);
    if (fs.statSync(file).mtimeMs < oldest) fs.rmSync(file, { force: true });
  }
}
