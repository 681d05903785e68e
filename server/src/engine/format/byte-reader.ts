/**
 * Cursor over a byte source that loads small windows and steps over long stretches without reading them. Base of
 * the protobuf and GGUF readers; numbers are little endian.
 */
import { type ByteSource, fileIssue, ShortRead } from '../base/byte-source';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome } from '../base/outcome';
import type { Slice } from './onnx-types';

/** Why reading stopped. */
export interface ReadFailure {
  readonly offset: number;
  readonly reason: string;
  /** Set when the file ends before something it announces. */
  readonly need?: number;
  /** Set when a limit of the reader was met rather than damage. */
  readonly limit?: { readonly what: string; readonly value: number; readonly limit: number };
}

/** Window after a jump; doubles while reading goes on, so that stepping over weights costs little. */
const FIRST_WINDOW = 4 << 10;
const LARGEST_WINDOW = 256 << 10;

/**
 * A failure is sticky: the first one is kept in {@link failure}, the cursor jumps to the end and every later read
 * gives zero, so loops over "while not at the end" stop by themselves. Nothing is read outside the source.
 */
export class ByteReader {
  failure: ReadFailure | undefined;
  protected window = Buffer.alloc(0);
  protected cursor = 0;
  readonly end: number;
  /** File offset of the window's first byte. */
  private base = 0;
  private nextWindow = FIRST_WINDOW;

  constructor(readonly source: ByteSource) {
    this.end = source.size;
  }

  get position(): number {
    return this.base + this.cursor;
  }

  fail(offset: number, reason: string, more: Partial<ReadFailure> = {}): void {
    this.failure ??= { offset, reason, ...more };
    this.base = this.end;
    this.cursor = 0;
    this.window = Buffer.alloc(0);
  }

  /** Moves to a file offset, keeping the window when it covers it. */
  seek(offset: number): void {
    const cursor = offset - this.base;
    if (cursor >= 0 && cursor <= this.window.length) {
      this.cursor = cursor;
      return;
    }
    this.base = offset;
    this.cursor = 0;
    this.window = Buffer.alloc(0);
    this.nextWindow = FIRST_WINDOW;
  }

  /** Steps over `length` bytes; the file must hold them. */
  skip(length: number): void {
    if (this.failure !== undefined) return;
    if (this.position + length > this.end) this.endOfFile(length);
    else this.seek(this.position + length);
  }

  uint8(): number {
    const at = this.take(1);
    return at < 0 ? 0 : this.window.readUInt8(at);
  }

  uint32(): number {
    const at = this.take(4);
    return at < 0 ? 0 : this.window.readUInt32LE(at);
  }

  bigUint64(): bigint {
    const at = this.take(8);
    return at < 0 ? 0n : this.window.readBigUInt64LE(at);
  }

  float(): number {
    const at = this.take(4);
    return at < 0 ? 0 : this.window.readFloatLE(at);
  }

  double(): number {
    const at = this.take(8);
    return at < 0 ? 0 : this.window.readDoubleLE(at);
  }

  /** UTF-8 text of `length` bytes; invalid sequences become U+FFFD. */
  text(length: number): string {
    if (length === 0) return '';
    if (length > LARGEST_WINDOW) return Buffer.from(this.bytes(length).buffer).toString('utf8');
    const at = this.take(length);
    return at < 0 ? '' : this.window.toString('utf8', at, at + length);
  }

  /** A copy of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    if (length > LARGEST_WINDOW) {
      const offset = this.position;
      this.skip(length);
      return this.failure === undefined ? this.source.read(offset, length) : new Uint8Array(0);
    }
    const at = this.take(length);
    return at < 0 ? new Uint8Array(0) : new Uint8Array(this.window.subarray(at, at + length));
  }

  /** The next `length` bytes as an unread slice. */
  slice(length: number): Slice {
    const slice = { source: this.source, offset: this.position, length };
    this.skip(length);
    return slice;
  }

  /** Index in the window of the next `length` bytes, after moving past them; −1 when the file ends before. */
  protected take(length: number): number {
    if (this.cursor + length > this.window.length && !this.load(length)) return -1;
    const at = this.cursor;
    this.cursor += length;
    return at;
  }

  private load(length: number): boolean {
    const position = this.position;
    if (this.failure !== undefined) return false;
    if (position + length > this.end) {
      this.endOfFile(length);
      return false;
    }
    const size = Math.min(Math.max(length, this.nextWindow), this.end - position);
    if (this.window.length !== size) this.window = Buffer.allocUnsafeSlow(size);
    this.source.readInto(this.window, position);
    this.base = position;
    this.cursor = 0;
    this.nextWindow = Math.min(2 * this.nextWindow, LARGEST_WINDOW);
    return true;
  }

  private endOfFile(length: number): void {
    this.fail(this.position, 'the file ends here', { need: this.position + length });
  }
}

/** Runs a reader; a file that shrank or cannot be read any more becomes an issue, our own bugs are thrown on. */
export function guardReads<T>(path: string, read: () => Outcome<T>): Outcome<T> {
  try {
    return read();
  } catch (error) {
    if (error instanceof ShortRead)
      return fail(issue('file-changed', { path: error.path }, { path: error.path }));
    if (error instanceof Error && 'syscall' in error) return fail(fileIssue(path, error));
    throw error;
  }
}

/** The issue for a failed read. */
export function readIssue(source: ByteSource, failure: ReadFailure | undefined): Issue {
  const path = source.path;
  if (failure?.limit !== undefined) return issue('format-limit', { path, ...failure.limit }, { path });
  if (failure?.need !== undefined) {
    return issue('format-truncated', { path, need: failure.need, have: source.size }, { path });
  }
  return damagedIssue(source, failure?.offset ?? 0, failure?.reason ?? 'the content makes no sense');
}

/** `format-damaged` at an offset of a source. */
export function damagedIssue(source: ByteSource, offset: number, reason: string): Issue {
  const path = source.path;
  return issue('format-damaged', { path, offset, reason }, { path, span: [offset, offset] });
}
