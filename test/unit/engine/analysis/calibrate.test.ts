import { describe, expect, it } from 'vitest';
import {
  type CalibrateInput,
  calibrate,
  checkRanges,
} from '../../../../server/src/engine/analysis/calibrate';
import type { Outcome } from '../../../../server/src/engine/base/outcome';
import { encodeNpy } from '../../../../server/src/engine/format/npy';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { modelFingerprint } from '../../../../server/src/engine/graph/open';
import { runPasses } from '../../../../server/src/engine/graph/passes';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import { createEstimator } from '../../../../server/src/engine/numerics/ranges';
import { floats } from '../../../../server/src/engine/runtime/runtime-tensor';
import { openSession } from '../../../../server/src/engine/runtime/session-model';
import { tapModel } from '../../../../server/src/engine/runtime/tap';
import type { DataSpec, RangesFile } from '../../../../server/src/protocol/reports';
import { convNet, gemmNet, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { opened, said, temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const SAMPLES = 70;
const images = normalValues(SAMPLES * 192, 11);
const imageFile = folder.npy('images.npy', [SAMPLES, 3, 8, 8], 'float', images);
const scheme = { bits: 8, signed: false, symmetric: false };

interface Asked extends Partial<Omit<CalibrateInput, 'data'>> {
  readonly data?: Partial<DataSpec>;
}

async function ranges(proto: ModelProto, asked: Asked = {}): Promise<Outcome<RangesFile>> {
  const open = opened(folder.model('model.onnx', proto));
  const folded = cloneModel(open.model);
  runPasses(folded);
  const data = { source: imageFile, seed: 0, preprocessing: {}, dimensions: {}, ...asked.data };
  const input = { estimator: 'min-max', threads: 1, progress: () => {}, ...asked };
  try {
    return await calibrate({ ...input, open, model: folded, data });
  } finally {
    open.close();
  }
}

/** All elements of values of the folded model on all images, in one run. */
async function everything(
  proto: ModelProto,
  names: readonly string[],
): Promise<Record<string, Float32Array>> {
  const open = opened(folder.model('oracle.onnx', proto));
  const folded = cloneModel(open.model);
  runPasses(folded);
  const tapped = tapModel(
    folded,
    names.map((value) => ({ value, what: 'all', float: true })),
  );
  const session = await openSession(tapped.model, open, { threads: 1, optimization: 'disabled' });
  const ran = await session.value?.run({ input: floats([SAMPLES, 3, 8, 8], images) });
  open.close();
  return Object.fromEntries(
    names.map((name, index) => [name, ran?.value?.[tapped.outputs[index]?.[0] ?? '']?.data as Float32Array]),
  );
}

const tensors = ['input', 'bn1_out', 'relu1_out', 'conv2_out', 'relu2_out', 'pool_out', 'flat_out', 'output'];

describe('calibrate', () => {
  it('finds the exact extremes of every tensor around layers and kernels, with zero inside', async () => {
    const { value, issues } = await ranges(convNet());
    expect(issues).toEqual([]);
    expect(Object.keys(value?.ranges ?? {})).toEqual(tensors);
    const all = await everything(convNet(), tensors);
    for (const name of tensors) {
      // What only a Relu reads needs the range of its result: everything else is cut off anyway.
      const numbers = [
        ...(all[name.replace(/bn1_out|conv2_out/, (one) => `relu${one.match(/\d/)?.[0]}_out`)] ?? []),
      ];
      expect(value?.ranges[name]?.min, name).toBeCloseTo(Math.min(0, ...numbers), 4);
      expect(value?.ranges[name]?.max, name).toBeCloseTo(Math.max(0, ...numbers), 4);
    }
  });

  it('says what it was made from', async () => {
    const { value } = await ranges(convNet(), {
      data: { samples: 5, seed: 3, preprocessing: { layout: 'nchw' } },
    });
    const open = opened(folder.model('same.onnx', convNet()));
    expect(value).toMatchObject({
      version: 1,
      model: { fingerprint: await modelFingerprint(open) },
      data: { source: imageFile, samples: 5, fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) },
      estimator: 'min-max',
      preprocessing: { layout: 'nchw' },
      seed: 3,
    });
    expect(value?.data).not.toHaveProperty('noData');
  });

  it.each(['percentile:99', 'mse', 'lp:2.4'])(
    '%s sees every element of what a kernel reads',
    async (estimator) => {
      const { value } = await ranges(convNet(), { estimator });
      expect(value?.estimator).toBe(estimator);
      const exact = ['input', 'relu1_out', 'relu2_out', 'output'];
      const all = await everything(convNet(), exact);
      for (const name of exact) {
        const oracle = createEstimator(estimator).value;
        oracle?.observe(all[name] ?? new Float32Array(0));
        const expected = oracle?.range(scheme);
        expect(value?.ranges[name]?.min, name).toBeCloseTo(expected?.min ?? Number.NaN, 3);
        expect(value?.ranges[name]?.max, name).toBeCloseTo(expected?.max ?? Number.NaN, 3);
      }
      expect(value?.ranges.bn1_out).toEqual(value?.ranges.relu1_out);
    },
  );

  it('only looks at the tensors it is asked for', async () => {
    const { value } = await ranges(convNet(), { tensors: ['pool_out', 'nowhere', 'input'] });
    expect(Object.keys(value?.ranges ?? {})).toEqual(['pool_out', 'input']);
  });

  it('does not depend on how the samples are split', async () => {
    const fixed = (batch: number | string) => {
      const proto = convNet();
      return {
        ...proto,
        graph: proto.graph && { ...proto.graph, inputs: [valueInfo('input', [batch, 3, 8, 8])] },
      };
    };
    const [any, single] = [await ranges(fixed('N')), await ranges(fixed(1))];
    for (const name of tensors) {
      expect(any.value?.ranges[name]?.max, name).toBeCloseTo(
        single.value?.ranges[name]?.max ?? Number.NaN,
        4,
      );
    }
  });

  it('reports progress in samples and a complete partial result after every batch', async () => {
    const done: number[] = [];
    const partials: RangesFile[] = [];
    const { value } = await ranges(convNet(), {
      progress: (one) => done.push(one.done),
      partial: (one) => partials.push(one),
    });
    expect(done).toEqual([32, 64, 70]);
    expect(partials.map((one) => one.data.samples)).toEqual([32, 64, 70]);
    for (const partial of partials) expect(Object.keys(partial.ranges)).toEqual(tensors);
    expect(partials.at(-1)).toEqual(value);
  });

  it('stops between batches when cancelled; the partial result was sent', async () => {
    const stop = new AbortController();
    const partials: RangesFile[] = [];
    const cancelled = ranges(convNet(), {
      signal: stop.signal,
      partial: (one) => {
        partials.push(one);
        stop.abort();
      },
    });
    await expect(cancelled).rejects.toThrow('cancelled');
    expect(partials.map((one) => one.data.samples)).toEqual([32]);
  });

  it('takes the range of moved values from where they come from', async () => {
    const proto = model({
      inputs: [valueInfo('input', ['N', 3, 8, 8])],
      outputs: [valueInfo('output', ['N', 192])],
      initializers: [
        tensor('w', [3, 3, 1, 1], normalValues(9, 1)),
        tensor('v', [192, 192], normalValues(192 * 192, 2)),
      ],
      nodes: [
        node('Conv', ['input', 'w'], ['c']),
        node('MaxPool', ['c'], ['m'], { kernel_shape: [1, 1] }),
        node('Flatten', ['m'], ['f']),
        node('MatMul', ['f', 'v'], ['output']),
      ],
    });
    const { value } = await ranges(proto);
    expect(value?.ranges.m).toEqual(value?.ranges.c);
    expect(value?.ranges.f).toEqual(value?.ranges.c);
    expect(value?.ranges.output).not.toEqual(value?.ranges.c);
  });

  it('leaves integer and boolean tensors out and reads float16', async () => {
    const proto = model({
      inputs: [valueInfo('ids', ['N', 4], 'int64')],
      outputs: [{ name: 'output' }],
      initializers: [
        tensor('table', [5, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 'float16'),
        tensor('w', [2, 2], [1, 0, 0, -1], 'float16'),
      ],
      nodes: [node('Gather', ['table', 'ids'], ['rows']), node('MatMul', ['rows', 'w'], ['output'])],
    });
    const source = folder.npy('ids.npy', [2, 4], 'int64', BigInt64Array.of(0n, 1n, 2n, 3n, 3n, 2n, 1n, 0n));
    const { value } = await ranges(proto, { data: { source } });
    expect(value?.ranges).toEqual({ rows: { min: 0, max: 8 }, output: { min: -8, max: 7 } });
  });

  it('refuses data that hold NaN', async () => {
    const source = folder.npy(
      'nan.npy',
      [2, 16],
      'float',
      Float32Array.from({ length: 32 }, (_, at) => (at === 3 ? Number.NaN : 1)),
    );
    const { value, issues } = await ranges(gemmNet(), { data: { source } });
    expect(value).toBeUndefined();
    expect(issues.map((one) => one.code)).toEqual(['data-unsupported']);
  });

  describe('infinities, which attention masks hold', () => {
    // The mask is added to scores; the largest and smallest finite sums stand in masked and in other samples.
    const rows = 9;
    const scores = normalValues(rows * 16, 21);
    const mask = Float32Array.from({ length: rows * 16 }, (_, at) => (at % 5 === 2 ? -Infinity : 0));
    const sums = scores.map((score, at) => score + (mask[at] ?? 0));
    const finite = sums.filter(Number.isFinite);
    const source = folder.npz('masked.npz', {
      scores: encodeNpy([rows, 16], 'float', scores),
      mask: encodeNpy([rows, 16], 'float', mask),
    });
    const proto = model({
      inputs: [valueInfo('scores', ['N', 16]), valueInfo('mask', ['N', 16])],
      outputs: [{ name: 'output' }],
      initializers: [tensor('w', [16, 4], normalValues(64, 5))],
      nodes: [
        node('Add', ['scores', 'mask'], ['masked']),
        node('Softmax', ['masked'], ['weights'], { axis: -1 }),
        node('MatMul', ['weights', 'w'], ['output']),
      ],
    });

    it.each(['min-max', 'moving-average', 'percentile:100', 'mse'])(
      '%s: are left out of the range and told',
      async (estimator) => {
        const data = { source };
        const { value, issues } = await ranges(proto, { data, estimator, tensors: ['masked', 'weights'] });
        const count = sums.length - finite.length;
        expect(issues).toMatchObject([
          {
            code: 'activation-not-finite',
            severity: 'warning',
            anchor: { tensor: 'masked' },
            facts: { tensor: 'masked', count, share: count / sums.length },
          },
        ]);
        const { min = Number.NaN, max = Number.NaN } = value?.ranges.masked ?? {};
        if (estimator === 'mse') {
          expect(max).toBeLessThanOrEqual(Math.max(...finite) + 1e-5);
          expect(max).toBeGreaterThan(0.5 * Math.max(...finite));
        } else {
          expect(min).toBeCloseTo(Math.min(...finite), 5);
          expect(max).toBeCloseTo(Math.max(...finite), 5);
        }
        expect(value?.stats?.masked?.max ?? max).toBeLessThan(10);
        expect(value?.ranges.weights?.max).toBeLessThanOrEqual(1);
      },
    );
  });

  it('looks at a part of very large tensors, but never misses an extreme', async () => {
    const width = 1 << 20;
    const rows = 9;
    const data = new Float32Array(rows * width);
    for (let at = 0; at < data.length; at++) data[at] = (at % 1000) / 1000;
    data[5 * width + 12_345] = 77;
    data[8 * width + 1] = -55;
    const proto = model({
      inputs: [valueInfo('input', ['N', width])],
      outputs: [{ name: 'output' }],
      initializers: [tensor('w', [1], [2])],
      nodes: [node('Mul', ['input', 'w'], ['output'])],
    });
    const source = folder.npy('large.npy', [rows, width], 'float', data);
    expect(
      (await ranges(proto, { data: { source }, estimator: 'percentile:100' })).value?.ranges.input,
    ).toEqual({ min: -55, max: 77 });
    const { value } = await ranges(proto, { data: { source }, estimator: 'percentile:90' });
    expect(value?.ranges.input?.max).toBeGreaterThan(0.88);
    expect(value?.ranges.input?.max).toBeLessThan(0.92);
  });

  it.each([
    ['an unknown estimator', { estimator: 'median' }, 'recipe-value'],
    ['synthetic data', { data: { source: 'synthetic:dsg' } }, 'not-implemented'],
    [
      'data of another shape',
      { data: { source: folder.npy('odd.npy', [2, 3], 'float', new Float32Array(6)) } },
      'data-mismatch',
    ],
  ] as const)('refuses %s', async (_, asked, code) => {
    const outcome = await ranges(convNet(), asked);
    expect(outcome.value).toBeUndefined();
    expect(outcome.issues.map((one) => one.code)).toEqual([code]);
  });
});

describe('without data', () => {
  /** Conv → BatchNormalization → Relu or Clip → …; β and γ by hand. */
  const proto = (activation: readonly ModelNode[]) =>
    model({
      inputs: [valueInfo('input', ['N', 1, 4, 4])],
      outputs: [{ name: 'output' }],
      initializers: [
        tensor('w', [2, 1, 1, 1], [1, -1]),
        tensor('gamma', [2], [0.5, -2]),
        tensor('beta', [2], [1, -3]),
        tensor('mean', [2], [0, 0]),
        tensor('variance', [2], [1, 1]),
        tensor('six', [], [6]),
        tensor('zero', [], [0]),
      ],
      nodes: [
        node('Conv', ['input', 'w'], ['c']),
        node('BatchNormalization', ['c', 'gamma', 'beta', 'mean', 'variance'], ['b']),
        ...activation,
      ],
    });
  type ModelNode = ReturnType<typeof node>;

  it('ranges are β ± 6·|γ| over the channels, clipped by what follows', async () => {
    const relu = await ranges(proto([node('Relu', ['b'], ['output'])]), { data: { source: 'none' } });
    // What the input looks like is a guess, and said to be one.
    expect(relu.issues.map((one) => [one.code, one.severity])).toEqual([['input-assumed', 'warning']]);
    expect(relu.issues[0]?.facts).toMatchObject({ input: 'input', ...relu.value?.ranges.input });
    // β ± 6·|γ|: 1 ± 3 and −3 ± 12.
    expect(relu.value?.ranges.b).toEqual({ min: -15, max: 9 });
    expect(relu.value?.ranges.output).toEqual({ min: 0, max: 9 });
    expect(relu.value?.data.noData).toBe('batch-norm');
    const clip = await ranges(proto([node('Clip', ['b', 'zero', 'six'], ['output'])]), {
      data: { source: 'none' },
    });
    expect(clip.value?.ranges.output).toEqual({ min: 0, max: 6 });
  });

  it('sums have the sum of means and variances; what has no rule is measured on noise', async () => {
    const nodes = [node('Add', ['b', 'b'], ['s']), node('Mul', ['s', 's'], ['output'])];
    const { value } = await ranges(proto(nodes), { data: { source: 'none' } });
    // 2 ± 6·√0.5 and −6 ± 6·√8.
    expect(value?.ranges.s?.min).toBeCloseTo(-6 - 6 * Math.sqrt(8), 4);
    expect(value?.ranges.s?.max).toBeCloseTo(-6 + 6 * Math.sqrt(8), 4);
    expect(value?.ranges.output?.max).toBeGreaterThan(0);
    expect(value?.data).toMatchObject({ noData: 'batch-norm', samples: 16 });
  });

  it('pixels have the range that their preprocessing gives them', async () => {
    const preprocessing = { mean: [0.5], std: [0.25] };
    const { value, issues } = await ranges(proto([node('Relu', ['b'], ['output'])]), {
      data: { source: 'none', preprocessing },
    });
    expect(issues).toEqual([]);
    expect(value?.ranges.input).toEqual({ min: -2, max: 2 });
    expect(value?.data.samples).toBe(0);
  });

  it('and without BatchNormalization 16 samples of seeded noise serve', async () => {
    const one = await ranges(gemmNet(), { data: { source: 'none' } });
    expect(one.value?.data).toMatchObject({ source: 'none', noData: 'noise', samples: 16 });
    expect(one.value?.ranges.input?.max).toBeGreaterThan(1.5);
    expect(one.value?.ranges.input?.max).toBeLessThan(6);
    const again = await ranges(gemmNet(), { data: { source: 'none' } });
    expect(again.value).toEqual(one.value);
    const other = await ranges(gemmNet(), { data: { source: 'none', seed: 1 } });
    expect(other.value?.ranges).not.toEqual(one.value?.ranges);
    expect(other.value?.data.fingerprint).not.toBe(one.value?.data.fingerprint);
  });
});

describe('a ranges file is', () => {
  it('fresh for its model and data, stale for others', async () => {
    const { value } = await ranges(gemmNet(), { data: { source: 'none' } });
    if (!value) throw new Error('calibrated');
    const { fingerprint } = value.model;
    expect(checkRanges(value, fingerprint, 'r.json')).toEqual([]);
    expect(checkRanges(value, fingerprint, 'r.json', value.data.fingerprint)).toEqual([]);
    const stale = (issues: ReturnType<typeof checkRanges>) => said({ issues });
    expect(stale(checkRanges(value, 'other', 'r.json'))).toEqual([
      ['ranges-stale', { what: 'model', path: 'r.json' }],
    ]);
    expect(stale(checkRanges(value, fingerprint, 'r.json', 'other'))).toEqual([
      ['ranges-stale', { what: 'data', path: 'r.json' }],
    ]);
  });
});
