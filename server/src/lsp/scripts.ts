/**
 * Python documents as the editor has them: analysed once per version, incrementally, and only where a framework is
 * mentioned. The cells of a notebook are one program. The parser is loaded with the first such document.
 */
import * as path from 'node:path';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { Location } from 'vscode-languageserver-types';
import { URI } from 'vscode-uri';
import { mentionsFramework } from '../protocol/frameworks';
import type { Settings } from '../protocol/lsp-ext';
import { type AnalyzedScript, analyzeScript } from '../rules/script/analyze';
import { isRelevant } from '../rules/script/index';
import { scriptTargets } from '../rules/script/script-rule';
import { type DataPipeline, dataPipelines } from '../script/data-pipeline';
import type { Resolver } from '../script/interpret';
import { cellSpan, joinCells, type NotebookProgram, programOffset } from '../script/notebook';
import type { PythonParser } from '../script/parser';
import { fileOf, rangeOf, type Span } from './convert';
import { FirstReading, type UnreadScript } from './script-first-reading';
import { placesOfLayer } from './script-layers';
import { ScriptModules } from './script-modules';
import { pinsAround } from './script-pins';
import { type Searched, TieSearch } from './script-tie-search';
import { type ExportCall, exportCalls, isData, movedTies, type ScriptTie } from './script-ties';
import { warmUp } from './script-warm-up';
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
  /** Folders of the workspace. */
  folders(): readonly string[];
  /** Text of a file that is open in the editor. */
  openText(file: string): { readonly text: string; readonly version: number } | undefined;
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

interface Held extends Searched {
  readonly uri: string;
  readonly version: string;
  readonly settings: Settings;
  readonly relevant: boolean;
  /** Nothing came before this version. */
  readonly isFirst: boolean;
  /** Milliseconds of the analysis. */
  readonly took: number;
  exports: readonly ExportCall[] | undefined;
  /** With the resolver of that time. */
  data: { readonly resolver: Resolver; readonly pipelines: readonly DataPipeline[] } | undefined;
}

/** Milliseconds without a keystroke after which ties are looked for. */
const IDLE = 400;

/** Milliseconds after the start of the server until it gets ready for scripts. */
const WARM_UP = 200;

/** An analysis that takes longer waits for the newest version of a text that is being typed, milliseconds. */
const QUICK = 20;

export class Scripts {
  private readonly held = new Map<string, Held>();
  private parser: PythonParser | undefined;
  /** Searches that wait until nobody types, by script: one that is typed in holds up no other. */
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly first = new FirstReading();
  private readonly modules: ScriptModules;
  private readonly search: TieSearch;

  constructor(private readonly host: ScriptsHost) {
    this.modules = new ScriptModules({
      parser: () => this.parser,
      folders: host.folders,
      openText: host.openText,
    });
    this.search = new TieSearch({
      workspace: host.workspace,
      modules: this.modules,
      folders: host.folders,
      isCurrent: (searched) => [...this.held.values()].some((one) => one === searched),
      changed: host.changed,
    });
  }

  /** True for documents that hold Python. */
  serves(uri: string, documents: Documents): boolean {
    return documents.get(uri)?.languageId === 'python';
  }

  /** True while scripts are open that were looked at. */
  get isInUse(): boolean {
    return this.held.size > 0;
  }

  /** True once some version of a script was analysed. */
  isKnown(document: TextDocument): boolean {
    return document.languageId !== 'python' || this.held.has(this.source(document).uri);
  }

  /** Resolves once {@link of} answers in no time: with the parser, and a long script read, if it needs that. */
  async ready(document: TextDocument): Promise<void> {
    if (document.languageId !== 'python' || !this.isEnabled()) return;
    const source = this.source(document);
    if (this.parser && this.held.has(source.uri)) return;
    if (!mentionsFramework(source.text())) return;
    this.parser ??= await this.host.parser();
    if (!this.held.has(source.uri)) await this.first.read(this.parser, this.unread(source));
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
      ties: () => this.search.now(held),
      knownTies: () => this.knownTies(held),
      searched: () => held.ties !== undefined,
      model: (file) => {
        host.workspace.analyze(file);
        return host.workspace.model(file);
      },
      exists: (file) => host.workspace.stamp(file) !== undefined,
      isData,
      opened: (file) => host.workspace.open(file).value?.model,
      data: () => {
        // Another resolver stands for other files.
        const resolver = this.modules.current();
        if (held.data?.resolver !== resolver)
          held.data = { resolver, pipelines: dataPipelines(held.script, this.modules.files()) };
        return held.data.pipelines;
      },
      imported: () => this.modules.current(),
      exports: () => {
        held.exports ??= exportCalls(held.script);
        return held.exports;
      },
      ...host.surroundings(),
    };
  }

  /** Waits for what is looked for in the background: which models hold the weights of a script. */
  async settled(document: TextDocument, milliseconds: number): Promise<void> {
    const held = this.held.get(this.source(document).uri);
    if (held?.relevant) await this.search.settled(held, milliseconds);
  }

  /** A document was closed. */
  forget(uri: string): void {
    this.first.take(uri)?.parsed.dispose();
    clearTimeout(this.timers.get(uri));
    this.timers.delete(uri);
    const held = this.held.get(uri);
    if (!held) return;
    held.script.parsed.dispose();
    this.search.forget(held.script.file);
    this.held.delete(uri);
  }

  /** Files came, changed or went: folders are looked through anew. */
  filesChanged(): void {
    this.search.filesChanged();
    this.modules.changed();
  }

  /** Where open scripts make a layer of a model. */
  locate(open: readonly TextDocument[], model: string, layer: string): readonly Location[] {
    const seen = new Set<string>();
    return open.flatMap((document) => {
      const snapshot = document.languageId === 'python' ? this.of(document) : undefined;
      // The cells of a notebook give the places of all of them.
      if (!snapshot || seen.has(snapshot.script.file)) return [];
      seen.add(snapshot.script.file);
      return placesOfLayer(snapshot, model, layer, (place) => this.modules.locate(place));
    });
  }

  /** Gets ready for the first script, in a moment. */
  prepare(): void {
    const later = setTimeout(() => {
      if (!this.isEnabled() || this.isInUse) return;
      warmUp(() => this.host.parser(), this.host.surroundings()).catch((error: unknown) =>
        this.host.log(`the Python parser cannot be loaded: ${String(error)}`),
      );
    }, WARM_UP);
    later.unref();
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
    // Analysing moves what is still in the text; the lines of ties are compared as they were.
    const unread = this.unread(source);
    const shown = known?.ties?.list ?? known?.carried ?? [];
    const carried = known ? movedTies(shown, unread.file, known.script.text, text) : [];
    const began = performance.now();
    // What came before is used up, whatever happens.
    this.held.delete(source.uri);
    const script = this.read(this.parser, unread, text, known?.script);
    const held: Held = {
      uri: source.uri,
      version: source.version,
      settings,
      script,
      relevant: isRelevant(script),
      isFirst: known === undefined,
      took: performance.now() - began,
      maximumBytes: settings.analyzeOnOpen * 1e6,
      carried,
      ties: undefined,
      search: undefined,
      exports: undefined,
      data: undefined,
    };
    this.held.set(source.uri, held);
    return held;
  }

  private read(
    parser: PythonParser,
    { uri, file, settings }: UnreadScript,
    text: string,
    known: AnalyzedScript | undefined,
  ): AnalyzedScript {
    const earlier = known ?? this.first.take(uri);
    const holds =
      earlier?.text === text &&
      earlier.settings.severities === settings.severities &&
      earlier.settings.target === settings.target;
    return holds
      ? earlier
      : analyzeScript(parser, file, text, { ...settings, pins: pinsAround(file) }, earlier);
  }

  private unread({ uri, text }: Source): UnreadScript {
    const { severity, script } = this.host.surroundings().settings;
    const target = scriptTargets.find((one) => one === script.target);
    const file = fileOf(uri) ?? this.untitled(uri);
    return { uri, file, text, settings: { severities: severity, target } };
  }

  /** Ties without the time to find them; they are looked for once nobody types. */
  private knownTies(held: Held): readonly ScriptTie[] {
    if (held.ties) return held.ties.list;
    clearTimeout(this.timers.get(held.uri));
    // Nobody types yet in what was opened just now.
    const idle = held.isFirst ? 0 : IDLE;
    const timer = setTimeout(() => {
      this.timers.delete(held.uri);
      if (this.held.get(held.uri) === held) this.search.now(held);
    }, idle);
    timer.unref();
    this.timers.set(held.uri, timer);
    return held.carried;
  }

  /** A document that was never saved is treated as if it lay in the first folder of the workspace. */
  private untitled(uri: string): string {
    const [folder] = this.host.folders();
    return folder === undefined ? uri : path.join(folder, path.basename(URI.parse(uri).path));
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
