/** Files of one tensor: `input_0.pb`, `output_0.pb` of ONNX test data sets (a serialized TensorProto). */
import type { ByteSource } from '../base/byte-source';
import type { Outcome } from '../base/outcome';
import { fail, ok } from '../base/outcome';
import { decodeTensor } from './onnx-decode';
import { readTensor, type TensorData } from './tensor-data';

/** Name and elements of a tensor file; its issues name the file. Tensors in such files are never external. */
export function readTensorFile(source: ByteSource): Outcome<TensorData & { readonly name: string }> {
  const decoded = decodeTensor(source);
  if (decoded.value === undefined) return fail(...decoded.issues);
  const { name } = decoded.value;
  const { value, issues } = readTensor(decoded.value);
  if (value !== undefined) return ok({ name, ...value });
  return fail(...issues.map((one) => ({ ...one, anchor: { path: source.path, ...one.anchor } })));
}
