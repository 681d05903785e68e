/** Laws of the formats whose levels are not equally spaced, on generated weights. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { levelRounder, midpoints, roundToLevels } from '../../server/src/engine/numerics/codebook';
import { levelFakeQuantize } from '../../server/src/engine/numerics/level-error';
import { type LevelFormat, levelFormats } from '../../server/src/engine/numerics/level-formats';
import { floatElements, roundToElement } from '../../server/src/engine/numerics/lowfloat';
import { createRandom, normalArray } from '../../server/src/engine/numerics/random';
import { weightErrors } from '../../server/src/engine/numerics/weight-error';

const seed = Number(process.env.QUANTLENS_PROPERTY_SEED ?? 20251120);
const some = { seed, numRuns: 40 };

/** Formats without a level at zero, and those whose levels are not mirrored. */
const withoutZero = ['kmeans4', 'binary', 'lq2'];
const notMirrored = [...withoutZero, 'nf4'];

const weight = fc
  .record({
    rows: fc.integer({ min: 1, max: 6 }),
    length: fc.constantFrom(1, 3, 16, 33, 64, 130),
    seed: fc.nat(1e6),
    factor: fc.constantFrom(1, 1e-3, 300),
    power: fc.constantFrom(1, 3),
  })
  .map(({ rows, length, seed: own, factor, power }) => ({
    rows,
    length,
    data: normalArray(createRandom(own), rows * length).map((x) => x ** power * factor),
  }));

describe.each(levelFormats.map((format) => [format.name, format] as const))('%s', (name, format) => {
  test('a power of two scales data and result alike', () => {
    fc.assert(
      fc.property(weight, fc.integer({ min: -12, max: 12 }), ({ rows, length, data }, exponent) => {
        const scaled = remains(
          data.map((x) => x * 2 ** exponent),
          [rows, length],
          format,
        );
        expect(scaled).toEqual(remains(data, [rows, length], format).map((x) => x * 2 ** exponent));
      }),
      some,
    );
  });

  test('is monotone inside a scope, and has no more levels there than codes', () => {
    fc.assert(
      fc.property(weight, ({ data }) => {
        const scope = typeof format.granularity === 'string' ? data.length : format.granularity.group;
        const values = data.slice(0, scope).sort();
        const levels = remains(values, [1, values.length], format);
        for (let i = 1; i < levels.length; i++) expect(levels[i]).toBeGreaterThanOrEqual(levels[i - 1] ?? 0);
        expect(new Set(Array.from(levels, (x) => x + 0)).size).toBeLessThanOrEqual(2 ** format.bits);
      }),
      some,
    );
  });

  test('the layout of the channels changes nothing', () => {
    fc.assert(
      fc.property(weight, ({ rows, length, data }) => {
        const transposed = Float32Array.from(
          data,
          (_, i) => data[(i % rows) * length + Math.floor(i / rows)] ?? 0,
        );
        const figure = (values: Float32Array, shape: readonly number[], axis: number) =>
          weightErrors(values, shape, axis, [name], { kernel: 'scalar' }).value?.sqnr[name] ?? Number.NaN;
        const byRows = figure(data, [rows, length], 0);
        // A codebook's random start sees the values in sorted order, so it is the same as well.
        expect(figure(transposed, [length, rows], 1)).toBeCloseTo(byRows, 9);
      }),
      some,
    );
  });

  if (!withoutZero.includes(name))
    test('zero maps to zero', () => {
      fc.assert(
        fc.property(weight, ({ length, data }) => {
          data[0] = 0;
          expect(Math.abs(remains(data, [1, data.length], format)[0] ?? 1)).toBe(0);
          expect(length).toBeGreaterThan(0);
        }),
        some,
      );
    });

  if (!notMirrored.includes(name))
    test('the mirrored weight has the mirrored result', () => {
      fc.assert(
        fc.property(weight, ({ rows, length, data }) => {
          const mirrored = remains(
            data.map((x) => -x),
            [rows, length],
            format,
          );
          expect(mirrored.map((x) => -x + 0)).toEqual(
            remains(data, [rows, length], format).map((x) => x + 0),
          );
        }),
        some,
      );
    });

  test('any finite floats give a figure', () => {
    fc.assert(
      fc.property(
        fc.float32Array({ minLength: 1, maxLength: 40, noNaN: true, noDefaultInfinity: true }),
        (data) => {
          const { value, issues } = weightErrors(data, [data.length], null, [name]);
          expect(issues).toEqual([]);
          const decibel = value?.sqnr[name] ?? null;
          expect(decibel === null ? data.every((x) => x === 0) : Math.abs(decibel) <= 120).toBe(true);
        },
      ),
      { seed, numRuns: 200 },
    );
  });
});

test('no element of a float format is nearer than the one chosen', () => {
  for (const element of Object.values(floatElements)) {
    // Every code of the format, as whole multiples of the smallest step.
    const levels = new Set([0]);
    const smallest = 2 ** (element.smallestExponent - element.mantissaBits);
    for (let binade = 0; smallest * 2 ** binade <= element.max; binade++) {
      for (let m = 0; m < 2 ** (element.mantissaBits + 1); m++) {
        const level = m * smallest * 2 ** binade;
        if (level <= element.max) levels.add(level);
      }
    }
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: 0, max: Math.fround(element.max) }), (x) => {
        const nearest = Math.min(...Array.from(levels, (level) => Math.abs(level - x)));
        expect(Math.abs(roundToElement(x, element) - x)).toBe(nearest);
        expect(levels.has(roundToElement(x, element))).toBe(true);
        expect(roundToElement(-x, element)).toBe(-roundToElement(x, element));
      }),
      { seed, numRuns: 300 },
    );
  }
});

function remains(data: Float32Array, shape: readonly number[], format: LevelFormat): Float32Array {
  return levelFakeQuantize(data, shape, 0, format);
}

test('the table of levels chooses what bisection chooses, next to limits too', () => {
  const float = fc.float({ noNaN: true, min: Math.fround(-1e30), max: Math.fround(1e30) });
  fc.assert(
    fc.property(
      fc.array(float, { minLength: 1, maxLength: 20 }),
      fc.array(float, { maxLength: 40 }),
      fc.constantFrom(1, 0.3, 2 ** -20),
      (unsorted, free, scale) => {
        const levels = Float64Array.from(unsorted).sort();
        const near = [...midpoints(levels)].flatMap((limit) =>
          [-1, 0, 1].map((ulp) => limit * scale * (1 + ulp * 2 ** -23)),
        );
        const values = Float32Array.from([...free, ...levels, ...near]);
        const [fast, reference] = [new Float32Array(values.length), new Float32Array(values.length)];
        levelRounder(levels)(values, fast, scale);
        roundToLevels(values, reference, levels, scale);
        expect(fast).toEqual(reference);
      },
    ),
    { seed, numRuns: 500 },
  );
});
