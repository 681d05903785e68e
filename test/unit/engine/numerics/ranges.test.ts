import { describe, expect, test } from 'vitest';
import { estimatorNames } from '../../../../server/src/engine/base/format-names';
import { fakeQuantize, parametersFor, type Range } from '../../../../server/src/engine/numerics/affine';
import { errorSums } from '../../../../server/src/engine/numerics/metrics';
import { createRandom, normalArray } from '../../../../server/src/engine/numerics/random';
import {
  createEstimator,
  estimators,
  judgesOutputs,
  needsOnlyExtremes,
} from '../../../../server/src/engine/numerics/ranges';
import { clippingValue, laplaceError } from '../../../../server/src/engine/numerics/ranges/aciq';
import { decibel, estimator, observed } from './fixtures/observed';

const uint8 = { bits: 8, signed: false, symmetric: false };
const uint4 = { bits: 4, signed: false, symmetric: false };
const int8 = { bits: 8, signed: true, symmetric: true };
const int4 = { bits: 4, signed: true, symmetric: true };

const names = [
  'min-max',
  'moving-average',
  'percentile',
  'mse',
  'lp',
  'entropy',
  'aciq',
  'cosine',
  'power-of-two',
];

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
    ['aciq', 'aciq:mix'],
    ['aciq:laplace', 'aciq:laplace'],
    ['entropy', 'entropy'],
    ['power-of-two', 'power-of-two'],
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
    'aciq:2',
    'aciq:uniform',
    'mse:laplace',
  ])('refuses %j', (text) => {
    expect(createEstimator(text)).toMatchObject({
      value: undefined,
      issues: [{ code: 'recipe-value', facts: { key: 'estimator' } }],
    });
  });

  test('holds every name of the contract', () => {
    expect([...estimatorNames].sort()).toEqual([...names].sort());
    expect(names.filter(judgesOutputs)).toEqual(['cosine']);
    expect(names.filter(needsOnlyExtremes)).toEqual(['min-max', 'moving-average']);
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

describe('cosine', () => {
  test('no ratio from 0.5 to 1 keeps the direction better', () => {
    for (const power of [1, 3]) {
      const values = normalArray(createRandom(31), 20_000).map((x) => (x + 0.2) ** power);
      for (const scheme of [uint8, uint4, int4]) {
        const full = observed('min-max', values).range(scheme);
        const own = direction(values, observed('cosine', values).range(scheme), scheme);
        for (let ratio = 0.5; ratio <= 1; ratio += 0.02) {
          const other = { min: full.min * ratio, max: full.max * ratio };
          expect(own).toBeGreaterThan(direction(values, other, scheme) - 1e-4);
        }
      }
    }
  });
});

describe('a state that is saved', () => {
  const values = normalArray(createRandom(21), 6000).map((x, i) => x * (1 + i / 3000));

  test.each(names)('%s goes on where it was', (name) => {
    const whole = estimator(name);
    const first = estimator(name);
    whole.observe(values.subarray(0, 3500));
    first.observe(values.subarray(0, 3500));
    const second = estimator(name);
    // Through text, as it is kept in a file.
    second.restore(JSON.parse(JSON.stringify(first.save())));
    for (const one of [whole, second]) one.observe(values.subarray(3500));
    expect(second).toMatchObject({ count: 6000, min: whole.min, max: whole.max });
    for (const scheme of [uint8, int4]) expect(second.range(scheme)).toEqual(whole.range(scheme));
  });

  test.each(names)('%s may be saved before any value', (name) => {
    const fresh = estimator(name);
    fresh.restore(JSON.parse(JSON.stringify(estimator(name).save())));
    expect(fresh.range(uint8)).toEqual({ min: 0, max: 0 });
    fresh.observe(values);
    expect(fresh.range(uint8)).toEqual(observed(name, values).range(uint8));
  });
});

test.each(['mse', 'lp', 'power-of-two'])('%s: merged halves are the whole', (name) => {
  const values = normalArray(createRandom(22), 5000);
  const [left, right] = [observed(name, values.subarray(0, 1234)), observed(name, values.subarray(1234))];
  left.merge?.(right);
  expect(left.range(uint8)).toEqual(observed(name, values).range(uint8));
});

test('a wider percentile never gives a narrower range', () => {
  const values = normalArray(createRandom(23), 20_000).map((x) => x ** 3);
  const widths = ['90', '99', '99.9', '99.99', '100'].map((percent) => {
    const { min, max } = observed(`percentile:${percent}`, values).range(uint8);
    return max - min;
  });
  expect(widths).toEqual([...widths].sort((one, other) => one - other));
});

test('oracles of rounding without clipping: uniform data and a range of k deviations', () => {
  // A uniform distribution over its whole range: 6.0206 dB per bit.
  const uniform = Float32Array.from({ length: 1 << 16 }, (_, i) => (2 * i + 1) / (1 << 16) - 1);
  for (const bits of [4, 6, 8]) {
    const scheme = { bits, signed: false, symmetric: false };
    // 2^b − 1 steps instead of 2^b, and one level at 0.
    const expected = 20 * Math.log10(2 ** bits - 1);
    expect(decibel(uniform, { min: -1, max: 1 }, scheme)).toBeCloseTo(expected, 0);
  }
  // Normal data under ±kσ, rounding alone: 6.0206·b + 10·log10(3 / k²).
  const gauss = normalArray(createRandom(24), 200_000);
  for (const k of [5, 6]) {
    const found = decibel(gauss, { min: -k, max: k }, uint8);
    expect(found).toBeGreaterThan(6.0206 * 8 + 10 * Math.log10(3 / k ** 2) - 0.15);
    expect(found).toBeLessThan(6.0206 * 8 + 10 * Math.log10(3 / k ** 2) + 0.15);
  }
});

test('memory and result do not depend on how the stream is cut', () => {
  const values = normalArray(createRandom(12), 4000).map((x, i) => x * (1 + i / 100));
  for (const name of names.filter((one) => one !== 'moving-average')) {
    const pieces = estimator(name);
    for (let start = 0; start < values.length; start += 7) pieces.observe(values.subarray(start, start + 7));
    expect(pieces.range(uint8)).toEqual(observed(name, values).range(uint8));
  }
});

describe('aciq', () => {
  test.each([
    ['laplace', 2, 2.830683],
    ['laplace', 3, 3.8972295],
    ['laplace', 4, 5.0286401],
    ['laplace', 8, 9.8967598],
    ['gauss', 2, 1.7106352],
    ['gauss', 3, 2.1515927],
    ['gauss', 4, 2.5591364],
    ['gauss', 8, 3.9240369],
  ] as const)('%s at %d bits clips at %d', (prior, bits, alpha) => {
    // The error is so flat around its minimum that the sixth digit is open to how it was searched.
    expect(clippingValue(prior, bits)).toBeCloseTo(alpha, 5);
  });

  test('the expected error at the optimum, which is one', () => {
    expect(laplaceError(clippingValue('laplace', 4), 4)).toBeCloseTo(0.0460215, 7);
    expect(laplaceError(clippingValue('laplace', 8), 8)).toBeCloseTo(0.00059885, 8);
    for (const factor of [0.97, 1.03]) {
      expect(laplaceError(clippingValue('laplace', 4) * factor, 4)).toBeGreaterThan(0.0460215);
    }
  });

  const random = createRandom(16);
  const gauss = normalArray(random, 200_000);
  const laplace = gauss.map(() => Math.log(1 - random.uniform()) * (random.uniform() < 0.5 ? 1 : -1));

  test('two-sided data is clipped at μ ± α', () => {
    const { min, max } = observed(
      'aciq:gauss',
      gauss.map((x) => 2 * x + 1),
    ).range(uint4);
    expect(min).toBeCloseTo(1 - 2 * 2.5591, 1);
    expect(max).toBeCloseTo(1 + 2 * 2.5591, 1);
    expect(observed('aciq:laplace', laplace).range(int4).max).toBeCloseTo(5.0286, 1);
  });

  test('what a ReLU left is clipped as if there were one bit more', () => {
    const { min, max } = observed(
      'aciq:gauss',
      gauss.map((x) => Math.max(x, 0)),
    ).range(uint4);
    expect(min).toBe(0);
    expect(max).toBeCloseTo(2.9362, 1);
    const below = laplace.filter((x) => x < 0);
    const mean = below.reduce((total, x) => total + x, 0) / below.length;
    expect(
      observed(
        'aciq:laplace',
        laplace.map((x) => Math.min(x, 0)),
      ).range(uint4).min,
    ).toBeCloseTo(6.2048 * mean, 3);
  });

  test('mix takes the prior that fits, and none where clipping costs more', () => {
    expect(observed('aciq', gauss).range(int4)).toEqual(observed('aciq:gauss', gauss).range(int4));
    expect(observed('aciq', laplace).range(int4)).toEqual(observed('aciq:laplace', laplace).range(int4));
    const levels = Float32Array.from({ length: 160 }, (_, i) => i % 16);
    expect(observed('aciq', levels).range(uint4)).toEqual({ min: 0, max: 15 });
  });
});

describe('power-of-two', () => {
  test('hand cases', () => {
    expect(observed('power-of-two', [127, -127, 1, 3]).range(int8)).toEqual({ min: -127, max: 127 });
    expect(observed('power-of-two', [0, 1, 2, 15]).range(uint4)).toEqual({ min: 0, max: 15 });
    expect(observed('power-of-two', [-5, 1, 2, 10]).range(uint4)).toEqual({ min: -5, max: 10 });
  });

  test('the scale is a power of two, and no other loses less', () => {
    for (const power of [1, 3]) {
      const values = normalArray(createRandom(17), 4000).map((x) => (x + 0.3) ** power);
      for (const scheme of [uint8, uint4, int8, int4]) {
        const found = observed('power-of-two', values).range(scheme);
        const { scale } = parametersFor(found, scheme);
        expect(Number.isInteger(Math.log2(scale))).toBe(true);
        const own = decibel(values, found, scheme);
        for (let other = scale / 16; other <= scale * 4; other *= 2) {
          const steps = scheme.symmetric ? 2 ** (scheme.bits - 1) - 1 : 2 ** scheme.bits - 1;
          const zero = scheme.symmetric ? steps : Math.round(-found.min / scale);
          const range = { min: -zero * other, max: (scheme.symmetric ? steps : steps - zero) * other };
          expect(own).toBeGreaterThan(decibel(values, range, scheme) - 0.1);
        }
      }
    }
  });
});

/** cos(x, Q(x)). */
function direction(
  values: Float32Array,
  range: Range,
  scheme: { bits: number; signed: boolean; symmetric: boolean },
): number {
  const coded = fakeQuantize(values, parametersFor(range, scheme));
  let [both, real, levels] = [0, 0, 0];
  values.forEach((x, i) => {
    const level = coded[i] ?? 0;
    both += x * level;
    real += x * x;
    levels += level * level;
  });
  return both / Math.sqrt(real * levels);
}
