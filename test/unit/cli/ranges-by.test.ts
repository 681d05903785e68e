/** Figures of activations say which estimator their ranges come from: the defaults of analyze and quantize differ. */
import { expect, it } from 'vitest';
import { outputLines } from '../../../server/src/cli/report';
import { quantizeHandler } from '../../../server/src/engine/handlers/quantize';
import type { OutputReport } from '../../../server/src/protocol/reports';
import { model, node, normalValues, tensor, valueInfo } from '../../fixtures/build';
import { temporaryFolder } from '../engine/runtime/fixtures/files';
import { layer, report } from '../rules/fixtures';

const folder = temporaryFolder();

const headOf = (scheme: string, parts: Partial<OutputReport> = {}, estimator?: string) => {
  const figures = { sqnr: 33.7, topOneAgreement: null, execution: 'simulated', basis: 'measured' } as const;
  const layers = [layer('a', { localActivations: { recipe: 30 } })];
  return outputLines({ ...report(...layers), output: { [scheme]: { ...figures, ...parts } } }, estimator);
};

it.each([
  ['w8a8', {}, 'min-max', ', ranges by min-max'],
  ['recipe', {}, 'mse', ', ranges by mse'],
  ['w8a8', {}, undefined, ''],
  ['int8', {}, 'min-max', ''],
  ['file', {}, 'min-max', ''],
  ['w8a8', { activations: 'float' }, 'min-max', ''],
] as const)('%s with %o under %s', (scheme, parts, estimator, told) => {
  const [head] = headOf(scheme, parts, estimator).split('\n');
  expect(head).toBe(`output ${scheme}: 33.7 dB (good) (simulated, measured${told})`);
});

it.each([
  ['w8a8', undefined, 'mse'],
  ['w8a8', 'min-max', 'min-max'],
  ['int8', undefined, undefined],
])('a file of %s, asked for %s, has ranges by %s', async (scheme, estimator, expected) => {
  const proto = model({
    inputs: [valueInfo('x', ['N', 8])],
    outputs: [valueInfo('y', ['N', 8])],
    initializers: [tensor('w', [8, 8], Array.from(normalValues(64, 1, 0.3)))],
    nodes: [node('MatMul', ['x', 'w'], ['y'], {}, { name: 'm' })],
  });
  const job = {
    kind: 'quantize',
    model: folder.model('net.onnx', proto),
    output: `${folder.model('net.onnx', proto)}.${scheme}.onnx`,
    scheme,
    estimator,
    keepFloat: [],
    data: {
      source: folder.npy('x.npy', [16, 8], 'float', normalValues(128, 2)),
      seed: 0,
      preprocessing: {},
      dimensions: {},
    },
    threads: 1,
    seed: 0,
    dimensions: {},
  } as const;
  const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
  const { value, issues } = await quantizeHandler(job, context);
  expect(value?.estimator, JSON.stringify(issues)).toBe(expected);
});
