/**
 * Element types of tensors: ONNX `TensorProto.DataType` (onnx.proto, IR 14), their widths and names.
 */

export interface DataType {
  /** `TensorProto.DataType` number. */
  readonly code: number;
  /** Name in the ONNX textual syntax and in reports. */
  readonly name: DataTypeName;
  /** Bits per element as stored packed. 0 for strings. */
  readonly bits: number;
  readonly kind: 'float' | 'int' | 'uint' | 'bool' | 'complex' | 'string';
}

export type DataTypeName = (typeof TABLE)[number][1];

const TABLE = [
  [1, 'float', 32, 'float'],
  [2, 'uint8', 8, 'uint'],
  [3, 'int8', 8, 'int'],
  [4, 'uint16', 16, 'uint'],
  [5, 'int16', 16, 'int'],
  [6, 'int32', 32, 'int'],
  [7, 'int64', 64, 'int'],
  [8, 'string', 0, 'string'],
  [9, 'bool', 8, 'bool'],
  [10, 'float16', 16, 'float'],
  [11, 'double', 64, 'float'],
  [12, 'uint32', 32, 'uint'],
  [13, 'uint64', 64, 'uint'],
  [14, 'complex64', 64, 'complex'],
  [15, 'complex128', 128, 'complex'],
  [16, 'bfloat16', 16, 'float'],
  [17, 'float8e4m3fn', 8, 'float'],
  [18, 'float8e4m3fnuz', 8, 'float'],
  [19, 'float8e5m2', 8, 'float'],
  [20, 'float8e5m2fnuz', 8, 'float'],
  [21, 'uint4', 4, 'uint'],
  [22, 'int4', 4, 'int'],
  [23, 'float4e2m1', 4, 'float'],
  [24, 'float8e8m0', 8, 'float'],
  [25, 'uint2', 2, 'uint'],
  [26, 'int2', 2, 'int'],
  [27, 'float6e2m3', 6, 'float'],
  [28, 'float6e3m2', 6, 'float'],
] as const;

/** All data types, in code order. */
export const dataTypes: readonly DataType[] = TABLE.map(([code, name, bits, kind]) => ({
  code,
  name,
  bits,
  kind,
}));

const byCode = new Map(dataTypes.map((type) => [type.code, type]));
const byName = new Map<string, DataType>(dataTypes.map((type) => [type.name, type]));

/** Data type by ONNX number, `undefined` for 0 (undefined) and unknown numbers. */
export function dataTypeByCode(code: number): DataType | undefined {
  return byCode.get(code);
}

/** Data type by its ONNX text name. */
export function dataTypeByName(name: string): DataType | undefined {
  return byName.get(name);
}

/** Number of bytes that `count` packed elements take. Sub-byte types round up to whole bytes. */
export function byteLength(type: DataType, count: number): number {
  return Math.ceil((type.bits * count) / 8);
}

/** Product of dimensions, or `undefined` when one is negative, not an integer, or the product is not exact. */
export function elementCount(shape: readonly number[]): number | undefined {
  let count = 1;
  for (const dimension of shape) {
    if (!Number.isSafeInteger(dimension) || dimension < 0) return undefined;
    count *= dimension;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}

/** ONNX data type numbers by name, for code that builds graphs. */
export const DataTypeCode = {
  float: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  double: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
  uint4: 21,
  int4: 22,
  uint2: 25,
  int2: 26,
} as const satisfies Partial<Record<DataTypeName, number>>;
