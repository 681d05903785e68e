/**
 * Protocol buffer wire format, reading side: a cursor over a byte source that loads small windows and steps over
 * long fields without reading them. Source: protobuf.dev/programming-guides/encoding.
 */
import type { ByteSource } from '../base/byte-source';
import type { Slice } from './onnx-types';

export const WireType = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

/** Why reading stopped. */
export interface WireFailure {
  readonly offset: number;
  readonly reason: string;
  /** Set when the file ends before something it announces at its outermost level. */
  readonly need?: number;
  /** Set when a limit of this reader was met rather than damage. */
  readonly limit?: { readonly what: string; readonly value: number; readonly limit: number };
}

/** protobuf's own limit for one message; a length beyond it is a lie, not a truncated file. */
export const MAX_MESSAGE_BYTES = 2 ** 31 - 1;

/** protobuf's own limit for messages inside messages. */
export const MAX_DEPTH = 100;

const FIRST_WINDOW = 4 << 10;
const LARGEST_WINDOW = 256 << 10;
const TWO_32 = 2 ** 32;

/**
 * Cursor over the wire. A failure is sticky: the first one is kept in {@link failure}, the cursor jumps to the
 * end and every later read gives zero, so loops over "while not at the end" stop by themselves.
 */
export class WireReader {
  failure: WireFailure | undefined;
  private depth = 0;
  private window = Buffer.alloc(0);
  /** File offset of the window's first byte. */
  private base: number;
  private cursor = 0;
  private nextWindow = FIRST_WINDOW;
  /** Parts of the varint read last, as unsigned 32-bit halves. */
  private low = 0;
  private high = 0;

  constructor(
    readonly source: ByteSource,
    start = 0,
    private readonly end = source.size,
  ) {
    this.base = start;
  }

  get position(): number {
    return this.base + this.cursor;
  }

  fail(offset: number, reason: string, more: Partial<WireFailure> = {}): void {
    // Inside a message that fits in the file, a length that leaves the file is damage, not truncation.
    this.failure ??= { offset, reason, ...more, need: this.depth === 0 ? more.need : undefined };
    this.base = this.end;
    this.cursor = 0;
    this.window = Buffer.alloc(0);
  }

  /** Call around the body of a nested message. */
  enter(): void {
    this.depth++;
    if (this.depth <= MAX_DEPTH) return;
    const limit = { what: 'nested messages', value: this.depth, limit: MAX_DEPTH };
    this.fail(this.position, 'too many messages inside messages', { limit });
  }

  leave(): void {
    this.depth--;
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

  skip(length: number): void {
    this.seek(this.position + length);
  }

  /** Field tag as an unsigned number, field number · 8 + wire type; 0 after a failure. */
  tag(): number {
    const offset = this.position;
    this.varint();
    if (this.failure !== undefined) return 0;
    const tag = this.high * TWO_32 + this.low;
    if (this.high !== 0 || tag >>> 3 === 0) {
      this.fail(offset, tag >>> 3 === 0 ? 'field number 0' : 'field number too large');
      return 0;
    }
    return tag;
  }

  /** int64 or int32 as a number; exact within ±2^53. */
  integer(): number {
    this.varint();
    return (this.high | 0) * TWO_32 + this.low;
  }

  /** uint64 or uint32 as a number; exact below 2^53. */
  unsigned(): number {
    this.varint();
    return this.high * TWO_32 + this.low;
  }

  /** int32 and enum: the low half, as protobuf truncates. */
  integer32(): number {
    this.varint();
    return this.low | 0;
  }

  bigInteger(): bigint {
    this.varint();
    if (this.high === 0) return BigInt(this.low);
    return BigInt.asIntN(64, (BigInt(this.high) << 32n) | BigInt(this.low));
  }

  fixed32(): number {
    const at = this.take(4);
    return at < 0 ? 0 : this.window.readUInt32LE(at);
  }

  float(): number {
    const at = this.take(4);
    return at < 0 ? 0 : this.window.readFloatLE(at);
  }

  double(): number {
    const at = this.take(8);
    return at < 0 ? 0 : this.window.readDoubleLE(at);
  }

  /** Length of a length-delimited field, checked against `end`, the end of the enclosing message. */
  length(end: number): number {
    const offset = this.position;
    const length = this.unsigned();
    if (this.failure !== undefined || length <= end - this.position) return length;
    const reason = `a length of ${length} bytes where ${end - this.position} are left`;
    const truncated = end === this.end && length <= MAX_MESSAGE_BYTES;
    this.fail(offset, reason, truncated ? { need: this.position + length } : {});
    return 0;
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
      const bytes = this.source.read(this.position, length);
      this.skip(length);
      return bytes;
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

  /**
   * Steps over one field of a kind the caller does not know. `tag` was just read; groups end at their end tag.
   */
  skipField(tag: number, end: number): void {
    const offset = this.position;
    let groups = 0;
    let current = tag;
    do {
      switch (current & 7) {
        case WireType.varint:
          this.varint();
          break;
        case WireType.fixed64:
          this.skipBounded(8, end);
          break;
        case WireType.bytes:
          this.skip(this.length(end));
          break;
        case WireType.fixed32:
          this.skipBounded(4, end);
          break;
        case WireType.startGroup:
          groups++;
          break;
        case WireType.endGroup:
          groups--;
          break;
        default:
          this.fail(offset, `wire type ${current & 7}`);
      }
      if (groups < 0) this.fail(offset, 'a group end without its start');
      if (groups > 0 && this.position >= end) this.fail(offset, 'a group without its end');
      if (groups > 0) current = this.tag();
    } while (groups > 0 && this.failure === undefined);
    if (this.position > end && this.failure === undefined) this.fail(offset, 'a field beyond its message');
  }

  private skipBounded(length: number, end: number): void {
    if (this.position + length > end) this.endOfFile(length);
    else this.skip(length);
  }

  private varint(): void {
    const window = this.window;
    const first = window[this.cursor];
    if (first !== undefined && first < 0x80) {
      this.cursor++;
      this.low = first;
      this.high = 0;
      return;
    }
    this.longVarint();
  }

  /** Up to ten bytes of seven bits; bits beyond 64 are dropped, as protobuf does. */
  private longVarint(): void {
    const start = this.position;
    let low = 0;
    let high = 0;
    for (let count = 0; count < 10; count++) {
      const at = this.take(1);
      if (at < 0) break;
      const byte = this.window[at] ?? 0;
      const bits = byte & 0x7f;
      if (count < 4) low |= bits << (count * 7);
      else if (count === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (count * 7 - 32);
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    this.low = 0;
    this.high = 0;
    this.fail(start, 'a number of more than ten bytes');
  }

  /** Index in the window of the next `length` bytes, after moving past them; −1 when the file ends before. */
  private take(length: number): number {
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
    if (this.window.length < size || this.window.length > 2 * size)
      this.window = Buffer.allocUnsafeSlow(size);
    else this.window = this.window.subarray(0, size);
    this.source.readInto(this.window, position);
    this.base = position;
    this.cursor = 0;
    this.nextWindow = Math.min(2 * this.nextWindow, LARGEST_WINDOW);
    return true;
  }

  private endOfFile(length: number): void {
    this.fail(this.position, 'the end of the file inside a field', { need: this.position + length });
  }
}
