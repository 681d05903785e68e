/** Which columns a window has room for: what matters stays, down to the layer and one figure. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leftOut, type SizedColumn } from '../../../webview/src/model/fit-columns';

const columns: readonly SizedColumn[] = [
  { id: 'name', width: 290 },
  { id: 'output', width: 120 },
  { id: 'op', width: 140, rank: 2 },
  { id: 'shape', width: 110, rank: 3 },
  { id: 'weight', width: 120 },
];

describe('columns that are left out', () => {
  const check = (width: number, expected: readonly string[], most = 'output' as string | null) =>
    expect([...leftOut(columns, width, most ?? undefined)].sort()).toEqual([...expected].sort());

  it('go one after the other as the window gets narrower', () => {
    check(780, []);
    check(779, ['shape']);
    check(670, ['shape']);
    check(669, ['shape', 'op']);
    check(452, ['shape', 'op']);
  });

  it('leave the layer and the figure that says most in a narrow window', () => {
    check(451, ['op', 'shape', 'weight']);
    check(451, ['shape', 'op'], null);
  });

  it('never come back in a narrower window', () => {
    const widths = fc.integer({ min: 100, max: 1500 });
    fc.assert(
      fc.property(widths, widths, (one, other) => {
        const wide = leftOut(columns, Math.max(one, other), 'output');
        const narrow = leftOut(columns, Math.min(one, other), 'output');
        expect([...wide].filter((id) => !narrow.has(id))).toEqual([]);
        expect(narrow.has('name') || narrow.has('output')).toBe(false);
      }),
      { seed: 3 },
    );
  });
});
