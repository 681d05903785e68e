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
  until,
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
    const all = await diagnosticsOf(document, 'findings M16 and M21', (now) => has('M16')(now) && has('M21')(now));
    for (const one of all) {
      const { value, target } = codeOf(one);
      assert.equal(one.source, 'quantlens');
      assert.equal(target, `https://github.com/quantlens/quantlens/blob/main/docs/findings.md#${value.toLowerCase()}`);
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

  it('offers a fix that creates the recipe when there is none', async () => {
    assert.equal(await exists(recipe), false);
    const [finding] = await diagnosticsOf(document, 'a finding M16', has('M16'));
    assert.ok(finding);
    const action = await actionAt(document, placeOf(document, '= Conv <'), /^Quantize to int4: stem$/);
    assert.ok(action.kind?.value.startsWith('refactor.rewrite'));
    assert.ok(action.edit && (await vscode.workspace.applyEdit(action.edit)));
    const text = await until('the recipe has text', recipeText);
    assert.match(text, /"model": "fashion_mobile\.onnx"/);
    assert.match(text, /"match": "stem",\s+"weights": "int4",\s+"activations": "float"/);
  });

  it('fixes a finding with a preferred quick fix', async () => {
    const all = await diagnosticsOf(document, 'a finding with a fix', (now) => now.length > 0);
    const titles = new Set<string>();
    for (const finding of all) {
      const actions =
        (await vscode.commands.executeCommand<vscode.CodeAction[]>(
          'vscode.executeCodeActionProvider',
          document.uri,
          finding.range,
          'quickfix',
        )) ?? [];
      for (const { title } of actions) titles.add(`${codeOf(finding).value} ${title}`);
    }
    console.log([...titles].join('\n'));
    console.log(all.map((one) => `${codeOf(one).value} ${one.severity} ${one.message}`).join('\n'));
  });
});
