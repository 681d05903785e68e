/**
 * When more samples no longer move the ranges. Looked at whenever the number of samples has doubled: if none of the ends
 * of any range moved by more than a share of that range's width since half as many samples, the next doubling would
 * hardly tell more. Ranges of heavy tails keep moving under `min-max`, and then all samples are used.
 */
import type { ActivationRange } from '../../protocol/reports';

/** Share of a range's width by which its ends may still move. */
export const STABLE_SHARE = 0.02;

/** First look when stopping was asked for: a second one follows at 32 samples, below which nobody should stop. */
export const FIRST_LOOK = 16;

/** First look when nobody asked: of up to 256 samples all are used, unless 128 already tell the same as 64. */
export const FIRST_LOOK_UNASKED = 64;

export class RangeStability {
  private previous: Readonly<Record<string, ActivationRange>> | undefined;

  constructor(private next: number) {}

  /** True at the numbers of samples at which a look is worth its cost. */
  due(samples: number): boolean {
    return samples >= this.next;
  }

  /** Takes the ranges of a look in and says whether they are those of half as many samples. */
  look(samples: number, ranges: Readonly<Record<string, ActivationRange>>): boolean {
    const { previous } = this;
    this.previous = ranges;
    while (this.next <= samples) this.next *= 2;
    return previous !== undefined && largestMove(previous, ranges) <= STABLE_SHARE;
  }
}

/** Largest distance that an end moved, as a share of the wider of both ranges; infinite for a range that is new. */
export function largestMove(
  before: Readonly<Record<string, ActivationRange>>,
  after: Readonly<Record<string, ActivationRange>>,
): number {
  let most = 0;
  for (const [name, { min, max }] of Object.entries(after)) {
    const known = before[name];
    if (!known) return Number.POSITIVE_INFINITY;
    const width = Math.max(max - min, known.max - known.min);
    if (width === 0) continue;
    most = Math.max(most, Math.abs(max - known.max) / width, Math.abs(min - known.min) / width);
  }
  return most;
}
