/**
 * Super-blocks of 256 values: groups of 16 or 32 values have small integer scales (and minima), which one or two
 * half-precision numbers of the super-block multiply.
 */
import {
  type BlockType,
  bit,
  blockRow,
  half,
  nibble,
  nonLinearLevels,
  pair,
  signed,
  unsigned,
} from './ggml-blocks-row';

const ELEMENTS = 256;

export const superBlockTypes: readonly BlockType[] = [
  // groups of 16: w = scale · (low four bits of its byte) · code − minimum · (high four bits)
  blockRow(
    'Q2_K',
    ELEMENTS,
    { groups: 16, codes: 64, scale: 2, minimum: 2 },
    ({ bytes, start, target, to }) => {
      const scale = half(bytes, start.scale);
      const minimum = half(bytes, start.minimum);
      for (let index = 0; index < ELEMENTS; index++) {
        const group = start.groups + (index >> 4);
        const code = twoBits(bytes, start.codes, index);
        target[to + index] = scale * nibble(bytes, group, 0) * code - minimum * nibble(bytes, group, 1);
      }
    },
  ),
  // groups of 16: w = scale · (6-bit group scale − 32) · (code − 4); `high` holds the third bits
  blockRow(
    'Q3_K',
    ELEMENTS,
    { high: 32, codes: 64, groups: 12, scale: 2 },
    ({ bytes, start, target, to }) => {
      const scale = half(bytes, start.scale);
      for (let index = 0; index < ELEMENTS; index++) {
        const high = bit(bytes, start.high + (index & 31), index >> 5);
        const code = twoBits(bytes, start.codes, index) + 4 * high - 4;
        target[to + index] = scale * threeBitGroup(bytes, start.groups, index >> 4) * code;
      }
    },
  ),
  withMinima('Q4_K', 4),
  withMinima('Q5_K', 5),
  // groups of 16: w = scale · int8 group scale · (code − 32); low four bits in `codes`, two more in `high`
  blockRow(
    'Q6_K',
    ELEMENTS,
    { codes: 128, high: 64, groups: 16, scale: 2 },
    ({ bytes, start, target, to }) => {
      const scale = half(bytes, start.scale);
      for (let index = 0; index < ELEMENTS; index++) {
        const side = index >> 7;
        const low = nibble(bytes, start.codes + side * 64 + (index & 63), (index >> 6) & 1);
        const code = low | (twoBits(bytes, start.high, index) << 4);
        target[to + index] = scale * signed(bytes, start.groups + (index >> 4)) * (code - 32);
      }
    },
  ),
  // w = float32 scale · int8 code; `sums` are the int16 sums of 16 codes each, which dot products use
  blockRow('Q8_K', ELEMENTS, { scale: 4, codes: 256, sums: 32 }, ({ bytes, start, target, to }) => {
    const scale = new DataView(bytes.buffer, bytes.byteOffset).getFloat32(start.scale, true);
    for (let index = 0; index < ELEMENTS; index++)
      target[to + index] = scale * signed(bytes, start.codes + index);
  }),
  // groups of 32: w = scale · (6-bit group scale − 32) · level[code]; each group packed like a block of IQ4_NL
  blockRow('IQ4_XS', ELEMENTS, { scale: 2, high: 2, low: 4, codes: 128 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    for (let group = 0; group < 8; group++) {
      const low = nibble(bytes, start.low + (group >> 1), group & 1);
      const high = pair(bytes, start.high + (group >> 2), group & 3);
      const groupScale = scale * ((low | (high << 4)) - 32);
      for (let index = 0; index < 32; index++) {
        const code = nibble(bytes, start.codes + group * 16 + (index & 15), index >> 4);
        target[to + group * 32 + index] = groupScale * (nonLinearLevels[code] ?? 0);
      }
    }
  }),
];

/**
 * Groups of 32: w = scale · 6-bit group scale · code − minimum · 6-bit group minimum. Byte i of `fifth` serves the fifth
 * bits of value i of every group, group number = bit number.
 */
function withMinima(name: string, bits: 4 | 5): BlockType {
  const fields = { scale: 2, minimum: 2, groups: 12, fifth: bits === 5 ? 32 : 0, codes: 128 };
  return blockRow(name, ELEMENTS, fields, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    const minimum = half(bytes, start.minimum);
    for (let group = 0; group < 8; group++) {
      const groupScale = scale * scaleOf(bytes, start.groups, group);
      const groupMinimum = minimum * minimumOf(bytes, start.groups, group);
      const codes = start.codes + (group >> 1) * 32;
      const from = to + group * 32;
      const high = group & 1;
      const five = bits === 5;
      for (let index = 0; index < 32; index++) {
        const low = nibble(bytes, codes + index, high);
        const code = five ? low | (bit(bytes, start.fifth + index, group) << 4) : low;
        target[from + index] = groupScale * code - groupMinimum;
      }
    }
  });
}

/** Two bits of value `index`: each half of 128 values takes 32 bytes, whose bit pairs serve 32 values each. */
function twoBits(bytes: Uint8Array, codes: number, index: number): number {
  return pair(bytes, codes + (index >> 7) * 32 + (index & 31), (index >> 5) & 3);
}

/**
 * Signed scale of group 0…15 of Q3_K. Low four bits: byte `group` for the first eight, the high halves of the same
 * bytes for the others; high two bits: bytes 8 to 11, four groups apart.
 */
function threeBitGroup(bytes: Uint8Array, groups: number, group: number): number {
  const low = nibble(bytes, groups + (group & 7), group >> 3);
  const high = pair(bytes, groups + 8 + (group & 3), group >> 2);
  return (low | (high << 4)) - 32;
}

/**
 * Scale of group 0…7 of Q4_K and Q5_K. Groups 0…3: six bits of bytes 0…3. Groups 4…7: low four bits of bytes 8…11, top
 * two bits of bytes 0…3.
 */
function scaleOf(bytes: Uint8Array, groups: number, group: number): number {
  if (group < 4) return unsigned(bytes, groups + group) & 63;
  return nibble(bytes, groups + group + 4, 0) | (pair(bytes, groups + group - 4, 3) << 4);
}

/** Minimum of group 0…7: like the scale, with bytes 4…7 for 0…3 and the high four bits of bytes 8…11. */
function minimumOf(bytes: Uint8Array, groups: number, group: number): number {
  if (group < 4) return unsigned(bytes, groups + 4 + group) & 63;
  return nibble(bytes, groups + group + 4, 1) | (pair(bytes, groups + group, 3) << 4);
}
