/**
 * The three ONNX messages whose plain struct differs from their fields, both ways: a tensor has one payload, an
 * attribute one value, a type one kind. Everything else is carried by the tables of `onnx-schema.ts` alone.
 */
import type {
  MessageName,
  NumberData,
  WireAttribute,
  WireElementType,
  WireTensor,
  WireTensorType,
  WireType,
} from './onnx-schema';
import type {
  AttributeProto,
  AttributeValue,
  Extensible,
  Payload,
  StringEntry,
  TensorProto,
  TypeProto,
  UnknownField,
} from './onnx-types';
import { packNumbers, unpackNumbers } from './packed-numbers';
import { isSlice } from './protobuf-write';

/** A message as the generic decoder and encoder handle it: properties by table. */
export type Wire = Record<string, unknown> & Extensible;

/** Wire struct → plain struct, for messages that need it. `undefined` = the content is damaged. */
export const fromWire: { readonly [M in MessageName]?: (wire: Wire) => object | undefined } = {
  TensorProto: (wire) => tensorFromWire(wire as unknown as WireTensor),
  AttributeProto: (wire) => attributeFromWire(wire as unknown as WireAttribute),
  TypeProto: (wire) => typeFromWire(wire as unknown as WireType),
};

/** Plain struct → wire struct. */
export const toWire: { readonly [M in MessageName]?: (message: object) => object } = {
  TensorProto: (message) => tensorToWire(message as TensorProto),
  AttributeProto: (message) => attributeToWire(message as AttributeProto),
  TypeProto: (message) => typeToWire(message as TypeProto),
};

const EXTERNAL = 1;

// --- tensor ----------------------------------------------------------------------------------------------

function tensorFromWire(wire: WireTensor): TensorProto | undefined {
  const payload = payloadFromWire(wire);
  if (payload === undefined) return undefined;
  const { name, dims, dataType, docString, metadataProps, unknown } = wire;
  return { name, dims, dataType, payload, ...present({ docString, metadataProps, unknown }) };
}

function payloadFromWire(wire: WireTensor): Payload | undefined {
  if (wire.dataLocation === EXTERNAL) return externalFromEntries(wire.externalData ?? []);
  const { rawData, floatData, doubleData } = wire;
  if (rawData !== undefined) {
    return isSlice(rawData) ? { kind: 'slice', slice: rawData } : { kind: 'bytes', bytes: rawData };
  }
  if (wire.stringData !== undefined) return { kind: 'strings', values: wire.stringData };
  if (floatData !== undefined) return floatsFromWire('float_data', floatData);
  if (doubleData !== undefined) return floatsFromWire('double_data', doubleData);
  if (wire.int32Data !== undefined) return integersFromWire('int32_data', wire.int32Data);
  if (wire.int64Data !== undefined) return integersFromWire('int64_data', wire.int64Data);
  if (wire.uint64Data !== undefined) return integersFromWire('uint64_data', wire.uint64Data);
  return { kind: 'none' };
}

function floatsFromWire(field: 'float_data' | 'double_data', data: NumberData): Payload | undefined {
  if (isSlice(data)) return { kind: 'slice', slice: data, field };
  const values = unpackNumbers(field, data);
  return values === undefined ? undefined : { kind: 'typed', field, values };
}

function integersFromWire(
  field: 'int32_data' | 'int64_data' | 'uint64_data',
  data: NumberData,
): Payload | undefined {
  if (isSlice(data)) return { kind: 'packed', slice: data, field };
  const values = unpackNumbers(field, data);
  return values === undefined ? undefined : { kind: 'typed', field, values };
}

function tensorToWire(tensor: TensorProto): WireTensor {
  const { name, dims, dataType, docString, metadataProps, unknown } = tensor;
  return { dims, dataType, name, docString, metadataProps, unknown, ...payloadToWire(tensor.payload) };
}

const propertyOfField = {
  float_data: 'floatData',
  int32_data: 'int32Data',
  int64_data: 'int64Data',
  double_data: 'doubleData',
  uint64_data: 'uint64Data',
} as const;

function payloadToWire(payload: Payload): Partial<WireTensor> {
  switch (payload.kind) {
    case 'none':
      return {};
    case 'bytes':
      return { rawData: payload.bytes };
    case 'slice':
      return { [payload.field === undefined ? 'rawData' : propertyOfField[payload.field]]: payload.slice };
    case 'packed':
      return { [propertyOfField[payload.field]]: payload.slice };
    case 'typed':
      return { [propertyOfField[payload.field]]: packNumbers(payload.values) };
    case 'strings':
      return { stringData: payload.values };
    case 'external':
      return { dataLocation: EXTERNAL, externalData: externalToEntries(payload) };
  }
}

type ExternalPayload = Extract<Payload, { kind: 'external' }>;

/**
 * External payload from its key-values. A number that is not plain decimal digits becomes NaN (offset) so that
 * it is refused when the data is resolved.
 */
export function externalFromEntries(entries: readonly StringEntry[]): ExternalPayload {
  const text = (key: string) => entries.find((entry) => entry.key === key)?.value;
  const offset = text('offset');
  const length = text('length');
  return {
    kind: 'external',
    location: text('location') ?? '',
    offset: offset === undefined ? 0 : decimal(offset),
    length: length === undefined ? undefined : decimal(length),
    entries,
  };
}

function decimal(text: string): number {
  return /^-?[0-9]{1,20}$/.test(text.trim()) ? Number(text) : Number.NaN;
}

/** The entries as written when they still say the same; otherwise rewritten, with unknown keys kept. */
function externalToEntries(payload: ExternalPayload): readonly StringEntry[] {
  const written = externalFromEntries(payload.entries);
  const same =
    written.location === payload.location &&
    Object.is(written.offset, payload.offset) &&
    Object.is(written.length, payload.length);
  if (same) return payload.entries;
  const entries: StringEntry[] = [
    { key: 'location', value: payload.location },
    { key: 'offset', value: String(payload.offset) },
  ];
  if (payload.length !== undefined) entries.push({ key: 'length', value: String(payload.length) });
  const known = new Set(['location', 'offset', 'length']);
  return [...entries, ...payload.entries.filter((entry) => !known.has(entry.key))];
}

// --- attribute -------------------------------------------------------------------------------------------

/** `AttributeProto.AttributeType` number per value type. */
const ATTRIBUTE_TYPES = {
  undefined: 0,
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  'sparse-tensor': 11,
  'sparse-tensors': 12,
  type: 13,
  types: 14,
} as const satisfies Record<Exclude<AttributeValue['type'], 'reference'>, number>;

const typeByNumber = new Map<number, string>(
  Object.entries(ATTRIBUTE_TYPES).map(([type, number]) => [number, type]),
);

function attributeFromWire(wire: WireAttribute): AttributeProto {
  const { name, docString } = wire;
  const value = attributeValue(wire);
  const unknown = [...unknownType(wire, value), ...(wire.unknown ?? [])];
  return { name, value, ...present({ docString, unknown: unknown.length > 0 ? unknown : undefined }) };
}

function attributeValue(wire: WireAttribute): AttributeValue {
  if (wire.reference !== undefined && wire.reference !== '') {
    return { type: 'reference', value: wire.reference, attributeType: wire.type ?? 0 };
  }
  const type = wire.type === undefined || wire.type === 0 ? guessedType(wire) : typeByNumber.get(wire.type);
  switch (type) {
    case 'float':
      return { type, value: wire.float ?? 0 };
    case 'int':
      return { type, value: wire.int ?? 0n };
    case 'string':
      return { type, value: wire.string ?? new Uint8Array(0) };
    case 'tensor':
      return { type, value: wire.tensor ?? { name: '', dims: [], dataType: 0, payload: { kind: 'none' } } };
    case 'graph':
      return { type, value: wire.graph ?? { ...emptyGraph } };
    case 'sparse-tensor':
      return { type, value: wire.sparseTensor ?? { dims: [] } };
    case 'type':
      return { type, value: wire.typeProto ?? { kind: 'unknown' } };
    case 'floats':
      return { type, value: wire.floats ?? [] };
    case 'ints':
      return { type, value: wire.ints ?? [] };
    case 'strings':
      return { type, value: wire.strings ?? [] };
    case 'tensors':
      return { type, value: wire.tensors ?? [] };
    case 'graphs':
      return { type, value: wire.graphs ?? [] };
    case 'sparse-tensors':
      return { type, value: wire.sparseTensors ?? [] };
    case 'types':
      return { type, value: wire.typeProtos ?? [] };
    default:
      return { type: 'undefined' };
  }
}

const emptyGraph = { name: '', inputs: [], outputs: [], valueInfo: [], initializers: [], nodes: [] };

/** IR version 1 files carry no type: the field in use tells it (onnx.proto, AttributeProto.type). */
function guessedType(wire: WireAttribute): keyof typeof ATTRIBUTE_TYPES {
  if (wire.float !== undefined) return 'float';
  if (wire.int !== undefined) return 'int';
  if (wire.string !== undefined) return 'string';
  if (wire.tensor !== undefined) return 'tensor';
  if (wire.graph !== undefined) return 'graph';
  if (wire.floats !== undefined) return 'floats';
  if (wire.ints !== undefined) return 'ints';
  if (wire.strings !== undefined) return 'strings';
  if (wire.tensors !== undefined) return 'tensors';
  if (wire.graphs !== undefined) return 'graphs';
  if (wire.sparseTensor !== undefined) return 'sparse-tensor';
  if (wire.sparseTensors !== undefined) return 'sparse-tensors';
  if (wire.typeProto !== undefined) return 'type';
  return wire.typeProtos !== undefined ? 'types' : 'undefined';
}

const TYPE_FIELD = 20;

/** A type number that this program does not know is kept like any unknown field. */
function unknownType(wire: WireAttribute, value: AttributeValue): readonly UnknownField[] {
  if (value.type !== 'undefined' || wire.type === undefined || typeByNumber.has(wire.type)) return [];
  const tag = Uint8Array.of(((TYPE_FIELD << 3) & 0x7f) | 0x80, TYPE_FIELD >> 4);
  const number = packNumbers(Int32Array.of(wire.type));
  return [{ number: TYPE_FIELD, wireType: 0, bytes: new Uint8Array([...tag, ...number]) }];
}

function attributeToWire({ name, value, docString, unknown }: AttributeProto): WireAttribute {
  const common = { name, docString, unknown };
  if (value.type === 'reference') return { ...common, reference: value.value, type: value.attributeType };
  if (value.type === 'undefined') return common;
  const type = ATTRIBUTE_TYPES[value.type];
  switch (value.type) {
    case 'float':
      return { ...common, type, float: value.value };
    case 'int':
      return { ...common, type, int: value.value };
    case 'string':
      return { ...common, type, string: value.value };
    case 'tensor':
      return { ...common, type, tensor: value.value };
    case 'graph':
      return { ...common, type, graph: value.value };
    case 'sparse-tensor':
      return { ...common, type, sparseTensor: value.value };
    case 'type':
      return { ...common, type, typeProto: value.value };
    case 'floats':
      return { ...common, type, floats: value.value };
    case 'ints':
      return { ...common, type, ints: value.value };
    case 'strings':
      return { ...common, type, strings: value.value };
    case 'tensors':
      return { ...common, type, tensors: value.value };
    case 'graphs':
      return { ...common, type, graphs: value.value };
    case 'sparse-tensors':
      return { ...common, type, sparseTensors: value.value };
    case 'types':
      return { ...common, type, typeProtos: value.value };
  }
}

// --- type ------------------------------------------------------------------------------------------------

function typeFromWire(wire: WireType): TypeProto {
  return { ...typeKind(wire), ...present({ denotation: wire.denotation, unknown: wire.unknown }) };
}

function typeKind(wire: WireType): TypeProto {
  if (wire.tensor !== undefined) return tensorType('tensor', wire.tensor);
  if (wire.sparseTensor !== undefined) return tensorType('sparse-tensor', wire.sparseTensor);
  if (wire.sequence !== undefined) return elementType('sequence', wire.sequence);
  if (wire.optional !== undefined) return elementType('optional', wire.optional);
  if (wire.map !== undefined)
    return { kind: 'map', keyType: wire.map.keyType, ...present({ value: wire.map.value }) };
  if (wire.opaque !== undefined)
    return { kind: 'opaque', domain: wire.opaque.domain, name: wire.opaque.name };
  return { kind: 'unknown' };
}

function tensorType(kind: 'tensor' | 'sparse-tensor', { elementType, shape }: WireTensorType): TypeProto {
  if (shape === undefined) return { kind, elementType };
  const dimensions = shape.dimensions.map((dimension) => dimension.value ?? dimension.parameter);
  const denotations = shape.dimensions.map((dimension) => dimension.denotation ?? '');
  const dimensionDenotations = denotations.some((one) => one !== '') ? denotations : undefined;
  return { kind, elementType, shape: dimensions, ...present({ dimensionDenotations }) };
}

function elementType(kind: 'sequence' | 'optional', { element }: WireElementType): TypeProto {
  return { kind, ...present({ element }) };
}

function typeToWire(type: TypeProto): WireType {
  const common = { denotation: type.denotation, unknown: type.unknown };
  switch (type.kind) {
    case 'tensor':
      return { ...common, tensor: tensorTypeToWire(type) };
    case 'sparse-tensor':
      return { ...common, sparseTensor: tensorTypeToWire(type) };
    case 'sequence':
      return { ...common, sequence: { element: type.element } };
    case 'optional':
      return { ...common, optional: { element: type.element } };
    case 'map':
      return { ...common, map: { keyType: type.keyType, value: type.value } };
    case 'opaque':
      return { ...common, opaque: { domain: type.domain, name: type.name } };
    case 'unknown':
      return common;
  }
}

function tensorTypeToWire(type: Extract<TypeProto, { elementType: number }>): WireTensorType {
  const { elementType, shape, dimensionDenotations } = type;
  if (shape === undefined) return { elementType };
  const dimensions = shape.map((dimension, axis) => ({
    value: typeof dimension === 'number' ? dimension : undefined,
    parameter: typeof dimension === 'string' ? dimension : undefined,
    denotation: dimensionDenotations?.[axis] === '' ? undefined : dimensionDenotations?.[axis],
  }));
  return { elementType, shape: { dimensions } };
}

/** The object without its `undefined` properties, so that absent stays absent. */
function present<T extends object>(object: T): Partial<T> {
  const kept: Partial<T> = {};
  for (const key of Object.keys(object) as (keyof T)[]) {
    if (object[key] !== undefined) kept[key] = object[key];
  }
  return kept;
}
