/**
 * Opens a model file: structs, graph, external files. Headers only: no weight is read, whatever the file's size.
 * External data is located (inside the model's folder, long enough) so that a lying file is refused here.
 */
import * as path from 'node:path';
import { type ByteSource, openFile, ShortRead } from '../base/byte-source';
import { fingerprint } from '../base/fingerprint';
import { anchored, hasErrors, type Issue, issue } from '../base/issue';
import { fail, type Outcome } from '../base/outcome';
import { decodeModel } from '../format/onnx-decode';
import { ExternalFiles, type ExternalPayload } from '../format/onnx-external';
import { parseOnnxText } from '../format/onnx-text-parse';
import type { ModelProto, TensorProto } from '../format/onnx-types';
import { sniff } from '../format/sniff';
import { fromOnnx } from './from-onnx';
import { inlineFunctions } from './inline-functions';
import type { Model } from './ir';
import { allGraphs } from './walk';

/** An ONNX model on disk, held open. Close it when done. */
export interface OpenModel {
  /** As the user gave it. */
  readonly path: string;
  readonly format: 'onnx' | 'onnxtxt';
  /** As the file states it. */
  readonly proto: ModelProto;
  /** Calls of model-local functions are replaced by their bodies. Shared by everyone who holds the open model: `cloneModel` before running passes or editing. */
  readonly model: Model;
  readonly source: ByteSource;
  readonly external: ExternalFiles;
  /** Bytes of the file and of the external files it points to. */
  readonly bytes: number;
  /** True while size and modification time of the file and its external files are what they were when opened. */
  unchanged(): boolean;
  close(): void;
}

/** Longer texts are no models that anyone wrote or printed. */
const MAX_TEXT_BYTES = 256 << 20;

/**
 * Opens an `.onnx` or `.onnxtxt` file.
 * @returns no value for other formats (`unsupported-feature`), damaged files, invalid graphs and external data that
 *   is missing, outside the model's folder or too short.
 */
export function openModel(file: string): Outcome<OpenModel> {
  const opened = openFile(file);
  if (!opened.value) return fail(...opened.issues);
  const source = opened.value;
  const external = new ExternalFiles(path.dirname(file));
  const issues: Issue[] = [];
  const keep = <T>(outcome: Outcome<T>): T | undefined => {
    issues.push(...outcome.issues.map((one) => anchored(one, { path: file })));
    return outcome.value;
  };
  const format = keep(sniff(source));
  const proto = format && keep(readProto(source, format));
  const inlined = proto && inlineFunctions(proto);
  if (inlined) issues.push(...inlined.issues.map((one) => anchored(one, { path: file })));
  const model = inlined && keep(fromOnnx(inlined.proto, external, inlined.positions));
  if (model) keep({ value: model, issues: checkExternal(model, external) });
  if (!model || !proto || (format !== 'onnx' && format !== 'onnxtxt') || hasErrors(issues)) {
    source.close();
    external.close();
    return { value: undefined, issues };
  }
  return { value: new OpenedModel(format, proto, model, source, external), issues };
}

/** SHA-256 of the model's content: the file, then its external files in the order the graph names them. */
export function modelFingerprint(open: OpenModel, signal?: AbortSignal): Promise<string> {
  return fingerprint([open.source, ...open.external.opened()], signal);
}

class OpenedModel implements OpenModel {
  readonly bytes: number;
  /** Opening again tells the present state; the held handles tell the state of the file they were opened on. */
  private readonly stamps: readonly {
    readonly path: string;
    readonly size: number;
    readonly modified: number;
  }[];

  constructor(
    readonly format: 'onnx' | 'onnxtxt',
    readonly proto: ModelProto,
    readonly model: Model,
    readonly source: ByteSource,
    readonly external: ExternalFiles,
  ) {
    this.stamps = [source, ...external.opened()].map(({ path: file, size, modified }) => ({
      path: file,
      size,
      modified,
    }));
    this.bytes = this.stamps.reduce((sum, { size }) => sum + size, 0);
  }

  get path(): string {
    return this.source.path;
  }

  unchanged(): boolean {
    return this.stamps.every((stamp) => {
      const now = openFile(stamp.path).value;
      now?.close();
      return now?.size === stamp.size && now.modified === stamp.modified;
    });
  }

  close(): void {
    this.source.close();
    this.external.close();
  }
}

function readProto(source: ByteSource, format: string): Outcome<ModelProto> {
  if (format === 'onnx') return decodeModel(source);
  const anchor = { path: source.path };
  if (format !== 'onnxtxt') {
    const facts = { what: `a graph in a ${format} file`, next: 'inspect and analyze read its weights' };
    return fail(issue('unsupported-feature', facts, anchor));
  }
  if (source.size > MAX_TEXT_BYTES) {
    const facts = { path: source.path, what: 'size of a text', value: source.size, limit: MAX_TEXT_BYTES };
    return fail(issue('format-limit', facts, anchor));
  }
  try {
    const parsed = parseOnnxText(new TextDecoder().decode(source.read(0, source.size)));
    return {
      value: parsed.model,
      issues: parsed.issues,
    };
  } catch (error) {
    if (error instanceof ShortRead) return fail(issue('file-changed', { path: source.path }, anchor));
    throw error;
  }
}

/** Locates all external data. Of each file only the tensor that ends last is resolved, and whatever lies. */
function checkExternal(model: Model, external: ExternalFiles): readonly Issue[] {
  const furthest = new Map<string, { name: string; end: number; payload: ExternalPayload }>();
  const issues: Issue[] = [];
  for (const { name, payload } of tensorsOf(model)) {
    if (payload.kind !== 'external') continue;
    const { location, offset, length } = payload;
    if (!(offset >= 0) || (length !== undefined && !(length >= 0))) {
      issues.push(...external.resolve(name, payload).issues);
      continue;
    }
    const end = offset + (length ?? 0);
    const known = furthest.get(location);
    if (!known || end > known.end) furthest.set(location, { name, end, payload });
  }
  for (const { name, payload } of furthest.values()) issues.push(...external.resolve(name, payload).issues);
  return issues;
}

function* tensorsOf(model: Model): Generator<TensorProto> {
  for (const graph of allGraphs(model.graph)) {
    for (const value of graph.values.values()) if (value.tensor) yield value.tensor.toProto(value.name);
  }
}
