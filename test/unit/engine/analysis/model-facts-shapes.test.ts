import { describe, expect, it } from 'vitest';
import { broadcast } from '../../../../server/src/engine/analysis/shape-rules';
import { batchOfOne, staticShapes, wholeShape } from '../../../../server/src/engine/analysis/static-shapes';
import type { ModelProto, NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import {
  convNet,
  float,
  floats,
  graph,
  matmulNet,
  model,
  node,
  normalValues,
  tensor,
  valueInfo,
} from '../../../fixtures/build';
import { graphOf, noiseFeeds, runGraph } from '../../../fixtures/run-graph';

const product = (shape: readonly number[]) => shape.reduce((all, one) => all * one, 1);
const noise = (name: string, shape: readonly number[]) =>
  tensor(name, shape, normalValues(product(shape), 1));
const ints = (name: string, values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor(name, shape, values, 'int64');
const scales = (name: string, values: readonly number[]) => tensor(name, [values.length], values);

interface ShapeCase {
  readonly what: string;
  readonly input: readonly (number | string)[];
  readonly nodes: readonly NodeProto[];
  readonly initializers?: readonly TensorProto[];
  readonly opset?: number;
}

const one = (
  op: string,
  inputs: readonly string[],
  attributes: Parameters<typeof node>[3] = {},
  outputs: readonly string[] = ['y'],
) => node(op, inputs, outputs, attributes);
const image = ['N', 4, 9, 7] as const;
const conv = (attributes: Parameters<typeof node>[3]) => [one('Conv', ['x', 'w'], attributes)];
const kernel = [noise('w', [6, 4, 3, 3])];
const pool = (op: string, attributes: Parameters<typeof node>[3]): ShapeCase => ({
  what: `${op} ${JSON.stringify(attributes)}`,
  input: image,
  nodes: [one(op, ['x'], attributes)],
});

/** Every value of these graphs is computed by onnxruntime with a batch of 3; static shapes must be the same. */
const cases: readonly ShapeCase[] = [
  { what: 'Conv', input: image, nodes: conv({}), initializers: kernel },
  {
    what: 'Conv with pads, strides and dilations',
    input: image,
    nodes: conv({ pads: [1, 2, 0, 1], strides: [2, 1], dilations: [2, 1] }),
    initializers: kernel,
  },
  {
    what: 'Conv SAME_UPPER',
    input: image,
    nodes: conv({ auto_pad: 'SAME_UPPER', strides: [2, 3] }),
    initializers: kernel,
  },
  {
    what: 'Conv VALID',
    input: image,
    nodes: conv({ auto_pad: 'VALID', strides: [2, 2] }),
    initializers: kernel,
  },
  {
    what: 'Conv in groups',
    input: image,
    nodes: conv({ group: 4 }),
    initializers: [noise('w', [8, 1, 3, 3])],
  },
  {
    what: 'ConvTranspose',
    input: image,
    nodes: [
      one('ConvTranspose', ['x', 'w'], {
        strides: [2, 3],
        pads: [1, 0, 0, 1],
        output_padding: [1, 2],
        group: 2,
      }),
    ],
    initializers: [noise('w', [4, 5, 3, 3])],
  },
  {
    what: 'ConvTranspose with output_shape',
    input: image,
    nodes: [one('ConvTranspose', ['x', 'w'], { strides: [2, 2], output_shape: [18, 14] })],
    initializers: [noise('w', [4, 5, 3, 3])],
  },
  pool('MaxPool', { kernel_shape: [3, 3], strides: [2, 2] }),
  pool('MaxPool', { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  pool('MaxPool', { kernel_shape: [2, 2], strides: [2, 2], pads: [0, 0, 1, 1], ceil_mode: 1 }),
  pool('AveragePool', { kernel_shape: [3, 2], pads: [1, 1, 1, 0], strides: [1, 2] }),
  pool('AveragePool', { kernel_shape: [3, 3], auto_pad: 'SAME_LOWER', strides: [2, 2] }),
  pool('LpPool', { kernel_shape: [2, 2] }),
  pool('GlobalAveragePool', {}),
  pool('GlobalMaxPool', {}),
  {
    what: 'Gemm',
    input: ['N', 5],
    nodes: [one('Gemm', ['x', 'w'], { transB: 1 })],
    initializers: [noise('w', [6, 5])],
  },
  {
    what: 'Gemm transposed',
    input: [5, 4],
    nodes: [one('Gemm', ['x', 'w'], { transA: 1 })],
    initializers: [noise('w', [5, 6])],
  },
  {
    what: 'MatMul batched',
    input: ['N', 1, 5, 4],
    nodes: [one('MatMul', ['x', 'w'])],
    initializers: [noise('w', [7, 4, 6])],
  },
  {
    what: 'MatMul by a vector',
    input: ['N', 5, 4],
    nodes: [one('MatMul', ['x', 'w'])],
    initializers: [noise('w', [4])],
  },
  {
    what: 'MatMul of a vector',
    input: [4],
    nodes: [one('MatMul', ['x', 'w'])],
    initializers: [noise('w', [2, 4, 6])],
  },
  {
    what: 'Einsum',
    input: ['N', 3, 4],
    nodes: [one('Einsum', ['x', 'w'], { equation: 'bij, jk -> bik' })],
    initializers: [noise('w', [4, 5])],
  },
  {
    what: 'Einsum without an arrow',
    input: ['N', 3, 4],
    nodes: [one('Einsum', ['x', 'w'], { equation: 'bij,jk' })],
    initializers: [noise('w', [4, 5])],
  },
  {
    what: 'broadcasting',
    input: ['N', 1, 4],
    nodes: [one('Add', ['x', 'w'])],
    initializers: [noise('w', [5, 1])],
  },
  {
    what: 'Where',
    input: ['N', 4],
    nodes: [one('Greater', ['x', 'w'], {}, ['c']), one('Where', ['c', 'x', 'v'])],
    initializers: [noise('w', [1]), noise('v', [2, 1, 4])],
  },
  {
    what: 'Max of three',
    input: ['N', 4],
    nodes: [one('Max', ['x', 'w', 'v'])],
    initializers: [noise('w', [1]), noise('v', [2, 1, 4])],
  },
  {
    what: 'Reshape with 0 and −1',
    input: image,
    nodes: [one('Reshape', ['x', 's'])],
    initializers: [ints('s', [0, -1, 7])],
  },
  {
    what: 'Reshape with allowzero',
    input: ['N', 4],
    nodes: [one('Reshape', ['x', 's'], { allowzero: 1 })],
    initializers: [ints('s', [-1, 2])],
  },
  {
    what: 'Reshape by the batch of another value',
    input: image,
    nodes: [
      one('Shape', ['x'], {}, ['s']),
      one('Gather', ['s', 'zero'], { axis: 0 }, ['n']),
      one('Unsqueeze', ['n', 'axes'], {}, ['n1']),
      one('Concat', ['n1', 'rest'], { axis: 0 }, ['to']),
      one('Reshape', ['x', 'to']),
    ],
    initializers: [ints('zero', [0], []), ints('axes', [0]), ints('rest', [2, -1])],
  },
  { what: 'Flatten', input: image, nodes: [one('Flatten', ['x'], { axis: 2 })] },
  { what: 'Flatten from the end', input: image, nodes: [one('Flatten', ['x'], { axis: -1 })] },
  { what: 'Transpose', input: image, nodes: [one('Transpose', ['x'], { perm: [0, 2, 3, 1] })] },
  { what: 'Transpose reversed', input: image, nodes: [one('Transpose', ['x'])] },
  { what: 'Squeeze', input: [1, 4, 1], nodes: [one('Squeeze', ['x', 'a'])], initializers: [ints('a', [-1])] },
  { what: 'Squeeze all', input: [1, 4, 1], nodes: [one('Squeeze', ['x'])] },
  {
    what: 'Squeeze by attribute',
    input: [1, 4, 1],
    nodes: [one('Squeeze', ['x'], { axes: [0] })],
    opset: 11,
  },
  {
    what: 'Unsqueeze',
    input: image,
    nodes: [one('Unsqueeze', ['x', 'a'])],
    initializers: [ints('a', [0, -1])],
  },
  {
    what: 'Concat',
    input: image,
    nodes: [one('Concat', ['x', 'x', 'w'], { axis: -3 })],
    initializers: [noise('w', [3, 2, 9, 7])],
  },
  { what: 'Split equally', input: image, nodes: [one('Split', ['x'], { axis: 1 }, ['y', 'z'])] },
  {
    what: 'Split in parts',
    input: image,
    nodes: [one('Split', ['x', 'p'], { axis: -1 }, ['y', 'z'])],
    initializers: [ints('p', [5, 2])],
  },
  {
    what: 'Split unequally',
    input: image,
    nodes: [one('Split', ['x'], { axis: 3, num_outputs: 2 }, ['y', 'z'])],
    opset: 18,
  },
  {
    what: 'Slice',
    input: image,
    nodes: [one('Slice', ['x', 's', 'e', 'a', 't'])],
    initializers: [ints('s', [1, -1]), ints('e', [9000, -9000]), ints('a', [1, -1]), ints('t', [2, -3])],
  },
  {
    what: 'Slice by attributes',
    input: image,
    nodes: [one('Slice', ['x'], { starts: [1, 0], ends: [3, -2], axes: [1, 2] })],
    opset: 9,
  },
  {
    what: 'Gather',
    input: image,
    nodes: [one('Gather', ['x', 'i'], { axis: 1 })],
    initializers: [ints('i', [0, 3, 1, 2, 0, 0], [2, 3])],
  },
  {
    what: 'Gather of one',
    input: image,
    nodes: [one('Gather', ['x', 'i'], { axis: -1 })],
    initializers: [ints('i', [0], [])],
  },
  {
    what: 'GatherElements',
    input: [3, 4],
    nodes: [one('GatherElements', ['x', 'i'], { axis: 1 })],
    initializers: [ints('i', [0, 1, 2], [3, 1])],
  },
  {
    what: 'GatherND',
    input: [3, 4, 5],
    nodes: [one('GatherND', ['x', 'i'])],
    initializers: [ints('i', [0, 1, 2, 3], [2, 2])],
  },
  {
    what: 'Expand',
    input: ['N', 1, 4],
    nodes: [one('Expand', ['x', 's'])],
    initializers: [ints('s', [2, 1, 5, 1])],
  },
  { what: 'Tile', input: ['N', 2], nodes: [one('Tile', ['x', 'r'])], initializers: [ints('r', [1, 3])] },
  {
    what: 'Pad',
    input: image,
    nodes: [one('Pad', ['x', 'p'])],
    initializers: [ints('p', [0, 1, 2, 0, 0, 1, 0, -3])],
  },
  {
    what: 'Pad some axes',
    input: image,
    nodes: [one('Pad', ['x', 'p', '', 'a'])],
    initializers: [ints('p', [1, 2, 3, 4]), ints('a', [-1, 1])],
    opset: 18,
  },
  {
    what: 'Resize by scales',
    input: image,
    nodes: [one('Resize', ['x', '', 's'])],
    initializers: [scales('s', [1, 1, 1.5, 0.5])],
  },
  {
    what: 'Resize to sizes',
    input: ['N', 4, 9, 7],
    nodes: [
      one('Shape', ['x'], { end: 2 }, ['n']),
      one('Concat', ['n', 't'], { axis: 0 }, ['s']),
      one('Resize', ['x', '', '', 's']),
    ],
    initializers: [ints('t', [20, 5])],
  },
  {
    what: 'Resize of opset 10',
    input: image,
    nodes: [one('Resize', ['x', 's'])],
    initializers: [scales('s', [1, 1, 2, 2])],
    opset: 10,
  },
  {
    what: 'Resize some axes',
    input: image,
    nodes: [one('Resize', ['x', '', '', 's'], { axes: [3, 2] })],
    initializers: [ints('s', [14, 3])],
    opset: 18,
  },
  {
    what: 'Upsample',
    input: image,
    nodes: [one('Upsample', ['x', 's'])],
    initializers: [scales('s', [1, 1, 2, 3])],
    opset: 9,
  },
  {
    what: 'Upsample by attribute',
    input: image,
    nodes: [one('Upsample', ['x'], { scales: floats([1, 1, 2, 2]) })],
    opset: 7,
  },
  { what: 'DepthToSpace', input: image, nodes: [one('DepthToSpace', ['x'], { blocksize: 2 })] },
  { what: 'SpaceToDepth', input: ['N', 2, 4, 6], nodes: [one('SpaceToDepth', ['x'], { blocksize: 2 })] },
  {
    what: 'ConstantOfShape',
    input: ['N', 4],
    nodes: [
      one('Shape', ['x'], {}, ['s']),
      one('ConstantOfShape', ['s'], { value: tensor('', [1], [2]) }, ['c']),
      one('Add', ['x', 'c']),
    ],
  },
  {
    what: 'OneHot',
    input: ['N', 4],
    nodes: [one('ArgMax', ['x'], { axis: 1, keepdims: 0 }, ['i']), one('OneHot', ['i', 'd', 'v'])],
    initializers: [ints('d', [4], []), scales('v', [0, 1])],
  },
  {
    what: 'TopK',
    input: ['N', 9],
    nodes: [one('TopK', ['x', 'k'], { axis: -1 }, ['y', 'i'])],
    initializers: [ints('k', [3])],
  },
  { what: 'ArgMax', input: image, nodes: [one('ArgMax', ['x'], { axis: 1 })] },
  {
    what: 'ReduceMean by attribute',
    input: image,
    nodes: [one('ReduceMean', ['x'], { axes: [2, -1], keepdims: 0 })],
  },
  {
    what: 'ReduceMean by input',
    input: image,
    nodes: [one('ReduceMean', ['x', 'a'])],
    initializers: [ints('a', [-1])],
    opset: 18,
  },
  { what: 'ReduceSum of all', input: image, nodes: [one('ReduceSum', ['x'], { keepdims: 0 })] },
  {
    what: 'ReduceSum of nothing',
    input: image,
    nodes: [one('ReduceSum', ['x'], { noop_with_empty_axes: 1 })],
  },
  {
    what: 'LSTM',
    input: [5, 'N', 3],
    nodes: [one('LSTM', ['x', 'w', 'r'], { hidden_size: 4, direction: 'bidirectional' }, ['y', 'h', 'c'])],
    initializers: [noise('w', [2, 16, 3]), noise('r', [2, 16, 4])],
  },
  {
    what: 'GRU',
    input: [5, 'N', 3],
    nodes: [one('GRU', ['x', 'w', 'r'], { hidden_size: 4 }, ['y', 'h'])],
    initializers: [noise('w', [1, 12, 3]), noise('r', [1, 12, 4])],
  },
  {
    what: 'LayerNormalization',
    input: ['N', 4],
    nodes: [one('LayerNormalization', ['x', 'w'])],
    initializers: [noise('w', [4])],
  },
  { what: 'Softmax', input: image, nodes: [one('Softmax', ['x'])] },
  { what: 'Clip', input: image, nodes: [one('Clip', ['x'], { min: float(0), max: float(6) })], opset: 9 },
  {
    what: 'Cast and Identity',
    input: image,
    nodes: [one('Cast', ['x'], { to: 11 }, ['c']), one('Identity', ['c'])],
  },
  {
    what: 'DynamicQuantizeLinear and MatMulInteger',
    input: ['N', 4],
    nodes: [one('DynamicQuantizeLinear', ['x'], {}, ['q', 's', 'z']), one('MatMulInteger', ['q', 'w', 'z'])],
    initializers: [tensor('w', [4, 5], new Array(20).fill(1), 'int8')],
  },
  {
    what: 'QuantizeLinear and DequantizeLinear',
    input: image,
    nodes: [one('QuantizeLinear', ['x', 's', 'z'], {}, ['q']), one('DequantizeLinear', ['q', 's', 'z'])],
    initializers: [tensor('s', [], [0.1]), tensor('z', [], [0], 'int8')],
  },
  {
    what: 'If with equal branches',
    input: ['N', 4],
    nodes: [
      node('If', ['c'], ['y'], {
        then_branch: graph({
          name: 't',
          outputs: [valueInfo('a', undefined)],
          nodes: [one('Concat', ['x', 'x'], { axis: 1 }, ['a'])],
        }),
        else_branch: graph({
          name: 'e',
          outputs: [valueInfo('b', undefined)],
          nodes: [one('Concat', ['x', 'w'], { axis: 1 }, ['b'])],
        }),
      }),
    ],
    initializers: [tensor('c', [], [1], 'bool'), noise('w', [3, 4])],
  },
];

function protoOf({ input, nodes, initializers = [], opset = 17 }: ShapeCase): ModelProto {
  const made = nodes.flatMap((each) => each.outputs).filter((name) => name !== '');
  return model(
    {
      inputs: [valueInfo('x', input)],
      outputs: made.map((name) => valueInfo(name, undefined)),
      nodes,
      initializers,
    },
    { opset },
  );
}

/** Types of intermediate outputs are needed to load the model: onnxruntime infers them when elementType is 0. */
function untyped(proto: ModelProto): ModelProto {
  const outputs = proto.graph?.outputs.map(({ name }) => ({ name }));
  return { ...proto, graph: proto.graph && { ...proto.graph, outputs: outputs ?? [] } };
}

const BATCH = 3;

async function checkShapes(proto: ModelProto) {
  const value = graphOf(untyped(proto));
  const shapes = staticShapes(value, (name) => (name === 'N' ? BATCH : undefined));
  const results = await runGraph(untyped(proto), noiseFeeds(value, BATCH));
  const found = Object.keys(results).map((name) => [name, shapes.shape(value.graph.values.get(name))]);
  expect(Object.fromEntries(found)).toEqual(
    Object.fromEntries(Object.entries(results).map(([name, { shape }]) => [name, shape])),
  );
}

describe('static shapes', () => {
  it.each(cases)('agree with onnxruntime: $what', async (one) => {
    await checkShapes(protoOf(one));
  });

  it.each([
    ['a convolutional network', convNet()],
    ['a network of products', matmulNet()],
  ])('agree on %s', async (_, proto) => {
    const outputs =
      proto.graph?.nodes.flatMap((each) => each.outputs.map((name) => valueInfo(name, undefined))) ?? [];
    await checkShapes({ ...proto, graph: proto.graph && { ...proto.graph, outputs } });
  });
});

describe('what is not known', () => {
  const shapesOf = (
    proto: ModelProto,
    bind: (name: string | undefined) => number | undefined = () => undefined,
  ) => {
    const value = graphOf(proto);
    const shapes = staticShapes(value, bind);
    return (name: string) => shapes.shape(value.graph.values.get(name));
  };

  it('stays unknown, dimension by dimension', () => {
    const shape = shapesOf(
      protoOf({ what: '', input: ['N', 4, 'H', 7], nodes: conv({}), initializers: kernel }),
    );
    expect(shape('y')).toEqual(['N', 6, undefined, 5]);
  });

  it('is taken from the file where it says more', () => {
    const base = model({
      inputs: [valueInfo('x', ['N', 4])],
      outputs: [valueInfo('y', undefined)],
      valueInfo: [valueInfo('a', ['N', 12])],
      nodes: [node('Custom', ['x'], ['a'], {}, { domain: 'nobody' }), node('Relu', ['a'], ['y'])],
    });
    expect(shapesOf(base)('y')).toEqual(['N', 12]);
    expect(shapesOf(base, () => 2)('y')).toEqual([2, 12]);
  });

  it('does not hide what the walk knows better', () => {
    const base = {
      ...protoOf({
        what: '',
        input: ['N', 5],
        nodes: [one('Gemm', ['x', 'w'])],
        initializers: [noise('w', [5, 6])],
      }),
    };
    const stale = { ...base, graph: base.graph && { ...base.graph, outputs: [valueInfo('y', ['M', 'K'])] } };
    expect(shapesOf(stale)('y')).toEqual(['M', 6]);
  });

  it('makes a whole shape unknown', () => {
    expect(wholeShape([1, undefined])).toBeUndefined();
    expect(wholeShape(undefined)).toBeUndefined();
    expect(wholeShape([])).toEqual([]);
  });

  it('broadcasts only as far as it must', () => {
    expect(broadcast([['N', 1], [3]])).toEqual(['N', 3]);
    expect(broadcast([['N'], [3]])).toEqual([3]);
    expect(broadcast([['N'], ['N', 1]])).toEqual(['N', 'N']);
    expect(broadcast([['N'], ['M']])).toEqual([undefined]);
    expect(broadcast([['N'], undefined])).toBeUndefined();
  });
});

describe('batchOfOne', () => {
  const bindings = (inputs: Parameters<typeof valueInfo>[1][], dimensions = {}) => {
    const value = graphOf(
      model({
        inputs: inputs.map((shape, index) => valueInfo(`x${index}`, shape)),
        outputs: [valueInfo('x0', undefined)],
        nodes: [],
      }),
    );
    const shapes = staticShapes(value, batchOfOne(value, dimensions));
    return value.graph.inputs.map((input) => shapes.shape(input));
  };
  it('binds the first dimension, its name everywhere, and what was given', () => {
    expect(
      bindings([
        ['N', 'seq'],
        [2, 'N', 8],
      ]),
    ).toEqual([
      [1, 'seq'],
      [2, 1, 8],
    ]);
    expect(bindings([['N', 'seq']], { seq: 7 })).toEqual([[1, 7]]);
    expect(bindings([['N', 'seq']], { N: 4, seq: 7 })).toEqual([[4, 7]]);
    expect(bindings([[undefined, undefined]])).toEqual([[1, undefined]]);
    expect(bindings([[5, 3]])).toEqual([[5, 3]]);
    expect(bindings([[-1, 3, 0]])).toEqual([[1, 3, undefined]]);
  });
});
