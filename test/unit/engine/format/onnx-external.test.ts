/** External data: containment, ranges, one handle per file. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Issue } from '../../../../server/src/engine/base/issue';
import { ExternalFiles, externalPayload } from '../../../../server/src/engine/format/onnx-external';
import { readTensor } from '../../../../server/src/engine/format/tensor-data';

let root = '';
let folder = '';

beforeAll(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'external-'));
  folder = path.join(root, 'model');
  fs.mkdirSync(path.join(folder, 'sub'), { recursive: true });
  fs.writeFileSync(path.join(root, 'secret.bin'), new Uint8Array(64));
  fs.writeFileSync(path.join(folder, 'w.bin'), new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer));
  fs.writeFileSync(path.join(folder, 'sub', 'w.bin'), new Uint8Array(8));
  fs.symlinkSync('../secret.bin', path.join(folder, 'link-out'));
  fs.symlinkSync('..', path.join(folder, 'link-up'));
  fs.symlinkSync('w.bin', path.join(folder, 'link-in'));
});

afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

/** Resolving `location` gives no slice and exactly this issue. */
function checkRefused(location: string, code: Issue['code'], offset = 0, length = 4): void {
  const files = new ExternalFiles(folder);
  const { value, issues } = files.resolve('w', externalPayload(location, offset, length));
  files.close();
  expect(value).toBeUndefined();
  expect(issues).toMatchObject([{ code, facts: { tensor: 'w', location }, anchor: { tensor: 'w' } }]);
}

describe('locations outside the folder of the model', () => {
  it.each([
    '../secret.bin',
    'sub/../../secret.bin',
    'sub/../w.bin',
    '/etc/hostname',
    'C:\\secret.bin',
    'C:secret.bin',
    '\\\\server\\share\\secret.bin',
    '..\\secret.bin',
    'file:///etc/hostname',
    'https://example.com/w.bin',
    'link-out',
    'link-up/secret.bin',
    'w.bin\0.txt',
    '.',
    '',
  ])('%j', (location) => checkRefused(location, 'external-outside'));
});

describe('data that is not there', () => {
  it('no such file', () => checkRefused('none.bin', 'external-missing'));
  it('no such folder', () => checkRefused('none/w.bin', 'external-missing'));
  it.each([
    [16, 4],
    [13, 4],
    [0, 17],
    [2 ** 53 - 1, 2 ** 53 - 1],
  ])('offset %d, length %d of 16 bytes', (offset, length) =>
    checkRefused('w.bin', 'external-range', offset, length),
  );

  it.each([
    [-4, 4],
    [0, -4],
    [Number.NaN, 4],
    [0, Number.NaN],
    [0.5, 4],
    [Number.POSITIVE_INFINITY, 4],
  ])('offset %d and length %d are no counts', (offset, length) => {
    const files = new ExternalFiles(folder);
    const { value, issues } = files.resolve('w', externalPayload('w.bin', offset, length));
    files.close();
    expect(value).toBeUndefined();
    expect(issues).toMatchObject([{ code: 'tensor-invalid', facts: { tensor: 'w' } }]);
  });

  it('an offset beyond the end without a length', () => {
    const payload = { ...externalPayload('w.bin', 20, 0), length: undefined };
    const files = new ExternalFiles(folder);
    expect(files.resolve('w', payload).issues).toMatchObject([
      { code: 'external-range', facts: { need: 20, have: 16 } },
    ]);
    files.close();
  });

  it('a folder', () => {
    const files = new ExternalFiles(folder);
    expect(files.resolve('w', externalPayload('sub', 0, 4)).issues).toMatchObject([
      { code: 'file-is-folder' },
    ]);
  });
});

describe('data that is there', () => {
  it.each(['w.bin', './w.bin', 'link-in', 'sub/w.bin'])('%j', (location) => {
    const files = new ExternalFiles(folder);
    const { value, issues } = files.resolve('w', externalPayload(location, 4, 4));
    expect(issues).toEqual([]);
    expect(value).toMatchObject({ offset: 4, length: 4 });
    files.close();
  });

  it('opens each file once and reads its elements', () => {
    const files = new ExternalFiles(folder);
    const read = (offset: number, length: number | undefined, dims: readonly number[]) => {
      const payload = { ...externalPayload('w.bin', offset, length ?? 0), length };
      return readTensor({ name: 'w', dims, dataType: 1, payload }, files);
    };
    expect(read(0, 16, [2, 2]).value?.data).toEqual(Float32Array.of(1, 2, 3, 4));
    expect(read(8, 8, [2]).value?.data).toEqual(Float32Array.of(3, 4));
    // Without a length the shape says how much.
    expect(read(4, undefined, [2]).value?.data).toEqual(Float32Array.of(2, 3));
    expect(read(0, 8, [4]).issues).toMatchObject([{ code: 'tensor-invalid' }]);
    expect(read(8, undefined, [4]).issues).toMatchObject([{ code: 'external-range' }]);
    expect(files.opened()).toHaveLength(1);
    files.close();
    expect(files.opened()).toHaveLength(0);
  });

  it('that becomes shorter while it is held is an issue', () => {
    const file = path.join(folder, 'shrinking.bin');
    fs.writeFileSync(file, new Uint8Array(16));
    const files = new ExternalFiles(folder);
    const one = { name: 'w', dims: [4], dataType: 1, payload: externalPayload('shrinking.bin', 0, 16) };
    expect(readTensor(one, files).value?.data).toHaveLength(4);
    fs.truncateSync(file, 3);
    expect(readTensor(one, files).issues).toMatchObject([{ code: 'file-changed' }]);
    files.close();
  });
});
