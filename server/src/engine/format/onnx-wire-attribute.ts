/** AttributeProto: one value of one type on the plain side, a field per type on the wire. */
import { present } from './onnx-present';
import type { WireAttribute } from './onnx-schema';
import type { AttributeProto, AttributeValue, UnknownField } from './onnx-types';
import { packNumbers } from './packed-numbers';

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

/** Property of the wire struct that carries each type. */
const PROPERTIES = {
  float: 'float',
  int: 'int',
  string: 'string',
  tensor: 'tensor',
  graph: 'graph',
  floats: 'floats',
  ints: 'ints',
  strings: 'strings',
  tensors: 'tensors',
  graphs: 'graphs',
  'sparse-tensor': 'sparseTensor',
  'sparse-tensors': 'sparseTensors',
  type: 'typeProto',
  types: 'typeProtos',
} as const satisfies Record<Exclude<AttributeValue['type'], 'reference' | 'undefined'>, keyof WireAttribute>;

export function attributeFromWire(wire: WireAttribute): AttributeProto {
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
function guessedType(wire: WireAttribute): string {
  const found = Object.entries(PROPERTIES).find(([, property]) => wire[property] !== undefined);
  return found?.[0] ?? 'undefined';
}

const TYPE_FIELD = 20;

/** A type number that this program does not know is kept like any unknown field. */
function unknownType(wire: WireAttribute, value: AttributeValue): readonly UnknownField[] {
  if (value.type !== 'undefined' || wire.type === undefined || typeByNumber.has(wire.type)) return [];
  const tag = Uint8Array.of(((TYPE_FIELD << 3) & 0x7f) | 0x80, TYPE_FIELD >> 4);
  const number = packNumbers(Int32Array.of(wire.type));
  return [{ number: TYPE_FIELD, wireType: 0, bytes: new Uint8Array([...tag, ...number]) }];
}

export function attributeToWire({ name, value, docString, unknown }: AttributeProto): WireAttribute {
  if (value.type === 'undefined') return { name, docString, unknown };
  if (value.type === 'reference')
    return { name, docString, unknown, reference: value.value, type: value.attributeType };
  const type = ATTRIBUTE_TYPES[value.type];
  return { name, docString, unknown, type, [PROPERTIES[value.type]]: value.value };
}
