/** Files that `lint` looks at below a folder. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type Issue, issue } from '../engine/base/issue';

export interface Lintable {
  readonly files: readonly string[];
  /** `file-unreadable` for each folder that could not be looked into. */
  readonly issues: readonly Issue[];
}

const kinds = /\.(onnx|onnxtxt|quant\.json|py|ipynb)$/;

/**
 * A file as it is; a folder's models, recipes, scripts and notebooks, sorted. Hidden folders and packages are left out,
 * links are not followed, so that a loop of them ends.
 */
export function lintable(root: string): Lintable {
  if (!fs.statSync(root, { throwIfNoEntry: false })?.isDirectory()) return { files: [root], issues: [] };
  const files: string[] = [];
  const issues: Issue[] = [];
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of entriesOf(folder, issues)) {
      const full = path.join(folder, entry.name);
      if (entry.isDirectory() && !isLeftOut(entry.name)) folders.push(full);
      else if (entry.isFile() && kinds.test(entry.name)) files.push(full);
    }
  }
  return { files: files.sort(), issues };
}

function entriesOf(folder: string, issues: Issue[]): readonly fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    issues.push(issue('file-unreadable', { path: folder, reason }, { path: folder }));
    return [];
  }
}

function isLeftOut(name: string): boolean {
  return name === 'node_modules' || name === 'site-packages' || name.startsWith('.');
}
