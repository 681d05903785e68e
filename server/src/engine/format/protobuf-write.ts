/**
 * Protocol buffer wire format, writing side. Written back to front: a message's body is complete before its
 * length goes in front of it, so one pass over the structs suffices and weights are never copied.
 * Source: protobuf.dev/programming-guides/encoding.
 */
import { invariant } from '../base/invariant';
import type { Slice } from './onnx-types';

/** A piece of a file to be written: bytes, or a stretch of a source to be copied. */
export type Chunk = Uint8Array | Slice;

export function isSlice(chunk: Chunk): chunk is Slice {
  return 'source' in chunk;
}

/** Total bytes of the pieces. */
export function chunksLength(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}

/** One array of all pieces, reading slices. Only for what is known to be small, such as a graph without weights. */
export function concatChunks(chunks: readonly Chunk[]): Uint8Array {
  const bytes = new Uint8Array(chunksLength(chunks));
  let offset = 0;
  for (const chunk of chunks) {
    if (isSlice(chunk)) chunk.source.readInto(bytes.subarray(offset, offset + chunk.length), chunk.offset);
    else bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** Bytes up to this length are copied into the running buffer; longer ones become a chunk of their own. */
const COPY_LIMIT = 4 << 10;
const FIRST_BUFFER = 4 << 10;
const LARGEST_BUFFER = 1 << 20;

/** Collects chunks from the last byte to the first. */
export class BackwardWriter {
  private readonly chunks: Chunk[] = [];
  private buffer = Buffer.allocUnsafeSlow(FIRST_BUFFER);
  /** Index of the first used byte in the buffer. */
  private start = FIRST_BUFFER;
  private flushed = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.flushed + this.buffer.length - this.start;
  }

  /** Puts the length of everything written since `before` (an earlier {@link length}) and a tag in front of it. */
  closeField(fieldNumber: number, before: number): void {
    this.unsigned(this.length - before);
    this.tag(fieldNumber, 2);
  }

  tag(fieldNumber: number, wireType: number): void {
    this.unsigned(fieldNumber * 8 + wireType);
  }

  /** Non-negative safe integer as a varint. */
  unsigned(value: number): void {
    invariant(value >= 0 && Number.isSafeInteger(value), `varint of ${value}`);
    if (value < 128) {
      const at = this.reserve(1);
      this.buffer[at] = value;
      return;
    }
    let length = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
    let at = this.reserve(length);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.buffer[at++] = (rest % 128) | 128;
    this.buffer[at] = rest;
  }

  /** int64 or uint64 as a varint: negative numbers take ten bytes. */
  bigInteger(value: bigint): void {
    if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) {
      this.unsigned(Number(value));
      return;
    }
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, value);
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
    this.bytes(Uint8Array.from(bytes));
  }

  /** int64 from a number; beyond ±2^63 the nearest int64. */
  integer(value: number): void {
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) this.unsigned(value);
    else if (value >= 2 ** 63) this.bigInteger(2n ** 63n - 1n);
    else this.bigInteger(value < -(2 ** 63) ? -(2n ** 63n) : BigInt(value));
  }

  float(value: number): void {
    const at = this.reserve(4);
    this.buffer.writeFloatLE(value, at);
  }

  /** UTF-8 bytes, without a length. */
  text(text: string): void {
    const length = Buffer.byteLength(text, 'utf8');
    const at = this.reserve(length);
    this.buffer.write(text, at, length, 'utf8');
  }

  bytes(bytes: Uint8Array): void {
    if (bytes.length > COPY_LIMIT) {
      this.push(bytes);
      return;
    }
    const at = this.reserve(bytes.length);
    this.buffer.set(bytes, at);
  }

  chunk(chunk: Chunk): void {
    if (isSlice(chunk)) this.push(chunk);
    else this.bytes(chunk);
  }

  /** All chunks, first byte first. The writer is spent. */
  finish(): readonly Chunk[] {
    this.flush();
    return this.chunks.reverse();
  }

  private push(chunk: Chunk): void {
    this.flush();
    if (chunk.length > 0) this.chunks.push(chunk);
    this.flushed += chunk.length;
  }

  private flush(): void {
    const used = this.buffer.subarray(this.start);
    if (used.length === 0) return;
    this.chunks.push(new Uint8Array(used));
    this.flushed += used.length;
    this.start = this.buffer.length;
  }

  /**
   * Makes room in front and returns the index to write at, first byte of `length`. The buffer may be replaced:
   * call this before `this.buffer` is evaluated.
   */
  private reserve(length: number): number {
    if (length > this.start) {
      this.flush();
      if (length > this.buffer.length || this.buffer.length < LARGEST_BUFFER) {
        this.buffer = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.buffer.length));
        this.start = this.buffer.length;
      }
    }
    this.start -= length;
    return this.start;
  }
}
