/**
 * Weights of com.microsoft MatMulBnb4: two 4-bit codes in a byte, the first in its high half, each the position of a
 * level of NF4 or FP4, and one float scale for every block along the rows of N × K (onnxruntime ContribOperators.md;
 * levels as in bitsandbytes, Dettmers et al. 2023).
 */
import type { Layer } from '../graph/layers';
import { elementsOf } from '../graph/tensor';
import { nf4Levels } from '../numerics/level-formats';
import { floats } from './stored-codes';

export interface Bnb4Codes {
  readonly type: 'nf4' | 'fp4';
  readonly bits: 4;
  /** Levels of all elements without their scale, output channel first. */
  readonly values: Float32Array;
  readonly scales: Float32Array;
  readonly granularity: 'group';
  readonly groupSize: number;
}

/** Opens the codes of a layer; `undefined` for other operators, and where codes or scales are not all there. */
export function bnb4Codes({ op, node, shape, tensor }: Layer): Bnb4Codes | undefined {
  if (op !== 'com.microsoft.MatMulBnb4') return undefined;
  const count = (shape[0] ?? 0) * (shape[1] ?? 0);
  const block = node.int('block_size', 64);
  const packed = elementsOf(tensor).value;
  const scales = floats(node.input(2)?.tensor);
  if (!(packed instanceof Uint8Array) || packed.length * 2 < count) return undefined;
  if (!scales || block < 1 || scales.length * block < count) return undefined;
  const type = node.int('quant_type', 1) === 0 ? 'fp4' : 'nf4';
  const levels = type === 'fp4' ? fp4Levels : nf4Levels;
  const values = Float32Array.from({ length: count }, (_, at) => {
    const byte = packed[at >> 1] ?? 0;
    return levels[at % 2 === 0 ? byte >> 4 : byte & 15] ?? 0;
  });
  return { type, bits: 4, values, scales, granularity: 'group', groupSize: block };
}

/** Level · scale of every element. */
export function bnb4Weight({ values, scales, groupSize }: Bnb4Codes): Float32Array {
  return values.map((value, at) => value * (scales[Math.floor(at / groupSize)] ?? 0));
}

const positive = [0, 0.005208333333, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4];
/** A sign before three bits that are no binary number. */
const fp4Levels: readonly number[] = [...positive, ...positive.map((level) => -level)];
