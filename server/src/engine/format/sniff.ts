/**
 * Which format a file has: by its content first, by its extension only where the content leaves it open. The
 * registry is ordered; the first match wins.
 */
import type { ByteSource } from '../base/byte-source';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { guardReads } from './byte-reader';
import { isSafetensorsIndex } from './safetensors-index';

export type FormatName = 'onnx' | 'onnxtxt' | 'safetensors' | 'gguf';
export type LooksLike = 'html' | 'git-lfs' | 'text' | 'zip' | 'pytorch';

const HEAD_BYTES = 512;

interface FormatEntry {
  readonly format: FormatName;
  readonly matches: (head: Uint8Array, size: number, extension: string) => boolean;
}

/** Stands for the extension of a safetensors index, whose last one says no more than `json`. */
const INDEX = 'safetensors index';

const registry: readonly FormatEntry[] = [
  { format: 'gguf', matches: (head) => startsWith(head, 'GGUF') || startsWith(head, 'FUGG') },
  { format: 'safetensors', matches: isSafetensors },
  { format: 'safetensors', matches: (head, _size, extension) => extension === INDEX && isJsonObject(head) },
  { format: 'onnxtxt', matches: isOnnxText },
  {
    format: 'onnx',
    matches: (head) => looksLike(head) === undefined && isModelField(head[0] ?? 0) && !isZero(head),
  },
];

const extensions: Readonly<Record<string, FormatName>> = {
  onnx: 'onnx',
  onnxtxt: 'onnxtxt',
  onnxtext: 'onnxtxt',
  safetensors: 'safetensors',
  [INDEX]: 'safetensors',
  gguf: 'gguf',
};

/**
 * Names the format of a model file. A damaged file with a known extension gets that format, so that its reader
 * can say what is damaged; anything else is `format-unknown` with what it looks like.
 */
export function sniff(source: ByteSource): Outcome<FormatName> {
  const path = source.path;
  if (source.size === 0) return fail(issue('file-empty', { path }, { path }));
  return guardReads(path, () =>
    sniffHead(path, source.size, source.read(0, Math.min(HEAD_BYTES, source.size))),
  );
}

function sniffHead(path: string, size: number, head: Uint8Array): Outcome<FormatName> {
  const last = /\.([A-Za-z0-9]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
  const extension = isSafetensorsIndex(path) ? INDEX : last;
  const found = registry.find((entry) => entry.matches(head, size, extension));
  if (found !== undefined) return ok(found.format);
  const guess = looksLike(head);
  const byExtension = extensions[extension];
  if (guess === undefined && byExtension !== undefined) return ok(byExtension);
  return fail(
    issue('format-unknown', { path, ...(guess === undefined ? {} : { looksLike: guess }) }, { path }),
  );
}

/** What the head of a file that is no model looks like; `undefined` when nothing known. */
export function looksLike(head: Uint8Array): LooksLike | undefined {
  if (startsWith(head, 'version https://git-lfs')) return 'git-lfs';
  if (startsWith(head, 'PK\x03\x04')) return includes(head, 'data.pkl') ? 'pytorch' : 'zip';
  // Pickle protocol 2 and later open with PROTO; torch.save before 1.6 wrote such a stream.
  if (head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5 && head.length > 2) return 'pytorch';
  if (!isText(head)) return undefined;
  const text = textOf(head).trimStart().toLowerCase();
  return text.startsWith('<!doctype html') || text.startsWith('<html') ? 'html' : 'text';
}

/** True when the first 64 bytes, or all of a shorter file, are zero. */
export function startsWithZeros(head: Uint8Array): boolean {
  return isZero(head.subarray(0, 64));
}

function isZero(head: Uint8Array): boolean {
  return head.every((byte) => byte === 0);
}

/** Length of the header, then JSON: a header that a reader would accept starts with a brace. */
function isSafetensors(head: Uint8Array, size: number, extension: string): boolean {
  if (head.length < 8) return false;
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
  const opensObject = head[8] === 0x7b;
  return opensObject && (length <= BigInt(size) || extension === 'safetensors');
}

function isJsonObject(head: Uint8Array): boolean {
  return textOf(head).trimStart().startsWith('{');
}

/** The textual syntax opens with `<`, key: value pairs, or a comment; the extension decides about other text. */
function isOnnxText(head: Uint8Array, _size: number, extension: string): boolean {
  const guess = looksLike(head);
  if (guess !== 'text') return false;
  const named = extension === 'onnxtxt' || extension === 'onnxtext';
  return named || /^\s*<\s*(ir_version|opset_import|producer_name)\s*:/.test(textOf(head));
}

/** First tag of a ModelProto: a known field number with its wire type. */
function isModelField(tag: number): boolean {
  const varintFields = [1, 5].map((field) => field * 8);
  const lengthFields = [2, 3, 4, 6, 7, 8, 14].map((field) => field * 8 + 2);
  return varintFields.includes(tag) || lengthFields.includes(tag);
}

/** No control bytes but white space, and valid UTF-8 up to a character cut at the end of the head. */
function isText(head: Uint8Array): boolean {
  if (head.length < 4) return false;
  for (const byte of head) {
    if (byte < 9 || (byte > 13 && byte < 32) || byte === 127) return false;
  }
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function textOf(head: Uint8Array): string {
  return new TextDecoder('utf-8').decode(head);
}

function startsWith(head: Uint8Array, text: string): boolean {
  return head.length >= text.length && [...text].every((char, index) => head[index] === char.charCodeAt(0));
}

function includes(head: Uint8Array, text: string): boolean {
  return Buffer.from(head.buffer, head.byteOffset, head.byteLength).includes(text, 0, 'latin1');
}
