/** How far channel ranges lie apart: dead channels do not count, and a vanished BatchNormalization makes channels dead. */
import { describe, expect, it } from 'vitest';
import { deadChannels, spreadOf } from '../../../../server/src/engine/analysis/channel-spread';

describe('spread of channel ranges', () => {
  it.each<[ranges: number[], ratio: number, channel: number]>([
    [[1, 2, 4], 2, 2],
    [[3, 3, 3], 1, 0],
    [[0, 0, 0], 1, 0],
    [[0, 1, 8], 1, 2],
    // Two of three channels carry nothing: the third is alone, not 10²⁹ times the others.
    [[1e-29, 2e-29, 4], 1, 2],
    // One corrupt weight kills no channel.
    [[2, 4, 4, 1e7], 2.5e6, 3],
  ])('%j: %d × the median, channel %d', (ranges, ratio, channel) => {
    expect(spreadOf(ranges)).toMatchObject({ ratio, channel });
  });

  it('lists channels that are zero or next to it', () => {
    expect(deadChannels([0, 1, 1e-12, 0.01])).toEqual([0, 2]);
    expect(deadChannels([0, 0])).toEqual([0, 1]);
    expect(deadChannels([3, 2, 1e30, 3])).toEqual([]);
    expect(deadChannels([1e-41, 2e-41])).toEqual([]);
  });
});
