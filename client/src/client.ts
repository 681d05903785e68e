/** The language server as the rest of the client sees it: the typed requests and events of `protocol/lsp-ext.ts`. */
import * as readline from 'node:readline';
import type { Readable } from 'node:stream';
import * as vscode from 'vscode';
import {
  CloseAction,
  ErrorAction,
  ErrorCodes,
  LanguageClient,
  ResponseError,
  State,
  TransportKind,
  type WorkspaceEdit,
} from 'vscode-languageclient/node';
import {
  type CalibrateParams,
  type CalibrateReply,
  type CancelJobParams,
  type CompareChangedParams,
  type CompareParams,
  type CompareReply,
  calibrateRequest,
  cancelJob,
  clearCacheRequest,
  compareChanged,
  compareRequest,
  type ExportCodeParams,
  type ExportCodeReply,
  exportCodeRequest,
  type ForgetRunsParams,
  forgetRunsRequest,
  type HistoryParams,
  type HistoryReply,
  historyChanged,
  historyRequest,
  type InitializationOptions,
  type InsertionBlock,
  type InsertionsParams,
  type InsertionsReply,
  insertionsRequest,
  type JobProgressParams,
  jobProgress,
  type LayerDetailParams,
  type LayerDetailReply,
  layerDetailRequest,
  type ModelRowsChangedParams,
  type ModelViewParams,
  type ModelViewResult,
  modelRowsChanged,
  modelViewChanged,
  modelViewRequest,
  type OutputEffectParams,
  type OutputEffectReply,
  outputEffectRequest,
  type QuantizeParams,
  type QuantizeReply,
  quantizeRequest,
  type RecipeEditParams,
  type RecipeEditReply,
  recipeEditRequest,
  type ScriptModelChoice,
  type ScriptModelsParams,
  type ScriptModelsReply,
  type ServerStatusParams,
  scriptModelsRequest,
  serverStatus,
  type TrustChangedParams,
  textViewScheme,
  trustChanged,
  type WhatIfParams,
  type WhatIfReply,
  whatIfRequest,
} from '../../server/src/protocol/lsp-ext';
import type { ModelView } from '../../server/src/protocol/views';
import { clientCommandIds } from './command-ids';
import { ServerLife } from './server-life';

/** Which documents the server is told of. */
export const documentSelector = [
  { scheme: 'file', language: 'onnxtxt' },
  { scheme: 'untitled', language: 'onnxtxt' },
  { scheme: textViewScheme, language: 'onnxtxt' },
  { scheme: 'file', pattern: '**/*.quant.json' },
  { scheme: 'untitled', pattern: '**/*.quant.json' },
  { scheme: 'file', language: 'python' },
  { scheme: 'untitled', language: 'python' },
  { scheme: 'vscode-notebook-cell', language: 'python' },
];

/** Files whose changes on disk the server is told of. */
const watchedFiles = ['**/*.{onnx,onnxtxt,safetensors,safetensors.index.json,gguf}', '**/*.quant.json'];

/** Errors of a request whose server went away. */
const lostCodes: readonly number[] = [ErrorCodes.PendingResponseRejected, ErrorCodes.ConnectionInactive];

export class Server implements vscode.Disposable {
  private readonly viewChanged = new vscode.EventEmitter<ModelView>();
  /** What the server last told of each model, to which it adds. */
  private readonly told = new Map<string, ModelView>();
  private readonly statusChanged = new vscode.EventEmitter<ServerStatusParams>();
  private readonly progressed = new vscode.EventEmitter<JobProgressParams>();
  private readonly comparisonChanged = new vscode.EventEmitter<CompareChangedParams>();
  private readonly pastChanged = new vscode.EventEmitter<void>();
  private readonly started = new vscode.EventEmitter<void>();
  private readonly client: LanguageClient;
  private readonly watchers: readonly vscode.FileSystemWatcher[];
  private readonly life: ServerLife;

  readonly onViewChanged = this.viewChanged.event;
  readonly onStatus = this.statusChanged.event;
  readonly onProgress = this.progressed.event;
  /** Fires when the history of runs has more or fewer of them. */
  readonly onHistoryChanged = this.pastChanged.event;
  readonly onCompareChanged = this.comparisonChanged.event;
  /** Fires after every start, the ones after a crash included. */
  readonly onStarted = this.started.event;

  constructor(context: vscode.ExtensionContext, log: vscode.LogOutputChannel) {
    this.watchers = watchedFiles.map((glob) => vscode.workspace.createFileSystemWatcher(glob));
    const module = context.asAbsolutePath('dist/server.js');
    const transport = TransportKind.ipc;
    const initializationOptions = (): InitializationOptions => ({
      trusted: vscode.workspace.isTrusted,
      cacheDirectory: vscode.Uri.joinPath(context.globalStorageUri, 'cache').fsPath,
      // Runs belong to their workspace; a window without a folder keeps its own.
      historyDirectory: (context.storageUri ?? vscode.Uri.joinPath(context.globalStorageUri, 'history'))
        .fsPath,
      recipeSchema: true,
      takesRows: true,
      locale: vscode.env.language,
    });
    this.client = new QuietClient(
      'quantlens',
      'Quantlens',
      {
        run: { module, transport },
        debug: { module, transport, options: { execArgv: ['--nolazy', '--inspect=6019'] } },
      },
      {
        documentSelector,
        outputChannel: log,
        initializationOptions,
        synchronize: { configurationSection: 'quantlens', fileEvents: [...this.watchers] },
        // Texts from model files reach hovers: only these commands may be linked there, and no HTML.
        markdown: { isTrusted: { enabledCommands: [...clientCommandIds] }, supportHtml: false },
        errorHandler: {
          error: () => ({ action: ErrorAction.Continue, handled: true }),
          closed: () => {
            this.life.closed();
            return { action: CloseAction.DoNotRestart, handled: true };
          },
        },
        initializationFailedHandler: (error) => {
          log.error(error instanceof Error ? error.message : String(error));
          return false;
        },
        stdioOptions: {
          stdout: (stream) => eachLine(stream, (line) => log.info(line)),
          stderr: (stream) => eachLine(stream, (line) => this.life.heard(line)),
        },
      },
    );
    this.life = new ServerLife({
      client: this.client,
      log,
      onStatus: (status) => this.statusChanged.fire(status),
      onStarted: () => this.started.fire(),
    });
    this.client.onNotification(modelViewChanged, (view: ModelView) => this.tellView(view));
    this.client.onNotification(modelRowsChanged, ({ view, rows }: ModelRowsChangedParams) => {
      const layers = [...(this.told.get(view.uri)?.layers ?? [])];
      for (const [index, row] of rows) layers[index] = row;
      this.tellView({ ...view, layers });
    });
    this.client.onNotification(serverStatus, (status: ServerStatusParams) => this.statusChanged.fire(status));
    this.client.onNotification(compareChanged, (changed: CompareChangedParams) =>
      this.comparisonChanged.fire(changed),
    );
    this.client.onNotification(historyChanged, () => this.pastChanged.fire());
    this.client.onNotification(jobProgress, (progress: JobProgressParams) => this.progressed.fire(progress));
  }

  private tellView(view: ModelView): void {
    this.told.set(view.uri, view);
    this.viewChanged.fire(view);
  }

  /** Starts the server unless it runs; resolves when requests can be sent. Throws what the user should read. */
  ready(): Promise<void> {
    return this.life.ready();
  }

  /** Stops and starts the server, on the user's wish. */
  restart(): Promise<void> {
    return this.life.restart();
  }

  /** Stops the server for good. */
  stop(): Promise<void> {
    return this.life.stop();
  }

  modelView(params: ModelViewParams, token?: vscode.CancellationToken): Promise<ModelViewResult> {
    return this.request(modelViewRequest, params, token);
  }

  calibrate(params: CalibrateParams, token?: vscode.CancellationToken): Promise<CalibrateReply> {
    return this.request(calibrateRequest, params, token);
  }

  quantize(params: QuantizeParams, token?: vscode.CancellationToken): Promise<QuantizeReply> {
    return this.request(quantizeRequest, params, token);
  }

  compare(params: CompareParams, token?: vscode.CancellationToken): Promise<CompareReply> {
    return this.request(compareRequest, params, token);
  }

  layerDetail(params: LayerDetailParams, token?: vscode.CancellationToken): Promise<LayerDetailReply> {
    return this.request(layerDetailRequest, params, token);
  }

  /** Weight error of one layer in formats of the user's choice. */
  whatIf(params: WhatIfParams, token?: vscode.CancellationToken): Promise<WhatIfReply> {
    return this.request(whatIfRequest, params, token);
  }

  outputEffect(params: OutputEffectParams, token?: vscode.CancellationToken): Promise<OutputEffectReply> {
    return this.request(outputEffectRequest, params, token);
  }

  /** Runs that ended, newest first. */
  history(params: HistoryParams): Promise<HistoryReply> {
    return this.request(historyRequest, params);
  }

  async forgetRuns(params: ForgetRunsParams): Promise<void> {
    await this.request<null>(forgetRunsRequest, params);
  }

  /** The recipe's change for some actions, ready to be applied, and what could not be done. */
  async recipeEdit(params: RecipeEditParams): Promise<RecipeChange> {
    const reply = await this.request<RecipeEditReply>(recipeEditRequest, params);
    if (reply.recipeUri === '') throw new Error(reply.problems.join(' '));
    const edit = await this.client.protocol2CodeConverter.asWorkspaceEdit(reply.edit as WorkspaceEdit);
    return {
      recipe: vscode.Uri.parse(reply.recipeUri),
      edit: edit ?? new vscode.WorkspaceEdit(),
      problems: reply.problems,
    };
  }

  /** What a recipe decides, as Python for another library. */
  exportCode(params: ExportCodeParams): Promise<ExportCodeReply> {
    return this.request(exportCodeRequest, params);
  }

  /** Blocks for the network at a place of a script, their edits ready to be applied. */
  async insertions(params: InsertionsParams): Promise<Insertions> {
    const reply = await this.request<InsertionsReply | null>(insertionsRequest, params);
    const blocks = (reply?.blocks ?? []).map(async ({ edit, ...told }) => ({
      ...told,
      edit: await this.client.protocol2CodeConverter.asWorkspaceEdit(edit as WorkspaceEdit | undefined),
    }));
    return { blocks: await Promise.all(blocks), trouble: reply?.trouble ?? 'no-network' };
  }

  /** Models that may hold the weights of a script, their edits ready to be applied. */
  async scriptModels(params: ScriptModelsParams): Promise<readonly ScriptModel[]> {
    const reply = await this.request<ScriptModelsReply | null>(scriptModelsRequest, params);
    const models = (reply?.models ?? []).map(async ({ edit, ...told }) => {
      const converted = await this.client.protocol2CodeConverter.asWorkspaceEdit(edit as WorkspaceEdit);
      return { ...told, edit: converted ?? new vscode.WorkspaceEdit() };
    });
    return Promise.all(models);
  }

  /** Bytes freed. */
  clearCache(): Promise<number> {
    return this.request(clearCacheRequest, {});
  }

  async cancel(params: CancelJobParams): Promise<void> {
    if (this.life.isRunning) await this.client.sendNotification(cancelJob, params);
  }

  async tellTrust(params: TrustChangedParams): Promise<void> {
    if (this.life.isRunning) await this.client.sendNotification(trustChanged, params);
  }

  dispose(): void {
    this.life.dispose();
    for (const one of [
      this.viewChanged,
      this.statusChanged,
      this.progressed,
      this.comparisonChanged,
      this.pastChanged,
      this.started,
    ])
      one.dispose();
    for (const watcher of this.watchers) watcher.dispose();
  }

  private async request<R>(method: string, params: object, token?: vscode.CancellationToken): Promise<R> {
    await this.life.ready();
    try {
      // An undefined token would be sent as a second parameter.
      return await (token
        ? this.client.sendRequest<R>(method, params, token)
        : this.client.sendRequest<R>(method, params));
    } catch (error) {
      const ended = error instanceof ResponseError && lostCodes.includes(error.code);
      if (!ended || token?.isCancellationRequested) throw error;
      throw new Error(vscode.l10n.t('The language server ended before it answered: {0}', this.life.reason));
    }
  }
}

/** Problems go to the log; what the user must know, {@link ServerLife} tells in its own words and once. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }

  /** The base class also stops a client whose server ended while it started, and then rejects unheard. */
  override async stop(timeout?: number): Promise<void> {
    if (this.state === State.Running) await super.stop(timeout);
  }
}

/** A model for a script. */
export interface ScriptModel extends Omit<ScriptModelChoice, 'edit'> {
  readonly edit: vscode.WorkspaceEdit;
}

/** A block for a script; without an edit there is a reason. */
export interface Insertion extends Omit<InsertionBlock, 'edit'> {
  readonly edit: vscode.WorkspaceEdit | undefined;
}

export interface Insertions {
  readonly blocks: readonly Insertion[];
  readonly trouble: InsertionsReply['trouble'];
}

export interface RecipeChange {
  readonly recipe: vscode.Uri;
  readonly edit: vscode.WorkspaceEdit;
  readonly problems: readonly string[];
}

function eachLine(stream: Readable, use: (line: string) => void): void {
  readline.createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', use);
}
