/** What the history says of a run. */
import { describe, expect, it, vi } from 'vitest';
import { runTarget } from '../../../client/src/run-target';
import { detailsBelowSummary, runDetails } from '../../../client/src/run-text';
import type { RunRecord } from '../../../server/src/protocol/views';

vi.mock('vscode', () => ({
  l10n: {
    t: (text: string, ...values: readonly unknown[]) =>
      text.replace(/\{(\d)\}/g, (_match, at: string) => String(values[Number(at)])),
  },
  Uri: { parse: (text: string) => ({ fsPath: text.replace('file://', '') }) },
}));

const run = (parts: Partial<RunRecord>): RunRecord => ({
  id: '1',
  finishedAt: 0,
  kind: 'compare',
  modelUri: 'file:///net.onnx',
  seconds: 1,
  state: 'done',
  output: { sqnr: 33.14, topOneAgreement: 0.9375 } as RunRecord['output'],
  outputUri: 'file:///net.w8a8.onnx',
  summary: 'net.w8a8.onnx: output 33.1 dB, top-1 agreement 93.75 %',
  ...parts,
});
const labels = (rows: readonly (readonly [string, string])[]) => rows.map(([label]) => label);

describe('a run in words', () => {
  it('wrote a file only where it did', () => {
    expect(labels(runDetails(run({})))).toContain('Compared file');
    expect(labels(runDetails(run({})))).not.toContain('File written');
    expect(labels(runDetails(run({ kind: 'quantize' })))).toContain('File written');
  });

  it('tells its output once, with the digits that it has everywhere', () => {
    expect(Object.fromEntries(runDetails(run({})))).toMatchObject({
      Output: '33.1 dB, top-1 agreement 93.75 %',
    });
    expect(labels(detailsBelowSummary(run({})))).not.toContain('Output');
    expect(labels(detailsBelowSummary(run({ summary: 'Cancelled.' })))).toContain('Output');
  });
});

describe('a run opens', () => {
  const net = 'file:///net.onnx';
  const written = 'file:///net.w8a8.onnx';
  it.each([
    ['the file it wrote', { kind: 'quantize' }, { kind: 'model', uri: written }],
    [
      'its model where it wrote nothing',
      { kind: 'calibrate', outputUri: undefined },
      { kind: 'model', uri: net },
    ],
    [
      'its model where it was cancelled before',
      { kind: 'quantize', outputUri: undefined },
      { kind: 'model', uri: net },
    ],
    [
      'the comparison on the samples of then',
      { kind: 'compare', request: { kind: 'compare', source: '/x.npy', samples: 7 } },
      { kind: 'comparison', floatUri: net, quantizedUri: written, data: { source: '/x.npy', samples: 7 } },
    ],
    [
      'the comparison on samples to be chosen, where nobody wrote them down',
      { kind: 'compare' },
      { kind: 'comparison', floatUri: net, quantizedUri: written },
    ],
  ] as const)('%s', (_what, parts, expected) => expect(runTarget(run(parts))).toEqual(expected));
});
