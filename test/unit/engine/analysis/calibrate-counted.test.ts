import { describe, expect, it } from 'vitest';
import { activationTensors } from '../../../../server/src/engine/analysis/activation-taps';
import { calibrate } from '../../../../server/src/engine/analysis/calibrate';
import { keptShare, stridesFor } from '../../../../server/src/engine/analysis/calibrate-taps';
import { watchesFor } from '../../../../server/src/engine/analysis/calibrate-watches';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import { createEstimator } from '../../../../server/src/engine/numerics/ranges';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { opened, temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const SIDE = 96;
const SAMPLES = 64;
const PER_SAMPLE = 3 * SIDE * SIDE;

/** One convolution that keeps the size of its input. */
function net(kernel: number, group: number): ModelProto {
  const shape = [3, 3 / group, kernel, kernel];
  const weights = normalValues(9 * kernel * kernel, 3, 0.3).slice(0, (9 / group) * kernel * kernel);
  const shown = (name: string) => valueInfo(name, ['N', 3, SIDE, SIDE]);
  return model({
    inputs: [shown('input')],
    outputs: [shown('output')],
    initializers: [tensor('weight', shape, weights)],
    nodes: [
      node('Conv', ['input', 'weight'], ['output'], {
        group,
        kernel_shape: [kernel, kernel],
        pads: Array<number>(4).fill((kernel - 1) / 2),
      }),
    ],
  });
}

describe('elements that are counted', () => {
  it.each([
    ['few multiply-adds per activation', 3, 3, [3, 3]],
    ['many', 31, 1, []],
  ] as const)('follow the work of the network: %s', (_, kernel, group, strides) => {
    const open = opened(folder.model('work.onnx', net(kernel, group)));
    const tensors = activationTensors(open.model);
    const shapes = new Map(
      tensors.map(({ source }) => [source, { type: 'float32', shape: [1, 3, SIDE, SIDE] } as const]),
    );
    const data = { source: 'random', seed: 0, preprocessing: {}, dimensions: {} };
    const common = { model: open.model, data, tensors, shapes, known: new Set<string>() };
    const watches = watchesFor({ ...common, estimator: 'percentile', samples: 100 });
    open.close();
    expect(watches.map(({ tap }) => tap.strides)).toEqual(watches.map(() => strides));
    // Where the graph thins a tensor out, its extremes are reduced from all of it.
    expect(watches.every(({ tap }) => (tap.ends === 'none') === (strides.length === 0))).toBe(true);
  });

  it.each([
    ['percentile', 0.04],
    // Its minimum is flat.
    ['mse', 0.1],
  ] as const)('%s: extremes are exact, the range is near that of all', async (estimator, most) => {
    const values = normalValues(SAMPLES * PER_SAMPLE, 7);
    // In a row and a column that no stride meets.
    values[5 * PER_SAMPLE + SIDE + 1] = 8;
    values[6 * PER_SAMPLE + SIDE + 1] = -9;
    const source = folder.npy('values.npy', [SAMPLES, 3, SIDE, SIDE], 'float', values);
    const open = opened(folder.model('thinned.onnx', net(3, 3)));
    const data = { source, seed: 0, preprocessing: {}, dimensions: {} };
    const { value } = await calibrate({
      ...{ estimator, threads: 1, open, model: cloneModel(open.model), data, progress: () => {} },
    });
    open.close();
    expect(value?.stats?.input).toMatchObject({ min: -9, max: 8 });
    const all = createEstimator(estimator).value;
    all?.observe(values);
    const expected = all?.range({ bits: 8, signed: false, symmetric: false });
    const found = value?.ranges.input;
    for (const end of ['min', 'max'] as const) {
      const whole = expected?.[end] ?? Number.NaN;
      expect(Math.abs((found?.[end] ?? Number.NaN) / whole - 1), end).toBeLessThan(most);
    }
  });
});

describe('strides', () => {
  it.each([
    [[1, 16, 32, 32], 100, 100, []],
    [[1, 16, 32, 32], 100, 99, [3, 1]],
    [[1, 16, 32, 32], 100, 30, [3, 3]],
    [[1, 16, 32, 32], 100, 10, [5, 3]],
    [[1, 16, 'H', 'W'], 100, 12, [3, 3]],
    [[1, 16, 2, 32], 100, 10, [3, 7]],
    [[1, 16, 1, 1], 100, 10, []],
    [[1, 7, 64], 100, 50, [3]],
    [[1], 100, 50, []],
  ] as const)('of %j leave at most so many elements: %d to %d', (shape, all, elements, strides) => {
    expect(stridesFor(shape, all, elements)).toEqual(strides);
    expect(keptShare(shape, [])).toBe(1);
    expect(keptShare(shape, undefined)).toBe(0);
  });
});
