import { describe, expect, test } from 'vitest';
import {
  GELU_MINIMUM,
  logSqrt2Value,
  nestedValue,
  twinGeluValue,
  twinSoftmaxValue,
} from '../../../../server/src/engine/numerics/activation-levels';
import {
  basisLevels,
  fitBasis,
  kMeansLevels,
  refitBasis,
  roundToLevels,
  sortedValues,
} from '../../../../server/src/engine/numerics/codebook';
import { levelFakeQuantize } from '../../../../server/src/engine/numerics/level-error';
import {
  balanced,
  levelFormat,
  levelFormats,
  nf4Levels,
} from '../../../../server/src/engine/numerics/level-formats';
import { blockScale, floatElements, roundToElement } from '../../../../server/src/engine/numerics/lowfloat';
import { errorSums, sqnr } from '../../../../server/src/engine/numerics/metrics';
import { createRandom, normalArray } from '../../../../server/src/engine/numerics/random';
import { gelu } from '../../../../server/src/engine/numerics/special-functions';
import { KERNEL_DECIBEL } from '../../../../server/src/engine/numerics/tolerances';
import { weightErrors } from '../../../../server/src/engine/numerics/weight-error';

const block = [5, 2.6, 0.3, -0.24];

describe('low-bit floats', () => {
  test('E2M1 has eight magnitudes; ties go to the even code', () => {
    const levels = [0, 0.5, 1, 1.5, 2, 3, 4, 6];
    expect(reachable('e2m1', 8, 0.01)).toEqual(levels);
    for (let i = 0; i + 1 < levels.length; i++) {
      const tie = ((levels[i] ?? 0) + (levels[i + 1] ?? 0)) / 2;
      expect(roundToElement(tie, floatElements.e2m1)).toBe(levels[i % 2 === 0 ? i : i + 1]);
      expect(roundToElement(-tie, floatElements.e2m1)).toBe(-(levels[i % 2 === 0 ? i : i + 1] ?? 0));
    }
  });

  test('E2M3 and E3M2 have 32 magnitudes', () => {
    const e2m3 = reachable('e2m3', 9, 0.01);
    expect(e2m3).toHaveLength(32);
    expect(e2m3.slice(0, 10)).toEqual([0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1, 1.125]);
    const e3m2 = reachable('e3m2', 32, 0.01);
    expect(e3m2).toHaveLength(32);
    expect(e3m2.slice(0, 6)).toEqual([0, 0.0625, 0.125, 0.1875, 0.25, 0.3125]);
    expect(e3m2.at(-1)).toBe(28);
  });

  test.each([
    // Largest, smallest normal and subnormal value, half of that (a tie with zero), saturation.
    ['e4m3', [448, 2 ** -6, 2 ** -9, 0, 448], [440, 2 ** -6, 2 ** -9, 2 ** -10, 1e6]],
    ['e5m2', [57344, 2 ** -14, 2 ** -16, 0, 57344], [57000, 2 ** -14, 2 ** -16, 2 ** -17, 1e6]],
    // 17 lies between 16 and 18, 19 between 18 and 20, 464 would be the next binade's.
    ['e4m3', [16, 20, 18, -16, 448], [17, 19, 18.1, -17, 464]],
  ] as const)('%s: %j', (element, expected, values) => {
    expect(values.map((x) => roundToElement(x, floatElements[element]))).toEqual(expected);
  });

  test('block scales are powers of two that bring the largest value into the last binade', () => {
    expect(blockScale(5, floatElements.e2m1)).toBe(1);
    expect(blockScale(7, floatElements.e2m1)).toBe(1);
    expect(blockScale(8, floatElements.e2m1)).toBe(2);
    expect(blockScale(1, floatElements.e4m3)).toBe(2 ** -8);
    expect(blockScale(1, floatElements.e5m2)).toBe(2 ** -15);
    expect(blockScale(1, floatElements.e3m2)).toBe(2 ** -4);
    expect(blockScale(1, floatElements.e2m3)).toBe(2 ** -2);
    expect(blockScale(0, floatElements.e2m1)).toBe(2 ** -127);
  });
});

describe('hand cases of weights', () => {
  test('mxfp4: scale 1, 5 ties to the even code 4; 7 saturates', () => {
    expect(rounded('mxfp4', block)).toEqual([4, 3, 0.5, -0]);
    expect(rounded('mxfp4', [7, 1])).toEqual([6, 1]);
  });

  test('mxfp6 and mxfp8', () => {
    // Scales 2^0, 2^-2 and 2^-6.
    expect(rounded('mxfp6e2m3', block)).toEqual([5, 2.5, 0.25, -0.25]);
    expect(rounded('mxfp6e3m2', block)).toEqual([5, 2.5, 0.3125, -0.25]);
    expect(rounded('mxfp8e4m3', block)).toEqual([5, 2.5, 0.3125, -0.234375]);
  });

  test('nvfp4: two levels of scales', () => {
    expectClose(rounded('nvfp4', block), [5, 2.5, 0.416667, -0.416667]);
    // A second block of the tensor reaches 50: the first one's scale becomes 44 · s_g.
    const both = rounded('nvfp4', [...block, ...new Array<number>(12).fill(0), 50, 1]);
    expectClose(both.slice(0, 4), [4.910714, 2.455357, 0.409226, -0.409226]);
    expect(both[16]).toBeCloseTo(50, 5);
  });

  test('fp8: scale max|w| / 448, per channel or per tensor', () => {
    const rows = [448, 17, 1, -0.0009, 4.48, 0.17, 0.01, 0];
    expectClose(rounded('fp8e4m3', rows, [2, 4]), [448, 16, 1, 0, 4.48, 0.16, 0.01, 0]);
    expectClose(rounded('fp8e4m3.tensor', rows, [2, 4]), [448, 16, 1, 0, 4.5, 0.171875, 0.009765625, 0]);
    expectClose(rounded('fp8e5m2', [57344, 9, 11], [1, 3]), [57344, 8, 12]);
  });

  test('nf4: the table times max|w| of 64 values', () => {
    const values = [...nf4Levels, ...new Array<number>(48).fill(0), 2, 0.1, -0.5];
    const expected = [
      ...nf4Levels,
      ...new Array<number>(48).fill(0),
      2,
      2 * 0.07958029955625534,
      -2 * 0.28444138169288635,
    ];
    expectClose(rounded('nf4', values), expected);
    expect(nf4Levels).toHaveLength(16);
  });

  test('pow2.int8: the scale covers max|w|', () => {
    // 127 / 127 = 1 is a power of two itself; 128 / 127 needs 2.
    expect(rounded('pow2.int8', [127, 63.4, -1.5])).toEqual([127, 63, -2]);
    expect(rounded('pow2.int8', [128, 63.4, -3])).toEqual([128, 64, -4]);
  });

  test('log4 and logsqrt2.4: powers of two and of its root', () => {
    expectClose(rounded('log4', [8, -3, 1, 0.125, 0.08, 0]), [8, -4, 1, 0.125, 0, 0]);
    expectClose(rounded('logsqrt2.4', [8, -3, 1, 0.8, 0]), [8, -8 / 2 ** 1.5, 1, 0, 0]);
  });

  test('binary: mean ± standard deviation · 2^round(log2 E|w~|)', () => {
    expect(rounded('binary', [3, 1, 3, 1])).toEqual([3, 1, 3, 1]);
    const { mean, deviation, scale } = balanced(normalArray(createRandom(3), 100_000));
    expect(mean).toBeCloseTo(0, 1);
    expect(deviation).toBeCloseTo(1, 1);
    // E|w~| = 0.7979, and 2^0 is the nearest power.
    expect(scale).toBe(1);
    expect(rounded('binary', [5, 5])).toEqual([5, 5]);
  });

  test('kmeans4: sixteen clusters are found, and the same ones again', () => {
    const random = createRandom(5);
    const centres = Array.from({ length: 16 }, (_, i) => i * i - 40);
    const values = Array.from({ length: 3000 }, () => centres[random.integer(16)] ?? 0);
    expect(rounded('kmeans4', values)).toEqual(values);
    const gauss = normalArray(createRandom(6), 5000);
    expect(rounded('kmeans4', gauss)).toEqual(rounded('kmeans4', gauss));
  });
});

describe('codebooks', () => {
  const x = Float32Array.of(0.1, 0.4, 0.9, 1.1, 1.6, 2.2, 2.9, 3.4);

  test('LQ-Nets with switches: codes, refit, fixed point', () => {
    const sorted = sortedValues(x);
    expect(basisLevels([1, 2], 'switches')).toEqual([0, 1, 2, 3]);
    expect(basisError(x, [1, 2])).toBeCloseTo(0.07, 6);
    const next = refitBasis(sorted, [1, 2], 'switches');
    expect(next[0]).toBeCloseTo(1.083333, 6);
    expect(next[1]).toBeCloseTo(1.983333, 6);
    expect(basisError(x, next)).toBeCloseTo(0.0670833, 6);
    expect(fitBasis(sorted, [1, 2], 'switches')).toEqual(next);
  });

  test('LQ-Nets on Gaussian weights finds the levels of Lloyd and Max: ± 0.4528, ± 1.510, 9.30 dB', () => {
    const data = normalArray(createRandom(7), 200_000);
    const levels = [...new Set(rounded('lq2', data))].sort((a, b) => a - b);
    [-1.51, -0.4528, 0.4528, 1.51].forEach((level, i) => {
      expect(levels[i]).toBeCloseTo(level, 1);
    });
    expect(decibel('lq2', data)).toBeCloseTo(9.3, 1);
  });

  test('k-means on Gaussian weights comes close to Lloyd and Max: 20.22 dB at 16 levels', () => {
    expect(decibel('kmeans4', normalArray(createRandom(8), 100_000))).toBeGreaterThan(20.15);
  });

  test('fewer values than levels lose nothing', () => {
    for (const values of [[1], [1, 1, 2], [0, 0, 0]]) {
      const data = Float32Array.from(values);
      const target = new Float32Array(data.length);
      roundToLevels(data, target, kMeansLevels(sortedValues(data), 16, createRandom(0)));
      expect(Array.from(target)).toEqual(values);
    }
  });
});

describe('activations and nested codes', () => {
  test.each([
    [1, 1],
    [Math.SQRT1_2, Math.SQRT1_2],
    [0.5, 0.5],
    [0.3, 0.353553],
    [0.01, 0.0110485],
    [0.004, 0],
    [0, 0],
  ])('log√2 of %d at 4 bits is %d', (value, expected) => {
    expect(logSqrt2Value(value, 1, 4)).toBeCloseTo(expected, 5);
  });

  test('twin Softmax quantizer', () => {
    expect(twinSoftmaxValue(0.001, 8, 2 ** -8)).toBeCloseTo(0.00101501, 8);
    expect(twinSoftmaxValue(0.5, 8, 2 ** -8)).toBeCloseTo(0.503937, 6);
    expect(twinSoftmaxValue(1, 8, 2 ** -8)).toBe(1);
  });

  test('GELU is least at −0.75179, and the twin reaches just that', () => {
    expect(gelu(-0.7517915)).toBeCloseTo(GELU_MINIMUM, 12);
    expect(GELU_MINIMUM).toBeCloseTo(-0.16997124, 7);
    for (let x = -6; x < 6; x += 0.01) expect(gelu(x)).toBeGreaterThanOrEqual(GELU_MINIMUM - 1e-12);
    expect(twinGeluValue(GELU_MINIMUM, 8, 0.02)).toBeCloseTo(GELU_MINIMUM, 12);
    expect(twinGeluValue(0.05, 8, 0.02)).toBeCloseTo(0.04, 12);
  });

  test('nested codes: 200 of 256 at step 1/128', () => {
    expect(nestedValue(200, 8, 8, 1 / 128)).toBe(0.56640625);
    expect(nestedValue(200, 8, 4, 1 / 128)).toBe(0.5625);
    expect(nestedValue(200, 8, 2, 1 / 128)).toBe(0.75);
  });
});

describe.each(levelFormats.map(({ name }) => name))('%s', (name) => {
  test('has a figure in weightErrors, which is that of the values themselves', () => {
    for (const [shape, axis] of [
      [[24, 50], 0],
      [[50, 24], 1],
      [[6, 5, 3, 4], 1],
      [[1200], null],
    ] as const) {
      const count = shape.reduce<number>((total, one) => total * one, 1);
      const data = normalArray(createRandom(61), count).map((x, i) => x * (1 + (i % 5)));
      const { value, issues } = weightErrors(data, shape, axis, ['int8.tensor', name, 'int4.channel'], {
        channelFormats: [name],
      });
      expect(issues).toEqual([]);
      const remains = levelFakeQuantize(data, shape, axis, known(name));
      const difference = (value?.sqnr[name] ?? Number.NaN) - (sqnr(errorSums(data, remains)) ?? 0);
      expect(Math.abs(difference)).toBeLessThan(KERNEL_DECIBEL);
      expect(value?.channelSqnr[name]?.every((one) => one !== null && one > 0)).toBe(true);
      const alone = weightErrors(data, shape, axis, ['int8.tensor', 'int4.channel']).value?.sqnr ?? {};
      expect(value?.sqnr).toMatchObject(alone);
    }
  });

  test('zeros remain zeros and have no SQNR; NaN is an issue', () => {
    expect(rounded(name, [0, 0, 0]).map(Math.abs)).toEqual([0, 0, 0]);
    expect(weightErrors(new Float32Array(6), [2, 3], 0, [name]).value?.sqnr).toEqual({ [name]: null });
    const { value, issues } = weightErrors(Float32Array.of(1, Number.NaN), [2], 0, [name]);
    expect(value?.sqnr).toEqual({ [name]: null });
    expect(issues).toMatchObject([{ code: 'tensor-not-finite' }]);
    expect(weightErrors(new Float32Array(), [0, 4], 0, [name]).value?.sqnr).toEqual({ [name]: null });
  });
});

test('on Gaussian weights formats rank as their bits and blocks say', () => {
  const data = normalArray(createRandom(62), 64 * 512).map((x, i) => x * (1 + (Math.floor(i / 512) % 7)));
  const names = levelFormats.map(({ name }) => name);
  const figures = weightErrors(data, [64, 512], 0, names).value?.sqnr ?? {};
  const ascending = ['binary', 'lq2', 'log4', 'mxfp4', 'nvfp4', 'mxfp6e3m2', 'mxfp6e2m3', 'pow2.int8'];
  ascending.reduce((before, name) => {
    expect(figures[name], name).toBeGreaterThan(figures[before] ?? 0);
    return name;
  });
  expect(figures.nf4).toBeGreaterThan(figures.mxfp4 ?? 0);
  // Two or three mantissa bits: about 6 dB each.
  expect((figures.fp8e4m3 ?? 0) - (figures.fp8e5m2 ?? 0)).toBeCloseTo(6, 0);
  expect(figures.fp8e4m3).toBe(figures['fp8e4m3.channel']);
});

function known(name: string) {
  const format = levelFormat(name);
  if (format === undefined) throw new Error(name);
  return format;
}

function rounded(
  name: string,
  values: ArrayLike<number>,
  shape: readonly number[] = [1, values.length],
): number[] {
  return Array.from(levelFakeQuantize(Float32Array.from(values), shape, 0, known(name)));
}

function decibel(name: string, data: Float32Array): number {
  return weightErrors(data, [1, data.length], 0, [name]).value?.sqnr[name] ?? Number.NaN;
}

function expectClose(values: readonly number[], expected: readonly number[]): void {
  expect(values).toHaveLength(expected.length);
  values.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 5);
  });
}

/** Different magnitudes that values from 0 to `limit` round to, ascending. */
function reachable(element: keyof typeof floatElements, limit: number, step: number): number[] {
  const found = new Set<number>();
  for (let x = 0; x < limit; x += step) found.add(roundToElement(x, floatElements[element]));
  return [...found].sort((a, b) => a - b);
}

function basisError(x: Float32Array, basis: readonly [number, number]): number {
  const target = new Float32Array(x.length);
  roundToLevels(
    x,
    target,
    [...basisLevels(basis, 'switches')].sort((a, b) => a - b),
  );
  return errorSums(x, target).noise / x.length;
}
