/**
 * Quantizers of activations in a graph: who quantizes what a layer reads, what a quantizer clips, and operators
 * written in QOperator form (scales and zero points as inputs). Only small constants are read.
 */
import type { ActivationQuantizer } from '../../protocol/reports';
import { dataTypeByCode } from '../base/dtype';
import type { Node, Value } from '../graph/ir';
import type { Layer } from '../graph/layers';
import { isPassThrough, passThroughInputs } from '../graph/ops';
import { scalarOf } from '../graph/tensor';

/** A scale and zero point of one tensor, both constant. */
export interface Parameters {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly bits: number;
  readonly signed: boolean;
}

/** Input positions of scale and zero point of the activation on operators that carry them themselves. */
const ownActivation: Readonly<Record<string, readonly [scale: number, zeroPoint: number]>> = {
  QLinearConv: [1, 2],
  QLinearMatMul: [1, 2],
  'com.microsoft.QGemm': [1, 2],
};

/** Operators that quantize their activation at every run, or read what DynamicQuantizeLinear made. */
const DYNAMIC: ReadonlySet<string> = new Set([
  'MatMulInteger',
  'ConvInteger',
  'com.microsoft.MatMulIntegerToFloat',
  'com.microsoft.DynamicQuantizeMatMul',
]);

/** Quantizer of the activation a layer reads; `undefined` when it reads real numbers. */
export function quantizerOf(layer: Layer): ActivationQuantizer | undefined {
  const { node } = layer;
  const value = node.input(layer.activationInput);
  if (!value) return undefined;
  const own = ownActivation[node.op];
  if (own) return described(value, parametersOf(node.input(own[0]), node.input(own[1])));
  if (DYNAMIC.has(node.op)) {
    const type = dataTypeByCode(value.elementType);
    const signed = type?.name === 'int8';
    return { tensor: value.name, bits: 8, signed, scale: null, zeroPoint: null };
  }
  const dequantize = dequantizerOf(value);
  const codes = dequantize?.input(0);
  if (!dequantize || !codes) return undefined;
  return described(codes, parametersOf(dequantize.input(1), dequantize.input(2)));
}

function described(value: Value, parameters: Parameters | undefined): ActivationQuantizer | undefined {
  return parameters && { tensor: value.name, ...parameters };
}

/** The DequantizeLinear that makes a value, also through operators that only move data. */
export function dequantizerOf(value: Value | undefined): Node | undefined {
  for (let at = value, steps = 0; at && steps < 16; steps++) {
    const node: Node | undefined = at.producer;
    if (!node) return undefined;
    if (node.opType === 'DequantizeLinear') return node;
    const data = isPassThrough(node) ? passThroughInputs(node) : [];
    if (data.length !== 1) return undefined;
    at = node.input(data[0] ?? 0);
  }
  return undefined;
}

/** Constant scale and zero point of a whole tensor; `undefined` for several of them or when they are computed. */
export function parametersOf(scale: Value | undefined, zeroPoint: Value | undefined): Parameters | undefined {
  const size = scale?.tensor && scalarOf(scale.tensor);
  if (size === undefined) return undefined;
  const type = dataTypeByCode(zeroPoint?.elementType || zeroPoint?.tensor?.dataType || 2);
  if (!type || (type.kind !== 'int' && type.kind !== 'uint')) return undefined;
  const zero = zeroPoint ? zeroPoint.tensor && scalarOf(zeroPoint.tensor) : 0;
  if (zero === undefined) return undefined;
  return { scale: size, zeroPoint: zero, bits: type.bits, signed: type.kind === 'int' };
}

/** Real numbers at the ends of a quantizer's range. */
export function rangeOf({ scale, zeroPoint, bits, signed }: Parameters): { min: number; max: number } {
  const lowest = signed ? -(2 ** (bits - 1)) : 0;
  // Adding 0 turns −0 into 0.
  return { min: (lowest - zeroPoint) * scale + 0, max: (lowest + 2 ** bits - 1 - zeroPoint) * scale + 0 };
}

/**
 * What a layer's output quantizer clips where an activation function was removed: its lower end is exactly 0.
 * `undefined` when the output is not quantized at once or keeps numbers below zero.
 */
export function clipBehind(node: Node): { min: number; max: number } | undefined {
  const output = outputParameters(node);
  const range = output && rangeOf(output);
  return range?.min === 0 ? range : undefined;
}

/** Parameters of the codes a layer's output becomes: its own, or those of the QuantizeLinear that follows it alone. */
export function outputParameters(node: Node): Parameters | undefined {
  const own = ownOutput[node.op];
  if (own) return parametersOf(node.input(own[0]), node.input(own[1]));
  const next = onlyConsumer(node.output());
  if (next?.opType !== 'QuantizeLinear') return undefined;
  return parametersOf(next.input(1), next.input(2));
}

const ownOutput: Readonly<Record<string, readonly [scale: number, zeroPoint: number]>> = {
  QLinearConv: [6, 7],
  QLinearMatMul: [6, 7],
  'com.microsoft.QGemm': [7, 8],
};

/** The only node that reads a value which is no output of the graph. */
export function onlyConsumer(value: Value | undefined): Node | undefined {
  if (value?.uses.length !== 1) return undefined;
  const [use] = value.uses;
  return use?.node.graph?.isOutput(value) ? undefined : use?.node;
}
