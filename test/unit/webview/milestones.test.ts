/** When a run is spoken of: at quarters of its stages, with a pause between. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProgressStage } from '../../../server/src/protocol/progress';
import { leastPause, Milestones } from '../../../webview/src/shared/milestones';

const progress = (stage: ProgressStage, done: number, total = 100) => ({
  stage,
  done,
  total,
  unit: 'samples' as const,
});

describe('milestones', () => {
  it('are the quarters of each stage', () => {
    const one = new Milestones();
    const told = Array.from({ length: 101 }, (_, done) =>
      one.next(progress('calibrate', done), done * leastPause),
    );
    expect(told.filter((percent) => percent !== undefined)).toEqual([25, 50, 75]);
    expect(one.next(progress('measure', 30), 200 * leastPause)).toBe(25);
  });

  it('are never said twice, though a stage starts over', () => {
    const one = new Milestones();
    expect(one.next(progress('measure', 60), 0)).toBe(50);
    expect(one.next(progress('measure', 10), 10 * leastPause)).toBeUndefined();
    expect(one.next(progress('measure', 60), 20 * leastPause)).toBeUndefined();
    expect(one.next(progress('measure', 80), 30 * leastPause)).toBe(75);
  });

  it('say nothing of what has no end', () => {
    expect(new Milestones().next(progress('read', 5, 0), 0)).toBeUndefined();
  });

  it('keep their pause and their number, whatever is reported', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            stage: fc.constantFrom('calibrate' as const, 'measure' as const, 'verify' as const),
            done: fc.nat(500),
            wait: fc.nat(3000),
          }),
          { maxLength: 200 },
        ),
        (ticks) => {
          const one = new Milestones();
          let now = 0;
          const said: number[] = [];
          for (const { stage, done, wait } of ticks) {
            now += wait;
            if (one.next(progress(stage, done, 400), now) !== undefined) said.push(now);
          }
          expect(said.length).toBeLessThanOrEqual(9);
          for (const [index, at] of said.slice(1).entries())
            expect(at - (said[index] ?? 0)).toBeGreaterThanOrEqual(leastPause);
        },
      ),
      { seed: 5, numRuns: 300 },
    );
  });
});
