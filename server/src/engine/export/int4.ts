/**
 * Weight-only layers as com.microsoft MatMulNBits: codes of 2, 4 or 8 bits in blocks along K, packed per output
 * channel. A Gemm becomes MatMulNBits and Add. Source: onnxruntime ContribOperators.md, MatMulNBits.
 */

import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { packElements } from '../base/pack';
import { addInitializer, addNode, replaceNode } from '../graph/edit';
import type { Node } from '../graph/ir';
import type { Layer } from '../graph/layers';
import { floatTensor, memoryTensor } from '../graph/tensor';
import { nbitsBlock } from '../methods/plan-form';
import { channelView, elementIndex } from '../numerics/layout';
import type { QuantizedWeight } from '../numerics/quantize-weight';
import { contribDomain, integer } from './emit';
import type { LayerWeight } from './weights';

/** Attribute `accuracy_level`: 0 leaves it to the runtime's float path, 4 lets it quantize activations to int8. */
export type AccuracyLevel = 0 | 1 | 2 | 3 | 4;

export interface PackedBlocks {
  /** [N, ⌈K / block⌉, block · bits / 8], first code in the low bits. */
  readonly codes: Uint8Array;
  /** [N, ⌈⌈K / block⌉ · bits / 8⌉]; undefined when every zero point is the default 2^(bits − 1). */
  readonly zeroPoints: Uint8Array | undefined;
  readonly n: number;
  readonly k: number;
  readonly blocks: number;
}

/**
 * Packs the codes of a [K, N] or [N, K] weight. Codes are stored unsigned: signed ones plus 2^(bits − 1). The last block
 * of a channel is filled up with its zero point, so that the padding is 0.
 * @param bits width of a stored code, at least the scheme's.
 */
export function packBlocks(
  weight: LayerWeight,
  quantized: QuantizedWeight,
  bits: number,
  block: number,
): PackedBlocks {
  const view = channelView(weight.shape, weight.channelAxis);
  const { channels: n, perChannel: k } = view;
  const blocks = Math.ceil(k / block);
  const offset = quantized.scheme.signed ? 2 ** (bits - 1) : 0;
  const codes = new Uint8Array(n * blocks * block);
  const zeroPoints = quantized.zeroPoints.map((zeroPoint) => zeroPoint + offset);
  for (let channel = 0; channel < n; channel++) {
    const start = channel * blocks * block;
    for (let at = 0; at < blocks * block; at++) {
      codes[start + at] =
        at < k
          ? (quantized.codes[elementIndex(view, channel, at)] ?? 0) + offset
          : (zeroPoints[channel * blocks + Math.floor(at / block)] ?? 0);
    }
  }
  const standard = zeroPoints.every((zeroPoint) => zeroPoint === 2 ** (bits - 1));
  return {
    codes: packElements(codes, bits),
    zeroPoints: standard ? undefined : packRows(zeroPoints, n, bits),
    n,
    k,
    blocks,
  };
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
  const { granularity } = quantized.scheme;
  const group = typeof granularity === 'string' ? 0 : granularity.group;
  const block = nbitsBlock(group, channelView(weight.shape, weight.channelAxis).perChannel);
  const packed = packBlocks(weight, quantized, bits, block);
  const { n, k, blocks } = packed;
  const name = layer.weight.name;
  const codes = memoryTensor(DataTypeCode.uint8, [n, blocks, (block * bits) / 8], packed.codes);
  const inputs = [
    node.input(layer.activationInput),
    addInitializer(graph, `${name}_Q${bits}`, codes),
    addInitializer(graph, `${name}_scales`, floatTensor([n * blocks], quantized.scales)),
  ];
  if (packed.zeroPoints) {
    const zeroPoints = memoryTensor(DataTypeCode.uint8, [packed.zeroPoints.length], packed.zeroPoints);
    inputs.push(addInitializer(graph, `${name}_zero_points`, zeroPoints));
  }
  const made = {
    name: node.name === '' ? '' : `${node.name}_Q${bits}`,
    opType: 'MatMulNBits',
    domain: contribDomain,
    inputs,
    attributes: [
      ['K', integer(k)],
      ['N', integer(n)],
      ['bits', integer(bits)],
      ['block_size', integer(block)],
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

/** Each channel's zero points start on a byte of their own. */
function packRows(zeroPoints: Int32Array, n: number, bits: number): Uint8Array {
  const blocks = zeroPoints.length / n;
  const rowBytes = Math.ceil((blocks * bits) / 8);
  const packed = new Uint8Array(n * rowBytes);
  for (let channel = 0; channel < n; channel++) {
    packed.set(
      packElements(zeroPoints.subarray(channel * blocks, (channel + 1) * blocks), bits),
      channel * rowBytes,
    );
  }
  return packed;
}
