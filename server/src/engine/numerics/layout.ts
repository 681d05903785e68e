/**
 * How the output channels of a weight lie in memory, for any channel axis: Conv (M, C, kH, kW) axis 0,
 * ConvTranspose (C, M, kH, kW) axis 1, MatMul (K, N) last axis.
 */
import { elementCount } from '../base/dtype';
import { invariant } from '../base/invariant';
import type { Granularity } from './scheme';

/**
 * A weight seen as [outer, channels, inner] in row-major order. Element `k` of channel `c`, with `k` running over
 * the flattened input dimensions, is at ⌊k / inner⌋ · channels · inner + c · inner + k mod inner.
 */
export interface ChannelView {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
  /** Elements of one output channel, outer · inner. */
  readonly perChannel: number;
  /** Elements of the whole weight. */
  readonly count: number;
}

/**
 * @param channelAxis axis of the output channels, negative counts from the end; null = the weight has no channels
 * and is seen as a single one.
 */
export function channelView(shape: readonly number[], channelAxis: number | null): ChannelView {
  const count = elementCount(shape);
  invariant(count !== undefined, `shape [${shape.join(', ')}] is a valid one`);
  if (channelAxis === null || shape.length === 0)
    return { outer: 1, channels: 1, inner: count, perChannel: count, count };
  const axis = channelAxis < 0 ? channelAxis + shape.length : channelAxis;
  const channels = shape[axis];
  invariant(channels !== undefined, `axis ${channelAxis} exists in [${shape.join(', ')}]`);
  const outer = product(shape.slice(0, axis));
  const inner = product(shape.slice(axis + 1));
  return { outer, channels, inner, perChannel: outer * inner, count };
}

/** Position in the weight of element `k` of channel `c`. */
export function elementIndex(view: ChannelView, channel: number, k: number): number {
  const { channels, inner } = view;
  return (Math.floor(k / inner) * channels + channel) * inner + (k % inner);
}

/** Copies one output channel into `target` (at least `perChannel` elements) in order of `k`. */
export function gatherChannel(
  data: Float32Array,
  view: ChannelView,
  channel: number,
  target: Float32Array,
): void {
  const { outer, channels, inner } = view;
  for (let o = 0, k = 0; o < outer; o++) {
    const start = (o * channels + channel) * inner;
    for (let i = start; i < start + inner; i++, k++) target[k] = data[i] ?? 0;
  }
}

/**
 * Visits elements [start, start + length) of the weight as runs inside one channel: `from`–`to` count from `start`,
 * `k` is the position of the first of them in its channel.
 */
export function forEachRun(
  view: ChannelView,
  start: number,
  length: number,
  visit: (channel: number, k: number, from: number, to: number) => void,
): void {
  const { channels, inner } = view;
  const row = Math.floor(start / inner);
  let outer = Math.floor(row / channels);
  let channel = row - outer * channels;
  let offset = start - row * inner;
  for (let from = 0; from < length; ) {
    const to = Math.min(from + inner - offset, length);
    visit(channel, outer * inner + offset, from, to);
    from = to;
    offset = 0;
    channel++;
    if (channel === channels) {
      channel = 0;
      outer++;
    }
  }
}

/**
 * Visits elements [start, start + length) as stretches that share one scale; `scope` counts as scales are stored: by
 * channel, then by group. `from`–`to` count from `start`.
 */
export function forEachScope(
  view: ChannelView,
  granularity: Granularity,
  start: number,
  length: number,
  visit: (scope: number, channel: number, from: number, to: number) => void,
): void {
  if (typeof granularity === 'string') {
    const perChannel = granularity === 'channel' ? 1 : 0;
    forEachRun(view, start, length, (channel, _k, from, to) =>
      visit(channel * perChannel, channel, from, to),
    );
    return;
  }
  const { group } = granularity;
  const groups = groupsPerChannel(view, group);
  forEachRun(view, start, length, (channel, k, from, to) => {
    let index = Math.floor(k / group);
    let begin = from;
    while (begin < to) {
      const end = Math.min(to, from + (index + 1) * group - k);
      visit(channel * groups + index, channel, begin, end);
      begin = end;
      index++;
    }
  });
}

/** Number of groups of one output channel; the last may be shorter. */
export function groupsPerChannel(view: ChannelView, group: number): number {
  return Math.ceil(view.perChannel / group);
}

/** Number of scales a weight needs: one per tensor, channel or group of a channel. */
export function scopeCount(
  view: ChannelView,
  granularity: 'tensor' | 'channel' | { readonly group: number },
): number {
  if (granularity === 'tensor') return 1;
  return granularity === 'channel'
    ? view.channels
    : view.channels * groupsPerChannel(view, granularity.group);
}

function product(dimensions: readonly number[]): number {
  return dimensions.reduce((total, dimension) => total * dimension, 1);
}
