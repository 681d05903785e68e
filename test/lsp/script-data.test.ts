/** The data of a script: lens and hover on its loader, the form they fill, the calibration reader. */
import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TextDocument } from 'vscode-languageserver-textdocument';
import {
  type CodeAction,
  type CodeLens,
  type Diagnostic,
  type Hover,
  type MarkupContent,
  TextDocumentEdit,
  type TextEdit,
} from 'vscode-languageserver-types';
import type { CalibrationPrefill } from '../../server/src/protocol/views';
import { type Opened, richCapabilities, TestClient } from './support/client';
import { residualNet, residualScript } from './support/scripts';

const capabilities = {
  ...richCapabilities,
  workspace: {
    ...richCapabilities.workspace,
    workspaceEdit: { ...richCapabilities.workspace.workspaceEdit, changeAnnotationSupport: {} },
  },
};

let client: TestClient;
beforeEach(async () => {
  client = await TestClient.start({ capabilities });
});
afterEach(() => client.stop());

const data = `
from torchvision import datasets, transforms

val_tf = transforms.Compose([
    transforms.Resize(256),
    transforms.CenterCrop(224),
    transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
])
val_loader = torch.utils.data.DataLoader(datasets.ImageFolder("photos/val", val_tf), batch_size=16)
`;
const text = `${residualScript}${data}`;

async function script(content = text, name = 'train.py'): Promise<Opened> {
  return client.open(client.write(name, content), content, 'python');
}

const isData = ({ command }: CodeLens) => /^Calibrate with this/.test(command?.title ?? '');

async function dataLens(opened: Opened): Promise<CodeLens | undefined> {
  const lenses = await client.until(
    () => client.at<CodeLens[]>('codeLens', opened),
    (list) => list.some(isData),
  );
  return lenses.find(isData);
}

function prefillIn(lens: CodeLens | undefined): [string | null, CalibrationPrefill] {
  const [model, prefill] = lens?.command?.arguments ?? [];
  return [model, prefill];
}

describe('data of a script', () => {
  it('stands on its loader with what was recognised, and fills the form for the tied model', async () => {
    client.write('small.onnx', residualNet());
    fs.mkdirSync(client.file('photos/val'), { recursive: true });
    const opened = await script();
    const lens = await dataLens(opened);
    expect(lens?.command?.title).toBe(
      'Calibrate with this data: photos/val · resize 256 · crop 224 · scale 1/255 · mean 0.485, 0.456, 0.406 · std 0.229, 0.224, 0.225',
    );
    expect(lens?.range.start.line).toBe(text.slice(0, text.indexOf('val_loader')).split('\n').length - 1);
    expect(lens?.command?.command).toBe('quantlens.calibrate');
    const [model, prefill] = prefillIn(lens);
    expect(model).toBe(client.uri('small.onnx'));
    expect(prefill).toEqual({
      from: 'train.py',
      source: client.file('photos/val'),
      resize: 256,
      crop: 224,
      layout: 'nchw',
      scale: '1/255',
      mean: '0.485, 0.456, 0.406',
      std: '0.229, 0.224, 0.225',
      notes: [],
    });
  });

  it('names what it could not tell: a folder that is not there, without a model', async () => {
    const [model, prefill] = prefillIn(await dataLens(await script()));
    expect(model).toBeNull();
    expect(prefill.source).toBeUndefined();
    expect(prefill.notes).toEqual(['photos/val is not there: choose the data.']);
  });

  it('finds the folder from a script one level below', async () => {
    fs.mkdirSync(client.file('photos/val'), { recursive: true });
    fs.mkdirSync(client.file('src'));
    const [, prefill] = prefillIn(await dataLens(await script(text, 'src/train.py')));
    expect(prefill.source).toBe(client.file('photos/val'));
  });

  it('is offered in Restricted Mode too: filling in a form runs nothing', async () => {
    await client.stop();
    client = await TestClient.start({ capabilities, options: { trusted: false } });
    expect(await dataLens(await script())).toBeDefined();
  });

  it('has a switch of its own', async () => {
    await client.stop();
    client = await TestClient.start({ capabilities, settings: { codeLens: { data: false } } });
    client.write('small.onnx', residualNet());
    const opened = await script();
    const lenses = await client.until(
      () => client.at<CodeLens[]>('codeLens', opened),
      (list) => list.length > 0 && !list.some(isData),
    );
    expect(lenses.some(({ command }) => command?.title.startsWith('small.onnx'))).toBe(true);
  });

  it('is told in a hover on the transform, doubts included', async () => {
    const squashed = text.replace('Resize(256)', 'Resize((256, 256))');
    const opened = await script(squashed);
    const at = squashed.indexOf('Compose');
    const hover = await client.until(
      () => client.at<Hover | null>('hover', opened, at),
      (one) => one !== null,
    );
    const { value } = (hover as Hover).contents as MarkupContent;
    expect(value).toContain('**Calibration data** · photos/val · batches of 16');
    expect(value).toContain('| crop | 224 |');
    expect(value).toContain('Pictures are squashed to 256 × 256');
  });

  it('is offered as a reader, which waits for confirmation and is offered once', async () => {
    client.write('small.onnx', residualNet());
    const opened = await script();
    await dataLens(opened);
    const at = text.indexOf('DataLoader(');
    const read = () => client.at<CodeAction[]>('codeAction', opened, at, { context: { diagnostics: [] } });
    const actions = await client.until(read, (list) => list.some(isReader));
    const { edit } = actions.find(isReader) ?? {};
    const label = 'Generate calibration reader for onnxruntime';
    expect(edit?.changeAnnotations).toEqual({
      generated: { label, needsConfirmation: false },
      asking: { label, needsConfirmation: true },
    });
    const [change] = edit?.documentChanges ?? [];
    const edits: TextEdit[] = change && TextDocumentEdit.is(change) ? (change.edits as TextEdit[]) : [];
    const written = TextDocument.applyEdits(TextDocument.create(opened.uri, 'python', 0, text), edits);
    expect(written).toContain('from onnxruntime.quantization import CalibrationDataReader\n');
    expect(written).toContain('def __init__(self, loader=val_loader, input_name="input", samples=128):');

    const again = await script(written, 'again.py');
    await dataLens(again);
    const here = written.indexOf('DataLoader(');
    const offered = await client.at<CodeAction[]>('codeAction', again, here, {
      context: { diagnostics: [] },
    });
    expect(offered.some(isReader)).toBe(false);
    const report = await client.at<{ items: readonly Diagnostic[] }>('diagnostic', again);
    const before = await client.at<{ items: readonly Diagnostic[] }>('diagnostic', opened);
    expect(report.items.map(({ code }) => code)).toEqual(before.items.map(({ code }) => code));
  });

  it('is a plain edit for editors that cannot ask', async () => {
    await client.stop();
    client = await TestClient.start();
    const opened = await script();
    await dataLens(opened);
    const actions = await client.at<CodeAction[]>('codeAction', opened, text.indexOf('DataLoader('), {
      context: { diagnostics: [] },
    });
    const { edit } = actions.find(isReader) ?? {};
    expect(edit?.changes?.[opened.uri]).toHaveLength(2);
  });
});

function isReader({ title }: CodeAction): boolean {
  return title === 'Generate calibration reader for onnxruntime';
}
