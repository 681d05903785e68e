/** Recipes: diagnostics with spans, completion, hover, hints, the Apply lens, and the way to the text view. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type {
  CodeLens,
  CompletionItem,
  Diagnostic,
  Hover,
  InlayHint,
  Location,
  MarkupContent,
  TextEdit,
} from 'vscode-languageserver-types';
import type { QuantizeResult } from '../../server/src/protocol/views';
import { convNet } from '../fixtures/build';
import { covered, type Opened, TestClient } from './support/client';

let client: TestClient;
/** The same server without a schema on the client's side. */
let plain: TestClient;
let count = 0;
beforeAll(async () => {
  client = await TestClient.start({ options: { trusted: true, recipeSchema: true } });
  plain = await TestClient.start({ options: null });
  for (const one of [client, plain]) {
    one.write('net.onnx', convNet());
    await one.measured('net.onnx');
  }
});
afterAll(() => Promise.all([client.stop(), plain.stop()]));

/** Opens a recipe of its own name; `‸` marks the place asked about. */
async function recipe(text: string, by = client): Promise<Opened & { readonly at: number }> {
  const at = text.indexOf('‸');
  const opened = await by.openRecipe(`r${++count}.quant.json`, text.replace('‸', ''));
  return { ...opened, at };
}

describe('diagnostics', () => {
  it.each([
    [
      '[{ "match": "conv9", "weights": "int8" }]',
      'R01',
      '"conv9"',
      /matches no layer\. Did you mean "conv[12]"\?/,
    ],
    [
      '[{ "match": "conv1", "weights": "int8" }, { "match": "conv*", "keep": "float" }]',
      'R03',
      '"conv1"',
      /decided by the later rule "conv\*"/,
    ],
    ['[{ "match": "conv1", "weights": "fp8" }]', 'recipe-value', '"fp8"', /./],
    [
      '[{ "match": "conv1", "weights": "int8.chanel" }]',
      'recipe-value',
      '"int8.chanel"',
      /Did you mean "int8\.channel"\?/,
    ],
    ['[{ "match": "conv1", "wieghts": "int8" }]', 'recipe-value', '"wieghts"', /unknown key/],
  ])('%s', async (layers, code, word, message) => {
    const opened = await recipe(`{ "model": "net.onnx", "layers": ${layers} }`);
    const { items } = await client.at<{ items: Diagnostic[] }>('diagnostic', opened);
    const found = items.find((one) => one.code === code);
    expect(found?.message, JSON.stringify(items)).toMatch(message);
    expect(covered(opened.text, found?.range ?? nowhere)).toBe(word);
  });

  it('a missing model stands on its path, whatever the path is', async () => {
    for (const model of ['gone.onnx', 'a\\u0000b', '.', '../../../../../../etc/shadow']) {
      const opened = await recipe(`{ "model": "${model}" }`);
      const { items } = await client.at<{ items: Diagnostic[] }>('diagnostic', opened);
      expect(items.length, model).toBeGreaterThan(0);
      expect(covered(opened.text, items[0]?.range ?? nowhere)).toBe(`"${model}"`);
      expect(await client.at<CodeLens[]>('codeLens', opened)).toHaveLength(1);
    }
  });

  it('rules are set by their severity too', async () => {
    const opened = await recipe(
      '{ "model": "net.onnx", "layers": [{ "match": "conv9", "weights": "int8" }] }',
    );
    await client.configure({ severity: { R01: 'off' } });
    await client.until(
      () => client.at<{ items: Diagnostic[] }>('diagnostic', opened),
      ({ items }) => items.every((one) => one.code !== 'R01'),
    );
    await client.configure({});
  });
});

describe('completion', () => {
  const labels = (items: readonly CompletionItem[]) => items.map(({ label }) => label);

  it.each([
    ['{ "model": "net.onnx", "layers": [{ "match": "‸" }] }', ['conv1', 'conv2', 'fc']],
    ['{ "model": "net.onnx", "layers": [{ "match": ‸ }] }', ['conv1', 'conv2', 'fc']],
    ['{ "model": "net.onnx", "layers": [{ "match": "co‸"', ['conv1', 'conv2', 'fc']],
    ['{ "model": "net.onnx", "layers": [{ "match": "conv1", "weights": "‸" }] }', []],
  ])('of layers beside a schema: %s', async (text, expected) => {
    const opened = await recipe(text);
    expect(labels(await client.at<CompletionItem[]>('completion', opened, opened.at))).toEqual(expected);
  });

  it.each([
    ['{ "model": "net.onnx", "layers": [{ "match": "conv1", "weights": "‸" }] }', 'int4.group32'],
    ['{ "default": { "activations": "‸" } }', 'uint8.tensor'],
    ['{ "default": { "estimator": ‸ } }', 'mse'],
    ['{ "methods": ["‸"] }', 'fold-batchnorm'],
    ['{ "target": "‸" }', 'ort-cpu'],
    ['{ "data": { "source": "‸" } }', 'none'],
    ['{ "data": { "layout": "‸" } }', 'nhwc'],
    ['{ "‸" }', 'layers'],
    ['{ "layers": [{ "‸" }] }', 'match'],
    ['{ "data": { "‸" } }', 'preset'],
  ])('of everything without one: %s', async (text, label) => {
    const opened = await recipe(text, plain);
    expect(labels(await plain.at<CompletionItem[]>('completion', opened, opened.at))).toContain(label);
  });

  it.each(['"co‸nv"', '‸', '"‸"'])('replaces what is there: %s', async (value) => {
    const opened = await recipe(
      `{ "model": "net.onnx", "layers": [{ "match": ${value}, "keep": "float" }] }`,
    );
    const items = await client.at<CompletionItem[]>('completion', opened, opened.at);
    const edit = items.find(({ label }) => label === 'fc')?.textEdit as TextEdit;
    const after = TextDocument.applyEdits(TextDocument.create('file:///r', 'jsonc', 0, opened.text), [edit]);
    expect(after).toContain('{ "match": "fc", "keep": "float" }');
  });
});

const planned =
  '{ "model": "net.onnx", "output": "out.onnx", "default": { "weights": "int8" }, "layers": [{ "match": "conv*", "weights": "int4" }, { "match": "fc", "keep": "float" }] }';

describe('what a recipe does', () => {
  it('hover on a pattern lists its layers', async () => {
    const opened = await recipe(planned.replace('"conv*"', '"co‸nv*"'));
    const hover = await client.at<Hover>('hover', opened, opened.at);
    const { value } = hover.contents as MarkupContent;
    expect(value).toMatch(/^\*\*2 layers\*\* match conv\\\*\n/);
    expect(value).toMatch(/\| conv1 \| int4\.channel \| \d+\.\d dB \| 864 B → 144 B \|/);
  });

  it('hover on a rule for one layer is the layer’s', async () => {
    const opened = await recipe(planned.replace('"fc"', '"f‸c"'));
    const hover = await client.at<Hover>('hover', opened, opened.at);
    expect((hover.contents as MarkupContent).value).toMatch(/^\*\*fc\*\* · Gemm · 10×8/);
  });

  it('inlay hints tell dB and bytes behind each rule and the default', async () => {
    const opened = await recipe(
      '{ "model": "net.onnx", "default": { "weights": "int8" }, "layers": [{ "match": "conv*", "weights": "int4" }] }',
    );
    const hints = await client.at<InlayHint[]>('inlayHint', opened, [0, opened.text.length]);
    const shown = hints.map(({ label, position }) => [
      label,
      opened.text.slice(position.character - 1, position.character),
    ]);
    expect(shown).toEqual([
      [expect.stringMatching(/^weight ≥ \d+\.\d dB · 2 layers · 1\.2 kB → 216 B$/), '}'],
      [expect.stringMatching(/^weight \d+\.\d dB · 1 layer · 320 B → 130 B$/), '}'],
    ]);
  });

  it('the lens says what Apply writes', async () => {
    const opened = await recipe(planned);
    const [apply, open] = await client.at<CodeLens[]>('codeLens', opened);
    expect(apply?.command?.title).toMatch(
      /^Apply → out\.onnx \(≈ [\d.]+ kB of 2\.6 kB, worst weight \d+\.\d dB \(conv1\)\)$/,
    );
    expect(apply?.command?.command).toBe('quantlens.applyRecipe');
    expect(apply?.command?.arguments).toEqual([opened.uri]);
    expect(open?.command?.command).toBe('quantlens.openModel');
  });

  it('nothing is offered to a file whose layers are all stored quantized', async () => {
    const result = await client.request<QuantizeResult>('quantlens/quantize', {
      jobId: 'stored',
      modelUri: client.uri('net.onnx'),
      scheme: 'int8',
    });
    expect(result).toMatchObject({ state: 'done' });
    client.write('net.int8.quant.json', planned.replace('net.onnx', 'net.int8.onnx'));
    const page = await client.measured('net.int8.onnx');
    expect(page.recipeUri).toBe(client.uri('net.int8.quant.json'));
    expect([page.plannedBytes, ...page.layers.map((row) => row.planned)]).toEqual(Array(4).fill(undefined));
    const opened = await recipe(planned.replace('net.onnx', 'net.int8.onnx'));
    const lenses = await client.at<CodeLens[]>('codeLens', opened);
    expect(lenses.map(({ command }) => [command?.title, command?.command])).toEqual([
      ['Nothing to apply: every layer of the model is stored quantized already', ''],
      ['Open model', 'quantlens.openModel'],
    ]);
    expect(await client.at<InlayHint[]>('inlayHint', opened, [0, opened.text.length])).toEqual([]);
    const view = await client.at<CodeLens[]>('codeLens', await client.openView('net.int8.onnx'));
    const commands = view.map(({ command }) => command?.command);
    expect(commands).not.toContain('quantlens.calibrate');
    expect(commands).not.toContain('quantlens.quantize');
  });

  it.each([
    [planned.replace('"fc"', '"f‸c"'), 'Gemm'],
    [planned.replace('"conv*"', '"c‸onv*"'), 'Conv'],
    [planned.replace('"net.onnx"', '"net‸.onnx"'), ''],
  ])('definition leads to the text view: %s', async (text, word) => {
    const opened = await recipe(text);
    const location = await client.at<Location>('definition', opened, opened.at);
    expect(location.uri).toMatch(/^quantlens-text:.*net\.onnx\.onnxtxt\?file/);
    const { text: view } = await client.request<{ text: string }>('workspace/textDocumentContent', {
      uri: location.uri,
    });
    expect(covered(view, location.range)).toBe(word);
  });
});

describe('reopening', () => {
  it('versions count anew', async () => {
    const opened = await recipe(
      '{ "model": "net.onnx", "layers": [{ "match": "conv9", "weights": "int8" }] }',
    );
    const codes = async () =>
      (await client.at<{ items: Diagnostic[] }>('diagnostic', opened)).items.map(({ code }) => code);
    expect(await codes()).toContain('R01');
    await client.close(opened.uri);
    await client.open(opened.uri, '{ "model": "net.onnx" }', 'jsonc');
    expect(await codes()).not.toContain('R01');
  });
});

const nowhere = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
