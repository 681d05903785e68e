/** The row of a layer that is quantized already: what the command line prints, as data for the editor. */
import { describe, expect, it } from 'vitest';
import type { QuantizedLayerFacts, UnfusedNode } from '../../../server/src/protocol/reports';
import { quantizedRow } from '../../../server/src/rules/quantized-row';
import { layer } from './fixtures';

const facts: QuantizedLayerFacts = {
  form: 'qdq',
  weightBits: 8,
  weightSigned: true,
  granularity: 'channel',
  codesUsed: 118,
  effectiveLevels: 40.5,
  saturatedShare: 0.01,
  zeroPointNonZero: false,
  badScales: 0,
  scaleSpread: 3,
  accumulatorPeak: 1e6,
  lowestCode: -127,
  highestCode: 127,
  zeroPointsDiffer: false,
  negativeScales: 0,
  fractionalZeroPoints: 0,
  reduction: 72,
  reach: { median: 127, least: 127, channel: 0 },
};

describe('the row of a quantized layer', () => {
  const check = (
    change: Partial<QuantizedLayerFacts>,
    expected: Readonly<Record<string, unknown>>,
    unfused: readonly UnfusedNode[] = [],
  ) =>
    expect(quantizedRow(layer('a', { quantized: { ...facts, ...change } }), unfused)).toMatchObject(expected);

  it('tells the codes of all that the width has', () => {
    check({}, { form: 'qdq', weights: 'int8.channel', codesUsed: 118, levels: 256, endShare: 0.01 });
    check({ weightBits: 4, codesUsed: 15 }, { weights: 'int4.channel', codesUsed: 15, levels: 16 });
  });

  it('names group, sign and zero points of the format', () => {
    const change = { weightBits: 4, weightSigned: false, granularity: 'group', groupSize: 32 } as const;
    check(change, { weights: 'uint4.group32' });
    check({ ...change, zeroPointNonZero: true }, { weights: 'uint4.group32 asym' });
  });

  it('says how it is computed, and why in float, only where that was looked at', () => {
    const unfused = [{ node: '/a', op: 'Conv', layer: 'a', reason: 'bias-scale' }] as const;
    expect(quantizedRow(layer('a', { quantized: facts }), unfused)).not.toHaveProperty('execution');
    check({ fused: true }, { execution: 'integer' }, unfused);
    check({ fused: true, form: 'matmul-n-bits' }, { execution: 'blocks' }, unfused);
    const reason = 'the scale of its bias is not input scale times weight scale';
    check({ fused: false }, { execution: 'float', reason }, unfused);
    expect(quantizedRow(layer('b', { quantized: { ...facts, fused: false } }), unfused)).not.toHaveProperty(
      'reason',
    );
  });

  it('is none of a float layer', () => {
    expect(quantizedRow(layer('a'))).toBeUndefined();
  });
});
