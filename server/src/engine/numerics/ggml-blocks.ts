/**
 * Blocks of quantized weights as GGUF files store them: per type the fields of a block in file order, little endian,
 * and a reference dequantizer. Plain types (F32, F16, BF16, F64) are read like ONNX tensors and are not here.
 * Source: block structs and `dequantize_row_*` of the GGUF reference (ggml-common.h, ggml-quants.c).
 *
 * A half-precision scale times the codes of any type here fits the 24 bits of a float32, so each value is computed in
 * double and rounded once, which equals the reference's float32 arithmetic bit for bit.
 */
import { invariant } from '../base/invariant';
import { latticeTypes } from './ggml-blocks-lattice';
import { nibbleTypes } from './ggml-blocks-nibble';
import type { BlockType } from './ggml-blocks-row';
import { superBlockTypes } from './ggml-blocks-super';
import { ternaryTypes } from './ggml-blocks-ternary';

export type { BlockType } from './ggml-blocks-row';

/** All block types with a dequantizer. */
export const blockTypes: readonly BlockType[] = [
  ...nibbleTypes,
  ...superBlockTypes,
  ...ternaryTypes,
  ...latticeTypes,
];

const byName = new Map(blockTypes.map((type) => [type.name, type]));

/** Block type by its GGUF name (`Q4_0`); `undefined` for plain types and for those without a dequantizer. */
export function blockType(name: string): BlockType | undefined {
  return byName.get(name);
}

/**
 * Dequantizes whole blocks.
 * @param bytes any number of blocks, back to back
 * @param target receives `type.elements` values per block from `to` on
 */
export function dequantizeBlocks(type: BlockType, bytes: Uint8Array, target: Float32Array, to = 0): void {
  const blocks = bytes.length / type.bytes;
  invariant(Number.isInteger(blocks), `${bytes.length} bytes are no whole ${type.name} blocks`);
  invariant(to + blocks * type.elements <= target.length, 'room for the dequantized values');
  for (let block = 0; block < blocks; block++) {
    type.dequantize(bytes, block * type.bytes, target, to + block * type.elements);
  }
}
