import { describe, expect, test } from 'vitest';
import { createRandom, normalArray } from '../../../../server/src/engine/numerics/random';
import { HISTOGRAM_BINS, Histogram, Moments } from '../../../../server/src/engine/numerics/stats';
import { MOMENT_RELATIVE } from '../../../../server/src/engine/numerics/tolerances';

describe('Moments', () => {
  test('of a hand case', () => {
    const moments = momentsOf([2, 4, 4, 4, 5, 5, 7, 9]);
    expect(moments).toMatchObject({ count: 8, min: 2, max: 9, mean: 5, variance: 4, nonFinite: 0 });
  });

  test('merged parts are the whole', () => {
    const values = Array.from(normalArray(createRandom(1), 1000), (x) => 1000 + x);
    const whole = momentsOf(values);
    const merged = momentsOf(values.slice(0, 1));
    merged.merge(momentsOf([]));
    merged.merge(momentsOf(values.slice(1, 700)));
    merged.merge(momentsOf(values.slice(700)));
    expect(merged).toMatchObject({ count: whole.count, min: whole.min, max: whole.max });
    expect(relative(merged.mean, whole.mean)).toBeLessThan(MOMENT_RELATIVE);
    expect(relative(merged.variance ?? 0, whole.variance ?? 0)).toBeLessThan(MOMENT_RELATIVE);
  });

  test('a large mean does not swallow the variance', () => {
    expect(momentsOf([1e6 + 1, 1e6 + 2, 1e6 + 3]).variance).toBeCloseTo(2 / 3, 12);
  });

  test('what is not finite is counted and left out', () => {
    const moments = momentsOf([1, Number.NaN, 3, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    expect(moments).toMatchObject({ count: 2, nonFinite: 3, min: 1, max: 3, mean: 2, variance: 1 });
  });

  test('nothing has no variance', () => {
    expect(momentsOf([]).variance).toBeNull();
    expect(momentsOf([Number.NaN]).variance).toBeNull();
  });
});

describe('Histogram', () => {
  test('bins are a power of two wide and hold what they say', () => {
    const histogram = histogramOf([0, 0.25, 0.3, 1, -1, 4095]);
    expect(histogram.width).toBe(2);
    expect([...histogram.bins()]).toEqual([
      { low: -2, count: 1 },
      { low: 0, count: 3 },
      { low: 4094, count: 1 },
    ]);
    expect(histogram).toMatchObject({ count: 6, zeros: 1, min: -1, max: 4095 });
  });

  test('the range fills at least half of the bins', () => {
    for (const top of [1e-45, 1e-30, 0.7, 1, 3, 4096, 3.4e38]) {
      const histogram = histogramOf([0, top]);
      const last = Math.floor(Math.fround(top) / histogram.width);
      expect(last).toBeLessThan(HISTOGRAM_BINS);
      if (top > 1e-40) expect(last).toBeGreaterThanOrEqual(HISTOGRAM_BINS / 2);
    }
  });

  test('grows with the data without losing a count, in any order', () => {
    const values = normalArray(createRandom(4), 3000).map((x, i) => x * 2 ** (i / 100));
    const whole = histogramOf(values);
    const reversed = new Histogram();
    for (const x of [...values].reverse()) reversed.observe(Float32Array.of(x));
    expect(describeHistogram(reversed)).toEqual(describeHistogram(whole));
  });

  test('merges to the histogram of the whole', () => {
    const values = normalArray(createRandom(5), 3000);
    const merged = histogramOf(values.subarray(0, 10));
    merged.merge(new Histogram());
    merged.merge(histogramOf(values.subarray(10, 11).map(() => 0)));
    merged.merge(histogramOf(values.subarray(11)));
    const zeroed = values.slice();
    zeroed[10] = 0;
    expect(describeHistogram(merged)).toEqual(describeHistogram(histogramOf(zeroed)));
  });

  test('quantiles interpolate, keep zeros exact and stay inside the extremes', () => {
    const even = histogramOf(Float32Array.from({ length: 100_001 }, (_, i) => i / 100_000));
    for (const share of [0.0001, 0.25, 0.5, 0.9999]) expect(even.quantile(share)).toBeCloseTo(share, 3);
    expect(even.quantile(0)).toBe(0);
    expect(even.quantile(1)).toBe(1);
    const relu = histogramOf([0, 0, 0, 1, 2]);
    expect([0, 0.3, 0.6, 1].map((share) => relu.quantile(share))).toEqual([0, 0, 0, 2]);
    const negative = histogramOf([-3, -2, 0, 0]);
    expect([0, 0.5001, 1].map((share) => negative.quantile(share))).toEqual([-3, 0, 0]);
    expect(new Histogram().quantile(0.5)).toBeNull();
  });

  test.each([
    ['both signs', (x: number) => x],
    ['after a ReLU', (x: number) => Math.max(x, 0)],
    ['zeros among both signs', (x: number) => (Math.abs(x) < 0.7 ? 0 : x)],
    ['negative and zero', (x: number) => Math.min(x, 0)],
    ['far from zero', (x: number) => x + 20],
  ])('quantiles of %s lie within a bin of those of the sorted values, from either end', (_name, made) => {
    const values = normalArray(createRandom(8), 20_001).map(made);
    const sorted = values.toSorted();
    const histogram = histogramOf(values);
    for (const share of [0, 1e-4, 0.01, 0.3, 0.49, 0.5, 0.51, 0.7, 0.99, 0.9999, 1]) {
      const rank = Math.max(0, Math.ceil(share * sorted.length) - 1);
      const found = histogram.quantile(share) ?? Number.NaN;
      expect(Math.abs(found - (sorted[rank] ?? 0)), String(share)).toBeLessThanOrEqual(histogram.width);
    }
  });

  test('a range that grows at one end or at both keeps every count where it was', () => {
    const parts = [[0.5, 3], [-0.1], [-2, 0], [3.9], [-40, 7]];
    const grown = new Histogram();
    for (const part of parts) grown.observe(Float32Array.from(part));
    expect(describeHistogram(grown)).toEqual(describeHistogram(histogramOf(parts.flat())));
    expect(describeHistogram(grown).bins.map(({ count }) => count)).toEqual([1, 1, 1, 1, 1, 1, 1]);
  });

  test('counts what is not finite and ignores it', () => {
    const histogram = histogramOf([Number.NaN, Number.NEGATIVE_INFINITY, 2, Number.POSITIVE_INFINITY]);
    expect(histogram).toMatchObject({ count: 1, nonFinite: 3, min: 2, max: 2 });
    expect(histogramOf([Number.NaN])).toMatchObject({ count: 0, nonFinite: 1 });
  });
});

function momentsOf(values: ArrayLike<number>): Moments {
  const moments = new Moments();
  moments.observe(Float32Array.from(values));
  return moments;
}

function histogramOf(values: ArrayLike<number>): Histogram {
  const histogram = new Histogram();
  histogram.observe(Float32Array.from(values));
  return histogram;
}

function describeHistogram(histogram: Histogram) {
  const { width, count, zeros, min, max } = histogram;
  return { width, count, zeros, min, max, bins: [...histogram.bins()] };
}

function relative(x: number, y: number): number {
  return Math.abs(x / y - 1);
}
