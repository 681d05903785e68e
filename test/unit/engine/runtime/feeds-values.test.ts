import { describe, expect, it } from 'vitest';
import { fromOnnx } from '../../../../server/src/engine/graph/from-onnx';
import { openFeeds } from '../../../../server/src/engine/runtime/feeds';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { batchesOf, open, outline, spec, taking, values } from './fixtures/feeds';
import { said, temporaryFolder } from './fixtures/files';

const folder = temporaryFolder();

describe('noise', () => {
  const image = taking(valueInfo('x', ['N', 3, 4, 4]));

  it('is N(0, 1), the same for the same seed, another for another seed and another sample', async () => {
    const one = await values(await open('random', image, { samples: 100 }));
    const mean = one.reduce((sum, value) => sum + value, 0) / one.length;
    const variance = one.reduce((sum, value) => sum + (value - mean) ** 2, 0) / one.length;
    expect(Math.abs(mean)).toBeLessThan(0.05);
    expect(Math.abs(variance - 1)).toBeLessThan(0.1);
    expect(await values(await open('random', image, { samples: 100 }))).toEqual(one);
    expect((await values(await open('random', image, { samples: 1, seed: 1 })))[0]).not.toBe(one[0]);
    expect(new Set(one).size).toBeGreaterThan(4000);
  });

  it('does not depend on the batch size', async () => {
    const all = await values(await open('random', image, { samples: 5 }));
    const parts = (await batchesOf(await open('random', image, { samples: 5 }), 2)).flatMap(({ feeds }) => [
      ...(feeds.x?.data ?? []),
    ]);
    expect(parts).toEqual(all);
  });

  it('has 16 samples where no number is given', async () => {
    expect((await open('random', image)).count).toBe(16);
    expect((await open('none', image)).count).toBe(16);
  });

  it('fills whole runs where the batch is fixed and another input has none', async () => {
    const to = taking(valueInfo('x', [2, 3]), valueInfo('state', [4, 1]));
    expect(outline(await batchesOf(await open('random', to, { samples: 2 }), 8))).toEqual([
      '0+1 x[2,3] state[4,1]',
      '1+1 x[2,3] state[4,1]',
    ]);
  });

  it('draws ids from the rows of the table they look up, other integers from 0 and 1', async () => {
    const proto = model({
      inputs: [
        valueInfo('ids', ['N', 50], 'int64'),
        valueInfo('mask', ['N', 50], 'int64'),
        valueInfo('flag', ['N'], 'bool'),
      ],
      outputs: [{ name: 'out' }, { name: 'rest' }, { name: 'f' }],
      initializers: [tensor('table', [37, 2], normalValues(74, 1))],
      nodes: [
        node('Cast', ['ids'], ['ids32'], { to: 6 }),
        node('Gather', ['table', 'ids32'], ['out']),
        node('Identity', ['mask'], ['rest']),
        node('Not', ['flag'], ['f']),
      ],
    });
    const to = fromOnnx(proto, undefined).value;
    if (!to) throw new Error('valid');
    const ids = new Set(await values(await open('random', to, { samples: 40 }), 'ids'));
    expect([Math.min(...ids), Math.max(...ids), ids.size]).toEqual([0, 36, 37]);
    expect(new Set(await values(await open('random', to, { samples: 4 }), 'mask'))).toEqual(new Set([0, 1]));
    expect(new Set(await values(await open('random', to, { samples: 9 }), 'flag'))).toEqual(new Set([0, 1]));
  });

  it('takes a size of its own where nobody gave data nor dimensions, and says so', async () => {
    const to = taking(valueInfo('x', ['batch', 'seq']));
    expect(said(await openFeeds(spec('none'), to))).toEqual([
      ['dimension-assumed', { dimension: 'seq', size: 16 }],
    ]);
    const assumed = await open('none', to, { samples: 1 });
    expect(outline(await batchesOf(assumed, 100))).toEqual(['0+1 x[1,16]']);
    const bound = await open('none', to, { samples: 1, dimensions: { seq: 7 } });
    expect(outline(await batchesOf(bound, 100))).toEqual(['0+1 x[1,7]']);
  });

  it('needs every dimension but the batch', async () => {
    const to = taking(valueInfo('x', ['batch', 'seq']));
    expect(said(await openFeeds(spec('random'), to))).toEqual([
      ['dimension-unbound', { dimension: 'seq', input: 'x' }],
    ]);
    const unnamed = taking(valueInfo('x', ['batch', undefined]), valueInfo('y', [2, undefined]));
    expect(said(await openFeeds(spec('random'), unnamed))).toEqual([
      ['dimension-unbound', { dimension: 'x.1', input: 'x' }],
      ['dimension-unbound', { dimension: 'y.1', input: 'y' }],
    ]);
    const all = await open('random', unnamed, { dimensions: { 'x.1': 4, 'y.1': 5 }, samples: 2 });
    expect(outline(await batchesOf(all, 100))).toEqual(['0+1 x[1,4] y[2,5]', '1+1 x[1,4] y[2,5]']);
    const bound = await open('random', to, { dimensions: { seq: 7, batch: 2 }, samples: 4 });
    expect(outline(await batchesOf(bound, 100))).toEqual(['0+2 x[2,7]', '2+2 x[2,7]']);
  });
});

describe('values that no figure survives', () => {
  const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
  it.each([
    ['x', 'float', [1, nan, 2], 'NaN'],
    ['x', 'float', [1, inf, 2], 'infinity'],
    ['x', 'float', [1, -inf, 2], 'infinity'],
    ['x', 'float', [-inf, -inf, -inf], 'infinity'],
    ['x', 'float', [0, -inf, 0], undefined],
    ['attention_mask', 'float', [-1, -inf, -2], undefined],
    ['attention_mask', 'float', [-inf, -inf, -inf], undefined],
    ['attention_mask', 'float', [0, inf, 0], 'infinity'],
    ['attention_mask', 'float', [0, nan, 0], 'NaN'],
    ['x', 'float', [1e38, -1e38, 1e-45], undefined],
    ['x', 'double', [1, inf, 2], 'infinity'],
    ['x', 'float16', [1, 1e6, 2], 'infinity'],
    ['x', 'float16', [1, -1e6, 2], 'infinity'],
    ['x', 'float16', [0, -1e6, 0], undefined],
    ['x', 'float16', [1, nan, 2], 'NaN'],
    ['x', 'float16', [6e-8, -60_000, -0], undefined],
  ] as const)('in %s (%s): %j', async (name, type, row, held) => {
    const rows = [0, 1, 0, ...row];
    const file =
      type === 'double'
        ? folder.npy('held.npy', [2, 3], 'double', new Float64Array(rows))
        : folder.npy('held.npy', [2, 3], 'float', new Float32Array(rows));
    const feeds = await open(file, taking(valueInfo(name, ['N', 3], type)));
    const found: unknown[] = [];
    for await (const batch of feeds.batches(2)) found.push(batch.value ? undefined : batch.issues[0]);
    feeds.close();
    expect(found).toMatchObject([
      held && {
        code: 'data-unsupported',
        facts: { source: file, reason: `sample 2 holds ${held} in input ${name}` },
      },
    ]);
  });
});
