/** Elements of tensors of every type, from every kind of payload; shapes that lie. */
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../../server/src/engine/base/byte-source';
import { type DataTypeName, dataTypeByName, dataTypes } from '../../../../server/src/engine/base/dtype';
import { isLowFloatName } from '../../../../server/src/engine/base/lowfloat';
import type { Payload, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { packNumbers } from '../../../../server/src/engine/format/packed-numbers';
import {
  readTensor,
  type TensorArray,
  tensorIntegers,
  tensorToFloat32,
  tensorValues,
} from '../../../../server/src/engine/format/tensor-data';
import { tensor } from '../../../fixtures/build';

interface TypeCase {
  readonly raw: readonly number[];
  readonly data: TensorArray;
  readonly floats: readonly number[];
}

/** Three elements of every type that has numbers: raw little-endian bytes, what they are, what they are as float32. */
const cases: Readonly<Record<Exclude<DataTypeName, 'string'>, TypeCase>> = {
  float: {
    raw: [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x80],
    data: Float32Array.of(1, -2, -0),
    floats: [1, -2, -0],
  },
  double: {
    raw: [
      0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f,
    ],
    data: Float64Array.of(1, -2, 0.1),
    floats: [1, -2, Math.fround(0.1)],
  },
  uint8: { raw: [0, 128, 255], data: Uint8Array.of(0, 128, 255), floats: [0, 128, 255] },
  int8: { raw: [0, 128, 255], data: Int8Array.of(0, -128, -1), floats: [0, -128, -1] },
  uint16: { raw: [0, 0, 1, 2, 255, 255], data: Uint16Array.of(0, 513, 65535), floats: [0, 513, 65535] },
  int16: { raw: [0, 0, 0, 128, 255, 255], data: Int16Array.of(0, -32768, -1), floats: [0, -32768, -1] },
  int32: {
    raw: [1, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 128],
    data: Int32Array.of(1, -1, -(2 ** 31)),
    floats: [1, -1, -(2 ** 31)],
  },
  uint32: {
    raw: [1, 0, 0, 0, 0, 255, 255, 255, 0, 0, 0, 128],
    data: Uint32Array.of(1, 0xffffff00, 2 ** 31),
    floats: [1, 0xffffff00, 2 ** 31],
  },
  int64: {
    raw: [1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 1, 0, 0],
    data: BigInt64Array.of(1n, -1n, 2n ** 40n),
    floats: [1, -1, 2 ** 40],
  },
  uint64: {
    raw: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 0, 0, 1, 0, 0],
    data: BigUint64Array.of(1n, 2n ** 63n, 2n ** 40n),
    floats: [1, 2 ** 63, 2 ** 40],
  },
  bool: { raw: [1, 0, 1], data: Uint8Array.of(1, 0, 1), floats: [1, 0, 1] },
  float16: {
    raw: [0, 0x3c, 1, 0, 0xff, 0xfb],
    data: Uint16Array.of(0x3c00, 1, 0xfbff),
    floats: [1, 2 ** -24, -65504],
  },
  bfloat16: {
    raw: [0x80, 0x3f, 0, 0xc0, 0x80, 0x7f],
    data: Uint16Array.of(0x3f80, 0xc000, 0x7f80),
    floats: [1, -2, Infinity],
  },
  float8e4m3fn: {
    raw: [0x38, 0x7e, 0x81],
    data: Uint8Array.of(0x38, 0x7e, 0x81),
    floats: [1, 448, -(2 ** -9)],
  },
  float8e4m3fnuz: {
    raw: [0x40, 0x7f, 0x81],
    data: Uint8Array.of(0x40, 0x7f, 0x81),
    floats: [1, 240, -(2 ** -10)],
  },
  float8e5m2: {
    raw: [0x3c, 0x7b, 0x81],
    data: Uint8Array.of(0x3c, 0x7b, 0x81),
    floats: [1, 57344, -(2 ** -16)],
  },
  float8e5m2fnuz: {
    raw: [0x40, 0x7f, 0x81],
    data: Uint8Array.of(0x40, 0x7f, 0x81),
    floats: [1, 57344, -(2 ** -17)],
  },
  float8e8m0: { raw: [0x7f, 0x80, 0x7e], data: Uint8Array.of(0x7f, 0x80, 0x7e), floats: [1, 2, 0.5] },
  // The first element sits in the low bits; the last byte is padded.
  uint4: { raw: [0xf1, 0x08], data: Uint8Array.of(1, 15, 8), floats: [1, 15, 8] },
  int4: { raw: [0xf1, 0x08], data: Int8Array.of(1, -1, -8), floats: [1, -1, -8] },
  uint2: { raw: [0b00_10_11_01], data: Uint8Array.of(1, 3, 2), floats: [1, 3, 2] },
  int2: { raw: [0b00_10_11_01], data: Int8Array.of(1, -1, -2), floats: [1, -1, -2] },
  float4e2m1: { raw: [0xf1, 0x08], data: Uint8Array.of(1, 15, 8), floats: [0.5, -6, -0] },
  // 1, 33, 31 as 6-bit codes, lowest bits first: 000001 | 100001 | 011111.
  float6e2m3: { raw: [0x41, 0xf8, 0x01], data: Uint8Array.of(1, 33, 31), floats: [0.125, -0.125, 7.5] },
  float6e3m2: { raw: [0x41, 0xf8, 0x01], data: Uint8Array.of(1, 33, 31), floats: [0.0625, -0.0625, 28] },
  complex64: {
    raw: [0, 0, 0x80, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0],
    data: Float32Array.of(1, 0, 0, 1, -2, 0),
    floats: [],
  },
  complex128: {
    raw: [...new Uint8Array(Float64Array.of(1, 0, 0, 1, -2, 0.5).buffer)],
    data: Float64Array.of(1, 0, 0, 1, -2, 0.5),
    floats: [],
  },
};

const names = dataTypes.map((type) => type.name).filter((name) => name !== 'string');

function tensorOf(name: DataTypeName, payload: Payload, dims: readonly number[] = [3]): TensorProto {
  return { name: 'w', dims, dataType: dataTypeByName(name)?.code ?? 0, payload };
}

/** Reading gives no value and one `tensor-invalid` with this reason. */
function checkInvalid(one: TensorProto, reason: string | RegExp): void {
  const { value, issues } = readTensor(one);
  expect(value).toBeUndefined();
  expect(issues).toHaveLength(1);
  expect(issues[0]).toMatchObject({
    code: 'tensor-invalid',
    facts: { tensor: 'w' },
    anchor: { tensor: 'w' },
  });
  expect(issues[0]?.code === 'tensor-invalid' && issues[0].facts.reason).toMatch(reason);
}

describe.each(names)('%s', (name) => {
  const { raw, data, floats } = cases[name];
  const bytes = Uint8Array.from(raw);

  it('reads raw bytes', () => {
    const { value, issues } = readTensor(tensorOf(name, { kind: 'bytes', bytes }));
    expect(issues).toEqual([]);
    expect(value?.shape).toEqual([3]);
    expect(value?.dataType.name).toBe(name);
    expect(value?.data).toEqual(data);
  });

  it('reads an unaligned slice of a file', () => {
    const source = memorySource(Uint8Array.from([9, ...raw, 9]));
    const slice = { source, offset: 1, length: raw.length };
    expect(tensorValues(tensorOf(name, { kind: 'slice', slice })).value).toEqual(data);
  });

  it('as float32', () => {
    const { value, issues } = tensorToFloat32(tensorOf(name, { kind: 'bytes', bytes }));
    if (floats.length > 0) expect(value).toEqual(Float32Array.from(floats));
    else expect(issues).toMatchObject([{ code: 'tensor-invalid' }]);
  });

  it('refuses a byte too much and one too few', () => {
    checkInvalid(tensorOf(name, { kind: 'bytes', bytes: Uint8Array.from([...raw, 0]) }), /takes \d+ bytes/);
    checkInvalid(tensorOf(name, { kind: 'bytes', bytes: bytes.slice(1) }), /takes \d+ bytes/);
  });

  it('is an empty array of an empty shape, with or without data', () => {
    const [none, empty] = [{ kind: 'none' }, { kind: 'bytes', bytes: new Uint8Array(0) }] as const;
    for (const payload of [none, empty]) {
      const { value } = readTensor(tensorOf(name, payload, [2, 0]));
      expect(value?.data).toEqual(data.slice(0, 0));
    }
  });

  it('reads its typed field', () => {
    const typed = typedCase(name);
    const payload: Payload = { kind: 'typed', ...typed };
    expect(tensorValues(tensorOf(name, payload)).value).toEqual(data);
    if (typed.field === 'float_data' || typed.field === 'double_data') return;
    const packed = packNumbers(typed.values);
    const slice = { source: memorySource(packed), offset: 0, length: packed.length };
    expect(tensorValues(tensorOf(name, { kind: 'packed', field: typed.field, slice })).value).toEqual(data);
  });
});

/** The typed field in which a type's three elements travel (onnx.proto). */
function typedCase(name: DataTypeName): Omit<Extract<Payload, { kind: 'typed' }>, 'kind'> {
  const { data, raw } = cases[name === 'string' ? 'float' : name];
  if (data instanceof Float32Array) return { field: 'float_data', values: data };
  if (data instanceof Float64Array) return { field: 'double_data', values: data };
  if (data instanceof BigInt64Array) return { field: 'int64_data', values: data };
  if (data instanceof BigUint64Array) return { field: 'uint64_data', values: data };
  if (data instanceof Uint32Array) return { field: 'uint64_data', values: BigUint64Array.from(data, BigInt) };
  const bits = dataTypeByName(name)?.bits;
  // Types of 4 and 2 bits travel packed, one byte an entry; those of 6 bits one element an entry.
  const packed = bits === 4 || bits === 2;
  return { field: 'int32_data', values: Int32Array.from(packed ? raw : data) };
}

describe('payloads that do not fit', () => {
  const float32 = Float32Array.of(1, 2, 3);
  it.each<[string, TensorProto, RegExp]>([
    ['no data', tensorOf('float', { kind: 'none' }), /no data/],
    ['strings', tensorOf('float', { kind: 'strings', values: [] }), /strings/],
    ['a string tensor', tensorOf('string', { kind: 'strings', values: [] }), /strings/],
    [
      'an unknown type',
      { ...tensorOf('float', { kind: 'none' }), dataType: 99 },
      /element type 99 is not known/,
    ],
    ['type 0', { ...tensorOf('float', { kind: 'none' }), dataType: 0 }, /element type 0/],
    ['a negative dimension', tensorOf('float', { kind: 'none' }, [-1, 3]), /impossible/],
    ['a product beyond 2^53', tensorOf('float', { kind: 'none' }, [2 ** 40, 2 ** 40]), /impossible/],
    ['more bytes than numbers can count', tensorOf('double', { kind: 'none' }, [2 ** 52]), /impossible/],
    [
      'float_data of int8',
      tensorOf('int8', { kind: 'typed', field: 'float_data', values: float32 }),
      /float_data for type int8/,
    ],
    [
      'int32_data of float',
      tensorOf('float', { kind: 'typed', field: 'int32_data', values: Int32Array.of(1, 2, 3) }),
      /int32_data/,
    ],
    [
      'int64_data of int32',
      tensorOf('int32', { kind: 'typed', field: 'int64_data', values: BigInt64Array.of(1n, 2n, 3n) }),
      /int64_data/,
    ],
    [
      'too few numbers',
      tensorOf('float', { kind: 'typed', field: 'float_data', values: float32 }, [4]),
      /takes 4 numbers/,
    ],
    [
      'one int4 per entry',
      tensorOf('int4', { kind: 'typed', field: 'int32_data', values: Int32Array.of(1, 2, 3) }),
      /takes 2 numbers/,
    ],
    [
      'external data without a folder',
      tensorOf('float', { kind: 'external', location: 'w', offset: 0, length: 12, entries: [] }),
      /another file/,
    ],
  ])('%s', (_what, one, reason) => checkInvalid(one, reason));

  it('a long float_data field of another type', () => {
    const slice = { source: memorySource(new Uint8Array(12)), offset: 0, length: 12 };
    checkInvalid(
      tensorOf('int32', { kind: 'slice', slice, field: 'float_data' }),
      /float_data for type int32/,
    );
  });

  it.each([
    ['an end inside a number', [1, 2, 0x80]],
    ['a number of eleven bytes', [...new Array(10).fill(0x80), 1]],
  ])('varints with %s', (_what, content) => {
    const packed = Uint8Array.from(content);
    const slice = { source: memorySource(packed), offset: 0, length: packed.length };
    checkInvalid(
      tensorOf('int64', { kind: 'packed', field: 'int64_data', slice }),
      /inside a number or has one/,
    );
  });

  it('a shape of terabytes is refused before anything is allocated', () => {
    const slice = { source: memorySource(new Uint8Array(8)), offset: 0, length: 8 };
    checkInvalid(
      tensorOf('float', { kind: 'slice', slice }, [1_000_000, 1_000_000]),
      /takes 4000000000000 bytes/,
    );
  });
});

it('typed values are copies: changing them leaves the model alone', () => {
  const lists = [
    ['float', 'float_data', Float32Array.of(1, 2, 3)],
    ['double', 'double_data', Float64Array.of(1, 2, 3)],
    ['int32', 'int32_data', Int32Array.of(1, 2, 3)],
    ['int64', 'int64_data', BigInt64Array.of(1n, 2n, 3n)],
    ['uint64', 'uint64_data', BigUint64Array.of(1n, 2n, 3n)],
  ] as const;
  for (const [name, field, values] of lists) {
    const read = tensorValues(tensorOf(name, { kind: 'typed', field, values })).value;
    expect(read?.buffer, name).not.toBe(values.buffer);
  }
  const bytes = new Uint8Array(12).fill(1);
  tensorToFloat32(tensorOf('float', { kind: 'bytes', bytes })).value?.fill(0);
  expect(bytes).toEqual(new Uint8Array(12).fill(1));
});

it('slices of a Node Buffer are copies too', () => {
  const buffer = Buffer.from(new Uint8Array(12).fill(1));
  const slice = { source: memorySource(buffer), offset: 0, length: 12 };
  tensorToFloat32(tensorOf('float', { kind: 'slice', slice })).value?.fill(0);
  expect([...buffer]).toEqual(new Array(12).fill(1));
});

it('a device that fails is an issue, a defect of this program is not', () => {
  const failing = (error: Error) => {
    const source = {
      ...memorySource(new Uint8Array(0)),
      path: 'disk/w.onnx',
      size: 12,
      read: () => {
        throw error;
      },
      readInto: () => {},
      close: () => {},
    };
    return () => readTensor(tensorOf('float', { kind: 'slice', slice: { source, offset: 0, length: 12 } }));
  };
  const device = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
  expect(failing(device)().issues).toMatchObject([
    { code: 'file-unreadable', facts: { path: 'disk/w.onnx' }, anchor: { tensor: 'w' } },
  ]);
  expect(failing(new Error('a defect'))).toThrow('a defect');
});

it('integers come as numbers, other types are refused', () => {
  expect(tensorIntegers(tensor('axes', [2], [-1, 2], 'int64')).value).toEqual([-1, 2]);
  expect(tensorIntegers(tensor('b', [2], [1, 0], 'bool')).value).toEqual([1, 0]);
  expect(tensorIntegers(tensor('n', [3], [7, -8, 1], 'int4')).value).toEqual([7, -8, 1]);
  expect(tensorIntegers(tensor('f', [1], [1])).issues).toMatchObject([{ code: 'tensor-invalid' }]);
});

it('has a case for every narrow float', () => {
  const narrow = names.filter((name) => isLowFloatName(name));
  expect(narrow).toHaveLength(10);
});
