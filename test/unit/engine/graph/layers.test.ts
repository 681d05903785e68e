import { describe, expect, it } from 'vitest';
import type { ModelProto, NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { countConstants, listLayers } from '../../../../server/src/engine/graph/layers';
import { convNet, graph, matmulNet, model, node, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf } from '../../../fixtures/run-graph';

const zeros = (
  name: string,
  shape: readonly number[],
  type: 'float' | 'int8' | 'uint8' | 'float16' | 'int64' = 'float',
) => tensor(name, shape, new Array(shape.reduce((a, b) => a * b, 1)).fill(0), type);

function net(nodes: readonly NodeProto[], initializers: readonly TensorProto[]): ModelProto {
  return model({
    inputs: [valueInfo('x', ['N', 4])],
    outputs: [valueInfo('y', undefined)],
    initializers,
    nodes,
  });
}

const matMul = (weight: string, name: string, output = 'y', input = 'x') =>
  node('MatMul', [input, weight], [output], {}, { name });

const names: readonly (readonly [weight: string, nodeName: string, expected: string])[] = [
  ['layer1.0.conv1.weight', '/layer1/conv/Conv', 'layer1.0.conv1'],
  ['conv2d_kernel', 'n', 'conv2d_kernel'],
  ['a.weight.b', 'n', 'a.weight.b'],
  ['dense.weights', 'n', 'dense.weights'],
  ['onnx::MatMul_1189', '/layers.0/wq/MatMul', 'layers.0/wq'],
  ['onnx::MatMul_1189', 'layers.0/wq/Gemm', 'layers.0/wq/Gemm'],
  ['_v_12', '/a/MatMul', 'a'],
  ['475', 'Conv_0', 'Conv_0'],
  ['475_quantized', 'Conv_0', '475_quantized'],
  ['475', '', 'MatMul_0'],
  ['475', '/MatMul', 'MatMul'],
  ['475', 'MatMul', 'MatMul'],
  ['.weight', '/fc/MatMul', 'fc'],
  ['v_12', 'n', 'v_12'],
];

describe('layer names', () => {
  it.each(names)('initializer %s at node "%s" is %s', (weight, nodeName, expected) => {
    const [layer] = listLayers(graphOf(net([matMul(weight, nodeName)], [zeros(weight, [4, 4])])));
    expect(layer?.name).toBe(expected);
    expect(layer?.weight.name).toBe(weight);
  });

  it('come from the node when the weight is a Constant', () => {
    const nodes = [
      node('Constant', [], ['w.weight'], { value: zeros('', [4, 4]) }),
      matMul('w.weight', '/head/MatMul'),
    ];
    const [layer] = listLayers(graphOf(net(nodes, [])));
    expect([layer?.name, layer?.weight.name]).toEqual(['head', 'w.weight']);
  });

  it('count uses of one name', () => {
    const nodes = [
      matMul('w.weight', 'a', 'h1'),
      matMul('w.weight', 'b', 'h2', 'h1'),
      matMul('w', 'c', 'y', 'h2'),
    ];
    const layers = listLayers(graphOf(net(nodes, [zeros('w.weight', [4, 4]), zeros('w', [4, 4])])));
    expect(layers.map((layer) => layer.name)).toEqual(['w', 'w#2', 'w#3']);
  });

  it('use the node index of the file, whatever was removed since', () => {
    const value = graphOf(
      net([node('Relu', ['x'], ['h']), matMul('12', '', 'y', 'h')], [zeros('12', [4, 4])]),
    );
    value.graph.nodes.splice(0, 1);
    expect(listLayers(value)[0]?.name).toBe('MatMul_1');
  });
});

interface AxisCase {
  readonly what: string;
  readonly proto: ModelProto;
  readonly expected: object;
}

const image = (nodes: readonly NodeProto[], initializers: readonly TensorProto[]) =>
  model({
    inputs: [valueInfo('x', ['N', 4, 8, 8])],
    outputs: [valueInfo('y', undefined)],
    initializers,
    nodes,
  });

const axisCases: readonly AxisCase[] = [
  {
    what: 'Conv',
    proto: image([node('Conv', ['x', 'w', 'b'], ['y'])], [zeros('w', [6, 4, 3, 3]), zeros('b', [6])]),
    expected: {
      op: 'Conv',
      channelAxis: 0,
      params: 216,
      groups: 1,
      depthwise: false,
      weightInput: 1,
      activationInput: 0,
      bias: { name: 'b' },
    },
  },
  {
    what: 'depthwise Conv',
    proto: image([node('Conv', ['x', 'w'], ['y'], { group: 4 })], [zeros('w', [4, 1, 3, 3])]),
    expected: { depthwise: true, groups: 4, bias: undefined },
  },
  {
    what: 'depthwise Conv with a multiplier',
    proto: image([node('Conv', ['x', 'w'], ['y'], { group: 4 })], [zeros('w', [8, 1, 3, 3])]),
    expected: { depthwise: true, groups: 4 },
  },
  {
    what: 'grouped Conv',
    proto: image([node('Conv', ['x', 'w'], ['y'], { group: 2 })], [zeros('w', [4, 2, 3, 3])]),
    expected: { depthwise: false, groups: 2 },
  },
  {
    what: 'ConvTranspose',
    proto: image([node('ConvTranspose', ['x', 'w'], ['y'])], [zeros('w', [4, 6, 3, 3])]),
    expected: { channelAxis: 1, depthwise: false },
  },
  {
    what: 'depthwise ConvTranspose',
    proto: image([node('ConvTranspose', ['x', 'w'], ['y'], { group: 4 })], [zeros('w', [4, 1, 3, 3])]),
    expected: { channelAxis: 1, depthwise: true },
  },
  {
    what: 'Gemm',
    proto: net([node('Gemm', ['x', 'w'], ['y'])], [zeros('w', [4, 3])]),
    expected: { channelAxis: 1 },
  },
  {
    what: 'Gemm with transB',
    proto: net([node('Gemm', ['x', 'w'], ['y'], { transB: 1 })], [zeros('w', [3, 4])]),
    expected: { channelAxis: 0 },
  },
  {
    what: 'MatMul',
    proto: net([matMul('w', 'n')], [zeros('w', [4, 3])]),
    expected: { channelAxis: 1, params: 12 },
  },
  {
    what: 'batched MatMul',
    proto: net([matMul('w', 'n')], [zeros('w', [2, 4, 3])]),
    expected: { channelAxis: 2, params: 24 },
  },
  {
    what: 'half precision',
    proto: net([matMul('w', 'n')], [zeros('w', [4, 3], 'float16')]),
    expected: { quantized: false },
  },
  {
    what: 'a transposed weight',
    proto: net([node('Transpose', ['w'], ['t'], { perm: [1, 0] }), matMul('t', 'n')], [zeros('w', [3, 4])]),
    expected: { name: 'w', channelAxis: 0, shape: [3, 4], through: [{ opType: 'Transpose' }] },
  },
  {
    what: 'a weight permuted twice',
    proto: net(
      [
        node('Transpose', ['w'], ['t'], { perm: [2, 0, 1] }),
        node('Transpose', ['t'], ['u'], { perm: [0, 2, 1] }),
        matMul('u', 'n'),
      ],
      [zeros('w', [3, 4, 2])],
    ),
    // t = [2,3,4], u = [2,4,3]: the last axis of u is axis 1 of t is axis 0 of w.
    expected: { channelAxis: 0 },
  },
  {
    what: 'a weight behind Identity and Cast',
    proto: net(
      [node('Identity', ['w'], ['i']), node('Cast', ['i'], ['c'], { to: 1 }), matMul('c', 'n')],
      [zeros('w', [4, 3], 'float16')],
    ),
    expected: { name: 'w', quantized: false, channelAxis: 1 },
  },
  {
    what: 'a dequantized weight',
    proto: net(
      [node('DequantizeLinear', ['w', 's'], ['d']), matMul('d', 'n')],
      [zeros('w', [4, 3], 'int8'), zeros('s', [])],
    ),
    expected: { name: 'w', quantized: true, channelAxis: 1, through: [{ opType: 'DequantizeLinear' }] },
  },
  {
    what: 'QLinearConv',
    proto: image(
      [node('QLinearConv', ['x', 's', 'z', 'w', 's', 'z', 's', 'z', 'b'], ['y'])],
      [zeros('w', [6, 4, 3, 3], 'int8'), zeros('s', []), zeros('z', [], 'int8'), zeros('b', [6])],
    ),
    expected: { quantized: true, weightInput: 3, channelAxis: 0, bias: { name: 'b' } },
  },
  {
    what: 'MatMulNBits',
    proto: net(
      [
        node(
          'MatMulNBits',
          ['x', 'w', 's'],
          ['y'],
          { N: 3, K: 64, bits: 4, block_size: 32 },
          { domain: 'com.microsoft' },
        ),
      ],
      [zeros('w', [3, 2, 16], 'uint8'), zeros('s', [6])],
    ),
    expected: {
      op: 'com.microsoft.MatMulNBits',
      quantized: true,
      shape: [3, 64],
      channelAxis: 0,
      params: 192,
    },
  },
];

describe('layers', () => {
  it.each(axisCases)('of $what', ({ proto, expected }) => {
    const layers = listLayers(graphOf(proto));
    expect(layers).toHaveLength(1);
    expect(layers[0]).toMatchObject(expected);
  });

  const none: readonly (readonly [string, ModelProto])[] = [
    ['a weight that is an activation', net([matMul('x', 'n')], [])],
    ['two constants', net([node('MatMul', ['v', 'w'], ['y'])], [zeros('v', [4, 4]), zeros('w', [4, 4])])],
    ['a vector', net([matMul('w', 'n')], [zeros('w', [4])])],
    ['integers', net([matMul('w', 'n')], [zeros('w', [4, 4], 'int64')])],
  ];
  it.each(none)('are not: %s', (_, proto) => {
    expect(listLayers(graphOf(proto))).toEqual([]);
  });

  it('inside subgraphs come in execution order', () => {
    const branch = graph({
      name: 'b',
      outputs: [valueInfo('r', undefined)],
      initializers: [zeros('inner.weight', [4, 4])],
      nodes: [node('MatMul', ['h', 'inner.weight'], ['r'])],
    });
    const nodes = [
      matMul('first.weight', 'a', 'h'),
      node('If', ['c'], ['z'], { then_branch: branch }),
      matMul('last.weight', 'b', 'y', 'z'),
    ];
    const proto = model({
      inputs: [valueInfo('x', ['N', 4]), valueInfo('c', [], 'bool')],
      outputs: [valueInfo('y', undefined)],
      initializers: [zeros('first.weight', [4, 4]), zeros('last.weight', [4, 4])],
      nodes,
    });
    expect(listLayers(graphOf(proto)).map((layer) => [layer.index, layer.name])).toEqual([
      [0, 'first'],
      [1, 'inner'],
      [2, 'last'],
    ]);
  });

  it('of whole networks', () => {
    expect(listLayers(graphOf(convNet())).map((layer) => layer.name)).toEqual(['conv1', 'conv2', 'fc']);
    expect(listLayers(graphOf(matmulNet())).map((layer) => layer.name)).toEqual(['up', 'down']);
  });
});

it('constants are counted once, with their bytes', () => {
  const nodes = [
    node('Constant', [], ['c'], { value: zeros('', [2], 'int64') }),
    matMul('w', 'n', 'h'),
    matMul('w', 'm', 'y', 'h'),
  ];
  expect(countConstants(graphOf(net(nodes, [zeros('w', [4, 4])])))).toEqual({ elements: 18, bytes: 80 });
});
