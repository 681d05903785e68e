// @ts-check
// Where things are in the project, and whether this machine can run the editor of test/ide.
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** The demo workspace. */
export const examples = path.join(root, 'examples');

/** The package that holds a real VS Code, a browser and their Node. */
export const ide = path.join(root, 'test/ide');

/** The packages of test/ide are binaries for this system only. */
export const ideRunsHere = process.platform === 'linux' && process.arch === 'x64';

/** The name VS Code gives this system in VSIX targets. */
export const target = `${process.platform}-${process.arch}`;

/** Where `npm run package` puts the extension. @param {string} [forTarget] */
export function vsixFile(forTarget = target) {
  return path.join(root, 'out', `quantlens-${forTarget}.vsix`);
}
