import { describe, expect, test } from 'vitest';
import { loadKernels } from '../../../../server/src/engine/numerics/kernels/module';
import { errorSums, sqnr } from '../../../../server/src/engine/numerics/metrics';
import { dequantizeWeight, quantizeWeight } from '../../../../server/src/engine/numerics/quantize-weight';
import { createRandom, normalArray } from '../../../../server/src/engine/numerics/random';
import { parseQuantScheme } from '../../../../server/src/engine/numerics/scheme';
import { KERNEL_DECIBEL } from '../../../../server/src/engine/numerics/tolerances';
import { type WeightErrors, weightErrors } from '../../../../server/src/engine/numerics/weight-error';
import { standardWeightFormats } from '../../../../server/src/protocol/reports';

const kernels = ['auto', 'scalar'] as const;

describe.each(kernels)('hand cases, %s', (kernel) => {
  const rows = Float32Array.of(1, -0.5, 0.25, 0.75, 0.01, -0.005, 0.0025, 0.0075);

  test('per-tensor and per-channel: 46.455 dB and 49.066 dB', () => {
    const formats = ['int8.tensor', 'int8.channel'];
    const { sqnr: total, channelSqnr } = measured(rows, [2, 4], 0, formats, kernel, formats);
    expect(total['int8.tensor']).toBeCloseTo(46.455, 3);
    expect(total['int8.channel']).toBeCloseTo(49.066, 3);
    expect(channelSqnr['int8.tensor']?.[1]).toBeCloseTo(9.904, 3);
    expect(channelSqnr['int8.channel']?.[0]).toBeCloseTo(49.066, 3);
    expect(channelSqnr['int8.channel']?.[1]).toBeCloseTo(49.066, 3);
  });

  test('the same weight with channels last', () => {
    const columns = Float32Array.of(1, 0.01, -0.5, -0.005, 0.25, 0.0025, 0.75, 0.0075);
    expect(measured(columns, [4, 2], 1, ['int8.channel', 'int2.channel'], kernel).sqnr).toEqual(
      measured(rows, [2, 4], 0, ['int8.channel', 'int2.channel'], kernel).sqnr,
    );
  });

  test('groups run along the inputs of a channel and the last is shorter', () => {
    // 16 ones and a rest of 4 tenths: the rest has a scale of its own, so nothing is lost.
    const channel = [...new Array<number>(16).fill(1), ...new Array<number>(4).fill(0.1)];
    const data = Float32Array.from([...channel, ...channel.map((x) => -2 * x)]);
    const { sqnr: total } = measured(
      data,
      [2, 20],
      0,
      ['int2.group16', 'int2.channel', 'int2.group32'],
      kernel,
    );
    expect(total['int2.group16']).toBe(120);
    expect(total['int2.channel']).toBeCloseTo(10 * Math.log10((16 + 0.04) / 0.04), 4);
    expect(total['int2.group32']).toBe(total['int2.channel']);
  });

  test('statistics', () => {
    const { statistics } = measured(Float32Array.of(-3, 1, 0, 2, -1, 1), [3, 2], 0, [], kernel);
    expect(statistics).toMatchObject({ count: 6, nonFinite: 0, min: -3, max: 2 });
    expect(Array.from(statistics.channelAbsMax)).toEqual([3, 2, 1]);
    // Mean 0, Σx² = 16, Σx⁴ = 100.
    expect(statistics.kurtosis).toBeCloseTo(100 / 6 / (16 / 6) ** 2, 6);
  });

  test('a weight of zeros has no SQNR, a constant one no kurtosis', () => {
    const zeros = measured(new Float32Array(8), [2, 4], 0, ['int8.tensor', 'int4.group32'], kernel);
    expect(zeros.sqnr).toEqual({ 'int8.tensor': null, 'int4.group32': null });
    expect(zeros.statistics).toMatchObject({ min: 0, max: 0, kurtosis: null });
    expect(measured(new Float32Array(8).fill(0.1), [8], 0, [], kernel).statistics.kurtosis).toBeNull();
  });

  test('an empty weight has nothing to measure', () => {
    const { sqnr: total, statistics } = measured(new Float32Array(), [0, 4], 0, ['int8.channel'], kernel);
    expect(total).toEqual({ 'int8.channel': null });
    expect(statistics).toMatchObject({ count: 0, min: 0, max: 0, kurtosis: null });
  });

  test('NaN and infinities are an issue, not a value', () => {
    const data = Float32Array.of(1, Number.NaN, 2, Number.POSITIVE_INFINITY, -4, 0, 0, 0);
    const options = { tensor: 'w', kernel, channelFormats: ['int8.channel'] };
    const { value, issues } = weightErrors(data, [2, 4], 0, ['int8.channel'], options);
    expect(value?.sqnr).toEqual({ 'int8.channel': null });
    expect(value?.channelSqnr).toEqual({ 'int8.channel': [null, null] });
    expect(value?.statistics).toMatchObject({ nonFinite: 2, min: -4, max: 2, kurtosis: null });
    expect(issues).toMatchObject([
      { code: 'tensor-not-finite', facts: { tensor: 'w', count: 2 }, severity: 'warning' },
    ]);
  });

  test('channels far smaller than the tensor still have their own figure', () => {
    for (const tiny of [1e-16, 1e-20, 1e-30, 1e-35, 1e-42]) {
      const data = Float32Array.from([1, -0.7, 0.3, 0.2, tiny, tiny * 0.7, -tiny * 0.3, 0]);
      const formats = ['int8.tensor', 'int8.channel'];
      const { channelSqnr } = measured(data, [2, 4], 0, formats, kernel, formats);
      // All codes are 0 under the tensor's scale.
      expect(channelSqnr['int8.tensor']?.[1]).toBe(0);
      const own = channelSqnr['int8.channel']?.[1] ?? 0;
      if (tiny > 1e-38) expect(own).toBeGreaterThan(40);
      else expect(own).toBe(0);
    }
  });

  test('unknown formats are issues', () => {
    expect(weightErrors(new Float32Array(1), [1], 0, ['int8'], { kernel })).toMatchObject({
      value: undefined,
      issues: [{ code: 'scheme-unknown' }],
    });
    expect(weightErrors(new Float32Array(1), [1], 0, ['nf5'], { kernel }).issues).toMatchObject([
      { code: 'scheme-unknown' },
    ]);
  });
});

describe('known distributions', () => {
  const random = createRandom(21);

  test('uniform values at full range: 6.02 dB a bit', () => {
    const data = Float32Array.from({ length: 400_000 }, () => random.uniform() * 2 - 1);
    const { sqnr: total } = measured(data, [400_000], null, ['int4.tensor', 'int8.tensor'], 'auto');
    for (const bits of [4, 8]) {
      // ±(2^(b−1) − 1) has 2^b − 1 levels; the outer half steps are empty, which the tie in (2^b − 2) accounts for.
      expect(total[`int${bits}.tensor`]).toBeCloseTo(20 * Math.log10(2 ** bits - 2), 1);
    }
  });

  test('Gaussian values at ±kσ: 6.02 b + 10·log10(3/k²)', () => {
    const data = normalArray(random, 400_000).map((x) => Math.max(-4, Math.min(4, x)));
    data[0] = 4;
    const { sqnr: total } = measured(data, [400_000], null, ['int8.tensor'], 'auto');
    expect(total['int8.tensor']).toBeCloseTo(20 * Math.log10(254) + 10 * Math.log10(3 / 16), 1);
  });
});

/** Layouts that take every path: rows with all rests of a vector, cut channels, transposed and gathered ones. */
const layouts: readonly (readonly [shape: readonly number[], axis: number | null])[] = [
  [[1], null],
  [[5], 0],
  [[3, 1], 0],
  [[16, 3, 3, 3], 0],
  [[33, 9], 0],
  [[9, 33], 1],
  [[130, 77], 1],
  [[64, 4], -1],
  [[7, 5, 3, 3], 1],
  [[32, 2, 4, 4], 1],
  [[2, 600_001], 0],
  [[300_001, 2], 1],
  [[257, 2100], 1],
];
const formats = [
  ...standardWeightFormats,
  'int5.channel',
  'int6.group64',
  'int7.tensor',
  'int16.channel',
  'uint8.tensor.sym',
  'uint4.group32',
  'int8.channel.asym',
  'uint8.tensor',
  'uint4.channel',
  'uint3.group16',
  'uint16.channel',
];

describe('kernels against the reference', () => {
  test('are available here', () => {
    expect(loadKernels()).toBeDefined();
  });

  test.each(layouts)('shape %j, channel axis %j', (shape, axis) => {
    const data = normalArray(createRandom(31), product(shape));
    checkTwin(data, shape, axis);
  });

  test('values next to rounding ties get the same codes', () => {
    // One value per row stands within two float32 steps of k + ½ codes, where x · (1 / scale) and x / scale part. The
    // other code would change the row's noise by 4e-5, which is 2e-4 dB.
    const random = createRandom(32);
    const bits = new Uint32Array(1);
    const float = new Float32Array(bits.buffer);
    const rows = 3000;
    const data = new Float32Array(rows * 8);
    for (let row = 0; row < rows; row++) {
      const absMax = 0.5 + random.uniform();
      float[0] = (absMax / 127) * (random.integer(126) + 0.5);
      bits[0] = (bits[0] ?? 0) + random.integer(5) - 2;
      data.set([absMax, float[0] ?? 0], row * 8);
    }
    const names = ['int8.channel'];
    const twin = measured(data, [rows, 8], 0, names, 'auto', names).channelSqnr['int8.channel'];
    const reference = measured(data, [rows, 8], 0, names, 'scalar', names).channelSqnr['int8.channel'];
    expect(twin).toHaveLength(rows);
    twin?.forEach((decibel, row) => {
      expect(Math.abs((decibel ?? 0) - (reference?.[row] ?? 0))).toBeLessThan(5e-6);
    });
  });

  test('magnitudes from denormal to the largest float', () => {
    for (const factor of [1e-45, 1e-38, 1e-30, 1e-16, 1e-10, 1e10, 1e13, 1e30]) {
      checkTwin(
        normalArray(createRandom(33), 480).map((x) => x * factor),
        [12, 40],
        0,
        factor > 1e-16 && factor < 1e12,
      );
    }
  });

  test('channels of zeros and of very different sizes', () => {
    const data = normalArray(createRandom(34), 640).map(
      (x, i) => x * ([1, 0, 1e-3, 1e-12, 1e-18, 1e-25, 1e-42, 1e5][i % 8] ?? 0),
    );
    checkTwin(data, [80, 8], 1);
  });
});

describe('streams', () => {
  const shape = [700, 300];
  const data = normalArray(createRandom(41), 210_000);

  test.each(kernels)('pieces from a reader give the same sums, %s', (kernel) => {
    for (const axis of [0, 1]) {
      const target = new Float32Array(1 << 20);
      const reader = (offset: number, length: number) => {
        // The piece is only valid until the next call.
        target.fill(Number.NaN);
        target.set(data.subarray(offset, offset + length));
        return target.subarray(0, length);
      };
      const options = { kernel };
      expect(weightErrors(reader, shape, axis, formats, options).value).toEqual(
        weightErrors(data, shape, axis, formats, options).value,
      );
    }
  });

  test('a weight of 1.2 GB needs 40 MB', () => {
    const piece = normalArray(createRandom(42), 1 << 22);
    const reader = (_offset: number, length: number) => piece.subarray(0, length);
    const { value } = weightErrors(reader, [300, 1_000_000], 0, ['int4.group128']);
    expect(value?.fastElements).toBe(300_000_000);
    expect(value?.sqnr['int4.group128']).toBeGreaterThan(15);
    expect(loadKernels()?.memory.buffer.byteLength).toBeLessThan(40 << 20);
  });
});

test('the figure is that of the codes that are exported', () => {
  const data = normalArray(createRandom(51), 40 * 48);
  for (const format of formats) {
    const scheme = parseQuantScheme(format).value;
    if (scheme === undefined) throw new Error(format);
    for (const axis of [0, 1]) {
      const shape = axis === 0 ? [40, 48] : [48, 40];
      const exported = dequantizeWeight(quantizeWeight(data, shape, axis, scheme), shape, axis);
      const difference =
        (sqnr(errorSums(data, exported)) ?? 0) - (measured(data, shape, axis, [format]).sqnr[format] ?? 0);
      expect(Math.abs(difference)).toBeLessThan(KERNEL_DECIBEL);
    }
  }
});

/** Measures with both and compares every figure. `fast` = the kernels must have done it. */
function checkTwin(data: Float32Array, shape: readonly number[], axis: number | null, fast = true): void {
  const channelFormats = ['int8.tensor', 'int8.channel', 'int4.group32'];
  const twin = measured(data, shape, axis, formats, 'auto', channelFormats);
  const reference = measured(data, shape, axis, formats, 'scalar', channelFormats);
  expect(reference.fastElements).toBe(0);
  if (fast) expect(twin.fastElements).toBe(data.length);
  for (const format of formats) checkDecibel(twin.sqnr[format], reference.sqnr[format]);
  for (const format of channelFormats) {
    reference.channelSqnr[format]?.forEach((decibel, channel) => {
      checkDecibel(twin.channelSqnr[format]?.[channel], decibel);
    });
  }
  const { kurtosis, ...exact } = twin.statistics;
  expect(exact).toEqual({ ...reference.statistics, kurtosis: undefined });
  if (reference.statistics.kurtosis === null) expect(kurtosis).toBeNull();
  else expect(Math.abs((kurtosis ?? 0) / reference.statistics.kurtosis - 1)).toBeLessThan(1e-5);
}

function checkDecibel(twin: number | null | undefined, reference: number | null | undefined): void {
  if (reference === null || reference === undefined) expect(twin).toBe(reference);
  else expect(Math.abs((twin ?? Number.NaN) - reference)).toBeLessThan(KERNEL_DECIBEL);
}

function measured(
  data: Float32Array,
  shape: readonly number[],
  axis: number | null,
  names: readonly string[],
  kernel: 'auto' | 'scalar' = 'auto',
  channelFormats: readonly string[] = [],
): WeightErrors {
  const { value, issues } = weightErrors(data, shape, axis, names, { kernel, channelFormats });
  if (value === undefined) throw new Error(JSON.stringify(issues));
  return value;
}

function product(shape: readonly number[]): number {
  return shape.reduce((total, dimension) => total * dimension, 1);
}
