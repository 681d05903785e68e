/** Hovers of layers that are not measured yet, by how their weight is stored. */
import { expect, it } from 'vitest';
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

const text = (facts: Partial<LayerReport>) =>
  layerMarkdown(layer(facts), model, { trusted: true, client: { own: true } } as Arguments[2]);

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
