/** A model too large to be analysed on opening: a chain of MatMul whose weights are holes in a sparse file. */
import { open } from 'node:fs/promises';
import { bytesField, lyingField, varintField } from '../../fixtures/wire';

const width = 4096;
const weightBytes = width * width * 4;

/** Writes a valid ONNX file of `layers` × 67 MB that takes almost no room on disk. Field numbers: onnx.proto, IR 8. */
export async function writeLargeModel(file: string, layers: number): Promise<void> {
  const names = Array.from({ length: layers }, (_, index) => index);
  const nodes = names.map((index) =>
    bytesField(
      1,
      bytesField(1, `value${index}`),
      bytesField(1, `layer${index}.weight`),
      bytesField(2, `value${index + 1}`),
      bytesField(4, 'MatMul'),
    ),
  );
  const weights = names.map((index) => {
    const head = [
      varintField(1, width),
      varintField(1, width),
      varintField(2, 1),
      bytesField(8, `layer${index}.weight`),
      // The bytes themselves are a hole.
      lyingField(9, weightBytes),
    ];
    return [lyingField(5, sizeOf(head) + weightBytes), ...head, weightBytes];
  });
  const ends = [value(11, 'value0'), value(12, `value${layers}`)];
  const graph = [...nodes, bytesField(2, 'large'), ...weights.flat(), ...ends];
  await writePieces(file, [
    varintField(1, 8),
    bytesField(8, varintField(2, 17)),
    lyingField(7, sizeOf(graph)),
    ...graph,
  ]);
}

/** Bytes, or a number of bytes that are not written. */
type Piece = Uint8Array | number;

function sizeOf(pieces: readonly Piece[]): number {
  return pieces.reduce<number>((sum, piece) => sum + (typeof piece === 'number' ? piece : piece.length), 0);
}

function value(field: number, name: string): Uint8Array {
  const dimensions = [1, width].map((size) => bytesField(1, varintField(1, size)));
  const type = bytesField(1, varintField(1, 1), bytesField(2, ...dimensions));
  return bytesField(field, bytesField(1, name), bytesField(2, type));
}

async function writePieces(file: string, pieces: readonly Piece[]): Promise<void> {
  const handle = await open(file, 'w');
  try {
    let at = 0;
    for (const piece of pieces) {
      if (typeof piece !== 'number') await handle.write(piece, 0, piece.length, at);
      at += sizeOf([piece]);
    }
    await handle.truncate(at);
  } finally {
    await handle.close();
  }
}
