/**
 * Quantizers of named tensors as other tools exchange them: AIMET encodings, onnxruntime's tensor overrides. Plain data;
 * real = (code − zeroPoint) · scale everywhere, whatever sign the file's own field has.
 */

export interface TensorEncoding {
  /** Tensor of the ONNX graph. */
  readonly name: string;
  readonly bits: number;
  readonly signed: boolean;
  readonly symmetric: boolean;
  /** float32 values: one, one per channel, or the blocks of each channel in turn. */
  readonly scales: readonly number[];
  /** As `scales`. */
  readonly zeroPoints: readonly number[];
  /** Output channel axis of several scales. */
  readonly channelAxis?: number;
  /** Blocks along the inputs of a channel: their axis, length, and number per channel. */
  readonly block?: { readonly axis: number; readonly size: number; readonly count: number };
}

export interface Encodings {
  readonly activations: readonly TensorEncoding[];
  readonly parameters: readonly TensorEncoding[];
}

/** Real range of all codes under scale `index`. */
export function encodingRange(
  { bits, signed, scales, zeroPoints }: TensorEncoding,
  index = 0,
): { readonly min: number; readonly max: number } {
  const lowest = signed ? -(2 ** (bits - 1)) : 0;
  const scale = scales[index] ?? 1;
  const zeroPoint = zeroPoints[index] ?? 0;
  // Adding 0 turns −0 into 0.
  return { min: (lowest - zeroPoint) * scale + 0, max: (lowest + 2 ** bits - 1 - zeroPoint) * scale + 0 };
}
