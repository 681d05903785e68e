/** Weight errors weighted by input column. */
import { describe, expect, test } from 'vitest';
import { importanceErrors } from '../../../../server/src/engine/numerics/importance';
import { errorSums, sqnr } from '../../../../server/src/engine/numerics/metrics';
import { dequantizeWeight, quantizeWeight } from '../../../../server/src/engine/numerics/quantize-weight';
import { createRandom, normalArray } from '../../../../server/src/engine/numerics/random';
import { parseQuantScheme } from '../../../../server/src/engine/numerics/scheme';
import { weightErrors } from '../../../../server/src/engine/numerics/weight-error';

const formats = ['int4.channel', 'int4.group32', 'uint8.tensor', 'nf4', 'int2.tensor'];

describe('importance', () => {
  test('a hand case: only the second column counts', () => {
    // int2 per tensor: scale 1; 0.4 becomes 0, 0.9 becomes 1.
    const weight = Float32Array.of(0.4, 1, 0.4, 0.9);
    const found = importanceErrors(weight, [2, 2], 0, ['int2.tensor'], Float32Array.of(0, 2));
    expect(found.value?.['int2.tensor']).toBeCloseTo(10 * Math.log10((1 + 0.81) / 0.01), 4);
  });

  test.each([
    [[16, 96], 0],
    [[96, 16], 1],
    [[6, 8, 3, 3], 1],
  ] as const)('equal columns weigh nothing: shape %j, axis %d', (shape, axis) => {
    const count = shape.reduce<number>((all, one) => all * one, 1);
    const weight = normalArray(createRandom(1), count);
    const inputs = count / (shape[axis] ?? 1);
    const { value } = importanceErrors(weight, shape, axis, formats, new Float32Array(inputs).fill(3));
    const plain = weightErrors(weight, shape, axis, formats).value?.sqnr;
    for (const format of formats) expect(value?.[format]).toBeCloseTo(plain?.[format] ?? Number.NaN, 3);
  });

  test.each([0, 1])('is the error of the output where columns do not correlate, channel axis %d', (axis) => {
    const [rows, inputs] = [8, 16];
    const shape = axis === 0 ? [rows, inputs] : [inputs, rows];
    const weight = normalArray(createRandom(2), rows * inputs);
    // Each sample has one column that is not zero: the second moments are diagonal.
    const x = Float32Array.from({ length: inputs }, (_, k) => 0.1 * 1.5 ** k);
    const scheme = parseQuantScheme('int3.channel').value;
    if (scheme === undefined) throw new Error('int3.channel is a format');
    const kept = dequantizeWeight(quantizeWeight(weight, shape, axis, scheme), shape, axis);
    const output = (values: Float32Array) =>
      Array.from(values, (w, i) => w * (x[axis === 0 ? i % inputs : Math.floor(i / rows)] ?? 0));
    const expected = sqnr(errorSums(output(weight), output(kept)));
    const importance = x.map((value) => value * value);
    const found = importanceErrors(weight, shape, axis, ['int3.channel'], importance).value;
    expect(found?.['int3.channel']).toBeCloseTo(expected ?? Number.NaN, 4);
  });

  test('nothing that counts has no figure; unknown formats are issues', () => {
    const weight = Float32Array.of(1, 2);
    expect(importanceErrors(weight, [1, 2], 0, ['nf4'], new Float32Array(2)).value).toEqual({ nf4: null });
    const infinite = Float32Array.of(1, Number.NaN);
    expect(importanceErrors(infinite, [1, 2], 0, ['nf4'], Float32Array.of(1, 1)).value).toEqual({
      nf4: null,
    });
    expect(importanceErrors(weight, [1, 2], 0, ['nf5'], new Float32Array(2)).issues).toMatchObject([
      { code: 'scheme-unknown' },
    ]);
  });
});
