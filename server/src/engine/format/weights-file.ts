/** What the header of a weight file without a graph says (safetensors, GGUF). Nothing of the weights is read. */

export interface WeightTensor {
  readonly name: string;
  /** The format's own type name: `F32`, `BF16`, `Q4_0`, … */
  readonly dtype: string;
  /** ONNX element type number when the bytes are stored the same way; `undefined` for block types. */
  readonly dataType: number | undefined;
  /** Row-major, outermost first. */
  readonly shape: readonly number[];
  readonly elements: number;
  /** From the start of the file. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

export type MetadataValue = string | number | bigint | boolean | MetadataArray;

/** Arrays can be vocabularies: only the first items are kept. */
export interface MetadataArray {
  readonly elementType: string;
  readonly length: number;
  readonly first: readonly MetadataValue[];
}

export interface WeightsFile {
  readonly format: 'safetensors' | 'gguf';
  /** GGUF version; 1 for safetensors, which has none. */
  readonly version: number;
  /** In the order of the data. */
  readonly tensors: readonly WeightTensor[];
  readonly metadata: ReadonlyMap<string, MetadataValue>;
}
