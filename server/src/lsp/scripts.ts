/**
 * Python documents as the editor has them: analysed once per version, incrementally, and only where a framework is
 * mentioned. The cells of a notebook are one program. The parser is loaded with the first such document.
 */
import * as path from 'node:path';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { Location } from 'vscode-languageserver-types';
import { mentionsFramework } from '../protocol/frameworks';
import type { Settings } from '../protocol/lsp-ext';
import { type AnalyzedScript, analyzeScript } from '../rules/script/analyze';
import { isRelevant } from '../rules/script/index';
import { scriptTargets } from '../rules/script/script-rule';
import { type DataPipeline, dataPipelines } from '../script/data-pipeline';
import { cellSpan, joinCells, type NotebookProgram, programOffset } from '../script/notebook';
import type { PythonParser } from '../script/parser';
import { fileOf, rangeOf, type Span } from './convert';
import { placesOfLayer } from './script-layers';
import {
  candidatesOf,
  type ExportCall,
  exportCalls,
  isData,
  modelsAround,
  movedTies,
  type ScriptTie,
  scriptTies,
  signature,
} from './script-ties';
import type { ScriptPlaces, ScriptSnapshot, Surroundings } from './snapshot';
import type { Workspace } from './workspace';

export interface ScriptsHost {
  readonly workspace: Workspace;
  surroundings(): Surroundings;
  parser(): Promise<PythonParser>;
  log(line: string): void;
  /** Scripts can be read now, or say more than before. */
  changed(): void;
  /** Code cells of the notebook that holds a document, in their order, and its address; undefined outside of one. */
  cells(uri: string): { readonly notebook: string; readonly documents: readonly TextDocument[] } | undefined;
}

/** One program: a document, or all cells of a notebook. */
interface Source {
  readonly uri: string;
  readonly version: string;
  readonly documents: readonly TextDocument[];
  readonly notebook: NotebookProgram | undefined;
  text(): string;
}

/** Open documents by address. */
interface Documents {
  get(uri: string): TextDocument | undefined;
}

/** Notebooks by the address of a cell. */
interface Notebooks {
  findNotebookDocumentForCell(uri: string): NotebookCells | undefined;
}

interface NotebookCells {
  readonly uri: string;
  readonly cells: readonly { readonly document: string }[];
}

/** Python cells of the notebook around a cell, as far as they are open. */
export function cellsOf(
  uri: string,
  notebooks: Notebooks,
  documents: Documents,
): ReturnType<ScriptsHost['cells']> {
  const notebook = notebooks.findNotebookDocumentForCell(uri);
  if (!notebook) return undefined;
  const cells = notebook.cells.flatMap((cell) => documents.get(cell.document) ?? []);
  return { notebook: notebook.uri, documents: cells.filter(({ languageId }) => languageId === 'python') };
}

interface Held {
  readonly uri: string;
  readonly version: string;
  readonly settings: Settings;
  readonly script: AnalyzedScript;
  readonly relevant: boolean;
  /** Milliseconds of the analysis. */
  readonly took: number;
  /** Ties of the version before, moved to where their lines are now. */
  readonly carried: readonly ScriptTie[];
  ties: { readonly key: string; readonly list: readonly ScriptTie[] } | undefined;
  exports: readonly ExportCall[] | undefined;
  data: readonly DataPipeline[] | undefined;
}

/** A folder is looked through again after this time, milliseconds. */
const FOLDER_AGE = 5000;

/** Milliseconds without a keystroke after which ties are looked for. */
const IDLE = 400;

/** An analysis that takes longer waits for the newest version of a text that is being typed, milliseconds. */
const QUICK = 20;

export class Scripts {
  private readonly held = new Map<string, Held>();
  private readonly around = new Map<
    string,
    { readonly at: number; readonly size: number; readonly files: readonly string[] }
  >();
  private parser: PythonParser | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly host: ScriptsHost) {}

  /** True for documents that hold Python. */
  serves(uri: string, documents: Documents): boolean {
    return documents.get(uri)?.languageId === 'python';
  }

  /** True while scripts are open that were looked at. */
  get isInUse(): boolean {
    return this.held.size > 0;
  }

  /** Resolves once {@link of} can answer: with the parser, if the document needs it. */
  async ready(document: TextDocument): Promise<void> {
    if (document.languageId !== 'python' || this.parser || !this.isEnabled()) return;
    if (mentionsFramework(this.source(document).text())) this.parser = await this.host.parser();
  }

  /** True when an older version is analysed, and not in no time: the newest may be old in a moment. */
  isStale(document: TextDocument): boolean {
    if (document.languageId !== 'python') return false;
    const source = this.source(document);
    const known = this.held.get(source.uri);
    return known !== undefined && known.version !== source.version && known.took > QUICK;
  }

  /** The document as features see it; undefined for one without a framework, and before the parser is there. */
  of(document: TextDocument): ScriptSnapshot | undefined {
    const { host } = this;
    const source = this.source(document);
    const held = this.analyzed(source);
    if (!held?.relevant) return undefined;
    return {
      kind: 'script',
      document,
      script: held.script,
      places: placesOf(source, document),
      ties: () => this.ties(held),
      knownTies: () => this.knownTies(held),
      model: (file) => {
        host.workspace.analyze(file);
        return host.workspace.model(file);
      },
      exists: (file) => host.workspace.stamp(file) !== undefined,
      isData,
      opened: (file) => host.workspace.open(file).value?.model,
      data: () => {
        held.data ??= dataPipelines(held.script);
        return held.data;
      },
      exports: () => {
        held.exports ??= exportCalls(held.script);
        return held.exports;
      },
      ...host.surroundings(),
    };
  }

  /** A document was closed. */
  forget(uri: string): void {
    this.held.get(uri)?.script.parsed.dispose();
    this.held.delete(uri);
  }

  /** Models came or went: folders are looked through anew. */
  filesChanged(): void {
    this.around.clear();
  }

  /** Where open scripts make a layer of a model. */
  locate(open: readonly TextDocument[], model: string, layer: string): readonly Location[] {
    const seen = new Set<string>();
    return open.flatMap((document) => {
      const snapshot = document.languageId === 'python' ? this.of(document) : undefined;
      // The cells of a notebook give the places of all of them.
      if (!snapshot || seen.has(snapshot.script.file)) return [];
      seen.add(snapshot.script.file);
      return placesOfLayer(snapshot, model, layer);
    });
  }

  private load(): void {
    this.host.parser().then(
      (parser) => {
        if (this.parser) return;
        this.parser = parser;
        this.host.changed();
      },
      (error: unknown) => this.host.log(`the Python parser cannot be loaded: ${String(error)}`),
    );
  }

  private isEnabled(): boolean {
    return this.host.surroundings().settings.script.enabled;
  }

  private analyzed(source: Source): Held | undefined {
    const { settings } = this.host.surroundings();
    const known = this.held.get(source.uri);
    if (known?.version === source.version && known.settings === settings) return known;
    const text = source.text();
    const wanted = settings.script.enabled && mentionsFramework(text);
    // Nobody waits here: what is pushed is pushed again.
    if (wanted && !this.parser) this.load();
    if (!wanted || !this.parser) {
      this.forget(source.uri);
      return undefined;
    }
    const target = scriptTargets.find((one) => one === settings.script.target);
    const file = fileOf(source.uri) ?? source.uri;
    const began = performance.now();
    // What came before is used up, whatever happens.
    this.held.delete(source.uri);
    const options = { severities: settings.severity, target };
    const script = analyzeScript(this.parser, file, text, options, known?.script);
    const held: Held = {
      uri: source.uri,
      version: source.version,
      settings,
      script,
      relevant: isRelevant(script),
      took: performance.now() - began,
      carried: known ? movedTies(known.ties?.list ?? known.carried, known.script.text, text) : [],
      ties: undefined,
      exports: undefined,
      data: undefined,
    };
    this.held.set(source.uri, held);
    return held;
  }

  private ties(held: Held): readonly ScriptTie[] {
    const { workspace } = this.host;
    // A document without a file has no folder to look in.
    if (!path.isAbsolute(held.script.file)) return [];
    const candidates = candidatesOf(held.script, this.nearby(held));
    const files = [...candidates.named, ...candidates.exported, ...candidates.nearby];
    const key = JSON.stringify(files.map((file) => [file, workspace.stamp(file)]));
    if (held.ties?.key !== key) {
      const list = scriptTies(held.script.trees(), candidates, workspace);
      const shown = held.ties?.list ?? held.carried;
      held.ties = { key, list };
      if (signature(list) !== signature(shown)) this.host.changed();
    }
    for (const { model } of held.ties.list) workspace.analyze(model);
    return held.ties.list;
  }

  /** Ties without the time to find them; they are looked for once nobody types. */
  private knownTies(held: Held): readonly ScriptTie[] {
    if (held.ties) return held.ties.list;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.held.get(held.uri) === held) this.ties(held);
    }, IDLE);
    this.timer.unref();
    return held.carried;
  }

  private nearby({ script, settings }: Held): readonly string[] {
    if (script.suppressions.models.length > 0) return [];
    const size = settings.analyzeOnOpen * 1e6;
    const known = this.around.get(script.file);
    if (known && known.size === size && performance.now() - known.at < FOLDER_AGE) return known.files;
    const files = modelsAround(script.file, size);
    this.around.set(script.file, { at: performance.now(), size, files });
    return files;
  }

  private source(document: TextDocument): Source {
    const notebook = this.host.cells(document.uri);
    if (!notebook) {
      return {
        uri: document.uri,
        version: String(document.version),
        documents: [document],
        notebook: undefined,
        text: () => document.getText(),
      };
    }
    const { documents } = notebook;
    const program = joinCells(documents.map((cell) => cell.getText()));
    return {
      uri: notebook.notebook,
      version: documents.map(({ uri, version }) => `${uri} ${version}`).join('\n'),
      documents,
      notebook: program,
      text: () => program.text,
    };
  }
}

function placesOf({ documents, notebook }: Source, document: TextDocument): ScriptPlaces {
  if (!notebook) {
    return {
      offset: (inDocument) => inDocument,
      location: (span) => ({ uri: document.uri, range: rangeOf(document, span) }),
      range: (span) => rangeOf(document, span),
    };
  }
  const own = documents.indexOf(document);
  const located = (span: Span): Location | undefined => {
    const found = cellSpan(notebook, span);
    const cell = found && documents[found.cell];
    return cell && { uri: cell.uri, range: rangeOf(cell, found.span) };
  };
  return {
    offset: (inDocument) => programOffset(notebook, own, inDocument),
    location: located,
    range: (span) => {
      const found = located(span);
      return found?.uri === document.uri ? found.range : undefined;
    },
  };
}
