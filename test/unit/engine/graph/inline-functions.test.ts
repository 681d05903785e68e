/** Model-local functions: the inlined model computes what onnxruntime computes with the calls. */
import { describe, expect, it } from 'vitest';
import type {
  AttributeProto,
  FunctionProto,
  ModelProto,
  NodeProto,
} from '../../../../server/src/engine/format/onnx-types';
import { fromOnnx } from '../../../../server/src/engine/graph/from-onnx';
import { inlineFunctions } from '../../../../server/src/engine/graph/inline-functions';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { attribute, graph, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { runGraph } from '../../../fixtures/run-graph';

const weight = (name: string, shape: readonly number[], seed = 1) =>
  tensor(
    name,
    shape,
    normalValues(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
  );

interface Body {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly NodeProto[];
  readonly attributes?: readonly string[];
  readonly defaults?: readonly AttributeProto[];
  readonly opset?: number;
}

const define = (body: Body): FunctionProto => ({
  name: body.name,
  domain: 'local',
  inputs: body.inputs,
  outputs: body.outputs,
  attributes: body.attributes ?? [],
  attributeProtos: body.defaults ?? [],
  nodes: body.nodes,
  opsetImports: [
    { domain: '', version: body.opset ?? 17 },
    { domain: 'local', version: 1 },
  ],
});

const call = (name: string, inputs: readonly string[], outputs: readonly string[], as = '') =>
  node(name, inputs, outputs, {}, { domain: 'local', name: as });

function protoOf(
  nodes: readonly NodeProto[],
  functions: readonly FunctionProto[],
  constants = [weight('w.weight', [4, 4])],
): ModelProto {
  const proto = model(
    {
      inputs: [valueInfo('x', [2, 4])],
      outputs: [valueInfo('y', undefined)],
      initializers: constants,
      nodes,
    },
    { opsets: [{ domain: 'local', version: 1 }] },
  );
  return { ...proto, functions };
}

const reference = (name: string, of: string, attributeType: number): AttributeProto => ({
  name,
  value: { type: 'reference', value: of, attributeType },
});

const linear = define({
  name: 'Linear',
  inputs: ['a', 'b'],
  outputs: ['c'],
  nodes: [node('MatMul', ['a', 'b'], ['m'], {}, { name: 'MatMul' }), node('Relu', ['m'], ['c'])],
});
const holder = define({
  name: 'Holder',
  inputs: ['a'],
  outputs: ['c'],
  nodes: [
    node('Constant', [], ['k'], { value: weight('', [4, 4], 7) }),
    node('MatMul', ['a', 'k'], ['c'], {}, { name: 'MatMul' }),
  ],
});
const slopes = define({
  name: 'Leaky',
  inputs: ['a'],
  outputs: ['r'],
  attributes: ['slope'],
  defaults: [attribute('slope', { type: 'float', value: 0.5 })],
  nodes: [{ ...node('LeakyRelu', ['a'], ['r']), attributes: [reference('alpha', 'slope', 1)] }],
});
const nested = define({
  name: 'Nested',
  inputs: ['a', 'b'],
  outputs: ['c'],
  nodes: [call('Linear', ['a', 'b'], ['h'], 'first'), call('Holder', ['h'], ['c'], 'second')],
});
const branch = (name: string, weights: string) =>
  graph({
    name,
    outputs: [valueInfo('r', undefined)],
    nodes: [node('MatMul', ['a', weights], ['r'], {}, { name: 'inside' })],
  });
const branches = define({
  name: 'Branches',
  inputs: ['a', 'b'],
  outputs: ['c'],
  nodes: [
    node('ReduceSum', ['a'], ['s'], { keepdims: 0 }),
    node('Constant', [], ['zero'], { value: tensor('', [], [0]) }),
    node('Greater', ['s', 'zero'], ['p']),
    node('If', ['p'], ['c'], { then_branch: branch('t', 'b'), else_branch: branch('e', 'b') }),
  ],
});

const cases: readonly (readonly [string, ModelProto, readonly string[]])[] = [
  ['a weight that is passed in', protoOf([call('Linear', ['x', 'w.weight'], ['y'], 'fc')], [linear]), ['w']],
  ['a weight inside', protoOf([call('Holder', ['x'], ['y'], 'head')], [holder]), ['head']],
  [
    'two calls of one function',
    protoOf([call('Holder', ['x'], ['h'], 'head'), call('Holder', ['h'], ['y'], 'head_2')], [holder]),
    ['head', 'head_2'],
  ],
  [
    'calls without a name',
    protoOf([node('Relu', ['x'], ['h']), call('Holder', ['h'], ['y'])], [holder]),
    ['Holder_1'],
  ],
  [
    'a function that calls others',
    protoOf([call('Nested', ['x', 'w.weight'], ['y'], 'block')], [nested, linear, holder]),
    ['w', 'block/second'],
  ],
  [
    'subgraphs inside a body',
    protoOf([call('Branches', ['x', 'w.weight'], ['y'], 'choose')], [branches]),
    ['w', 'w#2'],
  ],
  [
    'a body with the names of the graph around it',
    protoOf(
      [
        node('Relu', ['x'], ['m']),
        node('Neg', ['m'], ['fc/m']),
        call('Linear', ['fc/m', 'w.weight'], ['y'], 'fc'),
      ],
      [linear],
    ),
    ['w'],
  ],
];

const input = { x: { shape: [2, 4], data: normalValues(8, 5) } };

describe('inlined functions', () => {
  it.each(cases)('%s', async (_, proto, names) => {
    const inlined = inlineFunctions(proto);
    expect(inlined.issues).toEqual([]);
    expect(inlined.proto.functions).toEqual([]);
    const read = fromOnnx(inlined.proto, undefined, inlined.positions);
    expect(read.issues).toEqual([]);
    expect(read.value && listLayers(read.value).map((layer) => layer.name)).toEqual(names);
    expect(await runGraph(inlined.proto, input)).toEqual(await runGraph(proto, input));
  });

  it.each([
    ['given', { slope: { type: 'float', value: 0.25 } as const }],
    ['default', {}],
  ])('takes a %s attribute', async (_, attributes) => {
    const proto = protoOf(
      [node('Leaky', ['x'], ['y'], attributes, { domain: 'local', name: 'l' })],
      [slopes],
    );
    expect(await runGraph(inlineFunctions(proto).proto, input)).toEqual(await runGraph(proto, input));
  });

  it('of one name get labels of their own, and an input that is returned gets a node', async () => {
    const pass = define({
      name: 'Pass',
      inputs: ['a'],
      outputs: ['a', 'b'],
      nodes: [node('Neg', ['a'], ['b'])],
    });
    const nodes = [
      call('Pass', ['x'], ['h', 'g'], 'p'),
      node('Sub', ['h', 'g'], ['s']),
      call('Holder', ['s'], ['t'], 'head'),
      call('Holder', ['t'], ['y'], 'head'),
    ];
    const { proto } = inlineFunctions(protoOf(nodes, [pass, holder]));
    const read = fromOnnx(proto).value;
    expect(read && listLayers(read).map((layer) => layer.name)).toEqual(['head', 'head_2']);
    const plain = protoOf(
      [node('Add', ['x', 'x'], ['s']), node('MatMul', ['s', 'k'], ['t']), node('MatMul', ['t', 'k'], ['y'])],
      [],
      [weight('k', [4, 4], 7)],
    );
    expect(await runGraph(proto, input)).toEqual(await runGraph(plain, input));
  });

  it('keep the position of their call', () => {
    const proto = protoOf(
      [
        node('Relu', ['x'], ['h']),
        call('Linear', ['h', 'w.weight'], ['g'], 'fc'),
        node('Relu', ['g'], ['y']),
      ],
      [linear],
    );
    const { proto: made, positions } = inlineFunctions(proto);
    const read = fromOnnx(made, undefined, positions).value;
    expect(read?.graph.nodes.map((one) => [one.opType, one.index])).toEqual([
      ['Relu', 0],
      ['MatMul', 1],
      ['Relu', 1],
      ['Relu', 2],
    ]);
  });

  it('stay calls when they are written for another operator set, and say so', () => {
    const old = define({
      name: 'Linear',
      inputs: ['a', 'b'],
      outputs: ['c'],
      nodes: linear.nodes,
      opset: 11,
    });
    const proto = protoOf([call('Linear', ['x', 'w.weight'], ['y'], 'fc')], [old]);
    const { proto: made, issues } = inlineFunctions(proto);
    expect(made.graph?.nodes.map((one) => one.opType)).toEqual(['Linear']);
    expect(made.functions).toEqual([old]);
    expect(issues).toMatchObject([{ code: 'unsupported-feature', severity: 'warning' }]);
  });

  it('that call themselves end', () => {
    const loop = define({
      name: 'Loop',
      inputs: ['a'],
      outputs: ['c'],
      nodes: [call('Loop', ['a'], ['b'], 'i'), call('Loop', ['b'], ['c'], 'j')],
    });
    const { issues } = inlineFunctions(protoOf([call('Loop', ['x'], ['y'], 'l')], [loop]));
    expect(issues).toMatchObject([{ code: 'unsupported-feature' }]);
  });

  it('leave a model without functions as it is', () => {
    const proto = protoOf([node('MatMul', ['x', 'w.weight'], ['y'])], []);
    expect(inlineFunctions(proto).proto).toBe(proto);
  });
});
