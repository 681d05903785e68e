/** Language features of a recipe, and what applying it writes. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import {
  ask,
  closeEditors,
  codeOf,
  demoModel,
  demoRecipe,
  diagnosticsOf,
  hoverOf,
  inWorkspace,
  lensOf,
  placeOf,
  showText,
  textViewOf,
  until,
} from './support';

describe('recipe', () => {
  let document: vscode.TextDocument;

  /** Replaces a text of the recipe, unsaved. */
  const replace = async (old: string, by: string) => {
    const start = document.getText().indexOf(old);
    assert.ok(start >= 0, `the recipe contains ${old}`);
    const range = new vscode.Range(document.positionAt(start), document.positionAt(start + old.length));
    const edit = new vscode.WorkspaceEdit();
    edit.replace(document.uri, range, by);
    assert.ok(await vscode.workspace.applyEdit(edit));
  };
  const hints = async (): Promise<readonly string[]> => {
    const whole = new vscode.Range(0, 0, document.lineCount, 0);
    const found = (await ask<vscode.InlayHint[]>('InlayHint', document.uri, whole)) ?? [];
    return found.map(({ label }) =>
      typeof label === 'string' ? label : label.map(({ value }) => value).join(''),
    );
  };

  before(async () => {
    document = await showText(inWorkspace(demoRecipe));
    await lensOf(document, /worst weight/);
  });
  after(closeEditors);

  it('is JSON with comments, its own rules are sound, and it carries what its plan leaves open', async () => {
    assert.equal(document.languageId, 'jsonc');
    const all = await diagnosticsOf(document, 'findings', (now) => now.length > 0);
    assert.deepEqual(
      all.map((one) => codeOf(one).value),
      ['M21'],
    );
  });

  it('has a lens that tells predicted size and worst weight', async () => {
    const apply = await lensOf(document, /^Apply/);
    assert.match(
      apply.title,
      /^Apply → fashion_mobile\.int8\.onnx \(≈ \d+ kB of 281 kB, worst weight 42\.6 dB \(classifier\)\)$/,
    );
    assert.deepEqual([apply.command, apply.arguments], ['quantlens.applyRecipe', [document.uri.toString()]]);
  });

  it('hints error and bytes of each rule', async () => {
    const shown = await until('two hints', async () => {
      const all = await hints();
      return all.length === 2 && all;
    });
    assert.match(shown.join('\n'), /^weight ≥ 42\.6 dB · 20 layers · \d+ kB → \d+(\.\d)? kB$/m);
    assert.match(shown.join('\n'), /^1 layer · stays 576 B$/m);
  });

  it('completes layer names and patterns', async () => {
    const at = placeOf(document, '"stem"');
    const list = await until('completions', async () => {
      const found = await ask<vscode.CompletionList>('CompletionItem', document.uri, at);
      return found && found.items.length > 0 && found;
    });
    const labels = list.items.map(({ label }) => (typeof label === 'string' ? label : label.label));
    for (const expected of ['stem', 'classifier', 'blocks.3.depthwise', 'blocks.*'])
      assert.ok(labels.includes(expected), `${expected} is offered among ${labels.length}`);
    const classifier = list.items.find(({ label }) => label === 'classifier');
    assert.match(classifier?.detail ?? '', /^Gemm 10×128 · int8 42\.6 dB$/);
  });

  it('completes formats', async () => {
    const at = placeOf(document, '"int8.channel"');
    const list = await ask<vscode.CompletionList>('CompletionItem', document.uri, at);
    const labels = (list?.items ?? []).map(({ label }) => (typeof label === 'string' ? label : label.label));
    for (const expected of ['int8.channel', 'int4.group32', 'int4'])
      assert.ok(
        labels.some((label) => label.replaceAll('"', '') === expected),
        `${expected} is offered among ${labels.join(' ')}`,
      );
  });

  it('hovers a rule with the table of its layer and leads to its node', async () => {
    const at = placeOf(document, '"stem"');
    assert.match(await hoverOf(document, at, /dB/), /int8\\?\.channel/);
    const locations = (await ask<vscode.Location[]>('Definition', document.uri, at)) ?? [];
    const text = textViewOf(inWorkspace(demoModel)).toString();
    const target = locations.find(({ uri }) => uri.toString() === text);
    assert.ok(target, 'the definition is in the text view');
    const view = await vscode.workspace.openTextDocument(target.uri);
    assert.match(view.lineAt(target.range.start.line).text, /"stem\.weight"/);
  });

  it('finds a rule that matches nothing, with code and documentation', async () => {
    await replace('"match": "stem"', '"match": "stemm*"');
    const all = await diagnosticsOf(document, 'R01', (now) => now.some((one) => codeOf(one).value === 'R01'));
    const finding = all.find((one) => codeOf(one).value === 'R01');
    assert.match(finding?.message ?? '', /stemm\*/);
    assert.match(document.getText(finding?.range), /stemm\*/);
    await vscode.commands.executeCommand('undo');
    await diagnosticsOf(document, 'no finding after undo', (now) =>
      now.every((one) => codeOf(one).value !== 'R01'),
    );
  });

  it('foretells a change before it is saved', async () => {
    await replace('"match": "stem", "keep": "float"', '"match": "blocks.*", "weights": "int4.channel"');
    await lensOf(document, /worst weight 18\.1 dB \(blocks\.5\.project\)/);
    await until('a hint of the new rule', async () =>
      (await hints()).some((hint) => /^weight ≥ 18\.1 dB · 18 layers · /.test(hint)),
    );
    await vscode.commands.executeCommand('undo');
    await lensOf(document, /worst weight 42\.6 dB \(classifier\)/);
  });

  it('is applied by its lens without a question and writes the file it names', async () => {
    const output = inWorkspace('fashion_mobile.int8.onnx');
    const { command, arguments: args = [] } = await lensOf(document, /^Apply/);
    await vscode.commands.executeCommand(command, ...args);
    const { size } = await vscode.workspace.fs.stat(output);
    const { size: before } = await vscode.workspace.fs.stat(inWorkspace(demoModel));
    assert.ok(size > 60_000 && size < before / 2, `${size} of ${before} bytes`);
    const view = await vscode.workspace.openTextDocument(textViewOf(output));
    assert.match(view.getText(), /DequantizeLinear/);
    assert.match(view.getText(), /QuantizeLinear/);
  });

  it('is not needed to quantize: the command takes model and scheme', async () => {
    const result = await vscode.commands.executeCommand<{
      readonly state: string;
      readonly outputPath?: string;
    }>('quantlens.quantize', inWorkspace(demoModel).toString(), 'int4');
    assert.equal(result.state, 'done');
    assert.equal(result.outputPath, inWorkspace('fashion_mobile.int4.onnx').fsPath);
    await vscode.workspace.fs.stat(vscode.Uri.file(result.outputPath));
  });
});
