/** Versions of libraries that the project around a script states, read from its folder and those above. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { LRUCache } from 'lru-cache';
import { type Pin, type Pins, pinFiles, pinsIn } from '../script/pins';

/** Folders above a script that may hold what its project depends on. */
const MAX_ABOVE = 4;

/** Longer files list something else. */
const MAX_BYTES = 200_000;

/** What was read is believed this long, milliseconds. */
const AGE = 5000;

const read = new LRUCache<string, Pins>({ max: 256, ttl: AGE });

/** The nearest statement about each library counts; looking ends where a repository begins. */
export function pinsAround(script: string): Pins {
  const pins = new Map<string, Pin>();
  if (!path.isAbsolute(script)) return pins;
  let folder = path.dirname(script);
  for (let step = 0; step <= MAX_ABOVE; step++) {
    for (const [name, pin] of pinsOfFolder(folder)) if (!pins.has(name)) pins.set(name, pin);
    const above = path.dirname(folder);
    if (above === folder || fs.existsSync(path.join(folder, '.git'))) break;
    folder = above;
  }
  return pins;
}

function pinsOfFolder(folder: string): Pins {
  const known = read.get(folder);
  if (known) return known;
  const pins = new Map<string, Pin>();
  for (const name of pinFiles)
    for (const [library, pin] of pinsIn(textOf(path.join(folder, name))))
      if (!pins.has(library)) pins.set(library, pin);
  read.set(folder, pins);
  return pins;
}

function textOf(file: string): string {
  try {
    return fs.statSync(file).size > MAX_BYTES ? '' : fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
