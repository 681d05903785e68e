/**
 * Constant tensors of a graph. Shape, type and size cost nothing; elements are read when asked for. Stores:
 * wire tensors (inline, slice of the model file, external file) and tensors made in memory.
 */
import { type DataType, DataTypeCode, dataTypeByCode, elementCount } from '../base/dtype';
import { defined, invariant } from '../base/invariant';
import { issue } from '../base/issue';
import { floatToLowFloat } from '../base/lowfloat';
import { fail, type Outcome } from '../base/outcome';
import type { ExternalFiles } from '../format/onnx-external';
import type { TensorProto } from '../format/onnx-types';
import { type TensorArray, tensorIntegers, tensorToFloat32, tensorValues } from '../format/tensor-data';

export interface Tensor {
  readonly shape: readonly number[];
  /** `TensorProto.DataType` number. */
  readonly dataType: number;
  /** Number of elements. */
  readonly size: number;
  /** Elements as float32 in row-major order, every numeric type converted. */
  toFloat32(): Outcome<Float32Array>;
  /** Elements of an integer or bool tensor as numbers; for shapes, axes and the like. */
  toIntegers(): Outcome<readonly number[]>;
  /** The wire form under the given name; payloads stay slices where they were slices. */
  toProto(name: string): TensorProto;
}

/** Tensor over a decoded proto; `external` resolves external data, contained in the model's folder. */
export function protoTensor(proto: TensorProto, external: ExternalFiles | undefined): Tensor {
  return new ProtoTensor(proto, external);
}

/** Tensor over little-endian bytes of packed elements made by this program. */
export function memoryTensor(dataType: number, shape: readonly number[], bytes: Uint8Array): Tensor {
  const size = defined(elementCount(shape), 'shape of a made tensor');
  const type = defined(dataTypeByCode(dataType), 'type of a made tensor');
  invariant(
    bytes.length === Math.ceil((size * type.bits) / 8),
    `bytes of a made tensor [${shape}] ${type.name}`,
  );
  return new ProtoTensor({ name: '', dims: shape, dataType, payload: { kind: 'bytes', bytes } }, undefined);
}

/** float32 tensor in memory. */
export function floatTensor(shape: readonly number[], values: Float32Array): Tensor {
  return memoryTensor(1, shape, bytesOf(values));
}

/**
 * Real values in memory as `dataType`, rounded to nearest even: float32, float16 or bfloat16.
 * @returns `undefined` for other types.
 */
export function realTensor(
  dataType: number,
  shape: readonly number[],
  values: ArrayLike<number>,
): Tensor | undefined {
  if (dataType === DataTypeCode.float) return floatTensor(shape, Float32Array.from(values));
  const name = dataTypeByCode(dataType)?.name;
  if (name !== 'float16' && name !== 'bfloat16') return undefined;
  const codes = Uint16Array.from(values, (value) => floatToLowFloat(name, value));
  return memoryTensor(dataType, shape, bytesOf(codes));
}

/** int64 tensor in memory: shapes, axes, indices. "To the end" is often 2^63 − 1, which as a number is 2^63. */
export function int64Tensor(shape: readonly number[], values: readonly number[]): Tensor {
  return memoryTensor(7, shape, bytesOf(BigInt64Array.from(values, saturated)));
}

function saturated(value: number): bigint {
  const whole = BigInt(value);
  return whole >= 2n ** 63n ? 2n ** 63n - 1n : whole;
}

/** The bytes behind a typed array, without copying. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

class ProtoTensor implements Tensor {
  constructor(
    private readonly proto: TensorProto,
    private readonly external: ExternalFiles | undefined,
  ) {}

  get shape(): readonly number[] {
    return this.proto.dims;
  }

  get dataType(): number {
    return this.proto.dataType;
  }

  get size(): number {
    return elementCount(this.proto.dims) ?? 0;
  }

  toFloat32(): Outcome<Float32Array> {
    return tensorToFloat32(this.proto, this.external);
  }

  toIntegers(): Outcome<readonly number[]> {
    return tensorIntegers(this.proto, this.external);
  }

  elements(): Outcome<TensorArray> {
    return tensorValues(this.proto, this.external);
  }

  toProto(name: string): TensorProto {
    return { ...this.proto, name };
  }
}

/**
 * Elements in their own width, one array entry each: the codes of a quantized weight without a float copy of them.
 * @returns `tensor-invalid` for tensors that are no wire tensors, such as block types of weight files.
 */
export function elementsOf(tensor: Tensor): Outcome<TensorArray> {
  if (tensor instanceof ProtoTensor) return tensor.elements();
  return fail(issue('tensor-invalid', { tensor: '', reason: 'its elements have no form of their own' }));
}

/** Data type facts of a tensor, `undefined` for numbers this program does not know. */
export function tensorType(tensor: Tensor): DataType | undefined {
  return dataTypeByCode(tensor.dataType);
}

/** A scalar or one-element float tensor's value, `undefined` when it is larger or unreadable. */
export function scalarOf(tensor: Tensor): number | undefined {
  if (tensor.size !== 1) return undefined;
  return tensor.toFloat32().value?.[0];
}
