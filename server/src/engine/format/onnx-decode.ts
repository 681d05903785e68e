/**
 * Reads an ONNX model without its weights: one table-driven walk over the messages in which tensor payloads
 * become slices of the source. Source: onnx.proto (IR 14) and the tables of `onnx-schema.ts`.
 */
import type { ByteSource } from '../base/byte-source';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { damagedIssue, guardReads, readIssue } from './byte-reader';
import { MessageReader } from './message-reader';
import type { ModelProto, TensorProto } from './onnx-types';
import { looksLike, startsWithZeros } from './sniff';

/**
 * Decodes a model. Cost grows with the graph, not with the weights: payloads longer than 1 KiB are never read.
 * Fields may come in any order, packed or not; repeated single messages merge; unknown fields are kept.
 * @returns exactly one issue and no value when the bytes are not a whole ONNX model.
 */
export function decodeModel(source: ByteSource): Outcome<ModelProto> {
  return guarded(source, () => {
    const reader = new MessageReader(source);
    const model = reader.read('ModelProto') as ModelProto | undefined;
    if (model === undefined) return fail(modelIssue(source, reader));
    return isModel(model) ? ok(model) : fail(noModelIssue(source, model));
  });
}

/** Decodes a file that holds one TensorProto, such as the `input_0.pb` of a test data set. */
export function decodeTensor(source: ByteSource): Outcome<TensorProto> {
  return guarded(source, () => {
    const reader = new MessageReader(source);
    const tensor = reader.read('TensorProto') as TensorProto | undefined;
    if (tensor === undefined) return fail(readIssue(source, reader.failure));
    if (tensor.dataType === 0) return fail(unknownFormat(source));
    return ok(tensor);
  });
}

function guarded<T>(source: ByteSource, decode: () => Outcome<T>): Outcome<T> {
  const anchor = { path: source.path };
  if (source.size === 0) return fail(issue('file-empty', { path: source.path }, anchor));
  return guardReads(source.path, decode);
}

/** What went wrong inside bytes that may or may not have been a model. */
function modelIssue(source: ByteSource, reader: MessageReader): Issue {
  const { failure, outer } = reader;
  const head = headOf(source);
  if (looksLike(head) !== undefined) return unknownFormat(source);
  if (startsWithZeros(head)) return damagedIssue(source, 0, 'the file starts with zero bytes');
  if (outer.known === 0) return unknownFormat(source);
  if (outer.hasGraph && outer.current === undefined) {
    return damagedIssue(source, outer.offset, 'there are bytes after the end of the model');
  }
  return readIssue(source, failure);
}

/** Any protocol buffer may parse as a ModelProto of unknown fields; a model says what it computes. */
function isModel(model: ModelProto): boolean {
  if (model.functions.length > 0) return true;
  const graph = model.graph;
  if (graph === undefined) return false;
  const hasContent = graph.nodes.length > 0 || graph.outputs.length > 0 || graph.initializers.length > 0;
  return hasContent || model.opsetImports.length > 0 || model.irVersion > 0;
}

function noModelIssue(source: ByteSource, model: ModelProto): Issue {
  const announced = model.irVersion > 0 && model.irVersion < 1000;
  if (announced && looksLike(headOf(source)) === undefined) {
    return damagedIssue(source, source.size, 'the model has no graph');
  }
  return unknownFormat(source);
}

function unknownFormat(source: ByteSource): Issue {
  const path = source.path;
  const guess = looksLike(headOf(source));
  return issue('format-unknown', { path, ...(guess === undefined ? {} : { looksLike: guess }) }, { path });
}

function headOf(source: ByteSource): Uint8Array {
  return source.read(0, Math.min(512, source.size));
}
