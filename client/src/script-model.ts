/** *Choose the model of a script…*: what may hold its weights, best first, or any file; a comment in the script says so. */
import * as vscode from 'vscode';
import type { ScriptModel, Server } from './client';
import { modelExtensions } from './models';

/** Asks for the model, in place of the one that is shown; false when nothing was written. */
export async function chooseScriptModel(
  server: Server,
  script: vscode.Uri,
  insteadOf: unknown,
): Promise<boolean> {
  const asked = {
    textDocument: { uri: script.toString() },
    ...(typeof insteadOf === 'string' && { insteadOf }),
  };
  const models = await server.scriptModels(asked);
  const browse = { label: `$(folder-opened) ${vscode.l10n.t('Browse…')}`, model: undefined };
  const chosen = await vscode.window.showQuickPick([...models.map(itemOf), browse], {
    title: vscode.l10n.t('Model of {0}', vscode.workspace.asRelativePath(script)),
    placeHolder: vscode.l10n.t('A comment in the script will say so'),
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (!chosen) return false;
  if (chosen.model) return vscode.workspace.applyEdit(chosen.model.edit);
  const filters = { [vscode.l10n.t('Models')]: [...modelExtensions] };
  const [file] =
    (await vscode.window.showOpenDialog({ filters, defaultUri: vscode.Uri.joinPath(script, '..') })) ?? [];
  if (!file) return false;
  const more = await server.scriptModels({ ...asked, modelUri: file.toString() });
  const found = more.find(({ uri }) => uri === file.toString());
  if (found) return vscode.workspace.applyEdit(found.edit);
  void vscode.window.showErrorMessage(
    vscode.l10n.t('{0} cannot be read as a model.', vscode.workspace.asRelativePath(file)),
  );
  return false;
}

function itemOf(model: ScriptModel): vscode.QuickPickItem & { readonly model: ScriptModel } {
  const { network, by } = model;
  const tied =
    network && vscode.l10n.t('{0} of {1} layers of {2}', network.tied, network.layers, network.name);
  const how = by === 'shapes' ? vscode.l10n.t('by order and shape') : vscode.l10n.t('by names');
  return {
    label: model.shown ? `$(check) ${model.name}` : model.name,
    description: model.layers === 1 ? vscode.l10n.t('1 layer') : vscode.l10n.t('{0} layers', model.layers),
    detail: tied === undefined ? vscode.l10n.t('fits no network of the script') : `${tied}, ${how}`,
    model,
  };
}
