/** The facts of the operator table are claims about arithmetic; onnxruntime decides whether they are true. */
import { describe, expect, it } from 'vitest';
import type { TensorProto } from '../../../../server/src/engine/format/onnx-types';
import {
  isKnownOp,
  isPassThrough,
  type OpFacts,
  opFacts,
  opTable,
  passThroughInputs,
} from '../../../../server/src/engine/graph/ops';
import { float, floats, model, node, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf, noiseFeeds, runGraph } from '../../../fixtures/run-graph';

type Attributes = Parameters<typeof node>[3];

interface Example {
  readonly inputs?: readonly string[];
  readonly attributes?: Attributes;
  readonly constants?: readonly TensorProto[];
  readonly shape?: readonly number[];
  readonly opset?: number;
  readonly outputs?: readonly string[];
}

const image = [2, 4, 6, 6];
const ints = (name: string, values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor(name, shape, values, 'int64');
const scalar = (name: string, value: number) => tensor(name, [], [value]);
const yes = tensor('c', [2, 1, 1, 1], [1, 0], 'bool');

/** One example per operator that claims something; `null` where onnxruntime's CPU provider cannot show it. */
const examples: Readonly<Record<string, Example | null>> = {
  Identity: {},
  Reshape: { inputs: ['x', 's'], constants: [ints('s', [2, -1])] },
  Transpose: { attributes: { perm: [0, 2, 1, 3] } },
  Flatten: {},
  Squeeze: { shape: [2, 1, 6] },
  Unsqueeze: { inputs: ['x', 'a'], constants: [ints('a', [0])] },
  Slice: { inputs: ['x', 's', 'e'], constants: [ints('s', [0, 1]), ints('e', [2, 3])] },
  Gather: { inputs: ['x', 'i'], constants: [ints('i', [1, 0])] },
  GatherElements: { inputs: ['x', 'i'], constants: [ints('i', [1, 0, 1, 0], [1, 4, 1, 1])] },
  GatherND: { inputs: ['x', 'i'], constants: [ints('i', [0, 1, 1, 3], [2, 2])] },
  Split: { attributes: { axis: 1 }, outputs: ['y', 'z'] },
  Expand: { inputs: ['x', 's'], constants: [ints('s', [3, 1, 1, 1, 1])] },
  Tile: { inputs: ['x', 's'], constants: [ints('s', [1, 2, 1, 1])] },
  DepthToSpace: { attributes: { blocksize: 2 } },
  SpaceToDepth: { attributes: { blocksize: 2 } },
  MaxPool: { attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] } },
  GlobalMaxPool: {},
  ReduceMax: { attributes: { axes: [2, 3] } },
  ReduceMin: { attributes: { axes: [1] } },
  Dropout: {},
  Compress: { inputs: ['x', 'b'], attributes: { axis: 1 }, constants: [tensor('b', [3], [1, 0, 1], 'bool')] },
  ReverseSequence: { inputs: ['x', 'l'], shape: [3, 2, 4], constants: [ints('l', [2, 3])] },
  TopK: { inputs: ['x', 'k'], constants: [ints('k', [2])], outputs: ['y', 'i'] },
  Concat: { inputs: ['x', 'x2'], attributes: { axis: 1 } },
  Max: { inputs: ['x', 'x2'] },
  Min: { inputs: ['x', 'x2'] },
  Where: { inputs: ['c', 'x', 'x2'], constants: [yes] },
  Pad: { inputs: ['x', 'p'], constants: [ints('p', [0, 0, 1, 1, 0, 0, 2, 2])] },
  Resize: { inputs: ['x', '', 's'], constants: [tensor('s', [4], [1, 1, 2, 1.5])] },
  Upsample: { inputs: ['x', 's'], constants: [tensor('s', [4], [1, 1, 2, 2])], opset: 9 },
  MaxUnpool: null,
  MaxRoiPool: {
    inputs: ['x', 'r'],
    attributes: { pooled_shape: [2, 2] },
    constants: [tensor('r', [1, 5], [0, 0, 0, 4, 4])],
  },
  AveragePool: { attributes: { kernel_shape: [2, 2] } },
  GlobalAveragePool: {},
  ReduceMean: { attributes: { axes: [2, 3] } },
  ReduceSum: { inputs: ['x', 'a'], constants: [ints('a', [1])] },
  ReduceL1: { attributes: { axes: [1] } },
  ReduceL2: { attributes: { axes: [1] } },
  Relu: {},
  LeakyRelu: {},
  PRelu: { inputs: ['x', 'w'], constants: [scalar('w', 0.3)] },
  Abs: {},
};

const claims = Object.entries<OpFacts>(opTable);
const claiming = (which: 'passThrough' | 'positivelyHomogeneous') =>
  claims
    .filter(([, facts]) => facts[which])
    .map(([op]) => op)
    .filter((op) => examples[op] !== null);

function protoOf(op: string, example: Example) {
  const {
    inputs = ['x'],
    attributes = {},
    constants = [],
    shape = image,
    opset = 17,
    outputs = ['y'],
  } = example;
  const fed = ['x', 'x2'].filter((name) => inputs.includes(name));
  return model(
    {
      inputs: fed.map((name) => valueInfo(name, shape)),
      outputs: outputs.map((name) => ({ name })),
      initializers: constants,
      nodes: [node(op, inputs, outputs, attributes)],
    },
    { opset },
  );
}

function exampleOf(op: string): Example {
  const example = examples[op];
  if (!example) throw new Error(`${op} claims something and has no example`);
  return example;
}

describe('operators', () => {
  it.each(claiming('passThrough'))('%s moves values and makes none', async (op) => {
    const of = graphOf(protoOf(op, exampleOf(op)));
    const [made] = of.graph.nodes;
    if (!made) throw new Error('one node');
    expect(isPassThrough(made)).toBe(true);
    const feeds = noiseFeeds(of, 2);
    const known = new Set([0]);
    for (const index of passThroughInputs(made)) {
      for (const value of feeds[made.input(index)?.name ?? '']?.data ?? []) known.add(Number(value));
    }
    const results = await runGraph(of, feeds);
    expect(results.y?.values.length).toBeGreaterThan(0);
    expect(results.y?.values.filter((value) => !known.has(value))).toEqual([]);
  });

  it.each(claiming('positivelyHomogeneous'))('%s scales with its data', async (op) => {
    const of = graphOf(protoOf(op, exampleOf(op)));
    const feeds = noiseFeeds(of, 2);
    // A power of two, so that rounding scales along.
    const scaled = Object.fromEntries(
      Object.entries(feeds).map(([name, { shape, data }]) => {
        const values: Iterable<number | bigint> = data;
        return [name, { shape, data: Float32Array.from(values, (value) => Number(value) * 4) }];
      }),
    );
    const [small, large] = [await runGraph(of, feeds), await runGraph(of, scaled)];
    expect(large.y?.values).toEqual(small.y?.values.map((value) => value * 4));
  });

  const conditions: readonly (readonly [string, string, Example, boolean])[] = [
    [
      'Pad with 1',
      'Pad',
      { inputs: ['x', 'p', 'v'], constants: [ints('p', [0, 0, 1, 1, 0, 0, 1, 1]), scalar('v', 1)] },
      false,
    ],
    [
      'Pad with 0',
      'Pad',
      { inputs: ['x', 'p', 'v'], constants: [ints('p', [0, 0, 1, 1, 0, 0, 1, 1]), scalar('v', 0)] },
      true,
    ],
    [
      'Pad by reflection',
      'Pad',
      {
        inputs: ['x', 'p', 'v'],
        attributes: { mode: 'reflect' },
        constants: [ints('p', [0, 0, 1, 1, 0, 0, 1, 1]), scalar('v', 1)],
      },
      true,
    ],
    [
      'Pad with an attribute',
      'Pad',
      { attributes: { pads: [0, 0, 1, 1, 0, 0, 1, 1], value: float(2) }, opset: 10 },
      false,
    ],
    [
      'linear Resize',
      'Resize',
      { inputs: ['x', '', 's'], attributes: { mode: 'linear' }, constants: [tensor('s', [4], [1, 1, 2, 2])] },
      false,
    ],
    [
      'linear Upsample',
      'Upsample',
      { attributes: { mode: 'linear', scales: floats([1, 1, 2, 2]) }, opset: 7 },
      false,
    ],
    ['AveragePool', 'AveragePool', { attributes: { kernel_shape: [2, 2] } }, false],
    ['Add', 'Add', { inputs: ['x', 'x2'] }, false],
  ];
  it.each(conditions)('%s', (_, op, example, expected) => {
    const [made] = graphOf(protoOf(op, example)).graph.nodes;
    expect(made && isPassThrough(made)).toBe(expected);
  });

  it('outside the table have no facts', () => {
    const [made] = graphOf(protoOf('Flux', {})).graph.nodes;
    expect(isKnownOp('Flux')).toBe(false);
    expect(made && opFacts(made)).toEqual({});
    expect(isKnownOp('constructor')).toBe(false);
  });
});
