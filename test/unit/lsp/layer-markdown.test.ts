/** Hovers of layers that are not measured yet, by how their weight is stored. */
import { describe, expect, it } from 'vitest';
import { issue } from '../../../server/src/engine/base/issue';
import { gridFormats } from '../../../server/src/engine/format-figures';
import { layerMarkdown } from '../../../server/src/lsp/layer-markdown';
import type { Becoming, LayerReport } from '../../../server/src/protocol/reports';

const layer = (facts: Partial<LayerReport>): LayerReport => ({
  name: 'blk.0.attn_q',
  node: 'blk.0.attn_q',
  op: 'MatMul',
  weight: 'blk.0.attn_q.weight',
  shape: [64, 64],
  params: 4096,
  bytes: 16_384,
  macs: null,
  dataType: 'float',
  issues: [],
  ...facts,
});

type Arguments = Parameters<typeof layerMarkdown>;

const model: Arguments[1] = {
  path: '/m.onnx',
  uri: 'file:///m.onnx',
  state: 'header',
  report: undefined,
  recipe: undefined,
  recipeUri: undefined,
  findings: [],
  problems: [],
  figures: () => ({}),
};

const surroundings = { trusted: true, client: { own: true } } as Arguments[2];
const text = (facts: Partial<LayerReport>) => layerMarkdown(layer(facts), model, surroundings);

const integer: Becoming = {
  form: 'integer',
  operator: 'com.microsoft.QGemm',
  weightBits: [4, 8],
  written: true,
};
const dynamic: Becoming = { form: 'dynamic', operator: 'com.microsoft.X', weightBits: [8], written: false };
const plain: Becoming = { form: 'dequantized', weightBits: [2, 4, 8, 16], written: true };

it.each(['F32', 'F16', 'BF16'])(
  '%s of a weight file is not quantized, and not offered to a recipe',
  (dataType) => {
    const hover = text({ op: 'Weight', dataType });
    expect(hover).not.toContain('quantized already');
    expect(hover).not.toContain('command:');
  },
);

it('blocks of a weight file are quantized already', () => {
  expect(text({ op: 'BlockWeight', dataType: 'Q1_0' })).toContain('stored as Q1\\_0: quantized already');
});

it.each([
  [[integer, dynamic, plain], 'ort-cpu: QGemm int4/8 · DequantizeLinear int2/4/8/16'],
  [[dynamic], 'ort-cpu: X int8 (by other tools)'],
  [[], 'ort-cpu: stays float'],
])('says what the layer may become', (becomes, expected) => {
  expect(text({ becomes: { 'ort-cpu': becomes } }).split('\n\n')).toContain(expected);
});

it('offers changes to layers of a graph', () => {
  expect(text({})).toContain('command:');
});

describe('a hover that stays short', () => {
  /** 64 channels of 64 weights: groups of 128 would hold two channels, groups of 32 half of one. */
  const weightSqnr = {
    'int8.tensor': 38,
    'int8.channel': 44,
    'int4.tensor': 15,
    'int4.channel': 20,
    'int4.group32': 22,
    'int4.group128': 20,
  };
  const facts: Partial<LayerReport> = {
    weightSqnr,
    facts: { channels: 64 } as LayerReport['facts'],
    cumulative: { w8a8: 26.9 },
  };
  const rowsOf = (hover: string) =>
    hover.split('\n').flatMap((row) => /^\| ((?:int|w)[\w.]+) /.exec(row)?.[1] ?? []);

  it('has measured rows first, and none of groups that hold a channel', () => {
    const hover = text(facts);
    expect(rowsOf(hover)).toEqual([
      'w8a8',
      'int8.tensor',
      'int8.channel',
      'int4.tensor',
      'int4.channel',
      'int4.group32',
    ]);
    const small = text({ ...facts, weightSqnr: { ...weightSqnr, 'int4.group32': 20 }, params: 64 * 32 });
    expect(rowsOf(small)).not.toContain('int4.group32');
  });

  it('says a figure of groups once, where the grid is known', () => {
    const figures = Object.fromEntries(
      gridFormats.map((format) => [format, format.endsWith('group32') ? 22 : 20]),
    );
    const hover = layerMarkdown(layer(facts), { ...model, figures: () => figures }, surroundings);
    expect(rowsOf(hover)).toEqual([
      ...['w8a8', 'int8.tensor', 'int8.channel', 'int4.tensor', 'int4.channel'],
      ...['int8', 'int6', 'int5', 'int4', 'int3', 'int2'],
    ]);
    expect(hover).toContain('| | channel | group32 |');
    const same = Object.fromEntries(gridFormats.map((format) => [format, 20]));
    const one = { ...facts, params: 64 * 32 };
    const bare = layerMarkdown(layer(one), { ...model, figures: () => same }, surroundings);
    expect(rowsOf(bare).slice(5)).toEqual(['int6', 'int5', 'int3', 'int2']);
  });

  it('has actions on top, and findings only where the editor shows none', () => {
    const finding = issue('M04', { op: 'Conv', activation: 'Relu' }, { layer: 'blk.0.attn_q' });
    const found = { ...model, findings: [finding] };
    const hover = layerMarkdown(layer(facts), found, surroundings);
    const place = (part: string) => hover.indexOf(part);
    expect(place('command:')).toBeLessThan(place('[M04]'));
    expect(place('[M04]')).toBeLessThan(place('| w8a8 |'));
    expect(layerMarkdown(layer(facts), found, surroundings, true)).not.toContain('M04');
  });
});
