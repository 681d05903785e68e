/**
 * Protocol buffer wire format, reading side. Source: protobuf.dev/programming-guides/encoding.
 */
import { ByteReader, type ReadFailure } from './byte-reader';

export const WireType = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

/** protobuf's own limit for one message; a length beyond it is a lie, not a truncated file. */
export const MAX_MESSAGE_BYTES = 2 ** 31 - 1;

/** protobuf's own limit for messages inside messages. */
export const MAX_DEPTH = 100;

const TWO_32 = 2 ** 32;

/** Cursor over the wire; failures are sticky as in {@link ByteReader}. */
export class WireReader extends ByteReader {
  private depth = 0;
  /** Parts of the varint read last, as unsigned 32-bit halves. */
  private low = 0;
  private high = 0;

  /** Inside a message that fits in the file, a length that leaves the file is damage, not truncation. */
  override fail(offset: number, reason: string, more: Partial<ReadFailure> = {}): void {
    super.fail(offset, reason, this.depth === 0 ? more : { ...more, need: undefined });
  }

  /** Call around the body of a nested message. */
  enter(): void {
    this.depth++;
    if (this.depth <= MAX_DEPTH) return;
    const limit = { what: 'the depth of messages in messages', value: this.depth, limit: MAX_DEPTH };
    this.fail(this.position, 'too many messages inside messages', { limit });
  }

  leave(): void {
    this.depth--;
  }

  /** Field tag as an unsigned number, field number · 8 + wire type; 0 after a failure. */
  tag(): number {
    const offset = this.position;
    this.varint();
    if (this.failure !== undefined) return 0;
    if (this.high !== 0 || this.low >>> 3 === 0) {
      this.fail(offset, this.high === 0 ? 'field number 0' : 'a field number beyond 2^29');
      return 0;
    }
    return this.low;
  }

  /** int64 or int32 as a number; exact within ±2^53. */
  integer(): number {
    this.varint();
    return (this.high | 0) * TWO_32 + this.low;
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

  /** Length of a length-delimited field, checked against `end`, the end of the enclosing message. */
  length(end: number): number {
    const offset = this.position;
    this.varint();
    const length = this.high * TWO_32 + this.low;
    if (this.failure !== undefined) return 0;
    if (length <= end - this.position) return length;
    const reason = `a length of ${length} bytes where ${Math.max(0, end - this.position)} are left`;
    this.fail(offset, reason, length <= MAX_MESSAGE_BYTES ? { need: this.position + length } : {});
    return 0;
  }

  /** Steps over one field of a kind the caller does not know, whose `tag` was just read. Groups end at their end tag. */
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
          this.skip(8);
          break;
        case WireType.bytes:
          this.skip(this.length(end));
          break;
        case WireType.fixed32:
          this.skip(4);
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
  }

  /** The byte under the cursor after loading it; −1 at the end of the file. */
  private nextByte(): number {
    const at = this.take(1);
    if (at < 0) return -1;
    this.cursor--;
    return this.window[at] ?? -1;
  }

  private varint(): void {
    const first = this.window[this.cursor];
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
      const byte = this.window[this.cursor] ?? this.nextByte();
      if (byte < 0) break;
      this.cursor++;
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
}
