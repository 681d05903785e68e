/** The input a first BatchNormalization tells of: moments put in by hand come out, and noise gets them. */
import { describe, expect, it } from 'vitest';
import { inputMoments, momentsRange } from '../../../../server/src/engine/analysis/input-moments';
import { openLikelyFeeds } from '../../../../server/src/engine/analysis/likely-noise';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { float, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf } from '../../../fixtures/run-graph';

const CHANNELS = 8;
const SIZE = 27;

interface Pixels {
  readonly mean: number;
  readonly within: number;
  readonly between: number;
}

/** Conv (behind a Transpose when `nhwc`) and BatchNormalization that was trained on such pixels. */
function trainedOn({ mean, within, between }: Pixels, nhwc = false): ModelProto {
  const weights = normalValues(CHANNELS * SIZE, 5, 0.2);
  const bias = normalValues(CHANNELS, 6, 0.5);
  const perChannel = (value: (kernel: readonly number[], bias: number) => number) =>
    Float32Array.from(bias, (one, channel) =>
      value([...weights.subarray(channel * SIZE, (channel + 1) * SIZE)], one),
    );
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const square = (values: readonly number[]) => sum(values.map((value) => value * value));
  const ones = new Float32Array(CHANNELS).fill(1);
  return model({
    inputs: [valueInfo('input', nhwc ? ['N', 16, 16, 3] : ['N', 3, 16, 16])],
    outputs: [valueInfo('output', ['N', CHANNELS, 14, 14])],
    initializers: [
      tensor('conv.weight', [CHANNELS, 3, 3, 3], weights),
      tensor('conv.bias', [CHANNELS], bias),
      tensor('gamma', [CHANNELS], ones),
      tensor('beta', [CHANNELS], new Float32Array(CHANNELS)),
      tensor(
        'mean',
        [CHANNELS],
        perChannel((kernel, shift) => shift + mean * sum(kernel)),
      ),
      tensor(
        'variance',
        [CHANNELS],
        perChannel((kernel) => within * square(kernel) + between * sum(kernel) ** 2),
      ),
    ],
    nodes: [
      ...(nhwc ? [node('Transpose', ['input'], ['nchw'], { perm: [0, 3, 1, 2] })] : []),
      node('Conv', [nhwc ? 'nchw' : 'input', 'conv.weight', 'conv.bias'], ['conv_out']),
      node('BatchNormalization', ['conv_out', 'gamma', 'beta', 'mean', 'variance'], ['bn_out'], {
        epsilon: float(1e-9),
      }),
      node('Relu', ['bn_out'], ['output']),
    ],
  });
}

const cases: readonly [name: string, pixels: Pixels, nhwc?: boolean][] = [
  ['raw pixels', { mean: 120, within: 400, between: 4000 }],
  ['pixels of 0…1', { mean: 0.45, within: 0.01, between: 0.06 }],
  ['normalised pixels', { mean: 0, within: 0.3, between: 0.7 }],
  ['one level per image', { mean: 1, within: 0, between: 4 }],
  ['independent pixels', { mean: -1, within: 4, between: 0 }],
  ['raw pixels, channels last', { mean: 120, within: 400, between: 4000 }, true],
];

describe('the input that the first BatchNormalization tells of', () => {
  it.each(cases)('%s', (_name, pixels, nhwc) => {
    const found = inputMoments(graphOf(trainedOn(pixels, nhwc)));
    const scale = Math.sqrt(pixels.within + pixels.between);
    expect(found?.input).toBe('input');
    expect(Math.abs((found?.mean ?? Number.NaN) - pixels.mean) / scale).toBeLessThan(1e-4);
    expect(Math.abs((found?.within ?? Number.NaN) - pixels.within) / scale ** 2).toBeLessThan(1e-3);
    expect(Math.abs((found?.between ?? Number.NaN) - pixels.between) / scale ** 2).toBeLessThan(1e-3);
  });

  it.each(cases)('noise is like it: %s', async (_name, pixels, nhwc) => {
    const net = graphOf(trainedOn(pixels, nhwc));
    const spec = { source: 'none', samples: 256, seed: 0, preprocessing: {}, dimensions: {} } as const;
    const feeds = (await openLikelyFeeds(spec, net, net)).value;
    const values: number[] = [];
    for await (const batch of feeds?.batches(32) ?? [])
      for (const value of (batch.value?.feeds.input?.data ?? []) as Float32Array) values.push(value);
    const mean = values.reduce((total, value) => total + value, 0) / values.length;
    const variance = values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length;
    const scale = Math.sqrt(pixels.within + pixels.between);
    expect(values.length).toBe(256 * 768);
    // 256 levels: their mean is known to 1/16 of a standard deviation.
    expect(Math.abs(mean - pixels.mean) / scale).toBeLessThan(0.2);
    expect(Math.sqrt(variance) / scale).toBeGreaterThan(0.85);
    expect(Math.sqrt(variance) / scale).toBeLessThan(1.15);
    const { min, max } = momentsRange({ input: 'input', ...pixels });
    expect(Math.min(...values.slice(0, 50_000))).toBeGreaterThanOrEqual(min - 0.01 * scale);
    expect(Math.max(...values.slice(0, 50_000))).toBeLessThanOrEqual(max + 0.01 * scale);
  });

  it('gives every batch size the same samples', async () => {
    const net = graphOf(trainedOn({ mean: 1, within: 1, between: 1 }));
    const spec = { source: 'none', samples: 6, seed: 3, preprocessing: {}, dimensions: {} } as const;
    const all = async (batchSize: number) => {
      const values: number[] = [];
      const feeds = (await openLikelyFeeds(spec, net, net)).value;
      for await (const batch of feeds?.batches(batchSize) ?? [])
        for (const value of (batch.value?.feeds.input?.data ?? []) as Float32Array) values.push(value);
      return values;
    };
    expect(await all(4)).toEqual(await all(1));
  });
});
