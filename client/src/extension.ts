/** Activation: builds the parts, wires them, and starts the server when the first document or model needs it. */
import * as vscode from 'vscode';
import { mentionsFramework } from '../../server/src/protocol/frameworks';
import { CalibrationPanel } from './calibration-panel';
import { Calibrations } from './calibrations';
import { documentSelector, Server } from './client';
import { registerCommands } from './commands';
import { ComparePanels } from './compare-panel';
import { LayerTree } from './layer-tree';
import { ModelEditorProvider } from './model-editor';
import { Models } from './models';
import { RunTree } from './run-tree';
import { readSettings } from './settings';
import { registerStatus } from './status';
import { registerTasks } from './tasks';

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('Quantlens', { log: true });
  const manifest = context.extension.packageJSON as { readonly version?: string };
  log.info(
    `Quantlens ${manifest.version ?? ''}, VS Code ${vscode.version}, ${process.platform}-${process.arch}`,
  );
  log.debug(JSON.stringify(readSettings()));
  const started = new Server(context, log);
  server = started;
  const models = new Models(started, log);
  const calibrations = new Calibrations();
  const panel = new CalibrationPanel(context, started, models, calibrations);
  const layers = new LayerTree(models);
  const runs = new RunTree(started, context.workspaceState, log);
  const comparisons = new ComparePanels({ context, server: started, calibrations });
  context.subscriptions.push(
    log,
    started,
    models,
    panel,
    layers,
    runs,
    comparisons,
    registerStatus(started),
    registerTasks(context),
    ModelEditorProvider.register(context, started, models),
    registerCommands({
      context,
      log,
      server: started,
      models,
      calibrations,
      panel,
      layers,
      comparisons,
      runs,
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void started.tellTrust({ trusted: true })),
    ...startWhenNeeded(started, log),
  );
}

export function deactivate(): Promise<void> | undefined {
  return server?.stop();
}

/** Starts the server with the first document that it serves; requests of panels and commands start it as well. */
function startWhenNeeded(started: Server, log: vscode.LogOutputChannel): readonly vscode.Disposable[] {
  // Most Python files do not concern us: no process is started for them.
  const isServed = (document: vscode.TextDocument) =>
    vscode.languages.match(documentSelector, document) > 0 &&
    (document.languageId !== 'python' || mentionsFramework(document.getText()));
  const start = () => void started.ready().catch((error: Error) => log.error(error.message));
  if (vscode.workspace.textDocuments.some(isServed)) {
    start();
    return [];
  }
  const look = (document: vscode.TextDocument) => {
    if (!isServed(document)) return;
    for (const listener of listeners) listener.dispose();
    start();
  };
  const listeners = [
    vscode.workspace.onDidOpenTextDocument(look),
    vscode.workspace.onDidSaveTextDocument(look),
  ];
  return listeners;
}
