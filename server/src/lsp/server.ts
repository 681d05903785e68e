/**
 * The language server: connection, capabilities, wiring; nothing else. Features are pure functions of a snapshot; heavy
 * work is a job in a child process, so every answer here comes from memory.
 */
import * as path from 'node:path';
import {
  type Connection,
  createConnection,
  DidChangeConfigurationNotification,
  type DocumentDiagnosticReport,
  DocumentDiagnosticReportKind,
  type InitializeParams,
  type InitializeResult,
  ProposedFeatures,
  StreamMessageReader,
  StreamMessageWriter,
  TextDocumentSyncKind,
  TextDocuments,
} from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { openDiskDoor } from '../engine/disk-door';
import { Engine } from '../engine/index';
import { printModelText } from '../engine/model-text';
import {
  type CalibrateParams,
  type CancelJobParams,
  calibrateRequest,
  cancelJob,
  clearCacheRequest,
  defaultSettings,
  type InitializationOptions,
  jobProgress,
  type ModelViewParams,
  modelViewChanged,
  modelViewRequest,
  type QuantizeParams,
  quantizeRequest,
  type RecipeEditParams,
  recipeEditRequest,
  type ServerStatusParams,
  type Settings,
  serverStatus,
  type TrustChangedParams,
  textViewScheme,
  trustChanged,
} from '../protocol/lsp-ext';
import { line } from '../rules/words';
import { Jobs } from './commands/jobs';
import { pathOf, textViewUri, uriOf } from './convert';
import { cancellable, guarded } from './dispatch';
import { codeActionKinds, codeActions } from './features/code-action';
import { codeLenses } from './features/code-lens';
import { completion } from './features/completion';
import { definition } from './features/definition';
import { diagnostics } from './features/diagnostics';
import { folding } from './features/folding';
import { hover } from './features/hover';
import { inlayHints } from './features/inlay-hints';
import { references } from './features/references';
import { semanticLegend, semanticTokens } from './features/semantic-tokens';
import { symbols } from './features/symbols';
import { recipeChange } from './recipe-actions';
import { readSettings } from './settings';
import { Snapshots } from './snapshots';
import { Workspace } from './workspace';

export interface ServerOptions {
  /** Speak on stdin and stdout instead of the transport of the command line arguments (`--node-ipc`, `--stdio`). */
  readonly stdio?: boolean;
  /** Streams for tests. */
  readonly streams?: { readonly input: NodeJS.ReadableStream; readonly output: NodeJS.WritableStream };
  /** Path of `inference-process.js`; default: beside this program. */
  readonly entry?: string;
}

/** Starts the server on its transport. */
export function startServer(options: ServerOptions = {}): Connection {
  const connection = connect(options);
  new Server(connection, options.entry ?? path.join(__dirname, 'inference-process.js')).listen();
  return connection;
}

function connect({ stdio, streams }: ServerOptions): Connection {
  if (streams) {
    return createConnection(
      ProposedFeatures.all,
      new StreamMessageReader(streams.input),
      new StreamMessageWriter(streams.output),
    );
  }
  if (stdio) {
    return createConnection(
      ProposedFeatures.all,
      new StreamMessageReader(process.stdin),
      new StreamMessageWriter(process.stdout),
    );
  }
  return createConnection(ProposedFeatures.all);
}

class Server {
  private readonly documents = new TextDocuments(TextDocument);
  private settings: Settings = defaultSettings;
  private trusted = false;
  private client: InitializeParams['capabilities'] = {};
  private cacheDirectory: string | undefined;
  private engine: Engine;
  private readonly workspace: Workspace;
  private readonly snapshots: Snapshots;
  private readonly jobs: Jobs;
  private refreshTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly connection: Connection,
    private readonly entry: string,
  ) {
    this.engine = this.makeEngine();
    const host = { engine: () => this.engine };
    this.workspace = new Workspace(
      {
        get engine() {
          return host.engine();
        },
        settings: () => this.settings,
        trusted: () => this.trusted,
        openText: (uri) => this.openText(uri),
        log: (text) => connection.console.info(text),
      },
      (file) => this.modelChanged(file),
    );
    this.snapshots = new Snapshots(this.workspace, () => ({
      settings: this.settings,
      trusted: this.trusted,
    }));
    this.jobs = new Jobs({
      get engine() {
        return host.engine();
      },
      workspace: this.workspace,
      cacheDirectory: () => this.cacheDirectory,
      notify: (params) => void connection.sendNotification(jobProgress, params),
      report: (token, progress) => this.reportProgress(token, progress),
    });
  }

  listen(): void {
    const { connection } = this;
    connection.onInitialize((params) => this.initialize(params));
    connection.onInitialized(() => void this.initialized());
    connection.onShutdown(() => this.shutdown());
    connection.onDidChangeConfiguration(() => void this.loadSettings());
    connection.onDidChangeWatchedFiles(({ changes }) => {
      for (const { uri } of changes) this.workspace.changed(pathOf(uri));
      this.refreshTexts(changes.map(({ uri }) => uri));
    });
    this.documents.onDidChangeContent(({ document }) => {
      if (document.uri.endsWith('.quant.json')) this.workspace.changed(pathOf(document.uri));
    });
    this.documents.onDidClose(({ document }) => this.snapshots.forget(document.uri));
    this.listenFeatures();
    this.listenRequests();
    this.documents.listen(connection);
    connection.listen();
  }

  private listenFeatures(): void {
    const { connection } = this;
    const on = <P extends { textDocument: { uri: string } }, R>(
      name: string,
      fallback: R,
      handler: (snapshot: ReturnType<Snapshots['of']> & object, params: P) => R,
    ) =>
      guarded<P, R>(connection.console, name, fallback, (params) => {
        const snapshot = this.snapshot(params.textDocument.uri);
        return snapshot ? handler(snapshot, params) : fallback;
      });
    const inspect = (folder: string) => (model: string) => this.engine.inspect(path.resolve(folder, model));
    connection.onHover(on('hover', null, (snapshot, params) => hover(snapshot, params.position)));
    connection.onCodeLens(on('codeLens', [], (snapshot) => codeLenses(snapshot)));
    connection.onCodeAction(
      on('codeAction', [], (snapshot, params) =>
        codeActions(snapshot, params, (uri, file) => this.recipeText(uri, file)),
      ),
    );
    connection.onCompletion(
      on('completion', [], (snapshot, params) =>
        snapshot.kind === 'recipe' ? completion(snapshot, params.position) : [],
      ),
    );
    connection.onDefinition(
      on('definition', null, (snapshot, params) =>
        definition(snapshot, params.position, (file, layer) => this.locate(file, layer)),
      ),
    );
    connection.onReferences(
      on('references', [], (snapshot, params) =>
        snapshot.kind === 'text'
          ? references(snapshot, params.position, params.context.includeDeclaration)
          : [],
      ),
    );
    connection.onDocumentSymbol(
      on('symbols', [], (snapshot) => (snapshot.kind === 'text' ? symbols(snapshot) : [])),
    );
    connection.onFoldingRanges(
      on('folding', [], (snapshot) => (snapshot.kind === 'text' ? folding(snapshot) : [])),
    );
    connection.languages.inlayHint.on(
      on('inlayHint', [], (snapshot, params) => inlayHints(snapshot, params.range)),
    );
    connection.languages.semanticTokens.on(
      on('semanticTokens', { data: [] }, (snapshot) => ({
        data: snapshot.kind === 'text' ? semanticTokens(snapshot) : [],
      })),
    );
    connection.languages.semanticTokens.onRange(
      on('semanticTokens', { data: [] }, (snapshot, { range }) => {
        if (snapshot.kind !== 'text') return { data: [] };
        const { document } = snapshot;
        return {
          data: semanticTokens(snapshot, document.offsetAt(range.start), document.offsetAt(range.end)),
        };
      }),
    );
    const nothing: DocumentDiagnosticReport = { kind: DocumentDiagnosticReportKind.Full, items: [] };
    connection.languages.diagnostics.on(
      on('diagnostics', nothing, (snapshot) => ({
        kind: DocumentDiagnosticReportKind.Full,
        items: diagnostics(snapshot, inspect(path.dirname(pathOf(snapshot.document.uri)))),
      })),
    );
  }

  private listenRequests(): void {
    const { connection } = this;
    connection.workspace.textDocumentContent.on(({ uri }) => ({ text: this.text(uri) }));
    connection.onRequest(modelViewRequest, (params: ModelViewParams) => {
      const file = pathOf(params.uri);
      this.workspace.analyze(file, params.measure ?? false);
      return this.workspace.view(file);
    });
    connection.onRequest(calibrateRequest, (params: CalibrateParams, token) =>
      cancellable(token, (signal) => this.tracked(this.jobs.calibrate(params, signal))),
    );
    connection.onRequest(quantizeRequest, (params: QuantizeParams, token) =>
      cancellable(token, (signal) => this.tracked(this.jobs.quantize(params, signal))),
    );
    connection.onNotification(cancelJob, ({ jobId }: CancelJobParams) => this.jobs.cancel(jobId));
    connection.onRequest(recipeEditRequest, ({ modelUri, actions }: RecipeEditParams) => {
      const change = recipeChange(pathOf(modelUri), actions, (uri, file) => this.recipeText(uri, file));
      return {
        recipeUri: change.value?.recipeUri ?? '',
        edit: change.value?.edit ?? {},
        problems: change.issues.map(line),
      };
    });
    connection.onNotification(trustChanged, ({ trusted }: TrustChangedParams) => {
      this.trusted = trusted;
      this.workspace.refreshAll();
    });
    connection.onRequest(clearCacheRequest, () => {
      const freed = this.engine.clear();
      this.workspace.clear();
      this.refresh();
      return freed;
    });
  }

  private initialize(params: InitializeParams): InitializeResult {
    this.client = params.capabilities;
    const given = params.initializationOptions as Partial<InitializationOptions> | undefined;
    // A client that does not know of trust (another editor) is its user's own choice.
    this.trusted = given?.trusted ?? true;
    this.cacheDirectory = given?.cacheDirectory;
    this.engine = this.makeEngine();
    return {
      serverInfo: { name: 'quantlens' },
      capabilities: {
        textDocumentSync: TextDocumentSyncKind.Incremental,
        hoverProvider: true,
        codeLensProvider: { resolveProvider: false },
        codeActionProvider: { codeActionKinds },
        completionProvider: { triggerCharacters: ['"', ':', ' '] },
        definitionProvider: true,
        referencesProvider: true,
        documentSymbolProvider: true,
        foldingRangeProvider: true,
        inlayHintProvider: true,
        semanticTokensProvider: { legend: semanticLegend, full: true, range: true },
        diagnosticProvider: {
          identifier: 'quantlens',
          interFileDependencies: true,
          workspaceDiagnostics: false,
        },
        workspace: { textDocumentContent: { schemes: [textViewScheme] } },
      },
    };
  }

  private async initialized(): Promise<void> {
    if (this.client.workspace?.didChangeConfiguration?.dynamicRegistration) {
      await this.connection.client.register(DidChangeConfigurationNotification.type, {
        section: 'quantlens',
      });
    }
    await this.loadSettings();
    this.status();
  }

  private async shutdown(): Promise<void> {
    clearTimeout(this.refreshTimer);
    this.jobs.cancelAll();
    await this.engine.dispose();
  }

  private makeEngine(): Engine {
    const disk =
      this.cacheDirectory === undefined
        ? undefined
        : openDiskDoor(this.cacheDirectory, this.settings.cacheSize * 1e6);
    return new Engine({
      entry: this.entry,
      disk,
      trusted: () => this.trusted,
      memoryLimit: this.settings.memoryLimit,
      log: (text) => this.connection.console.info(text),
    });
  }

  private async loadSettings(): Promise<void> {
    const section: unknown = this.client.workspace?.configuration
      ? await this.connection.workspace.getConfiguration('quantlens')
      : undefined;
    const before = this.settings;
    this.settings = readSettings(section);
    const { memoryLimit, cacheSize } = this.settings;
    // These are fixed when the engine is made; jobs that run keep their engine until they end.
    if ((memoryLimit !== before.memoryLimit || cacheSize !== before.cacheSize) && !this.jobs.busy) {
      const old = this.engine;
      this.engine = this.makeEngine();
      await old.dispose();
      this.workspace.clear();
    }
    this.workspace.refreshAll();
  }

  private snapshot(uri: string) {
    const document = this.documents.get(uri);
    const snapshot = document && this.snapshots.of(document);
    if (snapshot?.model) this.workspace.analyze(snapshot.model.path);
    return snapshot;
  }

  private locate(file: string, layer: string) {
    const uri = textViewUri(uriOf(file));
    return this.snapshots.locate(uri, this.text(uri), file, layer);
  }

  /** The text view of a binary model, printed once per state of the file; a problem is a comment in its place. */
  private text(uri: string): string {
    return this.snapshots.text(pathOf(uri), (file) => {
      const opened = this.workspace.open(file);
      if (!opened.value) return opened.issues.map((one) => `# ${line(one)}`).join('\n');
      const printed = printModelText(opened.value, false);
      return printed.value?.text ?? printed.issues.map((one) => `# ${line(one)}`).join('\n');
    });
  }

  private openText(uri: string): { readonly text: string; readonly version: number } | undefined {
    const document = this.documents.get(uri);
    return document && { text: document.getText(), version: document.version };
  }

  private recipeText(
    uri: string,
    file: string,
  ): { readonly text: string; readonly version: number | null } | undefined {
    const open = this.openText(uri);
    if (open) return open;
    return this.workspace.recipe(uri, file) && { text: this.workspace.recipeText(uri, file), version: null };
  }

  private modelChanged(file: string): void {
    void this.connection.sendNotification(modelViewChanged, this.workspace.view(file));
    this.refresh();
    this.status();
  }

  /** Asks the editor to pull lenses, hints and diagnostics again; many changes at once ask once. */
  private refresh(): void {
    if (this.refreshTimer) return;
    this.refreshTimer = setTimeout(() => {
      this.refreshTimer = undefined;
      const { workspace } = this.client;
      const { languages } = this.connection;
      const ignore = () => {};
      if (workspace?.codeLens?.refreshSupport)
        this.connection.sendRequest('workspace/codeLens/refresh').catch(ignore);
      if (workspace?.inlayHint?.refreshSupport) languages.inlayHint.refresh().catch(ignore);
      if (workspace?.diagnostics?.refreshSupport) languages.diagnostics.refresh().catch(ignore);
    }, REFRESH_DELAY);
  }

  /** Text views of models that changed on disk. */
  private refreshTexts(uris: readonly string[]): void {
    if (!this.client.workspace?.textDocumentContent) return;
    const open = new Set(this.documents.keys());
    for (const uri of uris) {
      const view = textViewUri(uri);
      if (open.has(view)) this.connection.workspace.textDocumentContent.refresh(view).catch(() => {});
    }
  }

  private async tracked<T>(job: Promise<T>): Promise<T> {
    this.status();
    try {
      return await job;
    } finally {
      this.status();
    }
  }

  private status(): void {
    const quiescent = !this.workspace.busy && !this.jobs.busy;
    const params: ServerStatusParams = { health: 'ok', quiescent, message: quiescent ? '' : 'measuring' };
    void this.connection.sendNotification(serverStatus, params);
  }

  private reportProgress(
    token: string | number | undefined,
    progress: {
      readonly stage: string;
      readonly done: number;
      readonly total: number;
      readonly unit: string;
    },
  ): void {
    if (token === undefined) return;
    const percentage = progress.total > 0 ? Math.round((100 * progress.done) / progress.total) : undefined;
    const message = `${progress.stage} ${progress.done}${progress.total > 0 ? `/${progress.total}` : ''} ${progress.unit}`;
    void this.connection.sendNotification('$/progress', {
      token,
      value: { kind: 'report', message, percentage },
    });
  }
}

const REFRESH_DELAY = 100;
