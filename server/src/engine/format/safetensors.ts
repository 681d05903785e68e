/**
 * Header of a safetensors file: u64 length, JSON object of that length, then the tensors back to back.
 * Source: github.com/huggingface/safetensors, README "Format"; the checks are those of its reference reader.
 */
import type { ByteSource } from '../base/byte-source';
import { byteLength, type DataTypeName, dataTypeByName, elementCount } from '../base/dtype';
import { defined } from '../base/invariant';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { damagedIssue, guardReads } from './byte-reader';
import type { WeightsFile, WeightTensor } from './weights-file';

/** The reference reader's limit. */
const MAX_HEADER_BYTES = 100_000_000;

const LENGTH_BYTES = 8;

/** safetensors type → ONNX type of the same storage. */
const TYPES = {
  BOOL: 'bool',
  U8: 'uint8',
  I8: 'int8',
  U16: 'uint16',
  I16: 'int16',
  U32: 'uint32',
  I32: 'int32',
  U64: 'uint64',
  I64: 'int64',
  F16: 'float16',
  BF16: 'bfloat16',
  F32: 'float',
  F64: 'double',
  C64: 'complex64',
  F8_E4M3: 'float8e4m3fn',
  F8_E4M3FNUZ: 'float8e4m3fnuz',
  F8_E5M2: 'float8e5m2',
  F8_E5M2FNUZ: 'float8e5m2fnuz',
  F8_E8M0: 'float8e8m0',
  F6_E2M3: 'float6e2m3',
  F6_E3M2: 'float6e3m2',
  F4: 'float4e2m1',
} as const satisfies Record<string, DataTypeName>;

/** Reads the header; exactly one issue and no value when it is damaged or the data is not all there. */
export function readSafetensors(source: ByteSource): Outcome<WeightsFile> {
  const path = source.path;
  if (source.size === 0) return fail(issue('file-empty', { path }, { path }));
  return guardReads(path, () => readHeader(source));
}

function readHeader(source: ByteSource): Outcome<WeightsFile> {
  const path = source.path;
  const truncated = (need: number) =>
    fail(issue('format-truncated', { path, need, have: source.size }, { path }));
  if (source.size < LENGTH_BYTES) return truncated(LENGTH_BYTES);
  const view = new DataView(source.read(0, LENGTH_BYTES).buffer);
  const length = Number(view.getBigUint64(0, true));
  if (length === 0) return fail(damagedIssue(source, 0, 'the header has no content'));
  if (length > MAX_HEADER_BYTES) {
    const facts = { path, what: 'the size of the header', value: length, limit: MAX_HEADER_BYTES };
    return fail(issue('format-limit', facts, { path }));
  }
  if (LENGTH_BYTES + length > source.size) return truncated(LENGTH_BYTES + length);
  const parsed = parseHeader(source.read(LENGTH_BYTES, length));
  if (typeof parsed === 'string') return fail(damagedIssue(source, LENGTH_BYTES, parsed));
  const start = LENGTH_BYTES + length;
  const tensors: WeightTensor[] = [];
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [name, entry] of Object.entries(parsed)) {
    if (name === '__metadata__') {
      const texts = textEntries(entry);
      if (texts === undefined)
        return fail(damagedIssue(source, LENGTH_BYTES, '__metadata__ is not an object of texts'));
      metadata = texts;
      continue;
    }
    const tensor = parseTensor(name, entry, start);
    if (typeof tensor === 'string')
      return fail(damagedIssue(source, LENGTH_BYTES, `tensor "${shown(name)}": ${tensor}`));
    tensors.push(tensor);
  }
  tensors.sort((a, b) => a.offset - b.offset || a.length - b.length);
  let end = start;
  for (const { name, offset, length: bytes } of tensors) {
    if (offset !== end) {
      const what = offset < end ? 'overlaps the tensor before it' : 'leaves a gap before it';
      return fail(damagedIssue(source, offset, `tensor "${shown(name)}" ${what}`));
    }
    end = offset + bytes;
  }
  if (end > source.size) return truncated(end);
  if (end < source.size) return fail(damagedIssue(source, end, 'there are bytes after the last tensor'));
  return ok({ format: 'safetensors', version: 1, tensors, metadata });
}

/** The header object, or what is wrong with it. `JSON.parse` makes `__proto__` an ordinary own property. */
function parseHeader(bytes: Uint8Array): object | string {
  if (bytes[0] !== 0x7b) return 'the header is not a JSON object';
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return 'the header is not UTF-8 text';
  }
  try {
    value = JSON.parse(text);
  } catch {
    return 'the header is not valid JSON';
  }
  if (!isObject(value)) return 'the header is not a JSON object';
  const twice = duplicateKey(text);
  return twice === undefined ? value : `"${shown(twice)}" is there twice`;
}

/** First key of the outermost object that comes twice; `JSON.parse`, which accepted `text`, keeps the last. */
function duplicateKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[[\]{}]/gs;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [found, colon] = match;
    if (found === '{' || found === '[') depth++;
    else if (found === '}' || found === ']') depth--;
    else if (depth === 1 && colon !== undefined) {
      const key = String(JSON.parse(found.slice(0, -colon.length)));
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}

function parseTensor(name: string, entry: unknown, start: number): WeightTensor | string {
  if (!isObject(entry)) return 'its entry is not an object';
  const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>;
  if (typeof dtype !== 'string' || !isTypeName(dtype))
    return `type ${shown(JSON.stringify(dtype) ?? 'missing')} is not known`;
  const type = defined(dataTypeByName(TYPES[dtype]), 'a type of the table');
  if (!isNumbers(shape)) return 'its shape is not a list of numbers';
  const elements = elementCount(shape);
  if (elements === undefined || !Number.isSafeInteger(elements * type.bits)) return 'its shape is impossible';
  if ((elements * type.bits) % 8 !== 0) return 'its elements do not fill whole bytes';
  if (!isNumbers(offsets) || offsets.length !== 2) return 'data_offsets are not two numbers';
  const [from = 0, to = 0] = offsets;
  if (!isOffset(from) || !isOffset(to) || to < from) return `data_offsets [${from}, ${to}] are impossible`;
  const length = byteLength(type, elements);
  if (to - from !== length)
    return `shape [${shape.join(', ')}] of ${dtype} takes ${length} bytes, not ${to - from}`;
  return { name, dtype, dataType: type.code, shape, elements, offset: start + from, length };
}

function textEntries(value: unknown): ReadonlyMap<string, string> | undefined {
  if (!isObject(value)) return undefined;
  const entries = new Map<string, string>();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') return undefined;
    entries.set(key, text);
  }
  return entries;
}

function isTypeName(name: string): name is keyof typeof TYPES {
  return Object.hasOwn(TYPES, name);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number');
}

function isOffset(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value < 2 ** 52;
}

/** A name as it may stand in a message. */
function shown(name: string): string {
  return name.length > 80 ? `${name.slice(0, 80)}…` : name;
}
