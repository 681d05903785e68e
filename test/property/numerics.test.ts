/** Laws of the quantizer, ranges, statistics and layouts on generated data. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  codeRange,
  dequantizeValue,
  fakeQuantizeValue,
  parametersFor,
  quantizeValue,
  realizedRange,
} from '../../server/src/engine/numerics/affine';
import { errorSums, mergeSums, sqnr } from '../../server/src/engine/numerics/metrics';
import { packNibbles, unpackNibbles } from '../../server/src/engine/numerics/pack';
import { dequantizeWeight, quantizeWeight } from '../../server/src/engine/numerics/quantize-weight';
import { createRandom, normalArray } from '../../server/src/engine/numerics/random';
import { createEstimator, type Estimator } from '../../server/src/engine/numerics/ranges';
import {
  formatName,
  type Granularity,
  parseQuantScheme,
  type QuantScheme,
} from '../../server/src/engine/numerics/scheme';
import { Histogram, Moments } from '../../server/src/engine/numerics/stats';
import { KERNEL_DECIBEL, RANGE_SEARCH_RELATIVE } from '../../server/src/engine/numerics/tolerances';
import { weightErrors } from '../../server/src/engine/numerics/weight-error';

const seed = Number(process.env.QUANTLENS_PROPERTY_SEED ?? 20251120);
const many = { seed, numRuns: 500 };
const some = { seed, numRuns: 100 };

const bits = fc.constantFrom(2, 3, 4, 5, 6, 7, 8, 16);
const kind = fc.record({ bits, signed: fc.boolean(), symmetric: fc.boolean() });
const float = fc.float({ noNaN: true, noDefaultInfinity: true });
/** Floats whose quotients and products stay inside float32. */
const moderate = fc
  .float({ noNaN: true, min: Math.fround(-1e6), max: Math.fround(1e6) })
  .map((x) => (Math.abs(x) < 1e-20 ? 0 : x));
const range = fc.tuple(float, float).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) }));
const moderateRange = fc
  .tuple(moderate, moderate)
  .map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) }));
const granularity = fc.constantFrom<Granularity>('tensor', 'channel', { group: 16 }, { group: 32 });
const scheme: fc.Arbitrary<QuantScheme> = fc.record({
  bits,
  signed: fc.boolean(),
  symmetric: fc.boolean(),
  granularity,
});
/** A weight of one of the usual layouts. */
const weight = fc
  .record({
    dimensions: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }),
    axis: fc.nat(2),
    stretch: fc.constantFrom(1, 1, 5, 17),
    seed: fc.nat(1e6),
    factor: fc.constantFrom(1, 0.01, 300),
  })
  .map(({ dimensions, axis, stretch, seed: own, factor }) => {
    const channelAxis = axis % dimensions.length;
    const shape = dimensions.map((dimension, index) =>
      index === channelAxis ? dimension : dimension * stretch,
    );
    const count = shape.reduce((total, dimension) => total * dimension, 1);
    return { shape, channelAxis, data: normalArray(createRandom(own), count).map((x) => x * factor) };
  });

describe('the quantizer', () => {
  test('scale is a float32, finite and > 0; zero maps to zero exactly', () => {
    check(
      fc.property(range, kind, (limits, one) => {
        const parameters = parametersFor(limits, one);
        expect(parameters.scale).toBe(Math.fround(parameters.scale));
        expect(parameters.scale > 0 && Number.isFinite(parameters.scale)).toBe(true);
        expect(Math.abs(fakeQuantizeValue(0, parameters))).toBe(0);
        expect(Number.isInteger(parameters.zeroPoint)).toBe(true);
      }),
    );
  });

  test('codes stay in range, and quantizing again changes nothing', () => {
    check(
      fc.property(range, kind, float, (limits, one, x) => {
        const parameters = parametersFor(limits, one);
        const { min, max } = codeRange(one);
        const code = quantizeValue(x, parameters);
        expect(code >= min && code <= max && Number.isInteger(code)).toBe(true);
        expect(quantizeValue(dequantizeValue(code, parameters), parameters) + 0).toBe(code + 0);
      }),
    );
  });

  test('inside the realized range the error is at most half a step', () => {
    check(
      fc.property(moderateRange, kind, fc.double({ min: 0, max: 1, noNaN: true }), (limits, one, share) => {
        const parameters = parametersFor(limits, one);
        const { min, max } = realizedRange(parameters);
        const x = Math.fround(min + share * (max - min));
        // float32 division and multiplication each cost at most 2^-23 of the value.
        const rounding = Math.abs(x) * 2 ** -22;
        expect(Math.abs(x - fakeQuantizeValue(x, parameters))).toBeLessThanOrEqual(
          parameters.scale / 2 + rounding,
        );
      }),
    );
  });

  test('is monotone', () => {
    check(
      fc.property(range, kind, float, float, (limits, one, a, b) => {
        const parameters = parametersFor(limits, one);
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        expect(quantizeValue(low, parameters)).toBeLessThanOrEqual(quantizeValue(high, parameters));
      }),
    );
  });

  test('a power of two scales data, range and result alike', () => {
    check(
      fc.property(
        moderateRange,
        kind,
        moderate,
        fc.integer({ min: -10, max: 10 }),
        (limits, one, x, exponent) => {
          const factor = 2 ** exponent;
          const scaled = parametersFor({ min: limits.min * factor, max: limits.max * factor }, one);
          const plain = parametersFor(limits, one);
          fc.pre(limits.min < 0 || limits.max > 0);
          expect(scaled.scale).toBe(plain.scale * factor);
          expect(fakeQuantizeValue(x * factor, scaled)).toBe(fakeQuantizeValue(x, plain) * factor);
        },
      ),
    );
  });

  test('names print and parse to the same scheme', () => {
    check(
      fc.property(scheme, (one) => {
        expect(parseQuantScheme(formatName(one)).value).toEqual(one);
      }),
    );
  });
});

describe('weights', () => {
  test('per channel equals per tensor on every channel', () => {
    check(
      fc.property(weight, kind, ({ shape, data }, one) => {
        const rows = shape[0] ?? 1;
        const length = data.length / rows;
        const whole = quantizeWeight(data, [rows, length], 0, { ...one, granularity: 'channel' });
        for (let row = 0; row < rows; row++) {
          const part = data.slice(row * length, (row + 1) * length);
          const { codes, scales } = quantizeWeight(part, [length], null, { ...one, granularity: 'tensor' });
          expect(whole.codes.slice(row * length, (row + 1) * length)).toEqual(codes);
          expect(whole.scales[row]).toBe(scales[0]);
        }
      }),
      some,
    );
  });

  test('a group as long as the channel is the channel', () => {
    check(
      fc.property(weight, kind, ({ shape, channelAxis, data }, one) => {
        const channel = quantizeWeight(data, shape, channelAxis, { ...one, granularity: 'channel' });
        const group = quantizeWeight(data, shape, channelAxis, { ...one, granularity: { group: 65_536 } });
        expect({ ...group, scheme: null }).toEqual({ ...channel, scheme: null });
      }),
      some,
    );
  });

  test('quantizing what was quantized gives the same codes', () => {
    check(
      fc.property(weight, scheme, ({ shape, channelAxis, data }, one) => {
        const first = quantizeWeight(data, shape, channelAxis, one);
        const again = quantizeWeight(
          dequantizeWeight(first, shape, channelAxis),
          shape,
          channelAxis,
          one,
          first,
        );
        expect(again.codes).toEqual(first.codes);
      }),
      some,
    );
  });

  test('kernels equal the reference, and the figure is that of the exported codes', () => {
    check(
      fc.property(weight, scheme, ({ shape, channelAxis, data }, one) => {
        const name = formatName(one);
        const figure = (kernel: 'auto' | 'scalar') =>
          weightErrors(data, shape, channelAxis, [name], { kernel }).value?.sqnr[name] ?? Number.NaN;
        const exported = dequantizeWeight(quantizeWeight(data, shape, channelAxis, one), shape, channelAxis);
        expect(Math.abs(figure('auto') - figure('scalar'))).toBeLessThan(KERNEL_DECIBEL);
        expect(Math.abs(figure('auto') - (sqnr(errorSums(data, exported)) ?? 0))).toBeLessThan(
          KERNEL_DECIBEL,
        );
      }),
      { seed, numRuns: 300 },
    );
  });

  test('any finite floats give a figure', () => {
    check(
      fc.property(
        fc.float32Array({ minLength: 1, maxLength: 60, noNaN: true, noDefaultInfinity: true }),
        (data) => {
          for (const kernel of ['auto', 'scalar'] as const) {
            const { value, issues } = weightErrors(data, [data.length], 0, ['int8.tensor', 'int4.group16'], {
              kernel,
            });
            expect(issues).toEqual([]);
            for (const decibel of Object.values(value?.sqnr ?? {})) {
              expect(decibel === null ? data.every((x) => x === 0) : Math.abs(decibel) <= 120).toBe(true);
            }
          }
        },
      ),
    );
  });

  test('on Gaussian weights more bits, finer scopes and smaller groups lose less', () => {
    check(
      fc.property(fc.nat(1e6), (own) => {
        const data = normalArray(createRandom(own), 64 * 256).map(
          (x, i) => x * (1 + (Math.floor(i / 256) % 7)),
        );
        const names = [2, 3, 4, 5, 6, 7, 8].flatMap((width) =>
          ['tensor', 'channel', 'group128', 'group32'].map((scope) => `int${width}.${scope}`),
        );
        const figures = weightErrors(data, [64, 256], 0, names).value?.sqnr ?? {};
        names.forEach((name, index) => {
          const value = figures[name] ?? 0;
          if (index % 4 > 0) expect(value).toBeGreaterThan(figures[names[index - 1] ?? ''] ?? 0);
          if (index >= 4) expect(value).toBeGreaterThan(figures[names[index - 4] ?? ''] ?? 0);
        });
      }),
      { seed, numRuns: 10 },
    );
  });
});

describe('ranges', () => {
  const values = fc.float32Array({
    minLength: 1,
    maxLength: 200,
    noNaN: true,
    min: Math.fround(-1e4),
    max: Math.fround(1e4),
  });
  const name = fc.constantFrom('min-max', 'moving-average', 'percentile', 'mse', 'lp', 'entropy', 'aciq');

  test('lie inside the data relaxed to 0, and hold 0', () => {
    check(
      fc.property(name, values, kind, (id, data, one) => {
        const { min, max } = observed(id, [data]).range(one);
        const low = data.reduce((least, x) => Math.min(least, x), 0);
        const high = data.reduce((most, x) => Math.max(most, x), 0);
        const largest = Math.max(-low, high);
        expect(min <= 0 && max >= 0).toBe(true);
        expect(min).toBeGreaterThanOrEqual(one.symmetric ? -largest : low);
        expect(max).toBeLessThanOrEqual(one.symmetric ? largest : high);
      }),
      some,
    );
  });

  test('do not depend on how the data is cut or merged, where the estimator does not forget', () => {
    check(
      fc.property(
        fc.constantFrom('min-max', 'percentile', 'mse', 'lp', 'entropy', 'aciq', 'power-of-two'),
        values,
        fc.nat(200),
        kind,
        (id, data, cut, one) => {
          const whole = observed(id, [data]);
          const parts = observed(id, [data.subarray(0, cut), data.subarray(cut)]);
          expect(parts.range(one)).toEqual(whole.range(one));
          const merged = observed(id, [data.subarray(0, cut)]);
          merged.merge?.(observed(id, [data.subarray(cut)]));
          expect(merged.range(one)).toEqual(whole.range(one));
          expect(merged.count).toBe(whole.count);
        },
      ),
      some,
    );
  });

  test('of powers of two have such a scale, and hold 0', () => {
    check(
      fc.property(values, kind, (data, one) => {
        const range = observed('power-of-two', [data]).range(one);
        expect(range.min <= 0 && range.max >= 0).toBe(true);
        fc.pre(range.min < range.max);
        expect(Number.isInteger(Math.log2(parametersFor(range, one).scale))).toBe(true);
      }),
      some,
    );
  });

  test('least-error clipping loses no more than min-max', () => {
    check(
      fc.property(fc.nat(1e6), kind, fc.constantFrom(1, 3), (own, one, power) => {
        const data = normalArray(createRandom(own), 3000).map((x) => x ** power);
        const noise = (id: string) => {
          const parameters = parametersFor(observed(id, [data]).range(one), one);
          return errorSums(
            data,
            data.map((x) => fakeQuantizeValue(x, parameters)),
          ).noise;
        };
        expect(noise('mse')).toBeLessThanOrEqual(noise('min-max') * (1 + RANGE_SEARCH_RELATIVE));
      }),
      { seed, numRuns: 30 },
    );
  });
});

describe('statistics of parts merge to those of the whole', () => {
  const chunks = fc.array(fc.float32Array({ maxLength: 50 }), { maxLength: 6 });

  test('moments', () => {
    check(
      fc.property(chunks, (parts) => {
        const merged = new Moments();
        for (const part of parts) {
          const own = new Moments();
          own.observe(part);
          merged.merge(own);
        }
        const whole = new Moments();
        whole.observe(joined(parts));
        const { count, nonFinite, min, max } = whole;
        expect(merged).toMatchObject({ count, nonFinite, min, max });
      }),
    );
  });

  test('histograms, exactly', () => {
    check(
      fc.property(chunks, fc.nat(5), (parts, pivot) => {
        const left = new Histogram();
        const right = new Histogram();
        parts.forEach((part, index) => {
          (index < pivot ? left : right).observe(part);
        });
        left.merge(right);
        const whole = new Histogram();
        whole.observe(joined(parts));
        expect(content(left)).toEqual(content(whole));
        expect(whole.count + whole.nonFinite).toBe(joined(parts).length);
      }),
    );
  });

  test('error sums', () => {
    check(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: -99, max: 99 }))),
        fc.nat(20),
        (pairs, cut) => {
          const of = (some: readonly (readonly [number, number])[]) =>
            errorSums(
              some.map(([x]) => x),
              some.map(([, y]) => y),
            );
          const merged = of(pairs.slice(0, cut));
          mergeSums(merged, of(pairs.slice(cut)));
          expect(merged).toEqual(of(pairs));
        },
      ),
    );
  });
});

test('packed nibbles unpack to the same codes', () => {
  check(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 15 })),
      fc.constantFrom('low-first', 'high-first'),
      (codes, order) => {
        expect(Array.from(unpackNibbles(packNibbles(codes, order), codes.length, order))).toEqual(codes);
      },
    ),
  );
});

function check<T>(property: fc.IRawProperty<T>, parameters: { seed: number; numRuns: number } = many): void {
  fc.assert(property, parameters);
}

function observed(id: string, chunks: readonly Float32Array[]): Estimator {
  const { value } = createEstimator(id);
  if (value === undefined) throw new Error(id);
  for (const chunk of chunks) value.observe(chunk);
  return value;
}

function content(histogram: Histogram) {
  const { count, zeros, nonFinite, min, max, width } = histogram;
  return { count, zeros, nonFinite, min, max, width: count > zeros ? width : 0, bins: [...histogram.bins()] };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => Array.from(part)));
}
