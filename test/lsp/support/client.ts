/** A small language client: the real server over in-memory streams, a temporary folder, and what the server said. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { PassThrough } from 'node:stream';
import {
  type CancellationToken,
  createMessageConnection,
  type InitializeResult,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver/node';
import { URI } from 'vscode-uri';
import { encodeModelBytes } from '../../../server/src/engine/format/onnx-encode';
import type { ModelProto } from '../../../server/src/engine/format/onnx-types';
import { textViewUri } from '../../../server/src/lsp/convert';
import { startServer } from '../../../server/src/lsp/server';
import type { ModelView } from '../../../server/src/protocol/views';

const root = path.resolve(__dirname, '../../..');

/** What a rich editor says of itself. */
export const richCapabilities = {
  workspace: {
    configuration: true,
    codeLens: { refreshSupport: true },
    inlayHint: { refreshSupport: true },
    diagnostics: { refreshSupport: true },
    textDocumentContent: {},
    workspaceEdit: { documentChanges: true, resourceOperations: ['create'] },
  },
  textDocument: {
    diagnostic: {},
    publishDiagnostics: { relatedInformation: true },
    hover: { contentFormat: ['markdown', 'plaintext'] },
    codeAction: { disabledSupport: true },
  },
};

export interface ClientOptions {
  readonly capabilities?: object;
  /** `initializationOptions`; default: the project's own client in a trusted workspace. */
  readonly options?: object | null;
  readonly settings?: object;
}

interface Said {
  readonly method: string;
  readonly params: unknown;
}

export interface Opened {
  readonly uri: string;
  readonly text: string;
}

export class TestClient {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantlens-lsp-'));
  /** Notifications and requests of the server, in order. */
  readonly said: Said[] = [];
  private readonly versions = new Map<string, number>();
  private readonly listeners = new Set<() => void>();
  private readonly connection: MessageConnection;
  private settings: object;
  initialized: InitializeResult = { capabilities: {} };

  private constructor(options: ClientOptions) {
    this.settings = options.settings ?? {};
    const toServer = new PassThrough();
    const toClient = new PassThrough();
    startServer({
      streams: { input: toServer, output: toClient },
      entry: this.entry(),
      parserFolder: path.join(root, 'dist'),
    });
    this.connection = createMessageConnection(
      new StreamMessageReader(toClient),
      new StreamMessageWriter(toServer),
    );
    this.connection.onNotification((method, params) => this.heard(method, params));
    this.connection.onUnhandledProgress((params) => this.heard('$/progress', params));
    this.connection.onRequest((method, params) => {
      this.heard(method, params);
      return method === 'workspace/configuration' ? [this.settings] : null;
    });
    this.connection.listen();
  }

  static async start(options: ClientOptions = {}): Promise<TestClient> {
    const client = new TestClient(options);
    const given = options.options === undefined ? { trusted: true } : options.options;
    client.initialized = await client.connection.sendRequest<InitializeResult>('initialize', {
      processId: null,
      rootUri: client.uri(''),
      capabilities: options.capabilities ?? richCapabilities,
      ...(given === null ? {} : { initializationOptions: given }),
    });
    await client.connection.sendNotification('initialized', {});
    return client;
  }

  async stop(): Promise<void> {
    await this.connection.sendRequest('shutdown');
    this.connection.dispose();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  uri(name: string): string {
    return URI.file(this.file(name)).toString();
  }

  write(name: string, content: ModelProto | string | Uint8Array): string {
    const isText = typeof content === 'string' || content instanceof Uint8Array;
    const bytes = isText ? content : encodeModelBytes(content).value;
    if (bytes === undefined) throw new Error(`${name} cannot be encoded`);
    fs.writeFileSync(this.file(name), bytes);
    return this.uri(name);
  }

  /** The inference process, made to leave its process id behind. */
  private entry(): string {
    const entry = this.file('entry.cjs');
    const workers = JSON.stringify(this.file('workers'));
    const program = JSON.stringify(path.join(root, 'dist/inference-process.js'));
    fs.writeFileSync(
      entry,
      `require('node:fs').appendFileSync(${workers}, process.pid + '\\n');\nrequire(${program});\n`,
    );
    return entry;
  }

  /** Kills every inference process that lives. */
  killWorkers(): void {
    for (const pid of this.read('workers').trim().split('\n').map(Number)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
  }

  read(name: string): string {
    return fs.readFileSync(this.file(name), 'utf8');
  }

  request<R>(method: string, params: object, token?: CancellationToken): Promise<R> {
    return token
      ? this.connection.sendRequest<R>(method, params, token)
      : this.connection.sendRequest<R>(method, params);
  }

  notify(method: string, params: object): Promise<void> {
    return this.connection.sendNotification(method, params);
  }

  /** Opens the text view of a model in the folder, as an editor does. */
  async openView(model: string): Promise<Opened> {
    const uri = textViewUri(this.uri(model));
    const { text } = await this.request<{ text: string }>('workspace/textDocumentContent', { uri });
    await this.open(uri, text, 'onnxtxt');
    return { uri, text };
  }

  async open(uri: string, text: string, languageId: string): Promise<Opened> {
    this.versions.set(uri, 1);
    await this.notify('textDocument/didOpen', { textDocument: { uri, languageId, version: 1, text } });
    return { uri, text };
  }

  /** Writes a recipe and opens it. */
  async openRecipe(name: string, text: string): Promise<Opened> {
    this.write(name, text);
    return this.open(this.uri(name), text, 'jsonc');
  }

  /** Replaces a document's text, or the part in `range`. */
  async change(uri: string, text: string, range?: object): Promise<void> {
    const version = (this.versions.get(uri) ?? 0) + 1;
    this.versions.set(uri, version);
    await this.notify('textDocument/didChange', {
      textDocument: { uri, version },
      contentChanges: [range ? { range, text } : { text }],
    });
  }

  async close(uri: string): Promise<void> {
    await this.notify('textDocument/didClose', { textDocument: { uri } });
  }

  /** Tells that files changed on disk; type 2 = changed, 3 = deleted. */
  async touched(type: 1 | 2 | 3, ...uris: readonly string[]): Promise<void> {
    await this.notify('workspace/didChangeWatchedFiles', { changes: uris.map((uri) => ({ uri, type })) });
  }

  async configure(settings: object): Promise<void> {
    this.settings = settings;
    await this.notify('workspace/didChangeConfiguration', { settings: null });
  }

  /** A request about a document at an offset or between two. */
  at<R>(
    method: string,
    { uri, text }: Opened,
    where: number | readonly [number, number] = 0,
    extra = {},
  ): Promise<R> {
    const [from, to] = typeof where === 'number' ? [where, where] : where;
    return this.request<R>(`textDocument/${method}`, {
      textDocument: { uri },
      position: positionAt(text, from),
      range: { start: positionAt(text, from), end: positionAt(text, to) },
      ...extra,
    });
  }

  /** Waits for something the server says, now or earlier than now counting from `since`. */
  async heardOf<T>(method: string, fits: (params: T) => boolean = () => true, since = 0): Promise<T> {
    for (;;) {
      const found = this.said.slice(since).find((one) => one.method === method && fits(one.params as T));
      if (found) return found.params as T;
      await this.next();
    }
  }

  /** Asks again whenever the server said something, until the answer fits. */
  async until<T>(ask: () => Promise<T>, fits: (answer: T) => boolean): Promise<T> {
    for (;;) {
      const since = this.said.length;
      const answer = await ask();
      if (fits(answer)) return answer;
      if (this.said.length === since) await this.next();
    }
  }

  private next(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.listeners.delete(wake);
        resolve();
      };
      this.listeners.add(wake);
    });
  }

  /** Waits until a model's weights are measured. */
  async measured(model: string): Promise<ModelView> {
    const uri = this.uri(model);
    const view = await this.request<ModelView>('quantlens/modelView', { uri });
    if (view.state === 'weights' || view.state === 'measured') return view;
    return this.heardOf<ModelView>(
      'quantlens/modelViewChanged',
      (changed) => changed.uri === uri && (changed.state === 'weights' || changed.state === 'measured'),
    );
  }

  private heard(method: string, params: unknown): void {
    this.said.push({ method, params });
    for (const wake of [...this.listeners]) wake();
  }
}

export function positionAt(text: string, offset: number): { line: number; character: number } {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length - 1, character: before.at(-1)?.length ?? 0 };
}

export function offsetAt(text: string, position: { line: number; character: number }): number {
  const lines = text.split('\n').slice(0, position.line);
  return lines.reduce((sum, one) => sum + one.length + 1, 0) + position.character;
}

/** The text a range covers. */
export function covered(
  text: string,
  range: { start: { line: number; character: number }; end: { line: number; character: number } },
): string {
  return text.slice(offsetAt(text, range.start), offsetAt(text, range.end));
}
