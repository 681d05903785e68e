/** Tables that are looked up: onnxruntime's lookup in our codes returns the rows that the codes stand for. */
import { describe, expect, it } from 'vitest';
import { realWeight } from '../../../../server/src/engine/analysis/real-weight';
import { exportQdq } from '../../../../server/src/engine/export/qdq';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import { dequantizeWeight, quantizeWeight } from '../../../../server/src/engine/numerics/quantize-weight';
import { parseQuantScheme } from '../../../../server/src/engine/numerics/scheme';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { folded, planOf } from '../../../fixtures/quantize';
import { graphOf, runGraph } from '../../../fixtures/run-graph';

const ROWS = 9;

function embedding(width: number, type: 'float' | 'float16' = 'float', axis = 0) {
  return model({
    inputs: [valueInfo('ids', ['N', 3], 'int64')],
    outputs: [valueInfo('y', undefined)],
    initializers: [
      tensor('table.weight', [ROWS, width], normalValues(ROWS * width, 3), type),
      tensor('head.weight', [width, 5], normalValues(width * 5, 4), type),
    ],
    nodes: [
      node('Gather', ['table.weight', 'ids'], ['rows'], { axis }),
      node('MatMul', ['rows', 'head.weight'], ['y']),
    ],
  });
}

const formats: readonly (readonly [string, number])[] = [
  ['int8.channel', 40],
  ['int8.channel', 7],
  ['int8.tensor', 40],
  ['int8.channel.asym', 40],
  ['uint8.channel', 40],
  ['int8.group16', 40],
  ['uint8.group32', 40],
  ['int6.channel', 40],
  ['int4.channel', 40],
  ['int4.channel', 6],
  ['int4.group16', 40],
  ['int4.group16.asym', 40],
  ['uint4.group32', 40],
  ['uint4.channel.sym', 40],
  ['int3.channel', 40],
  ['int2.tensor', 40],
];

const ids = { shape: [3, 3], data: BigInt64Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8], BigInt) };

describe('a table', () => {
  it.each(formats)('in %s, rows of %i', async (format, width) => {
    const float = folded(embedding(width));
    const plan = planOf(float, format);
    const [planned] = plan.layers;
    expect(planned).toMatchObject({
      name: 'table',
      weights: format,
      activations: 'float',
      form: 'gather-blocks',
    });
    const copy = cloneModel(float);
    const { value } = exportQdq({ model: copy, plan });
    if (!value) throw new Error('no export');
    const [twin] = listLayers(value);
    expect(twin).toMatchObject({
      op: 'com.microsoft.GatherBlockQuantized',
      quantized: true,
      shape: [ROWS, width],
    });
    // Predicted bytes are those of the constants that the node reads.
    const stored = twin?.node.inputs.flatMap((input) => (input?.tensor ? [input.tensor] : [])) ?? [];
    const bytes = stored.reduce((sum, one) => sum + one.size * (one.dataType === 1 ? 4 : 1), 0);
    expect(planned?.bytes).toBe(bytes);

    const rows = twin?.node.output();
    if (!rows) throw new Error('no rows');
    value.graph.outputs.splice(0, 1, rows);
    const { rows: read } = await runGraph(value, { ids });
    const scheme = parseQuantScheme(format).value;
    const table = listLayers(float)[0]?.tensor.toFloat32().value;
    if (!scheme || !table) throw new Error('no table');
    const expected = dequantizeWeight(quantizeWeight(table, [ROWS, width], 0, scheme), [ROWS, width], 0);
    expect(read?.values).toEqual(Array.from(expected));
    // The same rows are read back from the file.
    const known = twin && realWeight(twin).value;
    expect(Array.from(known ?? [])).toEqual(Array.from(expected));
  });

  const dequantized: readonly (readonly [string, ReturnType<typeof embedding>, string])[] = [
    ['16 bits', embedding(40), 'int16.channel'],
    ['4 bits in rows of odd length', embedding(7), 'int4.channel'],
    ['half precision', embedding(40, 'float16'), 'int8'],
    ['columns', embedding(40, 'float', 1), 'int8'],
  ];
  it.each(dequantized)('is dequantized in front of the lookup: %s', (_, proto, format) => {
    const plan = planOf(folded(proto), format);
    expect(plan.layers[0]).toMatchObject({ form: 'dequantize' });
  });

  it('that a product shares is stored for both', async () => {
    const proto = model({
      inputs: [valueInfo('ids', ['N', 3], 'int64')],
      outputs: [valueInfo('y', undefined)],
      initializers: [tensor('table.weight', [ROWS, 32], normalValues(ROWS * 32, 3))],
      nodes: [
        node('Gather', ['table.weight', 'ids'], ['rows']),
        node('Transpose', ['table.weight'], ['t'], { perm: [1, 0] }),
        node('MatMul', ['rows', 't'], ['y']),
      ],
    });
    const float = folded(proto);
    const plan = planOf(float, 'int8');
    expect(plan.layers.map((layer) => [layer.name, layer.weights, layer.form])).toEqual([
      ['table', 'int8.channel', 'gather-blocks'],
      ['table#2', 'int8.channel', 'dequantize'],
    ]);
    const { value } = exportQdq({ model: cloneModel(float), plan });
    if (!value) throw new Error('no export');
    expect(value.graph.initializers.has('table.weight')).toBe(false);
    const [before, after] = [await runGraph(float, { ids }), await runGraph(value, { ids })];
    const error = Math.max(
      ...(after.y?.values ?? []).map((one, at) => Math.abs(one - (before.y?.values[at] ?? 0))),
    );
    expect(error).toBeLessThan(0.5);
    expect(error).toBeGreaterThan(0);
  });
});

it('of codes that are dequantized behind the lookup is read', () => {
  const proto = model({
    inputs: [valueInfo('ids', ['N', 3], 'int64')],
    outputs: [valueInfo('y', undefined)],
    initializers: [
      tensor('table', [2, 3], [0, 128, 255, 127, 129, 3], 'uint8'),
      tensor('s', [], [0.5]),
      tensor('z', [], [128], 'uint8'),
    ],
    nodes: [node('Gather', ['table', 'ids'], ['c']), node('DequantizeLinear', ['c', 's', 'z'], ['y'])],
  });
  const [layer] = listLayers(graphOf(proto));
  expect(layer && Array.from(realWeight(layer).value ?? [])).toEqual([-64, 0, 63.5, -0.5, 0.5, -62.5]);
});
