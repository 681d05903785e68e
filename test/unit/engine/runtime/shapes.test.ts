import { describe, expect, it } from 'vitest';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { runtimeTensor } from '../../../../server/src/engine/runtime/runtime-tensor';
import { openSession } from '../../../../server/src/engine/runtime/session-model';
import { inferShapes } from '../../../../server/src/engine/runtime/shapes';
import { type Tap, tapModel } from '../../../../server/src/engine/runtime/tap';
import { convNet, graph, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { opened, temporaryFolder } from './fixtures/files';

const folder = temporaryFolder();

async function shapesOf(proto: ModelProto, dimensions: Readonly<Record<string, number>> = {}) {
  const open = opened(folder.model('shapes.onnx', proto));
  const { value, issues } = await inferShapes(open.model, open, dimensions);
  open.close();
  expect(issues).toEqual([]);
  return Object.fromEntries([...(value ?? [])].map(([name, { type, shape }]) => [name, `${type}[${shape}]`]));
}

describe('shapes', () => {
  it('of every value, free dimensions by name', async () => {
    expect(await shapesOf(convNet())).toEqual({
      input: 'float32[N,3,8,8]',
      conv1_out: 'float32[N,8,8,8]',
      bn1_out: 'float32[N,8,8,8]',
      relu1_out: 'float32[N,8,8,8]',
      conv2_out: 'float32[N,8,8,8]',
      relu2_out: 'float32[N,8,8,8]',
      pool_out: 'float32[N,8,1,1]',
      flat_out: 'float32[N,8]',
      output: 'float32[N,10]',
    });
  });

  it('with bound dimensions', async () => {
    expect((await shapesOf(convNet(), { N: 5 })).output).toBe('float32[5,10]');
  });

  it('follow shapes that the model computes itself, once its dimensions are bound', async () => {
    const proto = model({
      inputs: [valueInfo('x', ['N', 'T', 6])],
      outputs: [{ name: 'y' }],
      initializers: [
        tensor('zero', [1], [0], 'int64'),
        tensor('minus', [1], [-1], 'int64'),
        tensor('two', [1], [2], 'int64'),
      ],
      nodes: [
        node('Shape', ['x'], ['s1']),
        node('Gather', ['s1', 'zero'], ['n']),
        node('Concat', ['n', 'minus', 'two'], ['p1'], { axis: 0 }),
        node('Reshape', ['x', 'p1'], ['r1']),
        node('Relu', ['r1'], ['a1']),
        node('Shape', ['a1'], ['s2']),
        node('ReduceProd', ['s2'], ['count'], { keepdims: 1 }),
        node('Reshape', ['a1', 'count'], ['flat']),
        node('Relu', ['flat'], ['y']),
      ],
    });
    expect((await shapesOf(proto)).x).toBe('float32[N,T,6]');
    const bound = await shapesOf(proto, { N: 2, T: 4 });
    expect([bound.r1, bound.a1, bound.y]).toEqual(['float32[2,12,2]', 'float32[2,12,2]', 'float32[48]']);
  });

  it('leave out what cannot cross the border of a session, and keep the rest', async () => {
    const branch = (name: string) =>
      graph({ name, outputs: [{ name }], nodes: [node('Identity', ['narrow'], [name])] });
    const proto = model(
      {
        inputs: [valueInfo('x', [4, 2]), valueInfo('flag', [], 'bool')],
        outputs: [{ name: 'y' }],
        initializers: [tensor('scale', [], [1]), tensor('zero', [], [0], 'int4')],
        nodes: [
          node('QuantizeLinear', ['x', 'scale', 'zero'], ['codes']),
          node('DequantizeLinear', ['codes', 'scale', 'zero'], ['back']),
          node('Cast', ['back'], ['narrow'], { to: 16 }),
          // Only the session knows that this is bfloat16 too.
          node('If', ['flag'], ['hidden'], { then_branch: branch('a'), else_branch: branch('b') }),
          node('Cast', ['hidden'], ['y'], { to: 1 }),
        ],
      },
      { opset: 21, irVersion: 10 },
    );
    expect(await shapesOf(proto)).toEqual({
      x: 'float32[4,2]',
      flag: 'bool[]',
      back: 'float32[4,2]',
      y: 'float32[4,2]',
    });
  });

  it('ignore sequences and do not enter subgraphs', async () => {
    const body = (name: string) =>
      graph({ name, outputs: [{ name: `${name}_y` }], nodes: [node('Neg', ['x'], [`${name}_y`])] });
    const proto = model({
      inputs: [valueInfo('x', [4]), valueInfo('flag', [], 'bool')],
      outputs: [{ name: 'z' }],
      nodes: [
        node('SequenceConstruct', ['x', 'x'], ['list']),
        node('ConcatFromSequence', ['list'], ['y'], { axis: 0 }),
        node('If', ['flag'], ['z'], { then_branch: body('a'), else_branch: body('b') }),
      ],
    });
    expect(await shapesOf(proto)).toEqual({
      x: 'float32[4]',
      flag: 'bool[]',
      y: 'float32[]',
      z: 'float32[4]',
    });
  });
});

describe('taps', () => {
  const proto = convNet();
  const feeds = { input: runtimeTensor('float32', [3, 3, 8, 8], normalValues(576, 9)) };

  async function tapped(taps: readonly Tap[], keepOutputs = false) {
    const open = opened(folder.model('taps.onnx', proto));
    const nodesBefore = open.model.graph.nodes.length;
    const { model: copy, outputs } = tapModel(open.model, taps, keepOutputs);
    const session = await openSession(copy, open, { threads: 1, optimization: 'disabled' });
    const ran = await session.value?.run(feeds);
    expect([...session.issues, ...(ran?.issues ?? [])]).toEqual([]);
    expect(open.model.graph.nodes).toHaveLength(nodesBefore);
    return {
      values: outputs.map((names) => names.map((name) => ran?.value?.[name])),
      all: ran?.value ?? {},
      copy,
    };
  }

  it('show values and their extremes, reduced in the graph', async () => {
    const { values } = await tapped([
      { value: 'relu1_out', what: 'all', float: true },
      { value: 'conv1_out', what: 'extremes', float: true },
      { value: 'conv1_out', what: 'all', float: true },
    ]);
    const [relu, [low, high] = [], [conv] = []] = values;
    expect(relu?.[0]?.dims).toEqual([3, 8, 8, 8]);
    const numbers = [...(conv?.data ?? [])].map(Number);
    expect([low?.dims, high?.dims]).toEqual([[], []]);
    expect([low?.data[0], high?.data[0]]).toEqual([Math.min(...numbers), Math.max(...numbers)]);
  });

  it('show a graph input', async () => {
    const { values } = await tapped([{ value: 'input', what: 'all', float: true }]);
    expect(values[0]?.[0]?.data).toEqual(feeds.input.data);
  });

  it('leave out what they do not need, and keep the outputs where asked', async () => {
    const tap: Tap = { value: 'conv1_out', what: 'all', float: true };
    const { copy } = await tapped([tap]);
    expect(copy.graph.nodes.map((one) => one.opType)).toEqual(['Conv']);
    expect([...copy.graph.initializers.keys()]).toEqual(['conv1.weight']);
    expect(Object.keys((await tapped([tap], true)).all)).toEqual(['output', 'conv1_out']);
  });

  it('cast other types to float', async () => {
    const half = model({
      inputs: [valueInfo('x', [3], 'float16')],
      outputs: [{ name: 'y' }],
      nodes: [node('Neg', ['x'], ['y'])],
    });
    const open = opened(folder.model('half.onnx', half));
    const { model: copy, outputs } = tapModel(open.model, [{ value: 'y', what: 'extremes', float: false }]);
    const session = await openSession(copy, open, { threads: 1, optimization: 'disabled' });
    // 1, -2, 0 as float16 codes.
    const ran = await session.value?.run({
      x: runtimeTensor('float16', [3], Uint16Array.of(0x3c00, 0xc000, 0)),
    });
    expect(outputs[0]?.map((name) => ran?.value?.[name]?.data[0])).toEqual([-1, 2]);
  });
});
