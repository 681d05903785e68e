/** GGUF block types: layouts against the file format's sizes, and blocks written by hand for every type. */
import { describe, expect, it, test } from 'vitest';
import { ggufTypeById, ggufTypes } from '../../../../server/src/engine/format/gguf-types';
import { blockType, blockTypes, dequantizeBlocks } from '../../../../server/src/engine/numerics/ggml-blocks';

/** float16 1, 0.5, −2 and 0.25, little endian. */
const ONE = [0x00, 0x3c];
const HALF = [0x00, 0x38];
const MINUS_TWO = [0x00, 0xc0];
const QUARTER = [0x00, 0x34];
/** 4 and 8. */
const FOUR = [0x00, 0x44];
const EIGHT = [0x00, 0x48];

/** `bytes` with some set, by offset. */
function bytes(length: number, at: Readonly<Record<number, number>> = {}, fill = 0): number[] {
  return Array.from({ length }, (_, index) => at[index] ?? fill);
}

interface HandCase {
  readonly type: string;
  readonly block: readonly number[];
  /** Value by index; `rest` is that of all others. */
  readonly values: Readonly<Record<number, number>>;
  readonly rest: number;
}

const cases: readonly HandCase[] = [
  // Low four bits are value i, high ones value i + 16.
  {
    type: 'Q4_0',
    block: [...HALF, ...bytes(16, { 0: 0x2f, 15: 0xf0 }, 0x88)],
    values: { 0: 3.5, 16: -3, 15: -4, 31: 3.5 },
    rest: 0,
  },
  {
    type: 'Q4_1',
    block: [...HALF, ...MINUS_TWO, ...bytes(16, { 1: 0xf3 })],
    values: { 1: -0.5, 17: 5.5 },
    rest: -2,
  },
  // Fifth bits of values 0, 17 and 31.
  {
    type: 'Q5_0',
    block: [...ONE, 0x01, 0, 0x02, 0x80, ...bytes(16, { 1: 0x2f, 15: 0xf0 })],
    values: { 0: 0, 1: -1, 17: 2, 31: 15 },
    rest: -16,
  },
  {
    type: 'Q5_1',
    block: [...ONE, ...HALF, 0x01, 0, 0x02, 0x80, ...bytes(16, { 1: 0x2f, 15: 0xf0 })],
    values: { 0: 16.5, 1: 15.5, 17: 18.5, 31: 31.5 },
    rest: 0.5,
  },
  {
    type: 'Q8_0',
    block: [...HALF, ...bytes(32, { 0: 0x7f, 1: 0x80, 31: 0xff })],
    values: { 0: 63.5, 1: -64, 31: -0.5 },
    rest: 0,
  },
  {
    type: 'Q8_1',
    block: [...HALF, 0xff, 0xff, ...bytes(32, { 0: 0x7f, 1: 0x80, 31: 0xff })],
    values: { 0: 63.5, 1: -64, 31: -0.5 },
    rest: 0,
  },
  {
    type: 'IQ4_NL',
    block: [...HALF, ...bytes(16, { 0: 0xf0, 3: 0x78 }, 0x88)],
    values: { 0: -63.5, 16: 56.5, 3: 0.5, 19: -5 },
    rest: 0.5,
  },
  // Exponent 128 is a scale of 2; codes are FP4: 7 = 6, 9 = −0.5, 1 = 0.5.
  {
    type: 'MXFP4',
    block: [128, ...bytes(16, { 0: 0x97, 15: 0x1f })],
    values: { 0: 12, 16: -1, 15: -12, 31: 1 },
    rest: 0,
  },
  // E4M3 scales 1 (0x38), 448 (0x7e), NaN as 0, smallest 2^-9; eight bytes a group, high four bits eight values on.
  {
    type: 'NVFP4',
    block: [0x38, 0x7e, 0x7f, 0x01, ...bytes(32, { 0: 0x97, 8: 0x02, 16: 0x22, 31: 0xa0 })],
    values: { 0: 6, 8: -0.5, 16: 448, 63: -1 / 512 },
    rest: 0,
  },
  // Group 0: scale 2, minimum 3 × ½. Group 8 (value 128) serves the second half.
  {
    type: 'Q2_K',
    block: [
      ...bytes(16, { 0: 0x32, 8: 0x01, 15: 0x1f }),
      ...bytes(64, { 0: 0x03, 32: 0x02, 63: 0xc0 }),
      ...ONE,
      ...HALF,
    ],
    values: { ...values(0, 16, -1.5), 0: 4.5, 128: 2, ...values(240, 256, -0.5), 255: 44.5 },
    rest: 0,
  },
  // Group scales are 6 bits less 32: group 0 = 33 → 1, group 15 = 63 → 31. Without its high bit a code is 4 less.
  {
    type: 'Q3_K',
    block: [
      ...bytes(32, { 0: 0x01, 31: 0x80 }),
      ...bytes(64, { 0: 0x03, 63: 0xc0 }),
      ...bytes(12, { 0: 0x01, 7: 0xf0, 8: 0x02, 11: 0xc0 }),
      ...HALF,
    ],
    values: { ...q3Rest(), 0: 1.5, 255: 46.5 },
    rest: 64,
  },
  // Group 0: scale 63, minimum 1. Group 7: scale 0b110101, minimum 0b100011.
  {
    type: 'Q4_K',
    block: [
      ...ONE,
      ...HALF,
      ...bytes(12, { 0: 0x3f, 3: 0xc0, 4: 0x01, 7: 0x80, 11: 0x35 }),
      ...bytes(128, { 0: 0x02, 127: 0xf0 }),
    ],
    values: { ...values(0, 32, -0.5), 0: 125.5, ...values(224, 256, -17.5), 255: 15 * 53 - 17.5 },
    rest: 0,
  },
  {
    type: 'Q5_K',
    block: [
      ...ONE,
      ...HALF,
      ...bytes(12, { 0: 0x3f, 3: 0xc0, 4: 0x01, 7: 0x80, 11: 0x35 }),
      ...bytes(32, { 0: 0x01, 31: 0x80 }),
      ...bytes(128, { 0: 0x02, 127: 0xf0 }),
    ],
    values: { ...values(0, 32, -0.5), 0: 18 * 63 - 0.5, ...values(224, 256, -17.5), 255: 31 * 53 - 17.5 },
    rest: 0,
  },
  // Value 64 is the high half of byte 0; value 32 takes the second bit pair of `high`.
  {
    type: 'Q6_K',
    block: [
      ...bytes(128, { 0: 0x51 }),
      ...bytes(64, { 0: 0b11_10_01_00, 63: 0xc0 }),
      ...bytes(16, { 0: 1, 2: 2, 4: 0xff, 6: 3, 15: 0x80 }),
      ...HALF,
    ],
    values: {
      ...values(0, 16, -16),
      0: -15.5,
      ...values(32, 48, -32),
      32: -16,
      ...values(64, 80, 16),
      64: -2.5,
      ...values(96, 112, -48),
      96: 24,
      ...values(240, 256, 2048),
      255: -1024,
    },
    rest: 0,
  },
  {
    type: 'Q8_K',
    block: [0, 0, 0, 0x3f, ...bytes(256, { 0: 0x7f, 1: 0x80, 255: 0xff }), ...bytes(32, {}, 0xff)],
    values: { 0: 63.5, 1: -64, 255: -0.5 },
    rest: 0,
  },
  // Group 0: 0b100001 → 1; group 7: 0b111111 → 31; the others −32. Code 8 is level 1, code 0 is −127.
  {
    type: 'IQ4_XS',
    block: [
      ...ONE,
      0x02,
      0xc0,
      ...bytes(4, { 0: 0x01, 3: 0xf0 }),
      ...bytes(128, { 0: 0x80, 127: 0x08 }, 0x88),
    ],
    values: { ...values(0, 32, 1), 0: -127, ...values(224, 256, 31), 255: -127 * 31 },
    rest: -32,
  },
  // 0 is five digits 0, that is −1 each; 0x80 = ⌈½ · 256⌉ is 0.11111 in base 3: zeros; 0xff is 0.22222: ones.
  {
    type: 'TQ1_0',
    block: [...bytes(48, { 0: 0x00, 32: 0xff }, 0x80), ...bytes(4, { 3: 0xff }, 0x80), ...HALF],
    values: {
      0: -0.5,
      32: -0.5,
      64: -0.5,
      96: -0.5,
      128: -0.5,
      160: 0.5,
      176: 0.5,
      192: 0.5,
      208: 0.5,
      224: 0.5,
      243: 0.5,
      247: 0.5,
      251: 0.5,
      255: 0.5,
    },
    rest: 0,
  },
  {
    type: 'TQ2_0',
    block: [...bytes(64, { 0: 0b00_10_01_10, 63: 0x95 }, 0x55), ...QUARTER],
    values: { 0: 0.25, 64: 0.25, 96: -0.25, 255: 0.25 },
    rest: 0,
  },
  // Point 0 holds the smallest values, point 1 differs in its first. Sign code 1 is minus at values 0 and 7.
  {
    type: 'IQ2_XXS',
    block: [...EIGHT, ...bytes(64, { 1: 1, 4: 0x01, 63: 0x10 })],
    values: { 0: -8, 7: -8, 8: 43, ...values(224, 256, 24) },
    rest: 8,
  },
  {
    type: 'IQ2_XS',
    block: [...EIGHT, ...bytes(64, { 0: 0x01, 1: 0x02 }), ...bytes(8, { 0: 0x10 })],
    values: { 0: -43, 7: -8, ...values(16, 32, 24) },
    rest: 8,
  },
  // The last point, 1023, is 43 everywhere.
  {
    type: 'IQ2_S',
    block: [
      ...EIGHT,
      ...bytes(32, { 31: 0xff }),
      ...bytes(32, { 0: 0x81 }),
      ...bytes(8, { 7: 0xc0 }),
      ...bytes(8, { 0: 0x10 }),
    ],
    values: { 0: -8, 7: -8, ...values(16, 32, 24), ...values(248, 256, 43) },
    rest: 8,
  },
  {
    type: 'IQ3_XXS',
    block: [...FOUR, ...bytes(64, { 1: 1 }), ...bytes(32, { 0: 0x01, 31: 0x10 })],
    values: { 0: -4, 4: 20, 7: -4, ...values(224, 256, 12) },
    rest: 4,
  },
  // The last point, 511, is 1, 1, 15, 15.
  {
    type: 'IQ3_S',
    block: [
      ...ONE,
      ...bytes(64, { 63: 0xff }),
      ...bytes(8, { 7: 0x80 }),
      ...bytes(32, { 0: 0x81 }),
      ...bytes(4, { 0: 0x10 }),
    ],
    values: { 0: -1, 7: -1, ...values(32, 64, 3), 254: 15, 255: 15 },
    rest: 1,
  },
  // Point 0 is −1 everywhere, point 2047 is 1; the shift is ⅛ up, or down with the top bit.
  {
    type: 'IQ1_S',
    block: [...EIGHT, ...bytes(32, { 1: 1, 11: 0xff }), ...bytes(16, { 3: 0x80, 5: 0x0e, 15: 0x10 })],
    values: { 8: 9, ...values(32, 64, -9), ...values(88, 96, 9), ...values(224, 256, -21) },
    rest: -7,
  },
  {
    type: 'IQ1_M',
    block: [
      ...bytes(32, { 31: 0xff }),
      ...bytes(16, { 0: 0x80, 15: 0x70 }),
      ...bytes(8, { 5: 0x80, 7: 0x42 }),
    ],
    values: { ...values(8, 16, -9), ...values(240, 248, -21), ...values(248, 256, 27) },
    rest: -7,
  },
];

function values(from: number, to: number, value: number): Record<number, number> {
  return Object.fromEntries(Array.from({ length: to - from }, (_, index) => [from + index, value]));
}

/** Code −4 under ½ · group scale: group 0 has 1, group 15 has 31, all others −32. */
function q3Rest(): Record<number, number> {
  return { ...values(0, 16, -2), ...values(240, 256, -62) };
}

function checkBlock({ type: name, block, values: some, rest }: HandCase): void {
  const type = blockType(name);
  if (!type) throw new Error(`${name} is missing`);
  // In the middle of other bytes and of the target, twice: places must not be mixed up.
  const target = new Float32Array(type.elements * 2 + 1).fill(7);
  dequantizeBlocks(type, Uint8Array.from([...block, ...block]), target, 1);
  const expected = Array.from({ length: type.elements }, (_, index) => some[index] ?? rest);
  const plain = [...target].map((value) => value + 0);
  expect(plain).toEqual([7, ...expected, ...expected]);
}

test.each(cases.map((one) => [one.type, one] as const))('%s by hand', (_name, one) => checkBlock(one));

it('has a hand case for every type', () => {
  expect(new Set(cases.map((one) => one.type))).toEqual(new Set(blockTypes.map((type) => type.name)));
});

describe('layouts', () => {
  test.each(blockTypes.map((type) => [type.name, type] as const))('%s fills its block', (name, type) => {
    const known = ggufTypes.find((one) => one.name === name);
    expect([type.elements, type.bytes]).toEqual([known?.blockSize, known?.blockBytes]);
  });

  it('plain types and two types without a published reference have none', () => {
    const without = ggufTypes.filter((type) => type.dataType === undefined && !blockType(type.name));
    expect(without.map((type) => type.name)).toEqual(['Q1_0', 'Q2_0']);
    expect(blockType(ggufTypeById(1)?.name ?? '')).toBeUndefined();
  });
});

it('refuses half a block: that is a mistake of the caller', () => {
  const type = blockType('Q8_0');
  if (!type) throw new Error('missing');
  expect(() => dequantizeBlocks(type, new Uint8Array(33), new Float32Array(32))).toThrow();
  expect(() => dequantizeBlocks(type, new Uint8Array(68), new Float32Array(63))).toThrow();
});
