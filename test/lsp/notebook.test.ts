/** Notebooks: the cells are one program, each shows what stands in it. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type {
  CodeAction,
  CodeLens,
  Diagnostic,
  Hover,
  MarkupContent,
  TextEdit,
} from 'vscode-languageserver-types';
import { covered, type Opened, positionAt, richCapabilities, TestClient } from './support/client';
import { residualNet, residualScript } from './support/scripts';

let client: TestClient;
beforeEach(async () => {
  const capabilities = {
    ...richCapabilities,
    notebookDocument: { synchronization: { dynamicRegistration: true } },
  };
  client = await TestClient.start({ capabilities });
});
afterEach(() => client.stop());

const cellUri = (index: number) =>
  `${client.uri('book.ipynb').replace(/^file:/, 'vscode-notebook-cell:')}#cell${index}`;

/** Opens a notebook of cells; those that begin with a number sign and a blank are markdown. */
async function notebook(...texts: readonly string[]): Promise<readonly Opened[]> {
  const cells = texts.map((text, index) => ({ text, uri: cellUri(index), isCode: !text.startsWith('# ') }));
  await client.notify('notebookDocument/didOpen', {
    notebookDocument: {
      uri: client.uri('book.ipynb'),
      notebookType: 'jupyter-notebook',
      version: 1,
      cells: cells.map(({ uri, isCode }) => ({ kind: isCode ? 2 : 1, document: uri })),
    },
    cellTextDocuments: cells
      .filter(({ isCode }) => isCode)
      .map(({ uri, text }) => ({ uri, languageId: 'python', version: 1, text })),
  });
  return cells.filter(({ isCode }) => isCode).map(({ uri, text }) => ({ uri, text }));
}

async function found(cell: Opened): Promise<readonly string[]> {
  const { items } = await client.at<{ items: readonly Diagnostic[] }>('diagnostic', cell);
  return items.map((one) => `${one.code}: ${covered(cell.text, one.range)}`);
}

const imports = '%pip install torch\nfrom torch.ao.quantization import MinMaxObserver, QConfig';
const use = 'x = 1\nconfig = QConfig(activation=MinMaxObserver(), weight=1)';

it('reads names of earlier cells, and tells each cell its own findings', async () => {
  const [first, second] = await notebook(imports, '# A heading', use);
  if (!first || !second) throw new Error('two cells of code were opened');
  expect(await found(first)).toEqual([]);
  expect(await found(second)).toContain('S10: MinMaxObserver()');
});

it('follows cells that change, come and go', async () => {
  const [first, second] = await notebook(imports, use);
  if (!first || !second) throw new Error('two cells were opened');
  expect(await found(second)).not.toEqual([]);
  const change = (version: number, cells: object) =>
    client.notify('notebookDocument/didChange', {
      notebookDocument: { uri: client.uri('book.ipynb'), version },
      change: { cells },
    });
  const range = { start: positionAt(imports, 0), end: positionAt(imports, imports.length) };
  await change(2, {
    textContent: [{ document: { uri: first.uri, version: 2 }, changes: [{ range, text: 'import torch' }] }],
  });
  expect(await found(second)).toEqual([]);
  const fresh = { uri: cellUri(7), languageId: 'python', version: 1, text: imports };
  await change(3, {
    structure: {
      array: { start: 1, deleteCount: 0, cells: [{ kind: 2, document: fresh.uri }] },
      didOpen: [fresh],
    },
  });
  expect(await found(second)).toContain('S10: MinMaxObserver()');
  await change(4, {
    structure: { array: { start: 1, deleteCount: 1 }, didClose: [{ uri: fresh.uri }] },
  });
  expect(await found(second)).toEqual([]);
});

it('edits the cell that a finding stands in', async () => {
  const [, second] = await notebook(imports, use);
  if (!second) throw new Error('two cells were opened');
  const { items } = await client.at<{ items: readonly Diagnostic[] }>('diagnostic', second);
  const diagnostics = items.filter(({ code }) => code === 'S10');
  const actions = await client.at<CodeAction[]>('codeAction', second, 0, { context: { diagnostics } });
  const edits = (title: string): readonly (readonly [string, TextEdit[]])[] =>
    Object.entries(actions.find((one) => one.title === title)?.edit?.changes ?? {});
  const [[uri, [edit]] = [undefined, []]] = edits('Ignore S10 here');
  expect(uri).toBe(second.uri);
  expect(edit?.range.start).toEqual(positionAt(use, use.length));
  const [[top, [inFile]] = [undefined, []]] = edits('Ignore S10 in this file');
  expect(top).toBe(second.uri);
  expect(inFile?.range.start).toEqual({ line: 0, character: 0 });
});

it('shows the layers of a model in its cells', async () => {
  client.write('small.onnx', residualNet());
  const at = residualScript.indexOf('class Residual');
  const [, second] = await notebook(residualScript.slice(0, at), residualScript.slice(at));
  if (!second) throw new Error('two cells were opened');
  await client.at('codeLens', second);
  await client.measured('small.onnx');
  const place = second.text.indexOf('nn.Linear');
  const hover = await client.at<Hover | null>('hover', second, place);
  expect((hover?.contents as MarkupContent | undefined)?.value).toMatch(/^\| int8 \| .* dB/m);
  expect(covered(second.text, hover?.range ?? { start: positionAt('', 0), end: positionAt('', 0) })).toBe(
    'nn.Linear(16, classes)',
  );
});

it('ends with the notebook', async () => {
  const [, second] = await notebook(imports, use);
  if (!second) throw new Error('two cells were opened');
  await client.notify('notebookDocument/didClose', {
    notebookDocument: { uri: client.uri('book.ipynb') },
    cellTextDocuments: [{ uri: cellUri(0) }, { uri: cellUri(1) }],
  });
  expect(await found(second)).toEqual([]);
});

it('offers the data of one cell and writes its reader there, its imports behind those of the first', async () => {
  const cells = await notebook(
    '%matplotlib inline\nimport torch\nfrom torchvision import datasets, transforms',
    "tf = transforms.Compose([transforms.Resize(40), transforms.ToTensor()])\nval_loader = torch.utils.data.DataLoader(datasets.ImageFolder('val', tf))",
    'print(len(val_loader))',
  );
  const [first, second, third] = cells;
  if (!first || !second || !third) throw new Error('three cells were opened');
  const lenses = await client.until(
    () => client.at<CodeLens[]>('codeLens', second),
    (list) => list.length > 0,
  );
  expect(lenses[0]?.command?.title).toBe('Calibrate with this data: val · resize 40 · scale 1/255');
  expect(await client.at<CodeLens[]>('codeLens', third)).toEqual([]);
  const actions = await client.at<CodeAction[]>('codeAction', second, second.text.indexOf('DataLoader('), {
    context: { diagnostics: [] },
  });
  const changes =
    actions.find(({ title }) => title.startsWith('Generate calibration reader'))?.edit?.changes ?? {};
  const line = ([edit]: TextEdit[] = []) => edit && [edit.range.start, edit.newText.trim().split('\n')[0]];
  expect(line(changes[first.uri])).toEqual([positionAt(first.text, first.text.length), 'import numpy as np']);
  expect(line(changes[second.uri])?.[0]).toEqual(positionAt(second.text, second.text.length));
  expect(changes[third.uri]).toBeUndefined();
});
