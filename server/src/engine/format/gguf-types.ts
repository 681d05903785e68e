/**
 * Tensor types of GGUF (`enum ggml_type`): elements per block and bytes per block. Numbers that are missing were
 * removed from the format. Source: ggml/include/ggml.h and ggml/src/ggml-common.h (block structs).
 */
import type { DataTypeName } from '../base/dtype';

export interface GgufType {
  readonly id: number;
  readonly name: string;
  readonly blockSize: number;
  readonly blockBytes: number;
  /** ONNX type of the same storage, for plain types. */
  readonly dataType?: DataTypeName;
}

const TABLE: readonly (readonly [
  id: number,
  name: string,
  size: number,
  bytes: number,
  same?: DataTypeName,
])[] = [
  [0, 'F32', 1, 4, 'float'],
  [1, 'F16', 1, 2, 'float16'],
  [2, 'Q4_0', 32, 18],
  [3, 'Q4_1', 32, 20],
  [6, 'Q5_0', 32, 22],
  [7, 'Q5_1', 32, 24],
  [8, 'Q8_0', 32, 34],
  [9, 'Q8_1', 32, 36],
  [10, 'Q2_K', 256, 84],
  [11, 'Q3_K', 256, 110],
  [12, 'Q4_K', 256, 144],
  [13, 'Q5_K', 256, 176],
  [14, 'Q6_K', 256, 210],
  [15, 'Q8_K', 256, 292],
  [16, 'IQ2_XXS', 256, 66],
  [17, 'IQ2_XS', 256, 74],
  [18, 'IQ3_XXS', 256, 98],
  [19, 'IQ1_S', 256, 50],
  [20, 'IQ4_NL', 32, 18],
  [21, 'IQ3_S', 256, 110],
  [22, 'IQ2_S', 256, 82],
  [23, 'IQ4_XS', 256, 136],
  [24, 'I8', 1, 1, 'int8'],
  [25, 'I16', 1, 2, 'int16'],
  [26, 'I32', 1, 4, 'int32'],
  [27, 'I64', 1, 8, 'int64'],
  [28, 'F64', 1, 8, 'double'],
  [29, 'IQ1_M', 256, 56],
  [30, 'BF16', 1, 2, 'bfloat16'],
  [34, 'TQ1_0', 256, 54],
  [35, 'TQ2_0', 256, 66],
  [39, 'MXFP4', 32, 17],
  [40, 'NVFP4', 64, 36],
  [41, 'Q1_0', 128, 18],
  [42, 'Q2_0', 64, 18],
];

const byId = new Map<number, GgufType>(
  TABLE.map(([id, name, blockSize, blockBytes, dataType]) => [
    id,
    { id, name, blockSize, blockBytes, dataType },
  ]),
);

export function ggufTypeById(id: number): GgufType | undefined {
  return byId.get(id);
}

/** All tensor types, in order of their numbers. */
export const ggufTypes: readonly GgufType[] = [...byId.values()];
