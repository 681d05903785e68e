/**
 * The language server: connection, capabilities, wiring; nothing else. Features are pure functions of a snapshot; heavy
 * work is a job in a child process, so every answer here comes from memory.
 */
import * as path from 'node:path';
import {
  type CancellationToken,
  type Connection,
  createConnection,
  DidChangeConfigurationNotification,
  DidChangeWatchedFilesNotification,
  type InitializeParams,
  type InitializeResult,
  NotebookDocuments,
  ProposedFeatures,
  StreamMessageReader,
  StreamMessageWriter,
  TextDocuments,
} from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { Diagnostic } from 'vscode-languageserver-types';
import { turn } from '../engine/base/steps';
import { openDiskDoor } from '../engine/disk-door';
import { Engine } from '../engine/index';
import {
  compareChanged,
  defaultSettings,
  historyChanged,
  jobProgress,
  type RecipeEditParams,
  type RecipeEditReply,
  type Settings,
  textViewScheme,
} from '../protocol/lsp-ext';
import { line } from '../rules/words';
import { settingWords } from '../rules/words-settings';
import { capabilitiesFor } from './capabilities';
import { clientFacts } from './client-facts';
import { Jobs } from './commands/jobs';
import { excludedBy, fileOf, foldersOf, pathOf, uriOf } from './convert';
import { connectionStrategy, guarded, outdated, pause } from './dispatch';
import { Editor } from './editor';
import { type DocumentParams, type FeatureServices, features } from './features';
import { diagnostics } from './features/diagnostics';
import { scriptDiagnostics } from './features/script/diagnostics';
import { History } from './history';
import { listenPulls } from './pull-diagnostics';
import { pythonParser } from './python-parser';
import { type RecipeText, recipeChange, workspaceEdit } from './recipe-actions';
import { listenRequests } from './requests';
import { cellsOf, Scripts } from './scripts';
import { readSettings, settingProblems } from './settings';
import type { AnySnapshot } from './snapshot';
import { Snapshots } from './snapshots';
import { Workspace } from './workspace';
import { WorkspaceDiagnostics } from './workspace-diagnostics';

export interface ServerOptions {
  /** Speak on stdin and stdout instead of the transport of the command line arguments (`--node-ipc`, `--stdio`). */
  readonly stdio?: boolean;
  /** Streams for tests. */
  readonly streams?: { readonly input: NodeJS.ReadableStream; readonly output: NodeJS.WritableStream };
  /** Path of `inference-process.js`; default: beside this program. */
  readonly entry?: string;
  /** Folder of the Python parser's WebAssembly; default: that of this program. */
  readonly parserFolder?: string;
}

/** Starts the server on its transport. */
export function startServer(options: ServerOptions = {}): Connection {
  const connection = connect(options);
  const entry = options.entry ?? path.join(__dirname, 'inference-process.js');
  new Server(connection, entry, options.parserFolder).listen();
  return connection;
}

function connect({ stdio, streams }: ServerOptions): Connection {
  const strategy = { connectionStrategy };
  if (streams) {
    const reader = new StreamMessageReader(streams.input);
    return createConnection(ProposedFeatures.all, reader, new StreamMessageWriter(streams.output), strategy);
  }
  // Given as plain streams, the end of the input ends this process.
  if (stdio) return createConnection(ProposedFeatures.all, process.stdin, process.stdout, strategy);
  return createConnection(ProposedFeatures.all, strategy);
}

/** How long an answer about a text waits for the next keystroke, milliseconds. */
const TYPING_PAUSE = 40;

/** Milliseconds that a hover, and anything else, waits for models that scripts belong to: nothing is blocked meanwhile. */
const AT_ONCE = 6;
const A_MOMENT = 3000;

/** Milliseconds without a keystroke before files that nobody looks at are read. */
const QUIET = 1000;

const watchedFiles = '**/*.{onnx,onnxtxt,onnxtext,safetensors,safetensors.index.json,gguf,quant.json}';

class Server {
  private readonly documents = new TextDocuments(TextDocument);
  private readonly editor: Editor;
  private readonly workspace: Workspace;
  private readonly snapshots: Snapshots;
  private readonly notebooks = new NotebookDocuments(this.documents);
  private readonly scripts: Scripts;
  private readonly workspaceDiagnostics: WorkspaceDiagnostics;
  /** When a document last changed. */
  private typed = 0;
  private readonly jobs: Jobs;
  private readonly history: History;
  private readonly services: FeatureServices;
  private settings: Settings = defaultSettings;
  /** Folders of the workspace. */
  private folders: readonly string[] = [];
  /** What was last said of settings without effect. */
  private settingTrouble = '';
  private trusted = false;
  private client = clientFacts({ capabilities: {} });
  private engine: Engine;
  /** Settings changed that an engine gets when it is made. */
  private engineOutdated = false;
  /** Files of external data that the editor was asked to watch. */
  private readonly watched = new Set<string>();
  /** Own notifications go to the own client, and to others once they send an own request. */
  private knowsUs = false;

  constructor(
    private readonly connection: Connection,
    private readonly entry: string,
    parserFolder: string | undefined,
  ) {
    this.engine = this.makeEngine();
    const engine = () => this.engine;
    this.editor = new Editor(
      {
        notify: (method, params) => void connection.sendNotification(method, params).catch(() => {}),
        request: (method, params) =>
          params === undefined ? connection.sendRequest(method) : connection.sendRequest(method, params),
      },
      {
        client: () => this.client,
        knowsUs: () => this.knowsUs,
        view: (file) => this.workspace.view(file),
        busy: () => this.workspace.busy || this.jobs.busy,
        diagnostics: () => this.documents.all().flatMap((document) => this.pushed(document)),
      },
    );
    this.workspace = new Workspace(
      {
        get engine() {
          return engine();
        },
        settings: () => this.settings,
        trusted: () => this.trusted,
        openText: (uri) => this.openText(uri),
        log: (text) => connection.console.info(text),
        progress: (title) => this.editor.progress(title),
        reads: (files) => this.watch(files),
      },
      (file) => this.editor.modelChanged(file),
    );
    this.history = new History(
      {
        directory: () => this.client.historyDirectory,
        folders: () => this.folders,
        log: (text) => connection.console.warn(text),
      },
      () => {
        if (this.knowsUs) void connection.sendNotification(historyChanged).catch(() => {});
      },
    );
    const surroundings = () => ({ settings: this.settings, trusted: this.trusted, client: this.client });
    this.snapshots = new Snapshots(this.workspace, surroundings);
    this.scripts = new Scripts({
      workspace: this.workspace,
      surroundings,
      parser: () => pythonParser(parserFolder),
      cells: (uri) => cellsOf(uri, this.notebooks, this.documents),
      log: (text) => connection.console.warn(text),
      changed: () => this.editor.scriptsChanged(),
      folders: () => this.folders,
      openText: (file) => this.openText(uriOf(file)),
    });
    this.workspaceDiagnostics = new WorkspaceDiagnostics({
      settings: () => this.settings,
      folders: () => this.folders,
      excluded: () => this.excluded(),
      parser: () => pythonParser(parserFolder),
      isOpen: (uri) => this.documents.get(uri) !== undefined,
      busy: () => this.workspace.busy || this.jobs.busy || performance.now() - this.typed < QUIET,
      waits: () => this.client.own,
      progress: (title) => this.editor.progress(title),
    });
    this.jobs = new Jobs({
      get engine() {
        return engine();
      },
      workspace: this.workspace,
      cacheDirectory: () => this.client.cacheDirectory,
      notify: (params) => void connection.sendNotification(jobProgress, params).catch(() => {}),
      compareChanged: (params) => void connection.sendNotification(compareChanged, params).catch(() => {}),
      progress: (title, token) => this.editor.progress(title, token),
      ended: (issues) => {
        const trouble = issues.find(
          (one) => one.code === 'inference-crashed' || one.code === 'inference-unavailable',
        );
        this.editor.setTrouble(trouble && line(trouble));
      },
      record: (run) => this.history.add(run),
      log: (text) => connection.console.info(text),
    });
    this.services = {
      inspect: (file) => this.workspace.header(file),
      locate: (model, layer) => this.snapshots.locate(model, layer),
      read: Object.assign((uri: string, file: string) => this.recipeText(uri, file), {
        calibrated: (model: string) => this.jobs.calibrated(model),
      }),
      inScripts: (model, layer) => this.scripts.locate(this.documents.all(), model, layer),
    };
  }

  listen(): void {
    const { connection, documents } = this;
    const engine = () => this.engine;
    connection.onInitialize((params) => this.initialize(params));
    connection.onInitialized(() => void this.initialized());
    connection.onShutdown(() => this.shutdown());
    connection.onDidChangeConfiguration(() => void this.loadSettings());
    connection.onDidChangeWatchedFiles(({ changes }) => {
      for (const { uri } of changes) this.workspace.changed(pathOf(uri));
      this.scripts.filesChanged();
      this.workspaceDiagnostics.changed();
      this.refreshTexts();
    });
    documents.onDidChangeContent(({ document }) => {
      if (document.uri.endsWith('.quant.json')) this.workspace.changed(pathOf(document.uri));
      this.typed = performance.now();
      this.editor.documentChanged();
    });
    documents.onDidClose(({ document }) => {
      this.workspaceDiagnostics.documentClosed(document.uri);
      this.snapshots.forget(document.uri);
      this.scripts.forget(document.uri);
      this.workspace.forget(document.uri);
      if (document.uri.endsWith('.quant.json')) this.workspace.changed(pathOf(document.uri));
      this.editor.clearDiagnostics(document.uri);
    });
    this.notebooks.onDidClose(({ uri }) => this.scripts.forget(uri));
    for (const { method, fallback, waits, answer, script } of features) {
      connection.onRequest(method, (params: DocumentParams, token: CancellationToken) =>
        guarded<unknown>(connection.console, method, fallback, async () => {
          if (!script && this.scripts.serves(params.textDocument.uri, documents)) return null;
          const moment = method === 'textDocument/hover' ? AT_ONCE : A_MOMENT;
          const snapshot = await this.snapshot(params, token, waits, false, moment);
          if (snapshot?.kind === 'script') return script?.(snapshot, params, this.services) ?? fallback;
          return snapshot ? answer(snapshot, params, this.services) : fallback;
        }),
      );
    }
    listenPulls(
      connection,
      async (params, token) => {
        const snapshot = await this.snapshot(params, token, true, true);
        return snapshot ? this.diagnostics(snapshot) : [];
      },
      this.workspaceDiagnostics,
    );
    connection.workspace.textDocumentContent.on(({ uri }) =>
      guarded(connection.console, 'textDocumentContent', { text: '# internal error: see the log\n' }, () => ({
        text: this.snapshots.text(pathOf(uri)),
      })),
    );
    listenRequests(connection, {
      jobs: this.jobs,
      history: this.history,
      workspace: this.workspace,
      get engine() {
        return engine();
      },
      known: () => {
        this.knowsUs = true;
      },
      activityChanged: () => {
        this.renewEngine();
        this.editor.activityChanged();
      },
      recipeEdit: (edit) => this.recipeEdit(edit),
      trust: (trusted) => {
        this.trusted = trusted;
        this.workspace.refreshAll();
      },
    });
    documents.listen(connection);
    this.notebooks.listen(connection);
    connection.listen();
  }

  private initialize(params: InitializeParams): InitializeResult {
    this.client = clientFacts(params);
    this.folders = foldersOf(params);
    this.trusted = this.client.trusted;
    this.knowsUs = this.client.own;
    this.engineOutdated = this.client.cacheDirectory !== undefined;
    this.renewEngine();
    return { serverInfo: { name: 'quantlens' }, capabilities: capabilitiesFor(this.client) };
  }

  private async initialized(): Promise<void> {
    const { client } = this.connection;
    if (this.client.registersConfiguration)
      await client.register(DidChangeConfigurationNotification.type, { section: 'quantlens' });
    // The own client watches by itself.
    if (this.client.registersWatchers && !this.client.own) {
      const watchers = [{ globPattern: watchedFiles }];
      await client.register(DidChangeWatchedFilesNotification.type, { watchers });
    }
    await this.loadSettings();
    this.scripts.prepare();
  }

  private async shutdown(): Promise<void> {
    this.editor.dispose();
    this.jobs.cancelAll();
    this.history.dispose();
    await Promise.all([this.engine.dispose(), this.history.saved()]);
  }

  private makeEngine(): Engine {
    const { cacheDirectory } = this.client;
    const { cacheSize, memoryLimit } = this.settings;
    return new Engine({
      entry: this.entry,
      disk: cacheDirectory === undefined ? undefined : openDiskDoor(cacheDirectory, cacheSize * 1e6),
      trusted: () => this.trusted,
      memoryLimit,
      log: (text) => this.connection.console.info(text),
    });
  }

  private async loadSettings(): Promise<void> {
    const section: unknown = this.client.configuration
      ? await this.connection.workspace.getConfiguration('quantlens').catch(() => undefined)
      : undefined;
    const before = this.settings;
    this.settings = readSettings(section);
    this.tellSettings(settingProblems(section));
    const { memoryLimit, cacheSize } = this.settings;
    if (memoryLimit !== before.memoryLimit || cacheSize !== before.cacheSize) this.engineOutdated = true;
    this.renewEngine();
    this.workspace.refreshAll();
    this.workspaceDiagnostics.changed();
    if (this.scripts.isInUse) this.editor.scriptsChanged();
    this.editor.activityChanged();
  }

  /** Globs that the editor shows nobody. */
  private async excluded(): Promise<readonly string[]> {
    if (!this.client.configuration) return [];
    const files: unknown = await this.connection.workspace.getConfiguration('files').catch(() => undefined);
    return excludedBy(files);
  }

  /** Says once per change which settings have no effect, and why. */
  private tellSettings(problems: readonly string[]): void {
    const all = problems.join('\n');
    if (all === this.settingTrouble) return;
    this.settingTrouble = all;
    if (problems.length === 0) return;
    for (const problem of problems) this.connection.console.warn(problem);
    this.connection.window.showWarningMessage(settingWords.message(problems));
  }

  /** Jobs that run keep their engine until they end. */
  private renewEngine(): void {
    if (!this.engineOutdated || this.jobs.busy) return;
    this.engineOutdated = false;
    const old = this.engine;
    this.engine = this.makeEngine();
    this.workspace.clear();
    void old.dispose();
  }

  /** The document as features see it, once nobody types; cancels the request when it speaks of an older version. */
  private async snapshot(
    { textDocument: { uri } }: DocumentParams,
    token: CancellationToken,
    waits: boolean,
    isDiagnostic = false,
    moment = 0,
  ) {
    const version = this.documents.get(uri)?.version;
    const document = this.documents.get(uri);
    if (!document) return undefined;
    if (waits && (this.snapshots.isStale(document) || this.scripts.isStale(document))) {
      await pause(TYPING_PAUSE, token);
      if (this.documents.get(uri)?.version !== version) throw outdated(isDiagnostic);
    }
    const ready = this.scripts.ready(document);
    if (moment === AT_ONCE && !this.scripts.isKnown(document)) {
      // Opened a moment ago: whoever asks next finds it analysed. The answer goes out first.
      void ready.then(() => setTimeout(() => this.look(document), AT_ONCE));
      return undefined;
    }
    await ready;
    const seen = this.look(document);
    if (seen?.kind !== 'script' || moment === 0) return seen;
    await this.scripts.settled(document, moment);
    // Several that waited for the same are answered one by one, a hover before what takes longer.
    if (moment > AT_ONCE) await turn();
    if (this.documents.get(uri)?.version !== version) throw outdated(isDiagnostic);
    return this.look(document);
  }

  private look(document: TextDocument): AnySnapshot | undefined {
    if (this.scripts.serves(document.uri, this.documents)) return this.scripts.of(document);
    const snapshot = this.snapshots.of(document);
    if (snapshot?.model) this.workspace.analyze(snapshot.model.path);
    return snapshot;
  }

  private pushed(document: TextDocument) {
    const snapshot = this.look(document);
    if (!snapshot && !this.scripts.serves(document.uri, this.documents)) return [];
    const items = snapshot ? this.diagnostics(snapshot) : [];
    return [{ uri: document.uri, version: document.version, items }];
  }

  private diagnostics(snapshot: AnySnapshot): Diagnostic[] {
    return snapshot.kind === 'script' ? scriptDiagnostics(snapshot) : diagnostics(snapshot, this.services);
  }

  private openText(uri: string): { readonly text: string; readonly version: number } | undefined {
    const document = this.documents.get(uri);
    return document && { text: document.getText(), version: document.version };
  }

  private recipeText(uri: string, file: string): RecipeText | undefined {
    const open = this.openText(uri);
    if (open) return open;
    return this.workspace.recipe(uri, file) && { text: this.workspace.recipeText(uri, file), version: null };
  }

  private recipeEdit({ modelUri, actions }: RecipeEditParams): RecipeEditReply {
    const { value, issues } = recipeChange({ model: pathOf(modelUri), actions }, this.services.read);
    return {
      recipeUri: value?.recipeUri ?? '',
      edit: value ? workspaceEdit(value, this.client) : {},
      problems: issues.map(line),
    };
  }

  /** Has the editor watch files of external data, which lie under any name. */
  private watch(files: readonly string[]): void {
    const fresh = files.filter((file) => !this.watched.has(file));
    if (fresh.length === 0 || !this.client.registersWatchers) return;
    for (const file of fresh) this.watched.add(file);
    const watchers = fresh.map((file) => ({
      globPattern: { baseUri: uriOf(path.dirname(file)), pattern: escapeGlob(path.basename(file)) },
    }));
    void this.connection.client
      .register(DidChangeWatchedFilesNotification.type, { watchers })
      .catch(() => {});
  }

  /** Asks for the text of views again whose models changed on disk. */
  private refreshTexts(): void {
    if (!this.client.showsContent) return;
    for (const uri of this.documents.keys()) {
      const file = uri.startsWith(`${textViewScheme}:`) ? fileOf(uri) : undefined;
      if (file !== undefined && this.snapshots.isOutdated(file))
        this.connection.workspace.textDocumentContent.refresh(uri).catch(() => {});
    }
  }
}

/** A file's name as a pattern that matches nothing else. */
function escapeGlob(name: string): string {
  return name.replace(/[*?{}[\]]/g, '[$&]');
}
