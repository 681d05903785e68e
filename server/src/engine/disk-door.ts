/**
 * The store's disk door: one JSON file per key in a cache folder, written atomically, trimmed to a size cap by oldest
 * use. Failures are swallowed here on purpose: a cache that cannot be written only costs time.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { DiskDoor } from './store';

/** Opens (and creates) a cache folder capped at `maximumBytes`. */
export function openDiskDoor(folder: string, maximumBytes: number): DiskDoor {
  const fileOf = (key: string) => path.join(folder, `${key}.json`);
  return {
    read(key) {
      try {
        const file = fileOf(key);
        const text = fs.readFileSync(file, 'utf8');
        const now = new Date();
        fs.utimesSync(file, now, now);
        return text;
      } catch {
        return undefined;
      }
    },
    write(key, text) {
      try {
        fs.mkdirSync(folder, { recursive: true });
        const temporary = path.join(folder, `${key}.${process.pid}.tmp`);
        fs.writeFileSync(temporary, text);
        fs.renameSync(temporary, fileOf(key));
        trim(folder, maximumBytes);
      } catch {
        // See the header: a result that is not kept is computed again.
      }
    },
    clear() {
      let freed = 0;
      for (const entry of entries(folder)) {
        freed += entry.size;
        fs.rmSync(entry.file, { force: true });
      }
      return freed;
    },
  };
}

function trim(folder: string, maximumBytes: number): void {
  const all = entries(folder).sort((a, b) => a.used - b.used);
  let total = all.reduce((sum, entry) => sum + entry.size, 0);
  for (const entry of all) {
    if (total <= maximumBytes) return;
    fs.rmSync(entry.file, { force: true });
    total -= entry.size;
  }
}

function entries(folder: string): { file: string; size: number; used: number }[] {
  try {
    return fs
      .readdirSync(folder)
      .filter((name) => /^([0-9a-f]{64}|ranges-[0-9a-f]{16})\.(json|\d+\.tmp)$/.test(name))
      .map((name) => {
        const file = path.join(folder, name);
        const stat = fs.statSync(file);
        return { file, size: stat.size, used: stat.mtimeMs };
      });
  } catch {
    return [];
  }
}
