import { describe, expect, it, test } from 'vitest';
import type { NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { verify } from '../../../../server/src/engine/graph/verify';
import { raiseIrVersion, raiseObstacle, raiseOpset } from '../../../../server/src/engine/methods/opset';
import { float, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf, noiseFeeds, runGraph } from '../../../fixtures/run-graph';

interface Row {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly nodes: readonly NodeProto[];
  readonly initializers?: readonly TensorProto[];
  /** The operator that stands in the way; absent = the model computes the same afterwards. */
  readonly obstacle?: string;
  readonly shape?: readonly (number | string)[];
}

const ints = (name: string, values: readonly number[]) => tensor(name, [values.length], values, 'int64');
const one = (opType: string, attributes = {}, inputs: readonly string[] = ['x']) => [
  node(opType, inputs, ['y'], attributes),
];
const norm = ['scale', 'bias', 'mean', 'variance'].map((name) =>
  tensor(name, [3], normalValues(3, 5).map(Math.abs)),
);
const normInputs = ['x', 'scale', 'bias', 'mean', 'variance'];

const rows: readonly Row[] = [
  {
    name: 'Clip bounds become inputs',
    from: 10,
    to: 13,
    nodes: one('Clip', { min: float(-0.5), max: float(0.7) }),
  },
  { name: 'Clip with one bound', from: 9, to: 21, nodes: one('Clip', { min: float(0) }) },
  {
    name: 'Pad amounts become inputs',
    from: 10,
    to: 13,
    nodes: one('Pad', { pads: [0, 0, 1, 1, 0, 0, 2, 0], value: float(0.5) }),
  },
  {
    name: 'Slice bounds become inputs',
    from: 9,
    to: 13,
    nodes: one('Slice', { starts: [1], ends: [3], axes: [2] }),
  },
  {
    name: 'Slice to the end, as exporters write it',
    from: 9,
    to: 13,
    nodes: one('Slice', { starts: [1], ends: { type: 'ints', value: [2n ** 63n - 1n] }, axes: [2] }),
  },
  { name: 'Slice without axes', from: 9, to: 13, nodes: one('Slice', { starts: [0, 1], ends: [1, 3] }) },
  { name: 'Dropout ratio is gone', from: 9, to: 13, nodes: one('Dropout', { ratio: float(0.3) }) },
  {
    name: 'Squeeze and Unsqueeze axes',
    from: 11,
    to: 13,
    nodes: [node('Unsqueeze', ['x'], ['u'], { axes: [0, 4] }), node('Squeeze', ['u'], ['y'], { axes: [4] })],
  },
  { name: 'ReduceSum axes at 13', from: 11, to: 13, nodes: one('ReduceSum', { axes: [1], keepdims: 0 }) },
  { name: 'ReduceMean axes at 18', from: 13, to: 21, nodes: one('ReduceMean', { axes: [2, 3] }) },
  { name: 'ReduceMax without axes', from: 13, to: 18, nodes: one('ReduceMax') },
  {
    name: 'Split sizes, twice changed',
    from: 11,
    to: 18,
    nodes: [
      node('Split', ['x'], ['a', 'b'], { axis: 1, split: [1, 2] }),
      node('Concat', ['b', 'a'], ['y'], { axis: 1 }),
    ],
  },
  {
    name: 'Split in equal parts',
    from: 13,
    to: 18,
    nodes: [node('Split', ['x'], ['a', 'b'], { axis: 2 }), node('Sub', ['a', 'b'], ['y'])],
  },
  { name: 'Softmax over the last axis', from: 11, to: 13, nodes: one('Softmax', { axis: 3 }) },
  { name: 'Softmax over flattened axes', from: 11, to: 13, nodes: one('Softmax') },
  { name: 'LogSoftmax over flattened axes', from: 11, to: 13, nodes: one('LogSoftmax', { axis: 2 }) },
  { name: 'TopK count', from: 9, to: 13, nodes: [node('TopK', ['x'], ['y', 'indices'], { axis: 3, k: 2 })] },
  {
    name: 'BatchNormalization, spatial',
    from: 7,
    to: 15,
    nodes: one('BatchNormalization', { spatial: 1 }, normInputs),
    initializers: norm,
  },
  {
    name: 'BatchNormalization, not spatial',
    from: 7,
    to: 13,
    nodes: one('BatchNormalization', { spatial: 0 }, normInputs),
    initializers: norm,
    obstacle: 'BatchNormalization',
  },
  {
    name: 'GridSample mode is renamed',
    from: 16,
    to: 20,
    nodes: one('GridSample', {}, ['x', 'grid']),
    initializers: [tensor('grid', [2, 1, 1, 2], [0.1, -0.3, 0.5, 0.2])],
  },
  {
    name: 'Upsample is gone',
    from: 8,
    to: 13,
    nodes: one('Upsample', { scales: { type: 'floats', value: [1, 1, 2, 2] } }),
    obstacle: 'Upsample',
  },
  {
    name: 'Resize moved its inputs',
    from: 10,
    to: 13,
    nodes: one('Resize', {}, ['x', 'scales']),
    initializers: [tensor('scales', [4], [1, 1, 2, 2])],
    obstacle: 'Resize',
  },
  {
    name: 'Resize to sizes, empty scales',
    from: 12,
    to: 13,
    nodes: one('Resize', { mode: 'nearest' }, ['x', 'roi', 'scales', 'sizes']),
    initializers: [tensor('roi', [0], []), tensor('scales', [0], []), ints('sizes', [2, 3, 8, 8])],
  },
  {
    name: 'nothing concerned',
    from: 7,
    to: 21,
    nodes: [node('Relu', ['x'], ['r']), node('Add', ['r', 'x'], ['y'])],
  },
  { name: 'older than 7', from: 6, to: 13, nodes: one('Relu'), obstacle: 'version' },
  { name: 'newer than checked', from: 13, to: 22, nodes: one('Relu'), obstacle: 'version' },
];

describe('raiseOpset', () => {
  test.each(rows)('$from → $to: $name', async (row) => {
    await checkRaise(row);
  });

  it('looks into subgraphs', () => {
    const branch = (name: string) => ({
      name,
      inputs: [],
      outputs: [valueInfo(`${name}_y`, undefined)],
      valueInfo: [],
      initializers: [],
      nodes: [node('Upsample', ['x'], [`${name}_y`], { scales: { type: 'floats', value: [1, 1, 2, 2] } })],
    });
    const made = graphOf(
      model(
        {
          inputs: [valueInfo('x', [1, 1, 2, 2])],
          outputs: [valueInfo('y', undefined)],
          initializers: [tensor('condition', [], [1], 'bool')],
          nodes: [node('If', ['condition'], ['y'], { then_branch: branch('a'), else_branch: branch('b') })],
        },
        { opset: 8 },
      ),
    );
    expect(raiseObstacle(made, 13)).toMatchObject({ op: 'Upsample' });
  });

  it('drops inputs that only name initializers when the IR version passes 3', () => {
    const made = graphOf(
      model(
        {
          inputs: [valueInfo('x', [2]), valueInfo('w', [2])],
          outputs: [valueInfo('y', [2])],
          initializers: [tensor('w', [2], [1, 2])],
          nodes: [node('Add', ['x', 'w'], ['y'])],
        },
        { opset: 8, irVersion: 3 },
      ),
    );
    raiseIrVersion(made);
    expect(made.graph.inputs.map((input) => input.name)).toEqual(['x']);
    expect(made.irVersion).toBe(4);
  });
});

async function checkRaise({
  from,
  to,
  nodes,
  initializers = [],
  obstacle,
  shape = [2, 3, 4, 4],
}: Row): Promise<void> {
  const made = graphOf(
    model(
      { inputs: [valueInfo('x', shape)], outputs: [valueInfo('y', undefined)], nodes, initializers },
      { opset: from, irVersion: 8 },
    ),
  );
  const found = raiseObstacle(made, to);
  if (obstacle !== undefined) {
    expect(typeof found === 'object' ? found.op : found).toBe(obstacle);
    return;
  }
  expect(found).toBeUndefined();
  const feeds = noiseFeeds(made, 2);
  const before = await runGraph(made, feeds);
  raiseOpset(made, to);
  expect(made.opsets.get('')).toBe(to);
  expect(made.irVersion).toBeGreaterThanOrEqual(to >= 21 ? 10 : 8);
  expect(verify(made)).toEqual([]);
  expect(await runGraph(made, feeds)).toEqual(before);
}
