/** What layers may become agrees with what the plan does and what targets are known to run. */
import { describe, expect, it } from 'vitest';
import { becomesOf, unwritableReason } from '../../../../server/src/engine/analysis/becomes';
import type { ModelProto, NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { type Layer, listLayers } from '../../../../server/src/engine/graph/layers';
import { targets } from '../../../../server/src/engine/methods/targets';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { planOf } from '../../../fixtures/quantize';
import { graphOf } from '../../../fixtures/run-graph';

const weight = (name: string, shape: readonly number[], type: 'float' | 'float16' | 'int8' = 'float') => {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = type === 'int8' ? new Array(size).fill(1) : normalValues(size, 1);
  return tensor(name, shape, values, type);
};

const net = (nodes: readonly NodeProto[], constants: readonly TensorProto[]): ModelProto =>
  model({
    inputs: [valueInfo('x', undefined)],
    outputs: [valueInfo(nodes.at(-1)?.outputs[0] ?? '', undefined)],
    initializers: constants,
    nodes,
  });
const single = (op: string, shape: readonly number[], type?: 'float' | 'float16' | 'int8', attributes = {}) =>
  net([node(op, ['x', 'w'], ['y'], attributes)], [weight('w', shape, type)]);
const table = (shape: readonly number[], axis = 0) =>
  net([node('Gather', ['w', 'x'], ['y'], { axis })], [weight('w', shape)]);

/** Forms as `form bits`, those that are written with a star. */
const cases: readonly (readonly [string, ModelProto, readonly string[]])[] = [
  [
    'Conv',
    single('Conv', [4, 3, 3, 3]),
    ['integer 4/8*', 'qoperator 8', 'dynamic 8', 'dequantized 2/4/8/16*'],
  ],
  ['ConvTranspose', single('ConvTranspose', [4, 3, 3, 3]), ['dequantized 2/4/8/16*']],
  [
    'MatMul',
    single('MatMul', [4, 3]),
    ['integer 4/8*', 'qoperator 8', 'blocks 2/4/8*', 'dynamic 8', 'dequantized 2/4/8/16*'],
  ],
  [
    'a stack of matrices',
    single('MatMul', [2, 4, 3]),
    ['integer 4/8*', 'qoperator 8', 'dynamic 8', 'dequantized 2/4/8/16*'],
  ],
  ['half precision', single('MatMul', [4, 3], 'float16'), ['dequantized 2/4/8/16*']],
  ['codes', single('MatMulInteger', [4, 3], 'int8'), []],
  ['a table', table([9, 4]), ['blocks 4/8*', 'dequantized 2/4/8/16*']],
  ['a table of columns', table([9, 4], 1), ['dequantized 2/4/8/16*']],
  [
    'LSTM',
    net(
      [node('LSTM', ['x', 'W', 'R'], ['y'], { hidden_size: 3 })],
      [weight('W', [1, 12, 4]), weight('R', [1, 12, 3])],
    ),
    ['dynamic 8', 'dequantized 2/4/8/16*'],
  ],
  [
    'GRU',
    net(
      [node('GRU', ['x', 'W', 'R'], ['y'], { hidden_size: 3 })],
      [weight('W', [1, 9, 4]), weight('R', [1, 9, 3])],
    ),
    ['dequantized 2/4/8/16*'],
  ],
  [
    'a left factor',
    net([node('MatMul', ['w', 'x'], ['y'])], [weight('w', [4, 3])]),
    ['dequantized 2/4/8/16*'],
  ],
  [
    'a computed weight',
    net(
      [node('Reshape', ['w', 's'], ['t']), node('MatMul', ['x', 't'], ['y'])],
      [weight('w', [12]), tensor('s', [2], [4, 3], 'int64')],
    ),
    ['integer 4/8*', 'qoperator 8', 'blocks 2/4/8*', 'dynamic 8', 'dequantized 2/4/8/16*'],
  ],
];

const layerOf = (proto: ModelProto): Layer => {
  const [layer] = listLayers(graphOf(proto));
  if (!layer) throw new Error('no layer');
  return layer;
};

describe('on ort-cpu', () => {
  it.each(cases)('%s', (_, proto, expected) => {
    const forms = becomesOf(layerOf(proto))['ort-cpu'];
    expect(forms.map((one) => `${one.form} ${one.weightBits.join('/')}${one.written ? '*' : ''}`)).toEqual(
      expected,
    );
  });

  it.each(cases.filter(([, proto]) => !layerOf(proto).quantized))(
    'the plan agrees about %s',
    (_, proto, expected) => {
      const written = expected.some((one) => one.endsWith('*'));
      expect(unwritableReason(layerOf(proto)) === undefined).toBe(written);
      const [planned] = planOf(graphOf(proto), 'int8.channel').layers;
      expect(planned?.form !== 'float').toBe(written);
    },
  );

  it('integer forms are those that the target has kernels for', () => {
    const integer = cases.filter(([, , expected]) => expected[0]?.startsWith('integer'));
    const ops = integer.map(([, proto]) => layerOf(proto).op);
    expect(new Set([...ops, 'Gemm'])).toEqual(new Set(Object.keys(targets['ort-cpu'].layerKernels)));
  });
});
