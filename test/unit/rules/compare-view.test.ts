/** What the compare view shows of a report: figures by layer, verdicts, findings of what the file really holds. */
import { describe, expect, it } from 'vitest';
import { issue } from '../../../server/src/engine/base/issue';
import type { AnalysisReport, LayerReport } from '../../../server/src/protocol/reports';
import { type CompareInput, compareView } from '../../../server/src/rules/compare-view';

const layer = (name: string, more: Partial<LayerReport>): LayerReport => ({
  name,
  node: name,
  op: 'Conv',
  weight: `${name}.weight`,
  shape: [8, 8, 1, 1],
  params: 64,
  bytes: 256,
  macs: 64,
  dataType: 'float32',
  issues: [],
  ...more,
});

const report = (layers: readonly LayerReport[]): AnalysisReport => ({
  model: {
    path: '/m/net.onnx',
    format: 'onnx',
    opset: 17,
    params: 64,
    bytes: 256,
    macs: null,
    inputs: [],
    outputs: [],
    nodes: 1,
    ops: {},
  },
  data: { source: '/data/x.npy', samples: 8 },
  layers,
  output: { file: { sqnr: 21, topOneAgreement: 1, execution: 'simulated' } },
  issues: [],
});

const view = (layers: readonly LayerReport[], more: Partial<CompareInput> = {}) =>
  compareView({
    state: 'done',
    trusted: true,
    floatName: 'net.onnx',
    quantizedName: 'net.w8a8.onnx',
    report: report(layers),
    float: undefined,
    severities: {},
    issues: [],
    ...more,
  });

const metrics = { mse: 0.01, cosine: 0.995, normRatio: 0.9, meanShift: 0 };

describe('compareView', () => {
  it('lists layers that were compared, judged by the cumulative error where there is one', () => {
    const { layers, output, data } = view([
      layer('a', { local: { file: 30 }, cumulative: { file: 12 } }),
      layer('unmatched', {}),
      layer('b', { local: { file: 9 } }),
      layer('c', { local: { file: null }, cumulative: { file: null } }),
    ]);
    expect(layers.map(({ name, local, cumulative, verdict }) => [name, local, cumulative, verdict])).toEqual([
      ['a', 30, 12, 'watch'],
      ['b', 9, null, 'bad'],
      ['c', null, null, 'unknown'],
    ]);
    expect([output?.sqnr, data?.samples]).toEqual([21, 8]);
  });

  it('has neither layers nor output before there is a report', () => {
    const { layers, output, data, state } = view([], { report: undefined, state: 'running' });
    expect([layers, output, data, state]).toEqual([[], undefined, null, 'running']);
  });

  it('makes findings only where the file tells how it is quantized, and names the file', () => {
    const figures = { cumulative: { file: 15 }, cumulativeMetrics: { file: metrics } };
    const quantized: LayerReport['quantized'] = {
      form: 'qdq',
      weightBits: 8,
      weightSigned: true,
      granularity: 'channel',
      codesUsed: 255,
      effectiveLevels: 200,
      saturatedShare: 0.01,
      zeroPointNonZero: false,
      badScales: 0,
      scaleSpread: 2,
      accumulatorPeak: 1000,
      lowestCode: -127,
      highestCode: 127,
      zeroPointsDiffer: false,
      negativeScales: 0,
      fractionalZeroPoints: 0,
      reduction: 8,
      reach: { median: 127, least: 127, channel: 0 },
    };
    expect(view([layer('a', figures)]).findings).toEqual([]);
    const { findings, layers } = view([layer('a', { ...figures, quantized })]);
    const found = findings.find(({ code }) => code === 'M26');
    expect(found?.message).toMatch(/^net\.w8a8\.onnx: cosine 0\.9950/);
    expect(layers[0]?.findings).toContain('M26');
    const strict = view([layer('a', { ...figures, quantized })], { thresholds: { 'M26.cosine': 0.999 } });
    expect(strict.findings.map(({ code }) => code)).not.toContain('M26');
  });

  it('tells each problem once, and a cancel not at all', () => {
    const twice = issue('layer-unmatched', { layer: 'x' }, { layer: 'x' }, 'warning');
    const { problems } = view([], { issues: [twice, twice, issue('cancelled', {})] });
    expect(problems).toHaveLength(1);
  });
});
