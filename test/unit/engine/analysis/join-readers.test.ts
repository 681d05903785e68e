/** Operators of a quantized file that join operands, and the layers whose error tells what that costs. */
import { expect, it } from 'vitest';
import { quantizedGraphFacts } from '../../../../server/src/engine/analysis/quantized-graph';
import type { NodeProto } from '../../../../server/src/engine/format/onnx-types';
import { model, node, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf } from '../../../fixtures/run-graph';

const pair = (from: string, name: string): readonly NodeProto[] => [
  node('QuantizeLinear', [from, `${name}_scale`, 'zero'], [`${name}_codes`]),
  node('DequantizeLinear', [`${name}_codes`, `${name}_scale`, 'zero'], [name]),
];

function readers(...between: readonly NodeProto[]) {
  const proto = model({
    inputs: [valueInfo('x', ['N', 4]), valueInfo('y', ['N', 4])],
    outputs: [valueInfo('out', ['N', 2])],
    initializers: [
      tensor('a_scale', [], [0.5]),
      tensor('b_scale', [], [0.05]),
      tensor('s_scale', [], [0.5]),
      tensor('zero', [], [128], 'uint8'),
      tensor('w', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
    nodes: [
      ...pair('x', 'a'),
      ...pair('y', 'b'),
      node('Add', ['a', 'b'], ['z']),
      ...between,
      node('MatMul', ['s', 'w'], ['out']),
    ],
  });
  return quantizedGraphFacts(graphOf(proto))?.operands.map((one) => one.readers?.length);
}

it.each<[what: string, between: readonly NodeProto[], found: number]>([
  ['behind a quantizer', pair('z', 's'), 1],
  ['behind Relu and a quantizer', [node('Relu', ['z'], ['r']), ...pair('r', 's')], 1],
  ['behind a move', [node('Identity', ['z'], ['r']), ...pair('r', 's')], 1],
  ['not behind a function that computes', [node('Softmax', ['z'], ['r']), ...pair('r', 's')], 0],
])('a layer reads a sum %s', (_, between, found) => expect(readers(...between)).toEqual([found]));
