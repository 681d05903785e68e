/** The text view of a binary model: every feature that answers from it, on marked places. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  CodeLens,
  DocumentSymbol,
  FoldingRange,
  Hover,
  InlayHint,
  Location,
  MarkupContent,
  SemanticTokens,
} from 'vscode-languageserver-types';
import { semanticLegend } from '../../server/src/lsp/features/semantic-tokens';
import { convNet } from '../fixtures/build';
import { plainSafetensors } from '../fixtures/weight-files';
import { covered, type Opened, positionAt, TestClient } from './support/client';
import { branchNet, hostileName, hostileNet } from './support/models';

let client: TestClient;
let view: Opened;
beforeAll(async () => {
  client = await TestClient.start();
  client.write('net.onnx', convNet());
  view = await client.openView('net.onnx');
  await client.measured('net.onnx');
});
afterAll(() => client.stop());

/** Offset of `‸` in a piece of the view's text. */
function place(piece: string, { text } = view): number {
  const before = piece.indexOf('‸');
  const at = text.indexOf(piece.replace('‸', ''));
  if (before < 0 || at < 0) throw new Error(`not in the text: ${piece}`);
  return at + before;
}

async function hoverAt(piece: string, opened = view): Promise<string> {
  const hover = await client.at<Hover | null>('hover', opened, place(piece, opened));
  return (hover?.contents as MarkupContent | undefined)?.value ?? '';
}

describe('text', () => {
  it('is the ONNX text of the model', () => {
    expect(view.text).toContain('conv_net (float[N,3,8,8] input) => (float[N,10] output)');
    expect(view.text).toContain('conv2_out = Conv <');
  });

  it.each([
    ['absent.onnx', undefined, /^# .*absent\.onnx: no such file/],
    ['broken.onnx', 'PK\u0003\u0004', /^# .*broken\.onnx: not a model but a zip archive/],
    ['cut.onnx', new Uint8Array([0x08, 0x08, 0x3a, 0xff, 0x01, 0x0a]), /^# .*cut\.onnx/],
    ['weights.safetensors', plainSafetensors(), /^# /],
  ])('says why %s has none', async (name, content, line) => {
    if (content !== undefined) client.write(name, content);
    const { uri, text } = await client.openView(name);
    expect(text).toMatch(line);
    expect(await client.at('codeLens', { uri, text })).toEqual([]);
    expect(await client.at('hover', { uri, text }, 3)).toBeNull();
  });
});

describe('hover', () => {
  it.each([
    '[conv1_out_‸Conv] conv1_out',
    'conv1_out = Co‸nv <',
    'conv1_out = Conv <kernel_shape: ints = [3, 3], pads: ints = [1, 1, 1, 1]> (input, "conv1.‸weight")',
    'float[8,3,3,3] "conv1.‸weight"',
    '(input, "conv1.weight"‸)',
  ])('tells of the layer at %s', async (piece) => {
    const text = await hoverAt(piece);
    expect(text).toMatch(
      /^\*\*conv1\*\* · Conv · 8×3×3×3\n\n216 parameters · 864 B · 13\.8 k MACs per sample · range -0\.7216 … 0\.5931\n/,
    );
    expect(text).toContain('| format | error of | SQNR | verdict | size |\n');
    for (const format of ['int8.tensor', 'int8.channel', 'int4.channel'])
      expect(text).toMatch(
        new RegExp(`\\| ${format} \\| weight \\| \\d+\\.\\d dB \\| [✓△✗] \\w+ \\| \\d+ B \\|`),
      );
    expect(text).toContain('measured on the weight');
    expect(text).toContain('not measured yet');
    expect(text).toContain('command:quantlens.editRecipe?');
  });

  it.each([
    ['float[N,3,8,8] in‸put', '**input** · float\\[N,3,8,8\\]'],
    ['float[10] "fc.b‸ias"', '**fc.bias** · float\\[10\\]'],
  ])('tells the type of %s', async (piece, text) => expect(await hoverAt(piece)).toBe(text));

  it.each(['relu1_out = Re‸lu', '   ir_ver‸sion', 'bn1_out = Batch‸Normalization', 'Conv <kernel‸_shape'])(
    'is silent at %s',
    async (piece) => expect(await hoverAt(piece)).toBe(''),
  );

  it('shows names from files as text', async () => {
    client.write('hostile.onnx', hostileNet());
    const opened = await client.openView('hostile.onnx');
    await client.measured('hostile.onnx');
    const text = await hoverAt('conv1_out = Co‸nv <', opened);
    expect(text).not.toContain('\n# h');
    expect(text).not.toMatch(/(?<!\\)<img/);
    expect(text).not.toMatch(/(?<!\\)\[x(?<!\\)\]/);
    expect(text).not.toMatch(/https:\/\//);
    expect(text.replace(/\]\([^)\s]*\)/g, ']')).not.toMatch(/(?<!\\)\$\(zap/);
    const commands = [...text.matchAll(/\]\(command:([\w.]+)\?/g)].map((match) => match[1]);
    expect(new Set(commands)).toEqual(
      new Set(['quantlens.editRecipe', 'quantlens.whatIf', 'quantlens.calibrate']),
    );
    const [row] = text.split('\n');
    expect(row?.split(' · ').length).toBe(3);
    const lenses = await client.at<CodeLens[]>('codeLens', opened);
    expect(lenses.every((lens) => !/[\n\r]|\$\(zap\)/.test(lens.command?.title ?? ''))).toBe(true);
    expect(lenses.some((lens) => lens.command?.title.includes(hostileName.slice(0, 20)))).toBe(true);
  });
});

describe('lenses', () => {
  it('tell of the graph and offer what can be done', async () => {
    const lenses = await client.at<CodeLens[]>('codeLens', view);
    const graph = lenses.filter((lens) => covered(view.text, lens.range) === 'conv_net');
    const uri = client.uri('net.onnx');
    expect(
      graph.map((lens) => [lens.command?.title, lens.command?.command, lens.command?.arguments]),
    ).toEqual([
      [
        expect.stringMatching(/^2\.6 kB · 3 layers · worst weight conv1: int8 \d+\.\d dB$/),
        'quantlens.openAsText',
        [uri, 'conv1'],
      ],
      ['Calibrate', 'quantlens.calibrate', [uri]],
      ['Quantize to int8', 'quantlens.quantize', [uri, 'w8a8']],
      ['Quantize to int4', 'quantlens.quantize', [uri, 'int4']],
    ]);
  });

  it('stand on each layer', async () => {
    const lenses = await client.at<CodeLens[]>('codeLens', view);
    const layers = lenses.slice(4);
    expect(layers.map((lens) => covered(view.text, lens.range))).toEqual(['Conv', 'Conv', 'Gemm']);
    expect(layers.map((lens) => lens.command?.title)).toEqual([
      expect.stringMatching(/^conv1 · int8 \d+\.\d dB · int4 \d+\.\d dB · 216 parameters$/),
      expect.stringMatching(/^conv2 · int8 .* · 72 parameters$/),
      expect.stringMatching(/^fc · int8 .* · 80 parameters$/),
    ]);
  });

  it('have a switch per kind', async () => {
    const titles = async (codeLens: object, count: number) => {
      await client.configure({ codeLens });
      const lenses = await client.until(
        () => client.at<CodeLens[]>('codeLens', view),
        ({ length }) => length === count,
      );
      return lenses.map((lens) => covered(view.text, lens.range));
    };
    expect(await titles({ model: false, layer: true }, 3)).toEqual(['Conv', 'Conv', 'Gemm']);
    expect(new Set(await titles({ model: true, layer: false }, 4))).toEqual(new Set(['conv_net']));
    expect(await titles({}, 7)).toContain('Gemm');
  });
});

describe('outline, folding, tokens', () => {
  it('lists graph, inputs and nodes by their layer names', async () => {
    const [graph] = await client.at<DocumentSymbol[]>('documentSymbol', view);
    expect(graph?.name).toBe('conv_net');
    expect(graph?.children?.map(({ name }) => name)).toEqual([
      'input',
      'conv1',
      'bn1_out_BatchNormalization',
      'relu1_out_Relu',
      'conv2',
      'relu2_out_Relu',
      'pool_out_GlobalAveragePool',
      'flat_out_Flatten',
      'fc',
    ]);
    expect(graph?.children?.[1]?.detail).toMatch(/^Conv · int8 \d+\.\d dB$/);
    expect(covered(view.text, graph?.children?.[1]?.selectionRange ?? nowhere)).toBe('Conv');
  });

  it('folds header, body and initializers', async () => {
    const ranges = await client.at<FoldingRange[]>('foldingRange', view);
    const lines = view.text.split('\n');
    expect(ranges.map(({ startLine }) => lines[startLine]?.trim().slice(0, 10))).toEqual([
      '<',
      '{',
      'float[8,3,',
    ]);
  });

  it('tokens decode to the words of the text', async () => {
    const { data } = await client.at<SemanticTokens>('semanticTokens/full', view);
    const words = decoded(data, view.text);
    expect(words).toContainEqual(['function', 'Conv']);
    expect(words).toContainEqual(['namespace', 'conv_net']);
    expect(words).toContainEqual(['variable', '"conv1.weight"']);
    expect(words).toContainEqual(['property', 'kernel_shape']);
    const from = place('‸[conv2_out_Conv]');
    const part = await client.at<SemanticTokens>('semanticTokens/range', view, [from, from + 200]);
    const inRange = decoded(part.data, view.text);
    expect(inRange[0]).toEqual(['label', 'conv2_out_Conv']);
    expect(inRange.length).toBeLessThan(words.length / 2);
  });
});

describe('definition and references', () => {
  it.each([
    ['BatchNormalization <epsilon: float = 1e-05> (conv1‸_out,', '[conv1_out_Conv] ', 'conv1_out'],
    ['(input, "conv1.w‸eight")', 'float[8,3,3,3] ', '"conv1.weight"'],
    ['> (in‸put, "conv1', '(float[N,3,8,8] ', 'input'],
  ])('of %s', async (piece, before, word) => {
    const location = await client.at<Location>('definition', view, place(piece));
    expect(covered(view.text, location.range)).toBe(word);
    expect(location.range.start).toEqual(positionAt(view.text, view.text.indexOf(before) + before.length));
  });

  it('finds all uses, with and without the declaration', async () => {
    const at = place('relu1_o‸ut = Relu');
    const all = await client.at<Location[]>('references', view, at, {
      context: { includeDeclaration: true },
    });
    const uses = await client.at<Location[]>('references', view, at, {
      context: { includeDeclaration: false },
    });
    expect(all.map(({ range }) => covered(view.text, range))).toEqual(['relu1_out', 'relu1_out']);
    expect(uses.length).toBe(1);
  });

  it('has none for words that are no values', async () => {
    expect(await client.at('definition', view, place('conv1_out = Co‸nv'))).toBeNull();
    expect(
      await client.at('references', view, place('conv1_out = Co‸nv'), {
        context: { includeDeclaration: true },
      }),
    ).toEqual([]);
  });
});

describe('unnamed nodes and subgraphs', () => {
  it('each layer stands on the node that reads its weight', async () => {
    client.write('branches.onnx', branchNet());
    const opened = await client.openView('branches.onnx');
    const { layers } = await client.measured('branches.onnx');
    expect(layers.map(({ name }) => name)).toEqual(['MatMul_1', 'yes', 'no']);
    const lenses = (await client.at<CodeLens[]>('codeLens', opened)).slice(4);
    const shown = lenses.map((lens) => {
      const line = opened.text.split('\n')[lens.range.start.line] ?? '';
      return [
        lens.command?.title.split(' · ')[0],
        /\(([^)]*)\)/.exec(line.slice(lens.range.end.character))?.[1],
      ];
    });
    expect(shown.sort()).toEqual([
      ['MatMul_1', 'positive, "1234"'],
      ['no', 'hidden, "no.weight"'],
      ['yes', 'hidden, "yes.weight"'],
    ]);
    expect(await hoverAt('Mat‸Mul (hidden, "no.weight")', opened)).toMatch(/^\*\*no\*\* · MatMul · 8×4/);
    expect(await hoverAt('Mat‸Mul (hidden, "yes.weight")', opened)).toMatch(/^\*\*yes\*\* · MatMul · 8×4/);
    const symbols = JSON.stringify(await client.at('documentSymbol', opened));
    expect(symbols).toContain('"name":"yes"');
  });
});

describe('inlay hints', () => {
  it('show what the recipe plans for each layer', async () => {
    await client.openRecipe(
      'net.quant.json',
      '{ "model": "net.onnx", "default": { "weights": "int8" }, "layers": [{ "match": "fc", "keep": "float" }] }',
    );
    const hints = await client.at<InlayHint[]>('inlayHint', view, [0, view.text.length]);
    expect(hints.map(({ label }) => label)).toEqual([
      expect.stringMatching(/^int8\.channel \d+\.\d dB$/),
      expect.stringMatching(/^int8\.channel \d+\.\d dB$/),
      'float',
    ]);
    const first = await client.at<InlayHint[]>('inlayHint', view, [0, place('conv2_out = ‸Conv')]);
    expect(first.length).toBe(1);
    await client.close(client.uri('net.quant.json'));
  });
});

function decoded(data: readonly number[], text: string): string[][] {
  const lines = text.split('\n');
  const words: string[][] = [];
  let line = 0;
  let character = 0;
  for (let index = 0; index < data.length; index += 5) {
    const [down = 0, right = 0, length = 0, type = 0] = data.slice(index, index + 4);
    line += down;
    character = down === 0 ? character + right : right;
    words.push([
      semanticLegend.tokenTypes[type] ?? '',
      lines[line]?.slice(character, character + length) ?? '',
    ]);
  }
  return words;
}

const nowhere = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
