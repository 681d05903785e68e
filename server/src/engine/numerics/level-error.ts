/**
 * Error that the formats of `level-formats.ts` leave in a weight, scalar and in float64 sums. Channels are brought into
 * rows first, because these formats look at all values of a scope before they round one.
 */
import { invariant } from '../base/invariant';
import { sortedValues } from './codebook';
import { type ChannelView, channelView, elementIndex } from './layout';
import type { LevelFormat, Rounder, WholeWeight } from './level-formats';
import { createRandom } from './random';
import { readerOf, type WeightReader } from './weight-error-reference';

/** Elements of a strip of channels that are gathered at once: 4 MB, or one channel where that is larger. */
const STRIP = 1 << 20;

/** Elements that a codebook is fitted to; of larger weights one out of every so many neighbours. */
const SAMPLE = 1 << 18;
const SAMPLE_SEED = 0;

/**
 * Σ(x − x^)² per channel. Values must be finite.
 * @param absMax max|x| of the whole weight.
 */
export function levelNoise(
  reader: WeightReader,
  view: ChannelView,
  format: LevelFormat,
  absMax: number,
): Float64Array {
  const noise = new Float64Array(view.channels);
  forEachRounded(reader, view, format, absMax, (values, rounded, channel) => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) {
      const error = (values[i] ?? 0) - (rounded[i] ?? 0);
      sum += error * error;
    }
    noise[channel] = (noise[channel] ?? 0) + sum;
  });
  return noise;
}

/** What remains of a weight, element by element. */
export function levelFakeQuantize(
  data: Float32Array,
  shape: readonly number[],
  channelAxis: number | null,
  format: LevelFormat,
): Float32Array {
  const view = channelView(shape, channelAxis);
  const result = new Float32Array(data.length);
  const absMax = data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  forEachRounded(readerOf(data), view, format, absMax, (values, rounded, channel, k) => {
    for (let i = 0; i < values.length; i++) result[elementIndex(view, channel, k + i)] = rounded[i] ?? 0;
  });
  return result;
}

type VisitRounded = (values: Float32Array, rounded: Float32Array, channel: number, k: number) => void;

function forEachRounded(
  reader: WeightReader,
  view: ChannelView,
  { granularity, rounder }: LevelFormat,
  absMax: number,
  visit: VisitRounded,
): void {
  const whole: WholeWeight = { absMax, sample: () => sortedValues(sampled(reader, view.count)) };
  const round: Rounder = rounder(whole);
  // Under a tensor's scale every cut is a scope.
  const scope =
    typeof granularity === 'string' ? (granularity === 'tensor' ? 1 : view.perChannel) : granularity.group;
  const length = granularity === 'tensor' ? Math.min(view.perChannel, STRIP) : scope;
  const rounded = new Float32Array(Math.min(length, view.perChannel));
  forEachRow(reader, view, scope, (row, channel, start) => {
    for (let k = 0; k < row.length; k += length) {
      const values = row.subarray(k, k + length);
      const target = rounded.subarray(0, values.length);
      round(values, target);
      visit(values, target, channel, start + k);
    }
  });
}

/** Visits channels as rows in order of k; rows longer than a strip are cut at multiples of `scope`. */
function forEachRow(
  reader: WeightReader,
  view: ChannelView,
  scope: number,
  visit: (row: Float32Array, channel: number, k: number) => void,
): void {
  const { outer, channels, inner, perChannel } = view;
  if (perChannel === 0) return;
  if (outer === 1) {
    const most = Math.max(Math.floor(STRIP / scope), 1) * scope;
    for (let channel = 0; channel < channels; channel++) {
      for (let k = 0; k < perChannel; k += most) {
        visit(reader(channel * perChannel + k, Math.min(most, perChannel - k)), channel, k);
      }
    }
    return;
  }
  const width = Math.min(Math.max(Math.floor(STRIP / perChannel), 1), channels);
  const strip = new Float32Array(width * perChannel);
  for (let first = 0; first < channels; first += width) {
    const rows = Math.min(width, channels - first);
    for (let o = 0; o < outer; o++) {
      const source = reader((o * channels + first) * inner, rows * inner);
      for (let row = 0, at = 0; row < rows; row++) {
        const start = row * perChannel + o * inner;
        for (let i = 0; i < inner; i++, at++) strip[start + i] = source[at] ?? 0;
      }
    }
    for (let row = 0; row < rows; row++) {
      visit(strip.subarray(row * perChannel, (row + 1) * perChannel), first + row, 0);
    }
  }
}

/** All elements, or one out of every stride, chosen at random because a fixed step would meet the same channels again. */
function sampled(reader: WeightReader, count: number): Float32Array {
  const stride = Math.ceil(count / SAMPLE);
  if (stride <= 1) return reader(0, count).slice();
  const random = createRandom(SAMPLE_SEED);
  const sample = new Float32Array(Math.floor(count / stride));
  const most = Math.max(Math.floor(STRIP / stride), 1);
  for (let done = 0; done < sample.length; done += most) {
    const size = Math.min(most, sample.length - done);
    const piece = reader(done * stride, size * stride);
    invariant(piece.length === size * stride, 'a reader gives what it is asked for');
    for (let i = 0; i < size; i++) sample[done + i] = piece[i * stride + random.integer(stride)] ?? 0;
  }
  return sample;
}
