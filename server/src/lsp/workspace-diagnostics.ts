/**
 * Findings of scripts that are not open, once somebody asked for them in the settings: file after file while nobody types
 * and nothing runs, each file once per state, told as they come. What an editor keeps of a document that was closed is
 * replaced by them, or cleared.
 */
import { readFile, stat } from 'node:fs/promises';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { Diagnostic } from 'vscode-languageserver-types';
import { fingerprintOf } from '../engine/base/fingerprint';
import { mentionsFramework } from '../protocol/frameworks';
import type { Settings } from '../protocol/lsp-ext';
import type { Progress } from '../protocol/progress';
import { analyzeScript } from '../rules/script/analyze';
import { scriptTargets } from '../rules/script/script-rule';
import { scriptWords } from '../rules/words-script-editor';
import type { PythonParser } from '../script/parser';
import { rangeOf, uriOf } from './convert';
import type { CancellationToken } from './dispatch';
import { ruleDiagnostics } from './features/script/diagnostics';
import { pinsAround } from './script-pins';
import { pythonFiles } from './workspace-files';

export interface WorkspaceDiagnosticsHost {
  settings(): Settings;
  folders(): readonly string[];
  /** Globs that the editor leaves out (`files.exclude`). */
  excluded(): Promise<readonly string[]>;
  parser(): Promise<PythonParser>;
  /** True for documents that tell their findings themselves. */
  isOpen(uri: string): boolean;
  /** Something runs, or somebody typed a moment ago. */
  busy(): boolean;
  /** The client polls again as soon as it has an answer: it may wait for one until something changed. */
  waits(): boolean;
  progress(title: string): { report(progress: Progress): void; end(): void };
}

interface Known {
  readonly stamp: string;
  readonly settings: Settings;
  readonly resultId: string;
  readonly items: Diagnostic[];
}

/** What is told of a file; the protocol's own report. */
export type FileReport =
  | {
      readonly uri: string;
      readonly version: null;
      readonly kind: 'full';
      readonly resultId: string;
      readonly items: Diagnostic[];
    }
  | { readonly uri: string; readonly version: null; readonly kind: 'unchanged'; readonly resultId: string };

type Tell = (reports: FileReport[]) => void;

/** The result that no findings have. */
const UNKNOWN = '';

/** Larger files are data, not scripts. */
const MAX_BYTES = 1_000_000;

/** Pause between two looks whether it is quiet, milliseconds. */
const PAUSE = 200;

/** A document that is closed is asked about a last time; only after that an editor heeds what is told here, milliseconds. */
const SETTLE = 300;

/** An open question is answered again after this time at the latest, since not every change is heard of, milliseconds. */
const REFRESH = 30_000;

export class WorkspaceDiagnostics {
  private readonly known = new Map<string, Known>();
  /** Ends the waits of open questions. */
  private readonly waiting = new Set<() => void>();
  /** Documents closed since the last report: editors keep their findings and know no result of them any more. */
  private readonly closed = new Set<string>();
  /** Nothing was told yet, or something changed since the last look began. */
  private due = true;

  constructor(private readonly host: WorkspaceDiagnosticsHost) {}

  /** Files or settings changed: who waits for an answer gets one. */
  changed(): void {
    this.due = true;
    for (const end of [...this.waiting]) end();
  }

  /** A document no longer tells its findings itself. */
  documentClosed(uri: string): void {
    this.closed.add(uri);
    setTimeout(() => this.changed(), SETTLE).unref();
  }

  /** Reports of all files, as they come; of those that the client knows already, that they are the same. */
  async report(previous: ReadonlyMap<string, string>, token: CancellationToken, tell: Tell): Promise<void> {
    const { host } = this;
    if (!this.due && host.waits()) await this.somethingChanged(token);
    this.due = false;
    const { script } = host.settings();
    const wanted = script.enabled && script.workspaceDiagnostics;
    if (!wanted && previous.size + this.closed.size === 0 && host.waits()) await this.somethingChanged(token);
    const closed = [...this.closed];
    const left = new Map([...previous, ...closed.map((uri) => [uri, UNKNOWN] as const)]);
    if (wanted) await this.look(left, token, tell);
    else this.known.clear();
    if (token.isCancellationRequested) return;
    for (const uri of closed) this.closed.delete(uri);
    // Gone, open now, or switched off: nothing more is said of them here.
    const cleared = [...left.keys()].filter((uri) => !host.isOpen(uri));
    if (cleared.length > 0) tell(cleared.map((uri) => full(uri, UNKNOWN, [])));
  }

  private async look(left: Map<string, string>, token: CancellationToken, tell: Tell): Promise<void> {
    const { host } = this;
    const goesOn = () => !token.isCancellationRequested && host.settings().script.workspaceDiagnostics;
    const parser = await host.parser();
    const progress = host.progress(scriptWords.lookingAtWorkspace);
    const seen = new Set<string>();
    let done = 0;
    try {
      for await (const file of pythonFiles(host.folders(), await host.excluded(), goesOn)) {
        while (host.busy() && goesOn()) await pause();
        if (!goesOn()) return;
        seen.add(file);
        const uri = uriOf(file);
        if (host.isOpen(uri)) continue;
        const found = await this.analyzed(file, parser);
        if (!found) continue;
        const before = left.get(uri);
        left.delete(uri);
        if (before === found.resultId) tell([{ uri, version: null, kind: 'unchanged', resultId: before }]);
        else if (found.items.length > 0 || before !== undefined)
          tell([full(uri, found.resultId, found.items)]);
        progress.report({ stage: 'read', done: ++done, total: 0, unit: 'files' });
      }
      // What is gone is not remembered.
      if (goesOn()) for (const file of [...this.known.keys()]) if (!seen.has(file)) this.known.delete(file);
    } finally {
      progress.end();
    }
  }

  private async analyzed(file: string, parser: PythonParser): Promise<Known | undefined> {
    const settings = this.host.settings();
    const facts = await stat(file).catch(() => undefined);
    if (!facts || facts.size > MAX_BYTES) return undefined;
    const stamp = `${facts.mtimeMs} ${facts.size}`;
    const before = this.known.get(file);
    if (before?.stamp === stamp && before.settings === settings) return before;
    const text = await readFile(file, 'utf8').catch(() => '');
    const items = mentionsFramework(text) ? diagnose(parser, file, text, settings) : [];
    const made = { stamp, settings, resultId: fingerprintOf(JSON.stringify(items)), items };
    this.known.set(file, made);
    return made;
  }

  private somethingChanged(token: CancellationToken): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        subscription.dispose();
        this.waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, REFRESH);
      timer.unref();
      const subscription = token.onCancellationRequested(done);
      this.waiting.add(done);
    });
  }
}

function diagnose(parser: PythonParser, file: string, text: string, settings: Settings): Diagnostic[] {
  const document = TextDocument.create(uriOf(file), 'python', 0, text);
  const target = scriptTargets.find((one) => one === settings.script.target);
  const script = analyzeScript(parser, file, text, {
    severities: settings.severity,
    target,
    pins: pinsAround(file),
  });
  script.parsed.dispose();
  return ruleDiagnostics(document, script, (span) => rangeOf(document, span));
}

function full(uri: string, resultId: string, items: Diagnostic[]): FileReport {
  return { uri, version: null, kind: 'full', resultId, items };
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, PAUSE));
}
