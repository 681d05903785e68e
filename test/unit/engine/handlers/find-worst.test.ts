/** The worst layers of operators with several weights and outputs, against the output effect of each layer alone. */
import { describe, expect, it } from 'vitest';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { measureHandler } from '../../../../server/src/engine/handlers/measure';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const STEPS = 4;
const SIZE = 8;
const HIDDEN = 6;
const SAMPLES = 8;

/** All states and the last one are read; a Gemm stands behind. */
function recurrent(op: 'LSTM' | 'GRU', gates: number): ModelProto {
  const rows = gates * HIDDEN;
  const net = {
    inputs: [valueInfo('x', ['N', STEPS, SIZE])],
    outputs: [valueInfo('y', ['N', HIDDEN])],
    initializers: [
      tensor('w', [1, rows, SIZE], normalValues(rows * SIZE, 1, 0.5)),
      tensor('r', [1, rows, HIDDEN], normalValues(rows * HIDDEN, 2, 0.5)),
      tensor('b', [1, 2 * rows], normalValues(2 * rows, 3, 0.1)),
      tensor('c', [HIDDEN, HIDDEN], normalValues(HIDDEN * HIDDEN, 4, 0.5)),
    ],
    nodes: [
      node('Transpose', ['x'], ['steps'], { perm: [1, 0, 2] }),
      node(op, ['steps', 'w', 'r', 'b'], ['all', 'last'], { hidden_size: HIDDEN }),
      node('ReduceSum', ['all'], ['summed'], { keepdims: 0, axes: [0, 1] }),
      node('Squeeze', ['last'], ['state'], { axes: [0] }),
      node('Add', ['state', 'summed'], ['both']),
      node('MatMul', ['both', 'c'], ['y']),
    ],
  };
  return model(net, { opset: 11 });
}

async function measured(name: string, net: ModelProto, scheme: string) {
  const data = normalValues(SAMPLES * STEPS * SIZE, 5);
  const job = {
    kind: 'measure',
    model: folder.model(`${name}.onnx`, net),
    data: {
      source: folder.npy(`${name}.npy`, [SAMPLES, STEPS, SIZE], 'float', data),
      seed: 0,
      preprocessing: {},
      dimensions: {},
    },
    estimator: 'min-max',
    schemes: [scheme],
    metrics: ['output'],
    findWorst: 3,
    threads: 1,
    seed: 0,
    dimensions: {},
  } as const;
  const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
  const { value, issues } = await measureHandler(job, context);
  if (!value) throw new Error(JSON.stringify(issues));
  return value;
}

describe.each([
  ['LSTM', 4],
  ['GRU', 3],
] as const)('%s', (op, gates) => {
  it.each(['int4.channel', 'w8a8'])('finds the layers of %s one by one', async (scheme) => {
    const { layers, output } = await measured(`${op}.${scheme}`, recurrent(op, gates), scheme);
    const worst = output?.[scheme]?.worst ?? [];
    expect(worst.map(({ layer }) => layer).sort()).toEqual(['c', 'r', 'w']);
    for (const { layer, sqnr } of worst) {
      const alone = layers.find(({ name }) => name === layer)?.outputEffect?.[scheme];
      expect(sqnr, layer).toBeCloseTo(alone ?? Number.NaN, 1);
    }
    const order = worst.map(({ sqnr }) => sqnr ?? 0);
    expect(order).toEqual([...order].sort((one, other) => one - other));
  });
});
