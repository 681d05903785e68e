/** Wording of findings on single elements and columns of a weight. */
import type { IssueFacts } from '../protocol/issues';
import { advice } from './gain-words';
import { decibels, times } from './numbers';

/** M29: an element that leaves no codes to its channel. */
export function singleWeight({ channel, value, ratio, lost, of, sqnr }: IssueFacts['M29']): string {
  const hidden = sqnr === undefined ? '' : `, which the weight's ${decibels(sqnr)} do not show`;
  return `one weight of channel ${channel} (magnitude ${value.toPrecision(3)}) is ${times(ratio)} the median of its channel: at 8 bits ${lost} of the channel's ${of - 1} others become 0${hidden}. Look whether it is meant, or keep the layer in float.`;
}

/** M30: a column that decides the scale of every channel. */
export function inputColumn({ column, ratio, format, gains }: IssueFacts['M30']): string {
  return `input column ${column} of the weight is ${times(ratio)} the median column, so that it decides the scale of every channel. ${advice(`Use one scale per group of 32 inputs (${format}), against one per channel`, gains)}`;
}
