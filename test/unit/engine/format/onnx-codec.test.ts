/** ONNX decoder and encoder: hand-made bytes and a second codec. */
import { onnx } from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../../server/src/engine/base/byte-source';
import { decodeModel } from '../../../../server/src/engine/format/onnx-decode';
import {
  chunksLength,
  encodeModel,
  encodeModelBytes,
  isSlice,
} from '../../../../server/src/engine/format/onnx-encode';
import { externalPayload } from '../../../../server/src/engine/format/onnx-external';
import { messageTables } from '../../../../server/src/engine/format/onnx-schema';
import type { ModelProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { attribute, convNet, floats, graph, model, node, tensor, valueInfo } from '../../../fixtures/build';
import { settle } from '../../../fixtures/settle';
import { sparseSource } from '../../../fixtures/sources';
import { joined } from '../../../fixtures/weight-files';
import { bytesField, doubleField, floatField, varint, varintField } from '../../../fixtures/wire';

const encoded = (value: ModelProto): Uint8Array => {
  const bytes = encodeModelBytes(value).value;
  if (bytes === undefined) throw new Error('not encoded');
  return bytes;
};

/** Decodes a model made of these ModelProto fields, which must be fine. */
function decoded(...fields: readonly Uint8Array[]): ModelProto {
  const { value, issues } = decodeModel(memorySource(joined(...fields), 'test.onnx'));
  expect(issues).toEqual([]);
  if (value === undefined) throw new Error('not decoded');
  return value;
}

/** Decodes a model whose graph has these GraphProto fields. */
const decodedGraph = (...fields: readonly Uint8Array[]) =>
  decoded(varintField(1, 8), bytesField(7, ...fields)).graph;

/** Decodes one initializer made of these TensorProto fields. */
const decodedTensor = (...fields: readonly Uint8Array[]) =>
  decodedGraph(bytesField(5, ...fields))?.initializers[0];

/** Decodes the attribute of one node made of these AttributeProto fields. */
const decodedAttribute = (...fields: readonly Uint8Array[]) =>
  decodedGraph(bytesField(1, bytesField(5, bytesField(1, 'a'), ...fields)))?.nodes[0]?.attributes[0];

describe('fields', () => {
  it('come in any order', () => {
    const first = decoded(
      varintField(1, 8),
      bytesField(7, bytesField(2, 'g'), bytesField(1, bytesField(4, 'Relu'))),
    );
    const second = decoded(
      bytesField(7, bytesField(1, bytesField(4, 'Relu')), bytesField(2, 'g')),
      varintField(1, 8),
    );
    expect(first).toEqual(second);
    expect(first.graph?.nodes[0]?.opType).toBe('Relu');
  });

  it('of numbers may be packed, unpacked or both', () => {
    const one = varintField(1, 2);
    const three = bytesField(1, varint(3), varint(300));
    expect(decodedTensor(one, varintField(1, 3), varintField(1, 300))?.dims).toEqual([2, 3, 300]);
    expect(decodedTensor(one, three)?.dims).toEqual([2, 3, 300]);
    expect(decodedTensor(three, one)?.dims).toEqual([3, 300, 2]);
    const floatBytes = new Uint8Array(Float32Array.of(1.5, -2).buffer);
    const packed = decodedTensor(bytesField(4, floatBytes), floatField(4, 3));
    expect(packed?.payload).toEqual({
      kind: 'typed',
      field: 'float_data',
      values: Float32Array.of(1.5, -2, 3),
    });
    const doubles = decodedTensor(doubleField(10, 0.1), doubleField(10, -1));
    expect(doubles?.payload).toEqual({
      kind: 'typed',
      field: 'double_data',
      values: Float64Array.of(0.1, -1),
    });
    const integers = decodedTensor(varintField(5, -7), bytesField(5, varint(1), varint(-(2 ** 31))));
    expect(integers?.payload).toEqual({
      kind: 'typed',
      field: 'int32_data',
      values: Int32Array.of(-7, 1, -(2 ** 31)),
    });
    const longs = decodedTensor(varintField(7, -(2n ** 63n)), varintField(7, 2n ** 63n - 1n));
    expect(longs?.payload).toEqual({
      kind: 'typed',
      field: 'int64_data',
      values: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n),
    });
    const attributeInts = decodedAttribute(varintField(20, 7), bytesField(8, varint(-1)), varintField(8, 5));
    expect(attributeInts?.value).toEqual({ type: 'ints', value: [-1n, 5n] });
  });

  it('that are single merge when they come twice, field by field, the later winning', () => {
    const graphOne = bytesField(7, bytesField(2, 'old'), bytesField(1, bytesField(4, 'Relu')));
    const graphTwo = bytesField(7, bytesField(1, bytesField(4, 'Tanh')), bytesField(2, 'new'));
    const merged = decoded(varintField(1, 3), graphOne, varintField(1, 8), graphTwo);
    expect(merged.irVersion).toBe(8);
    expect(merged.graph?.name).toBe('new');
    expect(merged.graph?.nodes.map((one) => one.opType)).toEqual(['Relu', 'Tanh']);
    const tensorParts = decodedAttribute(
      varintField(20, 4),
      bytesField(5, varintField(1, 2), bytesField(8, 'w'), floatField(4, 1)),
      bytesField(5, varintField(2, 1), floatField(4, 2)),
    );
    expect(tensorParts?.value).toEqual({
      type: 'tensor',
      value: {
        name: 'w',
        dims: [2],
        dataType: 1,
        payload: { kind: 'typed', field: 'float_data', values: Float32Array.of(1, 2) },
      },
    });
  });

  it('of a oneof: the last one wins', () => {
    const type = (...fields: readonly Uint8Array[]) =>
      decodedGraph(bytesField(11, bytesField(1, 'x'), bytesField(2, ...fields)))?.inputs[0]?.type;
    expect(type(bytesField(4), bytesField(1, varintField(1, 1)))).toEqual({ kind: 'tensor', elementType: 1 });
    expect(type(bytesField(1, varintField(1, 1)), bytesField(4))).toEqual({ kind: 'sequence' });
    const shape = (...dimension: readonly Uint8Array[]) =>
      type(bytesField(1, bytesField(2, bytesField(1, ...dimension))));
    expect(shape(varintField(1, 3), bytesField(2, 'N'))).toMatchObject({ shape: ['N'] });
    expect(shape(bytesField(2, 'N'), varintField(1, 3))).toMatchObject({ shape: [3] });
    expect(shape()).toMatchObject({ shape: [undefined] });
    expect(shape(varintField(1, 3), bytesField(3, 'DATA_BATCH'))).toMatchObject({
      dimensionDenotations: ['DATA_BATCH'],
    });
  });

  it('that are unknown are kept and written back at the end of their message', () => {
    const extra = joined(
      bytesField(99, 'x'),
      varintField(98, -1),
      joined(varint(97 * 8 + 3), varint(97 * 8 + 4)),
    );
    const nodeFields = [bytesField(4, 'Relu'), bytesField(10, 'device configuration')];
    const value = decoded(varintField(1, 8), extra, bytesField(7, bytesField(1, ...nodeFields)));
    expect(value.unknown?.map((one) => one.number)).toEqual([99, 98, 97]);
    expect(value.graph?.nodes[0]?.unknown?.map((one) => one.number)).toEqual([10]);
    expect(encoded(value)).toEqual(
      joined(varintField(1, 8), bytesField(7, bytesField(1, ...nodeFields)), extra),
    );
  });
});

describe('attributes', () => {
  it.each([
    ['float', floatField(2, 0.5), { type: 'float', value: 0.5 }],
    ['int', varintField(3, -3), { type: 'int', value: -3n }],
    ['string', bytesField(4, 'ab'), { type: 'string', value: Uint8Array.of(97, 98) }],
    ['floats', floatField(7, 2), { type: 'floats', value: [2] }],
    ['ints', varintField(8, 2), { type: 'ints', value: [2n] }],
    ['strings', bytesField(9, 'a'), { type: 'strings', value: [Uint8Array.of(97)] }],
  ])('of IR version 1 without a type are told by their field: %s', (_type, field, value) => {
    expect(decodedAttribute(field)?.value).toEqual(value);
  });

  it('without content have the zero of their type', () => {
    expect(decodedAttribute(varintField(20, 1))?.value).toEqual({ type: 'float', value: 0 });
    expect(decodedAttribute(varintField(20, 7))?.value).toEqual({ type: 'ints', value: [] });
  });

  it('refer to the attributes of their function', () => {
    const value = decodedAttribute(bytesField(21, 'outer'), varintField(20, 1))?.value;
    expect(value).toEqual({ type: 'reference', value: 'outer', attributeType: 1 });
  });

  it('of a type this program does not know keep its number', () => {
    const file = joined(varintField(1, 8), bytesField(7, bytesField(1, bytesField(5, varintField(20, 99)))));
    const value = decoded(file);
    expect(value.graph?.nodes[0]?.attributes[0]?.value).toEqual({ type: 'undefined' });
    expect(encoded(value)).toEqual(file);
  });
});

describe('payloads', () => {
  it.each([
    [1024, 'bytes'],
    [1025, 'slice'],
  ])('of %i bytes are %s', (length, kind) => {
    expect(decodedTensor(bytesField(9, new Uint8Array(length)))?.payload.kind).toBe(kind);
  });

  it('of long packed fields stay in the file, floats as plain slices', () => {
    const longFloats = decodedTensor(bytesField(4, new Uint8Array(4000)));
    expect(longFloats?.payload).toMatchObject({
      kind: 'slice',
      field: 'float_data',
      slice: { length: 4000 },
    });
    const longIntegers = decodedTensor(bytesField(7, new Uint8Array(2000)));
    expect(longIntegers?.payload).toMatchObject({
      kind: 'packed',
      field: 'int64_data',
      slice: { length: 2000 },
    });
  });

  it('absent, empty and of strings are told apart', () => {
    expect(decodedTensor(bytesField(8, 'w'))?.payload).toEqual({ kind: 'none' });
    expect(decodedTensor(bytesField(9))?.payload).toEqual({ kind: 'bytes', bytes: new Uint8Array(0) });
    const strings = { kind: 'strings', values: [Uint8Array.of(97), new Uint8Array(0)] };
    expect(decodedTensor(bytesField(6, 'a'), bytesField(6))?.payload).toEqual(strings);
  });

  it('outside the file: location, offset, length', () => {
    const entry = (key: string, value: string) => bytesField(13, bytesField(1, key), bytesField(2, value));
    const external = (...entries: readonly Uint8Array[]) =>
      decodedTensor(...entries, varintField(14, 1))?.payload;
    expect(external(entry('location', 'w.bin'), entry('offset', '64'), entry('length', '16'))).toMatchObject({
      kind: 'external',
      location: 'w.bin',
      offset: 64,
      length: 16,
    });
    expect(external(entry('location', 'w.bin'))).toMatchObject({ offset: 0, length: undefined });
    expect(external(entry('location', 'w.bin'), entry('offset', '0x10'))).toMatchObject({
      offset: Number.NaN,
    });
    expect(external(entry('location', 'w.bin'), entry('length', '-5'))).toMatchObject({ length: -5 });
  });

  it('outside the file are written as they were, or anew when they were changed', () => {
    const entries = [
      { key: 'location', value: 'w.bin' },
      { key: 'checksum', value: 'abc' },
    ];
    const payload = { kind: 'external', location: 'w.bin', offset: 0, length: undefined, entries } as const;
    const written = (changed: TensorProto['payload']) => {
      const one: TensorProto = { name: 'w', dims: [1], dataType: 1, payload: changed };
      const again = decodeModel(memorySource(encoded(model({ initializers: [one], nodes: [] }))));
      const back = again.value?.graph?.initializers[0]?.payload;
      return back?.kind === 'external' ? back.entries : undefined;
    };
    expect(written(payload)).toEqual(entries);
    expect(written({ ...payload, offset: 4096, length: 8 })).toEqual([
      { key: 'location', value: 'w.bin' },
      { key: 'offset', value: '4096' },
      { key: 'length', value: '8' },
      { key: 'checksum', value: 'abc' },
    ]);
    expect(written(externalPayload('x', 0, 4))).toEqual(externalPayload('x', 0, 4).entries);
  });
});

describe('encoder', () => {
  it('omits what is absent and what is zero', () => {
    const empty: ModelProto = {
      irVersion: 0,
      opsetImports: [],
      producerName: '',
      producerVersion: '',
      domain: '',
      modelVersion: 0,
      docString: '',
      metadataProps: [],
      functions: [],
    };
    expect(encoded(empty)).toEqual(new Uint8Array(0));
    expect(encoded({ ...empty, irVersion: 8, producerName: 'p' })).toEqual(
      joined(varintField(1, 8), bytesField(2, 'p')),
    );
  });

  it('passes slices on unread and refuses what protobuf cannot hold', () => {
    const source = sparseSource(4 * 2 ** 30, [], [[0, 4 * 2 ** 30]]);
    const sized = (length: number): ModelProto => {
      const payload = { kind: 'slice', slice: { source, offset: 0, length } } as const;
      return model({ initializers: [{ name: 'w', dims: [length], dataType: 2, payload }], nodes: [] });
    };
    const chunks = encodeModel(sized(2 ** 31 - 1000)).value ?? [];
    expect(chunks.filter(isSlice)).toHaveLength(1);
    expect(chunksLength(chunks)).toBeGreaterThan(2 ** 31 - 1000);
    const { value, issues } = encodeModel(sized(2 ** 31));
    expect(value).toBeUndefined();
    expect(issues).toMatchObject([{ code: 'format-limit', facts: { limit: 2 ** 31 - 1 } }]);
  });

  it('has its tables in ascending order without a number twice', () => {
    for (const { fields, name } of Object.values(messageTables)) {
      const numbers = fields.map((field) => field.number);
      expect(numbers, name).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      expect(new Set(fields.map((field) => field.property)).size, name).toBe(fields.length);
    }
  });
});

describe('a second codec, onnx-proto', () => {
  const rich = () => {
    const base = convNet();
    const branch = graph({
      name: 'b',
      outputs: [valueInfo('z', [1])],
      nodes: [node('Identity', ['x'], ['z'])],
    });
    const graphProto = base.graph;
    if (graphProto === undefined) throw new Error('a graph');
    return {
      ...base,
      metadataProps: [{ key: 'k', value: 'v' }],
      graph: {
        ...graphProto,
        docString: 'doc',
        nodes: [
          ...graphProto.nodes,
          node('If', ['c'], ['y'], { then_branch: branch, else_branch: branch, list: floats([1, 2]) }),
        ],
      },
    } satisfies ModelProto;
  };

  it('reads what this one writes', () => {
    const ours = rich();
    const theirs = onnx.ModelProto.decode(encoded(ours));
    expect(theirs.graph?.node?.map((one) => one.opType)).toEqual(ours.graph.nodes.map((one) => one.opType));
    expect(theirs.graph?.node?.map((one) => one.input)).toEqual(ours.graph.nodes.map((one) => one.inputs));
    expect(theirs.graph?.node?.[0]?.attribute?.map((one) => one.ints?.map(Number))).toEqual([
      [3, 3],
      [1, 1, 1, 1],
    ]);
    const [first] = theirs.graph?.initializer ?? [];
    expect(first?.dims?.map(Number)).toEqual([8, 3, 3, 3]);
    const payload = ours.graph.initializers[0]?.payload;
    expect(payload?.kind === 'bytes' && Buffer.from(first?.rawData ?? []).equals(payload.bytes)).toBe(true);
    const last = theirs.graph?.node?.at(-1)?.attribute;
    expect(last?.map((one) => one.name)).toEqual(['then_branch', 'else_branch', 'list']);
    expect(last?.[0]?.g?.node?.[0]?.opType).toBe('Identity');
    expect(last?.[2]?.floats).toEqual([1, 2]);
    expect(theirs.opsetImport?.map((one) => Number(one.version))).toEqual([17]);
    expect(theirs.graph?.input?.[0]?.type?.tensorType?.shape?.dim?.[0]?.dimParam).toBe('N');
    expect(theirs.metadataProps?.[0]?.value).toBe('v');
  });

  it('writes what this one reads, field for field the same', () => {
    const ours = rich();
    const bytes = onnx.ModelProto.encode(onnx.ModelProto.decode(encoded(ours))).finish();
    const { value, issues } = decodeModel(memorySource(bytes));
    expect(issues).toEqual([]);
    expect(settle(value)).toEqual(settle(ours));
  });

  it('writes typed fields that this one reads', () => {
    const theirs = onnx.ModelProto.create({
      irVersion: 7,
      graph: {
        name: 'g',
        initializer: [
          { name: 'f', dims: [2], dataType: 1, floatData: [1.5, -2] },
          { name: 'i', dims: [2], dataType: 3, int32Data: [-1, 127] },
          { name: 'l', dims: [1], dataType: 7, int64Data: [5] },
          { name: 'd', dims: [1], dataType: 11, doubleData: [0.1] },
          { name: 's', dims: [1], dataType: 8, stringData: [Uint8Array.of(97)] },
        ],
      },
    });
    const { value } = decodeModel(memorySource(onnx.ModelProto.encode(theirs).finish()));
    expect(value?.graph?.initializers.map((one) => one.payload)).toEqual([
      { kind: 'typed', field: 'float_data', values: Float32Array.of(1.5, -2) },
      { kind: 'typed', field: 'int32_data', values: Int32Array.of(-1, 127) },
      { kind: 'typed', field: 'int64_data', values: BigInt64Array.of(5n) },
      { kind: 'typed', field: 'double_data', values: Float64Array.of(0.1) },
      { kind: 'strings', values: [Uint8Array.of(97)] },
    ]);
  });
});

it('builds what a reader of the struct expects', () => {
  expect(attribute('a', 3)).toEqual({ name: 'a', value: { type: 'int', value: 3n } });
  expect(tensor('w', [2], [1, 2], 'int8').payload).toEqual({ kind: 'bytes', bytes: Uint8Array.of(1, 2) });
});
