import { describe, expect, test } from 'vitest';
import {
  channelView,
  elementIndex,
  forEachRun,
  forEachScope,
  gatherChannel,
  groupsPerChannel,
  scopeCount,
} from '../../../../server/src/engine/numerics/layout';

const shapes = [
  {
    name: 'Conv',
    shape: [2, 3, 2, 2],
    axis: 0,
    channels: [
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
      [12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23],
    ],
  },
  {
    name: 'MatMul',
    shape: [3, 2],
    axis: -1,
    channels: [
      [0, 2, 4],
      [1, 3, 5],
    ],
  },
  {
    name: 'ConvTranspose',
    shape: [2, 2, 2],
    axis: 1,
    channels: [
      [0, 1, 4, 5],
      [2, 3, 6, 7],
    ],
  },
  { name: 'no channels', shape: [2, 2], axis: null, channels: [[0, 1, 2, 3]] },
  { name: 'a scalar', shape: [], axis: null, channels: [[0]] },
];

describe.each(shapes)('$name', ({ shape, axis, channels }) => {
  const view = channelView(shape, axis);
  const data = Float32Array.from({ length: view.count }, (_, i) => i);

  test('element positions', () => {
    expect(
      channels.map((elements, channel) => elements.map((_, k) => elementIndex(view, channel, k))),
    ).toEqual(channels);
    expect(view).toMatchObject({ channels: channels.length, perChannel: channels[0]?.length });
  });

  test('gathered channels', () => {
    const gathered = channels.map((_, channel) => {
      const target = new Float32Array(view.perChannel);
      gatherChannel(data, view, channel, target);
      return Array.from(target);
    });
    expect(gathered).toEqual(channels);
  });

  test('runs of any stretch name the right channel and position', () => {
    for (let start = 0; start < view.count; start++) {
      for (let length = 1; start + length <= view.count; length++) {
        const seen: number[] = [];
        forEachRun(view, start, length, (channel, k, from, to) => {
          for (let i = from; i < to; i++) {
            expect(elementIndex(view, channel, k + i - from)).toBe(start + i);
            seen.push(start + i);
          }
        });
        expect(seen).toEqual(Array.from({ length }, (_, i) => start + i));
      }
    }
  });
});

test('groups run along the inputs of one channel, the last may be shorter', () => {
  const view = channelView([5, 2], 1);
  expect(groupsPerChannel(view, 2)).toBe(3);
  expect(scopeCount(view, { group: 2 })).toBe(6);
  expect(scopeCount(view, 'channel')).toBe(2);
  expect(scopeCount(view, 'tensor')).toBe(1);
  const scopes = new Array<number>(10);
  forEachScope(view, { group: 2 }, 0, 10, (scope, _channel, from, to) => scopes.fill(scope, from, to));
  // Rows are inputs, columns are channels.
  expect(scopes).toEqual([0, 3, 0, 3, 1, 4, 1, 4, 2, 5]);
  forEachScope(channelView([2, 5], 0), { group: 2 }, 0, 10, (scope, _channel, from, to) =>
    scopes.fill(scope, from, to),
  );
  expect(scopes).toEqual([0, 0, 1, 1, 2, 3, 3, 4, 4, 5]);
});

test('an axis that does not exist is our own mistake', () => {
  expect(() => channelView([2, 3], 2)).toThrow(/axis 2/);
});
