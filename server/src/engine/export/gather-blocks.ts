/**
 * Looked-up tables as com.microsoft GatherBlockQuantized: the runtime dequantizes the rows it picks and nothing else,
 * where DequantizeLinear in front of Gather would dequantize the whole table at every run. Codes are unsigned, two of
 * 4 bits in a byte; without zero points the middle code is zero. Source: onnxruntime ContribOperators.md.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { packElements } from '../base/pack';
import { addInitializer, replaceNode } from '../graph/edit';
import type { Node } from '../graph/ir';
import type { Layer } from '../graph/layers';
import { floatTensor, memoryTensor } from '../graph/tensor';
import { gatherBlock } from '../methods/plan-form';
import type { QuantizedWeight } from '../numerics/quantize-weight';
import { contribDomain, integer } from './emit';
import type { LayerWeight } from './weights';

/**
 * Replaces a Gather of rows by GatherBlockQuantized.
 * @param bits width of a stored code, 4 or 8, at least the scheme's.
 * @returns the new node.
 */
export function toGatherBlocks(
  layer: Layer,
  weight: LayerWeight,
  quantized: QuantizedWeight,
  bits: number,
): Node {
  const { node } = layer;
  const graph = defined(node.graph, 'layer is in a graph');
  const [rows = 0, width = 0] = weight.shape;
  const { scheme, scales, zeroPoints, groups } = quantized;
  const group = typeof scheme.granularity === 'string' ? undefined : scheme.granularity.group;
  const block = gatherBlock(width, group);
  const blocks = Math.ceil(width / block);
  const offset = scheme.signed ? 2 ** (bits - 1) : 0;
  // One scale for all rows, one a row, or one a group: always one a block in the file.
  const scope = (at: number) => (scales.length === 1 ? 0 : groups === blocks ? at : Math.floor(at / blocks));
  const perBlock = Array.from({ length: rows * blocks }, (_, at) => scope(at));
  const name = layer.weight.name;
  const codes = Uint8Array.from(quantized.codes, (code) => code + offset);
  const inputs = [
    addInitializer(graph, `${name}_Q${bits}`, byteTensor(codes, rows, width, bits)),
    node.input(layer.activationInput),
    addInitializer(
      graph,
      `${name}_scales`,
      floatTensor(
        [rows, blocks],
        Float32Array.from(perBlock, (at) => scales[at] ?? 0),
      ),
    ),
  ];
  if (!(scheme.signed && scheme.symmetric)) {
    const zeros = Uint8Array.from(perBlock, (at) => (zeroPoints[at] ?? 0) + offset);
    inputs.push(addInitializer(graph, `${name}_zero_points`, byteTensor(zeros, rows, blocks, bits)));
  }
  return replaceNode(node, {
    name: node.name === '' ? '' : `${node.name}_Q${bits}`,
    opType: 'GatherBlockQuantized',
    domain: contribDomain,
    inputs,
    attributes: [
      ['bits', integer(bits)],
      ['block_size', integer(block)],
      ['gather_axis', integer(0)],
      ['quantize_axis', integer(1)],
    ],
  });
}

/** Rows of unsigned codes, each row packed into whole bytes. */
function byteTensor(codes: Uint8Array, rows: number, width: number, bits: number) {
  const rowBytes = Math.ceil((width * bits) / 8);
  const bytes = new Uint8Array(rows * rowBytes);
  for (let row = 0; row < rows; row++)
    bytes.set(packElements(codes.subarray(row * width, (row + 1) * width), bits), row * rowBytes);
  return memoryTensor(DataTypeCode.uint8, [rows, rowBytes], bytes);
}
