/** The kernels that measure channels as columns, against the scalar reference and against what they must decline. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildKernels } from '../../../../scripts/build-kernels.mjs';
import { columnWeightSums } from '../../../../server/src/engine/numerics/kernels/column-sums';
import { loadKernels } from '../../../../server/src/engine/numerics/kernels/module';
import { channelView } from '../../../../server/src/engine/numerics/layout';
import { createRandom, normalArray } from '../../../../server/src/engine/numerics/random';
import { parseQuantScheme, type QuantScheme } from '../../../../server/src/engine/numerics/scheme';
import { KERNEL_DECIBEL } from '../../../../server/src/engine/numerics/tolerances';
import {
  readerOf,
  referenceWeightSums,
  type WeightSums,
} from '../../../../server/src/engine/numerics/weight-error-reference';
import { standardWeightFormats } from '../../../../server/src/protocol/reports';

const formats = [...standardWeightFormats, 'int5.channel', 'int7.group16', 'int16.channel', 'int8.group64'];

test('the committed module is that of its source', async () => {
  const file = 'server/src/engine/numerics/kernels/columns-binary.ts';
  expect(readFileSync(file, 'utf8')).toBe(await buildKernels('columns.wat', 'columnsBinary'));
});

describe('sums of columns', () => {
  test.each([
    // One tile, several, the last of them narrow; groups with a short rest; more columns than a chunk has.
    [4, 64],
    [132, 64],
    [260, 1032],
    [40, 8452],
    [5000, 68],
  ])('a weight of %i rows and %i columns', (rows, columns) => {
    const data = normalArray(createRandom(61), rows * columns);
    for (let at = 0; at < data.length; at += 3) data[at] = (data[at] ?? 0) * 2 ** -((at % columns) % 40);
    checkTwin(data, [rows, columns]);
  });

  test('columns of zeros, and a weight of zeros', () => {
    const data = normalArray(createRandom(62), 64 * 72).map((x, at) => (at % 72 === 5 ? 0 : x));
    checkTwin(data, [64, 72]);
    checkTwin(new Float32Array(64 * 72), [64, 72]);
  });

  test('magnitudes up to the bounds', () => {
    for (const factor of [1e-10, 1e-5, 1e5, 1e11])
      checkTwin(
        normalArray(createRandom(63), 64 * 64).map((x) => x * factor),
        [64, 64],
      );
  });

  test('values next to rounding ties get the codes of the division', () => {
    const columns = 3000;
    const random = createRandom(64);
    const float = new Float32Array(1);
    const bits = new Uint32Array(float.buffer);
    const data = new Float32Array(8 * columns);
    for (let column = 0; column < columns; column++) {
      const absMax = 0.5 + random.uniform();
      float[0] = (absMax / 127) * (random.integer(126) + 0.5);
      bits[0] = (bits[0] ?? 0) + random.integer(5) - 2;
      data[column] = absMax;
      data[3 * columns + column] = float[0] ?? 0;
    }
    const { twin, reference } = both(data, [8, columns], ['int8.channel']);
    // The other code would change a column's noise by 4e-5.
    twin?.noise[0]?.forEach((noise, column) => {
      expect(Math.abs(noise / (reference.noise[0]?.[column] ?? 0) - 1)).toBeLessThan(1e-6);
    });
  });
});

describe('left to the kernels that transpose', () => {
  const ones = new Float32Array(64 * 64).fill(1);
  const changed = (value: number) => ones.map((one, at) => (at === 70 ? value : one));

  test.each([
    ['asymmetric schemes', ones, [64, 64], 'int8.channel.asym'],
    ['a rest of columns', ones, [32, 66], 'int8.channel'],
    ['a rest of rows', ones, [63, 64], 'int8.channel'],
    ['few columns', ones, [64, 16], 'int8.channel'],
    ['NaN', changed(Number.NaN), [64, 64], 'int8.channel'],
    ['an infinity', changed(Number.POSITIVE_INFINITY), [64, 64], 'int8.channel'],
    ['very large values', changed(1e13), [64, 64], 'int8.channel'],
    [
      'channels that are very small',
      ones.map((one, at) => (at % 64 === 3 ? 1e-20 : one)),
      [64, 64],
      'int8.channel',
    ],
  ] as const)('%s', (_what, data, shape, format) => {
    expect(both(data, shape, [format]).twin).toBeUndefined();
  });
});

function checkTwin(data: Float32Array, shape: readonly [number, number]): void {
  const { twin, reference } = both(data, shape, formats);
  expect(twin).toMatchObject({
    min: reference.min,
    max: reference.max,
    nonFinite: 0,
    fastElements: data.length,
  });
  expect(twin?.channelAbsMax).toEqual(reference.channelAbsMax);
  const tolerance = 10 ** (KERNEL_DECIBEL / 10) - 1;
  checkEach(twin?.signal, reference.signal, tolerance);
  formats.forEach((_format, index) => {
    checkEach(twin?.noise[index], reference.noise[index] ?? [], tolerance);
  });
  // Odd powers may cancel, so each is held against what bounds it.
  const bounds = [1, 2, 3, 4].map((power) => data.reduce((sum, x) => sum + Math.abs(x) ** power, 0));
  bounds.forEach((bound, index) => {
    const difference = (twin?.powers[index] ?? Number.NaN) - (reference.powers[index] ?? 0);
    expect(Math.abs(difference)).toBeLessThanOrEqual(1e-6 * bound);
  });
}

function checkEach(twin: Float64Array | undefined, reference: ArrayLike<number>, tolerance: number): void {
  expect(twin).toHaveLength(reference.length);
  twin?.forEach((value, at) => {
    const expected = reference[at] ?? 0;
    expect(Math.abs(value - expected)).toBeLessThanOrEqual(tolerance * expected);
  });
}

function both(
  data: Float32Array,
  shape: readonly [number, number],
  names: readonly string[],
): { readonly twin: WeightSums | undefined; readonly reference: WeightSums } {
  const kernels = loadKernels();
  if (kernels === undefined) throw new Error('no kernels here');
  const view = channelView(shape, 1);
  const schemes = names.map((name): QuantScheme => {
    const { value } = parseQuantScheme(name);
    if (value === undefined) throw new Error(name);
    return value;
  });
  const reader = readerOf(data);
  return {
    twin: columnWeightSums(kernels, reader, view, schemes),
    reference: referenceWeightSums(reader, view, schemes),
  };
}
