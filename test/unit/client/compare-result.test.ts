/** A comparison that is repeated never leaves less than there was. */
import { describe, expect, it } from 'vitest';
import { besideEarlier, isComplete } from '../../../client/src/compare-result';
import type { CompareView } from '../../../server/src/protocol/views';

const words = { kept: 'Figures of before.', cancelled: 'Cancelled.' };

function view(state: CompareView['state'], figures: readonly number[], problems: readonly string[] = []) {
  const layers = figures.map((db, index) => ({
    name: `layer${index}`,
    op: 'Conv',
    local: db,
    cumulative: db,
    verdict: 'good' as const,
    findings: [],
  }));
  const data = { source: 'folder', samples: figures.length } as CompareView['data'];
  return {
    state,
    trusted: true,
    floatName: 'net.onnx',
    quantizedName: 'net.w8a8.onnx',
    data,
    layers,
    findings: [],
    problems,
  };
}

const earlier = view('done', [40, 30]);

describe('besideEarlier', () => {
  const check = (now: CompareView, sameData: boolean, expected: readonly unknown[]) => {
    const { state, layers, problems } = besideEarlier(now, earlier, sameData, words);
    expect([state, layers.map(({ local }) => local), ...problems]).toEqual(expected);
  };

  it('keeps the figures until new ones come', () => {
    check(view('running', []), false, ['running', [40, 30], 'Figures of before.']);
    check(view('running', [20]), false, ['running', [20]]);
    check(view('done', [20, 10]), true, ['done', [20, 10]]);
  });

  it('keeps them when nothing came, with the reason', () => {
    const kept = 'Cancelled. Figures of before.';
    check(view('cancelled', []), false, ['done', [40, 30], kept]);
    check(view('failed', [], ['No such data.', 'More.']), false, [
      'failed',
      [40, 30],
      'No such data. Figures of before.',
      'More.',
    ]);
  });

  it('prefers all samples to some of the same, yet some of others to all of before', () => {
    check(view('cancelled', [20]), true, ['done', [40, 30], 'Cancelled. Figures of before.']);
    check(view('cancelled', [20]), false, ['cancelled', [20]]);
  });

  it('shows a first comparison as it is', () => {
    const first = view('failed', [], ['No such data.']);
    expect(besideEarlier(first, undefined, true, words)).toBe(first);
  });
});

it('only a comparison at its end with figures is kept', () => {
  const all = [earlier, view('done', []), view('cancelled', [40]), view('running', [40]), view('failed', [])];
  expect(all.map(isComplete)).toEqual([true, false, false, false, false]);
});
