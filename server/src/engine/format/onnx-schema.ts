/**
 * Field tables of the ONNX messages (onnx.proto, IR 14). One row per field in ascending order: number, property,
 * kind, presence. Decoder and encoder know nothing else about the messages; TensorProto, AttributeProto and
 * TypeProto pass through the wire structs below, which `onnx-wire.ts` turns into the plain ones.
 */
import type {
  Extensible,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  OperatorSet,
  Slice,
  SparseTensorProto,
  StringEntry,
  TensorAnnotation,
  TensorProto,
  TypeProto,
  ValueInfoProto,
} from './onnx-types';

/** `raw` may stay a slice; the `*-data` kinds are packed or unpacked numbers that may stay in the file. */
export type ScalarKind =
  | 'integer'
  | 'integer32'
  | 'big-integer'
  | 'float'
  | 'text'
  | 'bytes'
  | 'raw'
  | 'float-data'
  | 'double-data'
  | 'varint-data';

/**
 * `default` = one value, zero or empty when absent; `optional` = one value or `undefined`; `list` = always an
 * array; `optional-list` = an array or `undefined` when there is no element.
 */
export type Presence = 'default' | 'optional' | 'list' | 'optional-list';

export type Row<Property extends string> = readonly [
  number: number,
  property: Property,
  kind: ScalarKind | MessageName,
  presence: Presence,
];

type Rows<T> = readonly Row<Exclude<keyof T & string, 'unknown'>>[];

/** Bytes of a numeric *_data field: its packed form, whichever form the file uses. */
export type NumberData = Uint8Array | Slice;

export interface WireTensor extends Extensible {
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly floatData?: NumberData;
  readonly int32Data?: NumberData;
  readonly stringData?: readonly Uint8Array[];
  readonly int64Data?: NumberData;
  readonly name: string;
  readonly rawData?: Uint8Array | Slice;
  readonly doubleData?: NumberData;
  readonly uint64Data?: NumberData;
  readonly docString?: string;
  readonly externalData?: readonly StringEntry[];
  readonly dataLocation?: number;
  readonly metadataProps?: readonly StringEntry[];
}

export interface WireAttribute extends Extensible {
  readonly name: string;
  readonly float?: number;
  readonly int?: bigint;
  readonly string?: Uint8Array;
  readonly tensor?: TensorProto;
  readonly graph?: GraphProto;
  readonly floats?: readonly number[];
  readonly ints?: readonly bigint[];
  readonly strings?: readonly Uint8Array[];
  readonly tensors?: readonly TensorProto[];
  readonly graphs?: readonly GraphProto[];
  readonly docString?: string;
  readonly typeProto?: TypeProto;
  readonly typeProtos?: readonly TypeProto[];
  readonly type?: number;
  readonly reference?: string;
  readonly sparseTensor?: SparseTensorProto;
  readonly sparseTensors?: readonly SparseTensorProto[];
}

export interface WireDimension {
  readonly value?: number;
  readonly parameter?: string;
  readonly denotation?: string;
}

export interface WireShape {
  readonly dimensions: readonly WireDimension[];
}

export interface WireTensorType {
  readonly elementType: number;
  readonly shape?: WireShape;
}

export interface WireElementType {
  readonly element?: TypeProto;
}

export interface WireMapType {
  readonly keyType: number;
  readonly value?: TypeProto;
}

export interface WireOpaqueType {
  readonly domain: string;
  readonly name: string;
}

export interface WireType extends Extensible {
  readonly tensor?: WireTensorType;
  readonly sequence?: WireElementType;
  readonly map?: WireMapType;
  readonly denotation?: string;
  readonly opaque?: WireOpaqueType;
  readonly sparseTensor?: WireTensorType;
  readonly optional?: WireElementType;
}

/** Struct per message, as the tables describe it. */
export interface Messages {
  ModelProto: ModelProto;
  GraphProto: GraphProto;
  NodeProto: NodeProto;
  AttributeProto: WireAttribute;
  TensorProto: WireTensor;
  SparseTensorProto: SparseTensorProto;
  ValueInfoProto: ValueInfoProto;
  TypeProto: WireType;
  TensorType: WireTensorType;
  ElementType: WireElementType;
  MapType: WireMapType;
  OpaqueType: WireOpaqueType;
  TensorShapeProto: WireShape;
  Dimension: WireDimension;
  StringStringEntryProto: StringEntry;
  OperatorSetIdProto: OperatorSet;
  FunctionProto: FunctionProto;
  TensorAnnotation: TensorAnnotation;
}

export type MessageName = keyof Messages;

const TABLES: { readonly [M in MessageName]: Rows<Messages[M]> } = {
  ModelProto: [
    [1, 'irVersion', 'integer', 'default'],
    [2, 'producerName', 'text', 'default'],
    [3, 'producerVersion', 'text', 'default'],
    [4, 'domain', 'text', 'default'],
    [5, 'modelVersion', 'integer', 'default'],
    [6, 'docString', 'text', 'default'],
    [7, 'graph', 'GraphProto', 'optional'],
    [8, 'opsetImports', 'OperatorSetIdProto', 'list'],
    [14, 'metadataProps', 'StringStringEntryProto', 'list'],
    [25, 'functions', 'FunctionProto', 'list'],
  ],
  GraphProto: [
    [1, 'nodes', 'NodeProto', 'list'],
    [2, 'name', 'text', 'default'],
    [5, 'initializers', 'TensorProto', 'list'],
    [10, 'docString', 'text', 'optional'],
    [11, 'inputs', 'ValueInfoProto', 'list'],
    [12, 'outputs', 'ValueInfoProto', 'list'],
    [13, 'valueInfo', 'ValueInfoProto', 'list'],
    [14, 'quantizationAnnotation', 'TensorAnnotation', 'optional-list'],
    [15, 'sparseInitializers', 'SparseTensorProto', 'optional-list'],
    [16, 'metadataProps', 'StringStringEntryProto', 'optional-list'],
  ],
  NodeProto: [
    [1, 'inputs', 'text', 'list'],
    [2, 'outputs', 'text', 'list'],
    [3, 'name', 'text', 'default'],
    [4, 'opType', 'text', 'default'],
    [5, 'attributes', 'AttributeProto', 'list'],
    [6, 'docString', 'text', 'optional'],
    [7, 'domain', 'text', 'default'],
    [8, 'overload', 'text', 'optional'],
    [9, 'metadataProps', 'StringStringEntryProto', 'optional-list'],
  ],
  AttributeProto: [
    [1, 'name', 'text', 'default'],
    [2, 'float', 'float', 'optional'],
    [3, 'int', 'big-integer', 'optional'],
    [4, 'string', 'bytes', 'optional'],
    [5, 'tensor', 'TensorProto', 'optional'],
    [6, 'graph', 'GraphProto', 'optional'],
    [7, 'floats', 'float', 'optional-list'],
    [8, 'ints', 'big-integer', 'optional-list'],
    [9, 'strings', 'bytes', 'optional-list'],
    [10, 'tensors', 'TensorProto', 'optional-list'],
    [11, 'graphs', 'GraphProto', 'optional-list'],
    [13, 'docString', 'text', 'optional'],
    [14, 'typeProto', 'TypeProto', 'optional'],
    [15, 'typeProtos', 'TypeProto', 'optional-list'],
    [20, 'type', 'integer32', 'optional'],
    [21, 'reference', 'text', 'optional'],
    [22, 'sparseTensor', 'SparseTensorProto', 'optional'],
    [23, 'sparseTensors', 'SparseTensorProto', 'optional-list'],
  ],
  TensorProto: [
    [1, 'dims', 'integer', 'list'],
    [2, 'dataType', 'integer32', 'default'],
    [4, 'floatData', 'float-data', 'optional'],
    [5, 'int32Data', 'varint-data', 'optional'],
    [6, 'stringData', 'bytes', 'optional-list'],
    [7, 'int64Data', 'varint-data', 'optional'],
    [8, 'name', 'text', 'default'],
    [9, 'rawData', 'raw', 'optional'],
    [10, 'doubleData', 'double-data', 'optional'],
    [11, 'uint64Data', 'varint-data', 'optional'],
    [12, 'docString', 'text', 'optional'],
    [13, 'externalData', 'StringStringEntryProto', 'optional-list'],
    [14, 'dataLocation', 'integer32', 'optional'],
    [16, 'metadataProps', 'StringStringEntryProto', 'optional-list'],
  ],
  SparseTensorProto: [
    [1, 'values', 'TensorProto', 'optional'],
    [2, 'indices', 'TensorProto', 'optional'],
    [3, 'dims', 'integer', 'list'],
  ],
  ValueInfoProto: [
    [1, 'name', 'text', 'default'],
    [2, 'type', 'TypeProto', 'optional'],
    [3, 'docString', 'text', 'optional'],
    [4, 'metadataProps', 'StringStringEntryProto', 'optional-list'],
  ],
  TypeProto: [
    [1, 'tensor', 'TensorType', 'optional'],
    [4, 'sequence', 'ElementType', 'optional'],
    [5, 'map', 'MapType', 'optional'],
    [6, 'denotation', 'text', 'optional'],
    [7, 'opaque', 'OpaqueType', 'optional'],
    [8, 'sparseTensor', 'TensorType', 'optional'],
    [9, 'optional', 'ElementType', 'optional'],
  ],
  TensorType: [
    [1, 'elementType', 'integer32', 'default'],
    [2, 'shape', 'TensorShapeProto', 'optional'],
  ],
  ElementType: [[1, 'element', 'TypeProto', 'optional']],
  MapType: [
    [1, 'keyType', 'integer32', 'default'],
    [2, 'value', 'TypeProto', 'optional'],
  ],
  OpaqueType: [
    [1, 'domain', 'text', 'default'],
    [2, 'name', 'text', 'default'],
  ],
  TensorShapeProto: [[1, 'dimensions', 'Dimension', 'list']],
  Dimension: [
    [1, 'value', 'integer', 'optional'],
    [2, 'parameter', 'text', 'optional'],
    [3, 'denotation', 'text', 'optional'],
  ],
  StringStringEntryProto: [
    [1, 'key', 'text', 'default'],
    [2, 'value', 'text', 'default'],
  ],
  OperatorSetIdProto: [
    [1, 'domain', 'text', 'default'],
    [2, 'version', 'integer', 'default'],
  ],
  FunctionProto: [
    [1, 'name', 'text', 'default'],
    [4, 'inputs', 'text', 'list'],
    [5, 'outputs', 'text', 'list'],
    [6, 'attributes', 'text', 'list'],
    [7, 'nodes', 'NodeProto', 'list'],
    [8, 'docString', 'text', 'optional'],
    [9, 'opsetImports', 'OperatorSetIdProto', 'list'],
    [10, 'domain', 'text', 'default'],
    [11, 'attributeProtos', 'AttributeProto', 'list'],
    [12, 'valueInfo', 'ValueInfoProto', 'optional-list'],
    [13, 'overload', 'text', 'optional'],
    [14, 'metadataProps', 'StringStringEntryProto', 'optional-list'],
  ],
  TensorAnnotation: [
    [1, 'tensorName', 'text', 'default'],
    [2, 'quantParameters', 'StringStringEntryProto', 'list'],
  ],
};

/** Properties of which the last one in the file wins (protobuf `oneof`). */
export const oneofs: { readonly [M in MessageName]?: readonly string[] } = {
  TypeProto: ['tensor', 'sequence', 'map', 'opaque', 'sparseTensor', 'optional'],
  Dimension: ['value', 'parameter'],
};

export interface Field {
  readonly number: number;
  readonly property: string;
  readonly kind: ScalarKind | MessageName;
  readonly presence: Presence;
  /** Set when the kind is a message. */
  readonly message: MessageName | undefined;
  readonly list: boolean;
}

export interface MessageTable {
  readonly name: MessageName;
  readonly fields: readonly Field[];
  /** Sparse, by field number. */
  readonly byNumber: readonly (Field | undefined)[];
  /** Fields whose value is only final once the whole message was read: single messages merge, numbers gather. */
  readonly gathered: readonly Field[];
}

/** The table of every message, ready for reading and writing. */
export const messageTables: { readonly [M in MessageName]: MessageTable } = Object.fromEntries(
  Object.entries(TABLES).map(([name, rows]) => [name, messageTable(name, rows)]),
) as { readonly [M in MessageName]: MessageTable };

function messageTable(name: string, rows: readonly Row<string>[]): MessageTable {
  const fields = rows.map(([number, property, kind, presence]): Field => {
    const message = isMessage(kind) ? kind : undefined;
    return {
      number,
      property,
      kind,
      presence,
      message,
      list: presence === 'list' || presence === 'optional-list',
    };
  });
  const byNumber: (Field | undefined)[] = [];
  for (const field of fields) byNumber[field.number] = field;
  const gathered = fields.filter(
    (one) => !one.list && (one.message !== undefined || one.kind.endsWith('-data')),
  );
  return { name: name as MessageName, fields, byNumber, gathered };
}

function isMessage(kind: string): kind is MessageName {
  return Object.hasOwn(TABLES, kind);
}
