/**
 * The language server's process as the rest of the client sees it: started when first needed, restarted with
 * growing delays after a crash, and the typed requests of `protocol/lsp-ext.ts`.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
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
  calibrateRequest,
  cancelJob,
  clearCacheRequest,
  type InitializationOptions,
  type JobProgressParams,
  jobProgress,
  type ModelViewParams,
  type ModelViewResult,
  modelViewChanged,
  modelViewRequest,
  type QuantizeParams,
  type QuantizeReply,
  quantizeRequest,
  type RecipeEditParams,
  type RecipeEditReply,
  recipeEditRequest,
  type ServerStatusParams,
  serverStatus,
  type TrustChangedParams,
  textViewScheme,
  trustChanged,
} from '../../server/src/protocol/lsp-ext';
import type { ModelView } from '../../server/src/protocol/views';
import { Backoff } from './backoff';
import { clientCommandIds } from './command-ids';
import { LastWords } from './last-words';

/** Which documents the server is told of. */
export const documentSelector = [
  { scheme: 'file', language: 'onnxtxt' },
  { scheme: 'untitled', language: 'onnxtxt' },
  { scheme: textViewScheme, language: 'onnxtxt' },
  { scheme: 'file', pattern: '**/*.quant.json' },
  { scheme: 'untitled', pattern: '**/*.quant.json' },
];

/** Files whose changes on disk the server is told of. */
const watchedFiles = ['**/*.{onnx,onnxtxt,safetensors,gguf}', '**/*.quant.json'];

/** A server that says nothing for so long after its start is ended. */
const answerSeconds = 30;

/** Errors of a request whose server went away. */
const lostCodes: readonly number[] = [ErrorCodes.PendingResponseRejected, ErrorCodes.ConnectionInactive];

export class Server implements vscode.Disposable {
  private readonly viewChanged = new vscode.EventEmitter<ModelView>();
  private readonly statusChanged = new vscode.EventEmitter<ServerStatusParams>();
  private readonly progressed = new vscode.EventEmitter<JobProgressParams>();
  private readonly started = new vscode.EventEmitter<void>();
  private readonly backoff = new Backoff();
  private readonly client: LanguageClient;
  private readonly watchers: readonly vscode.FileSystemWatcher[];
  private pendingRestart: NodeJS.Timeout | undefined;
  private starting: Promise<void> | undefined;
  private stopping = false;
  /** It never answered: another try would only cost the same time again. */
  private isSilent = false;
  /** The user was told that it stays off. */
  private isGivenUp = false;
  /** What the server wrote to its error output, the best hint on why it ended. */
  private readonly lastWords = new LastWords();

  readonly onViewChanged = this.viewChanged.event;
  readonly onStatus = this.statusChanged.event;
  readonly onProgress = this.progressed.event;
  /** Fires after every start, the ones after a crash included. */
  readonly onStarted = this.started.event;

  constructor(
    context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.watchers = watchedFiles.map((glob) => vscode.workspace.createFileSystemWatcher(glob));
    const module = context.asAbsolutePath('dist/server.js');
    const transport = TransportKind.ipc;
    const initializationOptions = (): InitializationOptions => ({
      trusted: vscode.workspace.isTrusted,
      cacheDirectory: vscode.Uri.joinPath(context.globalStorageUri, 'cache').fsPath,
      recipeSchema: true,
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
            this.onClosed();
            return { action: CloseAction.DoNotRestart, handled: true };
          },
        },
        initializationFailedHandler: (error) => {
          log.error(error instanceof Error ? error.message : String(error));
          return false;
        },
        stdioOptions: {
          stdout: (stream) => this.logLines(stream, (line) => log.info(line)),
          stderr: (stream) =>
            this.logLines(stream, (line) => {
              log.error(line);
              this.lastWords.add(line);
            }),
        },
      },
    );
    this.client.onNotification(modelViewChanged, (view: ModelView) => this.viewChanged.fire(view));
    this.client.onNotification(serverStatus, (status: ServerStatusParams) => this.statusChanged.fire(status));
    this.client.onNotification(jobProgress, (progress: JobProgressParams) => this.progressed.fire(progress));
  }

  /** Starts the server unless it runs; resolves when requests can be sent. Throws what the user should read. */
  async ready(): Promise<void> {
    if (this.isRunning) return;
    this.starting ??= this.start().finally(() => {
      this.starting = undefined;
    });
    return this.starting;
  }

  /** Stops and starts the server, on the user's wish: earlier crashes no longer count. */
  async restart(): Promise<void> {
    await this.stop();
    this.stopping = false;
    this.backoff.reset();
    await this.ready();
  }

  /** Stops the server; nothing restarts it but {@link restart}. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.cancelRestart();
    const process = this.client.serverProcess;
    if (this.starting) {
      // Nothing can be asked of a server that has not answered yet.
      await end(process);
      await this.starting.catch(() => undefined);
    } else if (this.isRunning) {
      await this.client.stop().catch((error: Error) => {
        this.log.warn(error.message);
        return end(process);
      });
    }
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

  /** Bytes freed. */
  clearCache(): Promise<number> {
    return this.request(clearCacheRequest, {});
  }

  async cancel(params: CancelJobParams): Promise<void> {
    if (this.isRunning) await this.client.sendNotification(cancelJob, params);
  }

  async tellTrust(params: TrustChangedParams): Promise<void> {
    if (this.isRunning) await this.client.sendNotification(trustChanged, params);
  }

  dispose(): void {
    this.cancelRestart();
    for (const one of [this.viewChanged, this.statusChanged, this.progressed, this.started]) one.dispose();
    for (const watcher of this.watchers) watcher.dispose();
  }

  private async start(): Promise<void> {
    this.cancelRestart();
    this.lastWords.clear();
    this.isSilent = false;
    this.isGivenUp = false;
    this.statusChanged.fire({ health: 'ok', quiescent: false, message: vscode.l10n.t('Starting') });
    const silence = setTimeout(() => {
      this.lastWords.add(vscode.l10n.t('it did not answer within {0} s', answerSeconds));
      this.isSilent = true;
      void end(this.client.serverProcess);
    }, answerSeconds * 1000);
    try {
      await this.client.start();
    } catch (error) {
      throw this.notStarted(error instanceof Error ? error.message : String(error));
    } finally {
      clearTimeout(silence);
    }
    // A process that ends while it starts can leave the promise resolved.
    if (!this.isRunning) throw this.notStarted(vscode.l10n.t('it ended at once; see the log'));
    this.statusChanged.fire({ health: 'ok', quiescent: true, message: vscode.l10n.t('Ready') });
    this.started.fire();
  }

  private async request<R>(method: string, params: object, token?: vscode.CancellationToken): Promise<R> {
    await this.ready();
    try {
      // An undefined token would be sent as a second parameter.
      return await (token
        ? this.client.sendRequest<R>(method, params, token)
        : this.client.sendRequest<R>(method, params));
    } catch (error) {
      const ended = error instanceof ResponseError && lostCodes.includes(error.code);
      if (!ended || token?.isCancellationRequested) throw error;
      const reason = this.lastWords.reason() ?? vscode.l10n.t('no reason was given; see the log');
      throw new Error(vscode.l10n.t('The language server ended before it answered: {0}', reason));
    }
  }

  /** Asked anew after every await, hence no property that the compiler would take for constant. */
  private get isRunning(): boolean {
    return this.client.state === State.Running;
  }

  private notStarted(otherwise: string): Error {
    const reason = this.lastWords.reason() ?? otherwise;
    return new Error(vscode.l10n.t('The language server did not start: {0}', reason));
  }

  private onClosed(): void {
    if (this.stopping) return;
    const reason = this.lastWords.reason() ?? vscode.l10n.t('no reason was given; see the log');
    const delay = this.isSilent ? undefined : this.backoff.next(Date.now());
    if (delay === undefined) {
      this.isGivenUp = true;
      this.log.error(`The language server ended too often, it stays off. Last reason: ${reason}`);
      const message = vscode.l10n.t('The Quantlens language server stopped: {0}', reason);
      this.statusChanged.fire({ health: 'error', quiescent: true, message });
      void offerRestart(message);
      return;
    }
    this.log.warn(`The language server ended (${reason}). It restarts in ${delay} ms.`);
    const message = vscode.l10n.t('The language server ended and restarts: {0}', reason);
    this.statusChanged.fire({ health: 'warning', quiescent: false, message });
    this.pendingRestart = setTimeout(() => {
      this.pendingRestart = undefined;
      this.ready().catch((error: Error) => this.onStartFailed(error));
    }, delay);
  }

  /** A start that never got a connection does not reach `closed`. */
  private onStartFailed(error: Error): void {
    if (this.pendingRestart !== undefined || this.stopping || this.isGivenUp) return;
    this.statusChanged.fire({ health: 'error', quiescent: true, message: error.message });
    void offerRestart(error.message);
  }

  private cancelRestart(): void {
    clearTimeout(this.pendingRestart);
    this.pendingRestart = undefined;
  }

  private logLines(stream: Readable, use: (line: string) => void): void {
    readline.createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', use);
  }
}

/** Problems go to the log; what the user must know, {@link Server} tells in its own words and once. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export interface RecipeChange {
  readonly recipe: vscode.Uri;
  readonly edit: vscode.WorkspaceEdit;
  readonly problems: readonly string[];
}

/** Ends a process and waits until its connection is closed, which a new start must not take for its own. */
async function end(process: ChildProcess | undefined): Promise<void> {
  if (!process || process.exitCode !== null || process.signalCode !== null) return;
  const closed = once(process, 'close');
  process.kill('SIGKILL');
  await closed;
}

async function offerRestart(message: string): Promise<void> {
  const restart = vscode.l10n.t('Restart');
  const showLog = vscode.l10n.t('Show Log');
  const answer = await vscode.window.showErrorMessage(message, restart, showLog);
  if (answer === restart) await vscode.commands.executeCommand('quantlens.restartServer');
  if (answer === showLog) await vscode.commands.executeCommand('quantlens.showLog');
}
