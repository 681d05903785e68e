import { describe, expect, test } from 'vitest';
import {
  addErrors,
  agreementSums,
  argMax,
  cosine,
  emptySums,
  errorSums,
  klDivergence,
  meanShift,
  mergeSums,
  mse,
  normRatio,
  sqnr,
  topOneAgreement,
} from '../../../../server/src/engine/numerics/metrics';

describe('error sums', () => {
  test('of a hand case', () => {
    const sums = errorSums([3, -4], [3.5, -4]);
    expect(sums).toEqual({
      count: 2,
      signal: 25,
      noise: 0.25,
      dot: 26.5,
      energy: 28.25,
      shift: 0.5,
      worst: 0.5,
    });
    expect(sqnr(sums)).toBeCloseTo(20, 12);
    expect(mse(sums)).toBe(0.125);
    expect(meanShift(sums)).toBe(0.25);
    expect(cosine(sums)).toBeCloseTo(26.5 / Math.sqrt(25 * 28.25), 12);
    expect(normRatio(sums)).toBeCloseTo(Math.sqrt(28.25) / 5, 12);
  });

  test('merge to the sums of the whole', () => {
    const parts = errorSums([1, 2], [1.5, 2]);
    mergeSums(parts, errorSums([4], [1]));
    expect(parts).toEqual(errorSums([1, 2, 4], [1.5, 2, 1]));
    const added = emptySums();
    addErrors(added, [1, 2], [1.5, 2]);
    addErrors(added, [4], [1]);
    expect(added).toEqual(parts);
  });

  test('blind spots: cosine does not see scale, SQNR of twice the signal is 0 dB', () => {
    const sums = errorSums([1, -2, 3], [2, -4, 6]);
    expect(cosine(sums)).toBe(1);
    expect(sqnr(sums)).toBe(0);
    expect(normRatio(sums)).toBe(2);
  });
});

describe('limits of SQNR', () => {
  test.each([
    ['no error', 1, 0, 120],
    ['no signal', 0, 1, -120],
    ['neither', 0, 0, null],
    ['beyond the clamp', 1, 1e-13, 120],
    ['below the clamp', 1e-13, 1, -120],
    ['just inside', 1, 1e-11, 110],
    ['quotient out of range', 1e300, 1e290, 100],
    ['a sum that is not finite', Number.POSITIVE_INFINITY, 1, null],
    ['NaN', 1, Number.NaN, null],
  ])('%s', (_name, signal, noise, decibel) => {
    const value = sqnr({ signal, noise });
    if (decibel === null) expect(value).toBeNull();
    else expect(value).toBeCloseTo(decibel, 9);
  });

  test('nothing measured has no metric', () => {
    const sums = emptySums();
    expect([sqnr, mse, cosine, normRatio, meanShift].map((metric) => metric(sums))).toEqual([
      null,
      null,
      null,
      null,
      null,
    ]);
  });
});

describe('classes', () => {
  test('agreement and divergence of a hand case', () => {
    const sums = agreementSums([2, 1, 0, 0, 5, 1], [2.1, 0.95, 0.02, 9, 5, 1], 3);
    expect(sums).toMatchObject({ rows: 2, agreeing: 1 });
    expect(topOneAgreement(sums)).toBe(0.5);
  });

  test('KL(softmax ‖ softmax) of z = [2,1,0], dz = [.1,−.05,.02]', () => {
    expect(klDivergence(agreementSums([2, 1, 0], [2.1, 0.95, 0.02], 3))).toBeCloseTo(0.00203646, 8);
  });

  test('does not overflow and ignores an offset of the logits', () => {
    const far = agreementSums([1002, 1001, 1000], [-997.9, -999.05, -999.98], 3);
    expect(klDivergence(far)).toBeCloseTo(0.00203646, 8);
  });

  test('without rows there is none', () => {
    const sums = agreementSums([], [], 10);
    expect([topOneAgreement(sums), klDivergence(sums)]).toEqual([null, null]);
  });

  test('the first of equal scores is the top, NaN never', () => {
    expect(argMax([1, 3, 3])).toBe(1);
    expect(argMax([Number.NaN, 3, 2])).toBe(1);
    expect(argMax([9, 1, 2, 3], 1, 3)).toBe(2);
  });
});
