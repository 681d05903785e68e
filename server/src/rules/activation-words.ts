/** Wording of findings on the range of an activation. */
import type { IssueFacts } from '../protocol/issues';
import { advice } from './gain-words';
import { bits, decibels, smallShare, times } from './numbers';
import { fewOf, quote } from './quote';

/** M14: a range that clips, or that rare peaks or one channel decide. */
export function activationRange(f: IssueFacts['M14']): string {
  if (f.channel) return outlierChannel(f, f.channel);
  if (f.inFile) {
    const cost = f.sqnr === undefined ? '' : `; the activation alone leaves ${decibels(f.sqnr)} here`;
    return `the file's range clips ${smallShare(f.clippedShare ?? 0)} of the activation's values${cost}. ${advice('Calibrate again', f.gains)}`;
  }
  const cause =
    f.clippedShare !== undefined && f.clippedShare > 0
      ? `${smallShare(f.clippedShare)} of the activation's values lie outside the range that was estimated for it; its peak ${f.peak.toPrecision(3)} is ${times(f.peakRatio)} the 99.99th percentile.`
      : `the activation's peak ${f.peak.toPrecision(3)} is ${times(f.peakRatio)} its 99.99th percentile ${f.p9999.toPrecision(3)}.`;
  return f.byError
    ? `${cause} Ranges are estimated by mse already; keep the layer in float where this costs too much.`
    : `${cause} ${advice('Estimate ranges by mse', f.gains)}`;
}

function outlierChannel(
  { peak, gains }: IssueFacts['M14'],
  { index, of, ratio, share, left, levels }: NonNullable<IssueFacts['M14']['channel']>,
): string {
  const where = share === 1 ? 'on every sample' : `on ${smallShare(share)} of the samples`;
  return `channel ${index} of the ${of} of the activation is the widest ${where}: it reaches ${peak.toPrecision(3)}, ${times(ratio)} as far as the median channel, which is left with ${left.toPrecision(2)} of ${levels} levels. ${advice('Use 16-bit activations', gains)}`;
}

/** M05 of a file: only values that are arranged can share a scale without loss. */
function storedOperands({ op, scales, bitsLost, ratio, stored }: IssueFacts['M05'], node?: string): string {
  const each = scales.map((scale) => scale.toPrecision(3)).join(' and ');
  const what = `${node === undefined ? '' : `${node}: `}the operands of this ${op} have scales ${each} (${times(ratio)})`;
  const { shares = false, cost, names = [] } = stored ?? {};
  const where = cost?.at === 'layer' ? 'the activation alone leaves' : 'the output keeps';
  const paid = cost
    ? `; ${where} ${decibels(cost.sqnr)}${cost.at === 'layer' ? ' at the layer behind' : ''}`
    : '';
  const others = names.length > 1 ? `; so at ${names.length} operators (${fewOf(names)})` : '';
  return shares
    ? `${what} and end under one: the finer one loses ${bits(bitsLost)}${paid}${others}. Let them share a scale.`
    : `${what}: the rounding of the coarser one hides ${bits(bitsLost)} of the finer one${paid}${others}. Use 16-bit activations there, or keep it in float.`;
}

/** M05: what a file or a plan joins under one scale. */
export function joinedOperands(f: IssueFacts['M05'], node: string | undefined): string {
  if (!f.planned) return storedOperands(f, node);
  const lost = `loses ${bits(f.bitsLost)} (${times(f.ratio)})`;
  const { node: join, finest, widest, sqnr } = f.planned;
  const cost = sqnr === undefined ? '' : `; the activation alone leaves ${decibels(sqnr)} here`;
  return `it reads what ${f.op} ${quote(join)} joins: one scale serves ${quote(finest)} and ${quote(widest)}, whose ranges differ, and the finer one ${lost}${cost}. ${advice('Use 16-bit activations', f.gains)}`;
}
