import { describe, expect, it, test } from 'vitest';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { parametersFor, quantizeValue } from '../../../../server/src/engine/numerics/affine';
import { dequantizeWeight, quantizeWeight } from '../../../../server/src/engine/numerics/quantize-weight';
import { parseQuantScheme } from '../../../../server/src/engine/numerics/scheme';
import { convNet, gemmNet, matmulNet, model, node, valueInfo } from '../../../fixtures/build';
import { opCounts, optimized, output, quantized } from '../../../fixtures/quantize';
import { sqnr } from '../../../fixtures/run-graph';
import { mobileNet, noise, residualNet } from './fixtures/nets';

/** Equivalent executions of one quantized network flip single rounding decisions: measured 37 dB and more. */
const SAME_NETWORK = 34;
/** One layer computed in float32 from identical codes: only the order of sums differs. */
const SAME_LAYER = 100;
const UINT8 = { bits: 8, signed: false, symmetric: false } as const;

/** A zero point per output channel. */
const channelZeros =
  '{"model": "m", "default": {"weights": "int8.channel.asym", "activations": "uint8.tensor"}}';

describe('integer kernels of onnxruntime', () => {
  const cases: readonly [
    name: string,
    proto: ModelProto,
    scheme: string,
    kernels: Readonly<Record<string, number>>,
  ][] = [
    [
      'residual network',
      residualNet(),
      'w8a8',
      { QLinearConv: 5, QLinearAdd: 2, QLinearGlobalAveragePool: 1, QGemm: 1 },
    ],
    ['residual network, 6 bits', residualNet(), 'w6a6', { QLinearConv: 5, QLinearAdd: 2, QGemm: 1 }],
    ['mobile network, Clip inputs', mobileNet(13), 'w8a8', { QLinearConv: 3, QLinearAdd: 1 }],
    ['mobile network, Clip attributes', mobileNet(10), 'w8a8', { QLinearConv: 3, QLinearAdd: 1 }],
    [
      'convolutional classifier',
      convNet(),
      'w8a8',
      { QLinearConv: 2, QLinearGlobalAveragePool: 1, QGemm: 1 },
    ],
    ['MatMul, Relu, MatMul', matmulNet(), 'w8a8', { QLinearMatMul: 1, MatMulIntegerToFloat: 1 }],
    ['Gemm', gemmNet(), 'w8a8', { QGemm: 1 }],
    [
      'zero points that differ between channels',
      convNet(),
      channelZeros,
      { QLinearConv: 2, QLinearGlobalAveragePool: 1, QGemm: 1 },
    ],
    ['the same of a matrix', matmulNet(), channelZeros, { QLinearMatMul: 1, MatMulIntegerToFloat: 1 }],
  ];
  test.each(cases)('%s', async (_name, proto, scheme, kernels) => {
    const { model: made, float: before, feeds } = await quantized(proto, scheme);
    const { ops } = await optimized(made);
    expect(ops).toMatchObject(kernels);
    // Relu and Clip are part of the kernels; the file leaves them out already.
    const fine = scheme !== 'w6a6';
    for (const name of fine ? ['Relu', 'Clip'] : ['Relu']) {
      expect(ops).not.toHaveProperty(name);
      expect(opCounts(made)).not.toHaveProperty(name);
    }
    const expected = await output(before, feeds, 'disabled');
    const simulated = await output(made, feeds, 'disabled');
    const deployed = await output(made, feeds, 'all');
    // With few codes a flipped rounding is worth as much as the quantization itself.
    if (fine) expect(sqnr(simulated, deployed)).toBeGreaterThan(SAME_NETWORK);
    for (const result of [simulated, deployed]) {
      expect(sqnr(expected, result)).toBeGreaterThan(fine ? 25 : 12);
    }
  });
});

describe('one layer equals its formula', () => {
  const perTensor = '{"model": "m", "default": {"weights": "int8.tensor", "activations": "uint8.tensor"}}';
  test.each([
    ['w8a8', 'int8.channel', UINT8],
    ['w5a8', 'int5.channel', UINT8],
    ['w4a8', 'int4.channel', UINT8],
    ['w8a4', 'int8.channel', { ...UINT8, bits: 4 }],
    ['w8a16', 'int8.channel', { ...UINT8, bits: 16 }],
    [channelZeros, 'int8.channel.asym', UINT8],
    [perTensor, 'int8.tensor', UINT8],
  ] as const)('%s', async (asked, format, activations) => {
    for (const net of [gemmNet(), pointwise()]) {
      const { model: made, float: before, feeds, ranges } = await quantized(net, asked);
      const [layer] = listLayers(before);
      const input = Object.entries(feeds)[0];
      const scheme = parseQuantScheme(format).value;
      if (!layer || !input || !scheme) throw new Error('layer, input and scheme');
      const weight = quantizeWeight(
        layer.tensor.toFloat32().value ?? new Float32Array(),
        layer.shape,
        layer.channelAxis,
        scheme,
      );
      const parameters = parametersFor(ranges[input[0]] ?? { min: 0, max: 0 }, activations);
      const codes = Float32Array.from(input[1].data as Float32Array, (x) => quantizeValue(x, parameters));
      const real = codes.map((code) => (code - parameters.zeroPoint) * parameters.scale);
      const values = dequantizeWeight(weight, layer.shape, layer.channelAxis);
      const bias = layer.bias?.tensor?.toFloat32().value ?? new Float32Array(layer.shape[0] ?? 0);
      const expected = linear(real, values, bias, input[1].shape);
      expect(sqnr(expected, await output(made, feeds, 'disabled'))).toBeGreaterThan(biasTolerance(asked));
      expect(sqnr(expected, await output(made, feeds, 'all'))).toBeGreaterThan(biasTolerance(asked));
    }
  });

  /** The bias of an integer kernel is rounded to s_x · s_w, which the formula above does not do. */
  function biasTolerance(asked: string): number {
    return ['w8a8', 'w5a8', 'w4a8', 'w8a4', perTensor, channelZeros].includes(asked) ? 60 : SAME_LAYER;
  }

  function pointwise(): ModelProto {
    return model({
      inputs: [valueInfo('x', ['N', 16, 1, 1])],
      outputs: [valueInfo('y', ['N', 4, 1, 1])],
      initializers: [noise('conv.weight', [4, 16, 1, 1], 5), noise('conv.bias', [4], 6)],
      nodes: [node('Conv', ['x', 'conv.weight', 'conv.bias'], ['y'], { kernel_shape: [1, 1] })],
    });
  }

  /** y = x · Wᵀ + b with W stored [out, in]. */
  function linear(
    x: Float32Array,
    weight: Float32Array,
    bias: Float32Array,
    shape: readonly number[],
  ): number[] {
    const features = shape[1] ?? 1;
    const result: number[] = [];
    for (let sample = 0; sample < x.length / features; sample++) {
      bias.forEach((offset, out) => {
        let sum = offset;
        for (let k = 0; k < features; k++)
          sum += (x[sample * features + k] ?? 0) * (weight[out * features + k] ?? 0);
        result.push(sum);
      });
    }
    return result;
  }
});

describe('a stack of matrices as the weight of a MatMul', () => {
  const stackNet = (shape: readonly number[], opset: number) => {
    const [width = 0] = shape.slice(-2);
    return model(
      {
        inputs: [valueInfo('input', [...shape.slice(0, -2), 5, width])],
        outputs: [valueInfo('output', undefined)],
        initializers: [noise('stack.weight', shape, 3)],
        nodes: [node('MatMul', ['input', 'stack.weight'], ['output'])],
      },
      { opset },
    );
  };
  const weights = [
    'int8.channel',
    'int8.channel.asym',
    'int8.tensor',
    'uint8.channel',
    'int4.channel',
    'int4.group16',
    'int4.group64',
  ];
  const inputs = ['uint8.tensor', 'int8.tensor', 'uint16.tensor'];
  const cases = [13, 21].flatMap((opset) =>
    [
      [3, 16, 4],
      [2, 3, 16, 4],
      [1, 16, 4],
    ].flatMap((shape) =>
      weights.flatMap((format) => inputs.map((activations) => [format, activations, shape, opset] as const)),
    ),
  );
  it.each(cases)(
    'runs with %s weights and %s inputs, %j in opset %i',
    async (format, activations, shape, opset) => {
      const recipe = JSON.stringify({ model: 'm', default: { weights: format, activations } });
      const made = await quantized(stackNet(shape, opset), recipe, 1);
      const exact = await output(made.float, made.feeds, 'disabled');
      const deployed = await output(made.model, made.feeds, 'all');
      expect(sqnr(exact, deployed)).toBeGreaterThan(format.includes('int8') ? 28 : 12);
    },
  );
});
