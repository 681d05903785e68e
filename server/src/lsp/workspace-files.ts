/**
 * Python files of a workspace, found without holding anything up: folders that people exclude in the editor or keep out
 * of version control, environments, packages and hidden folders are left out, links are not followed.
 */
import { readdir, readFile } from 'node:fs/promises';
import * as path from 'node:path';
import picomatch from 'picomatch';

/** Files looked at of one workspace. */
const MAX_SCRIPTS = 2000;

/** Folders looked into of one workspace. */
const MAX_FOLDERS = 5000;

const leftOut =
  /^(\..*|node_modules|site-packages|dist-packages|__pycache__|venv|env|virtualenv|build|dist)$/;

/** A file that only environments of Python have. */
const environment = 'pyvenv.cfg';

type Excludes = (way: string, isFolder: boolean) => boolean;

/**
 * Paths of Python files below folders, nearest first, at most {@link MAX_SCRIPTS}.
 * @param excluded globs of the editor (`files.exclude`), relative to the folders of the workspace.
 * @param goesOn asked between folders; false ends the search.
 */
export async function* pythonFiles(
  roots: readonly string[],
  excluded: readonly string[],
  goesOn: () => boolean,
): AsyncIterable<string> {
  const isExcluded = picomatch([...excluded], { dot: true });
  let found = 0;
  let seen = 0;
  for (const root of roots) {
    const folders: { readonly folder: string; readonly ignored: readonly Excludes[] }[] = [
      { folder: root, ignored: [] },
    ];
    for (let next = folders.shift(); next && goesOn(); next = folders.shift()) {
      if (++seen > MAX_FOLDERS || found >= MAX_SCRIPTS) return;
      const { folder } = next;
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
      if (entries.some(({ name }) => name === environment)) continue;
      const own = entries.some(({ name }) => name === '.gitignore') ? await ignoredBy(folder) : undefined;
      const ignored = own ? [...next.ignored, own] : next.ignored;
      for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
        const full = path.join(folder, entry.name);
        const way = path.relative(root, full).replaceAll('\\', '/');
        const isFolder = entry.isDirectory();
        if ((isFolder && leftOut.test(entry.name)) || isExcluded(way)) continue;
        if (ignored.some((excludes) => excludes(full, isFolder))) continue;
        if (isFolder) folders.push({ folder: full, ignored });
        else if (entry.isFile() && entry.name.endsWith('.py') && found++ < MAX_SCRIPTS) yield full;
      }
    }
  }
}

/** What a `.gitignore` leaves out below its folder: the last line that fits decides. */
async function ignoredBy(folder: string): Promise<Excludes> {
  const text = await readFile(path.join(folder, '.gitignore'), 'utf8').catch(() => '');
  const rules = text.split(/\r?\n/).flatMap((line) => {
    const written = line.trimEnd();
    if (written === '' || written.startsWith('#')) return [];
    const negated = written.startsWith('!');
    const pattern = written.slice(negated ? 1 : 0);
    const body = pattern.replace(/^\//, '').replace(/\/$/, '');
    // A slash inside ties a pattern to its folder.
    const glob = pattern.replace(/\/$/, '').includes('/') ? body : `**/${body}`;
    return [{ negated, foldersOnly: pattern.endsWith('/'), fits: picomatch(glob, { dot: true }) }];
  });
  return (full, isFolder) => {
    const way = path.relative(folder, full).replaceAll('\\', '/');
    const last = rules.findLast(({ fits, foldersOnly }) => (isFolder || !foldersOnly) && fits(way));
    return last !== undefined && !last.negated;
  };
}
