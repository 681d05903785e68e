/**
 * Python files that scripts import from their workspace, read and parsed once per state of the file; open documents count
 * as they stand in the editor. Bounded in number and size, and never asked for on the way from a keystroke to its
 * findings.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { LRUCache } from 'lru-cache';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { Location } from 'vscode-languageserver-types';
import { atOnce } from '../engine/base/steps';
import type { ImportedFiles } from '../script/data-pipeline';
import { type ScriptSources, workspaceResolver } from '../script/imports';
import type { Resolver } from '../script/interpret';
import type { Place } from '../script/interpret-values';
import type { PythonParser } from '../script/parser';
import { type Program, programSteps } from '../script/program';
import { suppressions } from '../script/suppressions';
import { rangeOf, uriOf } from './convert';

export interface ScriptModulesHost {
  parser(): PythonParser | undefined;
  /** Folders of the workspace. */
  folders(): readonly string[];
  /** Text of a file that is open in the editor, with its version. */
  openText(file: string): { readonly text: string; readonly version: number } | undefined;
}

/** A file, read. */
export interface ModuleFile {
  readonly program: Program;
  /** Models its comments name, as written there. */
  readonly models: readonly string[];
}

interface Known {
  readonly stamp: string;
  readonly module: ModuleFile | undefined;
}

/** Import statements, names in parentheses included. */
const importStatements = /^[ \t]*(?:from\b[^\n]*?\bimport\b(?:[ \t]*\([^)]*\)|[^\n]*)|import\b[^\n]*)/gm;

/** Files whose import words are kept. */
const MAX_WORDS = 1024;

/** Files whose programs are kept. */
const MAX_PROGRAMS = 128;

/** Larger files are no modules that people write. */
const MAX_BYTES = 1_000_000;

/** Folders above a script in which imports are looked for, where no folder of the workspace ends the way. */
const MAX_ABOVE = 3;

/** What was found on disk is believed this long, milliseconds. */
const AGE = 2000;

export class ScriptModules {
  private readonly programs = new LRUCache<string, Known>({ max: MAX_PROGRAMS });
  private readonly words = new LRUCache<
    string,
    { readonly stamp: string; readonly words: ReadonlySet<string> }
  >({ max: MAX_WORDS });
  /** Everything the present resolver asked for, as it was then. */
  private readonly asked = new Map<string, string>();
  private resolver: Resolver | undefined;
  /** Files that were asked for while nothing may be read. */
  private lacking: Set<string> | undefined;
  private checked = 0;

  constructor(private readonly host: ScriptModulesHost) {}

  /** Finds what scripts import; another function once any file that was asked for is not what it was. */
  current(): Resolver {
    const now = performance.now();
    if (this.resolver && now - this.checked > AGE) {
      this.checked = now;
      for (const [file, stamp] of this.asked) if (this.stampOf(file) !== stamp) this.resolver = undefined;
    }
    if (!this.resolver) {
      this.asked.clear();
      this.checked = now;
      this.resolver = workspaceResolver(this.sources());
    }
    return this.resolver;
  }

  /** The files that scripts import, for what runs them. */
  files(): ImportedFiles {
    const sources = this.sources();
    return {
      resolver: (variable) => workspaceResolver(sources, variable),
      program: (file) => sources.program(file),
    };
  }

  /** Files may have changed: the next answer looks. */
  changed(): void {
    this.checked = Number.NEGATIVE_INFINITY;
  }

  /** A file of the workspace; {@link current} changes when it does. */
  module(file: string): ModuleFile | undefined {
    const stamp = this.note(file);
    if (stamp === 'none' || stamp === 'folder') return undefined;
    const known = this.programs.get(file);
    if (known?.stamp === stamp) return known.module;
    if (this.lacking) {
      this.lacking.add(file);
      return undefined;
    }
    atOnce(this.readSteps(file, stamp));
    return this.programs.get(file)?.module;
  }

  /**
   * Does work that asks for files, which are read in steps: what lacks one is done again once it is read.
   * @param goOn asked between steps; false gives up, and undefined is the answer.
   */
  async withFiles<T>(
    work: () => T,
    goOn: () => Promise<boolean>,
  ): Promise<{ readonly value: T } | undefined> {
    for (let time = 0; time < MAX_PROGRAMS; time++) {
      const lacking = new Set<string>();
      const value = this.noting(lacking, work);
      if (lacking.size === 0) return { value };
      for (const file of lacking)
        for (const _ of this.readSteps(file, this.note(file))) if (!(await goOn())) return undefined;
    }
    // More files than are kept would be read without end.
    return { value: work() };
  }

  private noting<T>(lacking: Set<string>, work: () => T): T {
    this.lacking = lacking;
    try {
      return work();
    } finally {
      this.lacking = undefined;
    }
  }

  /** A place in a file of the workspace, open or not. */
  locate({ file, span }: Place): Location | undefined {
    const text = this.host.openText(file)?.text ?? readText(file);
    if (text === undefined) return undefined;
    const uri = uriOf(file);
    return { uri, range: rangeOf(TextDocument.create(uri, 'python', 0, text), span) };
  }

  /** All words in the import statements of a file. */
  importWords(file: string): ReadonlySet<string> {
    const stamp = this.stampOf(file);
    const known = this.words.get(file);
    if (known?.stamp === stamp) return known.words;
    const text = this.host.openText(file)?.text ?? readText(file) ?? '';
    const words = new Set([...text.matchAll(importStatements)].flatMap(([line]) => line.match(/\w+/g) ?? []));
    this.words.set(file, { stamp, words });
    return words;
  }

  private sources(): ScriptSources {
    return {
      program: (file) => this.module(file)?.program,
      waits: () => this.lacking !== undefined && this.lacking.size > 0,
      isFolder: (folder) => this.note(folder) === 'folder',
      roots: (file) => this.roots(file),
    };
  }

  private note(file: string): string {
    const known = this.asked.get(file);
    if (known !== undefined) return known;
    const stamp = this.stampOf(file);
    this.asked.set(file, stamp);
    return stamp;
  }

  private stampOf(file: string): string {
    const open = this.host.openText(file);
    if (open) return `v${open.version}`;
    try {
      const { mtimeMs, size, isFile } = factsOf(fs.statSync(file));
      return isFile ? `${mtimeMs} ${size}` : 'folder';
    } catch {
      return 'none';
    }
  }

  private *readSteps(file: string, stamp: string): Generator<void, void> {
    const parser = this.host.parser();
    const text = this.host.openText(file)?.text ?? readText(file);
    let module: ModuleFile | undefined;
    if (parser && text !== undefined) {
      const parsed = yield* parser.parseSteps(text);
      const program = yield* programSteps(parsed.module);
      const models = suppressions(text, parsed.module.comments).models.map((one) => one.path);
      parsed.dispose();
      module = { program, models };
    }
    this.programs.set(file, { stamp, module });
  }

  /** The folder of a file and those above it, as far as the workspace reaches; in each `src` as well. */
  private roots(file: string): readonly string[] {
    const folders = this.host.folders().map((one) => one.replaceAll('\\', '/'));
    const roots: string[] = [];
    let folder = path.posix.dirname(file);
    const within = folders.find((one) => folder === one || folder.startsWith(`${one}/`));
    for (let step = 0; within !== undefined || step <= MAX_ABOVE; step++) {
      roots.push(folder, `${folder}/src`);
      const above = path.posix.dirname(folder);
      if (folder === within || above === folder) break;
      folder = above;
    }
    return roots;
  }
}

function factsOf(stats: fs.Stats): { mtimeMs: number; size: number; isFile: boolean } {
  return { mtimeMs: stats.mtimeMs, size: stats.size, isFile: stats.isFile() };
}

function readText(file: string): string | undefined {
  try {
    return fs.statSync(file).size > MAX_BYTES ? undefined : fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
