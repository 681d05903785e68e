import { describe, expect, test } from 'vitest';
import {
  addErrors,
  agreementSums,
  argMax,
  cosine,
  emptySums,
  errorMetrics,
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

describe('figures beside the SQNR', () => {
  /** Sums of two tensors whose rows are channels. */
  function compared(x: readonly (readonly number[])[], y: readonly (readonly number[])[]) {
    const each = <T>(f: (a: number, b: number) => T) =>
      x.map((row, channel) => row.map((a, at) => f(a, y[channel]?.[at] ?? 0)));
    const sum = (rows: readonly (readonly number[])[]) => rows.map((row) => row.reduce((s, v) => s + v, 0));
    const all = (rows: readonly (readonly number[])[]) => sum(rows).reduce((s, v) => s + v, 0);
    return {
      count: x.flat().length,
      signal: all(each((a) => a * a)),
      noise: all(each((a, b) => (b - a) ** 2)),
      cross: all(each((a, b) => a * (b - a))),
      channels: {
        count: x[0]?.length ?? 0,
        sum: Float64Array.from(sum(x)),
        square: Float64Array.from(sum(each((a) => a * a))),
        shift: Float64Array.from(sum(each((a, b) => b - a))),
      },
    };
  }

  test('follow from sums of x and e alone', () => {
    const x = [
      [1, -2, 3, 0.5],
      [0.1, 0.4, -0.3, 2],
    ];
    const y = [
      [1.1, -2.2, 2.9, 0.6],
      [0.3, 0.5, -0.1, 2.3],
    ];
    const figures = errorMetrics(compared(x, y));
    const sums = errorSums(x.flat(), y.flat());
    expect(figures.mse).toBeCloseTo(mse(sums) ?? Number.NaN, 12);
    expect(figures.cosine).toBeCloseTo(cosine(sums) ?? Number.NaN, 12);
    expect(figures.normRatio).toBeCloseTo(normRatio(sums) ?? Number.NaN, 12);
    const mean = 4.7 / 8;
    const deviation = Math.sqrt(sums.signal / 8 - mean * mean);
    expect(figures.meanShift).toBeCloseTo((meanShift(sums) ?? Number.NaN) / deviation, 12);
    // Channel 1 moves by 0.2 on average, channel 0 by −0.025.
    const second = Math.sqrt(4.26 / 4 - (2.2 / 4) ** 2);
    expect(figures.channelShift).toEqual({ channel: 1, shift: expect.closeTo(0.2 / second, 12) });
    const noise = 0.07 + 0.18;
    const left = noise - (4 * 0.025 ** 2 + 4 * 0.2 ** 2);
    expect(figures.biasCorrectionGain).toBeCloseTo(10 * Math.log10(noise / left), 10);
  });

  test('see what the SQNR alone does not: twice the signal has cosine 1 and norm ratio 2', () => {
    const x = [[1, -2, 3]];
    const figures = errorMetrics(compared(x, [[2, -4, 6]]));
    expect(figures).toMatchObject({ cosine: 1, normRatio: 2 });
    expect(sqnr(compared(x, [[2, -4, 6]]))).toBe(0);
  });

  test('see a pure offset: correcting it takes all noise away', () => {
    const figures = errorMetrics(compared([[1, -1, 2]], [[1.25, -0.75, 2.25]]));
    expect(figures.biasCorrectionGain).toBe(120);
    expect(figures.meanShift).toBeCloseTo(0.25 / Math.sqrt(2 - 4 / 9), 12);
  });

  test('are undefined where the data say nothing', () => {
    const constant = errorMetrics(compared([[2, 2]], [[2.5, 2.5]]));
    expect(constant.channelShift).toBeUndefined();
    expect(constant.meanShift).toBeNull();
    const exact = errorMetrics(compared([[1, 2]], [[1, 2]]));
    expect(exact).toMatchObject({ mse: 0, normRatio: 1, meanShift: 0 });
    expect(exact.cosine).toBeCloseTo(1, 12);
    expect(exact.biasCorrectionGain).toBeUndefined();
  });
});
