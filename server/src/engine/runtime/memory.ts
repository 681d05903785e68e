/**
 * Resident memory of a process that may be too busy to say it itself. Mapped weight files do not count: they are
 * the page cache's, not ours.
 */
import * as fs from 'node:fs';

/** Anonymous resident bytes of a process; `undefined` where the system does not tell (only Linux does). */
export function anonymousMemory(pid: number): number | undefined {
  try {
    const match = /^RssAnon:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match?.[1] === undefined ? undefined : Number(match[1]) * 1024;
  } catch {
    return undefined;
  }
}
