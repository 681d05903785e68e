/**
 * Elements of a TensorProto, wherever they are: raw bytes, slices, typed fields, external files. Storage rules per
 * type: onnx.proto, TensorProto (`int32_data`, `raw_data`).
 */
import { byteLength, type DataType, dataTypeByCode, elementCount } from '../base/dtype';
import { invariant } from '../base/invariant';
import { anchored, type Issue, issue } from '../base/issue';
import { isLowFloatName, lowFloatTable } from '../base/lowfloat';
import { fail, type Outcome, ok } from '../base/outcome';
import { unpackSigned, unpackUnsigned } from '../base/pack';
import { guardReads } from './byte-reader';
import type { ExternalFiles } from './onnx-external';
import type { Payload, Slice, TensorProto } from './onnx-types';
import { type NumberArray, ownBuffer, unpackNumbers } from './packed-numbers';

/**
 * Elements in row-major order, one array entry each. Integers (also of 4 and 2 bits) and bool are their values;
 * float, double are their values; float16 and the narrower floats are their codes, unsigned; complex numbers take
 * two entries.
 */
export type TensorArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

export interface TensorData {
  readonly shape: readonly number[];
  readonly dataType: DataType;
  readonly data: TensorArray;
}

/**
 * Reads the elements of a tensor of any type but string. Always a copy: raw data is not aligned in files.
 * @returns `tensor-invalid` when type, shape and payload do not fit together; `external-…` as in
 *   {@link ExternalFiles.resolve}; `file-changed` when the file became shorter meanwhile.
 */
export function readTensor(tensor: TensorProto, external?: ExternalFiles): Outcome<TensorData> {
  const checked = checkTensor(tensor);
  if (checked.value === undefined) return fail(...checked.issues);
  const { type, count } = checked.value;
  const { value, issues } = guardReads(pathOf(tensor.payload), () =>
    readPayload(tensor, type, count, external),
  );
  return { value, issues: issues.map((one) => anchored(one, { tensor: tensor.name })) };
}

/**
 * Elements of a real or integer tensor as float32, row-major. int64 and double are rounded to nearest.
 * Errors as {@link readTensor}; strings and complex numbers are `tensor-invalid`.
 */
export function tensorToFloat32(tensor: TensorProto, external?: ExternalFiles): Outcome<Float32Array> {
  const { value, issues } = readTensor(tensor, external);
  if (value === undefined) return { value, issues };
  const { data, dataType } = value;
  if (dataType.kind === 'complex') return fail(invalid(tensor, `${dataType.name} has no float32 form`));
  return ok(elementsToFloat32(dataType, data));
}

/** Elements of an integer or bool tensor as numbers; beyond ±2^53 the nearest double. Errors as {@link readTensor}. */
export function tensorIntegers(tensor: TensorProto, external?: ExternalFiles): Outcome<readonly number[]> {
  const { value, issues } = readTensor(tensor, external);
  if (value === undefined) return { value, issues };
  const { kind, name } = value.dataType;
  if (kind !== 'int' && kind !== 'uint' && kind !== 'bool')
    return fail(invalid(tensor, `${name} is not an integer type`));
  return ok(Array.from(value.data, Number));
}

/** Elements alone, as {@link readTensor} gives them. */
export function tensorValues(tensor: TensorProto, external?: ExternalFiles): Outcome<TensorArray> {
  const { value, issues } = readTensor(tensor, external);
  return value === undefined ? { value, issues } : ok(value.data, issues);
}

/** Elements as {@link readTensor} returns them, as float32. Not for complex types. */
export function elementsToFloat32(type: DataType, data: TensorArray): Float32Array {
  if (data instanceof Float32Array) return data;
  if (isLowFloatName(type.name)) {
    const table = lowFloatTable(type.name);
    const floats = new Float32Array(data.length);
    const last = table.length - 1;
    for (let index = 0; index < floats.length; index++)
      floats[index] = table[Number(data[index]) & last] ?? 0;
    return floats;
  }
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const floats = new Float32Array(data.length);
    for (let index = 0; index < floats.length; index++) floats[index] = Number(data[index]);
    return floats;
  }
  return new Float32Array(data);
}

/**
 * Elements from packed little-endian bytes of exactly the right length; see {@link TensorArray}. The result may share
 * the buffer of `bytes`, which the caller gives away.
 */
export function fromBytes(type: DataType, count: number, bytes: Uint8Array): TensorArray {
  invariant(bytes.length === byteLength(type, count), `${bytes.length} bytes of ${count} ${type.name}`);
  if (type.bits < 8)
    return type.kind === 'int'
      ? unpackSigned(bytes, count, type.bits)
      : unpackUnsigned(bytes, count, type.bits);
  const buffer = ownBuffer(bytes);
  switch (type.name) {
    case 'float':
    case 'complex64':
      return new Float32Array(buffer);
    case 'double':
    case 'complex128':
      return new Float64Array(buffer);
    case 'int8':
      return new Int8Array(buffer);
    case 'int16':
      return new Int16Array(buffer);
    case 'int32':
      return new Int32Array(buffer);
    case 'int64':
      return new BigInt64Array(buffer);
    case 'uint32':
      return new Uint32Array(buffer);
    case 'uint64':
      return new BigUint64Array(buffer);
    default:
      return type.bits === 16 ? new Uint16Array(buffer) : new Uint8Array(buffer);
  }
}

function checkTensor(tensor: TensorProto): Outcome<{ type: DataType; count: number }> {
  const type = dataTypeByCode(tensor.dataType);
  if (type === undefined) return fail(invalid(tensor, `element type ${tensor.dataType} is not known`));
  if (type.kind === 'string') return fail(invalid(tensor, 'its elements are strings'));
  const count = elementCount(tensor.dims);
  if (count === undefined || !Number.isSafeInteger(count * type.bits)) {
    return fail(invalid(tensor, `the shape [${tensor.dims.join(', ')}] is impossible`));
  }
  return ok({ type, count });
}

function readPayload(
  tensor: TensorProto,
  type: DataType,
  count: number,
  external: ExternalFiles | undefined,
): Outcome<TensorData> {
  const { payload } = tensor;
  switch (payload.kind) {
    case 'none':
      return count === 0
        ? ok({ shape: tensor.dims, dataType: type, data: fromBytes(type, 0, new Uint8Array(0)) })
        : fail(invalid(tensor, 'it has no data'));
    case 'strings':
      return fail(invalid(tensor, 'strings in a numeric tensor'));
    case 'bytes':
      return fromRaw(tensor, type, count, payload.bytes.length, () => new Uint8Array(payload.bytes));
    case 'slice':
      if (payload.field !== undefined && !floatFieldFits(payload.field, type)) {
        return fail(invalid(tensor, `${payload.field} for type ${type.name}`));
      }
      return fromRaw(tensor, type, count, payload.slice.length, () => readSlice(payload.slice));
    case 'external': {
      if (external === undefined)
        return fail(invalid(tensor, 'its data is in another file, which has no folder here'));
      const slice = external.resolve(tensor.name, withLength(payload, byteLength(type, count)));
      if (slice.value === undefined) return fail(...slice.issues);
      const found = slice.value;
      return fromRaw(tensor, type, count, found.length, () => readSlice(found));
    }
    case 'packed': {
      const values = unpackNumbers(payload.field, readSlice(payload.slice));
      if (values === undefined)
        return fail(
          invalid(tensor, `${payload.field} ends inside a number or has one of more than ten bytes`),
        );
      return fromTyped(tensor, type, count, payload.field, values);
    }
    case 'typed':
      return fromTyped(tensor, type, count, payload.field, payload.values);
  }
}

/** Compares lengths before anything is read or allocated. */
function fromRaw(
  tensor: TensorProto,
  dataType: DataType,
  count: number,
  length: number,
  read: () => Uint8Array,
): Outcome<TensorData> {
  const need = byteLength(dataType, count);
  if (length !== need) {
    const shape = `[${tensor.dims.join(', ')}]`;
    return fail(
      invalid(tensor, `shape ${shape} of ${dataType.name} takes ${need} bytes, ${length} are given`),
    );
  }
  return ok({ shape: tensor.dims, dataType, data: fromBytes(dataType, count, read()) });
}

function fromTyped(
  tensor: TensorProto,
  dataType: DataType,
  count: number,
  field: string,
  values: NumberArray,
): Outcome<TensorData> {
  const need = typedEntries(dataType, count);
  if (values.length !== need) {
    const shape = `[${tensor.dims.join(', ')}]`;
    const reason = `shape ${shape} of ${dataType.name} takes ${need} numbers, ${field} gives ${values.length}`;
    return fail(invalid(tensor, reason));
  }
  const data = typedElements(dataType, count, values);
  if (data === undefined) return fail(invalid(tensor, `${field} for type ${dataType.name}`));
  return ok({ shape: tensor.dims, dataType, data });
}

/** Entries of a typed field: 4- and 2-bit types share one, complex types take two, all others one each. */
function typedEntries(type: DataType, count: number): number {
  if (type.kind === 'complex') return 2 * count;
  return type.bits === 4 || type.bits === 2 ? byteLength(type, count) : count;
}

/**
 * Elements from a typed field of the right length; `undefined` when the type may not use that field. int32_data
 * carries integers as numbers and narrow floats as codes, and of 4- and 2-bit types one packed byte per entry.
 */
function typedElements(type: DataType, count: number, values: NumberArray): TensorArray | undefined {
  if (values instanceof Float32Array) return floatFieldFits('float_data', type) ? values.slice() : undefined;
  if (values instanceof Float64Array) return floatFieldFits('double_data', type) ? values.slice() : undefined;
  if (values instanceof BigInt64Array) return type.name === 'int64' ? values.slice() : undefined;
  if (values instanceof BigUint64Array) {
    if (type.name === 'uint64') return values.slice();
    return type.name === 'uint32'
      ? Uint32Array.from(values, (value) => Number(BigInt.asUintN(32, value)))
      : undefined;
  }
  if (type.bits > 32 || type.name === 'float' || type.name === 'uint32') return undefined;
  if (type.name === 'int32') return values.slice();
  if (type.bits === 4 || type.bits === 2) return fromBytes(type, count, Uint8Array.from(values));
  if (type.bits === 16) return type.kind === 'int' ? Int16Array.from(values) : Uint16Array.from(values);
  return type.kind === 'int' ? Int8Array.from(values) : Uint8Array.from(values);
}

function floatFieldFits(field: 'float_data' | 'double_data', type: DataType): boolean {
  const names = field === 'float_data' ? ['float', 'complex64'] : ['double', 'complex128'];
  return names.includes(type.name);
}

/** Where a payload's bytes are, for messages. */
function pathOf(payload: Payload): string {
  if (payload.kind === 'slice' || payload.kind === 'packed') return payload.slice.source.path;
  return payload.kind === 'external' ? payload.location : '';
}

type External = Extract<Payload, { kind: 'external' }>;

/** A payload without a length takes what the shape says: several tensors may share the file. */
function withLength(payload: External, length: number): External {
  return payload.length === undefined ? { ...payload, length } : payload;
}

function readSlice(slice: Slice): Uint8Array {
  return slice.source.read(slice.offset, slice.length);
}

function invalid(tensor: TensorProto, reason: string): Issue {
  return issue('tensor-invalid', { tensor: tensor.name, reason }, { tensor: tensor.name });
}
