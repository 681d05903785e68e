/** Python scripts and notebooks: findings, fixes, comments that silence, and the layers that lines make. */
import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TextDocument } from 'vscode-languageserver-textdocument';
import {
  type CodeAction,
  type CodeLens,
  type Diagnostic,
  DiagnosticSeverity,
  DiagnosticTag,
  type InlayHint,
  type Location,
  type TextEdit,
  type WorkspaceEdit,
} from 'vscode-languageserver-types';
import { type ScriptModelsReply, scriptModelsRequest } from '../../server/src/protocol/lsp-ext';
import type { ModelView } from '../../server/src/protocol/views';
import { decibels } from '../../server/src/rules/numbers';
import { scriptExamples } from '../../server/src/rules/script/examples';
import { covered, type Opened, offsetAt, positionAt, richCapabilities, TestClient } from './support/client';
import { faultyNet } from './support/models';
import { at, hoverOn } from './support/places';
import { residualLayers, residualNet, residualScript } from './support/scripts';

let client: TestClient;
beforeEach(async () => {
  client = await TestClient.start();
});
afterEach(() => client.stop());

interface Report {
  readonly kind: string;
  readonly items: readonly Diagnostic[];
}

async function diagnosed(opened: Opened): Promise<readonly Diagnostic[]> {
  return (await client.at<Report>('diagnostic', opened)).items;
}

async function script(text: string, name = 'script.py'): Promise<Opened> {
  return client.open(client.write(name, text), text, 'python');
}

/** Findings as `code: what they stand on`. */
async function found(opened: Opened): Promise<readonly string[]> {
  return (await diagnosed(opened)).map((one) => `${one.code}: ${covered(opened.text, one.range)}`);
}

/** Actions on the finding of a code. */
async function actionsOn(opened: Opened, code: string, only?: readonly string[]): Promise<CodeAction[]> {
  const diagnostics = (await diagnosed(opened)).filter((one) => one.code === code);
  const at = offsetAt(opened.text, diagnostics[0]?.range.start ?? { line: 0, character: 0 });
  return client.at<CodeAction[]>('codeAction', opened, at, { context: { diagnostics, only } });
}

function applied({ uri, text }: Opened, action: CodeAction | undefined): string {
  const edits: TextEdit[] = action?.edit?.changes?.[uri] ?? [];
  return TextDocument.applyEdits(TextDocument.create(uri, 'python', 0, text), edits);
}

const observers = `import torch
from torch.ao.quantization import MinMaxObserver, QConfig

config = QConfig(activation=MinMaxObserver(), weight=MinMaxObserver())
`;

describe('findings', () => {
  it('stand on their place with code, page, severity and tag', async () => {
    const opened = await script(observers);
    expect(await found(opened)).toEqual([
      'S10: MinMaxObserver()',
      'S24: MinMaxObserver',
      'S10: MinMaxObserver()',
    ]);
    const [instance, moved] = await diagnosed(opened);
    expect(moved?.tags).toEqual([DiagnosticTag.Deprecated]);
    expect(moved?.codeDescription?.href).toMatch(/findings\/script-torch\.md#s24$/);
    expect(moved?.severity).toBe(DiagnosticSeverity.Warning);
    expect(instance?.tags).toBeUndefined();
    expect(instance?.source).toBe('quantlens');
  });

  it('follow the text, with every keystroke', async () => {
    const opened = await script(observers);
    await diagnosed(opened);
    const text = observers.replace('weight=MinMaxObserver()', 'weight=MinMaxObserver');
    const from = observers.lastIndexOf('()');
    await client.change(opened.uri, '', {
      start: positionAt(observers, from),
      end: positionAt(observers, from + 2),
    });
    expect(await found({ ...opened, text })).toEqual(['S10: MinMaxObserver()', 'S24: MinMaxObserver']);
  });

  it.each([
    ['severity', { severity: { S24: 'off', S10: 'hint' } }, ['S10 4', 'S10 4']],
    ['the switch', { script: { enabled: false } }, []],
  ])('obey %s in the settings', async (_, settings, expected) => {
    await client.stop();
    client = await TestClient.start({ settings });
    const opened = await script(observers);
    const shown = async () => (await diagnosed(opened)).map((one) => `${one.code} ${one.severity}`);
    expect(await client.until(shown, (list) => list.length === expected.length)).toEqual(expected);
  });

  it('that depend on a target wait for one', async () => {
    const { text, target } = scriptExamples.S43;
    const opened = await script(text);
    const before = await found(opened);
    expect(target).toBeDefined();
    await client.configure({ script: { target } });
    const after = await client.until(
      () => found(opened),
      (list) => list.length !== before.length,
    );
    expect(after.length).toBeGreaterThan(before.length);
  });

  it('are none where no framework is imported, and other answers are left to others', async () => {
    const opened = await script('import os\n\nclass A:\n    pass\n');
    expect(await found(opened)).toEqual([]);
    expect(await client.at('hover', opened, 5)).toBeNull();
    for (const method of ['completion', 'documentSymbol', 'foldingRange', 'semanticTokens/full'])
      expect(await client.at(method, opened)).toBeNull();
  });

  it.each([
    ['untitled', 'untitled:Untitled-1', observers],
    ['with CRLF', '', observers.replaceAll('\n', '\r\n')],
    ['broken', '', `${observers}def (:\n  x = [`],
  ])('are told of a text that is %s', async (_, uri, text) => {
    const opened = await client.open(uri || client.write('odd.py', text), text, 'python');
    expect((await found(opened)).filter((one) => one.startsWith('S10'))).toEqual([
      'S10: MinMaxObserver()',
      'S10: MinMaxObserver()',
    ]);
  });

  it('are pushed to an editor that does not pull', async () => {
    await client.stop();
    const { diagnostic: _, ...textDocument } = richCapabilities.textDocument;
    client = await TestClient.start({ capabilities: { ...richCapabilities, textDocument } });
    const { uri } = await script(observers);
    const told = await client.heardOf<{ uri: string; diagnostics: Diagnostic[] }>(
      'textDocument/publishDiagnostics',
      (params) => params.uri === uri && params.diagnostics.length > 0,
    );
    expect(told.diagnostics.map(({ code }) => code)).toEqual(['S10', 'S24', 'S10']);
  });
});

describe('actions', () => {
  it('fix what a rule can fix, the safe way first', async () => {
    const opened = await script(observers);
    const [fix, ...others] = await actionsOn(opened, 'S10');
    expect(fix?.isPreferred).toBe(true);
    expect(applied(opened, fix)).not.toBe(observers);
    expect(others.map(({ title }) => title)).toContain('Ignore S10 here');
  });

  it('fix everything that is safe when asked for the source action, and nothing otherwise', async () => {
    const opened = await script(observers);
    const [all] = await actionsOn(opened, 'S10', ['source.fixAll']);
    expect(all?.kind).toBe('source.fixAll.quantlens');
    const text = applied(opened, all);
    await client.change(opened.uri, text);
    expect(await found({ ...opened, text })).toEqual(['S24: QConfig']);
    expect(await actionsOn({ ...opened, text }, 'S24', ['source.fixAll'])).toEqual([]);
  });

  const call = 'QConfig(activation=MinMaxObserver(), weight=1)';
  it.each([
    ['the end of the line', `x = ${call}`, `x = ${call}  # quantlens: ignore[S10]`],
    [
      'a comment that is there',
      `x = ${call}  # quantlens: ignore[S24]`,
      `x = ${call}  # quantlens: ignore[S24, S10]`,
    ],
    [
      'the line above, where another comment stands',
      `if True:\n    x = ${call}  # mine`,
      `if True:\n    # quantlens: ignore[S10]\n    x = ${call}  # mine`,
    ],
    [
      'the line above, where a text goes on',
      `x = ${call}, """a\nb"""`,
      `# quantlens: ignore[S10]\nx = ${call}, """a\nb"""`,
    ],
    [
      'the line above, where the line goes on',
      `x = ${call}, \\\n  2`,
      `# quantlens: ignore[S10]\nx = ${call}, \\\n  2`,
    ],
  ])('silence a finding by %s', async (_, line, expected) => {
    const head = 'from torch.ao.quantization import MinMaxObserver, QConfig\n';
    const opened = await script(`${head}${line}\n`);
    const here = (await actionsOn(opened, 'S10')).find(({ title }) => title === 'Ignore S10 here');
    const text = applied(opened, here);
    expect(text).toBe(`${head}${expected}\n`);
    await client.change(opened.uri, text);
    expect((await found({ ...opened, text })).filter((one) => one.startsWith('S10'))).toEqual([]);
  });

  it('silence a code in the file, once below its first line', async () => {
    const opened = await script(`#!/usr/bin/env python\n${observers}`);
    const inFile = async (from: Opened, code: string) =>
      applied(
        from,
        (await actionsOn(from, code)).find(({ title }) => title === `Ignore ${code} in this file`),
      );
    const once = await inFile(opened, 'S10');
    expect(once).toBe(`#!/usr/bin/env python\n# quantlens: ignore-file[S10]\n${observers}`);
    await client.change(opened.uri, once);
    const twice = await inFile({ ...opened, text: once }, 'S24');
    expect(twice).toContain('# quantlens: ignore-file[S10, S24]\n');
    await client.change(opened.uri, twice);
    expect(await found({ ...opened, text: twice })).toEqual([]);
  });
});

/** The residual network with its model beside it, measured. */
async function tied(model = residualNet(), text = residualScript): Promise<Opened> {
  client.write('small.onnx', model);
  const opened = await script(text);
  await client.at('codeLens', opened);
  await client.heardOf<ModelView>('quantlens/modelViewChanged', ({ state }) => state === 'weights');
  return opened;
}

const hoverAt = (opened: Opened, piece: string) => hoverOn(client, opened, piece);

const rows = (markdown: string) => [...markdown.matchAll(/^\| ([\w.]+) \|/gm)].map((one) => one[1] ?? '');

const endingIn = (part: string) =>
  residualLayers.map(({ name }) => name).filter((name) => name.endsWith(part));

describe('a script with its model', () => {
  it('shows a layer where its constructor is called, with the figures of the model', async () => {
    const opened = await tied();
    const { layers } = await client.measured('small.onnx');
    const figure = layers
      .find(({ name }) => name === 'head')
      ?.cells.find(({ format }) => format === 'int8.channel');
    for (const piece of ['self.he‸ad =', 'nn.Lin‸ear']) {
      const text = await hoverAt(opened, piece);
      expect(text).toContain('**head**');
      expect(text).toMatch(new RegExp(`^\\| int8 \\| .*${decibels(figure?.db)} [✓△✗]`, 'm'));
      expect(text).toMatch(/^\| weight \| tensor \| channel \|/m);
      expect(text).not.toMatch(/\| *\|/);
      expect(text).toContain('Weights of small.onnx');
    }
  });

  it.each([
    ['self.fir‸st = ', endingIn('.first')],
    ['self.sec‸ond = ', endingIn('.second')],
    ['(nn.Con‸v2d(inputs, outputs, 1', undefined],
    ['Un‸it(inputs if', residualLayers.map(({ name }) => name).filter((name) => name.startsWith('stage'))],
    ['self.sta‸ge1 =', residualLayers.map(({ name }) => name).filter((name) => name.startsWith('stage1'))],
    ['class Res‸idual', residualLayers.map(({ name }) => name)],
    ['def sm‸all', residualLayers.map(({ name }) => name)],
  ])('shows all layers that %s makes', async (piece, expected) => {
    const text = await hoverAt(await tied(), piece);
    if (!expected) expect(text).toContain('**stage2.0.skip.0**');
    else expect([...rows(text)].filter((one) => one !== 'layer').sort()).toEqual([...expected].sort());
  });

  it('names the figures of several layers, and what was found of each', async () => {
    client.write('small.onnx', residualNet({ wide: 'stage1.0.first' }));
    const opened = await script(residualScript);
    await client.measured('small.onnx');
    const text = await hoverAt(opened, 'self.sta‸ge1 =');
    expect(text).toContain('| layer | int8.channel weight | int4.channel weight | size | findings |');
    expect(text).toMatch(/^\| stage1\.0\.first \|.*\| M01 \|$/m);
    expect(text).toMatch(/^\| stage1\.1\.first \|.*\| {2}\|$/m);
  });

  it('says nothing where no layer is made', async () => {
    expect(await hoverAt(await tied(), 'torch.relu(self.sec‸ond')).toBe('');
  });

  it('has lenses on the network, its factory and the export', async () => {
    const opened = await tied();
    const lenses = await client.at<CodeLens[]>('codeLens', opened);
    const told = lenses.map(({ range, command }) => `${covered(opened.text, range)}: ${command?.title}`);
    expect(told.filter((one) => !/Quantize|Calibrate|Insert|Other model/.test(one))).toEqual([
      expect.stringMatching(/^Residual: small\.onnx · 11 layers · worst weight \S+: int8 [\d.]+ dB$/),
      expect.stringMatching(/^small: small\.onnx · 11 layers · worst weight/),
      expect.stringMatching(/^export: small\.onnx · [\d.]+ kB · 11 layers · worst weight/),
    ]);
    expect(told.filter((one) => one.startsWith('small'))).toHaveLength(5);
    await client.configure({ codeLens: { script: false, insert: false } });
    await client.until(
      () => client.at<CodeLens[]>('codeLens', opened),
      (list) => list.length === 0,
    );
  });

  it('says of an export that its model is not there yet', async () => {
    const opened = await script(residualScript);
    const lenses = await client.at<CodeLens[]>('codeLens', opened);
    expect(lenses.map(({ command }) => command?.title)).toEqual([
      'small.onnx: not written yet',
      'Insert quantization…',
      'Insert quantization…',
    ]);
  });

  it('hints at the smallest format that is good for every layer of a line', async () => {
    const opened = await tied(residualNet({ wide: 'stage1.0.first' }));
    const hints = await client.at<InlayHint[]>('inlayHint', opened, [0, opened.text.length]);
    const { layers } = await client.measured('small.onnx');
    const worst = (format: string) =>
      Math.min(
        ...endingIn('.first').map(
          (name) =>
            layers.find((one) => one.name === name)?.cells.find((cell) => cell.format === format)?.db ?? 0,
        ),
      );
    const line = positionAt(opened.text, at(opened, 'self.first')).line;
    const hint = hints.find(({ position }) => position.line === line);
    const [format = '', figure] = String(hint?.label).split(' ');
    expect(Number(figure)).toBeGreaterThanOrEqual(20);
    expect(figure).toBe(worst(format).toFixed(1));
    expect(worst('int4.tensor')).toBeLessThan(20);
    await client.configure({ inlayHints: false });
    await client.until(
      () => client.at<InlayHint[]>('inlayHint', opened, [0, opened.text.length]),
      (list) => list.length === 0,
    );
  });

  it('shows findings on the layers of a line once, as information, and keeps them while one types', async () => {
    const opened = await tied(residualNet({ wide: 'stage1.0.first' }));
    const ofModel = async () => (await diagnosed(opened)).filter(({ code }) => code === 'M01');
    const [finding, ...more] = await client.until(ofModel, (list) => list.length > 0);
    expect(more).toEqual([]);
    expect(finding?.severity).toBe(DiagnosticSeverity.Information);
    expect(finding?.message).toMatch(/^stage1\.0\.first: /);
    expect(covered(opened.text, finding?.range ?? never)).toMatch(/^nn\.Conv2d\(inputs, outputs, kernel/);
    const text = `import os\n${opened.text}`;
    await client.change(opened.uri, text);
    const after = (await diagnosed({ ...opened, text })).filter(({ code }) => code === 'M01');
    expect(after.map(({ range }) => range.start.line)).toEqual([(finding?.range.start.line ?? 0) + 1]);
    const silent = text.replace(/(self\.first.*)/, '$1  # quantlens: ignore[M01]');
    await client.change(opened.uri, silent);
    expect((await diagnosed({ ...opened, text: silent })).filter(({ code }) => code === 'M01')).toEqual([]);
  });

  it('offers to decide about the layers of a line, in the recipe', async () => {
    const opened = await tied();
    const actions = async (piece: string) =>
      client.at<CodeAction[]>('codeAction', opened, at(opened, piece), { context: { diagnostics: [] } });
    expect((await actions('self.head =')).map(({ title }) => title)).toEqual([
      'Quantize to int4: head',
      'Quantize to int8: head',
      'Keep in float: head',
    ]);
    const [first] = await actions('self.first =');
    expect(first?.title).toBe(`Quantize to int4: ${endingIn('.first').length} layers made here`);
    const change = JSON.stringify(first?.edit);
    for (const name of endingIn('.first')) expect(change).toContain(name);
    expect(change).toContain(client.uri('small.quant.json'));
  });

  it('leads to the text and the recipe, and both lead back', async () => {
    client.write('small.quant.json', '{"model": "small.onnx", "layers": {"head": {"weights": "int8"}}}');
    const recipe = await client.open(
      client.uri('small.quant.json'),
      '{\n  "model": "small.onnx",\n  "layers": [{ "match": "head", "keep": "float" }]\n}\n',
      'jsonc',
    );
    const opened = await tied();
    const places = await client.at<Location[]>('definition', opened, at(opened, 'self.he‸ad ='));
    expect(places.map(({ uri }) => uri.replace(/:.*/, ''))).toEqual(['quantlens-text', 'file']);
    expect(covered(recipe.text, places[1]?.range ?? never)).toContain('"match": "head"');
    expect(await client.at('definition', opened, at(opened, 'nn.Lin‸ear'))).toBeNull();

    const call = 'nn.Linear(16, classes)';
    const lines = (all: readonly Location[]) =>
      all.filter(({ uri }) => uri === opened.uri).map(({ range }) => covered(opened.text, range));
    const fromRecipe = await client.at<Location[]>('definition', recipe, at(recipe, '"match": "he‸ad"'));
    expect(lines(fromRecipe)).toEqual([call]);
    const view = await client.openView('small.onnx');
    const node = at(view, 'Ge‸mm');
    expect(lines(await client.at<Location[]>('definition', view, node))).toEqual([call]);
    const context = { includeDeclaration: true };
    expect(lines(await client.at<Location[]>('references', view, node, { context }))).toEqual([call]);
    const references = await client.at<Location[]>('references', opened, at(opened, 'self.he‸ad ='), {
      context,
    });
    expect(lines(references)).toEqual([call]);
  });

  it('goes by order and shape where the weights were renamed, and says so', async () => {
    const opened = await tied(residualNet({ rename: (_, index) => `onnx::Conv_${index}` }));
    expect(await hoverAt(opened, 'nn.Lin‸ear')).toContain('tied by order and shape');
  });
});

const never = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };

describe('the choice of a model', () => {
  it('prefers what the script exports, and tells what fits as well', async () => {
    client.write('other.onnx', residualNet({ seed: 2 }));
    const opened = await tied();
    expect(await hoverAt(opened, 'nn.Lin‸ear')).toContain('Weights of small.onnx');
    client.write('third.onnx', residualNet({ seed: 3 }));
    const text = residualScript.replace('"small.onnx"', 'name');
    const unsure = await script(text, 'unsure.py');
    expect(await hoverAt(unsure, 'nn.Lin‸ear')).toContain('also fits small.onnx, third.onnx');
    const choices = await client.at<CodeAction[]>('codeAction', unsure, at(unsure, 'nn.Lin‸ear'), {
      context: { diagnostics: [], only: ['refactor.rewrite.model'] },
    });
    expect(choices.map(({ title }) => title)).toEqual(
      ['other', 'small', 'third'].map((name) => `This script is about ${name}.onnx`),
    );
    const chosen = applied(unsure, choices[2]);
    await client.change(unsure.uri, chosen);
    const hover = await hoverAt({ ...unsure, text: chosen }, 'nn.Lin‸ear');
    expect(hover).toContain('Weights of third.onnx');
    expect(hover).not.toContain('also fits');
  });

  it('offers all models, best first, each with the comment that names it', async () => {
    client.write('other one.onnx', residualNet({ seed: 2 }));
    client.write('unlike.onnx', faultyNet());
    const opened = await tied();
    const ask = ({ uri }: Opened) =>
      client.request<ScriptModelsReply>(scriptModelsRequest, { textDocument: { uri } });
    const { models } = await ask(opened);
    expect(models.map(({ name, shown, network }) => [name, shown, network?.tied])).toEqual([
      ['small.onnx', true, 11],
      ['other one.onnx', false, 11],
      ['unlike.onnx', false, undefined],
    ]);
    const comment = '# quantlens: model="other one.onnx"';
    const named = applied(opened, { title: '', edit: models[1]?.edit as WorkspaceEdit });
    expect(named).toBe(`${comment}\n${opened.text}`);
    await client.change(opened.uri, named);
    const renamed = { ...opened, text: named };
    expect(await hoverAt(renamed, 'nn.Lin‸ear')).toContain('Weights of other one.onnx');
    const again = await ask(renamed);
    const back = again.models.find(({ name }) => name === 'small.onnx');
    expect(applied(renamed, { title: '', edit: back?.edit as WorkspaceEdit })).toBe(
      named.replace(comment, '# quantlens: model=small.onnx'),
    );
  });

  it('obeys a comment', async () => {
    client.write('small.onnx', residualNet());
    fs.mkdirSync(client.file('deep/er'), { recursive: true });
    client.write('deep/er/named.onnx', residualNet({ seed: 2 }));
    const opened = await script(`# quantlens: model=deep/er/named.onnx\n${residualScript}`);
    expect(await hoverAt(opened, 'nn.Lin‸ear')).toContain('Weights of named.onnx');
  });

  it('believes a comment for a part of a network as well', async () => {
    client.write('small.onnx', residualNet());
    const part =
      'import torch.nn as nn\n\n\nclass Part(nn.Module):\n    def __init__(self):\n' +
      '        super().__init__()\n        self.stem = nn.Conv2d(3, 8, 3, padding=1)\n';
    const opened = await script(part);
    expect(await hoverAt(opened, 'nn.Conv‸2d')).toBe('');
    const told = await script(`# quantlens: model=small.onnx\n${part}`, 'told.py');
    expect(await hoverAt(told, 'nn.Conv‸2d')).toContain('**stem**');
  });

  it('looks one folder below, and not at models of another network', async () => {
    client.write('other.onnx', faultyNet());
    const opened = await script(residualScript.replace('"small.onnx"', 'name'));
    expect(await hoverAt(opened, 'nn.Lin‸ear')).toBe('');
    fs.mkdirSync(client.file('out'));
    const uri = client.write('out/below.onnx', residualNet());
    await client.touched(1, uri);
    expect(await hoverAt(opened, 'nn.Lin‸ear')).toContain('Weights of below.onnx');
  });
});
