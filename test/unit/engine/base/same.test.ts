/** Equality of plain data: against the runtime's own deep comparison, missing fields aside. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { same } from '../../../../server/src/engine/base/same';

const clone = (value: unknown): unknown => JSON.parse(JSON.stringify(value) ?? 'null');

describe('same', () => {
  it('is what deep equality says of any JSON, a copy of itself included', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (one, other) => {
        expect(same(one, other)).toBe(isDeepStrictEqual(one, other));
        expect(same(one, structuredClone(one))).toBe(true);
        expect(same({ one, other }, clone({ one, other }))).toBe(
          isDeepStrictEqual({ one, other }, clone({ one, other })),
        );
      }),
      { seed: 7, numRuns: 1000 },
    );
  });

  const check = (one: unknown, other: unknown, expected: boolean) => {
    expect(same(one, other)).toBe(expected);
    expect(same(other, one)).toBe(expected);
  };

  it('takes a missing field for undefined, and nothing else for it', () => {
    check({ a: 1, b: undefined }, { a: 1 }, true);
    check({ a: 1, b: null }, { a: 1 }, false);
    check({ a: 1 }, { b: 1 }, false);
  });

  it('tells numbers, lists and objects apart', () => {
    check(Number.NaN, Number.NaN, true);
    check([1, 2], [1, 2, 3], false);
    check([], {}, false);
    check({ local: { w8a8: 33.1 } }, { local: { w8a8: 33.2 } }, false);
  });
});
