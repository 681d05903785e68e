/**
 * The life of the language server's process: started when first needed, restarted with growing delays after a
 * crash, ended when it hangs, and every end told with its reason.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as vscode from 'vscode';
import { type LanguageClient, State } from 'vscode-languageclient/node';
import type { ServerStatusParams } from '../../server/src/protocol/lsp-ext';
import { Backoff } from './backoff';
import { LastWords } from './last-words';

/** A server that says nothing for so long after its start is ended. */
const answerSeconds = 30;

export interface LifeOptions {
  readonly client: LanguageClient;
  readonly log: vscode.LogOutputChannel;
  readonly onStatus: (status: ServerStatusParams) => void;
  /** After every start, the ones after a crash included. */
  readonly onStarted: () => void;
}

export class ServerLife implements vscode.Disposable {
  private readonly backoff = new Backoff();
  /** What the server wrote to its error output, the best hint on why it ended. */
  private readonly lastWords = new LastWords();
  private pendingRestart: NodeJS.Timeout | undefined;
  private starting: Promise<void> | undefined;
  private stopping = false;
  /** It never answered: another try would only cost the same time again. */
  private isSilent = false;
  /** The user was told that it stays off. */
  private isGivenUp = false;

  constructor(private readonly options: LifeOptions) {}

  /** Asked anew after every await, hence no property that the compiler would take for constant. */
  get isRunning(): boolean {
    return this.options.client.state === State.Running;
  }

  /** Why it ended, as far as it said so. */
  get reason(): string {
    return this.lastWords.reason() ?? vscode.l10n.t('no reason was given; see the log');
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
    const { client, log } = this.options;
    this.stopping = true;
    this.cancelRestart();
    const process = client.serverProcess;
    if (this.starting) {
      // Nothing can be asked of a server that has not answered yet.
      await end(process);
      await this.starting.catch(() => undefined);
    } else if (this.isRunning) {
      await client.stop().catch((error: Error) => {
        log.warn(error.message);
        return end(process);
      });
    }
  }

  /** A line of the server's error output. */
  heard(line: string): void {
    this.options.log.error(line);
    this.lastWords.add(line);
  }

  /** The connection is gone: plans a restart, or says that the server stays off. */
  closed(): void {
    if (this.stopping) return;
    const { reason } = this;
    const delay = this.isSilent ? undefined : this.backoff.next(Date.now());
    if (delay === undefined) {
      this.giveUp(vscode.l10n.t('The Quantlens language server stopped: {0}', reason));
      return;
    }
    this.options.log.warn(`The language server ended (${reason}). It restarts in ${delay} ms.`);
    const message = vscode.l10n.t('The language server ended and restarts: {0}', reason);
    this.options.onStatus({ health: 'warning', quiescent: false, message });
    this.pendingRestart = setTimeout(() => {
      this.pendingRestart = undefined;
      this.ready().catch((error: Error) => {
        // A process that could not even be started does not reach this method.
        const isHandled = this.pendingRestart !== undefined || this.stopping || this.isGivenUp;
        if (!isHandled) this.giveUp(error.message);
      });
    }, delay);
  }

  dispose(): void {
    this.cancelRestart();
  }

  private async start(): Promise<void> {
    const { client, onStatus, onStarted } = this.options;
    this.cancelRestart();
    this.lastWords.clear();
    this.isSilent = false;
    this.isGivenUp = false;
    onStatus({ health: 'ok', quiescent: false, message: vscode.l10n.t('Starting') });
    const silence = setTimeout(() => {
      this.lastWords.add(vscode.l10n.t('it did not answer within {0} s', answerSeconds));
      this.isSilent = true;
      void end(client.serverProcess);
    }, answerSeconds * 1000);
    try {
      await client.start();
    } catch (error) {
      throw this.notStarted(error instanceof Error ? error.message : String(error));
    } finally {
      clearTimeout(silence);
    }
    // A process that ends while it starts can leave the promise resolved.
    if (!this.isRunning) throw this.notStarted(vscode.l10n.t('it ended at once; see the log'));
    onStatus({ health: 'ok', quiescent: true, message: vscode.l10n.t('Ready') });
    onStarted();
  }

  private notStarted(otherwise: string): Error {
    const reason = this.lastWords.reason() ?? otherwise;
    return new Error(vscode.l10n.t('The language server did not start: {0}', reason));
  }

  private giveUp(message: string): void {
    this.isGivenUp = true;
    this.options.log.error(`The language server stays off. ${message}`);
    this.options.onStatus({ health: 'error', quiescent: true, message });
    void offerRestart(message);
  }

  private cancelRestart(): void {
    clearTimeout(this.pendingRestart);
    this.pendingRestart = undefined;
  }
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
