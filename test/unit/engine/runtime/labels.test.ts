import { describe, expect, it } from 'vitest';
import { readLabels } from '../../../../server/src/engine/runtime/labels';
import { said, temporaryFolder } from './fixtures/files';

const folder = temporaryFolder();
const pictures = { count: 3, available: 3, names: ['a.jpg', 'sub/b.jpg', 'c.jpg'] };
const rows = { count: 3, available: 3, names: undefined };

describe('labels', () => {
  const npy = folder.npy('y.npy', [3], 'uint8', Uint8Array.of(7, 0, 2));
  const wide = folder.npy('wide.npy', [3, 1], 'int64', BigInt64Array.of(7n, 0n, 2n));
  const tsv = 'file\tclass\twords\nc.jpg\t2\tcat\nb.jpg\t0\tdog\n\na.jpg\t7\tant\n';
  it.each([
    ['.npy to rows', npy, rows],
    ['.npy to pictures', npy, pictures],
    ['.npy of one column', wide, rows],
    ['.tsv by name, header and further columns ignored', folder.write('y.tsv', tsv), pictures],
    [
      '.tsv with carriage returns and without header',
      folder.write('r.tsv', 'a.jpg\t7\r\nb.jpg\t0\r\nc.jpg\t2\r\n'),
      pictures,
    ],
    ['.tsv in order to rows without names', folder.write('o.tsv', '1\t7\n2\t0\n3\t2\n'), rows],
    ['.json list', folder.write('y.json', '[7, 0, 2]'), rows],
    ['.json object', folder.write('n.json', '{"sub/b.jpg": 0, "a.jpg": 7, "c.jpg": 2}'), pictures],
  ])('%s', async (_, file, feeds) => {
    expect(await readLabels(file, feeds)).toEqual({ value: [7, 0, 2], issues: [] });
  });

  it('belong to the whole source when only the first samples are used', async () => {
    expect((await readLabels(npy, { count: 2, available: 3, names: undefined })).value).toEqual([7, 0]);
    expect((await readLabels(npy, { count: 3, available: 9, names: undefined })).value).toEqual([7, 0, 2]);
  });

  it.each([
    ['too few', folder.write('few.json', '[1, 2]'), rows, 2],
    ['too many', folder.write('many.json', '[1, 2, 3, 4]'), rows, 4],
    ['a picture without one', folder.write('gap.json', '{"a.jpg": 1, "c.jpg": 1, "d.jpg": 1}'), pictures, 2],
  ])('%s are a mismatch', async (_, file, feeds, labels) => {
    expect(said(await readLabels(file, feeds))).toEqual([['labels-mismatch', { labels, samples: 3 }]]);
  });

  it.each([
    [
      'floats',
      folder.npy('f.npy', [3], 'float', new Float32Array(3)),
      'labels are a list of integers, this is float [3]',
    ],
    [
      'a matrix',
      folder.npy('m.npy', [3, 2], 'uint8', new Uint8Array(6)),
      'labels are a list of integers, this is uint8 [3, 2]',
    ],
    [
      'a table without classes',
      folder.write('t.tsv', 'a.jpg\t1\nb.jpg\tdog\n'),
      'line 2 has no class in column 2',
    ],
    ['an empty table', folder.write('e.tsv', 'file\tclass\n'), 'no line with a file name and a class'],
    ['damaged JSON', folder.write('d.json', '[1,'), 'not JSON'],
    [
      'negative classes',
      folder.write('neg.json', '[-1, 2, 3]'),
      'JSON labels are a list of classes, or an object from file name to class',
    ],
    ['another format', folder.write('y.csv', 'a,1'), 'labels are .npy, .tsv or .json'],
  ])('%s are refused', async (_, source, reason) => {
    expect(said(await readLabels(source, rows))).toEqual([['data-unsupported', { source, reason }]]);
  });

  it('a missing file', async () => {
    expect((await readLabels(`${folder.path}/none.npy`, rows)).issues.map((one) => one.code)).toEqual([
      'file-not-found',
    ]);
  });
});
