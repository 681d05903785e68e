import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeNpy } from '../../../../server/src/engine/format/npy';
import { fromOnnx } from '../../../../server/src/engine/graph/from-onnx';
import { openFeeds } from '../../../../server/src/engine/runtime/feeds';
import type { PreprocessingSpec } from '../../../../server/src/protocol/reports';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { batchesOf, open, outline, spec, taking, values } from './fixtures/feeds';
import { said, temporaryFolder } from './fixtures/files';

const folder = temporaryFolder();

describe('float arrays', () => {
  const rows = normalValues(15, 1);
  const file = folder.npy('floats.npy', [5, 3], 'float', rows);

  it('pass untouched, in batches of any size', async () => {
    const to = taking(valueInfo('x', ['N', 3]));
    expect(await values(await open(file, to))).toEqual([...rows]);
    expect(outline(await batchesOf(await open(file, to), 2))).toEqual([
      '0+2 x[2,3]',
      '2+2 x[2,3]',
      '4+1 x[1,3]',
    ]);
  });

  it('give one row a run where the batch is fixed at 1', async () => {
    const batches = await batchesOf(await open(file, taking(valueInfo('x', [1, 3])), { samples: 2 }), 8);
    expect(outline(batches)).toEqual(['0+1 x[1,3]', '1+1 x[1,3]']);
  });

  it('are grouped for a fixed batch; an incomplete group is left out with a warning', async () => {
    const { value, issues } = await openFeeds(spec(file), taking(valueInfo('x', [2, 3])));
    expect(issues.map((one) => [one.code, one.facts, one.severity])).toEqual([
      ['data-few', { asked: 5, found: 4 }, 'warning'],
    ]);
    expect(value && outline(await batchesOf(value, 1))).toEqual(['0+2 x[2,3]', '2+2 x[2,3]']);
  });

  it('say how many there are when more were asked for', async () => {
    const { value, issues } = await openFeeds(spec(file, { samples: 9 }), taking(valueInfo('x', ['N', 3])));
    expect(said({ issues })).toEqual([['data-few', { asked: 9, found: 5 }]]);
    expect([value?.count, value?.available]).toEqual([5, 5]);
  });

  it('warn when they are told to be preprocessed, and stay untouched', async () => {
    const preprocessing: PreprocessingSpec = { mean: [0.5], std: [2] };
    const { value, issues } = await openFeeds(
      spec(file, { preprocessing }),
      taking(valueInfo('x', ['N', 3])),
    );
    expect(said({ issues })).toEqual([['preprocessing-unused', { source: file, options: 'mean, std' }]]);
    expect(value && (await values(value))).toEqual([...rows]);
  });

  it('of complete inputs run one by one', async () => {
    const whole = folder.npy('whole.npy', [2, 4, 3], 'float', normalValues(24, 2));
    expect(outline(await batchesOf(await open(whole, taking(valueInfo('x', [4, 3]))), 8))).toEqual([
      '0+1 x[4,3]',
      '1+1 x[4,3]',
    ]);
  });

  it('convert widths of floats and of integers', async () => {
    const doubles = folder.npy('doubles.npy', [2, 1], 'double', Float64Array.of(0.1, -1e300));
    expect(await values(await open(doubles, taking(valueInfo('mask', ['N', 1]))), 'mask')).toEqual([
      Math.fround(0.1),
      -Infinity,
    ]);
    const halves = await open(doubles, taking(valueInfo('x', ['N', 1], 'float16')), { samples: 1 });
    expect(await values(halves)).toEqual([0x2e66]);
    const ids = folder.npy('ids.npy', [2, 2], 'int32', Int32Array.of(1, -2, 3, 4));
    const [batch] = await batchesOf(await open(ids, taking(valueInfo('x', ['N', 'T'], 'int64'))), 8);
    expect(batch?.feeds.x).toEqual({ type: 'int64', dims: [2, 2], data: BigInt64Array.of(1n, -2n, 3n, 4n) });
  });

  it.each([
    ['float', [5, 3], ['N', 4], 'float', 'float [N, 4]', 'float [5, 3]'],
    ['float', [5, 3], ['N', 3], 'int64', 'int64 [N, 3]', 'float [5, 3]'],
    ['int64', [5, 3], ['N', 3], 'float', 'float [N, 3]', 'int64 [5, 3]'],
    ['float', [5], ['N', 3], 'float', 'float [N, 3]', 'float [5]'],
  ] as const)('%s %j does not fit %j of %s', async (type, shape, dims, wanted, expected, found) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const data = type === 'float' ? new Float32Array(count) : new BigInt64Array(count);
    const source = folder.npy(`mismatch-${type}-${shape.length}.npy`, shape, type, data);
    const outcome = await openFeeds(spec(source), taking(valueInfo('x', [...dims], wanted)));
    expect(said(outcome)).toEqual([['data-mismatch', { input: 'x', expected, found }]]);
  });
});

describe('uint8 arrays are pixels in NHWC', () => {
  // Two pictures of 1 × 2 pixels with 3 channels.
  const bytes = Uint8Array.of(0, 51, 102, 153, 204, 255, 255, 0, 0, 0, 255, 0);
  const file = folder.npy('pixels.npy', [2, 1, 2, 3], 'uint8', bytes);
  const nchw = taking(valueInfo('x', ['N', 3, 1, 2]));

  it('become NCHW, scaled by 1/255', async () => {
    const found = await values(await open(file, nchw));
    expect(found).toEqual([0, 0.6, 0.2, 0.8, 0.4, 1, 1, 0, 0, 1, 0, 0].map(Math.fround));
  });

  it('take scale, mean and std per channel: (pixel · scale − mean) / std', async () => {
    const preprocessing = { scale: 2, mean: [1, 2, 4], std: [2, 4, 8] };
    const found = await values(await open(file, nchw, { preprocessing, samples: 1 }));
    expect(found).toEqual([
      (0 - 1) / 2,
      (306 - 1) / 2,
      (102 - 2) / 4,
      (408 - 2) / 4,
      (204 - 4) / 8,
      (510 - 4) / 8,
    ]);
  });

  it('take one number for all channels', async () => {
    const preprocessing = { scale: 1, mean: [1], std: [2] };
    const found = await values(await open(file, nchw, { preprocessing, samples: 1 }));
    expect(found).toEqual([-0.5, 76, 25, 101.5, 50.5, 127]);
  });

  it('stay NHWC for a model that says so; bgr turns the channels round, mean counts as the model does', async () => {
    const nhwc = taking(valueInfo('x', ['N', 1, 2, 3]));
    const preprocessing = { layout: 'nhwc', color: 'bgr', scale: 1, mean: [2, 0, 0] } as const;
    expect(await values(await open(file, nhwc, { preprocessing, samples: 1 }))).toEqual([
      100, 51, 0, 253, 204, 153,
    ]);
  });

  it('become one channel by luma where the model is grey', async () => {
    const grey = taking(valueInfo('x', ['N', 1, 1, 2]));
    const found = await values(await open(file, grey, { preprocessing: { scale: 1 }, samples: 1 }));
    // 0.299 R + 0.587 G + 0.114 B, rounded.
    expect(found).toEqual([42, 195]);
  });

  it('without a channel axis are grey, and fill three channels where the model wants them', async () => {
    const grey = folder.npy('grey.npy', [1, 1, 2], 'uint8', Uint8Array.of(5, 9));
    const preprocessing = { scale: 1 };
    expect(await values(await open(grey, taking(valueInfo('x', ['N', 1, 1, 2])), { preprocessing }))).toEqual(
      [5, 9],
    );
    expect(await values(await open(grey, nchw, { preprocessing }))).toEqual([5, 9, 5, 9, 5, 9]);
  });

  it('reach a uint8 input as they are, in its layout', async () => {
    const raw = taking(valueInfo('x', ['N', 3, 1, 2], 'uint8'));
    const [batch] = await batchesOf(await open(file, raw, { samples: 1 }), 1);
    expect(batch?.feeds.x).toEqual({
      type: 'uint8',
      dims: [1, 3, 1, 2],
      data: Uint8Array.of(0, 153, 51, 204, 102, 255),
    });
  });

  it('are cropped and resized like pictures', async () => {
    const wide = folder.npy(
      'wide.npy',
      [1, 2, 6, 1],
      'uint8',
      Uint8Array.from({ length: 12 }, (_, at) => at),
    );
    const to = taking(valueInfo('x', ['N', 1, 2, 2]));
    const found = await values(await open(wide, to, { preprocessing: { scale: 1, crop: 2 } }));
    expect(found).toEqual([2, 3, 8, 9]);
  });

  it('of two axes are features', async () => {
    const features = folder.npy('features.npy', [1, 3], 'uint8', Uint8Array.of(0, 51, 255));
    expect(await values(await open(features, taking(valueInfo('x', ['N', 3]))))).toEqual(
      [0, 0.2, 1].map(Math.fround),
    );
  });

  it.each([
    [
      { mean: [1, 2] },
      [
        'recipe-value',
        { key: 'mean', reason: 'mean has 2 numbers', expected: 'one number or 3, one per channel' },
      ],
    ],
    [
      { std: [1, 0, 1] },
      ['recipe-value', { key: 'std', reason: 'std is 1, 0, 1', expected: 'numbers other than 0' }],
    ],
    [
      { layout: 'nhwc' },
      [
        'data-mismatch',
        {
          input: 'x',
          expected: 'float [N, 3, 1, 2]',
          found: 'a sample: 3 × 1 × 2 (channels × height × width)',
        },
      ],
    ],
  ] as const)('%j is refused', async (preprocessing, expected) => {
    const outcome = await openFeeds(spec(file, { preprocessing }), nchw);
    let issues = outcome.issues;
    for await (const batch of outcome.value?.batches(2) ?? []) issues = [...issues, ...batch.issues];
    expect(said({ issues })).toEqual([expected]);
  });
});

describe('several inputs', () => {
  const file = folder.npz('two.npz', {
    a: encodeNpy([3, 2], 'float', normalValues(6, 3)),
    b: encodeNpy([3, 4], 'int64', new BigInt64Array(12)),
    rate: encodeNpy([], 'int64', BigInt64Array.of(16000n)),
    unused: encodeNpy([7], 'float', new Float32Array(7)),
  });
  const a = valueInfo('a', ['batch', 2]);
  const b = valueInfo('b', ['batch', 'T'], 'int64');

  it('come from an .npz by name, a scalar serves all samples', async () => {
    const to = taking(a, b, valueInfo('rate', [], 'int64'));
    const batches = await batchesOf(await open(file, to), 2);
    expect(outline(batches)).toEqual(['0+2 a[2,2] b[2,4] rate[]', '2+1 a[1,2] b[1,4] rate[]']);
    expect(batches[1]?.feeds.rate?.data).toEqual(BigInt64Array.of(16000n));
  });

  it('each need their array', async () => {
    const outcome = await openFeeds(spec(file), taking(a, valueInfo('c', ['batch', 2])));
    const found = 'arrays a, b, rate, unused';
    expect(said(outcome)).toEqual([['data-mismatch', { input: 'c', expected: 'float [batch, 2]', found }]]);
    const single = folder.npy('single.npy', [3, 2], 'float', new Float32Array(6));
    expect((await openFeeds(spec(single), taking(a, b))).issues.map((one) => one.code)).toEqual([
      'data-mismatch',
      'data-mismatch',
    ]);
  });

  it('need equally many samples', async () => {
    const uneven = folder.npz('uneven.npz', {
      a: encodeNpy([3, 2], 'float', new Float32Array(6)),
      b: encodeNpy([2, 4], 'int64', new BigInt64Array(8)),
    });
    const found = '3 samples where another input has 2';
    expect(said(await openFeeds(spec(uneven), taking(a, b)))).toEqual([
      ['data-mismatch', { input: 'a', expected: 'float [batch, 2]', found }],
    ]);
  });

  it('an .npz with one array serves one input whatever the array is called', async () => {
    const one = folder.npz('one.npz', { arr_0: encodeNpy([3, 2], 'float', new Float32Array(6)) });
    expect((await open(one, taking(valueInfo('x', ['N', 2])))).count).toBe(3);
  });
});

describe('test data sets', () => {
  const set = (name: string, values: readonly number[], inputName = 'x') =>
    folder.tensorFile(`sets/${name}/input_0.pb`, tensor(inputName, [1, values.length], values));
  set('test_data_set_0', [1, 2]);
  set('test_data_set_10', [5, 6]);
  set('test_data_set_2', [3, 4]);
  const root = path.join(folder.path, 'sets');

  it('are samples in the order of their numbers', async () => {
    const feeds = await open(root, taking(valueInfo('x', ['N', 2])));
    expect(feeds.names).toEqual(['test_data_set_0', 'test_data_set_2', 'test_data_set_10']);
    expect(await values(feeds)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('go to inputs by name where the names fit, else by number', async () => {
    folder.tensorFile('named/test_data_set_0/input_0.pb', tensor('b', [1], [2]));
    folder.tensorFile('named/test_data_set_0/input_1.pb', tensor('a', [1], [1]));
    const by = async (...names: string[]) => {
      const feeds = await open(
        path.join(folder.path, 'named'),
        taking(...names.map((name) => valueInfo(name, [1]))),
      );
      const [batch] = await batchesOf(feeds, 1);
      return names.map((name) => batch?.feeds[name]?.data[0]);
    };
    expect(await by('a', 'b')).toEqual([1, 2]);
    expect(await by('p', 'q')).toEqual([2, 1]);
  });

  it.each([
    ['x', ['N', 3], 'float', 'float [N, 3]', 'float [1, 2]'],
    ['x', ['N', 2], 'int64', 'int64 [N, 2]', 'float [1, 2]'],
  ] as const)('that do not fit %s %j of %s are refused', async (name, dims, type, expected, found) => {
    const feeds = await open(root, taking(valueInfo(name, [...dims], type)));
    const issues = [];
    for await (const batch of feeds.batches(4)) issues.push(...batch.issues);
    expect(said({ issues })).toEqual([['data-mismatch', { input: name, expected, found }]]);
  });

  it('lack no input', async () => {
    const feeds = await open(root, taking(valueInfo('x', ['N', 2]), valueInfo('y', ['N', 2])));
    const issues = [];
    for await (const batch of feeds.batches(4)) issues.push(...batch.issues);
    expect(issues.map((one) => one.code)).toEqual(['data-mismatch']);
  });
});

describe('sources that cannot be used', () => {
  const to = taking(valueInfo('x', ['N', 3]));
  it.each([
    ['missing', path.join(folder.path, 'nowhere'), 'data-not-found'],
    ['synthetic', 'synthetic:zeroq', 'not-implemented'],
    ['a text file', folder.write('notes.txt', 'hello'), 'data-unsupported'],
    ['an empty folder', path.dirname(folder.write('nothing/.keep', '')), 'data-empty'],
    ['an empty array', folder.npy('empty.npy', [0, 3], 'float', new Float32Array(0)), 'data-empty'],
    ['an empty file', folder.write('zero.npy', ''), 'file-empty'],
    ['a damaged array', folder.write('bad.npy', 'not an array at all'), 'format-unknown'],
    ['a damaged archive', folder.write('bad.npz', 'PK'), 'format-damaged'],
  ])('%s: %s', async (_, source, code) => {
    const outcome = await openFeeds(spec(source), to);
    expect(outcome.value).toBeUndefined();
    expect(outcome.issues.map((one) => one.code)).toEqual([code]);
  });

  it('a model without inputs', async () => {
    const nothing = fromOnnx(
      model({
        outputs: [{ name: 'y' }],
        nodes: [node('Constant', [], ['y'], { value: tensor('', [1], [1]) })],
      }),
      undefined,
    ).value;
    expect(nothing && (await openFeeds(spec('random'), nothing)).issues.map((one) => one.code)).toEqual([
      'data-unsupported',
    ]);
  });

  it('a file cut off while it is read', async () => {
    const file = folder.npy('cut.npy', [4, 3], 'float', new Float32Array(12));
    const feeds = await open(file, to);
    fs.truncateSync(file, 150);
    const codes: string[] = [];
    for await (const batch of feeds.batches(2)) codes.push(...batch.issues.map((one) => one.code));
    expect(codes).toEqual(['file-changed']);
  });
});

describe('stream', () => {
  const to = taking(valueInfo('x', ['N', 3]));
  const file = folder.npy('stream.npy', [6, 3], 'float', normalValues(18, 4));

  it('stops at a cancelled signal', async () => {
    const stop = new AbortController();
    const feeds = await open(file, to);
    const read = async () => {
      for await (const batch of feeds.batches(2, stop.signal)) if (batch.value) stop.abort();
    };
    await expect(read()).rejects.toThrow('cancelled');
  });

  it('can be read again', async () => {
    const feeds = await open(file, to);
    for (let round = 0; round < 2; round++) {
      let count = 0;
      for await (const batch of feeds.batches(4)) count += batch.value?.count ?? 0;
      expect(count).toBe(6);
    }
  });

  it('has a fingerprint of the content, not of the name', async () => {
    const same = folder.write('copy.npy', fs.readFileSync(file));
    const other = folder.npy('other.npy', [6, 3], 'float', normalValues(18, 5));
    const [one, two, three] = await Promise.all(
      [file, same, other].map(async (source) => (await open(source, to)).fingerprint()),
    );
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(two).toBe(one);
    expect(three).not.toBe(one);
  });
});
