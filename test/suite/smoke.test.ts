/** The editor knows the extension, as its manifest says. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';

describe('extension', () => {
  it('is loaded by the editor', () => {
    const extension = vscode.extensions.getExtension('quantlens.quantlens');
    assert.ok(extension, 'quantlens.quantlens is among the extensions');
    assert.equal(extension.packageJSON.main, './dist/client.js');
    assert.equal(extension.extensionKind, vscode.ExtensionKind.Workspace);
  });
});
