import { describe, expect, it, test } from 'vitest';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import {
  diffPlans,
  makePlan,
  type PlanInput,
  type PlanLayer,
  printPlan,
} from '../../../../server/src/engine/methods/plan';
import { convNet, float, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { folded, planInput, planOf } from '../../../fixtures/quantize';

const noise = (name: string, shape: readonly number[], seed = 1) =>
  tensor(
    name,
    shape,
    normalValues(
      shape.reduce((all, one) => all * one, 1),
      seed,
    ),
  );

/** One layer of every kind: Conv 4-D, ConvTranspose, MatMul [K, N], Gemm [N, K], Gemm scaled by alpha. */
function everyKind(opset = 17): ModelProto {
  return model(
    {
      inputs: [valueInfo('x', ['N', 3, 8, 8])],
      outputs: [valueInfo('y', undefined)],
      initializers: [
        noise('conv.weight', [8, 3, 3, 3]),
        noise('up.weight', [8, 4, 2, 2]),
        noise('matmul.weight', [64, 40]),
        noise('gemm.weight', [24, 40]),
        noise('gemm.bias', [24]),
        noise('scaled.weight', [24, 5]),
        tensor('shape', [2], [-1, 64], 'int64'),
      ],
      nodes: [
        node('Conv', ['x', 'conv.weight'], ['c'], { kernel_shape: [3, 3], strides: [2, 2] }),
        node('ConvTranspose', ['c', 'up.weight'], ['t'], { kernel_shape: [2, 2] }),
        node('Reshape', ['t', 'shape'], ['r']),
        node('MatMul', ['r', 'matmul.weight'], ['m']),
        node('Gemm', ['m', 'gemm.weight', 'gemm.bias'], ['g'], { transB: 1 }),
        node('Gemm', ['g', 'scaled.weight'], ['y'], { alpha: float(0.5) }),
      ],
    },
    { opset },
  );
}

const names = ['conv', 'up', 'matmul', 'gemm', 'scaled'];

/** `weights activations form storage` per layer. */
function summary(layers: readonly PlanLayer[]): Record<string, string> {
  return Object.fromEntries(
    layers.map((one) => [one.name, `${one.weights} ${one.activations} ${one.form} ${one.storage}`]),
  );
}

describe('formats per operator', () => {
  const everywhere = (text: string) => Object.fromEntries(names.map((name) => [name, text]));
  const cases: readonly [asked: string, expected: Readonly<Record<string, string>>, opset: number][] = [
    ['w8a8', everywhere('int8.channel uint8.tensor dequantize int8'), 17],
    ['int8', everywhere('int8.channel float dequantize int8'), 17],
    ['int8.tensor', everywhere('int8.tensor float dequantize int8'), 17],
    [
      'int4',
      {
        conv: 'int4.channel float dequantize int4',
        up: 'int4.channel float dequantize int4',
        matmul: 'int4.group32 float matmul-nbits uint4',
        gemm: 'int4.group32 float matmul-nbits uint4',
        scaled: 'int4.channel float dequantize int4',
      },
      21,
    ],
    ['int3', everywhere('int3.channel float dequantize int4'), 21],
    ['w4a16', everywhere('int4.channel uint16.tensor dequantize int4'), 21],
    ['w5a6', everywhere('int5.channel uint6.tensor dequantize int8'), 17],
    ['uint8.tensor', everywhere('uint8.tensor float dequantize uint8'), 17],
    [
      'int2.group16',
      {
        conv: 'int2.group16 float blocks int4',
        up: 'int2.group16 float blocks int4',
        matmul: 'int2.group16 float matmul-nbits uint2',
        gemm: 'int2.group16 float matmul-nbits uint2',
        scaled: 'int2.group16 float blocks int4',
      },
      21,
    ],
    ['int4.group512', everywhere('int4.group512 float dequantize int4'), 21],
  ];
  test.each(cases)('%s', (asked, expected, opset) => {
    const plan = planOf(folded(everyKind()), asked);
    expect(summary(plan.layers)).toEqual(expected);
    expect(plan.opset).toBe(opset);
    expect(plan.opsetBefore).toBe(17);
  });

  it('counts bytes as stored and with exact widths', () => {
    const sizes = (asked: string) =>
      planOf(folded(everyKind()), asked).layers.map(({ name, bytes, bytesIdeal }) => [
        name,
        bytes,
        bytesIdeal,
      ]);
    // Conv: 216 codes, 8 channels: 8 scales of 4 bytes and 8 zero points.
    expect(sizes('int8')[0]).toEqual(['conv', 216 + 32 + 8, 216 + 32]);
    expect(sizes('int3.channel')[0]).toEqual(['conv', 108 + 32 + 4, 81 + 32]);
    // MatMul 64 × 40: two blocks of 32 per column, one scale each, no zero points.
    expect(sizes('int4')[2]).toEqual(['matmul', 1280 + 320, 1280 + 320]);
    // Gemm 24 × 40: the second block of every row is padded to 32.
    expect(sizes('int4')[3]).toEqual(['gemm', (24 * 64) / 2 + 24 * 2 * 4, (24 * 40) / 2 + 24 * 2 * 4]);
    expect(sizes('uint4.group32')[3]).toEqual(['gemm', 768 + 192 + 24, 480 + 192 + 24]);
  });
});

/** A Resize that opset 13 cannot say. */
const halfPixel = node('Resize', ['c', 'roi', 'scales'], ['y'], {
  coordinate_transformation_mode: 'tf_half_pixel_for_nn',
});

describe('operator set', () => {
  const cases: readonly [asked: string, from: number, to: number][] = [
    ['w8a8', 10, 13],
    ['w8a8', 13, 13],
    ['int4.channel', 13, 21],
    ['int4.channel', 23, 23],
    ['w8a16', 11, 21],
    ['int8.tensor', 10, 10],
  ];
  test.each(cases)('%s on opset %i gives %i', (asked, from, to) => {
    expect(planOf(folded(plain(from)), asked).opset).toBe(to);
  });

  it('stays and uses com.microsoft where an operator cannot be carried over', () => {
    const plan = planOf(folded(plain(11, [halfPixel])), 'w4a8');
    expect(plan.opset).toBe(11);
    expect(plan.opsetObstacle).toBe('y_Resize');
    expect(plan.layers[0]?.changes).toContainEqual({ kind: 'contrib-quantize', needed: 21 });
  });

  it('stays below where 21 is out of reach, and carries over what it can', () => {
    const plan = planOf(folded(plain(12, [node('GroupNormalization', ['c'], ['y'])])), 'int4.channel');
    expect(plan.opset).toBe(12);
    const group = [
      node('Resize', ['c', '', 'scales'], ['y'], { coordinate_transformation_mode: 'asymmetric' }),
    ];
    expect(planOf(folded(plain(12, group)), 'int4.channel').opset).toBe(21);
  });

  it('refuses quantized activations where onnxruntime lacks the operators it would fuse them to', () => {
    const upsample = [node('Upsample', ['c', 'scales'], ['y'])];
    const model = folded(plain(9, upsample));
    const { value, issues } = makePlan({ model, layers: listLayers(model), scheme: 'w8a8' });
    expect(value?.layers[0]).toMatchObject({ weights: 'int8.channel', activations: 'float' });
    expect(issues.map((one) => [one.code, one.severity])).toEqual([['R02', 'error']]);
  });

  function plain(opset: number, rest = [node('Relu', ['c'], ['y'])]): ModelProto {
    return model(
      {
        inputs: [valueInfo('x', ['N', 3, 8, 8])],
        outputs: [valueInfo('y', undefined)],
        initializers: [
          noise('conv.weight', [8, 3, 3, 3]),
          tensor('scales', [4], [1, 1, 2, 2]),
          tensor('roi', [0], []),
        ],
        nodes: [node('Conv', ['x', 'conv.weight'], ['c'], { kernel_shape: [3, 3] }), ...rest],
      },
      { opset, irVersion: 7 },
    );
  }
});

describe('who decides', () => {
  const recipe = `{"model": "m.onnx",
    "default": {"weights": "int8.channel", "activations": "uint8.tensor", "estimator": "min-max"},
    "layers": [{"match": "conv*", "weights": "int4.channel"}, {"match": "fc", "keep": "float"}]}`;
  const cases: readonly [name: string, input: Partial<PlanInput>, expected: Record<string, string>][] = [
    [
      'recipe',
      planInput(recipe),
      {
        conv1: 'int4.channel uint8.tensor rule',
        conv2: 'int4.channel uint8.tensor rule',
        fc: 'float float rule',
      },
    ],
    [
      'keep-float flag wins',
      { ...planInput(recipe), keepFloat: ['conv2'] },
      {
        conv1: 'int4.channel uint8.tensor rule',
        conv2: 'float float keep-float',
        fc: 'float float rule',
      },
    ],
    [
      'scheme replaces the default',
      { ...planInput(recipe), scheme: 'w8a16' },
      {
        conv1: 'int4.channel uint16.tensor rule',
        conv2: 'int4.channel uint16.tensor rule',
        fc: 'float float rule',
      },
    ],
    [
      'scheme alone',
      { scheme: 'int8' },
      {
        conv1: 'int8.channel float scheme',
        conv2: 'int8.channel float scheme',
        fc: 'int8.channel float scheme',
      },
    ],
    [
      'rules without a default',
      planInput('{"model": "m", "layers": [{"match": "fc", "weights": "int8"}]}'),
      {
        conv1: 'float float default',
        conv2: 'float float default',
        fc: 'int8.channel float rule',
      },
    ],
  ];
  test.each(cases)('%s', (_name, input, expected) => {
    const { layers } = planOf(folded(convNet()), input);
    expect(
      Object.fromEntries(layers.map((one) => [one.name, `${one.weights} ${one.activations} ${one.why.by}`])),
    ).toEqual(expected);
  });

  it('takes the estimator of the flag, the recipe, else mse', () => {
    const model = folded(convNet());
    expect(planOf(model, { ...planInput(recipe), estimator: 'entropy' }).estimator).toBe('entropy');
    expect(planOf(model, recipe).estimator).toBe('min-max');
    expect(planOf(model, 'w8a8').estimator).toBe('mse');
  });
});

describe('fate of rules', () => {
  const cases: readonly [layers: string, flags: Partial<PlanInput>, expected: readonly unknown[]][] = [
    [
      '[{"match": "conv3", "weights": "int8"}]',
      {},
      [['R01', { match: 'conv3', nearest: 'conv1' }, 'warning']],
    ],
    ['[{"match": "encoder.*", "weights": "int8"}]', {}, [['R01', { match: 'encoder.*' }, 'warning']]],
    ['[]', { keepFloat: ['fx'] }, [['R01', { match: 'fx', nearest: 'fc' }, 'warning']]],
    [
      '[{"match": "conv1", "weights": "int4"}, {"match": "conv*", "weights": "int8"}]',
      {},
      [['R03', { match: 'conv1', by: 'conv*' }, 'warning']],
    ],
    [
      '[{"match": "conv*", "weights": "nf4"}]',
      {},
      [
        [
          'R02',
          {
            match: 'conv*',
            format: 'nf4',
            reason: 'not implemented; nearest is int4.group32',
            names: ['conv2'],
          },
          'error',
        ],
      ],
    ],
    [
      '[{"match": "fc", "activations": "fp8e4m3"}]',
      {},
      [
        [
          'R02',
          { match: 'fc', format: 'fp8e4m3', reason: 'not implemented; nearest is uint8.tensor' },
          'error',
        ],
      ],
    ],
    ['[{"match": "fc", "weights": "int4"}]', {}, []],
  ];
  test.each(cases)('%s', (layers, flags, expected) => {
    const text = `{"model": "m", "default": {"weights": "int8.channel"}, "layers": ${layers}}`;
    const model = folded(convNet());
    const { value, issues } = makePlan({ model, layers: listLayers(model), ...planInput(text), ...flags });
    expect(value).toBeDefined();
    expect(issues.map((one) => [one.code, one.facts, one.severity])).toEqual(expected);
    const rule = issues.find((one) => one.code !== 'R01' || !flags.keepFloat);
    if (rule)
      expect(rule.anchor.span).toEqual([
        text.indexOf('"match": ') + 9,
        text.indexOf('"match": ') + 9 + `"${matchOf(layers)}"`.length,
      ]);
  });

  it('keeps a refused layer float and says so in the plan', () => {
    const [layer] = planOf(
      folded(convNet()),
      planInput('{"model": "m", "default": {"weights": "nvfp4"}}'),
    ).layers;
    expect(layer).toMatchObject({
      weights: 'float',
      form: 'float',
      changes: [{ kind: 'kept-float', part: 'weights' }],
    });
  });

  function matchOf(layers: string): string {
    return (JSON.parse(layers) as { match: string }[])[0]?.match ?? '';
  }
});

describe('without a plan', () => {
  const cases: readonly [name: string, input: Partial<PlanInput>, code: string][] = [
    ['nothing asked', {}, 'scheme-unknown'],
    ['unknown scheme', { scheme: 'w9a9' }, 'scheme-unknown'],
    ['format without numerics', { scheme: 'mxfp4' }, 'not-implemented'],
    ['unknown estimator', { scheme: 'w8a8', estimator: 'median' }, 'recipe-value'],
    ['no layers', { scheme: 'w8a8', layers: [] }, 'no-layers'],
  ];
  test.each(cases)('%s', (_name, input, code) => {
    const model = folded(convNet());
    const { value, issues } = makePlan({ model, layers: listLayers(model), ...input });
    expect(value).toBeUndefined();
    expect(issues.map((one) => one.code)).toEqual([code]);
  });
});

it('prints a plan, one layer a line', () => {
  const text = `{"model": "m", "default": {"weights": "int4", "activations": "uint8.tensor"}, "layers": [{"match": "fc", "keep": "float"}]}`;
  expect(printPlan(planOf(folded(convNet()), text))).toMatchInlineSnapshot(`
    "target ort-cpu  scheme recipe  estimator mse  opset 21 (was 17)
    conv1  Conv  int4.channel  uint8.tensor  dequantize int4  148 B  default    int4 is int4.channel
    conv2  Conv  int4.channel  uint8.tensor  dequantize int4  76 B   default    int4 is int4.channel
    fc     Gemm  float         float                          320 B  rule 1 fc
    "
  `);
});

it('lists layers that two plans treat differently', () => {
  const model = folded(convNet());
  const before = planOf(model, 'w8a8');
  const after = planOf(model, { scheme: 'w8a8', keepFloat: ['conv1'] });
  expect(diffPlans(before, before)).toEqual([]);
  expect(diffPlans(before, after).map((one) => [one.name, one.before?.weights, one.after?.weights])).toEqual([
    ['conv1', 'int8.channel', 'float'],
  ]);
});

describe('layers that are quantized already', () => {
  const net = (quantized: readonly boolean[]) =>
    model({
      inputs: [valueInfo('x', ['N', 8])],
      outputs: [valueInfo('y', undefined)],
      initializers: quantized.flatMap((codes, index) =>
        codes
          ? [tensor(`w${index}`, [8, 8], Array<number>(64).fill(1), 'int8'), tensor(`s${index}`, [], [0.1])]
          : [noise(`w${index}`, [8, 8])],
      ),
      nodes: quantized.flatMap((codes, index) => {
        const [from, to] = [
          index === 0 ? 'x' : `h${index}`,
          index === quantized.length - 1 ? 'y' : `h${index + 1}`,
        ];
        if (!codes) return [node('MatMul', [from, `w${index}`], [to])];
        return [
          node('DequantizeLinear', [`w${index}`, `s${index}`], [`d${index}`]),
          node('MatMul', [from, `d${index}`], [to]),
        ];
      }),
    });
  test.each([
    [[true, false], 'warning'],
    [[true, true], 'error'],
  ] as const)('%j: %s', (quantized, severity) => {
    const before = folded(net(quantized));
    const { value, issues } = makePlan({ model: before, layers: listLayers(before), scheme: 'int8' });
    expect(value?.layers.map((one) => one.weights)).toEqual(
      quantized.map((codes) => (codes ? 'float' : 'int8.channel')),
    );
    expect(issues.map((one) => [one.code, one.severity])).toEqual([['R02', severity]]);
  });
});
