/**
 * Layers whose weight is stored in a small float type behind DequantizeLinear (ONNX float8 types, opset 19), or as
 * levels of NF4 and FP4: codes are numbers of that type, which miss only their scale, so nothing is said of what integer kernels would make of them.
 */
import type { QuantizedLayerFacts } from '../../protocol/reports';
import { dataTypeByCode } from '../base/dtype';
import type { Node, Value } from '../graph/ir';
import type { Layer } from '../graph/layers';
import { bnb4Codes } from './bnb4-codes';
import { dequantizerOf } from './quantizers';
import { floats } from './stored-codes';

/** Widest type that is a code and no number to compute with. */
const CODE_BITS = 8;

export interface FloatCodes {
  /** Name of the type as ONNX or bitsandbytes writes it. */
  readonly type: string;
  readonly bits: number;
  /** The numbers that the codes are, without their scale. */
  readonly values: Float32Array;
  readonly scales: Float32Array;
  readonly granularity: QuantizedLayerFacts['granularity'];
  readonly groupSize: number | undefined;
}

/** Opens the codes of a layer; `undefined` when they are integers, no codes, or computed. */
export function floatCodes(layer: Layer): FloatCodes | undefined {
  const levels = bnb4Codes(layer);
  if (levels) return levels;
  const { quantized, computed, tensor, through } = layer;
  const dequantize = through.find((node) => node.opType === 'DequantizeLinear');
  const type = codeType(tensor.dataType);
  if (!quantized || computed || !dequantize || type === undefined) return undefined;
  const values = tensor.toFloat32().value;
  const scales = floats(dequantize.input(1)?.tensor);
  if (!values || !scales || scales.length === 0) return undefined;
  const block = dequantize.int('block_size', 0);
  const granularity = scales.length === 1 ? 'tensor' : block > 0 ? 'group' : 'channel';
  return {
    type,
    bits: CODE_BITS,
    values,
    scales,
    granularity,
    groupSize: granularity === 'group' ? block : undefined,
  };
}

/** Numbers that occur, exp of the entropy of how often, and the share of those at the ends of what occurs. */
export function floatCodeFacts({ values }: Pick<FloatCodes, 'values'>) {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let entropy = 0;
  for (const count of counts.values()) entropy -= (count / values.length) * Math.log(count / values.length);
  return { codesUsed: counts.size, effectiveLevels: Math.exp(entropy) };
}

/** Type of the small floats that a layer reads its activation in; `undefined` for integers and real numbers. */
export function floatActivation({ node, activationInput }: Layer): string | undefined {
  const codes = dequantizerOf(node.input(activationInput))?.input(0);
  return codes && floatCodeType(codes);
}

/** Type of small floats that a value holds. */
export function floatCodeType(value: Value): string | undefined {
  const maker: Node | undefined = value.producer;
  const zero = maker?.opType === 'QuantizeLinear' ? maker.input(2) : undefined;
  return codeType(
    zero?.elementType || zero?.tensor?.dataType || value.elementType || value.tensor?.dataType || 0,
  );
}

function codeType(code: number): string | undefined {
  const type = dataTypeByCode(code);
  return type?.kind === 'float' && type.bits <= CODE_BITS ? type.name : undefined;
}
