/** Scores on hand values. */
import { describe, expect, it } from 'vitest';
import { AccuracyScorer, AgreementScorer } from '../../../../server/src/engine/analysis/scorers';
import { countTop, crossEntropy } from '../../../../server/src/engine/analysis/scores';
import { runtimeTensor } from '../../../../server/src/engine/runtime/runtime-tensor';

const floats = (dims: readonly number[], ...values: readonly number[]) =>
  runtimeTensor('float32', dims, Float32Array.from(values));

function top(scores: readonly number[], label: number) {
  const counts = { samples: 0, top1: 0, top5: 0 };
  countTop(counts, scores, 0, scores.length, label);
  return [counts.top1, counts.top5];
}

describe('other float types', () => {
  const cases = [
    ['float16', runtimeTensor('float16', [1, 3], Uint16Array.of(0xc000, 0x3c00, 0x3800))],
    ['float64', runtimeTensor('float64', [1, 3], Float64Array.of(-2, 1, 0.5))],
  ] as const;
  it.each(cases)('%s scores are read as numbers', (_name, scores) => {
    const accuracy = new AccuracyScorer('classify', [1]);
    accuracy.add(undefined, scores, 0, 1);
    expect(accuracy.figures().top1).toBe(1);
    const agreement = new AgreementScorer();
    agreement.add([floats([1, 3], -2, 1, 0.5)], [scores], 1);
    expect(agreement.figures()).toMatchObject({ agreement: 1, sqnr: 120 });
  });
});

describe('top-k', () => {
  it.each([
    [[0, 3, 1], 1, [1, 1]],
    [[0, 3, 1], 2, [0, 1]],
    [[9, 8, 7, 6, 5, 4], 5, [0, 0]],
    [[9, 8, 7, 6, 5, 4], 4, [0, 1]],
    // Ties go to the class that stands first, as an ArgMax decides.
    [[2, 2], 0, [1, 1]],
    [[2, 2], 1, [0, 1]],
    [[Number.NaN, 1], 0, [0, 0]],
    [[1, 2], 7, [0, 0]],
    [[1, 2], -1, [0, 0]],
  ] as const)('%j with label %i', (scores, label, expected) => expect(top(scores, label)).toEqual(expected));
});

describe('cross-entropy', () => {
  it('is log of the number of classes for equal scores', () => {
    expect(crossEntropy([5, 5, 5, 5], 0, 4, 2)).toBeCloseTo(Math.log(4), 12);
  });
  it('does not overflow', () => {
    expect(crossEntropy([1e4, 0], 0, 2, 0)).toBeCloseTo(0, 12);
    expect(crossEntropy([1e4, 0], 0, 2, 1)).toBeCloseTo(1e4, 6);
  });
});

describe('next token', () => {
  it('compares position t with id t + 1', () => {
    const scorer = new AccuracyScorer('next-token', undefined);
    const ids = runtimeTensor('int64', [1, 3], BigInt64Array.of(0n, 1n, 0n));
    // Positions 0 and 1 count; the last has no next id.
    expect(scorer.add(ids, floats([1, 3, 2], 0, 9, 0, 9, 9, 0), 0, 1)).toBeUndefined();
    const { top1, crossEntropy: nats } = scorer.figures();
    expect(top1).toBe(0.5);
    expect(nats).toBeCloseTo((Math.log1p(Math.exp(-9)) + 9 + Math.log1p(Math.exp(-9))) / 2, 6);
  });
  it('refuses outputs that are no logits', () => {
    const ids = runtimeTensor('int64', [1, 2], BigInt64Array.of(0n, 1n));
    expect(new AccuracyScorer('next-token', undefined).add(ids, floats([1, 2], 1, 2), 0, 1)?.code).toBe(
      'data-mismatch',
    );
  });
});

describe('agreement', () => {
  function agree(dims: readonly number[], one: readonly number[], other: readonly number[], count: number) {
    const scorer = new AgreementScorer();
    const issue = scorer.add([floats(dims, ...one)], [floats(dims, ...other)], count);
    return issue?.code ?? scorer.figures();
  }
  it('counts samples of (N, C) and gives the SQNR of all elements', () => {
    expect(agree([2, 2], [1, 0, 0, 1], [1, 0, 1, 0], 2)).toEqual({
      agreement: 0.5,
      sqnr: 0,
      cosine: expect.closeTo(0.5, 9),
    });
  });
  it('counts positions of (N, T, V)', () => {
    expect(agree([1, 2, 2], [1, 0, 0, 1], [1, 0, 1, 0], 1)).toMatchObject({ agreement: 0.5 });
  });
  it('has no classes in pictures', () => {
    expect(agree([1, 1, 2, 2], [1, 0, 0, 1], [1, 0, 0, 1], 1)).toMatchObject({ agreement: null, sqnr: 120 });
  });
  it('refuses outputs of other sizes', () => {
    const scorer = new AgreementScorer();
    expect(scorer.add([floats([1, 2], 1, 2)], [floats([1, 3], 1, 2, 3)], 1)?.code).toBe('models-differ');
  });

  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
  it.each([
    ['equal zeros', [0, 0], [0, 0], false],
    ['a number that became NaN', [1, 2], [1, nan], true],
    ['a number that became infinite', [1, 2], [1, -infinity], true],
    ['what was no number before', [1, nan], [1, infinity], false],
  ] as const)('tells whether numbers are lost: %s', (_name, one, other, lost) => {
    const scorer = new AgreementScorer();
    scorer.add([floats([1, 2], ...one)], [floats([1, 2], ...other)], 1);
    expect(scorer.figures().sqnr).toBeNull();
    expect(scorer.losesNumbers).toBe(lost);
  });
});
