/** The editor knows the extension as its manifest says, wakes it for a model and shows it in the model editor. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { closeEditors, demoModel, inWorkspace, until } from './support';

describe('extension', () => {
  const extension = vscode.extensions.getExtension('quantlens.quantlens');
  after(closeEditors);

  it('is loaded by the editor and runs where the files are', () => {
    assert.ok(extension, 'quantlens.quantlens is among the extensions');
    assert.equal(extension.packageJSON.main, './dist/client.js');
    assert.equal(extension.extensionKind, vscode.ExtensionKind.Workspace);
  });

  it('shows a model in its own editor and becomes active with it', async () => {
    const model = inWorkspace(demoModel);
    await vscode.commands.executeCommand('vscode.open', model);
    await until('the extension is active', () => extension?.isActive);
    const input = await until('the model editor is the active tab', () => {
      const active = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
      return active instanceof vscode.TabInputCustom && active;
    });
    assert.equal(input.viewType, 'quantlens.model');
    assert.equal(input.uri.toString(), model.toString());
  });

  it('registers every command of its manifest', async () => {
    const declared: readonly { readonly command: string }[] = extension?.packageJSON.contributes.commands;
    const registered = new Set(await vscode.commands.getCommands(true));
    assert.ok(declared.length >= 10);
    assert.deepEqual(
      declared.filter(({ command }) => !registered.has(command)),
      [],
    );
  });
});
