import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildKernels } from '../../../../scripts/build-kernels.mjs';
import { planBlocks } from '../../../../server/src/engine/numerics/kernels/blocks';
import { instantiate, loadKernels, reserve } from '../../../../server/src/engine/numerics/kernels/module';
import { channelView } from '../../../../server/src/engine/numerics/layout';

test('the committed constant is what kernels.wat assembles to', async () => {
  const file = path.resolve(__dirname, '../../../../server/src/engine/numerics/kernels/binary.ts');
  expect(readFileSync(file, 'utf8')).toBe(await buildKernels());
});

test('a module that the engine rejects leaves the work to the reference', () => {
  expect(instantiate(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 255))).toBeUndefined();
});

describe('transpose', () => {
  test.each([
    [1, 1],
    [4, 4],
    [5, 3],
    [3, 21],
    [16, 16],
    [7, 34],
    [33, 19],
  ])('%d × %d', (rows, columns) => {
    const kernels = loadKernels();
    if (kernels === undefined) throw new Error('no SIMD');
    const count = rows * columns;
    const to = count * 4;
    reserve(kernels, 2 * to + 64);
    const from = new Float32Array(kernels.memory.buffer, 0, count);
    from.forEach((_, i) => {
      from[i] = i;
    });
    const result = new Float32Array(kernels.memory.buffer, to, count + 1).fill(-1);
    kernels.transpose(0, 4 * columns, rows, columns, to);
    const expected = Array.from({ length: count }, (_, i) => (i % rows) * columns + Math.floor(i / rows));
    expect(Array.from(result)).toEqual([...expected, -1]);
  });

  test('takes a strip out of longer rows', () => {
    const kernels = loadKernels();
    if (kernels === undefined) throw new Error('no SIMD');
    reserve(kernels, 1024);
    new Float32Array(kernels.memory.buffer, 0, 60).set(Array.from({ length: 60 }, (_, i) => i));
    kernels.transpose(8, 40, 6, 5, 512);
    const expected = [2, 3, 4, 5, 6].flatMap((column) => [0, 1, 2, 3, 4, 5].map((row) => 10 * row + column));
    expect(Array.from(new Float32Array(kernels.memory.buffer, 512, 30))).toEqual(expected);
  });
});

describe('blocks', () => {
  test.each([
    ['rows that fit', [1000, 1000], 0, 128],
    ['rows that do not', [3, 3_000_000], 0, 4096],
    ['columns', [5000, 1000], 1, 128],
    ['more columns than fit into a block of whole groups', [40_000, 70_000], 1, 65_536],
    ['a middle axis', [64, 128, 3, 3], 1, 32],
    ['one element', [1], 0, 1],
  ])('%s cover every element once, end with groups and stay small', (_name, shape, axis, group) => {
    const view = channelView(shape, axis);
    let covered = 0;
    for (const { rows, k, len, channel } of planBlocks(view, group)) {
      covered += rows * len;
      expect(rows * len).toBeLessThanOrEqual(1 << 22);
      expect(k % group).toBe(0);
      expect(len % group === 0 || k + len === view.perChannel).toBe(true);
      expect(channel + rows).toBeLessThanOrEqual(view.channels);
    }
    expect(covered).toBe(view.count);
  });

  test('a middle axis with channels beyond all bounds is left to the reference', () => {
    expect(planBlocks(channelView([5_000_000, 2, 2], 1), 1)).toEqual([]);
  });
});
