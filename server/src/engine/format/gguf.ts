/**
 * Header of a GGUF file, versions 2 and 3, little endian:
 *
 *     "GGUF" · u32 version · u64 tensors · u64 key-values
 *     key-value:  string key · u32 type · value            string: u64 bytes · UTF-8
 *     tensor:     string name · u32 rank · u64[rank] sizes, innermost first · u32 type · u64 offset
 *     padding to `general.alignment` (32), then the data, every tensor at a multiple of the alignment
 *
 * Source: ggml/docs/gguf.md; limits and checks as in ggml/src/gguf.cpp.
 */
import type { ByteSource } from '../base/byte-source';
import { dataTypeByName, elementCount } from '../base/dtype';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { ByteReader, guardReads, readIssue } from './byte-reader';
import { ggufTypeById } from './gguf-types';
import type { MetadataArray, MetadataValue, WeightsFile, WeightTensor } from './weights-file';

const DEFAULT_ALIGNMENT = 32;
const MAX_RANK = 4;
const MAX_ENTRIES = 1_000_000;
const MAX_ARRAY_DEPTH = 4;
const MAX_NAME_BYTES = 65_535;
/** Longer texts and all but the first items of arrays are stepped over. */
const KEPT_TEXT_BYTES = 1 << 20;
const KEPT_ITEMS = 16;

const VALUE_TYPES = [
  'u8',
  'i8',
  'u16',
  'i16',
  'u32',
  'i32',
  'f32',
  'bool',
  'string',
  'array',
  'u64',
  'i64',
  'f64',
] as const;
type ValueType = (typeof VALUE_TYPES)[number];

/** Fewest bytes a value of each type takes in the file; bounds announced counts before anything is allocated. */
const SMALLEST: Readonly<Record<ValueType, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  string: 8,
  array: 12,
  u64: 8,
  i64: 8,
  f64: 8,
};

/** Reads the header; exactly one issue and no value when it is damaged or the data is not all there. */
export function readGguf(source: ByteSource): Outcome<WeightsFile> {
  const path = source.path;
  if (source.size === 0) return fail(issue('file-empty', { path }, { path }));
  return guardReads(path, () => {
    const reader = new GgufReader(source);
    const file = reader.file();
    if (file === 'big-endian') {
      const facts = {
        what: 'big-endian GGUF',
        next: 'convert it with gguf-py: gguf-convert-endian FILE little',
      };
      return fail(issue('unsupported-feature', facts, { path }));
    }
    if (file === undefined) return fail(readIssue(source, reader.failure));
    // Writers pad the last tensor too; without that padding every weight is still there.
    const missing = reader.paddedEnd > source.size;
    const facts = { path, need: reader.paddedEnd, have: source.size };
    return ok(file, missing ? [issue('format-truncated', facts, { path }, 'warning')] : []);
  });
}

interface TensorEntry {
  readonly at: number;
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly type: number;
  readonly offset: number;
}

class GgufReader extends ByteReader {
  /** End of the data with the last tensor's padding. */
  paddedEnd = 0;

  file(): WeightsFile | 'big-endian' | undefined {
    const magic = this.text(4);
    const version = this.uint32();
    if (this.failure !== undefined) return undefined;
    // A byte-swapped small version number has its low half empty; the magic itself is four bytes in either order.
    if (magic === 'FUGG' || (magic === 'GGUF' && (version & 0xffff) === 0 && version !== 0))
      return 'big-endian';
    if (magic !== 'GGUF') return this.damaged(0, 'it does not start with GGUF');
    if (version !== 2 && version !== 3) return this.damaged(4, `version ${version} is not known`);
    const tensorCount = this.count('tensors', 24);
    const valueCount = this.count('key-values', 13);
    const metadata = this.metadata(valueCount);
    const entries = this.tensorEntries(tensorCount);
    if (this.failure !== undefined) return undefined;
    const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT;
    if (typeof alignment !== 'number' || alignment < 1 || !Number.isInteger(Math.log2(alignment))) {
      return this.damaged(this.position, `general.alignment ${String(alignment)} is not a power of two`);
    }
    const tensors = this.placed(entries, alignment);
    return tensors && { format: 'gguf', version, tensors, metadata };
  }

  private metadata(count: number): Map<string, MetadataValue> {
    const metadata = new Map<string, MetadataValue>();
    for (let index = 0; index < count && this.failure === undefined; index++) {
      const at = this.position;
      const key = this.name('key');
      if (metadata.has(key)) this.damaged(at, `key "${key.slice(0, 80)}" is there twice`);
      const value = this.value(this.valueType(), 0);
      if (value !== undefined) metadata.set(key, value);
    }
    return metadata;
  }

  private value(type: ValueType, depth: number): MetadataValue | undefined {
    switch (type) {
      case 'u8':
        return this.uint8();
      case 'i8':
        return (this.uint8() << 24) >> 24;
      case 'u16':
        return this.uint8() | (this.uint8() << 8);
      case 'i16':
        return ((this.uint8() | (this.uint8() << 8)) << 16) >> 16;
      case 'u32':
        return this.uint32();
      case 'i32':
        return this.uint32() | 0;
      case 'f32':
        return this.float();
      case 'bool':
        return this.uint8() !== 0;
      case 'u64':
        return narrowed(this.bigUint64());
      case 'i64':
        return narrowed(BigInt.asIntN(64, this.bigUint64()));
      case 'f64':
        return this.double();
      case 'string':
        return this.string();
      case 'array':
        return this.array(depth + 1);
    }
  }

  private array(depth: number): MetadataArray | undefined {
    const at = this.position;
    const elementType = this.valueType();
    const length = this.count('array items', SMALLEST[elementType], Number.MAX_SAFE_INTEGER);
    if (depth > MAX_ARRAY_DEPTH) this.damaged(at, 'arrays inside arrays inside arrays');
    if (this.failure !== undefined) return undefined;
    const first: MetadataValue[] = [];
    const kept = Math.min(length, KEPT_ITEMS);
    for (let index = 0; index < kept && this.failure === undefined; index++) {
      const item = this.value(elementType, depth);
      if (item !== undefined) first.push(item);
    }
    const rest = length - kept;
    if (elementType === 'string') {
      for (let index = 0; index < rest && this.failure === undefined; index++) this.skip(this.stringLength());
    } else if (elementType === 'array') {
      for (let index = 0; index < rest && this.failure === undefined; index++) this.array(depth + 1);
    } else this.skip(rest * SMALLEST[elementType]);
    return { elementType, length, first };
  }

  private tensorEntries(count: number): TensorEntry[] {
    const entries: TensorEntry[] = [];
    const names = new Set<string>();
    for (let index = 0; index < count && this.failure === undefined; index++) {
      const at = this.position;
      const name = this.name('tensor name');
      if (names.has(name)) this.damaged(at, `tensor "${name.slice(0, 80)}" is there twice`);
      names.add(name);
      const rank = this.uint32();
      if (rank > MAX_RANK) this.damaged(at, `tensor "${name.slice(0, 80)}" has ${rank} dimensions`);
      const shape: number[] = [];
      for (let axis = 0; axis < rank && this.failure === undefined; axis++) shape.unshift(this.size());
      const type = this.uint32();
      const offset = this.size();
      const elements = elementCount(shape);
      if (elements === undefined) this.damaged(at, `tensor "${name.slice(0, 80)}" has an impossible shape`);
      entries.push({ at, name, shape, elements: elements ?? 0, type, offset });
    }
    return entries;
  }

  /** Checks types and places: tensors follow each other, padded to the alignment, and end inside the file. */
  private placed(entries: readonly TensorEntry[], alignment: number): WeightTensor[] | undefined {
    const start = padded(this.position, alignment);
    const tensors: WeightTensor[] = [];
    let expected = 0;
    for (const { at, name, shape, elements, type, offset } of entries) {
      const known = ggufTypeById(type);
      const shown = name.slice(0, 80);
      if (known === undefined) return this.damaged(at, `tensor "${shown}" has the unknown type ${type}`);
      const row = shape.at(-1) ?? 1;
      if (row % known.blockSize !== 0) {
        return this.damaged(
          at,
          `tensor "${shown}": rows of ${row} are no whole blocks of ${known.blockSize}`,
        );
      }
      const length = (elements / known.blockSize) * known.blockBytes;
      if (!Number.isSafeInteger(length)) return this.damaged(at, `tensor "${shown}" has an impossible shape`);
      if (offset !== expected)
        return this.damaged(at, `tensor "${shown}" is at ${offset}, not at ${expected}`);
      expected = padded(offset + length, alignment);
      const dataType = known.dataType === undefined ? undefined : dataTypeByName(known.dataType)?.code;
      tensors.push({ name, dtype: known.name, dataType, shape, elements, offset: start + offset, length });
    }
    this.paddedEnd = tensors.length === 0 ? 0 : start + expected;
    const last = tensors.at(-1);
    const need = last === undefined ? 0 : last.offset + last.length;
    if (need <= this.end) return tensors;
    this.fail(this.position, 'the data is not all there', { need });
    return undefined;
  }

  private valueType(): ValueType {
    const at = this.position;
    const code = this.uint32();
    const type = VALUE_TYPES[code];
    if (type === undefined) this.damaged(at, `value type ${code} is not known`);
    return type ?? 'u8';
  }

  /** A name of bounded length. */
  private name(what: string): string {
    const at = this.position;
    const length = this.stringLength();
    if (length <= MAX_NAME_BYTES) return this.text(length);
    this.damaged(at, `a ${what} of ${length} bytes`);
    return '';
  }

  private string(): string {
    const length = this.stringLength();
    const text = this.text(Math.min(length, KEPT_TEXT_BYTES));
    this.skip(Math.max(0, length - KEPT_TEXT_BYTES));
    return text;
  }

  private stringLength(): number {
    return this.count('bytes of a text', 1, Number.MAX_SAFE_INTEGER);
  }

  /** An announced count of things of at least `smallest` bytes, checked against what the file can still hold. */
  private count(what: string, smallest: number, limit = MAX_ENTRIES): number {
    const at = this.position;
    const count = this.size();
    const room = this.end - this.position;
    if (this.failure === undefined && count * smallest > room) {
      // The file may have been cut: then the count is one that a file could have.
      const plausible = count <= MAX_ENTRIES;
      const need = plausible ? this.position + count * smallest : undefined;
      this.fail(at, `${count} ${what} are announced where ${room} bytes are left`, { need });
      return 0;
    }
    if (count > limit)
      this.fail(at, `too many ${what}`, { limit: { what: `the number of ${what}`, value: count, limit } });
    return this.failure === undefined ? count : 0;
  }

  private size(): number {
    return Number(this.bigUint64());
  }

  private damaged(at: number, reason: string): undefined {
    this.fail(at, reason);
  }
}

function padded(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
