/** When a crashed process may start again: growing delays, and an end to it when crashes come too fast. */

/** Milliseconds before the first, second, … restart within the window. */
const delays = [500, 1000, 2000, 4000, 8000] as const;

/** Crashes older than this no longer count. */
const windowMilliseconds = 180_000;

export class Backoff {
  private crashes: readonly number[] = [];

  /** Counts a crash at `now` (ms). Answers the delay before the restart, or undefined: do not restart. */
  next(now: number): number | undefined {
    const recent = this.crashes.filter((time) => now - time < windowMilliseconds);
    this.crashes = [...recent, now];
    return delays[recent.length];
  }

  reset(): void {
    this.crashes = [];
  }
}
