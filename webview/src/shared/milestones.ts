/** When a run has come far enough to be spoken of. No elements in here. */
import type { Progress } from '../../../server/src/protocol/progress';

/** Milliseconds between two words on the same run: what is spoken faster piles up. */
export const leastPause = 4000;

/** Of one run; see {@link next}. */
export class Milestones {
  private readonly told = new Map<string, number>();
  private at = Number.NEGATIVE_INFINITY;

  /**
   * Percent of the stage when another quarter of it was passed, else undefined. A stage that starts over, part by part,
   * is told once; its end is told by what comes after it.
   * @param now milliseconds of a steady clock
   */
  next({ stage, done, total }: Progress, now: number): number | undefined {
    if (total <= 0) return undefined;
    const quarter = Math.floor((4 * done) / total);
    const known = this.told.get(stage) ?? 0;
    if (quarter <= known || quarter >= 4 || now - this.at < leastPause) return undefined;
    this.told.set(stage, quarter);
    this.at = now;
    return 25 * quarter;
  }
}
