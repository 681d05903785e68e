/** Ternary super-blocks of 256 values −1, 0 and 1 under one scale: five values in a byte, or four. */
import { type BlockType, blockRow, half, pair, unsigned } from './ggml-blocks-row';

const ELEMENTS = 256;

/** Bytes and values of the three runs of a TQ1_0 block: run r holds its values `bytes` apart, `digits` to a byte. */
const RUNS = [
  { from: 0, bytes: 32, digits: 5 },
  { from: 32, bytes: 16, digits: 5 },
  { from: 48, bytes: 4, digits: 4 },
] as const;

export const ternaryTypes: readonly BlockType[] = [
  // w = scale · (digit − 1)
  blockRow('TQ1_0', ELEMENTS, { codes: 48, rest: 4, scale: 2 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    let next = to;
    for (const run of RUNS) {
      for (let digit = 0; digit < run.digits; digit++) {
        for (let index = 0; index < run.bytes; index++) {
          const code = ternaryDigit(unsigned(bytes, start.codes + run.from + index), digit);
          target[next++] = scale * (code - 1);
        }
      }
    }
  }),
  // w = scale · (code − 1), two bits a code: each 32 bytes hold 128 values, bit pairs 32 values apart
  blockRow('TQ2_0', ELEMENTS, { codes: 64, scale: 2 }, ({ bytes, start, target, to }) => {
    const scale = half(bytes, start.scale);
    for (let index = 0; index < ELEMENTS; index++) {
      const at = start.codes + (index >> 7) * 32 + (index & 31);
      target[to + index] = scale * (pair(bytes, at, (index >> 5) & 3) - 1);
    }
  }),
];

/**
 * Digit of a byte that holds a fraction f = byte / 256 in base 3, most significant first: 3^digit shifts the point (the
 * whole part falls off at 256), times 3 brings the digit out as the whole part.
 */
function ternaryDigit(byte: number, digit: number): number {
  return (((byte * 3 ** digit) & 255) * 3) >> 8;
}
