/** How far the ratio of single effects, added up, to the effect of all at once varies with the samples. */
import { describe, expect, it } from 'vitest';
import { ratioError } from '../../../../server/src/engine/handlers/figures';
import { createRandom } from '../../../../server/src/engine/numerics/random';

const on = (samples: number, noises: readonly number[]) => noises.map((noise) => ({ samples, noise }));

describe('error of the ratio over batches', () => {
  it('is none where every batch has the same ratio', () => {
    const effects = [{ batches: on(8, [1, 2, 4]) }, { batches: on(8, [2, 4, 8]) }];
    expect(ratioError(effects, on(8, [2, 4, 8]))).toBeCloseTo(0, 12);
  });

  it('is that of leaving out one batch of two', () => {
    // Without the first 3/2, without the second 1/2.
    expect(ratioError([{ batches: on(8, [1, 3]) }], on(8, [2, 2]))).toBeCloseTo(0.5, 12);
  });

  it('shrinks with the root of the number of batches', () => {
    const random = createRandom(1);
    const errorOf = (count: number) => {
      const noises = Array.from({ length: count }, () => 1 + random.uniform());
      return (
        ratioError(
          [{ batches: on(8, noises) }],
          on(
            8,
            noises.map(() => 1),
          ),
        ) ?? Number.NaN
      );
    };
    // Standard deviation of a uniform number: √(1/12).
    expect(errorOf(400) * Math.sqrt(400)).toBeCloseTo(Math.sqrt(1 / 12), 1);
    expect(errorOf(25) * Math.sqrt(25)).toBeCloseTo(Math.sqrt(1 / 12), 1);
  });

  it.each([
    ['one batch', [{ batches: on(8, [1]) }], on(8, [2])],
    ['another number of batches', [{ batches: on(8, [1, 2]) }, { batches: on(8, [1]) }], on(8, [2, 2])],
    ['batches of other samples', [{ batches: on(4, [1, 2]) }], on(8, [2, 2])],
    ['estimates', [{}], on(8, [2, 2])],
  ])('is not told of %s', (_what, effects, whole) => {
    expect(ratioError(effects, whole)).toBeUndefined();
  });
});
