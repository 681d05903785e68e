/** Files that are quantized already: true weight error, facts of codes and scales, facts of the graph, by hand values. */
import { describe, expect, it } from 'vitest';
import { layerFacts } from '../../../../server/src/engine/analysis/quantized-facts';
import { quantizedGraphFacts } from '../../../../server/src/engine/analysis/quantized-graph';
import { quantizedWeight } from '../../../../server/src/engine/analysis/quantized-weight';
import { realWeight } from '../../../../server/src/engine/analysis/real-weight';
import { storedError } from '../../../../server/src/engine/analysis/stored-error';
import type { DataTypeName } from '../../../../server/src/engine/base/dtype';
import { packElements } from '../../../../server/src/engine/base/pack';
import type { ModelProto, NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { type Layer, listLayers } from '../../../../server/src/engine/graph/layers';
import { pairSum, safeAccumulations } from '../../../../server/src/engine/numerics/accumulators';
import { graph, matmulNet, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { quantized } from '../../../fixtures/quantize';
import { graphOf, sqnr } from '../../../fixtures/run-graph';

const contrib = [{ domain: 'com.microsoft', version: 1 }];

/** Gemm with a stored weight [out, in], codes behind DequantizeLinear; activation quantized as stated. */
function storedGemm(codes: TensorProto, scale: TensorProto, zero: TensorProto, attributes = {}): ModelProto {
  return model(
    {
      inputs: [valueInfo('input', ['N', codes.dims[1] ?? 1])],
      outputs: [valueInfo('output', ['N', codes.dims[0] ?? 1])],
      initializers: [
        codes,
        scale,
        zero,
        tensor('input_scale', [], [0.02]),
        tensor('input_zero', [], [128], 'uint8'),
      ],
      nodes: [
        node('QuantizeLinear', ['input', 'input_scale', 'input_zero'], ['input_codes']),
        node('DequantizeLinear', ['input_codes', 'input_scale', 'input_zero'], ['input_real']),
        node('DequantizeLinear', [codes.name, scale.name, zero.name], ['weight'], attributes),
        node('Gemm', ['input_real', 'weight'], ['output'], { transB: 1 }),
      ],
    },
    { opset: 21, irVersion: 10 },
  );
}

function onlyLayer(proto: ModelProto): Layer {
  const [layer] = listLayers(graphOf(proto));
  if (!layer) throw new Error('no layer');
  return layer;
}

function floatGemm(values: Float32Array, shape: readonly [number, number]): Layer {
  return onlyLayer(
    model({
      inputs: [valueInfo('input', ['N', shape[1]])],
      outputs: [valueInfo('output', ['N', shape[0]])],
      initializers: [tensor('fc.weight', shape, values)],
      nodes: [node('Gemm', ['input', 'fc.weight'], ['output'], { transB: 1 })],
    }),
  );
}

/** Asymmetric min-max codes, their real values, and what arithmetic that wraps in the integer type makes of them. */
function asymmetric(values: Float32Array, bits: number) {
  const min = Math.min(0, ...values);
  const max = Math.max(0, ...values);
  const scale = Math.fround((max - min) / (2 ** bits - 1));
  const zero = Math.round(-min / scale);
  const codes = Array.from(values, (value) =>
    Math.min(2 ** bits - 1, Math.max(0, Math.round(value / scale) + zero)),
  );
  const real = codes.map((code) => (code - zero) * scale);
  const wrapped = codes.map((code) => ((code - zero + 2 ** bits) % 2 ** bits) * scale);
  return { scale, zero, codes, real, wrapped };
}

describe('the true error of unsigned weights', () => {
  it.each([
    ['uint8', 8, 39, 45],
    ['uint4', 4, 13, 20],
  ] as const)('%s is that of real numbers, not of wrapped integers', (type, bits, low, high) => {
    const values = normalValues(32 * 64, 7, 0.1);
    const { scale, zero, codes, real, wrapped } = asymmetric(values, bits);
    const exact = Array.from(values);
    const stored = onlyLayer(
      storedGemm(
        tensor('codes', [32, 64], codes, type),
        tensor('scale', [], [scale]),
        tensor('zero', [], [zero], type),
      ),
    );
    const error = storedError(floatGemm(values, [32, 64]), stored);
    expect(error?.weightSqnr).toBeCloseTo(sqnr(exact, real), 4);
    expect(error?.weightSqnr).toBeGreaterThan(low);
    expect(error?.weightSqnr).toBeLessThan(high);
    // What a debugger reports that subtracts zero points in the stored type.
    expect(sqnr(exact, wrapped)).toBeLessThan(0);
  });

  it('names the worst channel', () => {
    const values = normalValues(4 * 64, 3, 1);
    // Channel 2 is small, yet not so small that it carries nothing.
    for (let at = 128; at < 192; at++) values[at] = (values[at] ?? 0) / 5;
    const { scale, zero, codes, real } = asymmetric(values, 4);
    const stored = onlyLayer(
      storedGemm(
        tensor('codes', [4, 64], codes, 'uint4'),
        tensor('scale', [], [scale]),
        tensor('zero', [], [zero], 'uint4'),
      ),
    );
    const error = storedError(floatGemm(values, [4, 64]), stored);
    expect(error?.worstChannel?.channel).toBe(2);
    const channel = (list: ArrayLike<number>) => Array.from(list).slice(128, 192);
    expect(error?.worstChannel?.sqnr).toBeCloseTo(sqnr(channel(values), channel(real)), 3);
  });
});

describe('the real weight of integer operators', () => {
  it('of MatMulInteger has its zero point and the scale multiplied in behind it', () => {
    const proto = model({
      inputs: [valueInfo('input', ['N', 3])],
      outputs: [valueInfo('output', ['N', 2])],
      initializers: [
        tensor('codes', [3, 2], [10, 20, 30, 40, 50, 60], 'uint8'),
        tensor('weight_zero', [], [30], 'uint8'),
        tensor('weight_scale', [], [0.5]),
      ],
      nodes: [
        node('DynamicQuantizeLinear', ['input'], ['a', 'a_scale', 'a_zero']),
        node('MatMulInteger', ['a', 'codes', 'a_zero', 'weight_zero'], ['sum']),
        node('Cast', ['sum'], ['sum_float'], { to: 1 }),
        node('Mul', ['a_scale', 'weight_scale'], ['scales']),
        node('Mul', ['sum_float', 'scales'], ['output']),
      ],
    });
    const layer = onlyLayer(proto);
    // Output channel first.
    expect(Array.from(realWeight(layer).value ?? [])).toEqual([-10, 0, 10, -5, 5, 15]);
    const facts = layerFacts(layer);
    expect(facts).toMatchObject({ form: 'dynamic', weightSigned: false, zeroPointNonZero: true });
    expect(facts?.inputQuantizer).toMatchObject({ bits: 8, scale: null });
  });

  it('of MatMulNBits takes float zero points, which are reported', () => {
    const proto = model(
      {
        inputs: [valueInfo('input', ['N', 16])],
        outputs: [valueInfo('output', ['N', 1])],
        initializers: [
          tensor(
            'codes',
            [1, 1, 8],
            packElements(
              Array.from({ length: 16 }, (_, k) => k),
              4,
            ),
            'uint8',
          ),
          tensor('scales', [1], [2]),
          tensor('zeros', [1], [7.5]),
        ],
        nodes: [
          node(
            'MatMulNBits',
            ['input', 'codes', 'scales', 'zeros'],
            ['output'],
            { K: 16, N: 1, bits: 4, block_size: 16 },
            { domain: 'com.microsoft' },
          ),
        ],
      },
      { opsets: contrib },
    );
    const layer = onlyLayer(proto);
    expect(Array.from(realWeight(layer).value ?? [])).toEqual(
      Array.from({ length: 16 }, (_, k) => (k - 7.5) * 2),
    );
    expect(layerFacts(layer)).toMatchObject({
      form: 'matmul-n-bits',
      weightBits: 4,
      granularity: 'group',
      groupSize: 16,
      codesUsed: 16,
      effectiveLevels: expect.closeTo(16, 9),
      fractionalZeroPoints: 1,
    });
  });

  it.each([2, 8])('of MatMulNBits with %i bits has the middle code for zero', (bits) => {
    const codes = Array.from({ length: 20 }, (_, k) => (k * 7) % 2 ** bits);
    const padded = [...codes, ...Array.from({ length: 12 }, () => 2 ** (bits - 1))];
    const proto = model(
      {
        inputs: [valueInfo('input', ['N', 20])],
        outputs: [valueInfo('output', ['N', 1])],
        initializers: [
          tensor('codes', [1, 2, (16 * bits) / 8], packElements(padded, bits), 'uint8'),
          tensor('scales', [2], [1, 10]),
        ],
        nodes: [
          node(
            'MatMulNBits',
            ['input', 'codes', 'scales'],
            ['output'],
            { K: 20, N: 1, bits, block_size: 16 },
            { domain: 'com.microsoft' },
          ),
        ],
      },
      { opsets: contrib },
    );
    const layer = onlyLayer(proto);
    const expected = codes.map((code, k) => (code - 2 ** (bits - 1)) * (k < 16 ? 1 : 10));
    expect(Array.from(realWeight(layer).value ?? [])).toEqual(expected);
    const facts = layerFacts(layer);
    expect(facts).toMatchObject({
      weightBits: bits,
      zeroPointNonZero: false,
      reduction: 20,
      scaleSpread: 10,
      codesUsed: new Set(codes).size,
    });
    expect(facts).not.toHaveProperty('pairSumPeak');
  });

  it('of a float weight that the file quantizes at every run is what DequantizeLinear gives', () => {
    const proto = model({
      inputs: [valueInfo('input', ['N', 3])],
      outputs: [valueInfo('output', ['N', 1])],
      initializers: [
        tensor('w', [3, 1], [0.26, -0.24, 99]),
        tensor('scale', [], [0.5]),
        tensor('zero', [], [0], 'int8'),
      ],
      nodes: [
        node('QuantizeLinear', ['w', 'scale', 'zero'], ['codes']),
        node('DequantizeLinear', ['codes', 'scale', 'zero'], ['real']),
        node('MatMul', ['input', 'real'], ['output']),
      ],
    });
    expect(Array.from(realWeight(onlyLayer(proto)).value ?? [])).toEqual([0.5, 0, 63.5]);
  });

  it.each(['int8.tensor', 'int4.channel', 'int4.group16'])(
    'of a %s export is that of its codes',
    async (format) => {
      const made = await quantized(matmulNet(32, 64), format);
      for (const layer of listLayers(made.model)) {
        const stored = quantizedWeight(layer);
        if (!stored) throw new Error('not stored quantized');
        const codes = new Int32Array(stored.perChannel);
        stored.read(0, codes, new Int32Array(stored.perChannel));
        expect(codes.some((code) => code !== 0)).toBe(true);
        expect(stored.channels * stored.perChannel).toBe(layer.params);
      }
    },
  );
});

describe('facts of codes and scales', () => {
  const base = { scale: tensor('scale', [2], [0.5, 0.125]), zero: tensor('zero', [2], [0, 0], 'int8') };
  const gemm = (codes: readonly number[]) =>
    layerFacts(
      onlyLayer(storedGemm(tensor('codes', [2, 4], codes, 'int8'), base.scale, base.zero, { axis: 0 })),
    );

  it('are those of hand values', () => {
    const facts = gemm([127, -128, 0, 0, 1, 1, -1, 3]);
    expect(facts).toMatchObject({
      form: 'qdq',
      granularity: 'channel',
      weightBits: 8,
      weightSigned: true,
      codesUsed: 6,
      lowestCode: -128,
      highestCode: 127,
      saturatedShare: 2 / 8,
      scaleSpread: 4,
      zeroPointNonZero: false,
      zeroPointsDiffer: false,
      badScales: 0,
      reduction: 4,
      reach: { median: 128, least: 3, channel: 1 },
      // Σ|w| = 255 in channel 0, activations reach 128 codes from their zero point.
      accumulatorPeak: 255 * 128,
      // Neighbours of channel 0: 127 − 128, −128 + 0, 0 + 0.
      pairSumPeak: 255 * 128,
    });
    // Counts 1, 1, 2, 2, 1, 1 of 8.
    const entropy = -(4 * (1 / 8) * Math.log(1 / 8) + 2 * (2 / 8) * Math.log(2 / 8));
    expect(facts?.effectiveLevels).toBeCloseTo(Math.exp(entropy), 9);
  });

  it('count scales that are no scales', () => {
    const scale = tensor('scale', [3], [0, 1e-39, -0.5]);
    const zero = tensor('zero', [3], [0, 0, 4], 'int8');
    const codes = tensor('codes', [3, 2], [1, 2, 3, 4, 5, 6], 'int8');
    expect(layerFacts(onlyLayer(storedGemm(codes, scale, zero, { axis: 0 })))).toMatchObject({
      badScales: 2,
      negativeScales: 1,
      zeroPointNonZero: true,
      zeroPointsDiffer: true,
    });
  });

  it('read convolutions in the order of their kernels: by position, then by input channel', () => {
    // [1, 2, 1, 2]: w[channel][position]; neighbours in the kernel are 100 and 90, apart in memory.
    const proto = model({
      inputs: [valueInfo('input', ['N', 2, 4, 4])],
      outputs: [valueInfo('output', undefined)],
      initializers: [
        tensor('codes', [1, 2, 1, 2], [100, -5, 90, 7], 'int8'),
        tensor('scale', [], [0.1]),
        tensor('zero', [], [0], 'int8'),
        tensor('input_scale', [], [0.02]),
        tensor('input_zero', [], [0], 'uint8'),
      ],
      nodes: [
        node('QuantizeLinear', ['input', 'input_scale', 'input_zero'], ['input_codes']),
        node('DequantizeLinear', ['input_codes', 'input_scale', 'input_zero'], ['input_real']),
        node('DequantizeLinear', ['codes', 'scale', 'zero'], ['weight']),
        node('Conv', ['input_real', 'weight'], ['output'], { kernel_shape: [1, 2] }),
      ],
    });
    expect(layerFacts(onlyLayer(proto))?.pairSumPeak).toBe(255 * 190);
  });

  it.each([
    [0.01, 0],
    [0.02, 1],
  ])('tell how far the bias scale %s is off', (biasScale, scaleError) => {
    const proto = model({
      inputs: [valueInfo('input', ['N', 2])],
      outputs: [valueInfo('output', ['N', 1])],
      initializers: [
        tensor('codes', [1, 2], [100, -5], 'int8'),
        tensor('scale', [], [0.5]),
        tensor('zero', [], [0], 'int8'),
        tensor('input_scale', [], [0.02]),
        tensor('input_zero', [], [0], 'uint8'),
        tensor('bias', [1], [2147483647], 'int32'),
        tensor('bias_scale', [], [biasScale]),
        tensor('bias_zero', [], [0], 'int32'),
      ],
      nodes: [
        node('QuantizeLinear', ['input', 'input_scale', 'input_zero'], ['input_codes']),
        node('DequantizeLinear', ['input_codes', 'input_scale', 'input_zero'], ['input_real']),
        node('DequantizeLinear', ['codes', 'scale', 'zero'], ['weight']),
        node('DequantizeLinear', ['bias', 'bias_scale', 'bias_zero'], ['bias_real']),
        node('Gemm', ['input_real', 'weight', 'bias_real'], ['output'], { transB: 1 }),
      ],
    });
    const bias = layerFacts(onlyLayer(proto))?.bias;
    expect(bias?.saturated).toBe(1);
    expect(bias?.scaleError).toBeCloseTo(scaleError, 5);
  });
});

describe('accumulators', () => {
  it('hold as many products as EasyQuant states', () => {
    expect([safeAccumulations(8, 16), safeAccumulations(7, 16)]).toEqual([2, 8]);
  });
  it.each([
    [127, 127, 64770],
    [63, 63, 32130],
    [64, 64, 32640],
    [-128, -128, 65280],
    [127, -127, 0],
  ])('add the pair %i, %i up to %i', (first, second, sum) => {
    expect(pairSum(first, second)).toBe(sum);
  });
});

describe('facts of the graph', () => {
  const parameters = (name: string, scale: number, zero: number, type: DataTypeName = 'uint8') => [
    tensor(`${name}_scale`, [], [scale]),
    tensor(`${name}_zero`, [], [zero], type),
  ];
  const quantize = (from: string, to: string, name = to): NodeProto =>
    node('QuantizeLinear', [from, `${name}_scale`, `${name}_zero`], [to]);
  const dequantize = (from: string, to: string, name = from): NodeProto =>
    node('DequantizeLinear', [from, `${name}_scale`, `${name}_zero`], [to]);
  const facts = (initializers: readonly TensorProto[], nodes: readonly NodeProto[], output: string) =>
    quantizedGraphFacts(
      graphOf(
        model({
          inputs: [valueInfo('x', ['N', 4]), valueInfo('y', ['N', 4])],
          outputs: [valueInfo(output, undefined)],
          initializers,
          nodes,
        }),
      ),
    );

  it('are none of a float model', () => {
    expect(facts([], [node('Add', ['x', 'y'], ['z'])], 'z')).toBeUndefined();
  });

  it('find a quantizer between Add and its Relu', () => {
    const nodes = [
      node('Add', ['x', 'y'], ['sum']),
      quantize('sum', 'q'),
      dequantize('q', 'd'),
      node('Relu', ['d'], ['z']),
    ];
    expect(facts(parameters('q', 0.1, 100), nodes, 'z')?.separated).toEqual([
      { node: 'sum_Add', op: 'Add', activation: 'z_Relu' },
    ]);
  });

  it('let a quantizer behind the Relu pass, and one that others read', () => {
    const behind = [
      node('Add', ['x', 'y'], ['sum']),
      node('Relu', ['sum'], ['r']),
      quantize('r', 'q'),
      dequantize('q', 'z'),
    ];
    expect(facts(parameters('q', 0.1, 0), behind, 'z')?.separated).toEqual([]);
    const shared = [
      node('Add', ['x', 'y'], ['sum']),
      quantize('sum', 'q'),
      dequantize('q', 'd'),
      node('Relu', ['d'], ['r']),
      node('Sub', ['r', 'd'], ['z']),
    ];
    expect(facts(parameters('q', 0.1, 100), shared, 'z')?.separated).toEqual([]);
  });

  it('compare the scales of operands', () => {
    const both = [...parameters('a', 0.5, 128), ...parameters('b', 0.05, 128)];
    const nodes = [
      quantize('x', 'a'),
      dequantize('a', 'ad'),
      quantize('y', 'b'),
      dequantize('b', 'bd'),
      node('Add', ['ad', 'bd'], ['z']),
    ];
    const [operands] = facts(both, nodes, 'z')?.operands ?? [];
    expect(operands?.scales.map((scale) => Number(scale.toFixed(4)))).toEqual([0.5, 0.05]);
    const same = [...parameters('a', 0.5, 128), ...parameters('b', 0.5, 100)];
    expect(facts(same, nodes, 'z')?.operands).toEqual([]);
  });

  it('find halves of a quantizer that disagree about 0', () => {
    const nodes = [quantize('x', 'q'), dequantize('q', 'z', 'other')];
    const zeros = facts([...parameters('q', 0.5, 10), ...parameters('other', 0.5, 12)], nodes, 'z')?.zeros;
    expect(zeros).toEqual([{ node: 'z_DequantizeLinear', tensor: 'x', becomes: -1, because: 'pair' }]);
  });

  it.each([
    [0, 12, [{ node: 'p_Pad', tensor: 'q', becomes: -6, because: 'padding' }]],
    [12, 12, []],
  ])('find codes padded with %i where 0 is %i', (pad, zero, expected) => {
    const nodes = [quantize('x', 'q'), node('Pad', ['q', 'pads', 'value'], ['p']), dequantize('p', 'z', 'q')];
    const initializers = [
      ...parameters('q', 0.5, zero),
      tensor('pads', [4], [0, 1, 0, 1], 'int64'),
      tensor('value', [], [pad], 'uint8'),
    ];
    expect(facts(initializers, nodes, 'z')?.zeros).toEqual(expected);
  });

  it('know the runtime by its own operators', () => {
    const proto = model(
      {
        inputs: [valueInfo('x', ['N', 4])],
        outputs: [valueInfo('z', undefined)],
        initializers: parameters('q', 0.5, 1),
        nodes: [node('QuantizeLinear', ['x', 'q_scale', 'q_zero'], ['z'], {}, { domain: 'com.microsoft' })],
      },
      { opsets: contrib },
    );
    expect(quantizedGraphFacts(graphOf(proto))?.target).toBe('ort-cpu');
    expect(facts(parameters('q', 0.5, 1), [quantize('x', 'q'), dequantize('q', 'z')], 'z')?.target).toBe(
      undefined,
    );
  });
});

it('bodies of control flow are looked at too', () => {
  const body = graph({
    outputs: [valueInfo('r', undefined)],
    nodes: [
      node('Add', ['x', 'x'], ['sum']),
      node('QuantizeLinear', ['sum', 's', 'q0'], ['q']),
      node('DequantizeLinear', ['q', 's', 'q0'], ['d']),
      node('Relu', ['d'], ['r']),
    ],
  });
  const proto = model({
    inputs: [valueInfo('x', ['N', 4]), valueInfo('c', [], 'bool')],
    outputs: [valueInfo('z', undefined)],
    initializers: [tensor('s', [], [0.1]), tensor('q0', [], [7], 'uint8')],
    nodes: [node('If', ['c'], ['z'], { then_branch: body, else_branch: body })],
  });
  expect(quantizedGraphFacts(graphOf(proto))?.separated).toHaveLength(2);
});
