/**
 * Writes an ONNX model as a list of chunks: small bytes, and slices of weights to be copied by whoever writes the
 * file. Fields ascend, absent stays absent, unknown fields come at the end of their message.
 * Source: onnx.proto (IR 14) and the tables of `onnx-schema.ts`.
 */
import { invariant } from '../base/invariant';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { type Field, type MessageName, type MessageTable, messageTables } from './onnx-schema';
import type { ModelProto, TensorProto } from './onnx-types';
import { toWire, type Wire } from './onnx-wire';
import { MAX_MESSAGE_BYTES, WireType } from './protobuf';
import { BackwardWriter, type Chunk, chunksLength, concatChunks } from './protobuf-write';

export { type Chunk, chunksLength, concatChunks, isSlice } from './protobuf-write';

/**
 * Encodes a model; `decodeModel` of the chunks gives the same struct. Nothing of a slice is read or copied.
 * @returns `format-limit` when the file would pass 2 GiB, protobuf's limit: its weights must become external data.
 */
export function encodeModel(model: ModelProto): Outcome<readonly Chunk[]> {
  return encodeMessage('ModelProto', model);
}

/** A model whose payloads are small or external, in one array. */
export function encodeModelBytes(model: ModelProto): Outcome<Uint8Array> {
  const { value, issues } = encodeModel(model);
  return value === undefined ? { value, issues } : ok(concatChunks(value), issues);
}

/** A file of one TensorProto, as in test data sets. */
export function encodeTensor(tensor: TensorProto): Outcome<readonly Chunk[]> {
  return encodeMessage('TensorProto', tensor);
}

function encodeMessage(name: MessageName, message: object): Outcome<readonly Chunk[]> {
  const writer = new BackwardWriter();
  writeMessage(writer, messageTables[name], message);
  const chunks = writer.finish();
  const length = chunksLength(chunks);
  if (length <= MAX_MESSAGE_BYTES) return ok(chunks);
  const facts = {
    path: 'the model to be written',
    what: 'the size of one ONNX file',
    value: length,
    limit: MAX_MESSAGE_BYTES,
  };
  return fail(issue('format-limit', facts));
}

/** Writes the body of a message back to front: last field first. */
function writeMessage(writer: BackwardWriter, table: MessageTable, message: object): void {
  const wire = (toWire[table.name]?.(message) ?? message) as Wire;
  const unknown = wire.unknown ?? [];
  for (let index = unknown.length - 1; index >= 0; index--) {
    const field = unknown[index];
    if (field !== undefined) writer.chunk(field.bytes);
  }
  for (let index = table.fields.length - 1; index >= 0; index--) {
    const field = table.fields[index];
    if (field === undefined) continue;
    const value = wire[field.property];
    if (value === undefined || isDefault(field, value)) continue;
    if (!field.list) {
      writeField(writer, field, value);
      continue;
    }
    invariant(Array.isArray(value), `${field.property} is a list`);
    for (let item = value.length - 1; item >= 0; item--) writeField(writer, field, value[item]);
  }
}

function isDefault(field: Field, value: unknown): boolean {
  return field.presence === 'default' && (value === '' || value === 0);
}

function writeField(writer: BackwardWriter, field: Field, value: unknown): void {
  const before = writer.length;
  if (field.message !== undefined) {
    invariant(typeof value === 'object' && value !== null, `${field.property} is a message`);
    writeMessage(writer, messageTables[field.message], value);
    writer.closeField(field.number, before);
    return;
  }
  switch (field.kind) {
    case 'integer':
    case 'integer32':
      invariant(typeof value === 'number', `${field.property} is a number`);
      writer.integer(value);
      writer.tag(field.number, WireType.varint);
      return;
    case 'big-integer':
      invariant(typeof value === 'bigint', `${field.property} is a bigint`);
      writer.bigInteger(value);
      writer.tag(field.number, WireType.varint);
      return;
    case 'float':
      invariant(typeof value === 'number', `${field.property} is a number`);
      writer.float(value);
      writer.tag(field.number, WireType.fixed32);
      return;
    case 'text':
      invariant(typeof value === 'string', `${field.property} is a text`);
      writer.text(value);
      break;
    default:
      writer.chunk(value as Chunk);
  }
  writer.closeField(field.number, before);
}
