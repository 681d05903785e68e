/** NumPy arrays and tensor files. */
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../../server/src/engine/base/byte-source';
import type { Issue } from '../../../../server/src/engine/base/issue';
import {
  encodeNpy,
  encodeNpz,
  readAllRows,
  readNpy,
  readNpz,
  readRows,
} from '../../../../server/src/engine/format/npy';
import { decodeModel } from '../../../../server/src/engine/format/onnx-decode';
import { concatChunks, encodeTensor } from '../../../../server/src/engine/format/onnx-encode';
import type { TensorArray } from '../../../../server/src/engine/format/tensor-data';
import { readTensorFile } from '../../../../server/src/engine/format/tensor-file';
import { tensor } from '../../../fixtures/build';
import { watchedSource } from '../../../fixtures/sources';
import { joined } from '../../../fixtures/weight-files';

/** A `.npy` file with this header text. */
function npyFile(header: string, data: ArrayLike<number> = [], version = 1): Uint8Array {
  const text = new TextEncoder().encode(header);
  const length =
    version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0];
  const magic = [0x93, ...new TextEncoder().encode('NUMPY'), version, 0];
  return joined(Uint8Array.from([...magic, ...length]), text, Uint8Array.from(data));
}

const header = (descr: string, shape: string, fortran = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;

function checkIssue(bytes: Uint8Array, code: Issue['code'], facts: object = {}): void {
  const { value, issues } = readNpy(memorySource(bytes, 'a.npy'));
  expect(value).toBeUndefined();
  expect(issues).toHaveLength(1);
  expect(issues[0]).toMatchObject({ code, facts });
}

function checkValues(bytes: Uint8Array, shape: readonly number[], values: TensorArray): void {
  const { value, issues } = readNpy(memorySource(bytes, 'a.npy'));
  expect(issues).toEqual([]);
  expect(value?.shape).toEqual(shape);
  expect(value && readAllRows(value).value).toEqual(values);
}

describe('.npy', () => {
  it.each<[string, readonly number[], TensorArray]>([
    ['|b1', [1, 0], Uint8Array.of(1, 0)],
    ['|u1', [1, 255], Uint8Array.of(1, 255)],
    ['|i1', [1, 255], Int8Array.of(1, -1)],
    ['<u2', [1, 2, 255, 255], Uint16Array.of(513, 65535)],
    ['<i2', [1, 2, 255, 255], Int16Array.of(513, -1)],
    ['>i2', [2, 1, 255, 255], Int16Array.of(513, -1)],
    ['<f2', [0, 0x3c, 0, 0xc0], Uint16Array.of(0x3c00, 0xc000)],
    ['<i4', [1, 0, 0, 0, 255, 255, 255, 255], Int32Array.of(1, -1)],
    ['<u4', [1, 0, 0, 0, 255, 255, 255, 255], Uint32Array.of(1, 2 ** 32 - 1)],
    ['<f4', [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0], Float32Array.of(1, -2)],
    ['>f4', [0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0], Float32Array.of(1, -2)],
    ['<f8', [0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0], Float64Array.of(1, -2)],
    ['<i8', [1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255], BigInt64Array.of(1n, -1n)],
    [
      '<u8',
      [1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255],
      BigUint64Array.of(1n, 2n ** 64n - 1n),
    ],
  ])('%s', (descr, data, values) => checkValues(npyFile(header(descr, '(2,)'), data), [2], values));

  it.each([1, 2, 3])('version %i', (version) => {
    checkValues(npyFile(header('|u1', '(2, 2)'), [1, 2, 3, 4], version), [2, 2], Uint8Array.of(1, 2, 3, 4));
  });

  it('takes any order of keys, other quotes, long integers and scalars', () => {
    checkValues(
      npyFile(`{"shape": (2L,3L), "descr": "|u1", "fortran_order": False}`, [1, 2, 3, 4, 5, 6]),
      [2, 3],
      Uint8Array.of(1, 2, 3, 4, 5, 6),
    );
    checkValues(npyFile(header('|u1', '()'), [7]), [], Uint8Array.of(7));
    checkValues(npyFile(header('|u1', '(0, 3)')), [0, 3], new Uint8Array(0));
  });

  it('takes column-major order where it is the same thing', () => {
    checkValues(npyFile(header('|u1', '(3,)', 'True'), [1, 2, 3]), [3], Uint8Array.of(1, 2, 3));
    checkValues(npyFile(header('|u1', '(1, 3, 1)', 'True'), [1, 2, 3]), [1, 3, 1], Uint8Array.of(1, 2, 3));
    checkIssue(npyFile(header('|u1', '(2, 2)', 'True'), [1, 2, 3, 4]), 'data-unsupported');
  });

  it('reads only the rows asked for', () => {
    const source = watchedSource(
      encodeNpy(
        [100, 50],
        'float',
        Float32Array.from({ length: 5000 }, (_, index) => index),
      ),
    );
    const array = readNpy(source).value;
    if (array === undefined) throw new Error('not read');
    const before = source.reads.length;
    expect(readRows(array, 98, 2).value).toEqual(
      Float32Array.from({ length: 100 }, (_, index) => 4900 + index),
    );
    expect(source.reads.slice(before)).toEqual([[source.size - 400, 400]]);
  });

  it.each([
    ['<U5', '<U5'],
    ['|O', '|O'],
    ['<c8', '<c8'],
    ['<M8[ns]', '<M8[ns]'],
    ['<f16', '<f16'],
  ])('elements of type %s are not supported', (descr, shown) =>
    checkIssue(npyFile(header(descr, '(1,)')), 'data-unsupported', { reason: `elements of type ${shown}` }),
  );

  it('structured arrays are not supported', () =>
    checkIssue(
      npyFile(`{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }`),
      'data-unsupported',
      {
        reason: 'elements of type several fields',
      },
    ));

  it('damage', () => {
    checkIssue(new Uint8Array(0), 'file-empty');
    checkIssue(Uint8Array.of(1, 2, 3), 'format-unknown');
    checkIssue(npyFile(header('|u1', '(1,)'), [1], 4), 'format-damaged', {
      reason: 'version 4 is not known',
    });
    checkIssue(npyFile('{}'), 'format-damaged', { reason: 'the header is not that of an array' });
    checkIssue(npyFile(header('|u1', '(-1,)')), 'format-damaged', {
      reason: 'the header is not that of an array',
    });
    checkIssue(npyFile(header('|u1', `(${2 ** 40}, ${2 ** 40})`)), 'format-damaged');
    checkIssue(npyFile(header('|u1', '(2,)'), [1, 2, 3]), 'format-damaged', {
      reason: 'there are bytes after the array',
    });
    const whole = npyFile(header('<f4', '(2,)'), new Array(8).fill(0));
    checkIssue(whole.slice(0, -1), 'format-truncated', { need: whole.length, have: whole.length - 1 });
    checkIssue(whole.slice(0, 20), 'format-truncated', { have: 20 });
    checkIssue(whole.slice(0, 9), 'format-truncated', { need: 10, have: 9 });
    const long = npyFile('x', [], 2);
    long.set([0xff, 0xff, 0xff, 0x7f], 8);
    checkIssue(long, 'format-limit');
  });

  it('writes what numpy writes: data at a multiple of 64, text that ends in a line break', () => {
    const bytes = encodeNpy([2, 3], 'float', new Float32Array(6));
    const text = new TextDecoder('latin1').decode(bytes.slice(10, 128));
    expect(text).toMatch(/^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 3\), \} *\n$/);
    expect((bytes.length - 24) % 64).toBe(0);
    expect(new TextDecoder('latin1').decode(encodeNpy([5], 'uint8', new Uint8Array(5)))).toContain("'|u1'");
    expect(new TextDecoder('latin1').decode(encodeNpy([5], 'uint8', new Uint8Array(5)))).toContain('(5,)');
  });
});

describe('.npz', () => {
  const files = new Map([
    ['input', encodeNpy([2], 'float', Float32Array.of(1, 2))],
    ['ids', encodeNpy([1, 2], 'int64', BigInt64Array.of(3n, 4n))],
  ]);

  it.each([0, 6] as const)('deflate level %i', (level) => {
    const entries = Object.fromEntries(
      [...files].map(([name, bytes]) => [`${name}.npy`, [bytes, { level }]] as const),
    );
    const { value, issues } = readNpz(
      memorySource(zipSync({ ...entries, 'notes.txt': new Uint8Array(3) } as never)),
    );
    expect(issues).toEqual([]);
    expect([...(value?.keys() ?? [])]).toEqual(['input', 'ids']);
    const ids = value?.get('ids');
    expect(ids && readAllRows(ids).value).toEqual(BigInt64Array.of(3n, 4n));
  });

  it('written and read back, the same bytes every time', () => {
    const archive = encodeNpz(files);
    expect(encodeNpz(files)).toEqual(archive);
    expect([...(readNpz(memorySource(archive)).value?.keys() ?? [])]).toEqual(['input', 'ids']);
  });

  it('one issue when it cannot be used', () => {
    const issuesOf = (bytes: Uint8Array) =>
      readNpz(memorySource(bytes, 'a.npz')).issues.map((one) => one.code);
    expect(issuesOf(new Uint8Array(0))).toEqual(['file-empty']);
    expect(issuesOf(Uint8Array.of(1, 2, 3, 4))).toEqual(['format-unknown']);
    expect(issuesOf(encodeNpz(files).slice(0, 100))).toEqual(['format-damaged']);
    expect(issuesOf(zipSync({ 'a.txt': new Uint8Array(3) }))).toEqual(['data-empty']);
    expect(issuesOf(encodeNpz(new Map([['a', new Uint8Array(50)]])))).toEqual(['format-unknown']);
  });

  it('refuses an entry that claims to unpack to gigabytes', () => {
    const archive = encodeNpz(new Map([['a', encodeNpy([1000], 'uint8', new Uint8Array(1000))]]));
    const view = new DataView(archive.buffer);
    // The central directory's record holds the unpacked size at offset 24.
    const record = Buffer.from(archive).indexOf('PK\x01\x02', 0, 'latin1');
    view.setUint32(record + 24, 0x7fffffff, true);
    expect(readNpz(memorySource(archive)).issues).toMatchObject([
      {
        code: 'format-damaged',
        facts: { reason: 'an entry claims more bytes than its packed form can hold' },
      },
    ]);
  });
});

describe('tensor files', () => {
  const bytesOf = (...parameters: Parameters<typeof tensor>) =>
    concatChunks(encodeTensor(tensor(...parameters)).value ?? []);

  it('give name, shape, type and elements', () => {
    const { value, issues } = readTensorFile(memorySource(bytesOf('x', [1, 3], [1, -2, 3], 'int32')));
    expect(issues).toEqual([]);
    expect(value).toMatchObject({ name: 'x', shape: [1, 3], data: Int32Array.of(1, -2, 3) });
    expect(value?.dataType.name).toBe('int32');
  });

  it.each<[Issue['code'], Uint8Array]>([
    ['file-empty', new Uint8Array(0)],
    ['format-truncated', bytesOf('x', [3], [1, 2, 3]).slice(0, -1)],
    ['format-unknown', Uint8Array.of(0x08, 0x01)],
    ['tensor-invalid', concatChunks(encodeTensor({ ...tensor('x', [2], [1, 2]), dims: [3] }).value ?? [])],
  ])('%s', (code, bytes) => {
    const { value, issues } = readTensorFile(memorySource(bytes, 'input_0.pb'));
    expect(value).toBeUndefined();
    expect(issues).toMatchObject([{ code, anchor: { path: 'input_0.pb' } }]);
  });

  it('are not models', () => {
    const { value, issues } = decodeModel(memorySource(bytesOf('x', [3], [1, 2, 3]), 'input_0.pb'));
    expect(value).toBeUndefined();
    expect(issues).toHaveLength(1);
  });
});
