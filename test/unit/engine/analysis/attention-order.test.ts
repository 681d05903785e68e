/** Kendall's τ-b against hand values and its laws; which Softmax is attention. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kendallTau, OrderOfRows } from '../../../../server/src/engine/analysis/attention-order';

describe('Kendall τ-b', () => {
  it.each([
    [[1, 2, 3, 4], [1, 2, 3, 4], 1],
    [[1, 2, 3, 4], [4, 3, 2, 1], -1],
    // Pairs: 6; discordant only (2, 3): (5 − 1) / 6.
    [[1, 2, 3, 4], [1, 3, 2, 4], 2 / 3],
    // One tie in the second row: 2 concordant of 3 pairs over √(3 · 2).
    [[1, 2, 3], [1, 1, 2], 2 / Math.sqrt(6)],
  ])('of %j and %j', (one, other, expected) => expect(kendallTau(one, other)).toBeCloseTo(expected, 12));

  it('is undefined when a row says nothing', () => {
    expect(kendallTau([1, 1, 1], [1, 2, 3])).toBeUndefined();
    expect(kendallTau([1], [1])).toBeUndefined();
  });
  it('does not change under monotone maps, and lies within ±1', () => {
    const row = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 2, maxLength: 12 });
    fc.assert(
      fc.property(row, row, (one, other) => {
        const length = Math.min(one.length, other.length);
        const [a, b] = [one.slice(0, length), other.slice(0, length)];
        const tau = kendallTau(a, b);
        if (tau === undefined) return;
        expect(Math.abs(tau)).toBeLessThanOrEqual(1 + 1e-12);
        expect(
          kendallTau(
            a.map((value) => value ** 3 + 5),
            b,
          ),
        ).toBeCloseTo(tau, 12);
        expect(kendallTau(b, a)).toBeCloseTo(tau, 12);
      }),
      { seed: 11, numRuns: 300 },
    );
  });
});

describe('rows of attention', () => {
  it('are averaged; rows without order are left out', () => {
    const order = new OrderOfRows('/attn');
    order.add([0.1, 0.2, 0.7, 0.3, 0.3, 0.3], [0.7, 0.2, 0.1, 0.1, 0.2, 0.7], 3);
    expect(order.result()).toEqual({ node: '/attn', tau: -1, rows: 1 });
  });
  it('of another shape are not compared', () => {
    const order = new OrderOfRows('/attn');
    order.add([0.1, 0.9], [0.1, 0.2, 0.7], 3);
    expect(order.result()).toBeUndefined();
  });
});
