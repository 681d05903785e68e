/** Tensors as they go into and come out of a session: plain data, types named as onnxruntime's binding names them. */
import { dataTypeByCode, elementCount } from '../base/dtype';
import { defined, invariant } from '../base/invariant';

/** Element arrays by type. float16 travels as its 16-bit codes, bool as 0 and 1. */
export type RuntimeArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly string[];

export interface RuntimeTensor {
  readonly type: RuntimeType;
  readonly dims: readonly number[];
  /** Row-major. */
  readonly data: RuntimeArray;
}

/**
 * Types that can be fed to and read from a session, by `TensorProto.DataType` number; everything else needs a Cast
 * inside the graph.
 */
const TYPES = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  8: 'string',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  12: 'uint32',
  13: 'uint64',
} as const;

export type RuntimeType = (typeof TYPES)[keyof typeof TYPES];

const codes = new Map<string, number>(Object.entries(TYPES).map(([code, name]) => [name, Number(code)]));

/** True for types that can cross the border of a session. */
export function isRuntimeType(name: string): name is RuntimeType {
  return codes.has(name);
}

/** The binding's name of an ONNX data type; `undefined` for types that cannot cross the border of a session. */
export function runtimeTypeOf(code: number): RuntimeType | undefined {
  return (TYPES as Readonly<Record<number, RuntimeType>>)[code];
}

/** `TensorProto.DataType` number of a type. */
export function dataTypeOf(type: RuntimeType): number {
  return defined(codes.get(type), `number of type ${type}`);
}

/** `float [1,3,224,224]`, in ONNX's words, for messages. */
export function describeTensor(type: string, dims: readonly (number | string | undefined)[]): string {
  const name = isRuntimeType(type) ? (dataTypeByCode(dataTypeOf(type))?.name ?? type) : type;
  return `${name} [${dims.map((dimension) => dimension ?? '?').join(', ')}]`;
}

/** A tensor; data and shape must agree. */
export function runtimeTensor(type: RuntimeType, dims: readonly number[], data: RuntimeArray): RuntimeTensor {
  invariant(elementCount(dims) === data.length, `${data.length} elements for [${dims.join(', ')}]`);
  return { type, dims, data };
}

/** float32 tensor. */
export function floats(dims: readonly number[], data: Float32Array): RuntimeTensor {
  return runtimeTensor('float32', dims, data);
}

/** A zeroed array for `count` elements of a type. */
export function arrayFor(type: RuntimeType, count: number): Exclude<RuntimeArray, readonly string[]> {
  switch (type) {
    case 'float32':
      return new Float32Array(count);
    case 'float64':
      return new Float64Array(count);
    case 'int8':
      return new Int8Array(count);
    case 'int16':
      return new Int16Array(count);
    case 'uint16':
    case 'float16':
      return new Uint16Array(count);
    case 'int32':
      return new Int32Array(count);
    case 'uint32':
      return new Uint32Array(count);
    case 'int64':
      return new BigInt64Array(count);
    case 'uint64':
      return new BigUint64Array(count);
    default:
      return new Uint8Array(count);
  }
}
