/** Weights behind chains of nodes, against the numbers that onnxruntime hands to the operator. */
import { describe, expect, it } from 'vitest';
import { layerFacts } from '../../../../server/src/engine/analysis/quantized-facts';
import { quantizedWeight } from '../../../../server/src/engine/analysis/quantized-weight';
import { realWeight } from '../../../../server/src/engine/analysis/real-weight';
import type { ModelProto, NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { output } from '../../../fixtures/quantize';
import { graphOf } from '../../../fixtures/run-graph';

const [ROWS, COLUMNS] = [6, 4];
const values = normalValues(ROWS * COLUMNS, 3, 0.4);
const codes = Array.from({ length: ROWS * COLUMNS }, (_, index) => ((index * 37) % 255) - 127);

interface Chain {
  readonly what: string;
  readonly stored: TensorProto;
  readonly constants: readonly TensorProto[];
  /** From `w` to `wd`. */
  readonly nodes: readonly NodeProto[];
}

const perTensor = (name: string, scale: number, zero: number, type: 'uint8' | 'int8') => [
  tensor(`${name}_s`, [], [scale]),
  tensor(`${name}_z`, [], [zero], type),
];
const perColumn = (name: string, size: number) => [
  tensor(
    `${name}_s`,
    [size],
    Array.from({ length: size }, (_, index) => 0.002 * (index + 1)),
  ),
  tensor(
    `${name}_z`,
    [size],
    Array.from({ length: size }, (_, index) => index),
    'int8',
  ),
];
const q = (from: string, to: string, name: string, attributes = {}) =>
  node('QuantizeLinear', [from, `${name}_s`, `${name}_z`], [to], attributes);
const dq = (from: string, to: string, name: string, attributes = {}) =>
  node('DequantizeLinear', [from, `${name}_s`, `${name}_z`], [to], attributes);
const real = tensor('w', [ROWS, COLUMNS], values);
const integers = tensor('w', [ROWS, COLUMNS], codes, 'int8');
const turned = tensor('w', [COLUMNS, ROWS], codes, 'int8');

const chains: readonly Chain[] = [
  {
    what: 'a float weight that is quantized at every run',
    stored: real,
    constants: perTensor('p', 0.006, 128, 'uint8'),
    nodes: [q('w', 'c', 'p'), dq('c', 'wd', 'p')],
  },
  {
    what: 'codes that are dequantized per channel and quantized again',
    stored: integers,
    constants: [...perColumn('a', COLUMNS), ...perTensor('p', 0.006, 120, 'uint8')],
    nodes: [
      dq('w', 'r', 'a', { axis: 1 }),
      node('Identity', ['r'], ['i']),
      q('i', 'c', 'p'),
      dq('c', 'wd', 'p'),
    ],
  },
  {
    what: 'codes that are turned before they are dequantized',
    stored: turned,
    constants: perColumn('a', COLUMNS),
    nodes: [node('Transpose', ['w'], ['t'], { perm: [1, 0] }), dq('t', 'wd', 'a', { axis: 1 })],
  },
  {
    what: 'codes that are dequantized and then turned',
    stored: turned,
    constants: perColumn('a', COLUMNS),
    nodes: [dq('w', 'r', 'a', { axis: 0 }), node('Transpose', ['r'], ['wd'], { perm: [1, 0] })],
  },
  {
    what: 'a float weight that is turned and quantized per channel',
    stored: tensor('w', [COLUMNS, ROWS], values),
    constants: perColumn('a', COLUMNS),
    nodes: [
      node('Transpose', ['w'], ['t'], { perm: [1, 0] }),
      q('t', 'c', 'a', { axis: 1 }),
      dq('c', 'wd', 'a', { axis: 1 }),
    ],
  },
  {
    what: 'codes that are turned, dequantized and given another shape',
    stored: tensor('w', [COLUMNS, ROWS], codes, 'int8'),
    constants: [...perColumn('a', COLUMNS), tensor('shape', [2], [ROWS, COLUMNS], 'int64')],
    nodes: [
      node('Transpose', ['w'], ['t'], { perm: [1, 0] }),
      dq('t', 'r', 'a', { axis: 1 }),
      node('Reshape', ['r', 'shape'], ['wd']),
    ],
  },
];

function net({ stored, constants, nodes }: Chain): ModelProto {
  return model({
    inputs: [valueInfo('x', ['N', ROWS])],
    outputs: [valueInfo('y', ['N', COLUMNS])],
    initializers: [stored, ...constants],
    nodes: [...nodes, node('MatMul', ['x', 'wd'], ['y'])],
  });
}

/** The weight, read off the products with the rows of the identity. */
async function weightOf(proto: ModelProto): Promise<readonly number[]> {
  const identity = Float32Array.from({ length: ROWS * ROWS }, (_, at) => (at % (ROWS + 1) === 0 ? 1 : 0));
  return output(proto, { x: { data: identity, shape: [ROWS, ROWS] } }, 'disabled');
}

describe('a weight behind nodes', () => {
  it.each(chains)('is what onnxruntime multiplies with: $what', async (chain) => {
    const proto = net(chain);
    const exact = await weightOf(proto);
    const [layer] = listLayers(graphOf(proto));
    if (!layer) throw new Error('no layer');
    const read = realWeight(layer).value ?? [];
    // Output channel first.
    const expected = exact.map((_, at) => exact[(at % ROWS) * COLUMNS + Math.floor(at / ROWS)] ?? 0);
    expect(read.length).toBe(expected.length);
    for (const [at, value] of expected.entries()) expect(read[at]).toBeCloseTo(value, 6);
  });

  it('has the codes that are made last', () => {
    const [, again] = chains;
    const [layer] = again ? listLayers(graphOf(net(again))) : [];
    const stored = layer && quantizedWeight(layer);
    expect(stored).toMatchObject({ bits: 8, signed: false, granularity: 'tensor' });
    expect((layer && layerFacts(layer))?.codesUsed).toBeGreaterThan(10);
  });

  it('is read as codes by an operator that takes them, also where they are made at every run', () => {
    const scales = perTensor('p', 0.006, 128, 'uint8');
    const proto = model({
      inputs: [valueInfo('x', ['N', ROWS], 'uint8')],
      outputs: [valueInfo('y', ['N', COLUMNS], 'uint8')],
      initializers: [real, ...scales],
      nodes: [
        q('w', 'c', 'p'),
        node('QLinearMatMul', ['x', 'p_s', 'p_z', 'c', 'p_s', 'p_z', 'p_s', 'p_z'], ['y']),
      ],
    });
    const [layer] = listLayers(graphOf(proto));
    const read = (layer && realWeight(layer).value) ?? [];
    values.forEach((value, at) => {
      const clipped = Math.min(0.006 * 127, Math.max(-0.006 * 128, value));
      const channelFirst = (at % COLUMNS) * ROWS + Math.floor(at / COLUMNS);
      expect(Math.abs((read[channelFirst] ?? Number.NaN) - clipped)).toBeLessThan(0.0031);
    });
  });
});
