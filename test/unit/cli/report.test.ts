/** Tables of the command line. */
import { expect, it } from 'vitest';
import { findingLines, jsonReport, layerTable, outputLines } from '../../../server/src/cli/report';
import { issue } from '../../../server/src/engine/base/issue';
import type { AnalysisReport, LayerReport, QuantizedLayerFacts } from '../../../server/src/protocol/reports';

const layer: LayerReport = {
  name: 'a',
  node: 'a',
  op: 'Weight',
  weight: 'a',
  shape: [1, 32],
  params: 32,
  bytes: 34,
  macs: null,
  dataType: 'Q8_0',
  issues: [],
};

const stored: QuantizedLayerFacts = {
  form: 'qdq',
  weightBits: 8,
  weightSigned: true,
  granularity: 'channel',
  codesUsed: 118,
  effectiveLevels: 40.5,
  saturatedShare: 0.01,
  zeroPointNonZero: false,
  badScales: 0,
  scaleSpread: 3,
  accumulatorPeak: 1e6,
  lowestCode: -127,
  highestCode: 127,
  zeroPointsDiffer: false,
  negativeScales: 0,
  fractionalZeroPoints: 0,
  reduction: 72,
  reach: { median: 127, least: 127, channel: 0 },
};

const summary: AnalysisReport['model'] = {
  path: 'm',
  format: 'onnx',
  opset: null,
  params: 32,
  bytes: 34,
  macs: null,
  inputs: [],
  outputs: [],
  nodes: 0,
  ops: {},
};

/** Title and text of the second column. */
function checkSecond(format: AnalysisReport['model']['format'], title: string, text: string): void {
  const model = { ...summary, format };
  const [head, row] = layerTable({ model, data: null, layers: [layer], issues: [] }).split('\n');
  expect([head?.trim().split(/\s+/)[1], row?.trim().split(/\s+/)[1]]).toEqual([title, text]);
}

it('tells the stored type in weight files and the operator in models', () => {
  checkSecond('gguf', 'type', 'Q8_0');
  checkSecond('safetensors', 'type', 'Q8_0');
  checkSecond('onnx', 'op', 'Weight');
});

it('says how little of a network was quantized beside a good output', () => {
  const small = { ...layer, name: 'fc', params: 80, local: { w8a8: 44 } };
  const large = { ...layer, name: 'lstm', params: 39_920 };
  const output = { w8a8: { sqnr: 51.3, topOneAgreement: null, execution: 'simulated' as const } };
  const lines = (layers: readonly LayerReport[]) =>
    outputLines({ model: summary, data: null, layers, output, issues: [] });
  expect(lines([small, large])).toMatch(/only 1 of 2 layers are quantized, 0\.20 % of their parameters/);
  expect(lines([small])).not.toMatch(/only/);
});

it('does not count what a compared file left in float, though it has figures, as quantized', () => {
  const held = { ...layer, params: 25, local: { file: 44 }, quantized: stored };
  const kept = { ...layer, name: 'b', params: 75, local: { file: 120 }, cumulative: { file: 15 } };
  const output = { file: { sqnr: 16, topOneAgreement: null, execution: 'simulated' as const } };
  const lines = (layers: AnalysisReport['layers']) =>
    outputLines({ model: summary, data: null, layers, output, issues: [] });
  expect(lines([held, kept])).toMatch(/only 1 of 2 layers are quantized, 25\.00 % of their parameters/);
  expect(lines([held, held])).not.toMatch(/only/);
});

it('calls a layer that a compared file left in float by that name, where its figure says no more', () => {
  const cell = (local: Record<string, number>) => {
    const [, row] = layerTable(
      { model: summary, data: null, layers: [{ ...layer, local }], issues: [] },
      [],
    ).split('\n');
    return row
      ?.trim()
      .split(/\s{2,}/)
      .at(-1);
  };
  expect(cell({ file: 120 })).toBe('float');
  expect(cell({ file: 73.3 })).toBe('73.3 dB');
  expect(cell({ w8a8: 120 })).toBe('120.0 dB');
});

it('claims nothing of an output that was not compared, and says once what to do', () => {
  const output = { w8a8: { sqnr: null, topOneAgreement: null, execution: 'simulated' as const } };
  const facts = {
    match: '*',
    format: 'uint8.tensor',
    reason: 'the layer computes in float16, not in float32',
  };
  const issues = [issue('R02', facts), issue('R02', facts, {}, 'warning')];
  const report = { model: summary, data: null, layers: [layer], output, issues };
  expect(outputLines(report)).toBe('output w8a8: not measured');
  expect(findingLines(report).split('\n')).toEqual([
    'error R02 "*": uint8.tensor cannot be exported (the layer computes in float16, not in float32). Convert the model to float32 first, or quantize weights only (int4.group32).',
  ]);
});

it('names in JSON the node that a sentence is about, and keeps rows that are alike but for it', () => {
  const facts = { op: 'Add', ratio: 8, bitsLost: 3, scales: [0.5, 0.0625] };
  const issues = ['/a/Add', '/b/Add', '/b/Add'].map((node) => issue('M05', facts, { node }));
  const { issues: told } = jsonReport({
    model: summary,
    data: null,
    layers: [layer],
    issues,
  }) as AnalysisReport;
  expect(told).toMatchObject([
    { node: '/a/Add', message: expect.stringMatching(/^\/a\/Add: the operands/) },
    { node: '/b/Add', message: expect.stringMatching(/^\/b\/Add: the operands/) },
  ]);
});
