import { describe, expect, test } from 'vitest';
import { estimatorNames } from '../../../../server/src/engine/base/format-names';
import { fakeQuantize, parametersFor, type Range } from '../../../../server/src/engine/numerics/affine';
import { errorSums, sqnr } from '../../../../server/src/engine/numerics/metrics';
import { createRandom, normalArray } from '../../../../server/src/engine/numerics/random';
import { createEstimator, type Estimator, estimators } from '../../../../server/src/engine/numerics/ranges';

const uint8 = { bits: 8, signed: false, symmetric: false };
const uint4 = { bits: 4, signed: false, symmetric: false };
const int8 = { bits: 8, signed: true, symmetric: true };
const int4 = { bits: 4, signed: true, symmetric: true };

const names = ['min-max', 'moving-average', 'percentile', 'mse', 'lp'];

describe('the registry', () => {
  test('order and names', () => {
    expect(estimators.map(({ name }) => name)).toEqual(names);
  });

  test.each([
    ['min-max', 'min-max'],
    ['percentile', 'percentile:99.99'],
    ['percentile:99.9', 'percentile:99.9'],
    ['lp', 'lp:2.4'],
    ['lp:3', 'lp:3'],
    ['mse', 'mse'],
  ])('%s is %s', (text, id) => {
    expect(createEstimator(text).value?.id).toBe(id);
  });

  test.each([
    '',
    'minmax',
    'percentile:',
    'percentile:40',
    'percentile:101',
    'mse:2',
    'lp:0',
    'lp:x',
    'min-max:1',
  ])('refuses %j', (text) => {
    expect(createEstimator(text)).toMatchObject({
      value: undefined,
      issues: [{ code: 'recipe-value', facts: { key: 'estimator' } }],
    });
  });

  test('the other names of the contract are known but not implemented', () => {
    for (const name of estimatorNames.filter((one) => !names.includes(one))) {
      expect(createEstimator(name).issues).toMatchObject([{ code: 'not-implemented' }]);
    }
  });
});

describe.each(names)('%s', (name) => {
  test('before any value the range is empty', () => {
    expect(estimator(name).range(uint8)).toEqual({ min: 0, max: 0 });
    expect(observed(name, [Number.NaN]).range(int8)).toEqual({ min: 0, max: 0 });
  });

  test('data without negative values gives min = 0 exactly, and the mirror of it', () => {
    const relu = normalArray(createRandom(1), 20_000).map((x) => Math.max(x, 0));
    expect(observed(name, relu).range(uint8).min).toBe(0);
    expect(
      observed(
        name,
        relu.map((x) => x + 5),
      ).range(uint8).min,
    ).toBe(0);
    expect(
      observed(
        name,
        relu.map((x) => -x),
      ).range(uint8).max,
    ).toBe(0);
  });

  test('symmetric schemes get a symmetric range', () => {
    const { min, max } = observed(
      name,
      normalArray(createRandom(2), 5000).map((x) => x - 1),
    ).range(int8);
    expect(min).toBe(-max);
  });

  test('constant, one-element and denormal data give a usable quantizer', () => {
    for (const values of [[3, 3, 3], [-2], [0, 0], [1e-45, 2e-45], [3.4e38, -3.4e38]]) {
      for (const scheme of [uint8, uint4, int8, int4]) {
        const { scale } = parametersFor(observed(name, values).range(scheme), scheme);
        expect(scale).toBeGreaterThan(0);
        expect(Number.isFinite(scale)).toBe(true);
      }
    }
  });

  test('what is not finite is counted and changes nothing', () => {
    const clean = observed(name, [-1, 0.5, 2]);
    const dirty = observed(name, [
      -1,
      Number.NaN,
      0.5,
      Number.POSITIVE_INFINITY,
      2,
      Number.NEGATIVE_INFINITY,
    ]);
    expect(dirty.range(uint8)).toEqual(clean.range(uint8));
    expect(dirty).toMatchObject({ count: 3, nonFinite: 3, min: -1, max: 2 });
  });
});

describe('hand cases', () => {
  test('min-max', () => {
    expect(observed('min-max', [2, -1, 0.5]).range(uint8)).toEqual({ min: -1, max: 2 });
    expect(observed('min-max', [2, 3]).range(uint8)).toEqual({ min: 0, max: 3 });
    expect(observed('min-max', [2, -3]).range(int8)).toEqual({ min: -3, max: 3 });
  });

  test('moving-average keeps 0.9 and takes 0.1 of each batch', () => {
    const average = estimator('moving-average');
    average.observe(Float32Array.of(-1, 10));
    average.observe(Float32Array.of(-2, 20));
    average.observe(new Float32Array());
    const { min, max } = average.range(uint8);
    expect(min).toBeCloseTo(-1.1, 12);
    expect(max).toBeCloseTo(11, 12);
  });

  test('percentile clips both tails', () => {
    const values = Float32Array.from({ length: 10_001 }, (_, i) => (i - 5000) / 1000);
    const { min, max } = observed('percentile:99', values).range(uint8);
    expect(min).toBeCloseTo(-4.9, 2);
    expect(max).toBeCloseTo(4.9, 2);
  });

  test('mse keeps the full range where clipping gains nothing', () => {
    const levels = Float32Array.from({ length: 16 }, (_, i) => i);
    const { min, max } = observed('mse', levels).range(uint4);
    expect(min).toBe(0);
    expect(errorSums(levels, fakeQuantize(levels, parametersFor({ min, max }, uint4))).noise).toBe(0);
  });

  test('lp with a large power protects the outlier, mse gives it up', () => {
    const values = [...normalArray(createRandom(9), 20_000), 12];
    const wide = observed('lp:8', values).range(int4).max;
    const narrow = observed('mse', values).range(int4).max;
    expect(narrow).toBeLessThan(4);
    expect(wide).toBeGreaterThan(1.5 * narrow);
  });
});

describe('least error against an exhaustive search', () => {
  const random = createRandom(11);
  const gauss = normalArray(random, 4000);
  const cases = [
    { name: 'Gaussian', values: gauss },
    { name: 'after a ReLU', values: gauss.map((x) => Math.max(x, 0)) },
    { name: 'shifted', values: gauss.map((x) => x + 1) },
    { name: 'heavy tails', values: gauss.map((x) => x ** 3) },
  ];
  for (const { name, values } of cases) {
    test.each([
      ['uint8', uint8],
      ['uint4', uint4],
      ['int4', int4],
    ])(`${name}, %s`, (_scheme, scheme) => {
      const found = observed('mse', values).range(scheme);
      const full = observed('min-max', values).range(scheme);
      let best = Number.NEGATIVE_INFINITY;
      for (let low = 1; low <= 25; low++) {
        for (let high = 1; high <= 25; high++) {
          best = Math.max(
            best,
            decibel(values, { min: (full.min * low) / 25, max: (full.max * high) / 25 }, scheme),
          );
        }
      }
      expect(decibel(values, found, scheme)).toBeGreaterThan(best - 0.1);
      expect(decibel(values, found, scheme)).toBeGreaterThanOrEqual(decibel(values, full, scheme) - 0.01);
    });
  }
});

test('Gaussian data comes close to the optimal uniform quantizer of Max (1960)', () => {
  const values = normalArray(createRandom(13), 200_000);
  for (const [bits, optimum] of [
    [3, 14.267],
    [4, 19.377],
    [6, 29.829],
    [8, 40.571],
  ] as const) {
    const scheme = { bits, signed: false, symmetric: false };
    const found = decibel(values, observed('mse', values).range(scheme), scheme);
    // A sample has no far tails, which is worth up to 0.1 dB.
    expect(found).toBeLessThan(optimum + 0.1);
    // One level of ours stands at 0 instead of two at ± half a step.
    expect(found).toBeGreaterThan(optimum - 0.4);
  }
});

test('memory and result do not depend on how the stream is cut', () => {
  const values = normalArray(createRandom(12), 4000).map((x, i) => x * (1 + i / 100));
  for (const name of ['min-max', 'percentile', 'mse', 'lp']) {
    const pieces = estimator(name);
    for (let start = 0; start < values.length; start += 7) pieces.observe(values.subarray(start, start + 7));
    expect(pieces.range(uint8)).toEqual(observed(name, values).range(uint8));
  }
});

function estimator(id: string): Estimator {
  const { value } = createEstimator(id);
  if (value === undefined) throw new Error(id);
  return value;
}

function observed(id: string, values: ArrayLike<number>): Estimator {
  const result = estimator(id);
  result.observe(Float32Array.from(values));
  return result;
}

function decibel(
  values: Float32Array,
  range: Range,
  scheme: { bits: number; signed: boolean; symmetric: boolean },
): number {
  return sqnr(errorSums(values, fakeQuantize(values, parametersFor(range, scheme)))) ?? 0;
}
