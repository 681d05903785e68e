/**
 * Layouts of packed integer weights: nibble order inside a byte, and the blocked layout of MatMulNBits
 * (com.microsoft): codes [N, blocks, blob], each blob one block of K values of one output column, lowest bits first.
 * Source: ONNX `TensorProto` (int4, int2), onnxruntime ContribOperators, MatMulNBits.
 */
import { invariant } from '../base/invariant';
import { packElements, unpackUnsigned } from '../base/pack';
import type { QuantizedWeight } from './quantize-weight';

/** Which nibble of a byte holds the first element; ONNX and MatMulNBits put it low, some checkpoints high. */
export type NibbleOrder = 'low-first' | 'high-first';

/** Packs 4-bit codes, two a byte; signed ones as two's complement. An odd end is padded with a zero nibble. */
export function packNibbles(codes: ArrayLike<number>, order: NibbleOrder): Uint8Array {
  const bytes = packElements(codes, 4);
  return order === 'low-first' ? bytes : swapNibbles(bytes);
}

/** Unpacks `count` unsigned 4-bit codes. */
export function unpackNibbles(bytes: Uint8Array, count: number, order: NibbleOrder): Uint8Array {
  return unpackUnsigned(order === 'low-first' ? bytes : swapNibbles(bytes), count, 4);
}

/** The inputs of one MatMulNBits node besides the activations. */
export interface MatMulNBitsWeight {
  readonly bits: number;
  readonly blockSize: number;
  /** Columns (outputs) N and rows (inputs) K of the weight. */
  readonly n: number;
  readonly k: number;
  /** Blocks per column, ⌈K / blockSize⌉. */
  readonly blocks: number;
  /** [N, blocks, blockSize · bits / 8] */
  readonly packed: Uint8Array;
  /** [N · blocks] */
  readonly scales: Float32Array;
  /** [N, ⌈blocks · bits / 8⌉], each column padded to a byte; undefined = 2^(bits−1) for all. */
  readonly zeroPoints: Uint8Array | undefined;
}

/** Bit widths and block sizes the CPU kernels of onnxruntime take. */
export const MATMUL_NBITS_WIDTHS: readonly number[] = [2, 4, 8];
export const MATMUL_NBITS_BLOCKS: readonly number[] = [16, 32, 64, 128, 256];

/**
 * Lays a grouped weight of shape (K, N), quantized along K, out for MatMulNBits. Signed codes are stored with
 * 2^(bits−1) added, which is the operator's own zero point. The last block is padded with codes of value 0.
 */
export function packMatMulNBits(
  weight: QuantizedWeight,
  shape: readonly [k: number, n: number],
): MatMulNBitsWeight {
  const [k, n] = shape;
  const { scheme, codes, scales, groups } = weight;
  const { bits, granularity } = scheme;
  invariant(typeof granularity !== 'string', 'MatMulNBits takes groups');
  invariant(MATMUL_NBITS_WIDTHS.includes(bits), `MatMulNBits has no ${bits}-bit codes`);
  const blockSize = granularity.group;
  const middle = 2 ** (bits - 1);
  const offset = scheme.signed ? middle : 0;
  const zeroOf = (column: number, block: number) =>
    (weight.zeroPoints[column * groups + block] ?? 0) + offset;
  const padded = new Uint8Array(n * groups * blockSize);
  for (let column = 0; column < n; column++) {
    for (let block = 0; block < groups; block++) {
      const start = (column * groups + block) * blockSize;
      for (let i = 0; i < blockSize; i++) {
        const row = block * blockSize + i;
        padded[start + i] = row < k ? (codes[row * n + column] ?? 0) + offset : zeroOf(column, block);
      }
    }
  }
  const packed = packElements(padded, bits);
  const zeroPoints = scheme.symmetric ? undefined : packColumns(n, groups, bits, zeroOf);
  return { bits, blockSize, n, k, blocks: groups, packed, scales, zeroPoints };
}

/** Values (K, N) of packed MatMulNBits inputs: the inverse of {@link packMatMulNBits}. */
export function unpackMatMulNBits(weight: MatMulNBitsWeight): Float32Array {
  const { bits, blockSize, n, k, blocks, packed, scales, zeroPoints } = weight;
  const codes = unpackUnsigned(packed, n * blocks * blockSize, bits);
  const bytesPerColumn = Math.ceil((blocks * bits) / 8);
  const values = new Float32Array(k * n);
  for (let column = 0; column < n; column++) {
    const zeros =
      zeroPoints &&
      unpackUnsigned(
        zeroPoints.subarray(column * bytesPerColumn, (column + 1) * bytesPerColumn),
        blocks,
        bits,
      );
    for (let row = 0; row < k; row++) {
      const block = Math.floor(row / blockSize);
      const code = codes[(column * blocks + block) * blockSize + (row % blockSize)] ?? 0;
      const zero = zeros === undefined ? 2 ** (bits - 1) : (zeros[block] ?? 0);
      values[row * n + column] = (code - zero) * (scales[column * blocks + block] ?? 1);
    }
  }
  return values;
}

/**
 * Scales or zero points of a grouped (K, N) weight as blocked DequantizeLinear wants them on axis 0: shape
 * (groups, N) instead of [N, groups].
 */
export function blockedLayout<T extends Float32Array | Int32Array>(
  values: T,
  channels: number,
  groups: number,
): T {
  const result = values.slice() as T;
  for (let channel = 0; channel < channels; channel++) {
    for (let group = 0; group < groups; group++)
      result[group * channels + channel] = values[channel * groups + group] ?? 0;
  }
  return result;
}

function packColumns(
  n: number,
  blocks: number,
  bits: number,
  codeOf: (column: number, block: number) => number,
): Uint8Array {
  const bytesPerColumn = Math.ceil((blocks * bits) / 8);
  const bytes = new Uint8Array(n * bytesPerColumn);
  for (let column = 0; column < n; column++) {
    const codes = Array.from({ length: blocks }, (_, block) => codeOf(column, block));
    bytes.set(packElements(codes, bits), column * bytesPerColumn);
  }
  return bytes;
}

function swapNibbles(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => ((byte & 15) << 4) | (byte >>> 4));
}
