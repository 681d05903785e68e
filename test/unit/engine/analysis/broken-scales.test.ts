/** Scales that make no number of a code, each beside one that does. */
import { describe, expect, it } from 'vitest';
import { brokenScales } from '../../../../server/src/engine/analysis/broken-scales';
import { model, node, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf } from '../../../fixtures/run-graph';

/** x → QuantizeLinear → DequantizeLinear → y, four columns, with these scales. */
function pair(scales: readonly number[], axis = 1) {
  const attributes = { axis };
  return graphOf(
    model({
      inputs: [valueInfo('x', [1, 4])],
      outputs: [valueInfo('y', [1, 4])],
      initializers: [tensor('s', scales.length === 1 ? [] : [scales.length], scales)],
      nodes: [
        node('QuantizeLinear', ['x', 's'], ['q'], attributes, { name: 'quantize' }),
        node('DequantizeLinear', ['q', 's'], ['y'], attributes, { name: 'dequantize' }),
      ],
    }),
  );
}

/** A matrix product whose weight has one scale per column. */
function weight(scales: readonly number[]) {
  return graphOf(
    model({
      inputs: [valueInfo('x', [1, 2])],
      outputs: [valueInfo('y', [1, 3])],
      initializers: [tensor('w', [2, 3], [1, 2, 0, 3, 4, 0], 'int8'), tensor('s', [scales.length], scales)],
      nodes: [
        node('DequantizeLinear', ['w', 's'], ['wf'], { axis: 1 }, { name: 'dequantize' }),
        node('MatMul', ['x', 'wf'], ['y']),
      ],
    }),
  );
}

const cases: readonly (readonly [
  what: string,
  model: ReturnType<typeof graphOf>,
  severity: 'error' | 'warning' | undefined,
  reason: string,
])[] = [
  ['a positive scale', pair([0.5]), undefined, ''],
  ['zero', pair([0]), 'error', 'as a scale of QuantizeLinear it is zero'],
  ['below zero', pair([-0.5]), 'error', 'as a scale of QuantizeLinear it is negative'],
  ['infinite', pair([Number.POSITIVE_INFINITY]), 'error', 'as a scale of QuantizeLinear it is not finite'],
  ['one per column', pair([1, 2, 3, 4]), undefined, ''],
  [
    'some of them NaN',
    pair([1, Number.NaN, 0, 4]),
    'error',
    'as a scale of QuantizeLinear it is zero 1 times of 4 and not finite 1 times of 4',
  ],
  ['too few', pair([1, 2, 3]), 'error', 'it has 3 scales for 4 entries of axis 1'],
  ['no such axis', pair([1, 2, 3, 4], 2), 'error', 'its 4 scales run along axis 2 of 2 dimensions'],
  ['an axis from behind', pair([1, 2, 3, 4], -1), undefined, ''],
  ['a weight with negative scales', weight([1, -1, 1]), undefined, ''],
  [
    'a weight with a zero',
    weight([1, 1, 0]),
    'warning',
    'as a scale of DequantizeLinear it is zero 1 times of 3',
  ],
  [
    'a weight of zeros alone',
    weight([0, 0, 0]),
    'error',
    'as a scale of DequantizeLinear it is zero 3 times of 3',
  ],
];

describe('scales that are broken', () => {
  it.each(cases)('%s', (_, one, severity, reason) => {
    const found = brokenScales(one);
    expect(found.map((each) => [each.severity, each.code, each.facts])).toEqual(
      severity === undefined ? [] : [[severity, 'tensor-invalid', { tensor: 's', reason }]],
    );
    for (const { anchor } of found)
      expect(anchor).toMatchObject({ node: expect.stringMatching(/quantize$/) });
  });
});
