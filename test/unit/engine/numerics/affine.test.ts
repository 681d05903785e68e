import { describe, expect, test } from 'vitest';
import {
  codeArray,
  codeRange,
  dequantize,
  fakeQuantize,
  parametersFor,
  quantize,
  quantizeValue,
  realizedRange,
  roundHalfEven,
  SMALLEST_SCALE,
  symmetricScale,
} from '../../../../server/src/engine/numerics/affine';

const uint8 = { bits: 8, signed: false, symmetric: false };
const int8 = { bits: 8, signed: true, symmetric: true };

describe('roundHalfEven', () => {
  test.each([
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, -0],
    [-1.5, -2],
    [-2.5, -2],
    [0.49999999999999994, 0],
    [2 ** 51 + 0.5, 2 ** 51],
    [2 ** 51 + 1.5, 2 ** 51 + 2],
    [-(2 ** 51) - 0.5, -(2 ** 51)],
    [2 ** 52 + 1, 2 ** 52 + 1],
    [2 ** 53, 2 ** 53],
    [-0.2, -0],
    [-0, -0],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    [Number.NaN, Number.NaN],
  ])('%d → %d', (x, rounded) => {
    expect(roundHalfEven(x)).toBe(rounded);
  });
});

describe('codeRange', () => {
  test.each([
    [{ bits: 8, signed: true, symmetric: true }, -127, 127],
    [{ bits: 8, signed: true, symmetric: false }, -128, 127],
    [{ bits: 8, signed: false, symmetric: false }, 0, 255],
    [{ bits: 8, signed: false, symmetric: true }, 1, 255],
    [{ bits: 4, signed: true, symmetric: true }, -7, 7],
    [{ bits: 2, signed: true, symmetric: true }, -1, 1],
    [{ bits: 16, signed: true, symmetric: true }, -32767, 32767],
  ])('%j', (scheme, min, max) => {
    expect(codeRange(scheme)).toEqual({ min, max });
  });
});

describe('parametersFor', () => {
  test.each([
    ['a range above zero is relaxed to contain it', { min: 2.1, max: 3.5 }, uint8, 0.0137254902, 0],
    ['the zero point is rounded', { min: -1, max: 3 }, uint8, 0.0156862745, 64],
    ['a range below zero', { min: -4, max: -1 }, uint8, 4 / 255, 255],
    ['signed asymmetric', { min: -1, max: 3 }, { ...int8, symmetric: false }, 0.0156862745, -64],
    ['symmetric takes the larger magnitude', { min: -1, max: 3 }, int8, 3 / 127, 0],
    ['unsigned symmetric keeps the middle', { min: -1, max: 3 }, { ...uint8, symmetric: true }, 3 / 127, 128],
    ['nothing but zero', { min: 0, max: 0 }, uint8, 1, 0],
    ['nothing but zero, symmetric', { min: 0, max: 0 }, int8, 1, 0],
    ['a constant', { min: 5, max: 5 }, uint8, 5 / 255, 0],
    ['denormal', { min: 0, max: 1e-40 }, uint8, SMALLEST_SCALE, 0],
    [
      'nearly the whole of float32: 128 steps stay finite',
      { min: -3.4e38, max: 3.4e38 },
      uint8,
      2.65845552e36,
      128,
    ],
  ])('%s', (_name, range, scheme, scale, zeroPoint) => {
    const parameters = parametersFor(range, scheme);
    expect(parameters.scale).toBe(Math.fround(parameters.scale));
    expect(Math.abs(parameters.scale / scale - 1)).toBeLessThan(1e-7);
    expect(parameters.zeroPoint).toBe(zeroPoint);
  });

  test('the realized range is nudged by the rounded zero point', () => {
    const { min, max } = realizedRange(parametersFor({ min: -1, max: 3 }, uint8));
    expect(min).toBeCloseTo(-1.0039216, 6);
    expect(max).toBeCloseTo(2.9960784, 6);
  });
});

describe('symmetricScale', () => {
  test.each([
    ['of zeros', 0, 1],
    ['of the smallest denormal', 2 ** -149, SMALLEST_SCALE],
    ['of one', 1, Math.fround(1 / 127)],
    // A step below max / 127 in float32, of which 127 steps are infinite in float32.
    ['of the largest float', 3.4028234663852886e38, 2.6793883890187504e36],
  ])('%s', (_name, absMax, scale) => {
    expect(symmetricScale(absMax, 127)).toBe(scale);
  });
});

describe('codes', () => {
  test('per-tensor and per-channel rows of the hand case', () => {
    const rows = [
      Float32Array.of(1, -0.5, 0.25, 0.75),
      Float32Array.of(0.01, -0.005, 0.0025, 0.0075),
    ] as const;
    const tensor = parametersFor({ min: -0.5, max: 1 }, int8);
    expect(codesOf(rows[1], tensor)).toEqual([1, -1, 0, 1]);
    const channels = rows.map(([max = 0, min = 0]) => parametersFor({ min, max }, int8));
    // −63.5 goes to even; in the second row float32 has already made −63.499996 of it, as onnxruntime does.
    expect(rows.map((row, index) => codesOf(row, channels[index] ?? tensor))).toEqual([
      [127, -64, 32, 95],
      [127, -63, 32, 95],
    ]);
  });

  test('saturate at both ends, infinities too', () => {
    const parameters = parametersFor({ min: -1, max: 1 }, uint8);
    expect(
      [-9, 9, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY].map((x) => quantizeValue(x, parameters)),
    ).toEqual([0, 255, 0, 255]);
  });

  test('divide in float32, where a quotient just below a tie becomes the tie', () => {
    const scale = Math.fround(1 / 3);
    expect(0.5 / scale).toBeLessThan(1.5);
    expect(quantizeValue(0.5, { scale, zeroPoint: 0, codeMin: -7, codeMax: 7 })).toBe(2);
  });

  test('come in the narrowest array', () => {
    const arrays = [
      codeArray({ bits: 4, signed: true }, 1),
      codeArray({ bits: 8, signed: false }, 1),
      codeArray({ bits: 16, signed: true }, 1),
      codeArray({ bits: 16, signed: false }, 1),
    ];
    expect(arrays.map((array) => array.constructor)).toEqual([
      Int8Array,
      Uint8Array,
      Int16Array,
      Uint16Array,
    ]);
  });

  test('quantize, dequantize and fakeQuantize agree', () => {
    const data = Float32Array.of(-1.2, -0.3, 0, 0.301, 0.9, 4);
    const parameters = parametersFor({ min: -1, max: 3 }, uint8);
    const codes = new Uint8Array(data.length);
    quantize(data, parameters, codes);
    expect(Array.from(codes)).toEqual([0, 45, 64, 83, 121, 255]);
    expect(dequantize(codes, parameters)).toEqual(fakeQuantize(data, parameters));
  });
});

function codesOf(data: Float32Array, parameters: ReturnType<typeof parametersFor>): number[] {
  return Array.from(data, (x) => quantizeValue(x, parameters) + 0);
}
