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

/** What a folder states, and whether a repository begins there. */
interface Stated {
  readonly pins: Pins;
  readonly isRoot: boolean;
}

const read = new LRUCache<string, Stated>({ max: 256, ttl: AGE });

/** The nearest statement about each library counts; looking ends where a repository begins. */
export function pinsAround(script: string): Pins {
  const pins = new Map<string, Pin>();
  if (!path.isAbsolute(script)) return pins;
  let folder = path.dirname(script);
  for (let step = 0; step <= MAX_ABOVE; step++) {
    const stated = statedIn(folder);
    for (const [name, pin] of stated.pins) if (!pins.has(name)) pins.set(name, pin);
    const above = path.dirname(folder);
    if (above === folder || stated.isRoot) break;
    folder = above;
  }
  return pins;
}

/** Asked at every keystroke: the disk is only looked at once in a while. */
function statedIn(folder: string): Stated {
  const known = read.get(folder);
  if (known) return known;
  const pins = new Map<string, Pin>();
  for (const name of pinFiles)
    for (const [library, pin] of pinsIn(textOf(path.join(folder, name))))
      if (!pins.has(library)) pins.set(library, pin);
  const stated = { pins, isRoot: fs.existsSync(path.join(folder, '.git')) };
  read.set(folder, stated);
  return stated;
}

function textOf(file: string): string {
  try {
    return fs.statSync(file).size > MAX_BYTES ? '' : fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
