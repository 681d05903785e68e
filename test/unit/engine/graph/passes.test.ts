import { describe, expect, it } from 'vitest';
import type { ModelProto, NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { batchNormStatistics } from '../../../../server/src/engine/graph/batch-norm';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { type Pass, passes, runPasses, structuralPasses } from '../../../../server/src/engine/graph/passes';
import { verify } from '../../../../server/src/engine/graph/verify';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import {
  convNet,
  float,
  graph,
  matmulNet,
  model,
  node,
  normalValues,
  tensor,
  valueInfo,
} from '../../../fixtures/build';
import { graphOf, noiseFeeds, runGraph, sqnr } from '../../../fixtures/run-graph';

/** float32 rounding of folded weights; measured 114 dB and more on networks of 50 layers. */
const FOLDED_SQNR = 105;

const size = (shape: readonly number[]) => shape.reduce((product, dimension) => product * dimension, 1);
const noise = (name: string, shape: readonly number[], seed: number) =>
  tensor(name, shape, normalValues(size(shape), seed));
const positive = (name: string, length: number, seed: number) =>
  tensor(
    name,
    [length],
    normalValues(length, seed).map((value) => 0.5 + Math.abs(value)),
  );
const ints = (name: string, values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor(name, shape, values, 'int64');

const normParameters = (prefix: string, channels: number, seed: number) => [
  noise(`${prefix}.weight`, [channels], seed),
  noise(`${prefix}.bias`, [channels], seed + 1),
  noise(`${prefix}.mean`, [channels], seed + 2),
  positive(`${prefix}.var`, channels, seed + 3),
];
const normNode = (prefix: string, input: string, output: string, attributes = {}) =>
  node(
    'BatchNormalization',
    [input, ...['weight', 'bias', 'mean', 'var'].map((part) => `${prefix}.${part}`)],
    [output],
    attributes,
  );

function net(
  inputShape: readonly (number | string)[],
  nodes: readonly NodeProto[],
  initializers: readonly TensorProto[],
  options: Parameters<typeof model>[1] = {},
): ModelProto {
  return model(
    { inputs: [valueInfo('x', inputShape)], outputs: [valueInfo('y', undefined)], nodes, initializers },
    options,
  );
}

const image = ['N', 4, 9, 9] as const;
const norm = normParameters('bn', 6, 50);

interface PassCase {
  readonly what: string;
  readonly proto: ModelProto;
  /** Passes that must change something, in order. */
  readonly modified: readonly string[];
  /** Operators left, in order. */
  readonly ops: readonly string[];
  /** Outputs must be equal, not only close. */
  readonly exact?: boolean;
}

const folded: readonly PassCase[] = [
  {
    what: 'a small classifier',
    proto: convNet(),
    modified: ['fold-batchnorm'],
    ops: ['Conv', 'Relu', 'Conv', 'Relu', 'GlobalAveragePool', 'Flatten', 'Gemm'],
  },
  {
    what: 'Conv with bias and another epsilon',
    proto: net(
      image,
      [node('Conv', ['x', 'w', 'b'], ['c']), normNode('bn', 'c', 'y', { epsilon: float(0.1) })],
      [noise('w', [6, 4, 3, 3], 1), noise('b', [6], 2), ...norm],
    ),
    modified: ['fold-batchnorm'],
    ops: ['Conv'],
  },
  {
    what: 'ConvTranspose in groups',
    proto: net(
      image,
      [node('ConvTranspose', ['x', 'w'], ['c'], { group: 2 }), normNode('bn', 'c', 'y')],
      [noise('w', [4, 3, 3, 3], 1), ...norm],
    ),
    modified: ['fold-batchnorm'],
    ops: ['ConvTranspose'],
  },
  {
    what: 'Gemm with alpha, beta and one bias for all',
    proto: net(
      ['N', 5],
      [node('Gemm', ['x', 'w', 'b'], ['c'], { alpha: float(0.5), beta: float(3) }), normNode('bn', 'c', 'y')],
      [noise('w', [5, 6], 1), noise('b', [1], 2), ...norm],
    ),
    modified: ['fold-batchnorm'],
    ops: ['Gemm'],
  },
  {
    what: 'Gemm with transB, a row of biases, without alpha',
    proto: net(
      ['N', 5],
      [node('Gemm', ['x', 'w', 'b'], ['c'], { transB: 1 }), normNode('bn', 'c', 'y')],
      [noise('w', [6, 5], 1), noise('b', [1, 6], 2), ...norm],
    ),
    modified: ['fold-batchnorm'],
    ops: ['Gemm'],
  },
  {
    what: 'a weight in a Constant node',
    proto: net(
      image,
      [
        node('Constant', [], ['w'], { value: noise('', [6, 4, 3, 3], 1) }),
        node('Conv', ['x', 'w'], ['c']),
        normNode('bn', 'c', 'y'),
      ],
      norm,
    ),
    modified: ['fold-batchnorm'],
    ops: ['Constant', 'Conv'],
  },
  {
    what: 'two layers that share weight, bias and statistics',
    proto: net(
      ['N', 6, 9, 9],
      [
        node('Conv', ['x', 'w', 'b'], ['c1']),
        normNode('bn', 'c1', 'n1'),
        node('Conv', ['n1', 'w', 'b'], ['c2']),
        normNode('bn', 'c2', 'y'),
      ],
      [noise('w', [6, 6, 3, 3], 1), noise('b', [6], 2), ...norm],
    ),
    modified: ['unshare-weights', 'fold-batchnorm'],
    ops: ['Conv', 'Conv'],
  },
  {
    what: 'a layer behind Identity, then Dropout in front of the normalisation',
    proto: net(
      image,
      [
        node('Identity', ['w0'], ['w']),
        node('Conv', ['x', 'w'], ['c']),
        node('Dropout', ['c'], ['d']),
        normNode('bn', 'd', 'n'),
        node('Identity', ['n'], ['i']),
        node('Relu', ['i'], ['y']),
      ],
      [noise('w0', [6, 4, 3, 3], 1), ...norm],
    ),
    modified: ['drop-identity', 'fold-batchnorm'],
    ops: ['Conv', 'Relu'],
  },
  {
    what: 'initializers listed as inputs (IR 3)',
    proto: model(
      {
        inputs: [
          valueInfo('x', image),
          valueInfo('w', [6, 4, 3, 3]),
          ...norm.map(({ name, dims }) => valueInfo(name, dims)),
        ],
        outputs: [valueInfo('y', undefined)],
        nodes: [node('Conv', ['x', 'w'], ['c']), normNode('bn', 'c', 'y')],
        initializers: [noise('w', [6, 4, 3, 3], 1), ...norm],
      },
      { irVersion: 3, opset: 9 },
    ),
    modified: ['drop-initializer-inputs', 'fold-batchnorm'],
    ops: ['Conv'],
  },
  {
    what: 'a transposed Linear weight of two layers',
    proto: net(
      ['N', 5],
      [
        node('Transpose', ['w'], ['t'], { perm: [1, 0] }),
        node('MatMul', ['x', 't'], ['h']),
        node('MatMul', ['x', 't'], ['g']),
        node('Add', ['h', 'g'], ['y']),
      ],
      [noise('w', [6, 5], 1)],
    ),
    modified: ['unshare-weights', 'transpose-weights'],
    ops: ['MatMul', 'MatMul', 'Add'],
    exact: true,
  },
  {
    what: 'a weight with three axes permuted',
    proto: net(
      [2, 3, 5],
      [node('Transpose', ['w'], ['t'], { perm: [2, 0, 1] }), node('MatMul', ['x', 't'], ['y'])],
      [noise('w', [5, 6, 2], 1)],
    ),
    modified: ['transpose-weights'],
    ops: ['MatMul'],
    exact: true,
  },
  {
    what: 'shape arithmetic in front of Pad',
    proto: net(
      ['N', 3, 4, 4],
      [
        node('Shape', ['p'], ['s']),
        node('Gather', ['s', 'zero'], ['n'], { axis: 0 }),
        node('Mul', ['four', 'two'], ['eight']),
        node('Sub', ['eight', 'n'], ['missing']),
        node('ConstantOfShape', ['missing'], ['zeros'], { value: ints('', [0]) }),
        node('Cast', ['p'], ['p64'], { to: 7 }),
        node('Concat', ['p64', 'zeros'], ['all'], { axis: 0 }),
        node('Reshape', ['all', 'pairs'], ['matrix']),
        node('Slice', ['matrix', 'from', 'to', 'zero', 'from'], ['reversed']),
        node('Transpose', ['reversed'], ['turned'], { perm: [1, 0] }),
        node('Reshape', ['turned', 'from'], ['pads']),
        node('Pad', ['x', 'pads'], ['y']),
      ],
      [
        ints('p', [0, 0, 0, 0, 1, 1]),
        ints('zero', [0]),
        ints('four', [4]),
        ints('two', [2]),
        ints('pairs', [-1, 2]),
        ints('from', [-1]),
        ints('to', [-1000]),
      ],
      { opset: 13 },
    ),
    modified: ['fold-constants'],
    ops: ['Pad'],
    exact: true,
  },
];

const untouched: readonly (readonly [string, ModelProto])[] = [
  ['a network without any of it', matmulNet()],
  [
    'a layer whose output is used twice',
    net(
      image,
      [node('Conv', ['x', 'w'], ['c']), normNode('bn', 'c', 'n'), node('Add', ['c', 'n'], ['y'])],
      [noise('w', [6, 4, 3, 3], 1), ...norm],
    ),
  ],
  [
    'a layer whose output is a graph output',
    model({
      inputs: [valueInfo('x', image)],
      outputs: [valueInfo('c', undefined), valueInfo('y', undefined)],
      nodes: [node('Conv', ['x', 'w'], ['c']), normNode('bn', 'c', 'y')],
      initializers: [noise('w', [6, 4, 3, 3], 1), ...norm],
    }),
  ],
  [
    'normalisation in front of the layer',
    net(
      ['N', 6, 9, 9],
      [normNode('bn', 'x', 'n'), node('Conv', ['n', 'w'], ['y'])],
      [noise('w', [2, 6, 3, 3], 1), ...norm],
    ),
  ],
  [
    'a bias per row',
    net(
      [6, 5],
      [node('Gemm', ['x', 'w', 'b'], ['c']), normNode('bn', 'c', 'y')],
      [noise('w', [5, 6], 1), noise('b', [6, 1], 2), ...norm],
    ),
  ],
  [
    'a weight that something else reads',
    net(
      image,
      [
        node('Conv', ['x', 'w'], ['c']),
        normNode('bn', 'c', 'n'),
        node('ReduceSum', ['w'], ['s']),
        node('Add', ['n', 's'], ['y']),
      ],
      [noise('w', [6, 4, 3, 3], 1), ...norm],
    ),
  ],
  [
    'Identity that makes an output',
    net(['N', 4], [node('Relu', ['x'], ['r']), node('Identity', ['r'], ['y'])], []),
  ],
  [
    'floats that are no shapes',
    net(
      [4],
      [node('Add', ['u', 'v'], ['s']), node('Add', ['x', 's'], ['y'])],
      [noise('u', [4], 1), noise('v', [4], 2)],
    ),
  ],
];

async function checkPasses(proto: ModelProto, list: readonly Pass[] = passes) {
  const before = graphOf(proto);
  const after = cloneModel(before);
  const names = listLayers(before).map((layer) => layer.name);
  const result = runPasses(after, list);
  expect(verify(after)).toEqual([]);
  expect(result.issues).toEqual([]);
  expect(listLayers(after).map((layer) => layer.name)).toEqual(names);
  // The given model must not have noticed.
  expect(verify(before)).toEqual([]);
  const feeds = noiseFeeds(before, 2);
  const [left, right] = [await runGraph(before, feeds), await runGraph(after, feeds)];
  expect(Object.keys(right)).toEqual(Object.keys(left));
  const worst = Math.min(
    ...Object.entries(left).map(([name, value]) => sqnr(value.values, right[name]?.values ?? [])),
  );
  return { after, result, worst };
}

describe('passes', () => {
  it.each(folded)('rewrite $what', async ({ proto, modified, ops, exact }) => {
    const { after, result, worst } = await checkPasses(proto);
    expect(result.modified).toEqual(modified);
    expect(after.graph.nodes.map((one) => one.op)).toEqual(ops);
    expect(worst).toBeGreaterThan(exact ? 1000 : FOLDED_SQNR);
  });

  it.each(untouched)('leave %s alone', async (_, proto) => {
    const { after, result, worst } = await checkPasses(proto);
    expect(result.modified).toEqual([]);
    expect(after.graph.nodes).toHaveLength(proto.graph?.nodes.length ?? 0);
    expect(worst).toBe(Number.POSITIVE_INFINITY);
  });

  it.each(folded)('have nothing to do a second time for $what', ({ proto }) => {
    const value = graphOf(proto);
    runPasses(value);
    expect(runPasses(value).modified).toEqual([]);
  });

  it('that are structural leave weights as they are', async () => {
    const { result, worst } = await checkPasses(convNet(), structuralPasses);
    expect(result.modified).toEqual([]);
    expect(worst).toBe(Number.POSITIVE_INFINITY);
  });

  it('refuse an order that breaks what one relies on', () => {
    expect(() =>
      runPasses(
        graphOf(convNet()),
        passes.filter((pass) => pass.name === 'fold-batchnorm'),
      ),
    ).toThrow(/requires|ensures/);
  });
});

describe('fold-batchnorm', () => {
  it('gives hand values', () => {
    // γ 2, β 1, μ 3, variance 4 − ε: σ = 2, so W' = W·2/2 and b' = 1 + (b − 3)·2/2.
    const proto = net(
      ['N', 1, 1, 1],
      [node('Conv', ['x', 'w', 'b'], ['c']), normNode('bn', 'c', 'y', { epsilon: float(0.5) })],
      [
        tensor('w', [1, 1, 1, 1], [5]),
        tensor('b', [1], [7]),
        tensor('bn.weight', [1], [2]),
        tensor('bn.bias', [1], [1]),
        tensor('bn.mean', [1], [3]),
        tensor('bn.var', [1], [3.5]),
      ],
    );
    const value = graphOf(proto);
    runPasses(value);
    expect([...value.graph.initializers.keys()]).toEqual(['w', 'b']);
    const numbers = [...value.graph.initializers.values()].map((one) => [
      ...(one.tensor?.toFloat32().value ?? []),
    ]);
    expect(numbers).toEqual([[5], [5]]);
    expect(value.graph.outputs[0]?.producer?.opType).toBe('Conv');
  });

  it('names a new bias after its layer', () => {
    const value = graphOf(convNet());
    runPasses(value);
    const [conv] = listLayers(value);
    expect([conv?.weight.name, conv?.bias?.name, conv?.node.output()?.name]).toEqual([
      'conv1.weight',
      'conv1.bias',
      'bn1_out',
    ]);
    expect(value.graph.initializers.has('bn1.weight')).toBe(false);
  });

  it('keeps float16', () => {
    const half = (one: TensorProto) =>
      tensor(
        one.name,
        one.dims,
        Float32Array.from(new Float32Array((one.payload as { bytes: Uint8Array }).bytes.slice().buffer)),
        'float16',
      );
    const proto = model({
      inputs: [valueInfo('x', image, 'float16')],
      outputs: [valueInfo('y', undefined, 'float16')],
      nodes: [node('Conv', ['x', 'w'], ['c']), normNode('bn', 'c', 'y')],
      initializers: [noise('w', [6, 4, 3, 3], 1), ...norm].map(half),
    });
    const value = graphOf(proto);
    expect(runPasses(value).modified).toEqual(['fold-batchnorm']);
    expect([...value.graph.initializers.values()].map((one) => one.typeName)).toEqual(['float16', 'float16']);
  });

  it('reports weights that cannot be read, and leaves the layer', () => {
    const proto = convNet();
    const broken = {
      ...proto,
      graph: proto.graph && {
        ...proto.graph,
        initializers: proto.graph.initializers.map((one) =>
          one.name === 'conv1.weight'
            ? { ...one, payload: { kind: 'bytes' as const, bytes: new Uint8Array(3) } }
            : one,
        ),
      },
    };
    const result = runPasses(graphOf(broken));
    expect(result.modified).toEqual([]);
    expect(result.issues).toMatchObject([{ code: 'tensor-invalid' }]);
  });
});

describe('unshare-weights', () => {
  const shared = (weight: string, names: readonly string[]) =>
    net(
      ['N', 4],
      names.map((name, index) =>
        node(
          'MatMul',
          [index === 0 ? 'x' : `h${index}`, weight],
          [index === names.length - 1 ? 'y' : `h${index + 1}`],
          {},
          { name },
        ),
      ),
      [noise(weight, [4, 4], 1)],
    );
  const cases: readonly (readonly [string, ModelProto, readonly string[]])[] = [
    ['a named weight', shared('w.weight', ['a', 'b', 'c']), ['w.weight', 'w#2.weight', 'w#3.weight']],
    ['a bare name', shared('w', ['a', 'b']), ['w', 'w#2.weight']],
    [
      'a machine-made name',
      shared('onnx::MatMul_7', ['/a/MatMul', '/b/MatMul']),
      ['onnx::MatMul_7', 'onnx::MatMul_7#2'],
    ],
    ['digits', shared('12', ['', '']), ['12', '12#2']],
  ];
  it.each(cases)('copies %s and keeps layer names', async (_, proto, weights) => {
    const { after, worst } = await checkPasses(proto);
    expect(listLayers(after).map((layer) => layer.weight.name)).toEqual(weights);
    expect(worst).toBe(Number.POSITIVE_INFINITY);
  });

  it('works across subgraphs', () => {
    const branch = graph({
      name: 'b',
      outputs: [valueInfo('r', undefined)],
      nodes: [node('MatMul', ['h', 'w.weight'], ['r'])],
    });
    const proto = model({
      inputs: [valueInfo('x', ['N', 4]), valueInfo('c', [], 'bool')],
      outputs: [valueInfo('y', undefined)],
      initializers: [noise('w.weight', [4, 4], 1)],
      nodes: [
        node('MatMul', ['x', 'w.weight'], ['h']),
        node('If', ['c'], ['y'], { then_branch: branch, else_branch: { ...branch, name: 'e' } }),
      ],
    });
    const value = graphOf(proto);
    const names = listLayers(value).map((layer) => layer.name);
    runPasses(value);
    expect(verify(value)).toEqual([]);
    expect(listLayers(value).map((layer) => layer.name)).toEqual(names);
    expect(names).toEqual(['w', 'w#2', 'w#3']);
  });
});

describe('batchNormStatistics', () => {
  it('are β and γ² of the value that folding leaves behind', () => {
    const value = graphOf(convNet());
    const [found, ...others] = batchNormStatistics(value);
    expect(others).toEqual([]);
    expect(found?.layer).toBe('conv1');
    const read = (name: string) =>
      value.graph.initializers.get(name)?.tensor?.toFloat32().value ?? new Float32Array();
    expect(found?.mean).toEqual(read('bn1.bias'));
    expect(found?.variance).toEqual(read('bn1.weight').map((gamma) => gamma * gamma));
    runPasses(value);
    expect(value.graph.values.get(found?.valueName ?? '')?.producer?.op).toBe('Conv');
    expect(batchNormStatistics(value)).toEqual([]);
  });

  it('describe a normalisation behind no layer as well, and none in training', () => {
    const alone = net(['N', 6, 9, 9], [node('Relu', ['x'], ['r']), normNode('bn', 'r', 'y')], norm);
    expect(batchNormStatistics(graphOf(alone))).toMatchObject([{ valueName: 'y', layer: undefined }]);
    const training = net(['N', 6, 9, 9], [normNode('bn', 'x', 'y', { training_mode: 1 })], norm, {
      opset: 15,
    });
    expect(batchNormStatistics(graphOf(training))).toEqual([]);
  });
});
