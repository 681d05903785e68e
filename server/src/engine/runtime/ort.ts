/**
 * The only door to onnxruntime-node. Sessions are created from bytes of a small proto whose weights are slices of
 * files in `folder`; runs are native calls that block this process, so this module is loaded in forked children only.
 * Facts behind the options were measured with onnxruntime-node 1.30 (docs/architecture.md, one model step by step).
 */
import * as path from 'node:path';
import type { InferenceSession, OnnxValue } from 'onnxruntime-node';
import { dataTypeByCode } from '../base/dtype';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { cleanReason, nodeOfReason } from './ort-errors';
import { isRuntimeType, type RuntimeTensor, type RuntimeType } from './runtime-tensor';

export type { RuntimeTensor } from './runtime-tensor';

/**
 * - `basic`: exact simulation. Higher levels replace quantized patterns by kernels with other numerics.
 * - `all`: deployment numerics and speed.
 * - `disabled`: nothing is rewritten.
 */
export type Optimization = 'basic' | 'all' | 'disabled';

export interface SessionOptions {
  /** Folder that external data locations are relative to; undefined when the model has none. */
  readonly folder?: string;
  readonly threads: number;
  readonly optimization: Optimization;
  /** False maps weights instead of copying them into packed form: cheap to create, a little slower to run. */
  readonly prepack?: boolean;
  /** The session is made to read its metadata and never run, so values of any type may stand at its border. */
  readonly metadataOnly?: boolean;
  /** File that the graph is written to as it will run, its large constants to a second file beside it. */
  readonly optimizedFile?: string;
  /** Further `session.*` entries; names without the prefix. */
  readonly configuration?: Readonly<Record<string, string>>;
}

/** A tensor at the border of a session. */
export interface ValueMetadata {
  readonly name: string;
  readonly type: RuntimeType;
  /** Symbolic dimensions by name, unknown ones as ''. */
  readonly shape: readonly (number | string)[];
}

/** Inputs of one run, by name. */
export type InputTensors = Readonly<Record<string, RuntimeTensor>>;

export interface Session {
  readonly inputs: readonly ValueMetadata[];
  readonly outputs: readonly ValueMetadata[];
  /**
   * One forward. Every input must be fed. `fetches` names the outputs to copy out (default all); it saves copying,
   * not computing. Issue `inference-failed` with the node where one is known.
   */
  run(
    feeds: InputTensors,
    fetches?: readonly string[],
  ): Promise<Outcome<Readonly<Record<string, RuntimeTensor>>>>;
  /** Frees native memory; the garbage collector would do it late. Safe to call twice. */
  release(): Promise<void>;
}

/** Newest versions that onnxruntime 1.30 accepts. */
export const newestOpset = 26;
export const newestIrVersion = 13;

/** 4 = fatal only: errors come back as exceptions, and would be printed a second time. */
const LOG_FATAL = 4;

type Module = typeof import('onnxruntime-node');

let loaded: Promise<Outcome<Module>> | undefined;

/** Loads the native module once; `inference-unavailable` when this system cannot. */
export function loadRuntime(): Promise<Outcome<Module>> {
  loaded ??= import('onnxruntime-node').then(
    (namespace) => {
      // Bundled as CommonJS the exports stand on the namespace itself, imported as a module also under `default`.
      const module = 'InferenceSession' in namespace ? namespace : (namespace as { default: Module }).default;
      module.env.logLevel = 'fatal';
      return ok(module);
    },
    (error) => fail(issue('inference-unavailable', { reason: cleanReason(error) })),
  );
  return loaded;
}

/**
 * Creates a session from an encoded model.
 * @returns `inference-failed` when onnxruntime refuses the model, `unsupported-feature` for inputs and outputs of
 *   types that cannot be exchanged: running a model with a 4-bit output would abort the process.
 */
export async function createSession(bytes: Uint8Array, options: SessionOptions): Promise<Outcome<Session>> {
  const module = await loadRuntime();
  if (module.value === undefined) return fail(...module.issues);
  try {
    const native = await module.value.InferenceSession.create(bytes, nativeOptions(options));
    const session = new NativeSession(native);
    const unsupported = options.metadataOnly ? [] : session.unsupported();
    if (unsupported.length === 0) return ok(session);
    await session.release();
    return fail(...unsupported);
  } catch (error) {
    return fail(failure(error));
  }
}

function nativeOptions(options: SessionOptions): InferenceSession.SessionOptions {
  const entries: Record<string, string> = { 'intra_op.allow_spinning': '0' };
  if (options.folder !== undefined) entries.model_external_initializers_file_folder_path = options.folder;
  if (options.prepack === false) entries.disable_prepacking = '1';
  if (options.optimizedFile !== undefined) {
    entries.optimized_model_external_initializers_file_name = `${path.basename(options.optimizedFile)}.data`;
    entries.optimized_model_external_initializers_min_size_in_bytes = '256';
  }
  return {
    executionProviders: ['cpu'],
    ...(options.optimizedFile === undefined ? {} : { optimizedModelFilePath: options.optimizedFile }),
    graphOptimizationLevel: options.optimization,
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    // Halves peak memory of large graphs at no cost in time.
    enableMemPattern: false,
    logSeverityLevel: LOG_FATAL,
    extra: { session: nested({ ...entries, ...options.configuration }) },
  };
}

/** The binding joins nested keys with dots. */
function nested(entries: Readonly<Record<string, string>>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(entries)) {
    const path = key.split('.');
    const last = path.pop() ?? key;
    let at = root;
    for (const part of path) {
      at[part] ??= {};
      at = at[part] as Record<string, unknown>;
    }
    at[last] = value;
  }
  return root;
}

class NativeSession implements Session {
  readonly inputs: readonly ValueMetadata[];
  readonly outputs: readonly ValueMetadata[];
  private released = false;

  constructor(private readonly native: InferenceSession) {
    this.inputs = native.inputMetadata.flatMap(valueMetadata);
    this.outputs = native.outputMetadata.flatMap(valueMetadata);
  }

  async run(feeds: InputTensors, fetches?: readonly string[]) {
    const missing = this.native.inputNames.find((name) => feeds[name] === undefined);
    if (missing !== undefined) {
      return fail(issue('inference-failed', { reason: `input ${missing} is not fed` }, { tensor: missing }));
    }
    try {
      const outputs = await this.native.run(nativeFeeds(feeds), fetches ?? this.native.outputNames, {
        logSeverityLevel: LOG_FATAL,
      });
      return ok(fromNative(outputs));
    } catch (error) {
      return fail(failure(error));
    }
  }

  async release(): Promise<void> {
    if (this.released) return;
    this.released = true;
    await this.native.release();
  }

  /** Sequences, maps and packed types at the border. */
  unsupported(): readonly Issue[] {
    const { inputMetadata, outputMetadata } = this.native;
    const issues: Issue[] = [];
    for (const [list, known, kind] of [
      [inputMetadata, this.inputs, 'input'],
      [outputMetadata, this.outputs, 'output'],
    ] as const) {
      for (const one of list) {
        if (known.some((value) => value.name === one.name)) continue;
        const what = one.isTensor ? `type ${one.type}` : 'a type that is no tensor';
        issues.push(unsupportedBorder(kind, one.name, what));
      }
    }
    return issues;
  }
}

function valueMetadata(one: InferenceSession.ValueMetadata): readonly ValueMetadata[] {
  if (!one.isTensor) return [];
  return isRuntimeType(one.type) ? [{ name: one.name, type: one.type, shape: one.shape }] : [];
}

/**
 * Plain objects instead of `Tensor`: its constructor turns float16 into a Float16Array where Node has one, and the
 * binding cannot read that.
 */
function nativeFeeds(feeds: InputTensors): InferenceSession.OnnxValueMapType {
  const native: Record<string, unknown> = {};
  for (const [name, { type, dims, data }] of Object.entries(feeds)) {
    native[name] = { type, dims, data, location: 'cpu' };
  }
  return native as InferenceSession.OnnxValueMapType;
}

function fromNative(outputs: InferenceSession.OnnxValueMapType): Record<string, RuntimeTensor> {
  const tensors: Record<string, RuntimeTensor> = {};
  for (const [name, value] of Object.entries(outputs)) tensors[name] = fromNativeTensor(value);
  return tensors;
}

function fromNativeTensor(value: OnnxValue): RuntimeTensor {
  const { type, dims, data } = value as RuntimeTensor;
  // Newer Node versions give a Float16Array; the codes are the same bytes.
  const codes = type === 'float16' && ArrayBuffer.isView(data) && !(data instanceof Uint16Array);
  return {
    type,
    dims,
    data: codes ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : data,
  };
}

function failure(error: unknown): Issue {
  const reason = cleanReason(error);
  // The binding's own words for an input or output whose type it does not know.
  const code = /^Unsupported data type: (\d+)$/.exec(reason)?.[1];
  if (code !== undefined) return unsupportedType(Number(code));
  const unknown = /^([\w.]*):(\w+)\(-?\d+\) is not a registered function\/op/.exec(reason);
  if (unknown) return issue('unsupported-op', { op: unknown[2] ?? '', domain: unknown[1] ?? '' });
  const node = nodeOfReason(reason);
  return issue('inference-failed', { reason }, node === undefined ? {} : { node });
}

function unsupportedType(code: number): Issue {
  const what = `an input or output of type ${dataTypeByCode(code)?.name ?? code}`;
  return issue('unsupported-feature', { what, next: 'Add a Cast to float.' });
}

/** The issue for an input or output whose type a session cannot exchange. */
export function unsupportedBorder(kind: 'input' | 'output', name: string, what: string): Issue {
  const facts = { what: `${kind} ${name} of ${what}`, next: 'Add a Cast to float.' };
  return issue('unsupported-feature', facts, { tensor: name });
}
