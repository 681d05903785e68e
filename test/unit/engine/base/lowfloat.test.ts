/** Codes of the narrow floats against the tables of IEEE 754, OCP FP8 and OCP MX. */
import { describe, expect, it } from 'vitest';
import {
  floatToLowFloat,
  type LowFloatName,
  lowFloatTable,
} from '../../../../server/src/engine/base/lowfloat';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

/** Decoding gives the value; encoding the value gives the code back. */
function checkCode(name: LowFloatName, code: number, value: number): void {
  expect(lowFloatTable(name)[code]).toBe(value);
  if (!Number.isNaN(value)) expect(floatToLowFloat(name, value)).toBe(code);
}

describe('values of codes', () => {
  it.each<[LowFloatName, number, number]>([
    ['float16', 0x0000, 0],
    ['float16', 0x8000, -0],
    ['float16', 0x0001, 2 ** -24],
    ['float16', 0x03ff, 1023 * 2 ** -24],
    ['float16', 0x0400, 2 ** -14],
    ['float16', 0x3555, 0.333251953125],
    ['float16', 0x3c00, 1],
    ['float16', 0xc000, -2],
    ['float16', 0x7bff, 65504],
    ['float16', 0x7c00, inf],
    ['float16', 0xfc00, -inf],
    ['float16', 0x7e00, nan],
    ['bfloat16', 0x3f80, 1],
    ['bfloat16', 0x3f81, 1.0078125],
    ['bfloat16', 0x0001, 2 ** -133],
    ['bfloat16', 0x7f80, inf],
    ['bfloat16', 0x7fc0, nan],
    ['float8e4m3fn', 0x01, 2 ** -9],
    ['float8e4m3fn', 0x38, 1],
    ['float8e4m3fn', 0x7e, 448],
    ['float8e4m3fn', 0x7f, nan],
    ['float8e4m3fn', 0xff, nan],
    ['float8e4m3fnuz', 0x01, 2 ** -10],
    ['float8e4m3fnuz', 0x7f, 240],
    ['float8e4m3fnuz', 0x80, nan],
    ['float8e5m2', 0x01, 2 ** -16],
    ['float8e5m2', 0x7b, 57344],
    ['float8e5m2', 0x7e, nan],
    ['float8e5m2fnuz', 0x7f, 57344],
    ['float8e5m2fnuz', 0x80, nan],
    ['float8e8m0', 0x00, 2 ** -127],
    ['float8e8m0', 0x7f, 1],
    ['float8e8m0', 0xfe, 2 ** 127],
    ['float8e8m0', 0xff, nan],
    ['float6e2m3', 0x01, 0.125],
    ['float6e2m3', 0x1f, 7.5],
    ['float6e2m3', 0x3f, -7.5],
    ['float6e3m2', 0x01, 0.0625],
    ['float6e3m2', 0x1f, 28],
    ['float4e2m1', 0x8, -0],
    ['float4e2m1', 0xb, -1.5],
  ])('%s %i', checkCode);

  it('float4e2m1, all of them', () => {
    expect([...lowFloatTable('float4e2m1').slice(0, 8)]).toEqual([0, 0.5, 1, 1.5, 2, 3, 4, 6]);
  });

  it('infinity of float8e5m2 is read, and written as the largest number', () => {
    expect(lowFloatTable('float8e5m2')[0x7c]).toBe(inf);
    expect(floatToLowFloat('float8e5m2', inf)).toBe(0x7b);
  });
});

describe('rounding', () => {
  it.each<[LowFloatName, number, number]>([
    // Ties go to the even code.
    ['float16', 1 + 2 ** -11, 0x3c00],
    ['float16', 1 + 3 * 2 ** -11, 0x3c02],
    ['float16', 2 ** -25, 0x0000],
    ['float16', 1.5 * 2 ** -24, 0x0002],
    ['float8e4m3fn', 17, 0x58],
    ['float8e4m3fn', 19, 0x5a],
    ['float4e2m1', 0.25, 0],
    ['float4e2m1', 0.75, 2],
    ['float4e2m1', 2.5, 4],
    ['float4e2m1', 3.5, 6],
    ['float4e2m1', 5, 6],
    // A mantissa that rounds up carries into the exponent.
    ['float16', 2047.9, 0x6800],
    ['bfloat16', 1.999, 0x4000],
    // Overflow: infinity for the 16-bit types, the largest number for the narrower ones.
    ['float16', 65519, 0x7bff],
    ['float16', 65520, 0x7c00],
    ['float16', -1e9, 0xfc00],
    ['bfloat16', 3.4e38, 0x7f80],
    ['float8e4m3fn', 1e9, 0x7e],
    ['float8e4m3fnuz', -1e9, 0xff],
    ['float6e2m3', 100, 0x1f],
    ['float4e2m1', -100, 0xf],
    // Types without a negative zero.
    ['float8e4m3fnuz', -0, 0],
    ['float8e5m2fnuz', -1e-30, 0],
    // NaN.
    ['float16', nan, 0x7e00],
    ['float8e4m3fn', nan, 0x7f],
    ['float8e5m2fnuz', nan, 0x80],
    ['float8e8m0', nan, 0xff],
    // Scales round up to the next power of two.
    ['float8e8m0', 1.0001, 0x80],
    ['float8e8m0', 2, 0x80],
  ])('%s of %d', (name, value, code) => expect(floatToLowFloat(name, value)).toBe(code));
});
