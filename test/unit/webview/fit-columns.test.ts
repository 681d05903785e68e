/** Which columns a window has room for: what matters stays, down to the layer and one figure. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ChosenColumns,
  leftOut,
  rankOf,
  type SizedColumn,
} from '../../../webview/src/model/fit-columns';

const columns: readonly SizedColumn[] = [
  { id: 'name', width: 290 },
  { id: 'output', width: 120 },
  { id: 'op', width: 140, rank: 2 },
  { id: 'shape', width: 110, rank: 3 },
  { id: 'weight', width: 120, rank: 1 },
];

describe('columns that are left out', () => {
  const check = (width: number, expected: readonly string[], chosen?: ChosenColumns) =>
    expect([...leftOut(columns, width, chosen)].sort()).toEqual([...expected].sort());

  it('go one after the other as the window gets narrower', () => {
    check(780, []);
    check(779, ['shape']);
    check(670, ['shape']);
    check(669, ['shape', 'op']);
    check(530, ['shape', 'op']);
  });

  it('leave the layer and the figure that says most in a narrow window', () => {
    check(529, ['op', 'shape', 'weight']);
    check(100, ['op', 'shape', 'weight']);
  });

  it('are those that the reader hid, whatever the room, and never those that he asked for', () => {
    check(780, ['weight'], { weight: false });
    check(660, ['weight'], { weight: false });
    check(659, ['weight', 'shape'], { weight: false });
    check(779, ['op'], { shape: true });
    check(100, ['op', 'weight'], { shape: true });
  });

  it('never come back in a narrower window', () => {
    const widths = fc.integer({ min: 100, max: 1500 });
    const choice = fc.dictionary(fc.constantFrom('op', 'shape', 'weight'), fc.boolean());
    fc.assert(
      fc.property(widths, widths, choice, (one, other, chosen) => {
        const wide = leftOut(columns, Math.max(one, other), chosen);
        const narrow = leftOut(columns, Math.min(one, other), chosen);
        expect([...wide].filter((id) => !narrow.has(id))).toEqual([]);
        expect(narrow.has('name') || narrow.has('output')).toBe(false);
      }),
      { seed: 3 },
    );
  });

  it('are in the end all but the name: what can be looked up first, then figures, the plan last of them', () => {
    const ids = [
      'planned',
      'weight:int8.channel',
      'weight:int8.tensor',
      'op',
      'local:w8a8',
      'name',
      'output:w8a8',
      'params',
    ];
    const ranked = ids.filter((id) => rankOf(id) !== undefined);
    expect(ranked.sort((one, other) => (rankOf(other) ?? 0) - (rankOf(one) ?? 0))).toEqual([
      'params',
      'op',
      'local:w8a8',
      'weight:int8.tensor',
      'weight:int8.channel',
      'planned',
      'output:w8a8',
    ]);
  });
});
