/**
 * Weights that the scale of a channel follows alone: a single element far beyond its channel, and an input column far
 * beyond the others. SQNR hides the first (the element is most of the signal) and cannot place the second. Samples
 * decide whether a weight is looked at in full, so that ordinary weights cost next to nothing.
 */
import type { LayerFacts } from '../../protocol/reports';
import { type ChannelView, channelView, elementIndex } from '../numerics/layout';
import { spreadOf } from './channel-spread';

/** An element this many times the median of its channel leaves all others without a code, whatever the SQNR. */
const ELEMENT_RATIO = 1000;

/** Elements of a channel, and channels of a column, that are looked at first. */
const SAMPLE = 24;

/** Share of a sample above the limit from which half of the channel cannot lie below it. */
const ORDINARY = 0.75;

/** Part of the threshold that a sample of channels must show before all of them are read. */
const HINT = 0.5;

export type ElementOutlier = NonNullable<LayerFacts['element']>;

/**
 * The element that lies furthest beyond the median magnitude of its channel, zeros left out; `undefined` where none is
 * more than 1000 times as large.
 */
export function elementOutlier(
  data: Float32Array,
  shape: readonly number[],
  channelAxis: number,
  channelAbsMax: ArrayLike<number>,
): ElementOutlier | undefined {
  const view = channelView(shape, channelAxis);
  let worst: ElementOutlier | undefined;
  for (let channel = 0; channel < view.channels; channel++) {
    const peak = channelAbsMax[channel] ?? 0;
    if (!(peak > 0 && Number.isFinite(peak)) || isOrdinary(data, view, channel, peak)) continue;
    const found = ofChannel(data, view, channel, peak);
    if (found && found.ratio > (worst?.ratio ?? 0)) worst = found;
  }
  return worst;
}

/** A sample of the channel lies well within a factor of its peak. */
function isOrdinary(data: Float32Array, view: ChannelView, channel: number, peak: number): boolean {
  const limit = peak / ELEMENT_RATIO;
  const [first, end] = middle(view.perChannel);
  let [seen, above] = [0, 0];
  for (let k = first; k < end; k++) {
    const size = Math.abs(data[elementIndex(view, channel, k)] ?? 0);
    if (size === 0) continue;
    seen++;
    if (size > limit) above++;
  }
  return seen > 2 && above > ORDINARY * seen;
}

function ofChannel(
  data: Float32Array,
  view: ChannelView,
  channel: number,
  peak: number,
): ElementOutlier | undefined {
  const sizes: number[] = [];
  for (let k = 0; k < view.perChannel; k++) {
    const size = Math.abs(data[elementIndex(view, channel, k)] ?? 0);
    if (size > 0) sizes.push(size);
  }
  sizes.sort((one, other) => one - other);
  const ratio = peak / (sizes[sizes.length >> 1] ?? peak);
  if (!(ratio > ELEMENT_RATIO)) return undefined;
  // Symmetric int8: half a step is peak / 254.
  const lost = sizes.filter((size) => size < peak / 254).length;
  return { channel, value: peak, ratio, lost, of: sizes.length };
}

/**
 * The input column whose largest magnitude is furthest above that of the median column.
 * @param shape a matrix; `channelAxis` is that of the outputs, the other one holds the columns.
 * @param threshold ratio from which a column is looked for.
 */
export function columnOutlier(
  data: Float32Array,
  shape: readonly number[],
  channelAxis: number,
  threshold: number,
): { readonly index: number; readonly ratio: number } | undefined {
  const [rows = 0, columns = 0] = shape;
  if (shape.length !== 2 || rows < 2 || columns < 2) return undefined;
  const outputs = channelAxis === 0 ? rows : columns;
  const sampled = columnPeaks(data, shape, channelAxis, middle(outputs)).sort();
  const median = sampled[sampled.length >> 1] ?? 0;
  if ((sampled.at(-1) ?? 0) <= median * threshold * HINT) return undefined;
  const { channel: index, ratio } = spreadOf(columnPeaks(data, shape, channelAxis, [0, outputs]));
  return ratio > threshold ? { index, ratio } : undefined;
}

/** A run in the middle: neighbours in memory are cheap to look at. */
function middle(count: number): readonly [first: number, end: number] {
  const first = Math.max(0, Math.floor((count - SAMPLE) / 2));
  return [first, Math.min(count, first + SAMPLE)];
}

/** Largest magnitude per input column, over some outputs. */
function columnPeaks(
  data: Float32Array,
  [rows = 0, columns = 0]: readonly number[],
  channelAxis: number,
  [first, end]: readonly [number, number],
): Float32Array {
  const inputs = channelAxis === 0 ? columns : rows;
  const peaks = new Float32Array(inputs);
  // The inner loop follows the rows.
  const [outer, inner] =
    channelAxis === 0
      ? [
          [first, end],
          [0, inputs],
        ]
      : [
          [0, inputs],
          [first, end],
        ];
  for (let a = outer[0] ?? 0; a < (outer[1] ?? 0); a++) {
    for (let b = inner[0] ?? 0; b < (inner[1] ?? 0); b++) {
      const size = Math.abs(data[a * columns + b] ?? 0);
      const input = channelAxis === 0 ? b : a;
      if (size > (peaks[input] ?? 0)) peaks[input] = size;
    }
  }
  return peaks;
}
