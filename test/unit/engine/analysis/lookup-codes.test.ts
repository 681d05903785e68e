/** A table in codes whose scale stands at whoever reads what is looked up, as QOperator files have it; by hand. */
import { describe, expect, it } from 'vitest';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { compareHandler } from '../../../../server/src/engine/handlers/compare';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf, sqnr } from '../../../fixtures/run-graph';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const microsoft = { domain: 'com.microsoft' } as const;
const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
const ROWS = 12;
const WIDTH = 8;
const SCALE = 0.02;
const ZERO = 120;
const table = normalValues(ROWS * WIDTH, 3, 0.5);
const codes = [...table].map((value) => Math.min(255, Math.max(0, Math.round(value / SCALE) + ZERO)));
const ids = [0, 3, 3, 7, 11, 5, 1, 2];
const head = tensor('head', [WIDTH, 4], normalValues(WIDTH * 4, 4, 0.4));

type Constants = readonly ReturnType<typeof tensor>[];
type Nodes = readonly ReturnType<typeof node>[];
const net = (initializers: Constants, nodes: Nodes) =>
  model(
    {
      inputs: [valueInfo('x', ['N', 2], 'int64')],
      outputs: [valueInfo('y', ['N', 2, 4])],
      initializers,
      nodes,
    },
    { opsets: [{ domain: 'com.microsoft', version: 1 }] },
  );

const float = net(
  [tensor('e', [ROWS, WIDTH], table), tensor('c', [WIDTH], normalValues(WIDTH, 5)), head],
  [
    node('Gather', ['e', 'x'], ['rows']),
    node('Add', ['rows', 'c'], ['sum']),
    node('MatMul', ['sum', 'head'], ['y']),
  ],
);

/** With operators that only move codes between lookup and reader, or none. */
function quantizedNet(moved: boolean) {
  const constant = normalValues(WIDTH, 5);
  return net(
    [
      tensor('e_codes', [ROWS, WIDTH], codes, 'uint8'),
      tensor('e_scale', [], [SCALE]),
      tensor('e_zero', [], [ZERO], 'uint8'),
      tensor(
        'c_codes',
        [WIDTH],
        constant.map((value) => Math.round(value / 0.02) + 128),
        'uint8',
      ),
      tensor('c_scale', [], [0.02]),
      tensor('c_zero', [], [128], 'uint8'),
      tensor('sum_scale', [], [0.04]),
      tensor('sum_zero', [], [128], 'uint8'),
      tensor('same', [3], [0, 0, WIDTH], 'int64'),
      head,
    ],
    [
      node('Gather', ['e_codes', 'x'], [moved ? 'picked' : 'rows']),
      ...(moved ? [node('Reshape', ['picked', 'same'], ['rows'])] : []),
      node(
        'QLinearAdd',
        ['rows', 'e_scale', 'e_zero', 'c_codes', 'c_scale', 'c_zero', 'sum_scale', 'sum_zero'],
        ['sum_codes'],
        {},
        microsoft,
      ),
      node('DequantizeLinear', ['sum_codes', 'sum_scale', 'sum_zero'], ['sum']),
      node('MatMul', ['sum', 'head'], ['y']),
    ],
  );
}

describe('a table of codes whose reader tells the scale', () => {
  it.each([false, true])('is a layer with its true error (moved on the way: %s)', async (moved) => {
    const file = quantizedNet(moved);
    expect(listLayers(graphOf(file)).map(({ name, quantized }) => [name, quantized])).toContainEqual([
      'e_codes',
      true,
    ]);
    const { value, issues } = await compareHandler(
      {
        kind: 'compare',
        float: folder.model('float.onnx', float),
        quantized: folder.model('quantized.onnx', file),
        data: {
          source: folder.npy('ids.npy', [4, 2], 'int64', BigInt64Array.from(ids, BigInt)),
          seed: 0,
          preprocessing: {},
          dimensions: {},
        },
        threads: 1,
        seed: 0,
        dimensions: {},
      },
      context,
    );
    expect(issues.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(issues.map(({ code }) => code)).not.toContain('layer-unmatched');
    const real = codes.map((code) => (code - ZERO) * SCALE);
    const picked = (from: ArrayLike<number>) =>
      ids.flatMap((row) => Array.from({ length: WIDTH }, (_, k) => from[row * WIDTH + k] ?? 0));
    const layer = value?.layers.find(({ name }) => name === 'e');
    expect(layer?.quantized).toMatchObject({
      form: 'qoperator',
      weightBits: 8,
      granularity: 'tensor',
    });
    expect(layer?.quantized?.weightSqnr).toBeCloseTo(sqnr([...table], real), 3);
    expect(layer?.local?.file).toBeCloseTo(sqnr(picked(table), picked(real)), 2);
    expect(layer?.cumulative?.file).toBeCloseTo(layer?.local?.file ?? 0, 2);
  });
});
