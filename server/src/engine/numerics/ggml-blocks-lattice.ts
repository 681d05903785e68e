/**
 * Super-blocks of 256 values whose codes are points of a lattice grid, 8 or 4 values at once. Signs stand apart: 7 bits
 * for 8 values whose number of minus signs is even, or 8 bits for any. IQ1 types add ±1/8 to every value of a group.
 */
import { type BlockType, bit, blockRow, half, halfOf, nibble, pair, unsigned } from './ggml-blocks-row';
import { iq1Grid, iq2sGrid, iq2xsGrid, iq2xxsGrid, iq3sGrid, iq3xxsGrid } from './ggml-grids';

const ELEMENTS = 256;
const DELTA = 0.125;

export const latticeTypes: readonly BlockType[] = [
  // groups of 32: four grid bytes, then 32 bits: 4 × 7 of signs, 4 of scale; w = scale · (½ + s) / 4 · point
  blockRow('IQ2_XXS', ELEMENTS, { scale: 2, codes: 64 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    const grid = iq2xxsGrid();
    for (let group = 0; group < 8; group++) {
      const at = start.codes + group * 8;
      const word = word32(bytes, at + 4);
      const factor = scale * (0.5 + (word >>> 28)) * 0.25;
      for (let k = 0; k < 4; k++) {
        const signs = evenSigns((word >>> (7 * k)) & 127);
        pointOf(8, target, to + group * 32 + k * 8, factor, grid, unsigned(bytes, at + k), signs);
      }
    }
  }),
  // nine bits of grid and seven of signs for 8 values; four bits of scale for 16
  blockRow('IQ2_XS', ELEMENTS, { scale: 2, codes: 64, groups: 8 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    const grid = iq2xsGrid();
    for (let k = 0; k < 32; k++) {
      const word = word16(bytes, start.codes + 2 * k);
      const factor = scale * (0.5 + nibble(bytes, start.groups + (k >> 2), (k >> 1) & 1)) * 0.25;
      pointOf(8, target, to + k * 8, factor, grid, word & 511, evenSigns(word >> 9));
    }
  }),
  // as IQ2_XS with ten bits of grid, two of them in `high`, and eight of signs
  blockRow(
    'IQ2_S',
    ELEMENTS,
    { scale: 2, codes: 32, signs: 32, high: 8, groups: 8 },
    ({ bytes, start, target, to }) => {
      const scale = half(bytes, start.scale);
      const grid = iq2sGrid();
      for (let k = 0; k < 32; k++) {
        const point = unsigned(bytes, start.codes + k) | (pair(bytes, start.high + (k >> 2), k & 3) << 8);
        const factor = scale * (0.5 + nibble(bytes, start.groups + (k >> 2), (k >> 1) & 1)) * 0.25;
        pointOf(8, target, to + k * 8, factor, grid, point, unsigned(bytes, start.signs + k));
      }
    },
  ),
  // groups of 32: eight points of four values; signs and scale as in IQ2_XXS; w = scale · (½ + s) / 2 · point
  blockRow('IQ3_XXS', ELEMENTS, { scale: 2, codes: 64, words: 32 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    const grid = iq3xxsGrid();
    for (let group = 0; group < 8; group++) {
      const word = word32(bytes, start.words + group * 4);
      const factor = scale * (0.5 + (word >>> 28)) * 0.5;
      for (let k = 0; k < 8; k++) {
        const point = unsigned(bytes, start.codes + group * 8 + k);
        const signs = evenSigns((word >>> (7 * (k >> 1))) & 127) >> (4 * (k & 1));
        pointOf(4, target, to + group * 32 + k * 4, factor, grid, point, signs);
      }
    }
  }),
  // nine bits of grid, one of them in `high`; eight of signs; four of scale for 32; w = scale · (1 + 2s) · point
  blockRow(
    'IQ3_S',
    ELEMENTS,
    { scale: 2, codes: 64, high: 8, signs: 32, groups: 4 },
    ({ bytes, start, target, to }) => {
      const scale = half(bytes, start.scale);
      const grid = iq3sGrid();
      for (let k = 0; k < 64; k++) {
        const point = unsigned(bytes, start.codes + k) | (bit(bytes, start.high + (k >> 3), k & 7) << 8);
        const factor = scale * (1 + 2 * nibble(bytes, start.groups + (k >> 4), (k >> 3) & 1));
        const signs = nibble(bytes, start.signs + (k >> 1), k & 1);
        pointOf(4, target, to + k * 4, factor, grid, point, signs);
      }
    },
  ),
  // groups of 32: 16 bits: 4 × 3 of grid, 3 of scale, the sign of the shift; w = scale · (1 + 2s) · (point ± ⅛)
  blockRow('IQ1_S', ELEMENTS, { scale: 2, codes: 32, high: 16 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    for (let k = 0; k < 32; k++) {
      const word = word16(bytes, start.high + 2 * (k >> 2));
      const point = unsigned(bytes, start.codes + k) | (((word >> (3 * (k & 3))) & 7) << 8);
      const shift = word & 0x8000 ? -DELTA : DELTA;
      shifted(target, to + k * 8, scale * (2 * ((word >> 12) & 7) + 1), point, shift);
    }
  }),
  // four bits of grid and shift for 8 values; three of scale for 16; the scale itself in the top bits of `groups`
  blockRow('IQ1_M', ELEMENTS, { codes: 32, high: 16, groups: 8 }, ({ bytes, start, target, to }) => {
    let code = 0;
    for (let part = 0; part < 4; part++) code |= (word16(bytes, start.groups + 2 * part) >> 12) << (4 * part);
    const scale = halfOf(code);
    for (let k = 0; k < 32; k++) {
      const high = nibble(bytes, start.high + (k >> 1), k & 1);
      const point = unsigned(bytes, start.codes + k) | ((high & 7) << 8);
      const group = k >> 1;
      const three = (word16(bytes, start.groups + 2 * (group >> 2)) >> (3 * (group & 3))) & 7;
      shifted(target, to + k * 8, scale * (2 * three + 1), point, high & 8 ? -DELTA : DELTA);
    }
  }),
];

/** The `count` values of one point of a grid, with a bit of sign each. */
function pointOf(
  count: 4 | 8,
  target: Float32Array,
  to: number,
  factor: number,
  grid: Float32Array,
  point: number,
  signs: number,
): void {
  for (let value = 0; value < count; value++) {
    const size = factor * (grid[point * count + value] ?? 0);
    target[to + value] = (signs >> value) & 1 ? -size : size;
  }
}

function shifted(target: Float32Array, to: number, factor: number, point: number, shift: number): void {
  const grid = iq1Grid();
  for (let value = 0; value < 8; value++)
    target[to + value] = factor * ((grid[point * 8 + value] ?? 0) + shift);
}

/** Seven signs and the eighth that makes their number even. */
function evenSigns(seven: number): number {
  let parity = seven ^ (seven >> 4);
  parity ^= parity >> 2;
  return seven | (((parity ^ (parity >> 1)) & 1) << 7);
}

function word16(bytes: Uint8Array, at: number): number {
  return unsigned(bytes, at) | (unsigned(bytes, at + 1) << 8);
}

function word32(bytes: Uint8Array, at: number): number {
  return (word16(bytes, at) | (word16(bytes, at + 2) << 16)) >>> 0;
}
