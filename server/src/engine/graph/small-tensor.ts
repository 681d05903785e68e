/**
 * Small tensors with known numbers: the shape arithmetic that exporters leave in graphs. Single elements may be
 * unknown, which is how a symbolic dimension travels through it.
 */
import { DataTypeCode, dataTypeByCode, elementCount } from '../base/dtype';
import { defined } from '../base/invariant';
import { bytesOf, memoryTensor, type Tensor } from './tensor';

export interface SmallTensor {
  readonly dataType: number;
  readonly shape: readonly number[];
  /** Row-major; `undefined` = not known. */
  readonly values: readonly (number | undefined)[];
}

/** Larger tensors are data, not shape arithmetic. */
export const SMALL_LIMIT = 4096;

/** Types whose numbers JavaScript holds exactly as this program computes them. */
const integerTypes: ReadonlySet<number> = new Set([
  DataTypeCode.uint8,
  DataTypeCode.int8,
  DataTypeCode.uint16,
  DataTypeCode.int16,
  DataTypeCode.int32,
  DataTypeCode.uint32,
  DataTypeCode.int64,
  DataTypeCode.uint64,
  DataTypeCode.bool,
]);

export function isIntegerType(dataType: number): boolean {
  return integerTypes.has(dataType);
}

/** Floats that can be scales of Resize; more are data. */
const FLOAT_LIMIT = 16;

/** Reads a small integer tensor, or a short float vector or scalar; `undefined` for everything else. */
export function readSmall(tensor: Tensor): SmallTensor | undefined {
  const { shape, dataType, size } = tensor;
  if (elementCount(shape) === undefined || size > SMALL_LIMIT) return undefined;
  if (isIntegerType(dataType)) {
    const values = tensor.toIntegers().value;
    return values && { dataType, shape, values };
  }
  if (dataType !== DataTypeCode.float || size > FLOAT_LIMIT || shape.length > 1) return undefined;
  const values = tensor.toFloat32().value;
  return values && { dataType, shape, values: [...values] };
}

/** The tensor of a small tensor; `undefined` while an element is unknown or leaves its type's range. */
export function toTensor(small: SmallTensor): Tensor | undefined {
  const { dataType, shape, values } = small;
  const known = values.filter((value) => value !== undefined);
  if (known.length !== values.length) return undefined;
  if (dataType === DataTypeCode.float)
    return memoryTensor(dataType, shape, bytesOf(Float32Array.from(known)));
  if (!isIntegerType(dataType) || !known.every((value) => inRange(value, dataType))) return undefined;
  return memoryTensor(dataType, shape, integerBytes(dataType, known));
}

/** NumPy broadcasting of static shapes; `undefined` when they do not fit. */
export function broadcastShapes(shapes: readonly (readonly number[])[]): readonly number[] | undefined {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    let size = 1;
    for (const shape of shapes) {
      const dimension = shape[axis - rank + shape.length] ?? 1;
      if (dimension === 1) continue;
      if (size !== 1 && size !== dimension) return undefined;
      size = dimension;
    }
    result.push(size);
  }
  return result;
}

/** Offsets into a tensor of `shape` for every element of `target`, to which it broadcasts. */
export function broadcastOffsets(shape: readonly number[], target: readonly number[]): readonly number[] {
  const strides = stridesOf(shape);
  return eachIndex(target, (index) => {
    let offset = 0;
    for (let axis = 0; axis < shape.length; axis++) {
      const at = defined(index[axis + target.length - shape.length], 'index per axis');
      if (shape[axis] !== 1) offset += at * defined(strides[axis], 'stride per axis');
    }
    return offset;
  });
}

/** Row-major strides in elements. */
export function stridesOf(shape: readonly number[]): readonly number[] {
  const strides: number[] = [];
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= defined(shape[axis], 'dimension');
  }
  return strides;
}

/** Calls `visit` for every index of `shape` in row-major order. */
export function eachIndex<T>(shape: readonly number[], visit: (index: readonly number[]) => T): readonly T[] {
  const count = elementCount(shape) ?? 0;
  const index = shape.map(() => 0);
  const results: T[] = [];
  for (let done = 0; done < count; done++) {
    results.push(visit(index));
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = defined(index[axis], 'index per axis') + 1;
      index[axis] = next < defined(shape[axis], 'dimension') ? next : 0;
      if (index[axis] !== 0) break;
    }
  }
  return results;
}

function inRange(value: number, dataType: number): boolean {
  const type = defined(dataTypeByCode(dataType), 'integer type');
  if (!Number.isSafeInteger(value)) return false;
  if (type.kind === 'bool') return value === 0 || value === 1;
  // Safe integers fit every 64-bit type but for the sign.
  if (type.kind === 'uint') return value >= 0 && value < 2 ** type.bits;
  return value >= -(2 ** (type.bits - 1)) && value < 2 ** (type.bits - 1);
}

function integerBytes(dataType: number, values: readonly number[]): Uint8Array {
  switch (dataType) {
    case DataTypeCode.int64:
      return bytesOf(BigInt64Array.from(values, BigInt));
    case DataTypeCode.uint64:
      return bytesOf(BigUint64Array.from(values, BigInt));
    case DataTypeCode.int32:
      return bytesOf(Int32Array.from(values));
    case DataTypeCode.uint32:
      return bytesOf(Uint32Array.from(values));
    case DataTypeCode.int16:
      return bytesOf(Int16Array.from(values));
    case DataTypeCode.uint16:
      return bytesOf(Uint16Array.from(values));
    case DataTypeCode.int8:
      return bytesOf(Int8Array.from(values));
    default:
      return Uint8Array.from(values);
  }
}
