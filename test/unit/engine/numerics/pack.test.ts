import { describe, expect, test } from 'vitest';
import {
  blockedLayout,
  packMatMulNBits,
  packNibbles,
  unpackMatMulNBits,
  unpackNibbles,
} from '../../../../server/src/engine/numerics/pack';
import {
  dequantizeWeight,
  type QuantizedWeight,
  quantizeWeight,
} from '../../../../server/src/engine/numerics/quantize-weight';
import { createRandom, normalArray } from '../../../../server/src/engine/numerics/random';
import { parseQuantScheme } from '../../../../server/src/engine/numerics/scheme';

describe('nibbles', () => {
  test.each([
    ['low-first', [1, 2, 3], [0x21, 0x03]],
    ['high-first', [1, 2, 3], [0x12, 0x30]],
    ['low-first', [-8, 7, -1, 0], [0x78, 0x0f]],
    ['high-first', [-8, 7, -1, 0], [0x87, 0xf0]],
    ['low-first', [], []],
  ] as const)('%s %j', (order, codes, bytes) => {
    expect(Array.from(packNibbles(codes, order))).toEqual(bytes);
    expect(Array.from(unpackNibbles(Uint8Array.from(bytes), codes.length, order))).toEqual(
      codes.map((code) => code & 15),
    );
  });
});

describe('MatMulNBits', () => {
  test('a hand case: two columns, one block and a half', () => {
    // Column 0 holds codes 0 … 7 … and column 1 their negatives; K = 20 with blocks of 16.
    const codes = Int8Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 1 : -1) * (Math.floor(i / 2) % 8));
    const weight: QuantizedWeight = {
      scheme: { bits: 4, signed: true, symmetric: true, granularity: { group: 16 } },
      codes,
      scales: Float32Array.of(1, 2, 3, 4),
      zeroPoints: new Int32Array(4),
      groups: 2,
    };
    const packed = packMatMulNBits(weight, [20, 2]);
    expect(packed).toMatchObject({ n: 2, k: 20, bits: 4, blockSize: 16, blocks: 2, zeroPoints: undefined });
    expect(hex(packed.packed)).toEqual([
      '98badcfe98badcfe',
      '98ba888888888888',
      '7856341278563412',
      '7856888888888888',
    ]);
    expect(Array.from(unpackMatMulNBits(packed)).slice(30)).toEqual([7, -21, 0, 0, 2, -4, 4, -8, 6, -12]);
  });

  test('zero points of each column are padded to a byte', () => {
    const weight: QuantizedWeight = {
      scheme: { bits: 4, signed: false, symmetric: false, granularity: { group: 16 } },
      codes: new Uint8Array(96),
      scales: new Float32Array(6).fill(1),
      zeroPoints: Int32Array.of(1, 2, 3, 4, 5, 6),
      groups: 3,
    };
    expect(hex(packMatMulNBits(weight, [48, 2]).zeroPoints ?? new Uint8Array(), 2)).toEqual(['2103', '5406']);
  });

  test.each(['int4.group32', 'uint4.group16', 'int8.group64', 'uint2.group16', 'int4.group16.asym'])(
    '%s survives',
    (format) => {
      const scheme = parseQuantScheme(format).value;
      if (scheme === undefined) throw new Error(format);
      const weight = quantizeWeight(normalArray(createRandom(1), 70 * 3), [70, 3], 1, scheme);
      expect(unpackMatMulNBits(packMatMulNBits(weight, [70, 3]))).toEqual(
        dequantizeWeight(weight, [70, 3], 1),
      );
    },
  );

  test.each(['int4.channel', 'int5.group32'])('%s is not for it', (format) => {
    const scheme = parseQuantScheme(format).value;
    if (scheme === undefined) throw new Error(format);
    const weight = quantizeWeight(new Float32Array(64), [32, 2], 1, scheme);
    expect(() => packMatMulNBits(weight, [32, 2])).toThrow(/MatMulNBits/);
  });
});

test('blocked DequantizeLinear on axis 0 wants groups first', () => {
  expect(blockedLayout(Float32Array.of(1, 2, 3, 4, 5, 6), 2, 3)).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6));
});

function hex(bytes: Uint8Array, width = 8): string[] {
  const text = Buffer.from(bytes).toString('hex');
  return text.match(new RegExp(`.{${2 * width}}`, 'g')) ?? [];
}
