/** Content of Constant nodes: every attribute form of the operator (onnx/docs/Operators.md, Constant). */
import type { ExternalFiles } from '../format/onnx-external';
import type { Node } from './ir';
import { bytesOf, memoryTensor, protoTensor, type Tensor } from './tensor';

/** The tensor a Constant node makes; `undefined` for strings, sparse values and malformed nodes. */
export function constantOf(node: Node, external: ExternalFiles | undefined): Tensor | undefined {
  for (const [name, attribute] of node.attributes) {
    if (name === 'value' && attribute.type === 'tensor') return protoTensor(attribute.value, external);
    if (name === 'value_float' && attribute.type === 'float') return floats([], [attribute.value]);
    if (name === 'value_floats' && attribute.type === 'floats')
      return floats([attribute.value.length], attribute.value);
    if (name === 'value_int' && attribute.type === 'int') return integers([], [attribute.value]);
    if (name === 'value_ints' && attribute.type === 'ints')
      return integers([attribute.value.length], attribute.value);
  }
  return undefined;
}

function floats(shape: readonly number[], values: readonly number[]): Tensor {
  return memoryTensor(1, shape, bytesOf(Float32Array.from(values)));
}

function integers(shape: readonly number[], values: readonly bigint[]): Tensor {
  return memoryTensor(7, shape, bytesOf(BigInt64Array.from(values)));
}
