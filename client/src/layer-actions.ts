/**
 * What the recipe can make of the layer at the cursor of a text view, as a list to choose from. The editor itself offers
 * no code actions there: light bulb, commands and keys for them are off in read-only text.
 */
import * as vscode from 'vscode';

/** Asks which code action to apply at the cursor, and applies it. */
export async function showLayerActions(): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!editor) return;
  const actions = await vscode.commands.executeCommand<readonly vscode.CodeAction[]>(
    'vscode.executeCodeActionProvider',
    editor.document.uri,
    editor.selection,
  );
  const items = actions
    .filter(({ edit, disabled }) => edit && !disabled)
    .map((action) => ({ label: action.title, action }));
  if (items.length === 0) {
    const message = vscode.l10n.t(
      'No layer stands at the cursor. Place it on a node with weights, such as Conv.',
    );
    void vscode.window.showInformationMessage(message);
    return;
  }
  const placeHolder = vscode.l10n.t('What shall the recipe make of the layer?');
  const { edit, command } = (await vscode.window.showQuickPick(items, { placeHolder }))?.action ?? {};
  if (!edit || !(await vscode.workspace.applyEdit(edit)) || !command) return;
  await vscode.commands.executeCommand(command.command, ...(command.arguments ?? []));
}
