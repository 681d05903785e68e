/**
 * Plain structs of the ONNX messages (onnx.proto, IR 14) as the decoder returns and the encoder takes them.
 * Tensor payloads are slices: nothing here holds weights of a file unless they were small or made by us.
 */
import type { ByteSource } from '../base/byte-source';

/** A wire field this program does not know; kept and written back in its place at the message's end. */
export interface UnknownField {
  readonly number: number;
  readonly wireType: number;
  /** Complete encoding including the tag; a slice when it is long. */
  readonly bytes: Uint8Array | Slice;
}

export interface Extensible {
  unknown?: UnknownField[];
}

/** A stretch of bytes in a source, unread. */
export interface Slice {
  readonly source: ByteSource;
  readonly offset: number;
  readonly length: number;
}

/**
 * Where a tensor's elements are; `readTensor` of `tensor-data.ts` reads every kind.
 * - `bytes`, `slice`: raw_data, little endian. A slice with `field` came from a long packed float_data or
 *   double_data, whose bytes are the same; the field is only kept to be written back as it was.
 * - `typed`: one of the *_data fields, kept in the field's own width.
 * - `packed`: a long integer *_data field, still varints in the file.
 */
export type Payload =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'slice'; readonly slice: Slice; readonly field?: 'float_data' | 'double_data' }
  | {
      readonly kind: 'packed';
      readonly slice: Slice;
      readonly field: 'int32_data' | 'int64_data' | 'uint64_data';
    }
  | {
      readonly kind: 'typed';
      readonly field: 'float_data' | 'int32_data' | 'int64_data' | 'double_data' | 'uint64_data';
      readonly values: Float32Array | Int32Array | BigInt64Array | Float64Array | BigUint64Array;
    }
  | { readonly kind: 'strings'; readonly values: readonly Uint8Array[] }
  | {
      readonly kind: 'external';
      readonly location: string;
      readonly offset: number;
      /** `undefined` = to the end of the file. */
      readonly length: number | undefined;
      /** All key-values as written. */
      readonly entries: readonly StringEntry[];
    };

export interface StringEntry extends Extensible {
  readonly key: string;
  readonly value: string;
}

export interface TensorProto extends Extensible {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly payload: Payload;
  readonly docString?: string;
  readonly metadataProps?: readonly StringEntry[];
}

export interface SparseTensorProto extends Extensible {
  readonly values?: TensorProto;
  readonly indices?: TensorProto;
  readonly dims: readonly number[];
}

export type Dimension = number | string | undefined;

export type TypeProto = (
  | {
      readonly kind: 'tensor' | 'sparse-tensor';
      readonly elementType: number;
      readonly shape?: readonly Dimension[];
      /** Denotation per dimension (`DATA_BATCH`, …), empty string where there is none; absent when none has one. */
      readonly dimensionDenotations?: readonly string[];
    }
  | { readonly kind: 'sequence' | 'optional'; readonly element?: TypeProto }
  | { readonly kind: 'map'; readonly keyType: number; readonly value?: TypeProto }
  | { readonly kind: 'opaque'; readonly domain: string; readonly name: string }
  | { readonly kind: 'unknown' }
) &
  Extensible & { readonly denotation?: string };

export interface ValueInfoProto extends Extensible {
  readonly name: string;
  readonly type?: TypeProto;
  readonly docString?: string;
  readonly metadataProps?: readonly StringEntry[];
}

/** Attribute by its declared type; `reference` = refAttrName inside a function body. */
export type AttributeValue =
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'int'; readonly value: bigint }
  | { readonly type: 'string'; readonly value: Uint8Array }
  | { readonly type: 'tensor'; readonly value: TensorProto }
  | { readonly type: 'graph'; readonly value: GraphProto }
  | { readonly type: 'sparse-tensor'; readonly value: SparseTensorProto }
  | { readonly type: 'type'; readonly value: TypeProto }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'ints'; readonly value: readonly bigint[] }
  | { readonly type: 'strings'; readonly value: readonly Uint8Array[] }
  | { readonly type: 'tensors'; readonly value: readonly TensorProto[] }
  | { readonly type: 'graphs'; readonly value: readonly GraphProto[] }
  | { readonly type: 'sparse-tensors'; readonly value: readonly SparseTensorProto[] }
  | { readonly type: 'types'; readonly value: readonly TypeProto[] }
  | { readonly type: 'reference'; readonly value: string; readonly attributeType: number }
  | { readonly type: 'undefined' };

export interface AttributeProto extends Extensible {
  readonly name: string;
  readonly value: AttributeValue;
  readonly docString?: string;
}

export interface NodeProto extends Extensible {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly overload?: string;
  /** Empty string = absent optional input. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly AttributeProto[];
  readonly docString?: string;
  readonly metadataProps?: readonly StringEntry[];
}

export interface TensorAnnotation extends Extensible {
  readonly tensorName: string;
  readonly quantParameters: readonly StringEntry[];
}

export interface GraphProto extends Extensible {
  readonly name: string;
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
  readonly valueInfo: readonly ValueInfoProto[];
  readonly initializers: readonly TensorProto[];
  readonly sparseInitializers?: readonly SparseTensorProto[];
  readonly nodes: readonly NodeProto[];
  readonly docString?: string;
  readonly quantizationAnnotation?: readonly TensorAnnotation[];
  readonly metadataProps?: readonly StringEntry[];
}

export interface OperatorSet extends Extensible {
  readonly domain: string;
  readonly version: number;
}

export interface FunctionProto extends Extensible {
  readonly name: string;
  readonly domain: string;
  readonly overload?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly string[];
  readonly attributeProtos: readonly AttributeProto[];
  readonly nodes: readonly NodeProto[];
  readonly opsetImports: readonly OperatorSet[];
  readonly valueInfo?: readonly ValueInfoProto[];
  readonly docString?: string;
  readonly metadataProps?: readonly StringEntry[];
}

export interface ModelProto extends Extensible {
  readonly irVersion: number;
  readonly opsetImports: readonly OperatorSet[];
  readonly producerName: string;
  readonly producerVersion: string;
  readonly domain: string;
  readonly modelVersion: number;
  readonly docString: string;
  readonly graph?: GraphProto;
  readonly metadataProps: readonly StringEntry[];
  readonly functions: readonly FunctionProto[];
}
