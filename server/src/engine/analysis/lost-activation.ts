/**
 * Activation functions that a quantized file leaves out although its quantizer does not clip in their place. Removing a
 * Relu is right where codes begin at 0 (Krishnamoorthi 2018, arXiv 1806.08342, section 3.2.1); small floats and symmetric
 * integers go on below.
 */
import type { Node, Value } from '../graph/ir';
import type { Layer } from '../graph/layers';
import { opFacts } from '../graph/ops';
import { outputBounds } from './activation-taps';
import { floatCodeType } from './float-codes';
import { onlyConsumer, parametersOf, rangeOf } from './quantizers';

export interface LostActivation {
  /** The function behind the float layer. */
  readonly op: string;
  /** Format of the quantizer that keeps what the function cuts off. */
  readonly format: string;
}

/** What of the float layer's activation function the stored one lost; `undefined` where nothing is known to be lost. */
export function lostActivation(float: Layer, stored: Layer): LostActivation | undefined {
  const next = onlyConsumer(float.node.output());
  if (!next || !isActivation(next) || outputBounds(next)?.min !== 0) return undefined;
  const quantize = onlyConsumer(stored.node.output());
  const codes = quantize?.output();
  if (quantize?.opType !== 'QuantizeLinear' || !codes) return undefined;
  const format = keptBelowZero(quantize, codes);
  if (format === undefined || readsActivation(codes)) return undefined;
  return { op: next.op, format };
}

function isActivation(node: Node): boolean {
  return opFacts(node).fusedActivation === true;
}

/** Name of the quantizer's format where it has codes for numbers below 0. */
function keptBelowZero(quantize: Node, codes: Value): string | undefined {
  const float = floatCodeType(codes);
  if (float !== undefined) return float;
  const parameters = parametersOf(quantize.input(1), quantize.input(2));
  if (!parameters || rangeOf(parameters).min >= -parameters.scale / 2) return undefined;
  return `${parameters.signed ? 'int' : 'uint'}${parameters.bits}`;
}

/** Somebody who reads the codes, dequantized or not, is such a function, or nothing that is known. */
function readsActivation(codes: Value): boolean {
  return codes.uses.some(({ node }) => {
    if (node.opType !== 'DequantizeLinear') return true;
    return node.output()?.uses.some((use) => isActivation(use.node)) ?? true;
  });
}
