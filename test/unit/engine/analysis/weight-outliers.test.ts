/** Elements and columns that decide scales: found wherever they stand, and only there. */
import { describe, expect, it } from 'vitest';
import { columnOutlier, elementOutlier } from '../../../../server/src/engine/analysis/weight-outliers';

/** Seeded values in ±1, none of them 0. */
function weights(count: number): Float32Array {
  let state = 12345;
  return Float32Array.from({ length: count }, () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return (state / 2147483648) * 2 - 1 || 0.5;
  });
}

const SHAPE = [40, 300];

function peaks(data: Float32Array, axis: number): Float32Array {
  const found = new Float32Array(SHAPE[axis] ?? 0);
  data.forEach((value, index) => {
    const at = axis === 0 ? Math.floor(index / 300) : index % 300;
    found[at] = Math.max(found[at] ?? 0, Math.abs(value));
  });
  return found;
}

function element(data: Float32Array, axis: number) {
  return elementOutlier(data, SHAPE, axis, peaks(data, axis));
}

describe.each([0, 1])('outputs on axis %d', (axis) => {
  const channelOf = (row: number, column: number) => (axis === 0 ? row : column);
  it.each([
    [0, 0],
    [17, 113],
    [39, 299],
  ])('an element at %d, %d is found, and what it costs', (row, column) => {
    const data = weights(12000);
    data[row * 300 + column] = -1e5;
    const { channel, ratio = 0, lost, of } = element(data, axis) ?? {};
    expect([channel, lost, of]).toEqual([
      channelOf(row, column),
      axis === 0 ? 299 : 39,
      axis === 0 ? 300 : 40,
    ]);
    expect(ratio).toBeGreaterThan(1e5);
  });
  it.each([
    ['ordinary weights', (data: Float32Array) => data],
    ['a large weight', (data: Float32Array) => data.fill(100, 5, 6)],
    ['weights that are mostly 0', (data: Float32Array) => data.map((value, at) => (at % 10 ? 0 : value))],
    ['nothing but 0', (data: Float32Array) => data.fill(0)],
  ])('%s: none', (_, change) => expect(element(change(weights(12000)), axis)).toBeUndefined());

  it.each([
    [60, true],
    [7, false],
  ])('an input column times %d: found %s', (factor, found) => {
    const data = weights(12000).map((value, index) => {
      const at = axis === 0 ? index % 300 : Math.floor(index / 300);
      return at === 7 ? value * factor : value;
    });
    const one = columnOutlier(data, SHAPE, axis, 8);
    expect(one?.index).toBe(found ? 7 : undefined);
    if (found) expect(one?.ratio).toBeCloseTo(factor, -1);
  });
});

it('has no columns in anything but a matrix', () =>
  expect(columnOutlier(weights(81).fill(900, 0, 9), [3, 3, 3, 3], 0, 8)).toBeUndefined());
