/** Findings on a model's text: code, documentation, severity by setting, and fixes that write the recipe. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import {
  actionAt,
  closeEditors,
  codeOf,
  copyInto,
  demoModel,
  diagnosticsOf,
  inWorkspace,
  placeOf,
  showModelText,
} from './support';

describe('findings on a model', () => {
  let document: vscode.TextDocument;
  let model: vscode.Uri;
  let recipe: vscode.Uri;
  const has = (code: string) => (all: readonly vscode.Diagnostic[]) =>
    all.some((one) => codeOf(one).value === code);
  const exists = (uri: vscode.Uri) =>
    vscode.workspace.fs.stat(uri).then(
      () => true,
      () => false,
    );
  /** The recipe as it stands in its editor, saved or not. */
  const recipeText = async () => (await vscode.workspace.openTextDocument(recipe)).getText();

  before(async () => {
    model = await copyInto('bare', demoModel);
    recipe = inWorkspace('bare/fashion_mobile.quant.json');
    document = await showModelText(model);
  });
  after(closeEditors);

  it('names code, source, documentation and layer', async () => {
    const all = await diagnosticsOf(
      document,
      'findings M16 and M21',
      (now) => has('M16')(now) && has('M21')(now),
    );
    for (const one of all) {
      const { value, target } = codeOf(one);
      assert.equal(one.source, 'quantlens');
      const anchor = `#${value.toLowerCase()}`;
      assert.match(
        target ?? '',
        /^https:\/\/github\.com\/quantlens\/quantlens\/blob\/main\/docs\/findings\/\w+\.md#/,
      );
      assert.ok(target?.endsWith(anchor), target);
    }
    const relu6 = all.find((one) => codeOf(one).value === 'M21');
    assert.match(relu6?.message ?? '', /Clip\(0, 6\)/);
    assert.equal(relu6 && document.getText(relu6.range), 'Conv');
    assert.equal(relu6?.severity, vscode.DiagnosticSeverity.Information);
  });

  it('obeys the severity of its code', async () => {
    const settings = vscode.workspace.getConfiguration('quantlens');
    const set = (severity: object | undefined) =>
      settings.update('severity', severity, vscode.ConfigurationTarget.Workspace);
    await set({ M21: 'off', M16: 'error' });
    const changed = await diagnosticsOf(
      document,
      'no M21 and M16 as error',
      (all) => !has('M21')(all) && all.some(({ severity }) => severity === vscode.DiagnosticSeverity.Error),
    );
    assert.ok(has('M16')(changed));
    await set(undefined);
    await diagnosticsOf(document, 'M21 again', has('M21'));
  });

  it('has a preferred quick fix that creates the recipe, after which the finding is gone', async () => {
    const all = await diagnosticsOf(document, 'a finding M16', has('M16'));
    const finding = all.find((one) => codeOf(one).value === 'M16');
    assert.ok(finding);
    assert.equal(await exists(recipe), false);
    const action = await actionAt(document, finding.range, /^Use per-channel weights/);
    assert.equal(action.kind?.value, vscode.CodeActionKind.QuickFix.value);
    assert.equal(action.isPreferred, true);
    assert.ok(action.edit && (await vscode.workspace.applyEdit(action.edit)));
    const text = await recipeText();
    assert.match(text, /"model": "fashion_mobile\.onnx"/);
    assert.match(text, /"weights": "int8\.channel"/);
    await diagnosticsOf(document, 'no M16 with per-channel weights', (now) => !has('M16')(now));
  });

  it('rewrites a layer to int4 in the open recipe; undo takes it back', async () => {
    const before = await recipeText();
    const action = await actionAt(document, placeOf(document, '= Conv <'), /^Quantize to int4: stem$/);
    assert.equal(action.kind?.value, 'refactor.rewrite.quantize');
    assert.ok(action.edit && (await vscode.workspace.applyEdit(action.edit)));
    const after = await recipeText();
    assert.match(after, /"match": "stem",\s+"weights": "int4",\s+"activations": "float"/);
    await vscode.window.showTextDocument(recipe);
    await vscode.commands.executeCommand('undo');
    assert.equal(await recipeText(), before);
    await vscode.commands.executeCommand('redo');
    assert.equal(await recipeText(), after);
  });
});
