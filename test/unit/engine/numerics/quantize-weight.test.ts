import { describe, expect, test } from 'vitest';
import { parametersFor, quantizeValue } from '../../../../server/src/engine/numerics/affine';
import {
  dequantizeWeight,
  quantizeWeight,
  weightParameters,
} from '../../../../server/src/engine/numerics/quantize-weight';
import { createRandom, normalArray } from '../../../../server/src/engine/numerics/random';
import { parseQuantScheme, type QuantScheme } from '../../../../server/src/engine/numerics/scheme';

describe('hand cases', () => {
  const data = Float32Array.of(1, -0.5, 0.25, 0.75, 0.01, -0.005, 0.0025, 0.0075);

  test('one scale for the tensor', () => {
    const { codes, scales, zeroPoints, groups } = quantizeWeight(data, [2, 4], 0, schemeOf('int8.tensor'));
    expect(Array.from(codes)).toEqual([127, -64, 32, 95, 1, -1, 0, 1]);
    expect(Array.from(scales)).toEqual([Math.fround(1 / 127)]);
    expect(Array.from(zeroPoints)).toEqual([0]);
    expect(groups).toBe(1);
  });

  test('one scale per channel', () => {
    const { codes, scales, groups } = quantizeWeight(data, [2, 4], 0, schemeOf('int8.channel'));
    expect(Array.from(codes)).toEqual([127, -64, 32, 95, 127, -63, 32, 95]);
    expect(scales).toEqual(Float32Array.of(1 / 127, Math.fround(0.01) / 127));
    expect(groups).toBe(1);
  });

  test('groups of a channel stand together, whatever the axis', () => {
    const columns = 3;
    const rows = 40;
    const values = Float32Array.from(
      { length: rows * columns },
      (_, i) => (i % columns) + 1 + 10 * Math.floor(i / columns / 16),
    );
    const { scales, groups } = quantizeWeight(values, [rows, columns], 1, schemeOf('int8.group16'));
    expect(groups).toBe(3);
    expect(Array.from(scales, (scale) => Math.round(scale * 127))).toEqual([1, 11, 21, 2, 12, 22, 3, 13, 23]);
  });

  test('asymmetric channels have zero points that make 0 exact', () => {
    const { codes, zeroPoints } = quantizeWeight(
      Float32Array.of(-1, 3, 0, 0, 3, 4),
      [2, 3],
      0,
      schemeOf('uint8.channel'),
    );
    expect(Array.from(zeroPoints)).toEqual([64, 0]);
    expect(Array.from(codes)).toEqual([0, 255, 64, 0, 191, 255]);
  });

  test('unsigned symmetric codes are the signed ones moved up', () => {
    const signed = quantizeWeight(data, [2, 4], 0, schemeOf('int4.channel'));
    const unsigned = quantizeWeight(data, [2, 4], 0, schemeOf('uint4.channel.sym'));
    expect(unsigned.codes).toBeInstanceOf(Uint8Array);
    expect(Array.from(unsigned.codes)).toEqual(Array.from(signed.codes, (code) => code + 8));
    expect(dequantizeWeight(unsigned, [2, 4], 0)).toEqual(dequantizeWeight(signed, [2, 4], 0));
  });

  test('codes of a channel of zeros are zero', () => {
    const { codes, scales } = quantizeWeight(
      Float32Array.of(0, -0, 1, 2),
      [2, 2],
      0,
      schemeOf('int8.channel'),
    );
    expect(Array.from(codes)).toEqual([0, 0, 64, 127]);
    expect(scales[0]).toBe(1);
  });

  test('quantizers chosen by a method replace min-max', () => {
    const scheme = schemeOf('int8.channel');
    const clipped = { scales: Float32Array.of(0.5 / 127, 0.01 / 127), zeroPoints: Int32Array.of(0, 0) };
    const { codes, scales } = quantizeWeight(data, [2, 4], 0, scheme, clipped);
    expect(Array.from(codes).slice(0, 4)).toEqual([127, -127, 64, 127]);
    expect(scales).toBe(clipped.scales);
  });
});

test('every element goes through the quantizer of its scope', () => {
  const data = normalArray(createRandom(1), 6 * 50);
  for (const format of [
    'int8.tensor',
    'int4.channel',
    'int3.group16',
    'uint4.group32',
    'uint8.channel',
    'int16.channel',
    'int8.group16.asym',
  ]) {
    const scheme = schemeOf(format);
    for (const [shape, axis] of [
      [[6, 50], 0],
      [[50, 6], 1],
      [[10, 6, 5], 1],
    ] as const) {
      const { codes, scales, zeroPoints, groups } = quantizeWeight(data, shape, axis, scheme);
      const size = typeof scheme.granularity === 'string' ? 50 : scheme.granularity.group;
      data.forEach((x, index) => {
        const [channel, k] = placeOf(index, shape, axis);
        const scope = scheme.granularity === 'tensor' ? 0 : channel * groups + Math.floor(k / size);
        const { min: codeMin, max: codeMax } = rangeOf(scheme);
        const quantizer = { scale: scales[scope] ?? 0, zeroPoint: zeroPoints[scope] ?? 0, codeMin, codeMax };
        expect(codes[index]).toBe(quantizeValue(x, quantizer) + 0);
      });
    }
  }
});

test('parameters are min-max over the scope', () => {
  const data = normalArray(createRandom(2), 40);
  const scheme = schemeOf('uint8.channel');
  const { scales, zeroPoints } = weightParameters(data, [4, 10], 0, scheme);
  for (let channel = 0; channel < 4; channel++) {
    const row = data.subarray(channel * 10, channel * 10 + 10);
    const expected = parametersFor({ min: Math.min(...row), max: Math.max(...row) }, scheme);
    expect([scales[channel], zeroPoints[channel]]).toEqual([expected.scale, expected.zeroPoint]);
  }
});

/** Channel and position along the flattened inputs of one element. */
function placeOf(
  index: number,
  shape: readonly number[],
  axis: number,
): readonly [channel: number, k: number] {
  if (axis === 0) return [Math.floor(index / 50), index % 50];
  const inner = shape[2] ?? 1;
  return [Math.floor(index / inner) % 6, Math.floor(index / (6 * inner)) * inner + (index % inner)];
}

function rangeOf({ bits, signed, symmetric }: QuantScheme) {
  if (!signed) return { min: 0, max: 2 ** bits - 1 };
  return { min: -(2 ** (bits - 1)) + (symmetric ? 1 : 0), max: 2 ** (bits - 1) - 1 };
}

function schemeOf(format: string): QuantScheme {
  const { value } = parseQuantScheme(format);
  if (value === undefined) throw new Error(format);
  return value;
}
