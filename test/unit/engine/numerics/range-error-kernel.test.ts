import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildKernels } from '../../../../scripts/build-kernels.mjs';
import {
  countCodes,
  entropyOf,
  magnitudeBelow,
} from '../../../../server/src/engine/numerics/activation-facts';
import type { Range } from '../../../../server/src/engine/numerics/affine';
import { loadRangeErrorKernel } from '../../../../server/src/engine/numerics/kernels/range-error';
import { createRandom, normalArray } from '../../../../server/src/engine/numerics/random';
import {
  HistogramError,
  histogramError,
} from '../../../../server/src/engine/numerics/ranges/histogram-error';
import { Histogram } from '../../../../server/src/engine/numerics/stats';

const kernels = path.resolve(__dirname, '../../../../server/src/engine/numerics/kernels');
const schemes = [
  { bits: 8, signed: false, symmetric: false },
  { bits: 8, signed: true, symmetric: true },
  { bits: 4, signed: true, symmetric: false },
  { bits: 2, signed: false, symmetric: false },
  { bits: 12, signed: false, symmetric: false },
];

test('the committed constant is what range-error.wat assembles to', async () => {
  const file = path.join(kernels, 'range-error-binary.ts');
  expect(readFileSync(file, 'utf8')).toBe(await buildKernels('range-error.wat', 'rangeErrorBinary'));
});

test('this engine has SIMD, so that what follows compares two implementations', () => {
  expect(loadRangeErrorKernel()).toBeDefined();
});

describe('judged by the kernel as by the scalar reference, to the last bit', () => {
  const gauss = normalArray(createRandom(43), 50_000);
  const cases: readonly (readonly [string, ArrayLike<number>, number])[] = [
    ['normal', gauss, 4096],
    ['after a ReLU', gauss.map((x) => Math.max(x, 0)), 4096],
    ['one side, without zero', gauss.map((x) => -Math.abs(x) - 3), 8192],
    ['heavy tails', gauss.map((x) => x ** 7), 8192],
    ['few bins', gauss, 37],
    ['two values', [0.3, 0.4], 4096],
    ['tiny', gauss.map((x) => x * 1e-30), 4096],
    ['huge', gauss.map((x) => x * 1e36), 4096],
  ];
  test.each(cases)('%s', (_name, values, bins) => {
    const histogram = new Histogram(bins);
    histogram.observe(Float32Array.from(values));
    const { min, max } = histogram;
    const ranges: Range[] = [];
    for (const low of [1, 0.7, 0.1, 0]) {
      for (const high of [1.3, 1, 0.93, 0.31, 0.02]) {
        ranges.push({ min: Math.min(min, 0) * low, max: Math.max(max, 0) * high });
      }
    }
    for (const farthest of [Number.POSITIVE_INFINITY, 0.6 * Math.max(-min, max)]) {
      const exact = new HistogramError(histogram, 2, farthest);
      const fast = histogramError(histogram, 2, farthest);
      expect(fast).not.toBeInstanceOf(HistogramError);
      for (const scheme of schemes) {
        let bound = Number.POSITIVE_INFINITY;
        for (const range of ranges) {
          const expected = exact.of(range, scheme);
          expect(fast.of(range, scheme)).toBe(expected);
          expect(fast.of(range, scheme, bound)).toBe(exact.of(range, scheme, bound));
          bound = Math.min(bound, expected);
        }
      }
    }
    for (const scheme of schemes) {
      for (const range of ranges) {
        const expected = countCodes(histogram, range, scheme);
        const { counts, clipped } = countCodes(histogram, range, scheme, loadRangeErrorKernel());
        expect(counts).toEqual(expected.counts);
        expect(clipped).toBe(expected.clipped);
        const exact = entropyOf(expected.counts, histogram.count);
        const entropy = loadRangeErrorKernel()?.entropy(expected.counts.length, histogram.count);
        expect(Math.abs((entropy ?? 0) - exact)).toBeLessThan(1e-11 * (1 + exact));
      }
    }
    for (const share of [0, 0.3, 0.5, 0.9, 0.9999, 1])
      expect(magnitudeBelow(histogram, share), `${share}`).toBe(magnitudeBelow(histogram, share, 'none'));
  });

  test.each(cases)(
    '%s: no candidate that a search leaves out would have been better',
    (_name, values, bins) => {
      const histogram = new Histogram(bins);
      histogram.observe(Float32Array.from(values));
      const exact = new HistogramError(histogram, 2);
      const [low, high] = [Math.min(histogram.min, 0), Math.max(histogram.max, 0)];
      for (const scheme of schemes) {
        for (const outer of [1, 0.83, 0.4, 0.11, 0.03]) {
          const range = { min: low * outer, max: high * outer };
          for (const bound of [
            exact.atLeast(range, scheme),
            histogramError(histogram, 2).atLeast(range, scheme),
          ]) {
            for (let step = 20; step > 0; step--) {
              const [one, other] = [(outer * step) / 20, outer * Math.min(1, step / 10)];
              const inner = { min: low * one, max: high * other };
              expect(exact.of(inner, scheme) * (1 + 1e-9)).toBeGreaterThanOrEqual(bound);
            }
          }
        }
      }
    },
  );

  test('two histograms judged in turns', () => {
    const one = new Histogram();
    one.observe(gauss);
    const other = new Histogram();
    other.observe(gauss.map((x) => x * x));
    const [first, second] = [histogramError(one, 2), histogramError(other, 2)];
    const scheme = { bits: 8, signed: false, symmetric: false };
    const range = { min: -2, max: 3 };
    const before = first.of(range, scheme);
    second.of(range, scheme);
    countCodes(other, range, scheme, loadRangeErrorKernel());
    expect(first.of(range, scheme)).toBe(before);
  });
});
