/** The read-only custom editor of model files: a webview per editor that shows the model's last view. */
import * as vscode from 'vscode';
import type { FromModelPanel, ToModelPanel } from '../../server/src/protocol/panel';
import type { ModelView, WhatIfAnswer } from '../../server/src/protocol/views';
import type { Server } from './client';
import { modelPanelWords } from './model-words';
import { type Models, modelEditorType } from './models';

import { runNotices } from './run-notices';
import { baseName, onlyLocal } from './text-view';
import { manageTrust } from './trust';
import { preparePage } from './webview-page';

/** A file that is being written changes many times; the view is asked for when it rests. */
const restMilliseconds = 300;

export class ModelEditorProvider implements vscode.CustomReadonlyEditorProvider {
  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly server: Server,
    private readonly models: Models,
  ) {}

  /** Registers the editor for the files that the manifest names. */
  static register(context: vscode.ExtensionContext, server: Server, models: Models): vscode.Disposable {
    return vscode.window.registerCustomEditorProvider(
      modelEditorType,
      new ModelEditorProvider(context, server, models),
      { supportsMultipleEditorsPerDocument: true },
    );
  }

  openCustomDocument(uri: vscode.Uri): vscode.CustomDocument {
    return { uri, dispose: () => this.models.forget(uri) };
  }

  resolveCustomEditor(document: vscode.CustomDocument, panel: vscode.WebviewPanel): void {
    const { uri } = document;
    const { webview } = panel;
    const post = (message: ToModelPanel) => void webview.postMessage(message);
    const isMine = (view: ModelView) => vscode.Uri.parse(view.uri).toString() === uri.toString();
    const load = () => this.load(uri, post);
    let asking: vscode.CancellationTokenSource | undefined;
    const watcher = vscode.workspace.createFileSystemWatcher(
      new vscode.RelativePattern(vscode.Uri.joinPath(uri, '..'), baseName(uri)),
    );
    let rest: NodeJS.Timeout | undefined;
    const fileChanged = () => {
      clearTimeout(rest);
      rest = setTimeout(load, restMilliseconds);
    };
    const disposables = [
      webview.onDidReceiveMessage(async (message: FromModelPanel) => {
        if (message.type !== 'what-if') return this.receive(uri, message, load);
        // The newest question is the one that counts.
        asking?.cancel();
        asking = new vscode.CancellationTokenSource();
        const answer = await this.whatIf(uri, message, asking.token);
        return answer && post({ type: 'what-if', id: message.id, answer });
      }),
      this.models.onChanged((view) => isMine(view) && post({ type: 'view', view })),
      runNotices.onChanged(
        ({ modelUri, notice }) => modelUri === uri.toString() && post({ type: 'run', notice }),
      ),
      // While the server is away what is shown is on its way to nothing: say so until it is back.
      this.server.onStatus(({ health, quiescent, message }) => {
        if (health !== 'ok') post({ type: 'busy', text: message });
        else if (quiescent) post({ type: 'busy', text: null });
      }),
      watcher,
      watcher.onDidChange(fileChanged),
      watcher.onDidCreate(fileChanged),
      watcher.onDidDelete(fileChanged),
      panel.onDidChangeViewState(() => panel.active && this.models.setActive(uri)),
    ];
    panel.onDidDispose(() => {
      clearTimeout(rest);
      asking?.cancel();
      for (const one of disposables) one.dispose();
    });
    webview.html = preparePage(webview, this.context.extensionUri, {
      name: 'model',
      title: baseName(uri),
      words: modelPanelWords(),
    });
  }

  /** Shows what is known at once, then what the server answers, or why it does not. */
  private async load(uri: vscode.Uri, post: (message: ToModelPanel) => void): Promise<void> {
    if (uri.scheme !== 'file') {
      post({ type: 'busy', text: onlyLocal(uri) });
      return;
    }
    const run = runNotices.of(uri.toString());
    if (run) post({ type: 'run', notice: run });
    const known = this.models.view(uri);
    if (known) post({ type: 'view', view: known });
    try {
      await this.models.load(uri);
      post({ type: 'busy', text: null });
    } catch (error) {
      post({ type: 'busy', text: error instanceof Error ? error.message : String(error) });
    }
  }

  /** The server's answer; why there is none, or nothing when a newer question came in between. */
  private async whatIf(
    uri: vscode.Uri,
    { layer, formats }: Extract<FromModelPanel, { readonly type: 'what-if' }>,
    token: vscode.CancellationToken,
  ): Promise<WhatIfAnswer | undefined> {
    try {
      return await this.server.whatIf({ modelUri: uri.toString(), layer, formats }, token);
    } catch (error) {
      if (token.isCancellationRequested) return undefined;
      const problem = error instanceof Error ? error.message : String(error);
      return { cells: [], notExported: {}, problems: [problem] };
    }
  }

  private async receive(
    uri: vscode.Uri,
    message: Exclude<FromModelPanel, { readonly type: 'what-if' }>,
    load: () => Promise<void>,
  ): Promise<unknown> {
    const run = (command: string, ...rest: readonly unknown[]) =>
      vscode.commands.executeCommand(command, uri.toString(), ...rest);
    switch (message.type) {
      case 'ready':
        return load();
      case 'calibrate':
        return run('quantlens.calibrate');
      case 'quantize':
        return run('quantlens.quantize', message.scheme);
      case 'open-as-text':
        return run('quantlens.openAsText', message.layer);
      case 'measure':
        return run('quantlens.measureWeights');
      case 'open-recipe':
        return run('quantlens.openRecipe');
      case 'recipe':
        return run('quantlens.editRecipe', message.actions);
      case 'compare':
        return run('quantlens.compareModels');
      case 'copy':
        return vscode.env.clipboard.writeText(message.text);
      case 'output-effect':
        return run('quantlens.measureOutputEffect');
      case 'manage-trust':
        return manageTrust();
      case 'open-link':
        return isWebAddress(message.href) && vscode.env.openExternal(vscode.Uri.parse(message.href));
      default:
        return message satisfies never;
    }
  }
}

function isWebAddress(href: string): boolean {
  return href.startsWith('https://');
}
