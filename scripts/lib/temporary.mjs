// @ts-check
// Temporary folders that end with the process.
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';

/**
 * A new folder, removed when this process ends.
 * Its name is short because VS Code puts sockets below it, whose paths may have 107 characters.
 */
export async function temporaryFolder() {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'ql-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}
