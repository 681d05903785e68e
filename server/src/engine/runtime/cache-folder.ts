/** The user's own folder for what can be made again. */
import * as os from 'node:os';
import * as path from 'node:path';

/** Folder of this program below the system's place for caches; it may not exist yet. */
export function cacheFolder(): string {
  return path.join(systemFolder(), 'quantlens');
}

function systemFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return XDG_CACHE_HOME;
  if (process.platform === 'win32') return LOCALAPPDATA ?? os.tmpdir();
  return path.join(os.homedir(), process.platform === 'darwin' ? 'Library/Caches' : '.cache');
}
