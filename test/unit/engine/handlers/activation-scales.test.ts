/**
 * What a plan puts under one scale: operands that meet in front of a layer, and channels of one activation. Measured on
 * networks whose branches and channels are of known size, against ranges taken outside.
 */
import { describe, expect, it } from 'vitest';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { measureHandler } from '../../../../server/src/engine/handlers/measure';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();

const scaled = (count: number, seed: number, by: number) =>
  normalValues(count, seed, 0.3).map((one) => one * by);

/** Two branches of the input, the second `fine` times finer, joined in front of a third convolution. */
function branches(join: 'Concat' | 'Add', fine: number, behind: 'Relu' | 'Tanh' | 'MaxPool'): ModelProto {
  const inputs = join === 'Concat' ? 8 : 4;
  return model(
    {
      inputs: [valueInfo('input', ['N', 3, 8, 8])],
      outputs: [valueInfo('output', undefined)],
      initializers: [
        tensor('wide.weight', [4, 3, 1, 1], scaled(12, 1, 1)),
        tensor('fine.weight', [4, 3, 1, 1], scaled(12, 2, 1 / fine)),
        tensor('last.weight', [4, inputs, 1, 1], scaled(4 * inputs, 3, 1)),
      ],
      nodes: [
        node('Conv', ['input', 'wide.weight'], ['a']),
        node('Conv', ['input', 'fine.weight'], ['b']),
        node(join, ['a', 'b'], ['joined'], join === 'Concat' ? { axis: 1 } : {}),
        node(behind, ['joined'], ['moved'], behind === 'MaxPool' ? { kernel_shape: [2, 2] } : {}),
        node('Conv', ['moved', 'last.weight'], ['output']),
      ],
    },
    { opset: 17 },
  );
}

/** A product that reads features of which one is `times` as large as the others. */
function features(times: number, rank: 2 | 3): ModelProto {
  const shape = rank === 3 ? ['N', 2, 16] : ['N', 16];
  const factors = new Float32Array(16).fill(1);
  factors[5] = times;
  return model(
    {
      inputs: [valueInfo('input', shape)],
      outputs: [valueInfo('output', undefined)],
      initializers: [
        tensor('factors', [16], factors),
        tensor('fc.weight', [16, 4], normalValues(64, 6, 0.3)),
      ],
      nodes: [
        node('Mul', ['input', 'factors'], ['scaled']),
        node('MatMul', ['scaled', 'fc.weight'], ['output']),
      ],
    },
    { opset: 17 },
  );
}

async function measured(proto: ModelProto, scheme = 'w8a8') {
  const options = { threads: 1, seed: 5, dimensions: {} };
  const data = { source: 'random', samples: 12, preprocessing: {}, ...options };
  const outcome = await measureHandler(
    {
      kind: 'measure',
      model: folder.model('net.onnx', proto),
      data,
      estimator: 'min-max',
      schemes: [scheme],
      metrics: ['local'],
      ...options,
    },
    { signal: new AbortController().signal, progress: () => {}, partial: () => {} },
  );
  expect(outcome.issues.filter(({ severity }) => severity === 'error')).toEqual([]);
  const { layers = [], joined } = outcome.value ?? {};
  return { layers: Object.fromEntries(layers.map((layer) => [layer.name, layer])), joined };
}

describe('operands that a plan joins', () => {
  it.each([
    ['Concat', 'Relu'],
    ['Concat', 'MaxPool'],
    ['Add', 'Relu'],
  ] as const)('%s behind %s are told with their ranges', async (join, behind) => {
    const { joined } = await measured(branches(join, 50, behind));
    expect(joined).toEqual([
      {
        node: expect.stringContaining(join),
        op: join,
        readers: ['last'],
        operands: [expect.objectContaining({ tensor: 'a' }), expect.objectContaining({ tensor: 'b' })],
      },
    ]);
    const [a, b] = (joined?.[0]?.operands ?? []).map(({ min, max }) => max - min);
    expect((a ?? 0) / (b ?? 1)).toBeGreaterThan(20);
    expect((a ?? 0) / (b ?? 1)).toBeLessThan(130);
  });
  it('are not where a function makes other values of them', async () => {
    expect((await measured(branches('Concat', 50, 'Tanh'))).joined).toBeUndefined();
  });
  it('are not where activations stay float', async () => {
    expect((await measured(branches('Concat', 50, 'Relu'), 'int8')).joined).toBeUndefined();
  });
});

describe('channels of an activation', () => {
  it.each([2, 3] as const)('of rank %d: the widest, everywhere', async (rank) => {
    const { layers } = await measured(features(100, rank));
    const { inputChannels } = layers.fc ?? {};
    expect(inputChannels).toMatchObject({ count: 16, widest: 5, share: 1 });
    expect((inputChannels?.peak ?? 0) / (inputChannels?.median ?? 1)).toBeGreaterThan(50);
  });
  it('of noise take turns', async () => {
    const { layers } = await measured(branches('Add', 1, 'Relu'));
    expect(layers.last?.inputChannels?.count).toBe(4);
    expect(layers.last?.inputChannels?.share).toBeLessThan(0.9);
  });
  it('of three are not judged, nor where activations stay float', async () => {
    const { layers } = await measured(branches('Add', 1, 'Relu'));
    expect(layers.wide?.inputChannels).toBeUndefined();
    const floats = await measured(features(100, 2), 'int8');
    expect(floats.layers.fc?.inputChannels).toBeUndefined();
  });
});
