/** What differs between samples, told beside an output that is mostly one constant. Oracle: the definition in two passes. */
import { describe, expect, it } from 'vitest';
import { AgreementScorer } from '../../../../server/src/engine/analysis/scorers';
import { VaryingSums } from '../../../../server/src/engine/analysis/varying';
import { measureHandler } from '../../../../server/src/engine/handlers/measure';
import { hiddenLoss } from '../../../../server/src/rules/verdict';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();

/** Rows of an output around a large constant, and the same with noise of its own. */
function outputs(rows: number, size: number, constant: number) {
  const [signal, noise] = [normalValues(rows * size, 1, 0.01), normalValues(rows * size, 2, 0.003)];
  const exact = Float32Array.from(signal, (value, at) => value + constant * (1 + (at % size)));
  return { exact, close: exact.map((value, at) => value + (noise[at] ?? 0) + 0.5) };
}

/** Means first, then squares about them. */
function byDefinition(exact: Float32Array, close: Float32Array, size: number): number {
  const around = (values: readonly number[]) => {
    let sum = 0;
    for (let element = 0; element < size; element++) {
      const column = values.filter((_, at) => at % size === element);
      const mean = column.reduce((all, one) => all + one, 0) / column.length;
      sum += column.reduce((all, one) => all + (one - mean) ** 2, 0);
    }
    return sum;
  };
  const error = Array.from(close, (value, at) => value - (exact[at] ?? 0));
  return 10 * Math.log10(around(Array.from(exact)) / around(error));
}

function summed(rows: number, size: number, batches: readonly number[], constant = 50) {
  const { exact, close } = outputs(rows, size, constant);
  const sums = new VaryingSums();
  let first = 0;
  for (const count of batches) {
    const part = [first * size, (first + count) * size] as const;
    sums.add(exact.subarray(...part), close.subarray(...part), [count, size], count);
    first += count;
  }
  return { sums, expected: byDefinition(exact, close, size) };
}

describe('SQNR without the mean over samples', () => {
  it.each([
    ['one batch', [24]],
    ['uneven batches', [5, 8, 8, 3]],
    ['one sample at a time', new Array<number>(24).fill(1)],
  ])('is that of its definition in %s', (_what, batches) => {
    const { sums, expected } = summed(24, 3, batches);
    expect(sums.sqnr).toBeCloseTo(expected, 6);
    expect(expected).toBeLessThan(15);
  });

  it.each([
    ['seven samples', 7],
    ['none', 0],
  ])('is not told of %s', (_what, rows) => {
    expect(summed(rows, 3, [rows]).sums.sqnr).toBeUndefined();
  });

  it('is not told of an output that is the same on all samples, nor of one without samples along its first axis', () => {
    const same = new VaryingSums();
    const values = new Float32Array(16).fill(7.3);
    same.add(
      values,
      values.map((value) => value + 0.1),
      [16, 1],
      16,
    );
    expect(same.sqnr).toBeUndefined();
    const { exact, close } = outputs(16, 2, 3);
    const sideways = new VaryingSums();
    sideways.add(exact, close, [2, 16], 16);
    expect(sideways.sqnr).toBeUndefined();
  });

  it('is part of what two models say of each other', () => {
    const { exact, close } = outputs(16, 4, 20);
    const scorer = new AgreementScorer(0);
    const output = (data: Float32Array) => [{ type: 'float32', dims: [16, 4], data }] as never;
    scorer.add(output(exact), output(close), 16);
    const { sqnr, varying } = scorer.figures();
    expect(varying).toBeCloseTo(byDefinition(exact, close, 4), 6);
    expect((sqnr ?? 0) - (varying ?? 0)).toBeGreaterThan(10);
  });
});

it('a channel with a large bias makes an output constant: the report has both figures', async () => {
  const bias = [500, ...new Array<number>(7).fill(0)];
  const proto = model(
    {
      inputs: [valueInfo('x', ['N', 3, 6, 6])],
      outputs: [valueInfo('y', ['N', 4])],
      initializers: [
        tensor('c.w', [8, 3, 3, 3], Array.from(normalValues(216, 1, 0.3))),
        tensor('c.b', [8], bias),
        tensor('f.w', [8, 4], Array.from(normalValues(32, 2, 0.3))),
      ],
      nodes: [
        node('Conv', ['x', 'c.w', 'c.b'], ['c'], {}, { name: 'c' }),
        node('GlobalAveragePool', ['c'], ['p']),
        node('Flatten', ['p'], ['f']),
        node('MatMul', ['f', 'f.w'], ['y'], {}, { name: 'f' }),
      ],
    },
    { opset: 17 },
  );
  const source = folder.npy('x.npy', [16, 3, 6, 6], 'float', normalValues(16 * 108, 3));
  const job = {
    kind: 'measure',
    model: folder.model('net.onnx', proto),
    data: { source, seed: 0, preprocessing: {}, dimensions: {} },
    estimator: 'min-max',
    schemes: ['w8a8'],
    metrics: ['output'],
    threads: 1,
    seed: 0,
    dimensions: {},
  } as const;
  const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
  const output = (await measureHandler(job, context)).value?.output?.w8a8;
  expect(output?.sqnr).toBeGreaterThan(30);
  expect(output?.varying).toBeLessThan(5);
});

it.each([
  [{ sqnr: 40, varying: 5 }, undefined, 5],
  [{ sqnr: 40, varying: 30 }, undefined, undefined],
  [{ sqnr: 40 }, undefined, undefined],
  [{ sqnr: null, varying: 5 }, undefined, undefined],
  [{ sqnr: 40, varying: 5 }, { source: 'images' }, 5],
  [{ sqnr: 40, varying: 5 }, { source: 'random' }, undefined],
  [{ sqnr: 40, varying: 5 }, { source: 'none', noData: 'noise' as const }, undefined],
])('of %o on %o it counts instead: %o', (part, data, expected) => {
  expect(hiddenLoss({ ...part }, data)).toBe(expected);
});
