/** Scripts: a network tied to its model, findings with fixes, a notebook. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import {
  actionAt,
  ask,
  closeEditors,
  codeOf,
  demoModel,
  diagnosticsOf,
  hoverOf,
  inWorkspace,
  lensesOf,
  placeOf,
  showText,
  textViewOf,
  until,
} from './support';

const observers = `from torch.ao.quantization import MinMaxObserver, QConfig

config = QConfig(activation=MinMaxObserver(), weight=None)
`;

const has = (code: string) => (all: readonly vscode.Diagnostic[]) =>
  all.some((one) => codeOf(one).value === code);

describe('scripts', () => {
  after(closeEditors);

  it('show the figures of their layers, and lead to them', async () => {
    const document = await showText(inWorkspace('train.py'));
    await lensesOf(document, /fashion_mobile\.onnx · 21 layers · worst weight classifier: int8 42\.6 dB/);
    const stem = placeOf(document, 'self.stem');
    const hover = await hoverOf(document, stem, /\| int8 \| [^|]*\| 47\.1 dB/);
    assert.match(hover, /\*\*stem\*\* · Conv/);
    const line = document.lineAt(stem.line).range;
    const hints = await ask<vscode.InlayHint[]>('InlayHint', document.uri, line);
    assert.match(String(hints?.[0]?.label), /^int4\.channel 21\.9 dB$/);
    const places = await ask<vscode.Location[]>('Definition', document.uri, stem);
    const view = textViewOf(inWorkspace(demoModel)).toString();
    assert.ok(places?.some(({ uri }) => uri.toString() === view));
    await actionAt(document, stem, /^Quantize to int4: stem$/);
  });

  it('have findings with fixes, which leave nothing to find', async () => {
    const uri = inWorkspace('observers.py');
    await vscode.workspace.fs.writeFile(uri, Buffer.from(observers));
    const document = await showText(uri);
    const all = await diagnosticsOf(document, 'S10', has('S10'));
    const finding = all.find((one) => codeOf(one).value === 'S10');
    assert.ok(finding);
    assert.equal(document.getText(finding.range), 'MinMaxObserver()');
    const moved = all.find((one) => codeOf(one).value === 'S24');
    assert.deepEqual(moved?.tags, [vscode.DiagnosticTag.Deprecated]);
    await actionAt(document, finding.range, /^Ignore S10 here$/);
    const fix = await actionAt(document, finding.range, /^Pass the class$/);
    assert.ok(fix.edit);
    await vscode.workspace.applyEdit(fix.edit);
    await diagnosticsOf(document, 'no S10', (now) => !has('S10')(now));
    assert.match(document.getText(), /activation=MinMaxObserver,/);
  });

  it('are linted by a task, into the problems', async () => {
    const uri = inWorkspace('closed.py');
    await vscode.workspace.fs.writeFile(uri, Buffer.from(observers));
    const [task] = await vscode.tasks.fetchTasks({ type: 'quantlens' });
    assert.ok(task);
    await vscode.tasks.executeTask(task);
    const found = await until('the problems of the task', () => {
      const all = vscode.languages.getDiagnostics(uri);
      return all.some((one) => codeOf(one).value === 'S10') && all;
    });
    const severities = found.map((one) => `${codeOf(one).value} ${vscode.DiagnosticSeverity[one.severity]}`);
    assert.deepEqual(severities.sort(), ['S10 Error', 'S24 Warning']);
  });

  it('are the cells of a notebook', async () => {
    const [imports = '', ...rest] = observers.split('\n\n');
    const cell = (text: string) => new vscode.NotebookCellData(vscode.NotebookCellKind.Code, text, 'python');
    const notebook = await vscode.workspace.openNotebookDocument(
      'jupyter-notebook',
      new vscode.NotebookData([cell(imports), cell(rest.join('\n\n'))]),
    );
    await vscode.window.showNotebookDocument(notebook);
    const second = notebook.cellAt(1).document;
    const all = await diagnosticsOf(second, 'S10 in a cell', has('S10'));
    const finding = all.find((one) => codeOf(one).value === 'S10');
    assert.equal(finding && second.getText(finding.range), 'MinMaxObserver()');
  });
});
