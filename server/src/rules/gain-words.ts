/** Wording of remedies with the gain that was measured for them. */
import type { Gain } from '../protocol/issues';
import { decibels } from './numbers';
import { helps } from './remedies';

/** What a moved mean costs, and what takes it out. */
export function shiftAdvice(gains: readonly Gain[] | undefined): string {
  return `Keep the layer in float, or subtract the shift from the bias of the exported file${gained(':', gains)}.`;
}

/** What to do, with its gain; a remedy that was tried in vain is said to be so. */
export function advice(text: string, gains: readonly Gain[] | undefined): string {
  if (helps(gains)) return `${text}${gained(':', gains)}.`;
  return `Tried without gain: ${text.charAt(0).toLowerCase()}${text.slice(1)}${gained(':', gains)}.`;
}

/** ` at the output 4.1 dB → 24.0 dB (measured on 32 samples)` per gain after a separator; empty when none. */
function gained(separator: string, gains: readonly Gain[] | undefined): string {
  if (!gains || gains.length === 0) return '';
  const each = gains.map(({ of, before, after, layers, given, data }, index) => {
    const on =
      data === undefined
        ? 'on the weight'
        : `on ${data.samples} ${data.samples === 1 ? 'sample' : 'samples'}`;
    const together = layers !== undefined && layers > 1 ? ` with all ${layers} such layers changed` : '';
    // Said once for gains that follow one another.
    const then = given === undefined || gains[index - 1]?.given !== undefined ? '' : 'calibrated again, ';
    return `${then}${gainWords[of]}${together} ${decibels(before)} → ${decibels(after)} (measured ${on})`;
  });
  return `${separator} ${each.join(', ')}`;
}

const gainWords: Readonly<Record<Gain['of'], string>> = {
  weight: 'weight',
  local: 'at this layer',
  output: 'at the output',
};

/** A further sentence on what the remedy does at the output; empty when that was not measured. */
export function measuredOutput(gains: readonly Gain[] | undefined): string {
  const onData = (gains ?? []).filter((gain) => gain.of !== 'weight');
  if (onData.length === 0) return '';
  const seen = gained('', onData).trimStart();
  return helps(onData)
    ? ` ${seen.charAt(0).toUpperCase()}${seen.slice(1)}.`
    : ` Tried without gain: ${seen}.`;
}
