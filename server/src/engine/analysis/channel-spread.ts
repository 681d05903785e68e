/** How far the ranges of output channels lie apart, and which channels carry nothing. */

/** Of the widest channel's range: what is below carries less than 10⁻¹² of its power and is dead for every format. */
const ALIVE = 2 ** -20;

/** Largest value over the median of those that are alive, and where it is. */
export function spreadOf(ranges: ArrayLike<number>): { ratio: number; channel: number; median: number } {
  const all = Array.from(ranges);
  const largest = all.reduce((best, range) => Math.max(best, range), 0);
  const positive = all.filter((range) => range > largest * ALIVE).sort((a, b) => a - b);
  const median = positive[positive.length >> 1];
  if (median === undefined) return { ratio: 1, channel: 0, median: 0 };
  const channel = all.reduce((best, range, index) => (range > (all[best] ?? 0) ? index : best), 0);
  return { ratio: (all[channel] ?? 0) / median, channel, median };
}

/** Channels without weights, also those that folding a vanished BatchNormalization leaves next to nothing of. */
export function deadChannels(ranges: ArrayLike<number>): readonly number[] {
  const all = Array.from(ranges);
  const largest = all.reduce((best, range) => Math.max(best, range), 0);
  return all.flatMap((range, channel) => (range <= largest * ALIVE ? [channel] : []));
}
