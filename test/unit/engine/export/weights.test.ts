import { describe, expect, it, test } from 'vitest';
import { exportQdq } from '../../../../server/src/engine/export/qdq';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import type { Model } from '../../../../server/src/engine/graph/ir';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { toOnnx } from '../../../../server/src/engine/graph/to-onnx';
import { verify } from '../../../../server/src/engine/graph/verify';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import { unpackMatMulNBits } from '../../../../server/src/engine/numerics/pack';
import { dequantizeWeight, quantizeWeight } from '../../../../server/src/engine/numerics/quantize-weight';
import { parseQuantScheme } from '../../../../server/src/engine/numerics/scheme';
import { KERNEL_DECIBEL } from '../../../../server/src/engine/numerics/tolerances';
import { weightErrors } from '../../../../server/src/engine/numerics/weight-error';
import { float, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { folded, nodeOf, opCounts, output, planOf, run } from '../../../fixtures/quantize';
import { graphOf, noiseFeeds, sqnr } from '../../../fixtures/run-graph';

/** Weight-only layers compute in float32 from the same values; sums differ in order. */
const SAME_WEIGHTS = 100;

const noise = (name: string, shape: readonly number[], seed = 1) =>
  tensor(
    name,
    shape,
    normalValues(
      shape.reduce((all, one) => all * one, 1),
      seed,
    ),
  );

interface Net {
  readonly proto: ModelProto;
  readonly weight: string;
}

function net(
  op: string,
  input: readonly (number | string)[],
  shape: readonly number[],
  attributes = {},
  opset = 17,
): Net {
  const proto = model(
    {
      name: 'transB' in attributes ? 'transposed' : 'plain',
      inputs: [valueInfo('x', input)],
      outputs: [valueInfo('y', undefined)],
      initializers: [noise('layer.weight', shape, 7)],
      nodes: [node(op, ['x', 'layer.weight'], ['y'], attributes)],
    },
    { opset, irVersion: 8 },
  );
  return { proto, weight: 'layer.weight' };
}

/** Sizes that leave every last group short. */
const nets: Readonly<Record<string, Net>> = {
  conv: net('Conv', ['N', 5, 6, 6], [6, 5, 3, 3], { kernel_shape: [3, 3] }),
  depthwise: net('Conv', ['N', 6, 6, 6], [6, 1, 3, 3], { kernel_shape: [3, 3], group: 6 }),
  transpose: net('ConvTranspose', ['N', 6, 4, 4], [6, 5, 2, 2], { kernel_shape: [2, 2] }),
  matmul: net('MatMul', ['N', 50], [50, 7]),
  batched: net('MatMul', [3, 'N', 20], [3, 20, 4]),
  gemm: net('Gemm', ['N', 50], [7, 50], { transB: 1 }),
  scaled: net('Gemm', ['N', 50], [50, 7], { alpha: float(0.5) }),
};

const formats = [
  'int8.channel',
  'int8.tensor',
  'int8.channel.asym',
  'uint8.channel',
  'uint8.tensor.sym',
  'int4.channel',
  'uint4.channel',
  'int4.tensor',
  'int4.group32',
  'int4.group16.asym',
  'uint4.group32',
  'uint3.group16.sym',
  'int3.group32',
  'int2.group16',
  'uint2.group32',
  'int8.group32',
  'int5.group64',
  'int6.channel',
  'int4.group512',
  'int16.channel',
  'int8.group16',
];

describe('stored weights', () => {
  for (const [name, { proto }] of Object.entries(nets)) {
    test.each(formats)(`${name} as %s`, async (format) => {
      await checkStored(proto, format, 17);
    });
  }

  // Below opset 21 groups become rows; above 25 there are 2-bit types.
  for (const opset of [11, 21, 25]) {
    test.each(['int4.group32', 'int2.channel', 'uint4.group16', 'int8.channel'])(
      `opset ${opset}: %s`,
      async (format) => {
        for (const [op, input, shape, attributes] of [
          ['Conv', ['N', 5, 6, 6], [6, 5, 3, 3], { kernel_shape: [3, 3] }],
          ['MatMul', [3, 'N', 20], [3, 20, 4], {}],
        ] as const) {
          // One operator that later sets cannot say keeps the operator set of an old model where it is.
          const { proto } = net(op, input, shape, attributes, opset);
          await checkStored(opset === 11 ? withObstacle(proto, input.length) : proto, format, opset);
        }
      },
    );
  }
});

describe('MatMulNBits', () => {
  it('splits a Gemm into product and bias', async () => {
    const proto = model({
      inputs: [valueInfo('x', ['N', 32])],
      outputs: [valueInfo('y', ['N', 4])],
      initializers: [noise('fc.weight', [4, 32], 1), noise('fc.bias', [4], 2)],
      nodes: [node('Gemm', ['x', 'fc.weight', 'fc.bias'], ['y'], { transB: 1 }, { name: 'fc' })],
    });
    const made = exported(proto, 'int4');
    expect(opCounts(made)).toEqual({ 'com.microsoft.MatMulNBits': 1, Add: 1 });
    const product = nodeOf(made, 'com.microsoft.MatMulNBits');
    expect(product.name).toBe('fc_Q4');
    expect(product.inputs.map((value) => value?.name)).toEqual(['x', 'fc.weight_Q4', 'fc.weight_scales']);
    expect([
      product.int('K', 0),
      product.int('N', 0),
      product.int('bits', 0),
      product.int('block_size', 0),
    ]).toEqual([32, 4, 4, 32]);
    expect(made.opsets.get('com.microsoft')).toBe(1);
    expect(made.opsets.get('')).toBe(17);
    expect([...made.graph.initializers.keys()].sort()).toEqual([
      'fc.bias',
      'fc.weight_Q4',
      'fc.weight_scales',
    ]);
  });

  it('puts the first code in the low nibble, plus 8', () => {
    // Scale 1 by the largest value 7; codes are the values.
    const values = Float32Array.from({ length: 16 }, (_, index) => (index < 2 ? ([7, -3][index] ?? 0) : 0));
    const proto = model({
      inputs: [valueInfo('x', ['N', 16])],
      outputs: [valueInfo('y', ['N', 1])],
      initializers: [tensor('w', [16, 1], values)],
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
    });
    const stored = nodeOf(exported(proto, 'int4.group16'), 'com.microsoft.MatMulNBits').input(1)?.tensor;
    expect(stored?.shape).toEqual([1, 1, 8]);
    // 7 + 8 = 15 low, −3 + 8 = 5 high; zeros are 8 in both nibbles.
    expect(stored?.toIntegers().value).toEqual([0x5f, ...Array<number>(7).fill(0x88)]);
  });

  it('asks for no larger block than a channel fills', () => {
    const made = exported(nets.matmul?.proto ?? missing(), 'int4.group256');
    expect(nodeOf(made, 'com.microsoft.MatMulNBits').int('block_size', 0)).toBe(64);
  });

  it('passes an accuracy level on', () => {
    const before = folded(nets.matmul?.proto ?? missing());
    const made = cloneModel(before);
    exportQdq({ model: made, plan: planOf(before, 'int4'), accuracyLevel: 4 });
    expect(nodeOf(made, 'com.microsoft.MatMulNBits').int('accuracy_level', 0)).toBe(4);
  });
});

describe('codes of a method', () => {
  it('are written as they are', async () => {
    const before = folded(nets.gemm?.proto ?? missing());
    const [layer] = listLayers(before);
    const scheme = parseQuantScheme('int4.group32').value;
    if (!layer || !scheme) throw new Error('layer and scheme');
    const codes = quantizeWeight(
      layer.tensor.toFloat32().value ?? missing(),
      layer.shape,
      layer.channelAxis,
      scheme,
    );
    codes.codes.fill(3);
    const made = cloneModel(before);
    exportQdq({ model: made, plan: planOf(before, 'int4'), codes: new Map([[layer.name, codes]]) });
    expect(Array.from(await storedWeight(made))).toEqual(
      Array.from(dequantizeWeight(codes, layer.shape, layer.channelAxis)),
    );
  });
});

it('reads a weight behind Transpose and Cast as the layer does', async () => {
  const proto = model({
    inputs: [valueInfo('x', ['N', 20])],
    outputs: [valueInfo('y', undefined)],
    initializers: [noise('w', [6, 20], 3)],
    nodes: [
      node('Transpose', ['w'], ['t'], { perm: [1, 0] }),
      node('Cast', ['t'], ['f'], { to: 1 }),
      node('MatMul', ['x', 'f'], ['y']),
    ],
  });
  for (const format of ['int8.channel', 'int4.group16', 'int4.group512']) {
    const before = graphOf(proto);
    const made = cloneModel(before);
    exportQdq({ model: made, plan: planOf(before, format) });
    expect(verify(made)).toEqual([]);
    const feeds = noiseFeeds(before, 3);
    const errors = sqnr(await output(before, feeds, 'disabled'), await output(made, feeds, 'disabled'));
    expect(errors).toBeGreaterThan(format === 'int8.channel' ? 35 : 12);
  }
});

it('dequantizes a float16 weight to float16', async () => {
  const proto = model({
    inputs: [valueInfo('x', ['N', 20])],
    outputs: [valueInfo('y', undefined)],
    initializers: [tensor('w', [20, 6], normalValues(120, 4), 'float16')],
    nodes: [
      node('Cast', ['x'], ['h'], { to: 10 }),
      node('MatMul', ['h', 'w'], ['p']),
      node('Cast', ['p'], ['y'], { to: 1 }),
    ],
  });
  const made = exported(proto, 'int8');
  const feeds = noiseFeeds(made, 3);
  expect(
    sqnr(await output(folded(proto), feeds, 'disabled'), await output(made, feeds, 'disabled')),
  ).toBeGreaterThan(35);
});

it('removes the float weight, also where it was an input', () => {
  const proto = model(
    {
      inputs: [valueInfo('x', ['N', 20]), valueInfo('w', [20, 6])],
      outputs: [valueInfo('y', undefined)],
      initializers: [noise('w', [20, 6])],
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
    },
    { irVersion: 8 },
  );
  const before = graphOf(proto);
  exportQdq({ model: before, plan: planOf(before, 'int8') });
  expect(before.graph.inputs.map((value) => value.name)).toEqual(['x']);
  expect(before.graph.initializers.has('w')).toBe(false);
});

/** The stored weight has the codes of `quantizeWeight`, and the SQNR that reports print; the layer computes with it. */
async function checkStored(proto: ModelProto, format: string, opset: number): Promise<void> {
  const before = folded(proto);
  const [layer] = listLayers(before);
  const scheme = parseQuantScheme(format).value;
  if (!layer || !scheme) throw new Error(`layer and scheme of ${format}`);
  const data = layer.tensor.toFloat32().value ?? missing();
  const expected = dequantizeWeight(
    quantizeWeight(data, layer.shape, layer.channelAxis, scheme),
    layer.shape,
    layer.channelAxis,
  );
  const made = exported(proto, format);
  const stored = await storedWeight(made);
  expect(Array.from(stored)).toEqual(Array.from(expected));
  const reported =
    weightErrors(data, layer.shape, layer.channelAxis, [format]).value?.sqnr[format] ?? missing();
  expect(Math.abs(sqnr(Array.from(data), Array.from(stored)) - reported)).toBeLessThan(KERNEL_DECIBEL);
  expect(made.opsets.get('')).toBeGreaterThanOrEqual(Math.min(opset, 17));

  const reference = cloneModel(before);
  const feeds = noiseFeeds(before, 3);
  const weight = reference.graph.initializers.get(layer.weight.name);
  if (weight) weight.tensor = tensorOf(layer.shape, expected);
  const wanted = await output(reference, feeds, 'disabled');
  expect(sqnr(wanted, await output(made, feeds, 'disabled'))).toBeGreaterThan(SAME_WEIGHTS);
  expect(sqnr(wanted, await output(made, feeds, 'basic'))).toBeGreaterThan(SAME_WEIGHTS);
}

function exported(proto: ModelProto, format: string): Model {
  const before = folded(proto);
  const made = cloneModel(before);
  const { value, issues } = exportQdq({ model: made, plan: planOf(before, format) });
  if (!value) throw new Error(JSON.stringify(issues));
  expect(verify(value)).toEqual([]);
  return value;
}

/** Values of the only layer's weight, in the orientation in which the float model stores it. */
async function storedWeight(made: Model): Promise<ArrayLike<number>> {
  const packed = made.graph.nodes.find((one) => one.op === 'com.microsoft.MatMulNBits');
  if (!packed) return weightInput(made);
  const bytes = (index: number) => {
    const values = packed.input(index)?.tensor?.toIntegers().value;
    return values && Uint8Array.from(values);
  };
  const [k, n] = [packed.int('K', 0), packed.int('N', 0)];
  const blockSize = packed.int('block_size', 0);
  const values = unpackMatMulNBits({
    bits: packed.int('bits', 0),
    blockSize,
    n,
    k,
    blocks: Math.ceil(k / blockSize),
    packed: bytes(1) ?? missing(),
    scales: packed.input(2)?.tensor?.toFloat32().value ?? missing(),
    zeroPoints: bytes(3),
  });
  // The operator means [K, N]; a Gemm with transB, which keeps its Add or not, stores [N, K].
  if (made.graph.name !== 'transposed') return values;
  return Float32Array.from(values, (_, at) => values[(at % k) * n + Math.floor(at / k)] ?? 0);
}

/** The tensor that the layer reads, computed by onnxruntime from the stored codes. */
async function weightInput(made: Model): Promise<ArrayLike<number>> {
  const layer = made.graph.nodes.find((one) =>
    ['Conv', 'ConvTranspose', 'MatMul', 'Gemm'].includes(one.opType),
  );
  const name = layer?.input(1)?.name ?? missing();
  const proto = toOnnx(made);
  const graph = proto.graph ?? missing();
  const feeds = noiseFeeds(made, 1);
  const results = await run({ ...proto, graph: { ...graph, outputs: [{ name }] } }, feeds, 'disabled');
  return results[name] ?? missing();
}

function tensorOf(shape: readonly number[], values: Float32Array) {
  const made = graphOf(
    model({
      nodes: [node('Identity', ['w'], ['y'])],
      outputs: [valueInfo('y', undefined)],
      initializers: [tensor('w', shape, values)],
    }),
  );
  return made.graph.initializers.get('w')?.tensor ?? missing();
}

function withObstacle(proto: ModelProto, rank: number): ModelProto {
  const graph = proto.graph ?? missing();
  const attributes = { coordinate_transformation_mode: 'tf_half_pixel_for_nn' };
  return {
    ...proto,
    graph: {
      ...graph,
      nodes: [...graph.nodes, node('Resize', ['y', 'roi', 'scales'], ['z'], attributes)],
      initializers: [
        ...graph.initializers,
        tensor('roi', [0], []),
        tensor('scales', [rank], Array<number>(rank).fill(1)),
      ],
      outputs: [...graph.outputs, valueInfo('z', undefined)],
    },
  };
}

function missing(): never {
  throw new Error('missing in a test');
}
