/** Constants that are layers beside convolutions and plain products; onnxruntime says what computed weights hold. */
import { describe, expect, it } from 'vitest';
import { realWeight } from '../../../../server/src/engine/analysis/real-weight';
import type { NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { type Layer, listLayers } from '../../../../server/src/engine/graph/layers';
import { graph, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf, runGraph } from '../../../fixtures/run-graph';

const size = (shape: readonly number[]) => shape.reduce((product, one) => product * one, 1);
const weight = (name: string, shape: readonly number[], type: 'float' | 'float16' | 'double' = 'float') =>
  tensor(name, shape, normalValues(size(shape), 3), type);
const codes = (name: string, shape: readonly number[], type: 'int8' | 'uint8') =>
  tensor(name, shape, new Array(size(shape)).fill(1), type);
const ints = (name: string, values: readonly number[]) => tensor(name, [values.length], values, 'int64');
const microsoft = { domain: 'com.microsoft' } as const;

interface Net {
  readonly nodes: readonly NodeProto[];
  readonly constants: readonly TensorProto[];
  readonly inputs?: readonly string[];
}

function layersOf({ nodes, constants, inputs = ['x'] }: Net): readonly Layer[] {
  const outputs = nodes.at(-1)?.outputs ?? [];
  return listLayers(
    graphOf(
      model({
        inputs: inputs.map((name) => valueInfo(name, undefined)),
        outputs: outputs.map((name) => valueInfo(name, undefined)),
        initializers: constants,
        nodes,
      }),
    ),
  );
}

type Facts = Pick<
  Layer,
  'name' | 'shape' | 'statedShape' | 'channelAxis' | 'weightInput' | 'quantized' | 'lookup'
>;

const cases: readonly (readonly [string, Net, readonly Partial<Facts>[]])[] = [
  [
    'an embedding: rows',
    { nodes: [node('Gather', ['e', 'x'], ['y'])], constants: [weight('e', [10, 4])] },
    [{ name: 'e', shape: [10, 4], channelAxis: 0, weightInput: 0, quantized: false, lookup: true }],
  ],
  [
    'a table gathered along its last axis',
    { nodes: [node('Gather', ['e', 'x'], ['y'], { axis: -1 })], constants: [weight('e', [10, 4])] },
    [{ channelAxis: 1 }],
  ],
  [
    'an embedding in codes that are dequantized behind the lookup',
    {
      nodes: [node('Gather', ['e', 'x'], ['c']), node('DequantizeLinear', ['c', 's'], ['y'])],
      constants: [codes('e', [10, 4], 'uint8'), weight('s', [])],
    },
    [{ quantized: true, lookup: true }],
  ],
  [
    'GatherBlockQuantized, two codes in a byte',
    {
      nodes: [node('GatherBlockQuantized', ['e', 'x', 's'], ['y'], { bits: 4, block_size: 16 }, microsoft)],
      constants: [codes('e', [10, 16], 'uint8'), weight('s', [10, 2])],
    },
    [{ quantized: true, shape: [10, 32], channelAxis: 0 }],
  ],
  [
    'LSTM: W and R, gate rows',
    {
      nodes: [node('LSTM', ['x', 'W', 'R', 'B'], ['y'], { hidden_size: 3 })],
      constants: [weight('W', [1, 12, 5]), weight('R', [1, 12, 3]), weight('B', [1, 24])],
    },
    [
      { name: 'W', shape: [1, 12, 5], channelAxis: 1, weightInput: 1 },
      { name: 'R', shape: [1, 12, 3], channelAxis: 1, weightInput: 2 },
    ],
  ],
  [
    'a bidirectional GRU: gate rows of each direction',
    {
      nodes: [node('GRU', ['x', 'W', 'R'], ['y'], { hidden_size: 3, direction: 'bidirectional' })],
      constants: [weight('W', [2, 9, 5]), weight('R', [2, 9, 3])],
    },
    [
      { name: 'W', shape: [18, 5], statedShape: [2, 9, 5], channelAxis: 0 },
      { name: 'R', shape: [18, 3], statedShape: [2, 9, 3], channelAxis: 0 },
    ],
  ],
  [
    'RNN without names',
    {
      nodes: [node('RNN', ['x', '1', '2'], ['y'], { hidden_size: 3 }, { name: '/rnn/RNN' })],
      constants: [weight('1', [1, 3, 5]), weight('2', [1, 3, 3])],
    },
    [{ name: 'rnn' }, { name: 'rnn#2' }],
  ],
  [
    'DynamicQuantizeLSTM, transposed',
    {
      nodes: [node('DynamicQuantizeLSTM', ['x', 'W', 'R'], ['y'], { hidden_size: 3 }, microsoft)],
      constants: [codes('W', [1, 5, 12], 'int8'), codes('R', [1, 3, 12], 'int8')],
    },
    [
      { quantized: true, channelAxis: 2 },
      { quantized: true, channelAxis: 2 },
    ],
  ],
  [
    'Attention: the merged projection',
    {
      nodes: [node('Attention', ['x', 'w', 'b'], ['y'], { num_heads: 2 }, microsoft)],
      constants: [weight('w', [4, 12]), weight('b', [12])],
    },
    [{ shape: [4, 12], channelAxis: 1 }],
  ],
  [
    'QAttention',
    {
      nodes: [node('QAttention', ['x', 'w', 'b', 's', 's'], ['y'], { num_heads: 2 }, microsoft)],
      constants: [codes('w', [4, 12], 'int8'), weight('b', [12]), weight('s', [])],
    },
    [{ quantized: true, channelAxis: 1 }],
  ],
  [
    'MultiHeadAttention has a bias only',
    {
      nodes: [node('MultiHeadAttention', ['x', 'x', 'x', 'b'], ['y'], { num_heads: 2 }, microsoft)],
      constants: [weight('b', [12])],
    },
    [],
  ],
  [
    'EmbedLayerNormalization: three tables, γ and β are vectors',
    {
      nodes: [
        node('EmbedLayerNormalization', ['x', 't', 'w', 'p', 's', 'g', 'b'], ['y', 'm'], {}, microsoft),
      ],
      constants: [
        weight('w', [9, 4]),
        weight('p', [8, 4]),
        weight('s', [2, 4]),
        weight('g', [4]),
        weight('b', [4]),
      ],
      inputs: ['x', 't'],
    },
    [
      { name: 'w', channelAxis: 0, lookup: true },
      { name: 'p', channelAxis: 0 },
      { name: 's', channelAxis: 0 },
    ],
  ],
  [
    'MoE: outputs of each expert',
    {
      nodes: [node('MoE', ['x', 'r', 'a', '', 'b'], ['y'], {}, microsoft)],
      constants: [weight('a', [3, 8, 4]), weight('b', [3, 4, 8])],
      inputs: ['x', 'r'],
    },
    [
      { name: 'a', shape: [24, 4], statedShape: [3, 8, 4], channelAxis: 0 },
      { name: 'b', shape: [12, 8], statedShape: [3, 4, 8], channelAxis: 0 },
    ],
  ],
  [
    'MatMul with the constant on the left: its rows',
    { nodes: [node('MatMul', ['w', 'x'], ['y'])], constants: [weight('w', [6, 4])] },
    [{ name: 'w', channelAxis: 0, weightInput: 0 }],
  ],
  [
    'Gemm with a transposed constant on the left',
    { nodes: [node('Gemm', ['w', 'x'], ['y'], { transA: 1 })], constants: [weight('w', [4, 6])] },
    [{ channelAxis: 1, weightInput: 0 }],
  ],
  [
    'FusedMatMul, right and transposed',
    {
      nodes: [node('FusedMatMul', ['x', 'w'], ['y'], { transB: 1 }, microsoft)],
      constants: [weight('w', [6, 4])],
    },
    [{ channelAxis: 0, weightInput: 1 }],
  ],
  [
    'Einsum: labels that only the weight gives',
    {
      nodes: [node('Einsum', ['x', 'w'], ['y'], { equation: 'btd,dhk->bthk' })],
      constants: [weight('w', [4, 2, 3])],
    },
    [{ shape: [4, 6], statedShape: [4, 2, 3], channelAxis: 1, weightInput: 1 }],
  ],
  [
    'Einsum with the weight on the left',
    {
      nodes: [node('Einsum', ['w', 'x'], ['y'], { equation: 'oi,bi->bo' })],
      constants: [weight('w', [6, 4])],
    },
    [{ channelAxis: 0, weightInput: 0 }],
  ],
  [
    'Einsum in batches: the label it shares is no channel',
    {
      nodes: [node('Einsum', ['x', 'w'], ['y'], { equation: 'hbi, hio -> hbo' })],
      constants: [weight('w', [2, 4, 3])],
    },
    [{ shape: [2, 4, 3], channelAxis: 2 }],
  ],
  [
    'ConvInteger and MatMulInteger',
    {
      nodes: [node('MatMulInteger', ['x', 'w'], ['y'])],
      constants: [codes('w', [4, 6], 'int8')],
    },
    [{ quantized: true, channelAxis: 1 }],
  ],
  [
    'codes behind a Cast',
    {
      nodes: [node('Cast', ['w'], ['c'], { to: 1 }), node('MatMul', ['x', 'c'], ['y'])],
      constants: [codes('w', [4, 6], 'int8')],
    },
    [{ quantized: true }],
  ],
  [
    'a float weight that the graph quantizes',
    {
      nodes: [
        node('QuantizeLinear', ['w', 's'], ['q']),
        node('DequantizeLinear', ['q', 's'], ['d']),
        node('MatMul', ['x', 'd'], ['y']),
      ],
      constants: [weight('w', [4, 6]), tensor('s', [], [0.1])],
    },
    [{ name: 'w', quantized: true, channelAxis: 1 }],
  ],
  [
    'double precision',
    { nodes: [node('MatMul', ['x', 'w'], ['y'])], constants: [weight('w', [4, 6], 'double')] },
    [{ quantized: false }],
  ],
  [
    'one weight in two operators: both are layers',
    {
      nodes: [
        node('Gather', ['e', 'x'], ['h']),
        node('Transpose', ['e'], ['t'], { perm: [1, 0] }),
        node('MatMul', ['h', 't'], ['y']),
      ],
      constants: [weight('e', [10, 4])],
    },
    [
      { name: 'e', channelAxis: 0 },
      { name: 'e#2', shape: [10, 4], channelAxis: 0 },
    ],
  ],
  [
    'positions looked up at constant indices are a constant',
    {
      nodes: [node('Gather', ['e', 'i'], ['p']), node('Add', ['x', 'p'], ['y'])],
      constants: [weight('e', [10, 4]), ints('i', [0, 1])],
    },
    [],
  ],
  [
    'integers that are looked up',
    {
      nodes: [node('Gather', ['e', 'x'], ['y'])],
      constants: [tensor('e', [2, 2], [1, 2, 3, 4], 'int64')],
    },
    [],
  ],
];

describe('weights', () => {
  it.each(cases)('of %s', (_, net, expected) => {
    const layers = layersOf(net);
    expect(layers).toHaveLength(expected.length);
    expected.forEach((facts, index) => {
      expect(layers[index]).toMatchObject(facts);
    });
  });
});

/** How a MatMul's right operand `t` of shape [4, 6] comes about, and the name of its layer. */
const computed: readonly (readonly [string, readonly NodeProto[], readonly TensorProto[], string])[] = [
  ['Reshape', [node('Reshape', ['w', 's'], ['t'])], [weight('w', [2, 2, 6]), ints('s', [4, -1])], 'w'],
  [
    'Reshape to computed sizes',
    [node('Shape', ['k'], ['h']), node('Reshape', ['w', 'h'], ['t'])],
    [weight('w', [24]), weight('k', [4, 6])],
    'w',
  ],
  ['Squeeze', [node('Squeeze', ['w', 'a'], ['t'])], [weight('w', [1, 4, 6]), ints('a', [0])], 'w'],
  ['Flatten', [node('Flatten', ['w'], ['t'])], [weight('w', [4, 2, 3])], 'w'],
  [
    'Unsqueeze and Squeeze around a Transpose',
    [
      node('Unsqueeze', ['w', 'a'], ['u']),
      node('Transpose', ['u'], ['p'], { perm: [2, 1, 0] }),
      node('Squeeze', ['p', 'a1'], ['t']),
    ],
    [weight('w', [6, 4]), ints('a', [1]), ints('a1', [1])],
    'w',
  ],
  [
    'Slice and Concat: rows in another order',
    [
      node('Slice', ['w', 'i2', 'i4'], ['b']),
      node('Slice', ['w', 'i0', 'i2'], ['a']),
      node('Concat', ['b', 'a'], ['t'], { axis: 0 }),
    ],
    [weight('w', [4, 6]), ints('i0', [0]), ints('i2', [2]), ints('i4', [4])],
    'w',
  ],
  [
    'Concat of two weights, called like its node',
    [node('Concat', ['v', 'w'], ['t'], { axis: 1 })],
    [weight('v', [4, 2]), weight('w', [4, 4])],
    'fc',
  ],
  [
    'a negative step',
    [node('Slice', ['w', 's', 'e', 'a', 'd'], ['t'])],
    [weight('w', [4, 6]), ints('s', [-1]), ints('e', [-7]), ints('a', [1]), ints('d', [-1])],
    'w',
  ],
  [
    'Split',
    [node('Split', ['w', 'n'], ['o', 't'], { axis: 1 })],
    [weight('w', [4, 8]), ints('n', [2, 6])],
    'w',
  ],
  [
    'Gather of rows',
    [node('Gather', ['w', 'i'], ['t'])],
    [weight('w', [9, 6]), ints('i', [8, 0, -2, 3])],
    'w',
  ],
  ['Expand', [node('Expand', ['w', 's'], ['t'])], [weight('w', [4, 1]), ints('s', [4, 6])], 'w'],
  [
    'ConstantOfShape',
    [node('ConstantOfShape', ['s'], ['t'], { value: tensor('', [1], [0.25]) })],
    [ints('s', [4, 6])],
    'fc',
  ],
  [
    'a scale and an offset',
    [node('Mul', ['w', 'g'], ['m']), node('Sub', ['m', 'o'], ['d']), node('Div', ['d', 'n'], ['t'])],
    [weight('w', [4, 6]), weight('g', [6]), weight('o', [4, 1]), tensor('n', [], [3])],
    'w',
  ],
  [
    'Cast through half precision',
    [
      node('Reshape', ['w', 's'], ['r']),
      node('Cast', ['r'], ['h'], { to: 10 }),
      node('Cast', ['h'], ['t'], { to: 1 }),
    ],
    [weight('w', [24]), ints('s', [4, 6])],
    'w',
  ],
];

describe('computed weights', () => {
  it.each(computed)('%s', async (_, nodes, constants, name) => {
    const proto = model({
      inputs: [valueInfo('x', [4, 4])],
      outputs: [valueInfo('y', undefined)],
      initializers: constants,
      nodes: [...nodes, node('MatMul', ['x', 't'], ['y'], {}, { name: '/fc/MatMul' })],
    });
    const [layer] = listLayers(graphOf(proto));
    expect(layer).toMatchObject({ name, shape: [4, 6], channelAxis: 1, computed: true, params: 24 });
    // The identity as activation shows the weight.
    const identity = Float32Array.from({ length: 16 }, (_one, at) => (at % 5 === 0 ? 1 : 0));
    const { y } = await runGraph(proto, { x: { shape: [4, 4], data: identity } });
    expect(Array.from(layer?.tensor.toFloat32().value ?? [])).toEqual(y?.values);
  });

  it('from codes are stored quantized, and read as they are used', async () => {
    const proto = model({
      inputs: [valueInfo('x', [2, 2])],
      outputs: [valueInfo('y', undefined)],
      initializers: [tensor('w', [2, 3], [-128, 0, 127, 1, 2, 3], 'int8'), tensor('s', [3], [0.5, 0.25, 2])],
      nodes: [
        node('Cast', ['w'], ['c'], { to: 1 }),
        node('Mul', ['c', 's'], ['t']),
        node('MatMul', ['x', 't'], ['y']),
      ],
    });
    const [layer] = listLayers(graphOf(proto));
    expect(layer).toMatchObject({ name: 'w', quantized: true, computed: true, shape: [2, 3] });
    // Output channels first.
    expect(layer && Array.from(realWeight(layer).value ?? [])).toEqual([-64, 0.5, 0, 0.5, 254, 6]);
    const { y } = await runGraph(proto, { x: { shape: [2, 2], data: Float32Array.of(1, 0, 0, 1) } });
    expect(y?.values).toEqual([-64, 0, 254, 0.5, 0.5, 6]);
  });

  it('are read once, whatever reshapes them', () => {
    const nodes = [
      node('Transpose', ['w'], ['p'], { perm: [1, 0] }),
      node('Reshape', ['p', 's'], ['t']),
      node('MatMul', ['x', 't'], ['y']),
    ];
    const [layer] = layersOf({
      nodes,
      constants: [tensor('w', [3, 2], [1, 2, 3, 4, 5, 6]), ints('s', [3, 2])],
    });
    // Transposed [1 3 5 2 4 6], as [[1 3] [5 2] [4 6]], columns first.
    expect(layer && Array.from(realWeight(layer).value ?? [])).toEqual([1, 5, 4, 3, 2, 6]);
  });

  it('are none when an activation takes part', () => {
    const nodes = [node('Concat', ['v', 'x'], ['t'], { axis: 0 }), node('MatMul', ['x', 't'], ['y'])];
    expect(layersOf({ nodes, constants: [weight('v', [4, 6])] })).toEqual([]);
  });

  it('are none when their size is a lie', () => {
    const nodes = [
      node('ConstantOfShape', ['s'], ['t'], { value: tensor('', [1], [0.25]) }),
      node('MatMul', ['x', 't'], ['y']),
    ];
    expect(layersOf({ nodes, constants: [ints('s', [1 << 30, 1 << 20])] })).toEqual([]);
  });

  it('are found inside Loop and If', () => {
    const body = graph({
      name: 'b',
      inputs: [valueInfo('i', [], 'int64'), valueInfo('c', [], 'bool'), valueInfo('s', undefined)],
      outputs: [valueInfo('c2', [], 'bool'), valueInfo('s2', undefined)],
      initializers: [weight('inner.weight', [1, 4, 4]), ints('shape', [4, 4])],
      nodes: [
        node('Identity', ['c'], ['c2']),
        node('Reshape', ['inner.weight', 'shape'], ['t']),
        node('MatMul', ['s', 't'], ['s2']),
      ],
    });
    const layers = layersOf({
      nodes: [node('Loop', ['n', '', 'x'], ['y'], { body })],
      constants: [tensor('n', [], [3], 'int64')],
    });
    expect(layers.map(({ name, computed: made }) => [name, made])).toEqual([['inner', true]]);
  });
});
