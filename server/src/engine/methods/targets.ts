/**
 * What the runtimes that files are made for can load and run fast, as facts that plan and export read. Measured with
 * onnxruntime 1.30 on x64 (kernels, block sizes, limits); opset facts from the ONNX schemas of QuantizeLinear.
 */
import type { TargetName } from '../base/format-names';
import type { OpType } from '../graph/ops';

/** Element type in which codes of one width are stored. */
export type StorageType = 'int2' | 'uint2' | 'int4' | 'uint4' | 'int8' | 'uint8' | 'int16' | 'uint16';

export interface TargetFacts {
  readonly name: TargetName;
  /** Highest default operator set and IR version the runtime loads. */
  readonly newestOpset: number;
  readonly newestIr: number;
  /** com.microsoft Quantize/DequantizeLinear take axis, 4-bit and 16-bit types in models of any opset. */
  readonly contribQuantize: boolean;
  /** com.microsoft MatMulNBits; undefined where the runtime has none. */
  readonly matMulNBits:
    | { readonly bits: readonly number[]; readonly smallestBlock: number; readonly largestBlock: number }
    | undefined;
  /** com.microsoft GatherBlockQuantized with 4 and 8 bits. */
  readonly gatherBlocks: boolean;
  /** Layers with integer kernels for 8-bit activations and weights. */
  readonly layerKernels: Readonly<Partial<Record<OpType, LayerKernel>>>;
  /**
   * Types that Cast turns into 8-bit ones while the model is loaded, with the operator set that allows it: weights are
   * stored narrow and still reach the integer kernels.
   */
  readonly widened: Readonly<
    Partial<Record<StorageType, { readonly to: 'int8' | 'uint8'; readonly opset: number }>>
  >;
  /**
   * Layers whose float weight or bias the runtime quantizes by itself when they stand between DequantizeLinear with one
   * scale and QuantizeLinear (onnxruntime, weight_bias_quantization.cc). Such a layer stays as planned only when its
   * input comes from DequantizeLinear with one scale per channel.
   */
  readonly requantized: ReadonlySet<OpType>;
}

/** Zero points may differ between the channels of a weight: all of these kernels compute them exactly (measured). */
export interface LayerKernel {
  /** The kernel is only used when the output is quantized too (QLinearConv); others can return float. */
  readonly needsQuantizedOutput: boolean;
  /** Takes the bias as int32 with scale s_x · s_w and zero point 0. */
  readonly integerBias: boolean;
  /** Takes one scale per output channel of a matrix only; a weight of higher rank needs one for the tensor. */
  readonly matrixScalesOnly: boolean;
}

const ortCpu: TargetFacts = {
  name: 'ort-cpu',
  newestOpset: 26,
  newestIr: 13,
  contribQuantize: true,
  matMulNBits: { bits: [2, 4, 8], smallestBlock: 16, largestBlock: 256 },
  gatherBlocks: true,
  layerKernels: {
    Conv: { needsQuantizedOutput: true, integerBias: true, matrixScalesOnly: false },
    Gemm: {
      needsQuantizedOutput: false,
      integerBias: true,
      matrixScalesOnly: false,
    },
    MatMul: {
      needsQuantizedOutput: false,
      integerBias: false,
      matrixScalesOnly: true,
    },
  },
  widened: { int4: { to: 'int8', opset: 21 }, uint4: { to: 'uint8', opset: 21 } },
  requantized: new Set(['Conv', 'ConvTranspose', 'Gemm']),
};

/** All targets by name. */
export const targets: Readonly<Record<TargetName, TargetFacts>> = { 'ort-cpu': ortCpu };

/** Bits of a stored element. */
export const storageBits = {
  int2: 2,
  uint2: 2,
  int4: 4,
  uint4: 4,
  int8: 8,
  uint8: 8,
  int16: 16,
  uint16: 16,
} as const satisfies Record<StorageType, number>;

/** First operator set whose QuantizeLinear/DequantizeLinear know the type; scales along an axis need 13. */
const firstOpset = {
  int2: 25,
  uint2: 25,
  int4: 21,
  uint4: 21,
  int8: 10,
  uint8: 10,
  int16: 21,
  uint16: 21,
} as const satisfies Record<StorageType, number>;

/** Operator set that Quantize/DequantizeLinear of this type need in the default domain. */
export function quantizeOpset(type: StorageType, scales: 'tensor' | 'axis' | 'blocks'): number {
  if (scales === 'blocks') return Math.max(21, firstOpset[type]);
  return Math.max(scales === 'axis' ? 13 : 10, firstOpset[type]);
}

/**
 * The narrowest type that holds codes of `bits` bits in a model of this operator set. Widths that ONNX lacks take the
 * next wider one with limited codes; 2-bit types exist from opset 25 on and are not in com.microsoft.
 */
export function storageType(bits: number, signed: boolean, opset: number): StorageType {
  const width = bits === 2 && opset >= 25 ? 2 : bits <= 4 ? 4 : bits <= 8 ? 8 : 16;
  return `${signed ? 'int' : 'uint'}${width}`;
}

/** Domain of a Quantize/DequantizeLinear node in a model of this operator set. */
export function quantizeDomain(
  type: StorageType,
  scales: 'tensor' | 'axis' | 'blocks',
  opset: number,
): '' | 'com.microsoft' {
  return opset >= quantizeOpset(type, scales) ? '' : 'com.microsoft';
}
