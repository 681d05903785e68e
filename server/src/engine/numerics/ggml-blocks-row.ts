/** What a row of the block type tables is, and the field readers that rows share. */
import { lowFloatTable } from '../base/lowfloat';

export interface BlockType {
  /** Name in GGUF. */
  readonly name: string;
  /** Values in a block. */
  readonly elements: number;
  /** Bytes in a block: the sum of its fields. */
  readonly bytes: number;
  /** Fields in file order and their bytes. */
  readonly fields: Readonly<Record<string, number>>;
  /** Writes the `elements` values of the block that starts at `at` to `target` from `to` on. */
  dequantize(bytes: Uint8Array, at: number, target: Float32Array, to: number): void;
}

/** Dequantizes one block. */
type Body<Field extends string> = (block: {
  readonly bytes: Uint8Array;
  /** Start of every field in `bytes`. */
  readonly start: Readonly<Record<Field, number>>;
  readonly target: Float32Array;
  readonly to: number;
}) => void;

/** A row; sizes and starts follow from the fields, which must be listed in file order. */
export function blockRow<Field extends string>(
  name: string,
  elements: number,
  fields: Readonly<Record<Field, number>>,
  body: Body<Field>,
): BlockType {
  const names = Object.keys(fields) as Field[];
  let bytes = 0;
  const relative = names.map((field) => {
    const start = bytes;
    bytes += fields[field];
    return [field, start] as const;
  });
  // One object per type, moved from block to block: a fresh one for every 32 values would be most of the work.
  const start = Object.fromEntries(relative) as Record<Field, number>;
  const dequantize: BlockType['dequantize'] = (source, at, target, to) => {
    for (const [field, offset] of relative) start[field] = at + offset;
    body({ bytes: source, start, target, to });
  };
  return { name, elements, bytes, fields, dequantize };
}

/** Made when the first code is read: every start would pay for its 65,536 entries. */
let halves: Float32Array | undefined;

/** Little-endian float16 at a byte offset. */
export function half(bytes: Uint8Array, at: number): number {
  return halfOf(unsigned(bytes, at) | (unsigned(bytes, at + 1) << 8));
}

/** Number of a float16 code. */
export function halfOf(code: number): number {
  halves ??= lowFloatTable('float16');
  return halves[code] ?? 0;
}

export function unsigned(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

export function signed(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 24) >> 24;
}

/** Low (0) or high (1) four bits of a byte. */
export function nibble(bytes: Uint8Array, at: number, which: number): number {
  return ((bytes[at] ?? 0) >> (4 * which)) & 15;
}

/** Two bits of a byte, number 0 lowest. */
export function pair(bytes: Uint8Array, at: number, which: number): number {
  return ((bytes[at] ?? 0) >> (2 * which)) & 3;
}

/** One bit of a byte, number 0 lowest. */
export function bit(bytes: Uint8Array, at: number, which: number): number {
  return ((bytes[at] ?? 0) >> which) & 1;
}

/** Codes of 4 bits as 16 non-uniform levels, shared by IQ4_NL and IQ4_XS. */
export const nonLinearLevels = Float32Array.of(
  -127,
  -104,
  -83,
  -65,
  -49,
  -35,
  -22,
  -10,
  1,
  13,
  25,
  38,
  53,
  69,
  89,
  113,
);
