/** The user's own folder for what can be made again. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

/** Folder of this program below the system's place for caches; it may not exist yet. */
export function cacheFolder(): string {
  return path.join(systemFolder(), 'quantlens');
}

/**
 * Replaces a file as a whole: who reads it meanwhile has the old or the new one, and a failure leaves nothing half written.
 * Its folder is there. Throws what the file system throws.
 */
export function replaceFile(file: string, content: string | Uint8Array, mode?: number): void {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    fs.writeFileSync(temporary, content, { mode });
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

function systemFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return XDG_CACHE_HOME;
  if (process.platform === 'win32') return LOCALAPPDATA ?? os.tmpdir();
  return path.join(os.homedir(), process.platform === 'darwin' ? 'Library/Caches' : '.cache');
}
