/** Repairs of operators that read codes themselves: scales per channel against the formula of the operator. */
import { describe, expect, it } from 'vitest';
import { compareHandler } from '../../../../server/src/engine/handlers/compare';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const [CHANNELS, INPUTS] = [8, 16];
/** Channels of very different size, so that one scale leaves the small ones nothing. */
const weight = normalValues(CHANNELS * INPUTS, 5, 1).map(
  (value, index) => value * 10 ** (-2 * (Math.floor(index / INPUTS) / (CHANNELS - 1))),
);
const bias = normalValues(CHANNELS, 6, 0.5);
const X_SCALE = 0.03;
const Y_SCALE = 0.2;

function codesOf(values: ArrayLike<number>, scale: number): number[] {
  return Array.from(values, (value) => Math.round(value / scale));
}

const scale = Math.max(...Array.from(weight, Math.abs)) / 127;
const parameters = [
  tensor('xs', [], [X_SCALE]),
  tensor('xz', [], [128], 'uint8'),
  tensor('ws', [], [scale]),
  tensor('wz', [], [0], 'int8'),
  tensor('ys', [], [Y_SCALE]),
  tensor('yz', [], [128], 'uint8'),
];
const turned = Array.from({ length: CHANNELS * INPUTS }, (_, at) => {
  const [k, channel] = [Math.floor(at / CHANNELS), at % CHANNELS];
  return weight[channel * INPUTS + k] ?? 0;
});

/** dB of the operator with scales per channel, by its formula: rounded input, weights and output. */
function byFormula(samples: ArrayLike<number>, positions: number, withBias: boolean): number {
  const clamp = (code: number) => Math.min(127, Math.max(-128, code));
  let [signal, noise] = [0, 0];
  const count = samples.length / (INPUTS * positions);
  for (let sample = 0; sample < count; sample++)
    for (let at = 0; at < positions; at++)
      for (let channel = 0; channel < CHANNELS; channel++) {
        const row = Array.from(weight.slice(channel * INPUTS, (channel + 1) * INPUTS));
        const step = Math.max(...row.map(Math.abs)) / 127;
        const offset = withBias ? (bias[channel] ?? 0) : 0;
        let [exact, rounded] = [offset, offset];
        row.forEach((value, k) => {
          const x = samples[(sample * INPUTS + k) * positions + at] ?? 0;
          exact += x * value;
          rounded += clamp(Math.round(x / X_SCALE)) * X_SCALE * Math.round(value / step) * step;
        });
        const error = clamp(Math.round(rounded / Y_SCALE)) * Y_SCALE - exact;
        signal += exact * exact;
        noise += error * error;
      }
  return 10 * Math.log10(signal / noise);
}

/** The float network and the same in codes, per operator. */
const forms = {
  QLinearConv: {
    shape: ['N', INPUTS, 3, 3],
    float: {
      weight: tensor('w', [CHANNELS, INPUTS, 1, 1], Array.from(weight)),
      node: node('Conv', ['x', 'w', 'b'], ['y']),
    },
    codes: {
      weight: tensor('c', [CHANNELS, INPUTS, 1, 1], codesOf(weight, scale), 'int8'),
      node: node('QLinearConv', ['q', 'xs', 'xz', 'c', 'ws', 'wz', 'ys', 'yz', 'cb'], ['r']),
    },
  },
  QLinearMatMul: {
    shape: ['N', INPUTS],
    float: {
      weight: tensor('w', [INPUTS, CHANNELS], turned),
      node: node('MatMul', ['x', 'w'], ['y']),
    },
    codes: {
      weight: tensor('c', [INPUTS, CHANNELS], codesOf(turned, scale), 'int8'),
      node: node('QLinearMatMul', ['q', 'xs', 'xz', 'c', 'ws', 'wz', 'ys', 'yz'], ['r']),
    },
  },
} as const;

describe('scales per channel in place of one', () => {
  it.each(Object.entries(forms))('%s', async (op, { shape, float, codes }) => {
    const border = { inputs: [valueInfo('x', [...shape])], outputs: [valueInfo('y', undefined)] };
    const count = shape.slice(1).reduce<number>((all, size) => all * Number(size), 1);
    const samples = normalValues(16 * count, 7);
    const data = folder.npy(`x${count}.npy`, [16, ...shape.slice(1).map(Number)], 'float', samples);
    const quantized = model({
      ...border,
      initializers: [
        codes.weight,
        ...parameters,
        tensor('cb', [CHANNELS], codesOf(bias, X_SCALE * scale), 'int32'),
      ],
      nodes: [
        node('QuantizeLinear', ['x', 'xs', 'xz'], ['q']),
        codes.node,
        node('DequantizeLinear', ['r', 'ys', 'yz'], ['y']),
      ],
    });
    const { value } = await compareHandler(
      {
        kind: 'compare',
        float: folder.model(
          `float${count}.onnx`,
          model({
            ...border,
            initializers: [float.weight, tensor('b', [CHANNELS], Array.from(bias))],
            nodes: [float.node],
          }),
        ),
        quantized: folder.model(`codes${count}.onnx`, quantized),
        data: { source: data, seed: 0, preprocessing: {}, dimensions: {} },
        threads: 1,
        seed: 0,
        dimensions: {},
      },
      { signal: new AbortController().signal, progress: () => {}, partial: () => {} },
    );
    const [gain] = value?.remedies?.filter(({ fix }) => fix === 'per-channel-weights') ?? [];
    const { before = Number.NaN, after = Number.NaN } = gain?.output ?? {};
    expect(before).toBeCloseTo(value?.output?.file?.sqnr ?? Number.NaN, 3);
    expect(after).toBeGreaterThan(before);
    const expected = byFormula(samples, count / INPUTS, op === 'QLinearConv');
    expect(Math.abs(after - expected)).toBeLessThan(0.1);
  });
});
