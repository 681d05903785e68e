/** A small language model: tokens of any count, an embedding and a projection. Field numbers: onnx.proto, IR 8. */
import { writeFile } from 'node:fs/promises';
import { bytesField, varintField } from '../../fixtures/wire';

const words = 64;
const width = 16;
const elementTypes = { float: 1, int64: 7 } as const;

/** Writes a valid ONNX file that reads `ids`, int64 of `batch` × `seq`. */
export async function writeTokenModel(file: string): Promise<void> {
  const node = (op: string, inputs: readonly string[], output: string) =>
    bytesField(
      1,
      ...inputs.map((input) => bytesField(1, input)),
      bytesField(2, output),
      bytesField(3, output),
      bytesField(4, op),
    );
  const graph = bytesField(
    7,
    node('Gather', ['embedding', 'ids'], 'embedded'),
    node('MatMul', ['embedded', 'projection'], 'logits'),
    bytesField(2, 'tokens'),
    weight('embedding', words, width),
    weight('projection', width, words),
    value(11, 'ids', 'int64', ['batch', 'seq']),
    value(12, 'logits', 'float', ['batch', 'seq', words]),
  );
  await writeFile(file, Buffer.concat([varintField(1, 8), bytesField(8, varintField(2, 17)), graph]));
}

function weight(name: string, rows: number, columns: number): Uint8Array {
  const values = new Float32Array(rows * columns).map((_, at) => Math.sin(at * 12.9898) * Math.cos(at));
  return bytesField(
    5,
    varintField(1, rows),
    varintField(1, columns),
    varintField(2, elementTypes.float),
    bytesField(8, name),
    bytesField(9, new Uint8Array(values.buffer)),
  );
}

function value(
  field: number,
  name: string,
  type: keyof typeof elementTypes,
  shape: readonly (number | string)[],
): Uint8Array {
  const dimensions = shape.map((size) =>
    bytesField(1, typeof size === 'string' ? bytesField(2, size) : varintField(1, size)),
  );
  const tensor = bytesField(1, varintField(1, elementTypes[type]), bytesField(2, ...dimensions));
  return bytesField(field, bytesField(1, name), bytesField(2, tensor));
}
