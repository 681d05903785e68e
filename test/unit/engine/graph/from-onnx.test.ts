import { describe, expect, it } from 'vitest';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { fromOnnx } from '../../../../server/src/engine/graph/from-onnx';
import { toOnnx } from '../../../../server/src/engine/graph/to-onnx';
import { verify } from '../../../../server/src/engine/graph/verify';
import {
  attribute,
  convNet,
  float,
  floats,
  gemmNet,
  graph,
  matmulNet,
  model,
  node,
  tensor,
  valueInfo,
} from '../../../fixtures/build';
import { graphOf } from '../../../fixtures/run-graph';

/** If whose branches use a value and an initializer of the enclosing graph. */
function ifNet(): ModelProto {
  const branch = (name: string, op: string) =>
    graph({
      name,
      outputs: [valueInfo(`${name}_out`, ['N', 4])],
      nodes: [node(op, ['hidden', 'w'], [`${name}_out`])],
    });
  return model({
    inputs: [valueInfo('x', ['N', 4]), valueInfo('flag', [], 'bool')],
    outputs: [valueInfo('y', ['N', 4])],
    initializers: [tensor('w', [4], [1, 2, 3, 4])],
    nodes: [
      node('Relu', ['x'], ['hidden']),
      node('If', ['flag'], ['y'], { then_branch: branch('then', 'Add'), else_branch: branch('else', 'Mul') }),
    ],
  });
}

/** Everything a file may hold that graphs do not need. */
function decoratedNet(): ModelProto {
  const base = gemmNet();
  const unknown = [{ number: 999, wireType: 0, bytes: Uint8Array.of(0xb8, 0x3e, 1) }];
  return {
    ...base,
    unknown,
    metadataProps: [{ key: 'author', value: 'a' }],
    functions: [
      {
        name: 'F',
        domain: 'local',
        inputs: ['a'],
        outputs: ['b'],
        attributes: [],
        attributeProtos: [],
        nodes: [],
        opsetImports: [],
      },
    ],
    opsetImports: [
      { domain: '', version: 17 },
      { domain: 'local', version: 1 },
    ],
    graph: {
      ...graph({
        inputs: [{ ...valueInfo('input', ['N', 16]), docString: 'pixels' }],
        outputs: [valueInfo('output', ['N', 4])],
        valueInfo: [
          { ...valueInfo('flat', ['N', 16]), metadataProps: [{ key: 'k', value: 'v' }], unknown },
          valueInfo('fc.weight', [4, 16]),
        ],
        initializers: base.graph?.initializers ?? [],
        nodes: [
          { ...node('Dropout', ['input', '', ''], ['flat', ''], {}), docString: 'nothing', unknown },
          {
            ...node('Gemm', ['flat', 'fc.weight', 'fc.bias'], ['output']),
            attributes: [
              { ...attribute('transB', 1), docString: 'transposed', unknown },
              attribute('alpha', float(1)),
              attribute('extra', floats([1, 2])),
              { name: 'from', value: { type: 'reference', value: 'outer', attributeType: 1 } },
            ],
          },
        ],
      }),
      docString: 'graph',
      metadataProps: [{ key: 'g', value: 'h' }],
      quantizationAnnotation: [
        { tensorName: 'flat', quantParameters: [{ key: 'SCALE_TENSOR', value: 's' }] },
      ],
      unknown,
    },
  };
}

const roundTrips: readonly (readonly [string, ModelProto])[] = [
  ['a network', convNet()],
  ['one Gemm', gemmNet()],
  ['MatMul without biases', matmulNet()],
  ['subgraphs with outer scope', ifNet()],
  ['documentation, metadata and unknown fields', decoratedNet()],
];

describe('fromOnnx and toOnnx', () => {
  it.each(roundTrips)('keep %s', (_, proto) => {
    const { value, issues } = fromOnnx(proto);
    expect(issues).toEqual([]);
    expect(value && verify(value)).toEqual([]);
    expect(value && toOnnx(value)).toEqual(proto);
  });

  it('write a changed type in place of the one read', () => {
    const graphOfNet = graphOf(decoratedNet());
    const flat = graphOfNet.graph.values.get('flat');
    if (!flat) throw new Error('value');
    flat.shape = [1, 16];
    const info = toOnnx(graphOfNet).graph?.valueInfo[0];
    expect(info).toMatchObject({
      type: { kind: 'tensor', elementType: 1, shape: [1, 16] },
      metadataProps: [{ key: 'k' }],
    });
  });
});

interface BadCase {
  readonly why: string;
  readonly proto: ModelProto;
  readonly code?: string;
  readonly reason?: RegExp;
  readonly anchor?: object;
}

const relu = (from: string, to: string) => node('Relu', [from], [to], {}, { name: '' });
const net = (nodes: Parameters<typeof model>[0]['nodes'], more: Partial<Parameters<typeof model>[0]> = {}) =>
  model({ inputs: [valueInfo('x', [4])], outputs: [valueInfo('y', [4])], nodes, ...more });

const badCases: readonly BadCase[] = [
  {
    why: 'an initializer defined twice',
    proto: net([node('Add', ['x', 'w'], ['y'])], {
      initializers: [tensor('w', [1], [1]), tensor('w', [1], [2])],
    }),
    reason: /initializer w is defined twice/,
    anchor: { tensor: 'w' },
  },
  {
    why: 'an undefined input',
    proto: net([relu('ghost', 'y')]),
    reason: /Relu_0 reads ghost/,
    anchor: { node: 'Relu_0', tensor: 'ghost' },
  },
  {
    why: 'a cycle',
    proto: net([relu('b', 'a'), relu('a', 'b'), relu('a', 'y')]),
    reason: /cycle: Relu_1 → Relu_0 → Relu_1|cycle: Relu_0 → Relu_1 → Relu_0/,
  },
  {
    why: 'a node that feeds itself',
    proto: net([relu('y', 'y')]),
    reason: /cycle: Relu_0 → Relu_0/,
    anchor: { node: 'Relu_0' },
  },
  {
    why: 'two producers',
    proto: net([relu('x', 'y'), relu('x', 'y')]),
    reason: /y is made by node Relu_1 and by another node/,
    anchor: { node: 'Relu_1', tensor: 'y' },
  },
  {
    why: 'a node that overwrites an input',
    proto: net([relu('x', 'x'), relu('x', 'y')]),
    reason: /by a graph input/,
  },
  {
    why: 'a node that overwrites an initializer',
    proto: net([relu('x', 'w'), relu('x', 'y')], { initializers: [tensor('w', [1], [1])] }),
    reason: /by an initializer/,
  },
  {
    why: 'an output that nothing makes',
    proto: net([relu('x', 'z')]),
    reason: /output y is produced by nothing/,
    anchor: { tensor: 'y' },
  },
  {
    why: 'an input declared twice',
    proto: net([relu('x', 'y')], { inputs: [valueInfo('x', [4]), valueInfo('x', [4])] }),
    reason: /input x is declared twice/,
  },
  {
    why: 'a node without operator',
    proto: net([node('', ['x'], ['y'], {}, { name: 'n' })]),
    reason: /node n has no operator/,
  },
  {
    why: 'an attribute given twice',
    proto: net([{ ...relu('x', 'y'), attributes: [attribute('a', 1), attribute('a', 2)] }]),
    reason: /attribute a twice/,
  },
  {
    why: 'a subgraph that returns an outer value',
    proto: net(
      [
        node('If', ['c'], ['y'], {
          then_branch: graph({ name: 't', outputs: [valueInfo('x', [4])], nodes: [] }),
        }),
      ],
      {
        inputs: [valueInfo('x', [4]), valueInfo('c', [], 'bool')],
      },
    ),
    reason: /subgraph t returns x of the enclosing graph directly/,
  },
  {
    why: 'negative dimensions',
    proto: net([node('Add', ['x', 'w'], ['y'])], {
      initializers: [{ ...tensor('w', [1], [1]), dims: [-4] }],
    }),
    code: 'tensor-invalid',
    reason: /\[-4\]/,
    anchor: { tensor: 'w' },
  },
  { why: 'no graph', proto: { ...gemmNet(), graph: undefined }, code: 'graph-empty' },
];

describe('fromOnnx refuses', () => {
  it.each(badCases)('$why', ({ proto, code = 'graph-invalid', reason, anchor }) => {
    const { value, issues } = fromOnnx(proto);
    expect(value).toBeUndefined();
    expect(issues).toHaveLength(1);
    expect(issues[0]?.code).toBe(code);
    if (reason) expect(JSON.stringify(issues[0]?.facts)).toMatch(reason);
    if (anchor) expect(issues[0]?.anchor).toMatchObject(anchor);
  });

  it('keeps the list of issues short', () => {
    const nodes = Array.from({ length: 1000 }, (_, index) => relu(`ghost${index}`, `out${index}`));
    expect(fromOnnx(net(nodes)).issues.length).toBeLessThanOrEqual(20);
  });
});

describe('fromOnnx accepts with a warning', () => {
  it('nodes out of order, sorted by data', () => {
    const { value, issues } = fromOnnx(net([relu('b', 'y'), relu('a', 'b'), relu('x', 'a')]));
    expect(value?.graph.nodes.map((one) => one.label)).toEqual(['Relu_2', 'Relu_1', 'Relu_0']);
    expect(issues).toMatchObject([{ code: 'graph-invalid', severity: 'warning' }]);
    expect(value && verify(value)).toEqual([]);
  });

  it('nodes whose subgraph needs a later value', () => {
    const proto = ifNet();
    const swapped = {
      ...proto,
      graph: proto.graph && { ...proto.graph, nodes: [...proto.graph.nodes].reverse() },
    };
    expect(fromOnnx(swapped).value?.graph.nodes.map((one) => one.opType)).toEqual(['Relu', 'If']);
  });

  it('a missing opset', () => {
    const { value, issues } = fromOnnx({ ...gemmNet(), opsetImports: [] });
    expect(value?.opsets.size).toBe(0);
    expect(issues).toMatchObject([{ code: 'opset-missing', severity: 'warning' }]);
  });

  it('an unknown data type', () => {
    const proto = net([node('Add', ['x', 'w'], ['y'])], {
      initializers: [{ ...tensor('w', [1], [1]), dataType: 250 }],
    });
    const { value, issues } = fromOnnx(proto);
    expect(value).toBeDefined();
    expect(issues).toMatchObject([{ code: 'tensor-invalid', severity: 'warning', anchor: { tensor: 'w' } }]);
  });
});

describe('the graph', () => {
  it('knows edges from both ends, also into subgraphs', () => {
    const { graph: main } = graphOf(ifNet());
    const hidden = main.values.get('hidden');
    expect(hidden?.producer?.opType).toBe('Relu');
    expect(hidden?.uses.map((use) => use.node.opType)).toEqual(['Add', 'Mul']);
    const inner = main.nodes[1]?.subgraphs[0];
    expect(inner?.parent).toBe(main);
    expect(inner?.owner?.opType).toBe('If');
    expect(inner?.find('w')?.tensor?.shape).toEqual([4]);
  });

  it('lets a subgraph hide an outer name', () => {
    const inner = graph({
      name: 't',
      outputs: [valueInfo('x2', [4])],
      nodes: [node('Relu', ['y0'], ['x2'])],
      initializers: [tensor('y0', [4], [1, 2, 3, 4])],
    });
    const proto = net(
      [relu('x', 'y0'), node('If', ['c'], ['y'], { then_branch: inner, else_branch: inner })],
      {
        inputs: [valueInfo('x', [4]), valueInfo('c', [], 'bool')],
      },
    );
    const graphs = graphOf(proto).graph.nodes[1]?.subgraphs ?? [];
    expect(graphs.map((one) => one.nodes[0]?.input(0)?.tensor?.shape)).toEqual([[4], [4]]);
  });

  it('counts inputs with a default as constants', () => {
    const proto = net([node('Add', ['x', 'w'], ['y'])], {
      inputs: [valueInfo('x', [4]), valueInfo('w', [4])],
      initializers: [tensor('w', [4], [1, 2, 3, 4])],
    });
    expect(graphOf(proto).graph.dataInputs.map((input) => input.name)).toEqual(['x']);
  });

  const constants = [
    ['value', { value: tensor('', [2], [1.5, 2]) }, [2], [1.5, 2]],
    ['value_float', { value_float: float(1.5) }, [], [1.5]],
    ['value_floats', { value_floats: floats([1.5, 2]) }, [2], [1.5, 2]],
    ['value_int', { value_int: 7 }, [], [7]],
    ['value_ints', { value_ints: [7, -8] }, [2], [7, -8]],
  ] as const;
  it.each(constants)('reads Constant with %s', (_, attributes, shape, values) => {
    const value = graphOf(net([node('Constant', [], ['c'], attributes), relu('x', 'y')])).graph.values.get(
      'c',
    );
    expect(value?.tensor?.shape).toEqual(shape);
    expect([...(value?.tensor?.toFloat32().value ?? [])]).toEqual(values);
  });

  it('normalises the name of the default domain', () => {
    const proto = {
      ...net([node('Relu', ['x'], ['y'], {}, { domain: 'ai.onnx' })]),
      opsetImports: [{ domain: 'ai.onnx', version: 14 }],
    };
    const value = graphOf(proto);
    expect(value.graph.nodes[0]?.op).toBe('Relu');
    expect([...value.opsets]).toEqual([['', 14]]);
  });
});
