/** The editor knows the extension as its manifest says, and wakes it for a model. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import * as vscode from 'vscode';

describe('extension', () => {
  const extension = vscode.extensions.getExtension('quantlens.quantlens');

  it('is loaded by the editor', () => {
    assert.ok(extension, 'quantlens.quantlens is among the extensions');
    assert.equal(extension.packageJSON.main, './dist/client.js');
    assert.equal(extension.extensionKind, vscode.ExtensionKind.Workspace);
  });

  it('shows a model in its own editor and becomes active with it', async () => {
    const [model] = await vscode.workspace.findFiles('*.onnx');
    assert.ok(model, 'the demo has a model');
    await vscode.commands.executeCommand('vscode.open', model);
    const deadline = performance.now() + 20_000;
    while (!extension?.isActive && performance.now() < deadline) await pause(50);
    assert.ok(extension?.isActive, 'the extension is active');
    const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
    assert.ok(input instanceof vscode.TabInputCustom, 'the active tab is a custom editor');
    assert.equal(input.uri.toString(), model.toString());
  });
});
