/**
 * Generic reader of ONNX messages by the tables of `onnx-schema.ts`: fields in any order, packed or not, single
 * messages merged, unknown fields kept, long payloads left in the file.
 */
import type { ByteSource } from '../base/byte-source';
import type { ReadFailure } from './byte-reader';
import { type Field, type MessageName, type MessageTable, messageTables, oneofs } from './onnx-schema';
import type { Slice } from './onnx-types';
import { fromWire, type Wire } from './onnx-wire';
import { WireReader, WireType } from './protobuf';

/** Payloads up to this length are read at once; shapes, axes and scalars are shorter. */
const INLINE_BYTES = 1024;

/**
 * What one file may make this program hold, in units of roughly 50 bytes: 3 million messages, some ten times those of
 * the largest graphs seen in public, or 12 million numbers. A hostile file of 12 MB would otherwise fill gigabytes.
 */
const MAX_PARTS = 12_000_000;
const MESSAGE_PARTS = 4;

/** Bytes of names, strings and small payloads held in memory. */
const MAX_HELD_BYTES = 512 * 2 ** 20;

/** Packed bytes of a *_data field in the order of the file; gathered when the message ends. */
type NumberParts = (Slice | ByteList)[];

export class MessageReader {
  /** What the outermost message held when reading stopped. */
  readonly outer: { known: number; hasGraph: boolean; current: Field | undefined; offset: number } = {
    known: 0,
    hasGraph: false,
    current: undefined,
    offset: 0,
  };
  private readonly wire: WireReader;
  private parts = 0;
  private held = 0;

  constructor(
    private readonly source: ByteSource,
    private readonly maxParts = MAX_PARTS,
  ) {
    this.wire = new WireReader(source);
  }

  get failure(): ReadFailure | undefined {
    return this.wire.failure;
  }

  /** Reads the whole source as one message; `undefined` when {@link failure} is set. */
  read(name: MessageName): object | undefined {
    const table = messageTables[name];
    const message = emptyMessage(table);
    this.fields(table, message, this.source.size, true);
    const finished = this.finish(table, message);
    return this.failure === undefined ? finished : undefined;
  }

  private fields(table: MessageTable, message: Wire, end: number, outermost = false): void {
    const wire = this.wire;
    while (wire.position < end) {
      const start = wire.position;
      const tag = wire.tag();
      const field = table.byNumber[tag >>> 3];
      if (outermost) {
        this.outer.current = field;
        this.outer.offset = start;
      }
      if (wire.failure !== undefined) return;
      if (field === undefined) this.unknown(message, tag, start, end);
      else this.field(table, field, message, tag & 7, start, end);
      if (outermost && field !== undefined && wire.failure === undefined) {
        this.outer.known++;
        if (field.property === 'graph') this.outer.hasGraph = true;
      }
    }
    if (wire.position > end) wire.fail(end, `a field of ${table.name} beyond its end`);
  }

  private field(
    table: MessageTable,
    field: Field,
    message: Wire,
    wireType: number,
    start: number,
    end: number,
  ): void {
    const native = nativeWireType(field);
    const packed = wireType === WireType.bytes && native !== WireType.bytes && isRepeated(field);
    if (wireType !== native && !packed) {
      this.wire.fail(start, `field "${field.property}" of ${table.name} has wire type ${wireType}`);
      return;
    }
    if (packed && !isNumberData(field)) {
      const packedEnd = this.wire.length(end) + this.wire.position;
      while (this.wire.position < packedEnd) this.store(table, field, message, this.value(field, packedEnd));
      if (this.wire.position > packedEnd) this.wire.fail(start, `a number of ${table.name} beyond its list`);
      return;
    }
    if (isNumberData(field)) this.numbers(field, message, packed, end);
    else if (field.message !== undefined) this.message(table, field, field.message, message, end);
    else this.store(table, field, message, this.value(field, end));
  }

  private store(table: MessageTable, field: Field, message: Wire, value: unknown): void {
    if (field.list) {
      this.count(1);
      const list = message[field.property];
      if (Array.isArray(list)) list.push(value);
      else message[field.property] = [value];
      return;
    }
    for (const other of oneofs[table.name] ?? []) {
      if (other !== field.property && oneofs[table.name]?.includes(field.property)) delete message[other];
    }
    message[field.property] = value;
  }

  private value(field: Field, end: number): unknown {
    const wire = this.wire;
    switch (field.kind) {
      case 'integer':
        return wire.integer();
      case 'integer32':
        return wire.integer32();
      case 'big-integer':
        return wire.bigInteger();
      case 'float':
        return wire.float();
      case 'text':
        return wire.text(this.hold(wire.length(end)));
      case 'bytes':
        return wire.bytes(this.hold(wire.length(end)));
      default: {
        const length = wire.length(end);
        return length > INLINE_BYTES ? wire.slice(length) : wire.bytes(this.hold(length));
      }
    }
  }

  private message(table: MessageTable, field: Field, name: MessageName, parent: Wire, end: number): void {
    this.count(MESSAGE_PARTS);
    const childEnd = this.wire.length(end) + this.wire.position;
    const childTable = messageTables[name];
    const existing = field.list ? undefined : parent[field.property];
    const child = existing === undefined ? emptyMessage(childTable) : (existing as Wire);
    this.wire.enter();
    this.fields(childTable, child, childEnd);
    this.wire.leave();
    if (this.wire.failure !== undefined) return;
    this.store(table, field, parent, field.list ? this.finish(childTable, child) : child);
  }

  private numbers(field: Field, message: Wire, packed: boolean, end: number): void {
    const wire = this.wire;
    const parts = (message[field.property] ?? []) as NumberParts;
    message[field.property] = parts;
    const start = wire.position;
    if (!packed) wire.skipField(nativeWireType(field), end);
    const length = packed ? wire.length(end) : wire.position - start;
    if (!packed) wire.seek(start);
    if (wire.failure !== undefined) return;
    if (packed && length > INLINE_BYTES) {
      parts.push(wire.slice(length));
      return;
    }
    const last = parts.at(-1);
    const list = last instanceof ByteList ? last : new ByteList();
    if (list !== last) parts.push(list);
    list.append(wire.bytes(this.hold(length)));
  }

  private unknown(message: Wire, tag: number, start: number, end: number): void {
    this.count(MESSAGE_PARTS);
    this.wire.skipField(tag, end);
    if (this.wire.failure !== undefined) return;
    const length = this.wire.position - start;
    this.wire.seek(start);
    const bytes = length > INLINE_BYTES ? this.wire.slice(length) : this.wire.bytes(this.hold(length));
    message.unknown ??= [];
    message.unknown.push({ number: tag >>> 3, wireType: tag & 7, bytes });
  }

  /** Completes a message that will not be merged any further. */
  private finish(table: MessageTable, message: Wire): object | undefined {
    for (const field of table.gathered) {
      const value = message[field.property];
      if (value === undefined) continue;
      message[field.property] =
        field.message === undefined
          ? this.gather(value as NumberParts)
          : this.finish(messageTables[field.message], value as Wire);
    }
    if (this.failure !== undefined) return undefined;
    const convert = fromWire[table.name];
    if (convert === undefined) return message;
    const plain = convert(message);
    if (plain === undefined)
      this.wire.fail(this.wire.position, `numbers of a ${table.name} end inside a number`);
    return plain;
  }

  private gather(parts: NumberParts): Uint8Array | Slice {
    const [first] = parts;
    if (parts.length === 1 && first !== undefined) return first instanceof ByteList ? first.bytes() : first;
    const all = new ByteList();
    for (const part of parts) {
      if (part instanceof ByteList) all.append(part.bytes());
      else if (this.hold(part.length) > 0) all.append(part.source.read(part.offset, part.length));
    }
    return all.bytes();
  }

  private count(parts: number): void {
    this.parts += parts;
    if (this.parts <= this.maxParts) return;
    const limit = {
      what: 'the number of nodes, values and attributes',
      value: this.parts,
      limit: this.maxParts,
    };
    this.wire.fail(this.wire.position, 'too many parts', { limit });
  }

  /** Accounts for bytes about to be held; 0 when the limit is met. */
  private hold(length: number): number {
    this.held += length;
    if (this.held <= MAX_HELD_BYTES) return length;
    const limit = { what: 'the size of names and small values', value: this.held, limit: MAX_HELD_BYTES };
    this.wire.fail(this.wire.position, 'too many bytes of names and small values', { limit });
    return 0;
  }
}

function emptyMessage(table: MessageTable): Wire {
  const message: Wire = {};
  for (const field of table.fields) {
    if (field.presence === 'default') message[field.property] = field.kind === 'text' ? '' : 0;
    else if (field.presence === 'list') message[field.property] = [];
  }
  return message;
}

function isNumberData(field: Field): boolean {
  return field.kind === 'float-data' || field.kind === 'double-data' || field.kind === 'varint-data';
}

function isRepeated(field: Field): boolean {
  return field.list || isNumberData(field);
}

function nativeWireType(field: Field): number {
  switch (field.kind) {
    case 'integer':
    case 'integer32':
    case 'big-integer':
    case 'varint-data':
      return WireType.varint;
    case 'float':
    case 'float-data':
      return WireType.fixed32;
    case 'double-data':
      return WireType.fixed64;
    default:
      return WireType.bytes;
  }
}

/** Bytes appended one after the other; grows by doubling. */
class ByteList {
  private buffer = new Uint8Array(64);
  private used = 0;

  append(bytes: Uint8Array): void {
    const need = this.used + bytes.length;
    if (need > this.buffer.length) {
      const larger = new Uint8Array(Math.max(need, 2 * this.buffer.length));
      larger.set(this.buffer.subarray(0, this.used));
      this.buffer = larger;
    }
    this.buffer.set(bytes, this.used);
    this.used = need;
  }

  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.used);
  }
}
