/** The folder an optimised graph is written to: named after the process, so that whoever ends it can clear up. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

export function makeOptimizedFolder(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), prefixOf(process.pid)));
}

/** Removes what a process left behind that was killed while it optimised a graph. */
export function removeOptimizedFolders(pid: number): void {
  try {
    for (const name of fs.readdirSync(os.tmpdir())) {
      if (name.startsWith(prefixOf(pid)))
        fs.rmSync(path.join(os.tmpdir(), name), { recursive: true, force: true });
    }
  } catch {
    // No such folder, or not ours any more: nothing is left to remove.
  }
}

function prefixOf(pid: number): string {
  return `quantlens-optimized-${pid}-`;
}
