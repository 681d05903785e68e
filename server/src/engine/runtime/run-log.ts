/**
 * Runs of the command line, one JSON line each, in the user's cache: the editor's history reads them. Appending needs no
 * lock between processes; a file that grew too long is replaced by its newest lines. Failures cost the record, never a run.
 */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { LoggedRun } from '../../protocol/views';
import { cacheFolder, replaceFile } from './cache-folder';

/** Lines that are kept, and the size from which on a file is looked at. */
const MAX_LINES = 200;
const MAX_BYTES = 256 * 1024;

/** What is larger was not written here. */
const MOST_BYTES = 64 * MAX_BYTES;

/** Where runs are written down. */
export function runLogFile(): string {
  return path.join(cacheFolder(), 'runs.jsonl');
}

/** Adds a run that ended now. */
export function logRun(run: Omit<LoggedRun, 'id' | 'finishedAt'>): void {
  const file = runLogFile();
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const line = JSON.stringify({ ...run, id: randomUUID(), finishedAt: Date.now() });
    fs.appendFileSync(file, `${line}\n`, { mode: 0o600 });
    if (fs.statSync(file).size > MAX_BYTES) replace(file, linesOf(file).slice(-MAX_LINES));
  } catch {
    // See the header.
  }
}

/** All that is written down as plain values, newest last; lines that are damaged are left out. */
export function loggedRuns(): readonly unknown[] {
  return linesOf(runLogFile()).flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return [value];
    } catch {
      return [];
    }
  });
}

/** Takes runs out for good. */
export function forgetLoggedRuns(ids: ReadonlySet<string>): void {
  const file = runLogFile();
  const lines = linesOf(file);
  const kept = lines.filter((line) => ![...ids].some((id) => line.includes(`"id":${JSON.stringify(id)}`)));
  if (kept.length === lines.length) return;
  try {
    replace(file, kept);
  } catch {
    // See the header.
  }
}

function linesOf(file: string): readonly string[] {
  try {
    if (fs.statSync(file).size > MOST_BYTES) return [];
    return fs
      .readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}

function replace(file: string, lines: readonly string[]): void {
  replaceFile(file, lines.map((line) => `${line}\n`).join(''), 0o600);
}
