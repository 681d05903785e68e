import { describe, expect, it } from 'vitest';
import type { Dimension, NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { evaluate, type Known, slicePositions } from '../../../../server/src/engine/graph/evaluate';
import { readSmall, type SmallTensor, toTensor } from '../../../../server/src/engine/graph/small-tensor';
import { model, node, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf, runGraph } from '../../../fixtures/run-graph';

const ints = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor('', shape, values, 'int64');
const int32 = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor('', shape, values, 'int32');
const bools = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor('', shape, values, 'bool');
const reals = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor('', shape, values);

type Attributes = Parameters<typeof node>[3];
type Case = readonly [
  op: string,
  inputs: readonly (TensorProto | undefined)[],
  attributes?: Attributes,
  opset?: number,
];

/** Everything here is run by onnxruntime as well; results must be the same numbers. */
const cases: readonly Case[] = [
  ['Shape', [ints([1, 2, 3, 4, 5, 6], [2, 3])]],
  ['Shape', [ints([1, 2, 3, 4, 5, 6], [1, 2, 3])], { start: 1 }, 15],
  ['Shape', [ints([1, 2, 3, 4, 5, 6], [1, 2, 3])], { start: -2, end: -1 }, 15],
  ['Size', [ints([1, 2, 3, 4, 5, 6], [2, 3])]],
  ['Identity', [ints([3, 4])]],
  ['Cast', [int32([3, -4])], { to: 7 }],
  ['Cast', [reals([2.9])], { to: 7 }],
  ['Cast', [reals([-2.9, 2.5, 0])], { to: 6 }],
  ['Cast', [ints([0, 5, -1])], { to: 9 }],
  ['Cast', [ints([16777217])], { to: 1 }],
  ['Gather', [ints([10, 20, 30]), ints([-1, 0])], { axis: 0 }],
  ['Gather', [ints([10, 20, 30]), ints([2], [])], { axis: 0 }],
  ['Gather', [ints([1, 2, 3, 4, 5, 6], [2, 3]), ints([2, 0], [1, 2])], { axis: 1 }],
  ['Unsqueeze', [ints([5, 6]), ints([0, -1])]],
  ['Unsqueeze', [ints([5], [])], { axes: [0] }, 11],
  ['Squeeze', [ints([5, 6], [1, 2, 1])]],
  ['Squeeze', [ints([5, 6], [1, 2, 1]), ints([-1])]],
  ['Concat', [ints([1, 2]), ints([3]), ints([])], { axis: 0 }],
  ['Slice', [ints([1, 2, 3, 4, 5]), ints([1]), ints([4])]],
  ['Slice', [ints([1, 2, 3, 4, 5]), ints([-1]), ints([-9000]), ints([0]), ints([-2])]],
  ['Slice', [ints([1, 2, 3, 4, 5, 6], [2, 3]), ints([0, 1]), ints([9, 9]), ints([0, -1])]],
  ['Slice', [ints([1, 2, 3, 4, 5])], { starts: [1], ends: [-1] }, 9],
  ['Reshape', [ints([1, 2, 3, 4, 5, 6]), ints([3, -1])]],
  ['Reshape', [ints([1, 2, 3, 4, 5, 6], [2, 3]), ints([0, 3])]],
  ['Flatten', [ints([1, 2, 3, 4], [2, 2])], { axis: 0 }],
  ['Transpose', [ints([1, 2, 3, 4, 5, 6], [2, 3])]],
  ['Transpose', [ints([1, 2, 3, 4, 5, 6], [1, 2, 3])], { perm: [2, 0, 1] }],
  ['ConstantOfShape', [ints([2, 2])], { value: ints([-7]) }],
  ['ConstantOfShape', [ints([0])], { value: ints([1]) }],
  ['ConstantOfShape', [ints([3])], { value: int32([-2]) }],
  ['Expand', [ints([1, 2], [2, 1]), ints([2, 3])]],
  ['Expand', [ints([1, 2, 3]), ints([1])]],
  ['Range', [ints([2], []), ints([11], []), ints([3], [])]],
  ['Range', [ints([5], []), ints([-1], []), ints([-2], [])]],
  ['Where', [bools([1, 0, 1]), ints([1, 2, 3]), ints([9])]],
  ['Where', [bools([1, 0], [2, 1]), ints([1, 2]), ints([8, 9])]],
  ['Add', [ints([1, 2, 3]), ints([10])]],
  ['Sub', [ints([1, 2], [2, 1]), ints([10, 20, 30])]],
  ['Mul', [ints([3]), ints([4], [])]],
  ['Div', [ints([7, -7, 7, -7]), ints([2, 2, -2, -2])]],
  ['Div', [reals([1]), reals([3])]],
  ['Mul', [reals([0.1]), reals([3])]],
  ['Add', [reals([0.1]), reals([0.2])]],
  ['Mod', [ints([7, -7, 7, -7]), ints([3, 3, -3, -3])]],
  ['Min', [ints([1, 9]), ints([5, 5])]],
  ['Max', [ints([1, 9]), ints([5, 5])]],
  ['Neg', [ints([1, -2])]],
  ['Abs', [ints([1, -2])]],
  ['Floor', [reals([-1.5])]],
  ['Ceil', [reals([-1.5])]],
  ['Sqrt', [reals([2])]],
  ['Equal', [ints([1, 2]), ints([1, 3])]],
  ['Greater', [ints([1, 2, 3]), ints([2])]],
  ['GreaterOrEqual', [ints([1, 2, 3]), ints([2])]],
  ['Less', [ints([1, 2, 3]), ints([2])]],
  ['LessOrEqual', [ints([1, 2, 3]), ints([2])]],
  ['And', [bools([1, 1, 0]), bools([1, 0, 0])]],
  ['Or', [bools([1, 1, 0]), bools([1, 0, 0])]],
  ['Not', [bools([1, 0])]],
  ['ReduceProd', [ints([2, 3, 4])], { keepdims: 0 }],
  ['ReduceSum', [ints([2, 3, 4]), ints([0])], { keepdims: 1 }],
  ['ReduceMax', [ints([2, 9, 4])], { keepdims: 1 }],
  ['ReduceMin', [ints([2, 9, 4])], { axes: [0], keepdims: 0 }, 13],
];

/** One node on constants, its output also a graph output of unknown type. */
function nodeOf([op, inputs, attributes = {}, opset = 17]: Case, output: NodeProto['outputs'] = ['y']) {
  const initializers = inputs.flatMap((input, index) => (input ? [{ ...input, name: `in${index}` }] : []));
  const names = inputs.map((input, index) => (input ? `in${index}` : ''));
  return model(
    {
      inputs: [],
      outputs: [{ name: 'y', type: { kind: 'tensor', elementType: 0 } }],
      initializers,
      nodes: [node(op, names, output, attributes)],
    },
    { opset },
  );
}

function knownOf(
  inputs: readonly (SmallTensor | undefined)[],
  shapes: readonly (readonly Dimension[] | undefined)[] = [],
): Known {
  return { content: (index) => inputs[index], shape: (index) => shapes[index] ?? inputs[index]?.shape };
}

/** onnxruntime wants the output's type: the one evaluation found. */
async function oracle(one: Case, dataType: number) {
  const proto = nodeOf(one);
  const outputs = [{ name: 'y', type: { kind: 'tensor' as const, elementType: dataType } }];
  const results = await runGraph({ ...proto, graph: proto.graph && { ...proto.graph, outputs } });
  return results.y;
}

describe('evaluate', () => {
  it.each(cases.map((one) => [one[0], one] as const))('%s agrees with onnxruntime (%#)', async (_, one) => {
    const [made] = graphOf(nodeOf(one)).graph.nodes;
    const small =
      made && evaluate(made, knownOf(made.inputs.map((input) => input?.tensor && readSmall(input.tensor))));
    if (!small) throw new Error('not evaluated');
    const expected = await oracle(one, small.dataType);
    expect(small.shape).toEqual(expected?.shape);
    expect(small.values.map((value) => (value === 0 ? 0 : value))).toEqual(expected?.values);
    const stored = toTensor(small);
    expect([...(stored?.toFloat32().value ?? [])]).toEqual((expected?.values ?? []).map(Math.fround));
    expect(stored?.dataType).toBe(small.dataType);
  });

  const unknown = undefined;
  const vector = (values: readonly (number | undefined)[]): SmallTensor => ({
    dataType: 7,
    shape: [values.length],
    values,
  });
  const partial: readonly (readonly [
    string,
    readonly SmallTensor[],
    readonly (number | undefined)[] | undefined,
    Attributes?,
  ])[] = [
    ['Concat', [vector([unknown, 3]), vector([5])], [unknown, 3, 5], { axis: 0 }],
    ['Gather', [vector([unknown, 3]), vector([1])], [3], { axis: 0 }],
    ['Gather', [vector([1, 3]), vector([unknown])], [unknown], { axis: 0 }],
    ['Add', [vector([unknown, 3]), vector([1])], [unknown, 4]],
    ['Where', [vector([unknown, 1]), vector([1, 2]), vector([3, 4])], [unknown, 2]],
    ['Div', [vector([4]), vector([0])], [unknown]],
    ['Unsqueeze', [vector([4]), vector([unknown])], undefined],
    ['Reshape', [vector([4]), vector([unknown])], undefined],
    ['Range', [vector([0]), vector([1e9]), vector([1])], undefined],
    ['Concat', [vector([4])], undefined, { axis: 0 }],
  ];
  it.each(partial.map((one) => [one[0], one] as const))(
    '%s of unknown elements (%#)',
    (op, [, inputs, expected, attributes]) => {
      const names = inputs.map((_, index) => `in${index}`);
      // Two inputs where one is known only: Concat needs to know all of its parts.
      const wanted = op === 'Concat' && expected === undefined ? [...names, 'x'] : names;
      const proto = model({
        inputs: [...names, 'x'].map((name) => valueInfo(name, [1], 'int64')),
        outputs: [valueInfo('y', undefined)],
        nodes: [node(op, wanted, ['y'], attributes ?? {})],
      });
      const [made] = graphOf(proto).graph.nodes;
      expect(made && evaluate(made, knownOf(inputs))?.values).toEqual(expected);
    },
  );

  it('carries symbolic dimensions through Shape', () => {
    const [made] = graphOf(
      model({
        inputs: [valueInfo('x', ['N', 3])],
        outputs: [valueInfo('y', undefined)],
        nodes: [node('Shape', ['x'], ['y'])],
      }),
    ).graph.nodes;
    expect(made && evaluate(made, knownOf([], [['N', 3]]))).toEqual({
      dataType: 7,
      shape: [2],
      values: [unknown, 3],
    });
  });

  it('says nothing about float fills, fmod and operators it does not know', () => {
    const silent: readonly Case[] = [
      ['ConstantOfShape', [ints([2])], { value: reals([1]) }],
      ['ConstantOfShape', [ints([2])]],
      ['Mod', [ints([7]), ints([3])], { fmod: 1 }],
      ['Relu', [ints([7])]],
      ['ConstantOfShape', [ints([100, 100])], { value: ints([1]) }],
    ];
    for (const one of silent) {
      const [made] = graphOf(nodeOf(one)).graph.nodes;
      const inputs = made?.inputs.map((input) => input?.tensor && readSmall(input.tensor)) ?? [];
      expect(made && evaluate(made, knownOf(inputs))).toBeUndefined();
    }
  });
});

describe('small tensors', () => {
  it('do not store what leaves the range of their type', () => {
    const outside: readonly (readonly [number, number])[] = [
      [3, 128],
      [2, -1],
      [6, 2 ** 31],
      [7, 2 ** 63],
      [9, 2],
    ];
    for (const [dataType, value] of outside)
      expect(toTensor({ dataType, shape: [1], values: [value] })).toBeUndefined();
    expect(toTensor({ dataType: 7, shape: [1], values: [undefined] })).toBeUndefined();
  });

  it('are read only when small', () => {
    const read = (proto: TensorProto) => {
      const value = graphOf(
        model({
          inputs: [],
          outputs: [valueInfo('y', undefined)],
          initializers: [{ ...proto, name: 'w' }],
          nodes: [node('Relu', ['w'], ['y'])],
        }),
      ).graph.initializers.get('w');
      return value?.tensor && readSmall(value.tensor)?.values;
    };
    expect(read(reals([1, 2]))).toEqual([1, 2]);
    expect(read(reals([1, 2], [1, 2]))).toBeUndefined();
    expect(read(reals(new Array(17).fill(1)))).toBeUndefined();
    expect(read(ints(new Array(4097).fill(1)))).toBeUndefined();
  });

  it('slice like NumPy at the ends', () => {
    expect(slicePositions(5, -100, 100, 2)).toEqual([0, 2, 4]);
    expect(slicePositions(5, 100, -100, -2)).toEqual([4, 2, 0]);
    expect(slicePositions(5, 3, 3, 1)).toEqual([]);
    expect(slicePositions(0, 0, 9, 1)).toEqual([]);
  });
});
