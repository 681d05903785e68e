/**
 * NumPy arrays: `.npy` versions 1 to 3 read row by row, `.npz` archives of them, and a writer.
 * Source: numpy.lib.format (NEP 1).
 */
import { type Unzipped, unzipSync, type Zippable, zipSync } from 'fflate';
import { type ByteSource, memorySource } from '../base/byte-source';
import { byteLength, type DataType, type DataTypeName, dataTypeByName, elementCount } from '../base/dtype';
import { defined, invariant } from '../base/invariant';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { damagedIssue, guardReads } from './byte-reader';
import type { Slice } from './onnx-types';
import { fromBytes, type TensorArray } from './tensor-data';

/** numpy's kind and item size → ONNX type. */
const TYPES = {
  b1: 'bool',
  u1: 'uint8',
  i1: 'int8',
  u2: 'uint16',
  i2: 'int16',
  u4: 'uint32',
  i4: 'int32',
  u8: 'uint64',
  i8: 'int64',
  f2: 'float16',
  f4: 'float',
  f8: 'double',
} as const satisfies Record<string, DataTypeName>;

const codeByType = new Map<string, string>(Object.entries(TYPES).map(([code, name]) => [name, code]));

const MAX_HEADER_BYTES = 1 << 20;
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** Bytes of an archive, and of all its arrays together, that are held in memory. */
const MAX_ARCHIVE_BYTES = 2 ** 30;
/** Deflate cannot shrink further; an entry that claims to is a bomb or damaged. */
const MAX_DEFLATE_RATIO = 1032;

/** An array in row-major order whose elements are still in the file. */
export interface NpyArray {
  readonly shape: readonly number[];
  readonly dataType: DataType;
  /** All elements, in the byte order of the file. */
  readonly slice: Slice;
  /** Size of the first dimension; 1 for a scalar. */
  readonly rows: number;
  readonly rowElements: number;
  readonly bigEndian: boolean;
}

/** Reads the header of a `.npy` file; exactly one issue and no value when it cannot be used. */
export function readNpy(source: ByteSource): Outcome<NpyArray> {
  const path = source.path;
  if (source.size === 0) return fail(issue('file-empty', { path }, { path }));
  return guardReads(path, () => readHeader(source));
}

/**
 * Elements of `count` rows from row `first` on: shape [count, …shape.slice(1)], see {@link TensorArray}. The rows
 * must be inside the array. Only they are read.
 */
export function readRows(array: NpyArray, first: number, count: number): Outcome<TensorArray> {
  invariant(first >= 0 && count >= 0 && first + count <= array.rows, `rows ${first} to ${first + count}`);
  const { slice, dataType, rowElements } = array;
  const rowBytes = byteLength(dataType, rowElements);
  return guardReads(slice.source.path, () => {
    const bytes = slice.source.read(slice.offset + first * rowBytes, count * rowBytes);
    if (array.bigEndian) swapBytes(bytes, dataType.bits / 8);
    return ok(fromBytes(dataType, count * rowElements, bytes));
  });
}

/** All elements of the array. */
export function readAllRows(array: NpyArray): Outcome<TensorArray> {
  return readRows(array, 0, array.rows);
}

/** True when the first bytes are those of a `.npy` file. */
export function isNpy(head: Uint8Array): boolean {
  return head.length >= MAGIC.length && MAGIC.every((byte, index) => head[index] === byte);
}

/**
 * Reads the arrays of an `.npz` archive, stored or deflated, by name without `.npy`, in the order of the archive.
 * The archive is held in memory; 1 GiB is the limit for it and for what it unpacks to.
 */
export function readNpz(source: ByteSource): Outcome<ReadonlyMap<string, NpyArray>> {
  const path = source.path;
  if (source.size === 0) return fail(issue('file-empty', { path }, { path }));
  if (source.size > MAX_ARCHIVE_BYTES) return fail(archiveLimit(path, source.size));
  return guardReads(path, () => {
    const head = source.read(0, Math.min(4, source.size));
    if (head[0] !== 0x50 || head[1] !== 0x4b) return fail(issue('format-unknown', { path }, { path }));
    let total = 0;
    let lie = false;
    let entries: Unzipped;
    try {
      entries = unzipSync(source.read(0, source.size), {
        filter: ({ name, size, originalSize }) => {
          if (!name.endsWith('.npy')) return false;
          lie ||= originalSize > size * MAX_DEFLATE_RATIO + 1024;
          total += originalSize;
          return !lie && total <= MAX_ARCHIVE_BYTES;
        },
      });
    } catch {
      return fail(damagedIssue(source, 0, 'the archive cannot be unpacked'));
    }
    if (lie) return fail(damagedIssue(source, 0, 'an entry claims more bytes than its packed form can hold'));
    if (total > MAX_ARCHIVE_BYTES) return fail(archiveLimit(path, total));
    const arrays = new Map<string, NpyArray>();
    for (const [name, bytes] of Object.entries(entries)) {
      const { value, issues } = readNpy(memorySource(bytes, `${path}:${name}`));
      if (value === undefined) return fail(...issues);
      arrays.set(name.slice(0, -'.npy'.length), value);
    }
    if (arrays.size === 0) return fail(issue('data-empty', { source: path }, { path }));
    return ok(arrays);
  });
}

/** A `.npy` file, version 1. `data` in row-major order, as {@link readTensor} gives it; not for packed types. */
export function encodeNpy(shape: readonly number[], dataType: DataTypeName, data: TensorArray): Uint8Array {
  const code = defined(codeByType.get(dataType), `numpy has a type for ${dataType}`);
  const type = defined(dataTypeByName(dataType), 'a type of the table');
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  invariant(
    bytes.length === byteLength(type, defined(elementCount(shape), 'a valid shape')),
    'data fits the shape',
  );
  const order = type.bits === 8 ? '|' : '<';
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${tuple}), }`;
  // The data starts at a multiple of 64 so that it can be mapped.
  const headerBytes = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const file = new Uint8Array(10 + headerBytes + bytes.length);
  file.set([...MAGIC, 1, 0, headerBytes & 0xff, headerBytes >> 8]);
  file.set(new TextEncoder().encode(`${text.padEnd(headerBytes - 1)}\n`), 10);
  file.set(bytes, 10 + headerBytes);
  return file;
}

/** An `.npz` archive of `.npy` files (see {@link encodeNpy}), deflated. */
export function encodeNpz(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const entries: Zippable = {};
  // A fixed time keeps the archive the same from run to run; 1980 is the first that zip knows.
  for (const [name, bytes] of files)
    entries[`${name}.npy`] = [bytes, { level: 6, mtime: new Date(1980, 0, 1) }];
  return zipSync(entries);
}

function readHeader(source: ByteSource): Outcome<NpyArray> {
  const path = source.path;
  const truncated = (need: number) =>
    fail(issue('format-truncated', { path, need, have: source.size }, { path }));
  const head = source.read(0, Math.min(12, source.size));
  if (!isNpy(head)) return fail(issue('format-unknown', { path }, { path }));
  const version = head[6] ?? 0;
  if (version < 1 || version > 3) return fail(damagedIssue(source, 6, `version ${version} is not known`));
  const start = version === 1 ? 10 : 12;
  if (source.size < start) return truncated(start);
  const view = new DataView(head.buffer);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER_BYTES) {
    const facts = { path, what: 'the size of the header', value: length, limit: MAX_HEADER_BYTES };
    return fail(issue('format-limit', facts, { path }));
  }
  const offset = start + length;
  if (source.size < offset) return truncated(offset);
  const header = parseHeader(new TextDecoder().decode(source.read(start, length)));
  if (header === undefined) return fail(damagedIssue(source, start, 'the header is not that of an array'));
  const { descr, fortran, shape } = header;
  const unsupported = (reason: string) => fail(issue('data-unsupported', { source: path, reason }, { path }));
  const [, order = '', code = ''] = /^([<>|=])([a-z]\d+)$/.exec(descr) ?? [];
  if (!isTypeCode(code)) return unsupported(`elements of type ${descr}`);
  const dataType = defined(dataTypeByName(TYPES[code]), 'a type of the table');
  const elements = elementCount(shape);
  if (elements === undefined || !Number.isSafeInteger(elements * dataType.bits)) {
    return fail(damagedIssue(source, start, `the shape (${shape.join(', ')}) is impossible`));
  }
  if (fortran && shape.filter((size) => size !== 1).length > 1) {
    return unsupported('column-major (Fortran) order; save it with numpy.ascontiguousarray');
  }
  const bytes = byteLength(dataType, elements);
  if (offset + bytes > source.size) return truncated(offset + bytes);
  if (offset + bytes < source.size)
    return fail(damagedIssue(source, offset + bytes, 'there are bytes after the array'));
  const rows = shape[0] ?? 1;
  const rowElements = elementCount(shape.slice(1)) ?? 0;
  const slice = { source, offset, length: bytes };
  return ok({ shape, dataType, slice, rows, rowElements, bigEndian: order === '>' && dataType.bits > 8 });
}

/** The three entries of the header, a Python dict literal, in any order; `undefined` when one is missing. */
function parseHeader(text: string): { descr: string; fortran: boolean; shape: number[] } | undefined {
  const descr = /(['"])descr\1\s*:\s*(['"])([^'"]*)\2/.exec(text)?.[3];
  const structured = /(['"])descr\1\s*:\s*\[/.test(text);
  const fortran = /(['"])fortran_order\1\s*:\s*(True|False)/.exec(text)?.[2];
  // Python 2 wrote long integers with an L.
  const shape = /(['"])shape\1\s*:\s*\(([\s\dL,]*)\)/.exec(text)?.[2];
  if ((descr === undefined && !structured) || fortran === undefined || shape === undefined) return undefined;
  const sizes = (shape.match(/\d+/g) ?? []).map(Number);
  return { descr: descr ?? 'several fields', fortran: fortran === 'True', shape: sizes };
}

function isTypeCode(code: string): code is keyof typeof TYPES {
  return Object.hasOwn(TYPES, code);
}

function swapBytes(bytes: Uint8Array, size: number): void {
  for (let start = 0; start < bytes.length; start += size) bytes.subarray(start, start + size).reverse();
}

function archiveLimit(path: string, value: number) {
  return issue(
    'format-limit',
    { path, what: 'the size of the archive', value, limit: MAX_ARCHIVE_BYTES },
    { path },
  );
}
