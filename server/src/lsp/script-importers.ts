/**
 * Which Python files of the workspace import a file, directly or by way of others: networks that are made there have
 * layers whose lines stand here. Only texts are looked at, in the background; what an import means, the resolver tells.
 */
import * as path from 'node:path';
import { isInside } from './script-ties';
import { pythonFiles } from './workspace-files';

export interface ImportersHost {
  /** Words in the import statements of a file; none for a file that is not there. */
  importWords(file: string): ReadonlySet<string>;
  /** Folders of the workspace. */
  folders(): readonly string[];
}

/** Files looked at. */
const MAX_FILES = 400;

/** Importers handed out. */
const MAX_IMPORTERS = 16;

/** Importers of importers that are followed. */
const MAX_STEPS = 4;

/** What was found in the workspace is believed this long, milliseconds. */
const AGE = 30_000;

export class Importers {
  private listed:
    | { readonly at: number; readonly root: string; readonly files: readonly string[] }
    | undefined;

  constructor(private readonly host: ImportersHost) {}

  /**
   * Files that import a file, then those that import them.
   * @param goOn asked between files; false gives up.
   */
  async of(file: string, goOn: () => Promise<boolean>): Promise<readonly string[]> {
    const files = await this.files(file);
    const found = new Set<string>();
    // Asking for the words looks at the disk: once, however many steps follow.
    const words = new Map<string, ReadonlySet<string>>();
    for (const one of files) {
      if (!(await goOn())) return [];
      if (one !== file) words.set(one, this.host.importWords(one));
    }
    let targets: readonly string[] = [file];
    for (let step = 0; step < MAX_STEPS && targets.length > 0; step++) {
      const names = new Set(targets.map(moduleName));
      const importing: string[] = [];
      for (const [one, imported] of words) {
        if (found.has(one) || ![...names].some((name) => imported.has(name))) continue;
        found.add(one);
        importing.push(one);
        if (found.size >= MAX_IMPORTERS) return [...found];
      }
      targets = importing;
    }
    return [...found];
  }

  /** Files came or went. */
  changed(): void {
    this.listed = undefined;
  }

  private async files(file: string): Promise<readonly string[]> {
    const root = this.host.folders().find((folder) => isInside(file, folder)) ?? path.dirname(file);
    if (this.listed?.root === root && performance.now() - this.listed.at < AGE) return this.listed.files;
    const files: string[] = [];
    for await (const one of pythonFiles([root], [], () => files.length < MAX_FILES)) files.push(one);
    this.listed = { at: performance.now(), root, files };
    return files;
  }
}

/** Name by which a file is imported: that of its folder for a package. */
function moduleName(file: string): string {
  const name = path.basename(file, '.py');
  return name === '__init__' ? path.basename(path.dirname(file)) : name;
}
