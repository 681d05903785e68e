import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildKernels } from '../../../../scripts/build-kernels.mjs';
import { distributionFacts, magnitudeBelow } from '../../../../server/src/engine/numerics/activation-facts';
import { loadHistogramKernel } from '../../../../server/src/engine/numerics/kernels/histogram';
import { createRandom, normalArray } from '../../../../server/src/engine/numerics/random';
import { Histogram } from '../../../../server/src/engine/numerics/stats';

const uint8 = { bits: 8, signed: false, symmetric: false };

test('the committed constant is what histogram.wat assembles to', async () => {
  const file = path.resolve(__dirname, '../../../../server/src/engine/numerics/kernels/histogram-binary.ts');
  expect(readFileSync(file, 'utf8')).toBe(await buildKernels('histogram.wat', 'histogramBinary'));
});

test('this engine has SIMD, so that what follows compares two implementations', () => {
  expect(loadHistogramKernel()).toBeDefined();
});

describe('counted by the kernel as element by element', () => {
  const random = createRandom(41);
  const gauss = normalArray(random, 70_001);
  const cases: readonly (readonly [string, Float32Array])[] = [
    ['normal', gauss],
    ['after a ReLU', gauss.map((x) => Math.max(x, 0))],
    ['one side', gauss.map((x) => -Math.abs(x) - 3)],
    ['growing', gauss.map((x, i) => x * (1 + i / 100))],
    ['heavy tails', gauss.map((x) => x ** 7)],
    ['tiny', gauss.map((x) => x * 1e-30)],
    ['huge', gauss.map((x) => x * 1e36)],
    ['denormal', gauss.map((x) => x * 1e-43)],
    ['constant', gauss.map(() => 0.3)],
    ['negative zero', gauss.map((x) => (x > 0 ? -0 : x))],
    ['over several blocks', normalArray(random, 300_000).map((x, i) => x * (i > 200_000 ? 3 : 1))],
    ['zeros first', gauss.map((x, i) => (i < 5000 ? 0 : x))],
    ['one NaN far behind', gauss.map((x, i) => (i === 60_000 ? Number.NaN : x))],
    ['with NaN and infinities', gauss.map((x, i) => [x, Number.NaN, Number.POSITIVE_INFINITY][i % 997] ?? x)],
  ];
  test.each(cases)('%s', (_name, values) => {
    // Chunks of fewer than 1024 elements are never given to the kernel.
    const plain = new Histogram();
    for (let at = 0; at < values.length; at += 700) plain.observe(values.subarray(at, at + 700), 700);
    const fast = new Histogram();
    fast.observe(values, 700);
    const { counts, ...rest } = fast.save();
    const { counts: expected, ...others } = plain.save();
    expect(counts).toEqual(expected);
    for (const key of ['count', 'zeros', 'nonFinite', 'min', 'max', 'exponent', 'first', 'from'] as const)
      expect(rest[key], key).toBe(others[key]);
    expect(rest.sum).toBeCloseTo(others.sum, -Math.log10(Math.abs(others.squares) ** 0.5 * 1e-6 + 1e-300));
    expect(Math.abs(rest.squares / others.squares - 1) || 0).toBeLessThan(1e-9);
    for (const key of ['leastDeviation', 'largestDeviation'] as const)
      expect(Math.abs((rest[key] ?? 0) / (others[key] ?? 0) - 1) || 0, key).toBeLessThan(1e-6);
  });
});

describe('rows', () => {
  test('the deviation within rows, whatever blocks they are cut into', () => {
    const rows = 7;
    const length = 20_000;
    const random = createRandom(42);
    const values = Float32Array.from({ length: rows * length }, (_, i) => {
      return (1 + Math.floor(i / length)) * random.normal();
    });
    const histogram = new Histogram();
    histogram.observe(values, length);
    expect(histogram.leastDeviation).toBeCloseTo(1, 1);
    expect(histogram.largestDeviation / 7).toBeCloseTo(1, 1);
    expect(histogram.mean).toBeCloseTo(0, 1);
    expect(histogram.deviation).toBeCloseTo(Math.sqrt((1 + 4 + 9 + 16 + 25 + 36 + 49) / 7), 1);
  });

  test('constant rows have none', () => {
    const histogram = new Histogram();
    histogram.observe(
      Float32Array.from({ length: 4000 }, (_, i) => (i < 2000 ? 0.1 : i % 2)),
      2000,
    );
    expect(histogram.leastDeviation).toBe(0.5);
  });
});

describe('facts of a distribution', () => {
  const of = (values: ArrayLike<number>) => {
    const histogram = new Histogram();
    histogram.observe(Float32Array.from(values));
    return histogram;
  };

  test('equally frequent codes are all effective', () => {
    const values = Float32Array.from({ length: 25_600 }, (_, i) => i % 256);
    const facts = distributionFacts(of(values), { min: 0, max: 255 }, uint8);
    // Zeros are left out.
    expect(facts.effectiveLevels).toBeCloseTo(255, 0);
    expect(facts).toMatchObject({ levels: 256, clippedShare: 0 });
  });

  test('two values are two levels, and zeros beside them count for nothing', () => {
    const values = Float32Array.from({ length: 4000 }, (_, i) => [0, 0, 1, 2][i % 4] ?? 0);
    expect(distributionFacts(of(values), { min: 0, max: 4 }, uint8).effectiveLevels).toBeCloseTo(2, 6);
  });

  test('what lies beyond the range is clipped', () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => i / 1000);
    const { clippedShare } = distributionFacts(of(values), { min: 0, max: 0.75 }, uint8);
    expect(clippedShare).toBeCloseTo(0.25, 2);
  });

  test('magnitudes of both signs', () => {
    const values = Float32Array.from({ length: 20_001 }, (_, i) => (i - 10_000) / 1000);
    expect(magnitudeBelow(of(values), 0.5)).toBeCloseTo(5, 1);
    expect(magnitudeBelow(of(values), 0.9999)).toBeCloseTo(10, 2);
    expect(magnitudeBelow(of([-3, 0, 0, 0]), 1)).toBe(3);
    expect(magnitudeBelow(new Histogram(), 0.5)).toBe(0);
  });
});
