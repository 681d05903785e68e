/**
 * Operators that hold weights without an integer kernel, and weights that the graph computes: what is written has the
 * SQNR that is reported, and onnxruntime computes with it what the operator computes with the dequantized weights.
 */
import { describe, expect, it } from 'vitest';
import { storedError } from '../../../../server/src/engine/analysis/stored-error';
import { exportQdq } from '../../../../server/src/engine/export/qdq';
import { plannedScheme, readLayerWeight } from '../../../../server/src/engine/export/weights';
import { encodeModelBytes } from '../../../../server/src/engine/format/onnx-encode';
import type { ModelProto, NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { addInitializer, setInput } from '../../../../server/src/engine/graph/edit';
import type { Model } from '../../../../server/src/engine/graph/ir';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { floatTensor } from '../../../../server/src/engine/graph/tensor';
import { toOnnx } from '../../../../server/src/engine/graph/to-onnx';
import { verify } from '../../../../server/src/engine/graph/verify';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import { dequantizeWeight, quantizeWeight } from '../../../../server/src/engine/numerics/quantize-weight';
import { weightErrors } from '../../../../server/src/engine/numerics/weight-error';
import { graph, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { type Feeds, folded, output, planOf } from '../../../fixtures/quantize';
import { noiseFeeds } from '../../../fixtures/run-graph';

/** Rounding of float32 sums; another weight, scale or axis is far below. */
const SAME_WEIGHTS = 90;
const KERNEL_DECIBEL = 1e-3;

const noise = (name: string, shape: readonly number[], seed = name.length) =>
  tensor(
    name,
    shape,
    normalValues(
      shape.reduce((a, b) => a * b, 1),
      seed,
      0.3,
    ),
  );
const whole = (name: string, values: readonly number[]) => tensor(name, [values.length], values, 'int64');

function net(
  input: readonly (number | string)[],
  nodes: readonly NodeProto[],
  constants: readonly TensorProto[],
  options: { readonly opset?: number; readonly contrib?: boolean } = {},
): ModelProto {
  return model(
    {
      inputs: [valueInfo('x', input)],
      outputs: [valueInfo('y', undefined)],
      initializers: constants,
      nodes,
    },
    {
      opset: options.opset ?? 17,
      ...(options.contrib ? { opsets: [{ domain: 'com.microsoft', version: 1 }] } : {}),
    },
  );
}

const recurrent = (op: string, gates: number, directions: number, outputs: readonly string[]) =>
  net(
    [5, 'N', 32],
    [
      node(op, ['x', 'W', 'R', 'B'], outputs, {
        hidden_size: 8,
        direction: directions === 2 ? 'bidirectional' : 'forward',
      }),
    ],
    [
      noise('W', [directions, gates * 8, 32], 1),
      noise('R', [directions, gates * 8, 8], 2),
      noise('B', [directions, gates * 16], 3),
    ],
  );

/** A body that multiplies once per step; the weight is the body's own or the outer graph's. */
const loop = (inside: boolean) =>
  net(
    [1, 16],
    [node('Loop', ['trips', 'go', 'x'], ['y'], { body: loopBody(inside) })],
    [
      tensor('trips', [], [3], 'int64'),
      tensor('go', [], [1], 'bool'),
      ...(inside ? [] : [noise('w', [16, 16], 4)]),
    ],
  );

function loopBody(inside: boolean) {
  return graph({
    inputs: [valueInfo('step', [], 'int64'), valueInfo('on', [], 'bool'), valueInfo('h', [1, 16])],
    outputs: [valueInfo('still', [], 'bool'), valueInfo('next', [1, 16])],
    initializers: inside ? [noise('w', [16, 16], 4)] : [],
    nodes: [
      node('Identity', ['on'], ['still']),
      node('MatMul', ['h', 'w'], ['product']),
      node('Tanh', ['product'], ['next']),
    ],
  });
}

const branch = (name: string) =>
  graph({
    name,
    inputs: [],
    outputs: [valueInfo(`${name}_y`, undefined)],
    nodes: [
      node('MatMul', ['x', 'shared'], [`${name}_h`]),
      node(name === 'then' ? 'Tanh' : 'Relu', [`${name}_h`], [`${name}_y`]),
    ],
  });

const nets: readonly (readonly [string, ModelProto])[] = [
  ['LSTM', recurrent('LSTM', 4, 1, ['y'])],
  ['LSTM, both directions', recurrent('LSTM', 4, 2, ['y'])],
  ['GRU of which the last state is read', recurrent('GRU', 3, 2, ['', 'y'])],
  ['RNN', recurrent('RNN', 1, 1, ['y'])],
  [
    'Einsum over heads',
    net(
      [1, 6, 32],
      [node('Einsum', ['x', 'w'], ['y'], { equation: 'btd,dhk->bhtk' })],
      [noise('w', [32, 2, 8])],
    ),
  ],
  ['a left factor', net([32, 5], [node('MatMul', ['w', 'x'], ['y'])], [noise('w', [24, 32])])],
  [
    'Attention',
    net(
      [2, 5, 32],
      [node('Attention', ['x', 'w', 'b'], ['y'], { num_heads: 4 }, { domain: 'com.microsoft' })],
      [noise('w', [32, 96]), noise('b', [96])],
      { contrib: true },
    ),
  ],
  [
    'a grouped transposed convolution',
    net(
      [1, 8, 6, 6],
      [node('ConvTranspose', ['x', 'w'], ['y'], { group: 2, kernel_shape: [2, 2] })],
      [noise('w', [8, 6, 2, 2])],
    ),
  ],
  [
    'reshaped in front of the product',
    net(
      ['N', 32],
      [node('Reshape', ['w', 's'], ['flat']), node('MatMul', ['x', 'flat'], ['y'])],
      [noise('w', [8, 4, 16]), whole('s', [32, 16])],
    ),
  ],
  [
    'cut out of one constant, transposed',
    net(
      ['N', 32],
      [
        node('Split', ['w'], ['a', 'b']),
        node('Transpose', ['a'], ['at'], { perm: [1, 0] }),
        node('Transpose', ['b'], ['bt'], { perm: [1, 0] }),
        node('MatMul', ['x', 'at'], ['one']),
        node('MatMul', ['x', 'bt'], ['other']),
        node('Mul', ['one', 'other'], ['y']),
      ],
      [noise('w', [32, 32])],
    ),
  ],
  [
    'a normalised weight',
    net(
      [1, 8, 12],
      [
        node('ReduceL2', ['v'], ['length'], { axes: [1, 2], keepdims: 1 }),
        node('Div', ['v', 'length'], ['unit']),
        node('Mul', ['unit', 'g'], ['w']),
        node('Conv', ['x', 'w'], ['y'], { kernel_shape: [3] }),
      ],
      [noise('v', [16, 8, 3]), noise('g', [16, 1, 1])],
    ),
  ],
  ['a loop with a weight of its own', loop(true)],
  ['a loop with a weight from outside', loop(false)],
  [
    'two branches with one weight',
    net(
      [2, 32],
      [
        node('ReduceSum', ['x'], ['sum'], { keepdims: 0 }),
        node('Greater', ['sum', 'zero'], ['positive']),
        node('If', ['positive'], ['y'], { then_branch: branch('then'), else_branch: branch('else') }),
      ],
      [tensor('zero', [], [0]), noise('shared', [32, 24])],
    ),
  ],
];

const formats = ['int8.channel', 'int8.tensor', 'uint8.channel', 'int4.channel', 'int4.group16'];

describe.each(nets)('%s', (_, proto) => {
  it.each(formats)('in %s', async (format) => {
    const float = folded(proto);
    const plan = planOf(float, format);
    expect(plan.layers.map((layer) => layer.form)).not.toContain('float');
    const { value: made, issues } = exportQdq({ model: cloneModel(float), plan });
    if (!made) throw new Error(JSON.stringify(issues));
    expect(verify(made)).toEqual([]);

    const twins = listLayers(made);
    const layers = listLayers(float);
    expect(twins.map((twin) => twin.quantized)).toEqual(layers.map(() => true));
    for (const [index, layer] of layers.entries()) {
      const planned = plan.layers[index];
      const twin = twins[index];
      const data = layer.tensor.toFloat32().value;
      if (!planned || !twin || !data) throw new Error('a layer has a plan and a twin');
      const reported = weightErrors(data, layer.shape, layer.channelAxis, [planned.weights]).value?.sqnr;
      const stored = storedError(layer, twin)?.weightSqnr ?? Number.NaN;
      expect(Math.abs(stored - (reported?.[planned.weights] ?? 0))).toBeLessThan(KERNEL_DECIBEL);
    }

    const feeds = noiseFeeds(float, 3);
    const wanted = await output(withWeights(float, plan.layers), feeds, 'disabled');
    expect(sqnr(wanted, await output(made, feeds, 'disabled'))).toBeGreaterThan(SAME_WEIGHTS);
    expect(sqnr(wanted, await loaded(made, feeds))).toBeGreaterThan(SAME_WEIGHTS);
    expect(floatElements(made)).toBeLessThan(floatElements(float) / 2);
  });
});

it('stores once what several layers multiply with, also in the branches of an If', () => {
  const branches = nets.find(([name]) => name === 'two branches with one weight')?.[1];
  if (!branches) throw new Error('net');
  const float = folded(branches);
  const { value: made } = exportQdq({ model: cloneModel(float), plan: planOf(float, 'int8.channel') });
  if (!made) throw new Error('no export');
  expect(listLayers(float)).toHaveLength(2);
  const codes = new Set(listLayers(made).map((twin) => twin.tensor));
  expect(codes.size).toBe(1);
});

it('dequantizes in front of a loop, not in each of its turns', () => {
  for (const inside of [true, false]) {
    const float = folded(loop(inside));
    const { value: made } = exportQdq({ model: cloneModel(float), plan: planOf(float, 'int8.channel') });
    expect(made?.graph.nodes.map((one) => one.opType)).toEqual(['DequantizeLinear', 'Loop']);
  }
});

it('leaves a constant that the graph repeats, and says why', () => {
  const repeated = net(
    ['N', 32],
    [node('Expand', ['row', 's'], ['w']), node('MatMul', ['x', 'w'], ['y'])],
    [noise('row', [1, 16]), whole('s', [32, 16])],
  );
  const [layer] = planOf(folded(repeated), 'int8').layers;
  expect(layer).toMatchObject({
    form: 'float',
    changes: [{ kind: 'kept-float', reason: expect.stringMatching(/repeating a smaller constant/) }],
  });
});

it('quantizes the input of a recurrent layer for the weight that reads it, not for its state', () => {
  const [input, state] = planOf(folded(recurrent('LSTM', 4, 1, ['y'])), 'w8a8').layers;
  expect([input?.activations, state?.activations]).toEqual(['uint8.tensor', 'float']);
});

/** The float network with every weight replaced by what its codes stand for. */
function withWeights(float: Model, plan: ReturnType<typeof planOf>['layers']): Model {
  const copy = cloneModel(float);
  for (const [index, layer] of listLayers(copy).entries()) {
    const planned = plan[index];
    const weight = readLayerWeight(layer).value;
    if (!planned || !weight) throw new Error('a layer is planned and can be read');
    const { data, shape, channelAxis, statedShape } = weight;
    const codes = quantizeWeight(data, shape, channelAxis, plannedScheme(planned));
    const values = dequantizeWeight(codes, shape, channelAxis);
    const made = addInitializer(copy.graph, `${layer.name}/replaced`, floatTensor(statedShape, values));
    setInput(layer.node, layer.weightInput, made);
  }
  return copy;
}

/** As a user's runtime computes it, from the bytes of the file. */
function loaded(made: Model, feeds: Feeds): Promise<readonly number[]> {
  expect(encodeModelBytes(toOnnx(made)).issues).toEqual([]);
  return output(made, feeds, 'basic');
}

function floatElements({ graph: top }: Model): number {
  const graphs = [top, ...top.nodes.flatMap((one) => one.subgraphs)];
  const constants = graphs.flatMap((one) => [...one.initializers.values()]);
  return constants.reduce((sum, { tensor: held }) => sum + (held?.dataType === 1 ? held.size : 0), 0);
}

function sqnr(exact: readonly number[], close: readonly number[]): number {
  expect(close).toHaveLength(exact.length);
  const signal = exact.reduce((sum, x) => sum + x * x, 0);
  const error = exact.reduce((sum, x, at) => sum + (x - (close[at] ?? 0)) ** 2, 0);
  return error === 0 ? 120 : 10 * Math.log10(signal / error);
}
