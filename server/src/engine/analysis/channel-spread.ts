/** How far the ranges of output channels lie apart, and which channels carry nothing. */

/**
 * Of the range that decides: what is below carries less than 10⁻¹² of its power. Weights of a network are of the order
 * of one, so as an absolute range it is next to nothing too.
 */
const ALIVE = 2 ** -20;

/** Largest value over the median of those that are alive, and where it is. */
export function spreadOf(ranges: ArrayLike<number>): { ratio: number; channel: number; median: number } {
  const all = Array.from(ranges);
  const limit = deadBelow(all);
  const positive = all.filter((range) => range > limit).sort((a, b) => a - b);
  const median = positive[positive.length >> 1];
  if (median === undefined) return { ratio: 1, channel: 0, median: 0 };
  const channel = all.reduce((best, range, index) => (range > (all[best] ?? 0) ? index : best), 0);
  return { ratio: (all[channel] ?? 0) / median, channel, median };
}

/** Channels without weights, also those that folding a vanished BatchNormalization leaves next to nothing of. */
export function deadChannels(ranges: ArrayLike<number>): readonly number[] {
  const all = Array.from(ranges);
  const limit = deadBelow(all);
  return all.flatMap((range, channel) => (range <= limit ? [channel] : []));
}

/**
 * Largest range of a dead channel. The widest channel alone kills no other: one corrupt weight would. Either most
 * channels are far above, or the range is next to nothing in itself.
 */
function deadBelow(ranges: readonly number[]): number {
  const positive = ranges.filter((range) => range > 0).sort((a, b) => a - b);
  const median = positive[positive.length >> 1] ?? 0;
  const widest = positive.at(-1) ?? 0;
  return Math.max(median * ALIVE, Math.min(widest * ALIVE, ALIVE));
}
