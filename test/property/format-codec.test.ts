/** Laws of the codecs: encode∘decode and pack∘unpack are identities on generated content. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../server/src/engine/base/byte-source';
import { dataTypes, elementCount } from '../../server/src/engine/base/dtype';
import { packElements, unpackSigned, unpackUnsigned } from '../../server/src/engine/base/pack';
import { encodeNpy, readAllRows, readNpy, readRows } from '../../server/src/engine/format/npy';
import { decodeModel } from '../../server/src/engine/format/onnx-decode';
import { chunksLength, concatChunks, encodeModel } from '../../server/src/engine/format/onnx-encode';
import type {
  AttributeProto,
  AttributeValue,
  GraphProto,
  ModelProto,
  NodeProto,
  Payload,
  TensorProto,
  TypeProto,
  UnknownField,
  ValueInfoProto,
} from '../../server/src/engine/format/onnx-types';
import { packNumbers, unpackNumbers } from '../../server/src/engine/format/packed-numbers';
import { settle } from '../fixtures/settle';

const seed = Number(process.env.QUANTLENS_PROPERTY_SEED ?? 20251120);
const parameters = { seed, numRuns: 300 };

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const int64s = fc.array(int64, { maxLength: 5 });
const safeInteger = fc.maxSafeInteger();
const float32 = fc.float({ noNaN: true });
const entry = fc.record({ key: text, value: text });
const entries = fc.array(entry, { maxLength: 3 });
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const nonEmpty = <T>(arbitrary: fc.Arbitrary<T>) =>
  optional(fc.array(arbitrary, { minLength: 1, maxLength: 2 }));

/** Complete encodings of fields that no ONNX message has. */
const unknownField: fc.Arbitrary<UnknownField> = fc.oneof(
  fc
    .integer({ min: 0, max: 127 })
    .map((value) => ({ number: 200, wireType: 0, bytes: Uint8Array.of(0xc0, 0x0c, value) })),
  bytes(100).map((content) => ({
    number: 201,
    wireType: 2,
    bytes: Uint8Array.of(0xca, 0x0c, content.length, ...content),
  })),
);
const unknown = optional(fc.array(unknownField, { minLength: 1, maxLength: 2 }));

const payload: fc.Arbitrary<Payload> = fc.oneof(
  fc.constant<Payload>({ kind: 'none' }),
  bytes(3000).map((content): Payload => ({ kind: 'bytes', bytes: content })),
  fc.array(bytes(10), { minLength: 1, maxLength: 3 }).map((values): Payload => ({ kind: 'strings', values })),
  fc
    .float32Array({ minLength: 1, maxLength: 600, noNaN: true })
    .map((values): Payload => ({ kind: 'typed', field: 'float_data', values })),
  fc
    .float64Array({ minLength: 1, maxLength: 300, noNaN: true })
    .map((values): Payload => ({ kind: 'typed', field: 'double_data', values })),
  fc
    .int32Array({ minLength: 1, maxLength: 300 })
    .map((values): Payload => ({ kind: 'typed', field: 'int32_data', values })),
  fc
    .bigInt64Array({ minLength: 1, maxLength: 300 })
    .map((values): Payload => ({ kind: 'typed', field: 'int64_data', values })),
  fc
    .bigUint64Array({ minLength: 1, maxLength: 300 })
    .map((values): Payload => ({ kind: 'typed', field: 'uint64_data', values })),
  fc.record({ location: text, offset: fc.nat(), length: optional(fc.nat()) }).map(
    ({ location, offset, length }): Payload => ({
      kind: 'external',
      location,
      offset,
      length,
      entries: [
        { key: 'location', value: location },
        { key: 'offset', value: String(offset) },
        ...(length === undefined ? [] : [{ key: 'length', value: String(length) }]),
      ],
    }),
  ),
);

const tensor: fc.Arbitrary<TensorProto> = fc.record({
  name: text,
  dims: fc.array(safeInteger, { maxLength: 4 }),
  dataType: fc.integer({ min: -1, max: 40 }),
  payload,
  docString: optional(text),
  metadataProps: nonEmpty(entry),
  unknown,
});

const sparse = fc.record({
  values: optional(tensor),
  indices: optional(tensor),
  dims: fc.array(fc.nat(), { maxLength: 3 }),
});

const dimension = fc.oneof(safeInteger, text, fc.constant(undefined));
const { type } = fc.letrec<{ type: TypeProto }>((tie) => ({
  type: fc.oneof(
    { depthSize: 'small' },
    fc.record({
      kind: fc.constantFrom('tensor' as const, 'sparse-tensor' as const),
      elementType: fc.nat({ max: 30 }),
      shape: optional(fc.array(dimension, { maxLength: 4 })),
      denotation: optional(text),
    }),
    fc.record({
      kind: fc.constantFrom('sequence' as const, 'optional' as const),
      element: optional(tie('type')),
    }),
    fc.record({
      kind: fc.constant('map' as const),
      keyType: fc.nat({ max: 30 }),
      value: optional(tie('type')),
    }),
    fc.record({ kind: fc.constant('opaque' as const), domain: text, name: text, unknown }),
    fc.record({ kind: fc.constant('unknown' as const) }),
  ),
}));

const valueInfo: fc.Arbitrary<ValueInfoProto> = fc.record({
  name: text,
  type: optional(type),
  docString: optional(text),
  metadataProps: nonEmpty(entry),
  unknown,
});

const { graph, node } = fc.letrec<{
  graph: GraphProto;
  node: NodeProto;
  attribute: AttributeProto;
  value: AttributeValue;
}>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.record({ type: fc.constant('float' as const), value: float32 }),
    fc.record({ type: fc.constant('int' as const), value: int64 }),
    fc.record({ type: fc.constant('string' as const), value: bytes(20) }),
    fc.record({ type: fc.constant('floats' as const), value: fc.array(float32, { maxLength: 5 }) }),
    fc.record({ type: fc.constant('ints' as const), value: int64s }),
    fc.record({ type: fc.constant('strings' as const), value: fc.array(bytes(9), { maxLength: 3 }) }),
    fc.record({ type: fc.constant('tensor' as const), value: tensor }),
    fc.record({ type: fc.constant('tensors' as const), value: fc.array(tensor, { maxLength: 2 }) }),
    fc.record({ type: fc.constant('sparse-tensor' as const), value: sparse }),
    fc.record({ type: fc.constant('sparse-tensors' as const), value: fc.array(sparse, { maxLength: 2 }) }),
    fc.record({ type: fc.constant('type' as const), value: type }),
    fc.record({ type: fc.constant('types' as const), value: fc.array(type, { maxLength: 2 }) }),
    fc.record({
      type: fc.constant('reference' as const),
      value: fc.string({ minLength: 1, maxLength: 5 }),
      attributeType: fc.nat({ max: 14 }),
    }),
    fc.record({ type: fc.constant('undefined' as const) }),
    fc.record({ type: fc.constant('graph' as const), value: tie('graph') }),
    fc.record({ type: fc.constant('graphs' as const), value: fc.array(tie('graph'), { maxLength: 2 }) }),
  ),
  attribute: fc.record({ name: text, value: tie('value'), docString: optional(text), unknown }),
  node: fc.record({
    name: text,
    opType: text,
    domain: text,
    overload: optional(text),
    inputs: fc.array(text, { maxLength: 3 }),
    outputs: fc.array(text, { maxLength: 3 }),
    attributes: fc.array(tie('attribute'), { maxLength: 2 }),
    docString: optional(text),
    metadataProps: nonEmpty(entry),
    unknown,
  }),
  graph: fc.record({
    name: text,
    inputs: fc.array(valueInfo, { maxLength: 2 }),
    outputs: fc.array(valueInfo, { maxLength: 2 }),
    valueInfo: fc.array(valueInfo, { maxLength: 2 }),
    initializers: fc.array(tensor, { maxLength: 2 }),
    sparseInitializers: nonEmpty(sparse),
    nodes: fc.array(tie('node'), { maxLength: 3 }),
    docString: optional(text),
    quantizationAnnotation: nonEmpty(fc.record({ tensorName: text, quantParameters: entries })),
    metadataProps: nonEmpty(entry),
    unknown,
  }),
}));

const opset = fc.record({ domain: text, version: fc.integer({ min: -2, max: 30 }) });

const model: fc.Arbitrary<ModelProto> = fc.record({
  irVersion: fc.integer({ min: 1, max: 20 }),
  opsetImports: fc.array(opset, { maxLength: 3 }),
  producerName: text,
  producerVersion: text,
  domain: text,
  modelVersion: safeInteger,
  docString: text,
  graph,
  metadataProps: entries,
  functions: fc.array(
    fc.record({
      name: text,
      domain: text,
      overload: optional(text),
      inputs: fc.array(text, { maxLength: 2 }),
      outputs: fc.array(text, { maxLength: 2 }),
      attributes: fc.array(text, { maxLength: 2 }),
      attributeProtos: fc.constant([]),
      nodes: fc.array(node, { maxLength: 2 }),
      opsetImports: fc.array(opset, { maxLength: 2 }),
      valueInfo: nonEmpty(valueInfo),
      docString: optional(text),
      metadataProps: nonEmpty(entry),
    }),
    { maxLength: 1 },
  ),
  unknown,
});

describe('ONNX codec', () => {
  it('decodes what it encodes to the same struct, and encodes that to the same bytes', () => {
    fc.assert(
      fc.property(model, (original) => {
        const chunks = encodeModel(original).value ?? [];
        const file = concatChunks(chunks);
        expect(file.length).toBe(chunksLength(chunks));
        const decoded = decodeModel(memorySource(file));
        expect(decoded.issues).toEqual([]);
        expect(settle(decoded.value)).toEqual(settle(original));
        const again = decoded.value && encodeModel(decoded.value).value;
        expect(concatChunks(again ?? [])).toEqual(file);
      }),
      parameters,
    );
  });
});

describe('packed numbers', () => {
  const lists = [
    ['int32_data', fc.int32Array({ maxLength: 50 })],
    ['int64_data', fc.bigInt64Array({ maxLength: 50 })],
    ['uint64_data', fc.bigUint64Array({ maxLength: 50 })],
    ['float_data', fc.float32Array({ maxLength: 50 })],
    ['double_data', fc.float64Array({ maxLength: 50 })],
  ] as const;
  it.each(lists)('%s unpacks to what was packed', (field, arbitrary) => {
    const check = (values: Int32Array | BigInt64Array | BigUint64Array | Float32Array | Float64Array) => {
      expect(unpackNumbers(field, packNumbers(values))).toEqual(values);
    };
    fc.assert(fc.property(arbitrary as fc.Arbitrary<Int32Array>, check), parameters);
  });
});

describe('elements narrower than a byte', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('unpack to what was packed: %i bits', (bits) => {
    const half = 2 ** (bits - 1);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 2 * half - 1 }), { maxLength: 40 }), (codes) => {
        const packed = packElements(codes, bits);
        expect(packed.length).toBe(Math.ceil((codes.length * bits) / 8));
        expect([...unpackUnsigned(packed, codes.length, bits)]).toEqual(codes);
        const signed = codes.map((code) => (code >= half ? code - 2 * half : code));
        expect([...unpackSigned(packElements(signed, bits), codes.length, bits)]).toEqual(signed);
      }),
      parameters,
    );
  });
});

describe('npy', () => {
  it('reads the rows that were written', () => {
    const shape = fc.array(fc.nat({ max: 4 }), { maxLength: 4 });
    fc.assert(
      fc.property(shape, fc.nat({ max: 3 }), fc.nat({ max: 3 }), (sizes, from, many) => {
        const count = elementCount(sizes) ?? 0;
        const values = Int16Array.from({ length: count }, (_, index) => index - 7);
        const array = readNpy(memorySource(encodeNpy(sizes, 'int16', values))).value;
        if (array === undefined) throw new Error('not read');
        expect(array.shape).toEqual(sizes);
        expect(readAllRows(array).value).toEqual(values);
        const first = Math.min(from, array.rows);
        const rows = Math.min(many, array.rows - first);
        const part = values.slice(first * array.rowElements, (first + rows) * array.rowElements);
        expect(readRows(array, first, rows).value).toEqual(part);
      }),
      parameters,
    );
  });
});

it('knows every element type of the codec tables', () => {
  expect(dataTypes.map((one) => one.code)).toEqual(Array.from({ length: 28 }, (_, index) => index + 1));
});
