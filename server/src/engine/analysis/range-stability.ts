/**
 * When more samples no longer move the ranges. Looked at whenever the number of samples has doubled: if in nine of ten
 * tensors neither end moved by more than 6 % of the range since half as many samples, which changes the noise of a
 * quantizer by half a decibel, the next doubling would hardly tell more. One tensor in ten may be of heavy tails; where
 * more are, as under `min-max`, all samples are used.
 */
import type { ActivationRange } from '../../protocol/reports';

/** Share of a range's width by which its ends may still move, and share of the tensors of which that is asked. */
export const STABLE_SHARE = 0.06;
const TENSORS = 0.9;

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
    return previous !== undefined && usualMove(previous, ranges) <= STABLE_SHARE;
  }
}

/**
 * How far ranges moved: per tensor the larger distance of both ends as a share of the wider range, of which nine tenths
 * of the tensors do not exceed the result. Infinite when a range is new.
 */
export function usualMove(
  before: Readonly<Record<string, ActivationRange>>,
  after: Readonly<Record<string, ActivationRange>>,
): number {
  const moves: number[] = [];
  for (const [name, { min, max }] of Object.entries(after)) {
    const known = before[name];
    if (!known) return Number.POSITIVE_INFINITY;
    const width = Math.max(max - min, known.max - known.min);
    moves.push(width === 0 ? 0 : Math.max(Math.abs(max - known.max), Math.abs(min - known.min)) / width);
  }
  moves.sort((one, other) => one - other);
  return moves[Math.max(0, Math.ceil(TENSORS * moves.length) - 1)] ?? 0;
}
