/**
 * Looks for the models behind scripts while nobody types: in steps of a few milliseconds, given up with the next
 * keystroke. Questions get what is known; who asks first may wait a moment for the rest.
 */
import * as path from 'node:path';
import { turn } from '../engine/base/steps';
import type { AnalyzedScript } from '../rules/script/analyze';
import type { Resolver } from '../script/interpret';
import { type ModuleTree, moduleTreeSteps, moduleTrees, type ScriptFile } from '../script/module-tree';
import { tiesOf } from '../script/tie';
import { Importers } from './script-importers';
import type { ScriptModules } from './script-modules';
import {
  type Candidates,
  candidatesOf,
  exportCalls,
  modelsAround,
  type ScriptTie,
  scriptTies,
  signature,
} from './script-ties';
import type { Workspace } from './workspace';

/** One version of a script, and what is known of its models. */
export interface Searched {
  readonly script: AnalyzedScript;
  /** Largest model that is looked at by itself, bytes. */
  readonly maximumBytes: number;
  /** Ties of the version before, moved to where their lines are now. */
  readonly carried: readonly ScriptTie[];
  ties: { readonly key: string; readonly list: readonly ScriptTie[] } | undefined;
  search: Promise<void> | undefined;
}

export interface TieSearchHost {
  readonly workspace: Workspace;
  readonly modules: ScriptModules;
  folders(): readonly string[];
  /** False once a newer version took the place of this one. */
  isCurrent(searched: Searched): boolean;
  /** Other ties than those shown were found. */
  changed(): void;
}

/** A folder is looked through again after this time, milliseconds. */
const FOLDER_AGE = 5000;

/** Longest stretch of work between two looks at what has come in, milliseconds. */
const SLICE = 6;

export class TieSearch {
  private readonly around = new Map<
    string,
    { readonly at: number; readonly size: number; readonly files: readonly string[] }
  >();

  private readonly importers: Importers;
  /** Counts changes of files: a new one may import what is open. */
  private changes = 0;

  constructor(private readonly host: TieSearchHost) {
    const { modules, folders } = host;
    this.importers = new Importers({ importWords: (file) => modules.importWords(file), folders });
  }

  /** What is known now; a search begins where that may be out of date. */
  now(searched: Searched): readonly ScriptTie[] {
    void this.begin(searched);
    const list = searched.ties?.list ?? searched.carried;
    for (const { model } of list) this.host.workspace.analyze(model);
    return list;
  }

  /** Resolves once {@link now} says all there is to say, at the latest after some milliseconds. */
  async settled(searched: Searched, milliseconds: number): Promise<void> {
    const search = this.begin(searched);
    if (!search) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    await Promise.race([search, late]);
    clearTimeout(timer);
  }

  /** Models came or went: folders are looked through anew. */
  filesChanged(): void {
    this.around.clear();
    this.importers.changed();
    this.changes++;
  }

  /** A script was closed: nobody asks for the models around it. */
  forget(file: string): void {
    this.around.delete(file);
  }

  private begin(searched: Searched): Promise<void> | undefined {
    // A document without a file has no folder to look in.
    if (!path.isAbsolute(searched.script.file)) return undefined;
    if (searched.search) return searched.search;
    const candidates = this.candidates(searched);
    const key = this.keyOf(candidates);
    if (searched.ties?.key === key && searched.ties.list) return undefined;
    searched.search = this.search(searched, candidates, key)
      // What cannot be looked at ties nothing; the log has the reason from where it happened.
      .finally(() => {
        searched.search = undefined;
      });
    return searched.search;
  }

  private async search(searched: Searched, candidates: Candidates, key: string): Promise<void> {
    const { workspace, modules } = this.host;
    const { script } = searched;
    let began = performance.now();
    /** False when the search is of no use any more. */
    const goOn = async () => {
      if (performance.now() - began < SLICE) return true;
      await turn();
      began = performance.now();
      return this.host.isCurrent(searched);
    };
    await turn();
    if (!this.host.isCurrent(searched)) return;
    const resolve = modules.current();
    const own = await this.trees({ file: script.file, program: script.program }, resolve, goOn);
    if (!own) return;
    const elsewhere = await this.elsewhere(searched, goOn);
    if (!elsewhere) return;
    const trees = [...own, ...elsewhere.trees];
    const all = { ...candidates, ...elsewhere.candidates(candidates) };
    if (trees.length > 0)
      for (const model of filesOf(all)) {
        const layers = workspace.header(model).value?.layers ?? [];
        if (!(await goOn())) return;
        for (const tree of trees) {
          // Remembered for the whole below.
          tiesOf([tree], layers);
          if (!(await goOn())) return;
        }
      }
    if (!this.host.isCurrent(searched)) return;
    const list = scriptTies(trees, all, workspace);
    // Findings of a model take a moment the first time.
    for (const { model } of list) await workspace.prepare(model);
    if (!this.host.isCurrent(searched)) return;
    const shown = searched.ties?.list ?? searched.carried;
    // Whether the model that a comment names fits is told as well.
    const tells = searched.ties === undefined && candidates.named.length > 0;
    searched.ties = { key, list };
    if (tells || signature(list) !== signature(shown)) this.host.changed();
    // Starting a process takes a moment; whoever waited for the ties is answered first.
    await turn();
    for (const { model } of list) workspace.analyze(model);
  }

  /**
   * Networks with layers on lines of this file that are made where it is imported, and the models named there.
   * Undefined when the search was given up.
   */
  private async elsewhere(
    { script }: Searched,
    goOn: () => Promise<boolean>,
  ): Promise<Elsewhere | undefined> {
    const { modules } = this.host;
    const resolve = modules.current();
    const trees: ModuleTree[] = [];
    const named: string[] = [];
    const exported: string[] = [];
    const definesSomething = script.program.classes.length + script.program.functions.length > 0;
    for (const file of definesSomething ? await this.importers.of(script.file, goOn) : []) {
      const read = await modules.withFiles(() => modules.module(file), goOn);
      if (!read) return undefined;
      const found = read.value;
      if (!found) continue;
      const source = { file, program: found.program };
      const made = await this.trees(source, resolve, goOn);
      if (!made) return undefined;
      const here = made.filter(({ layers }) =>
        layers.some(({ place, around }) => [place, ...around].some((one) => one.file === script.file)),
      );
      if (here.length === 0) continue;
      trees.push(...here);
      named.push(...found.models.map((one) => path.resolve(path.dirname(file), one)));
      exported.push(...exportCalls(source).map(({ model }) => model));
    }
    // What a file says itself counts more than what is said where it is used.
    const candidates = (mine: Candidates) => ({
      named: mine.named.length > 0 ? mine.named : named,
      exported: [...mine.exported, ...exported],
    });
    return (await goOn()) ? { trees, candidates } : undefined;
  }

  /** Networks that a file constructs; undefined when the search was given up. */
  private async trees(
    source: ScriptFile,
    resolve: Resolver,
    goOn: () => Promise<boolean>,
  ): Promise<readonly ModuleTree[] | undefined> {
    const steps = moduleTreeSteps(source, resolve);
    for (;;) {
      const step = await this.host.modules.withFiles(() => steps.next(), goOn);
      if (!step || !(await goOn())) return undefined;
      if (step.value.done) return moduleTrees(source, resolve);
    }
  }

  private candidates({ script, maximumBytes }: Searched): Candidates {
    const nearby = script.suppressions.models.length > 0 ? [] : this.nearby(script.file, maximumBytes);
    return candidatesOf(script, nearby);
  }

  /** States of all files that ties were made from. */
  private keyOf(candidates: Candidates): string {
    const { workspace, modules } = this.host;
    const states = filesOf(candidates).map((file) => [file, workspace.stamp(file)]);
    return JSON.stringify([identityOf(modules.current()), this.changes, states]);
  }

  private nearby(file: string, size: number): readonly string[] {
    const known = this.around.get(file);
    if (known && known.size === size && performance.now() - known.at < FOLDER_AGE) return known.files;
    const files = modelsAround(file, size, this.host.folders());
    this.around.set(file, { at: performance.now(), size, files });
    return files;
  }
}

interface Elsewhere {
  readonly trees: readonly ModuleTree[];
  candidates(mine: Candidates): Pick<Candidates, 'named' | 'exported'>;
}

function filesOf({ named, exported, nearby }: Candidates): readonly string[] {
  return [...new Set(named.length > 0 ? named : [...exported, ...nearby])];
}

const identities = new WeakMap<object, number>();
let identityCount = 0;

/** A number for an object. */
function identityOf(object: object): number {
  const known = identities.get(object);
  if (known !== undefined) return known;
  identities.set(object, ++identityCount);
  return identityCount;
}
