/**
 * Weight-only layers as com.microsoft MatMulNBits: codes of 2, 4 or 8 bits in blocks along K, packed per output
 * channel. A Gemm becomes MatMulNBits and Add. Source: onnxruntime ContribOperators.md, MatMulNBits.
 */

import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { addInitializer, addNode, replaceNode } from '../graph/edit';
import type { Node } from '../graph/ir';
import type { Layer } from '../graph/layers';
import { floatTensor, memoryTensor } from '../graph/tensor';
import { nbitsBlock } from '../methods/plan-form';
import { channelView, elementIndex } from '../numerics/layout';
import { type MatMulNBitsWeight, packMatMulNBits } from '../numerics/pack';
import type { QuantizedWeight } from '../numerics/quantize-weight';
import type { QuantScheme } from '../numerics/scheme';
import { contribDomain, integer } from './emit';
import type { LayerWeight } from './weights';

/** Attribute `accuracy_level`: 0 leaves it to the runtime's float path, 4 lets it quantize activations to int8. */
export type AccuracyLevel = 0 | 1 | 2 | 3 | 4;

/**
 * Lays out a [K, N] or [N, K] weight for MatMulNBits.
 * @param bits width of a stored code, at least the scheme's.
 */
export function packBlocks(weight: LayerWeight, quantized: QuantizedWeight, bits: number): MatMulNBitsWeight {
  const view = channelView(weight.shape, weight.channelAxis);
  const { channels: n, perChannel: k } = view;
  const { scheme } = quantized;
  const group = typeof scheme.granularity === 'string' ? 0 : scheme.granularity.group;
  const codes = quantized.codes.slice();
  if (weight.channelAxis === 0) {
    for (let channel = 0; channel < n; channel++) {
      for (let at = 0; at < k; at++)
        codes[at * n + channel] = quantized.codes[elementIndex(view, channel, at)] ?? 0;
    }
  }
  const stored: QuantScheme = {
    ...scheme,
    bits,
    // An unsigned middle moves with the width, so a wider code needs its zero point written down.
    symmetric: scheme.symmetric && (scheme.signed || scheme.bits === bits),
    granularity: { group: nbitsBlock(group, k) },
  };
  return packMatMulNBits({ ...quantized, scheme: stored, codes }, [k, n]);
}

/**
 * Replaces a MatMul or plain Gemm by MatMulNBits (and Add of the bias).
 * @returns the node that reads the activation.
 */
export function toMatMulNBits(
  layer: Layer,
  weight: LayerWeight,
  quantized: QuantizedWeight,
  bits: number,
  accuracyLevel: AccuracyLevel,
): Node {
  const { node } = layer;
  const graph = defined(node.graph, 'layer is in a graph');
  const packed = packBlocks(weight, quantized, bits);
  const { n, k, blocks, blockSize } = packed;
  const name = layer.weight.name;
  const bytes = (data: Uint8Array, shape: readonly number[]) => memoryTensor(DataTypeCode.uint8, shape, data);
  const inputs = [
    node.input(layer.activationInput),
    addInitializer(graph, `${name}_Q${bits}`, bytes(packed.packed, [n, blocks, (blockSize * bits) / 8])),
    addInitializer(graph, `${name}_scales`, floatTensor([n * blocks], packed.scales)),
  ];
  const { zeroPoints } = packed;
  if (zeroPoints)
    inputs.push(addInitializer(graph, `${name}_zero_points`, bytes(zeroPoints, [zeroPoints.length])));
  const made = {
    name: node.name === '' ? '' : `${node.name}_Q${bits}`,
    opType: 'MatMulNBits',
    domain: contribDomain,
    inputs,
    attributes: [
      ['K', integer(k)],
      ['N', integer(n)],
      ['bits', integer(bits)],
      ['block_size', integer(blockSize)],
      ...(accuracyLevel === 0 ? [] : ([['accuracy_level', integer(accuracyLevel)]] as const)),
    ] as const,
  };
  const bias = node.op === 'Gemm' ? node.input(2) : undefined;
  if (bias === undefined) return replaceNode(node, made);
  const product = addNode(graph, { ...made, outputs: [`${node.output()?.name ?? name}_MatMul`] }, node);
  replaceNode(node, {
    name: node.name === '' ? '' : `${node.name}_Add`,
    opType: 'Add',
    inputs: [product.output(), bias],
  });
  return product;
}
