/**
 * What the server tells the editor without being asked: changed views, requests to pull again, pushed diagnostics,
 * health, progress. Many changes at once are told once.
 */
import type { Diagnostic } from 'vscode-languageserver-types';
import { modelViewChanged, type ServerStatusParams, serverStatus } from '../protocol/lsp-ext';
import type { Progress } from '../protocol/progress';
import type { ModelView } from '../protocol/views';
import { editorWords } from '../rules/words';
import type { ClientFacts } from './client-facts';
import { progressText } from './progress-text';
import { ToldViews, type ViewNews } from './told-views';

/** The door to the editor; answers and failures of requests are of no interest. */
export interface Door {
  notify(method: string, params: unknown): void;
  request(method: string, params?: unknown): Promise<unknown>;
}

export interface EditorHost {
  client(): ClientFacts;
  /** The client has shown that it knows this server's own notifications. */
  knowsUs(): boolean;
  view(file: string): ModelView;
  /** What is running now. */
  busy(): boolean;
  /** Diagnostics of all open documents, for editors that do not pull. */
  diagnostics(): readonly { readonly uri: string; readonly version: number; readonly items: Diagnostic[] }[];
}

/** Changes are gathered this long, milliseconds. */
const DELAY = 100;

/** At most four rounds of news a second: figures that arrive one by one would make texts flicker. */
const INTERVAL = 250;

/** News of a large model take long to make; they may take this share of the time, for questions come in between. */
const SHARE = 1 / 8;

export class Editor {
  private readonly files = new Set<string>();
  private readonly toldViews = new ToldViews();
  private timer: NodeJS.Timeout | undefined;
  private stale = false;
  /** Before this time nothing more is told. */
  private earliest = 0;
  private told = '';
  private trouble: string | undefined;
  private progressCount = 0;

  constructor(
    private readonly door: Door,
    private readonly host: EditorHost,
  ) {}

  /** A model's numbers, recipe or state changed. */
  modelChanged(file: string): void {
    this.files.add(file);
    this.stale = true;
    this.schedule();
  }

  /** A document changed: pushed diagnostics are due. */
  documentChanged(): void {
    if (!this.host.client().pullDiagnostics) this.schedule();
  }

  /** What scripts say changed without a keystroke: the parser came, or a model was found. */
  scriptsChanged(): void {
    this.stale = true;
    this.schedule();
  }

  /** Something began or ended. */
  activityChanged(): void {
    this.schedule();
  }

  /** Shows trouble in the status until a job ends well. */
  setTrouble(message: string | undefined): void {
    this.trouble = message;
    this.schedule();
  }

  clearDiagnostics(uri: string): void {
    if (!this.host.client().pullDiagnostics)
      this.door.notify('textDocument/publishDiagnostics', { uri, diagnostics: [] });
  }

  /** Standard progress under a token of the client, or a new one; silent where the client shows none. */
  progress(
    title: string,
    token?: string | number,
  ): { report(progress: Progress): void; end(message?: string): void } {
    if (token === undefined && !this.host.client().workDoneProgress) return silent;
    const own = token ?? `quantlens-${++this.progressCount}`;
    const send = (value: object) => this.door.notify('$/progress', { token: own, value });
    const begun =
      token === undefined
        ? this.door.request('window/workDoneProgress/create', { token: own })
        : Promise.resolve();
    let open = false;
    let ended = false;
    void begun.then(
      () => {
        open = !ended;
        if (open) send({ kind: 'begin', title, percentage: 0 });
      },
      () => {},
    );
    return {
      report: (progress) => {
        if (!open) return;
        const { done, total } = progress;
        const percentage = total > 0 ? Math.min(100, Math.round((100 * done) / total)) : undefined;
        send({ kind: 'report', message: progressText(progress), percentage });
      },
      end: (message) => {
        ended = true;
        if (open) send({ kind: 'end', message });
        open = false;
      },
    };
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => this.flush(), Math.max(DELAY, this.earliest - performance.now()));
  }

  private flush(): void {
    this.timer = undefined;
    const began = performance.now();
    const client = this.host.client();
    const files = [...this.files];
    this.files.clear();
    if (this.host.knowsUs()) {
      for (const file of files) {
        const view = this.host.view(file);
        const news = client.takesRows ? this.toldViews.news(view) : wholeView(view);
        this.door.notify(news.method, news.params);
        if (news.isPartial) this.files.add(file);
      }
    }
    if (this.stale) for (const method of client.refreshes) this.door.request(method).catch(() => {});
    this.stale = false;
    if (!client.pullDiagnostics) {
      for (const { uri, version, items } of this.host.diagnostics())
        this.door.notify('textDocument/publishDiagnostics', { uri, version, diagnostics: items });
    }
    this.status();
    const took = performance.now() - began;
    this.earliest = began + Math.max(INTERVAL, took / SHARE);
    if (this.files.size > 0) this.schedule();
  }

  private status(): void {
    if (!this.host.knowsUs()) return;
    const quiescent = !this.host.busy();
    const message = quiescent ? (this.trouble ?? '') : editorWords.measuring;
    const params: ServerStatusParams = { health: this.trouble ? 'warning' : 'ok', quiescent, message };
    const text = JSON.stringify(params);
    if (text === this.told) return;
    this.told = text;
    this.door.notify(serverStatus, params);
  }
}

function wholeView(view: ModelView): ViewNews {
  return { method: modelViewChanged, params: view, isPartial: false };
}

const silent = { report() {}, end() {} };
