/**
 * Block types of 32 or 64 values: one scale a block (NVFP4: one per 16), codes of 4, 5 or 8 bits. In blocks of 32 byte
 * i holds values i (low four bits) and i + 16 (high); fifth bits stand apart, value i at bit i.
 */
import { lowFloatTable } from '../base/lowfloat';
import {
  type BlockType,
  bit,
  blockRow,
  half,
  nibble,
  nonLinearLevels,
  signed,
  unsigned,
} from './ggml-blocks-row';

/** Values of FP4 codes: a sign, E2M1. */
const fp4 = lowFloatTable('float4e2m1');
const e4m3 = lowFloatTable('float8e4m3fn');

export const nibbleTypes: readonly BlockType[] = [
  // w = scale · (code − 8)
  blockRow('Q4_0', 32, { scale: 2, codes: 16 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    for (let index = 0; index < 32; index++) {
      target[to + index] = scale * (nibble(bytes, start.codes + (index & 15), index >> 4) - 8);
    }
  }),
  // w = scale · code + minimum
  blockRow('Q4_1', 32, { scale: 2, minimum: 2, codes: 16 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    const minimum = half(bytes, start.minimum);
    for (let index = 0; index < 32; index++) {
      target[to + index] = scale * nibble(bytes, start.codes + (index & 15), index >> 4) + minimum;
    }
  }),
  // w = scale · (code − 16)
  blockRow('Q5_0', 32, { scale: 2, fifth: 4, codes: 16 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    for (let index = 0; index < 32; index++) {
      target[to + index] = scale * (fiveBits(bytes, start.codes, start.fifth, index) - 16);
    }
  }),
  // w = scale · code + minimum
  blockRow('Q5_1', 32, { scale: 2, minimum: 2, fifth: 4, codes: 16 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    const minimum = half(bytes, start.minimum);
    for (let index = 0; index < 32; index++) {
      target[to + index] = scale * fiveBits(bytes, start.codes, start.fifth, index) + minimum;
    }
  }),
  // w = scale · code
  blockRow('Q8_0', 32, { scale: 2, codes: 32 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    for (let index = 0; index < 32; index++) target[to + index] = scale * signed(bytes, start.codes + index);
  }),
  // w = scale · code; `sum` is scale · Σ codes, which dot products with Q4_1 use
  blockRow('Q8_1', 32, { scale: 2, sum: 2, codes: 32 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    for (let index = 0; index < 32; index++) target[to + index] = scale * signed(bytes, start.codes + index);
  }),
  // w = scale · level[code]
  blockRow('IQ4_NL', 32, { scale: 2, codes: 16 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    for (let index = 0; index < 32; index++) {
      target[to + index] = scale * level(nibble(bytes, start.codes + (index & 15), index >> 4));
    }
  }),
  // w = 2^(exponent − 127) · E2M1 code; unlike OCP MX, exponent 255 is a number
  blockRow('MXFP4', 32, { exponent: 1, codes: 16 }, ({ bytes, start, target, to }) => {
    const scale = 2 ** (unsigned(bytes, start.exponent) - 127);
    for (let index = 0; index < 32; index++) {
      target[to + index] = scale * element(nibble(bytes, start.codes + (index & 15), index >> 4));
    }
  }),
  // four times 16 values, w = scale · E2M1 code; scales are E4M3 without sign, whose NaN code counts as 0
  blockRow('NVFP4', 64, { scales: 4, codes: 32 }, ({ bytes, start, target, to }) => {
    for (let index = 0; index < 64; index++) {
      const group = index >> 4;
      const scale = unsignedE4m3(unsigned(bytes, start.scales + group));
      const at = start.codes + group * 8 + (index & 7);
      target[to + index] = scale * element(nibble(bytes, at, (index >> 3) & 1));
    }
  }),
];

function fiveBits(bytes: Uint8Array, codes: number, fifth: number, index: number): number {
  const high = bit(bytes, fifth + (index >> 3), index & 7);
  return nibble(bytes, codes + (index & 15), index >> 4) | (high << 4);
}

function level(code: number): number {
  return nonLinearLevels[code] ?? 0;
}

/** The reference has no negative zero: code 8 is 0. */
function element(code: number): number {
  return code === 8 ? 0 : (fp4[code] ?? 0);
}

/** The top bit is not part of the number: with it set, all ones below are 480 and not NaN. */
function unsignedE4m3(code: number): number {
  if (code === 0x7f) return 0;
  return code === 0xff ? 480 : (e4m3[code & 0x7f] ?? 0);
}
