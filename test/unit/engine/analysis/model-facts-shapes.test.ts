import { describe, expect, it } from 'vitest';
import { broadcast } from '../../../../server/src/engine/analysis/shape-rules';
import { batchOfOne, staticShapes, wholeShape } from '../../../../server/src/engine/analysis/static-shapes';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { convNet, matmulNet, model, node, valueInfo } from '../../../fixtures/build';
import { graphOf, noiseFeeds, runGraph } from '../../../fixtures/run-graph';
import { cases, conv, kernel, noise, one, type ShapeCase } from './fixtures/shape-cases';

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
