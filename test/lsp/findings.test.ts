/** Diagnostics and quick fixes: each finding where it belongs, each fix as an edit of the recipe. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TextDocument } from 'vscode-languageserver-textdocument';
import {
  type CodeAction,
  type Diagnostic,
  DiagnosticSeverity,
  type TextEdit,
} from 'vscode-languageserver-types';
import { parseRecipe } from '../../server/src/engine/format/recipe';
import { convNet, model, node, tensor, valueInfo } from '../fixtures/build';
import { covered, type Opened, offsetAt, richCapabilities, TestClient } from './support/client';
import { faultyNet } from './support/models';

let client: TestClient;
beforeEach(async () => {
  client = await TestClient.start();
});
afterEach(() => client.stop());

interface Report {
  readonly kind: string;
  readonly resultId?: string;
  readonly items: readonly Diagnostic[];
}

async function diagnosed(opened: Opened): Promise<readonly Diagnostic[]> {
  return (await client.at<Report>('diagnostic', opened)).items;
}

async function opened(name: string, net: Parameters<TestClient['write']>[1]): Promise<Opened> {
  client.write(name, net);
  const view = await client.openView(name);
  await client.measured(name);
  return view;
}

async function actionsAt(
  view: Opened,
  offset: number,
  diagnostics: readonly Diagnostic[] = [],
  only?: readonly string[],
): Promise<CodeAction[]> {
  return client.at<CodeAction[]>('codeAction', view, offset, { context: { diagnostics, only } });
}

/** The recipe's text after an action, as an editor would apply it. */
function applied(action: CodeAction | undefined, text = ''): string {
  const changes = action?.edit?.documentChanges ?? [];
  const edits = changes.flatMap((change) => ('edits' in change ? (change.edits as TextEdit[]) : []));
  return TextDocument.applyEdits(TextDocument.create('file:///r', 'jsonc', 0, text), edits);
}

describe('findings', () => {
  it('stand on their layers with code, documentation, weight and fixes', async () => {
    const view = await opened('faulty.onnx', faultyNet());
    const items = await diagnosed(view);
    const shown = items.map((one) => [one.code, covered(view.text, one.range), one.severity]);
    expect(shown).toEqual([
      ['M01', 'Conv', DiagnosticSeverity.Information],
      ['M13', 'Conv', DiagnosticSeverity.Information],
      ['M21', expect.any(String), DiagnosticSeverity.Information],
    ]);
    const [wide] = items;
    expect(wide?.message).toMatch(
      /^wide: if weights had one scale per tensor, int8 would lose \d\.\d bits: channel 0 is \d+(\.\d)?× the median channel\. Per-channel weights, the default of a recipe, make it \d+\.\d dB → \d+\.\d dB \(measured on the weight\)\.$/,
    );
    expect(wide?.source).toBe('quantlens');
    expect(wide?.codeDescription?.href).toMatch(/docs\/findings\/weights\.md#m01$/);
    expect(wide?.data).toEqual({ layer: 'wide', fixes: ['per-channel-weights'] });
    const related = wide?.relatedInformation ?? [];
    expect(related.map(({ location }) => covered(view.text, location.range))).toEqual(['"wide.weight"']);
  });

  it('take severities from settings, at once', async () => {
    const view = await opened('faulty.onnx', faultyNet());
    await client.configure({ severity: { M01: 'error', M13: 'off', M21: 'nonsense' } });
    const items = await client.until(
      () => diagnosed(view),
      (all) => all.length === 2,
    );
    expect(items.map((one) => [one.code, one.severity])).toEqual([
      ['M01', DiagnosticSeverity.Error],
      ['M21', DiagnosticSeverity.Information],
    ]);
  });

  it('follow the recipe beside the model', async () => {
    const view = await opened('faulty.onnx', faultyNet());
    const plan = (weights: string, rules = '') =>
      `{ "model": "faulty.onnx", "default": { "weights": "${weights}" }, "layers": [${rules}] }`;
    const recipe = await client.openRecipe('faulty.quant.json', plan('int8.channel'));
    expect((await diagnosed(view)).map((one) => one.code)).not.toContain('M01');
    await client.change(recipe.uri, plan('int8.tensor', '{ "match": "fc", "weights": "int4" }'));
    const items = await diagnosed(view);
    expect(items.map((one) => [one.code, one.severity])).toContainEqual(['M01', DiagnosticSeverity.Warning]);
    const last = items.find((one) => one.code === 'M17');
    expect(last?.message).toMatch(/^fc: the last layer is planned with 4 bits/);
  });

  it('M16 is about the graph', async () => {
    const view = await opened('net.onnx', convNet());
    const [only, ...others] = await diagnosed(view);
    expect(others).toEqual([]);
    expect([only?.code, covered(view.text, only?.range ?? nowhere)]).toEqual(['M16', 'conv_net']);
  });

  it('unreadable numbers stand on their tensor', async () => {
    const weight = tensor(
      'fc.weight',
      [4, 4],
      Array.from({ length: 16 }, (_, index) => (index === 5 ? Number.NaN : index)),
    );
    const net = model({
      inputs: [valueInfo('x', ['N', 4])],
      outputs: [valueInfo('y', ['N', 4])],
      initializers: [weight],
      nodes: [node('MatMul', ['x', 'fc.weight'], ['y'])],
    });
    const view = await opened('nan.onnx', net);
    const found = (await diagnosed(view)).find((one) => one.code === 'tensor-not-finite');
    expect(covered(view.text, found?.range ?? nowhere)).toBe('"fc.weight"');
  });

  it('answer unchanged when nothing changed', async () => {
    const view = await opened('net.onnx', convNet());
    const first = await client.at<Report>('diagnostic', view);
    const again = await client.at<Report>('diagnostic', view, 0, { previousResultId: first.resultId });
    expect(again).toEqual({ kind: 'unchanged', resultId: first.resultId });
    await client.configure({ severity: { M16: 'hint' } });
    const later = await client.until(
      () => client.at<Report>('diagnostic', view, 0, { previousResultId: first.resultId }),
      ({ kind }) => kind === 'full',
    );
    expect(later.items[0]?.severity).toBe(DiagnosticSeverity.Hint);
  });
});

describe('text files', () => {
  it('show syntax errors where they are, and go on', async () => {
    const text =
      '<ir_version: 8, opset_import: ["" : 17]>\ng (float[N,4] x) => (float[N,4] y) {\n  y = Relu (x\n}\n';
    const uri = client.write('bad.onnxtxt', text);
    const document = await client.open(uri, text, 'onnxtxt');
    const [first] = await diagnosed(document);
    expect(first?.code).toBe('text-syntax');
    expect(first?.severity).toBe(DiagnosticSeverity.Error);
    expect(offsetAt(text, first?.range.start ?? nowhere.start)).toBeGreaterThan(text.indexOf('Relu'));
    await client.change(uri, text.replace('(x\n', '(x)\n'));
    expect((await diagnosed(document)).filter((one) => one.code === 'text-syntax')).toEqual([]);
  });

  it('untitled ones have syntax but no model', async () => {
    const text = 'g (float[4] x) => (float[4] y) { y = Relu (x) }';
    const document = await client.open('untitled:Untitled-1', text, 'onnxtxt');
    expect(await diagnosed(document)).toEqual([]);
    expect(await client.at('codeLens', document)).toEqual([]);
    expect(await client.at('documentSymbol', document)).toHaveLength(1);
  });
});

describe('quick fixes', () => {
  it('create the recipe when there is none', async () => {
    const view = await opened('faulty.onnx', faultyNet());
    const [wide] = await diagnosed(view);
    const actions = await actionsAt(view, view.text.indexOf('Conv <'), wide ? [wide] : []);
    expect(actions.map(({ title, kind, isPreferred }) => [title, kind, isPreferred])).toEqual([
      ['Use per-channel weights: wide', 'quickfix', true],
      ['Quantize to int4: wide', 'refactor.rewrite.quantize', undefined],
      ['Quantize to int8: wide', 'refactor.rewrite.quantize', undefined],
      ['Keep in float: wide', 'refactor.rewrite.quantize', undefined],
    ]);
    const uri = client.uri('faulty.quant.json');
    expect(actions[0]?.edit?.documentChanges?.[0]).toEqual({
      kind: 'create',
      uri,
      options: { ignoreIfExists: true },
    });
    const { recipe, issues } = parseRecipe(applied(actions[3]));
    expect(issues).toEqual([]);
    expect(recipe?.model).toBe('faulty.onnx');
    expect(recipe?.layers).toEqual([{ match: 'wide', keep: 'float' }]);
  });

  it('edit an open recipe at its version and keep comments', async () => {
    const view = await opened('net.onnx', convNet());
    const text =
      '{\n  "model": "net.onnx", // mine\n  "layers": [\n    { "match": "conv1", "weights": "int8" } // first\n  ]\n}\n';
    const recipe = await client.openRecipe('net.quant.json', text);
    const typed = text.replace('mine', 'mine, unsaved');
    await client.change(recipe.uri, typed);
    const actions = await actionsAt(view, view.text.indexOf('Gemm <'));
    const change = actions.find(({ title }) => title === 'Quantize to int4: fc');
    expect(change?.edit?.documentChanges?.[0]).toMatchObject({
      textDocument: { uri: recipe.uri, version: 2 },
    });
    const after = applied(change, typed);
    expect(after).toContain('// mine, unsaved');
    expect(after).toContain('// first');
    expect(parseRecipe(after).recipe?.layers).toEqual([
      { match: 'conv1', weights: 'int8' },
      { match: 'fc', weights: 'int4', activations: 'float' },
    ]);
  });

  it('edit the recipe at hand, not the one beside the model', async () => {
    client.write('faulty.onnx', faultyNet());
    const text =
      '{ "model": "faulty.onnx", "default": { "weights": "int8.tensor" }, "layers": [{ "match": "wide", "weights": "int8.tensor" }] }';
    const recipe = await client.openRecipe('second.quant.json', text);
    await client.measured('faulty.onnx');
    const found = (await diagnosed(recipe)).find((one) => one.code === 'M01');
    expect(covered(text, found?.range ?? nowhere)).toBe('"wide"');
    expect(found?.relatedInformation?.[0]?.location.uri).toContain('quantlens-text:');
    const actions = await actionsAt(recipe, text.indexOf('"wide"'), found ? [found] : []);
    const fix = actions.find(({ isPreferred }) => isPreferred);
    expect(fix?.edit?.documentChanges?.[0]).toMatchObject({ textDocument: { uri: recipe.uri, version: 1 } });
    expect(parseRecipe(applied(fix, text)).recipe?.layers).toEqual([
      { match: 'wide', weights: 'int8.channel' },
    ]);
  });

  it('are disabled with a reason while the recipe is broken', async () => {
    const view = await opened('net.onnx', convNet());
    await client.openRecipe('net.quant.json', '{ "model": "net.onnx", ');
    const actions = await actionsAt(view, view.text.indexOf('Gemm <'));
    expect(actions.length).toBeGreaterThan(0);
    expect(actions.every(({ disabled, edit }) => disabled !== undefined && edit === undefined)).toBe(true);
  });

  it('offer no change that changes nothing', async () => {
    const view = await opened('net.onnx', convNet());
    await client.openRecipe(
      'net.quant.json',
      '{ "model": "net.onnx", "layers": [{ "match": "fc", "keep": "float" }] }',
    );
    const titles = (await actionsAt(view, view.text.indexOf('Gemm <'))).map(({ title }) => title);
    expect(titles).not.toContain('Keep in float: fc');
    expect(titles).toContain('Quantize to int8: fc');
  });

  it('filter by kind and ignore foreign diagnostics', async () => {
    const view = await opened('net.onnx', convNet());
    const at = view.text.indexOf('Gemm <');
    expect(await actionsAt(view, at, [], ['quickfix'])).toEqual([]);
    expect((await actionsAt(view, at, [], ['refactor'])).length).toBeGreaterThan(0);
    const foreign = { range: nowhere, message: 'x', data: { fixes: ['format-disk'], layer: 7 } };
    const kinds = (await actionsAt(view, at, [foreign])).map(({ kind }) => kind);
    expect(kinds).not.toContain('quickfix');
    expect(await actionsAt(view, view.text.indexOf('Relu ('))).toEqual([]);
  });

  it('the same edit answers the client’s own request', async () => {
    client.write('net.onnx', convNet());
    const reply = await client.request<{ recipeUri: string; edit: CodeAction['edit']; problems: string[] }>(
      'quantlens/recipeEdit',
      {
        modelUri: client.uri('net.onnx'),
        actions: [{ kind: 'quantize-int4' }, { kind: 'keep-float', layer: 'fc' }],
      },
    );
    expect(reply.recipeUri).toBe(client.uri('net.quant.json'));
    const { recipe } = parseRecipe(applied({ title: '', edit: reply.edit ?? {} }));
    expect(recipe?.default.weights).toBe('int4');
    expect(recipe?.layers).toEqual([{ match: 'fc', keep: 'float' }]);
    const refused = await client.request<{ problems: string[] }>('quantlens/recipeEdit', {
      modelUri: client.uri('weights.safetensors'),
      actions: [{ kind: 'quantize-int4' }],
    });
    expect(refused.problems[0]).toContain('Export the model to ONNX');
  });
});

describe('smaller clients', () => {
  const without = async (change: object) => {
    await client.stop();
    client = await TestClient.start({ capabilities: { ...richCapabilities, ...change } });
  };

  it('without document changes get plain changes', async () => {
    await without({ workspace: {} });
    const view = await opened('net.onnx', convNet());
    const [action] = await actionsAt(view, view.text.indexOf('Gemm <'));
    const uri = client.uri('net.quant.json');
    expect(Object.keys(action?.edit?.changes ?? {})).toEqual([uri]);
    expect(action?.edit?.documentChanges).toBeUndefined();
    expect(parseRecipe(action?.edit?.changes?.[uri]?.[0]?.newText ?? '').recipe?.layers).toHaveLength(1);
  });

  it('without disabled actions get none', async () => {
    await without({ textDocument: { diagnostic: {} } });
    const view = await opened('net.onnx', convNet());
    await client.openRecipe('net.quant.json', '{ "model": ');
    expect(await actionsAt(view, view.text.indexOf('Gemm <'))).toEqual([]);
    expect((await diagnosed(view)).every((one) => one.relatedInformation === undefined)).toBe(true);
  });

  it('without pulling are sent diagnostics, and none after closing', async () => {
    await without({ textDocument: {} });
    expect(client.initialized.capabilities.diagnosticProvider).toBeUndefined();
    const view = await opened('net.onnx', convNet());
    type Pushed = { uri: string; version?: number; diagnostics: Diagnostic[] };
    const pushed = await client.heardOf<Pushed>(
      'textDocument/publishDiagnostics',
      ({ uri, diagnostics }) => uri === view.uri && diagnostics.length > 0,
    );
    expect(pushed.diagnostics.map(({ code }) => code)).toEqual(['M16']);
    const since = client.said.length;
    await client.close(view.uri);
    const cleared = await client.heardOf<Pushed>('textDocument/publishDiagnostics', () => true, since);
    expect(cleared).toEqual({ uri: view.uri, diagnostics: [] });
  });

  it('without markdown get plain text', async () => {
    await without({ textDocument: {} });
    const view = await opened('net.onnx', convNet());
    const hover = await client.at<{ contents: { kind: string; value: string } }>(
      'hover',
      view,
      view.text.indexOf('Conv <'),
    );
    expect(hover.contents.kind).toBe('plaintext');
    expect(hover.contents.value).toMatch(/^conv1 · Conv · 8×3×3×3\n/);
    expect(hover.contents.value).not.toMatch(/command:|\\|\*\*|---/);
  });
});

const nowhere = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
