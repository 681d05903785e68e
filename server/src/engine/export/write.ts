/**
 * Writes files the safe way: into a temporary file of the same folder, synced, then renamed over the target, so that
 * a failure or a cancel never leaves half a file. Refuses to write over the files a model was read from. Models beyond
 * protobuf's 2 GiB get their weights in one `.data` file beside them. The engine's only place that writes files.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ShortRead } from '../base/byte-source';
import { checkpoint } from '../base/cancel';
import { hasErrors, type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { ProgressSink } from '../base/progress';
import { type Chunk, chunksLength, encodeModel, isSlice } from '../format/onnx-encode';
import type { ExternalFiles } from '../format/onnx-external';
import type { ModelProto } from '../format/onnx-types';
import type { Model } from '../graph/ir';
import { toOnnx } from '../graph/to-onnx';
import { inlineExternal, moveOut } from './external-data';

export interface WriteOptions {
  /** Files that must survive: the source model and its external data. */
  readonly sources: readonly string[];
  /** Resolves external data of the source model; it is copied into the file that is written. */
  readonly external?: ExternalFiles;
  readonly signal?: AbortSignal;
  readonly progress?: ProgressSink;
  /**
   * Judges the complete model file under its temporary name, before it gets its own. Issues of error severity keep it
   * from appearing; a data file beside it is in place by then and is taken back.
   */
  readonly accept?: (temporary: string) => Promise<readonly Issue[]>;
  /** Largest model file; beyond it weights move to a `.data` file. Default: protobuf's limit. */
  readonly largestFile?: number;
}

export interface Written {
  /** Bytes of all files written. */
  readonly bytes: number;
  readonly files: readonly string[];
}

/** Slices are copied in pieces of this size; cancel is read between two. */
const PIECE = 8 << 20;

/**
 * Writes a model. Issues: `write-over-source`, `write-failed` (folder, permission, disk full), `file-changed` (a source
 * became shorter), those of unreadable external data. Throws `Cancelled`, after the temporary file is gone.
 */
export async function writeModel(
  model: Model,
  file: string,
  options: WriteOptions,
): Promise<Outcome<Written>> {
  return writeProto(toOnnx(model), file, options);
}

/** {@link writeModel} for structs. */
export async function writeProto(
  proto: ModelProto,
  file: string,
  options: WriteOptions,
): Promise<Outcome<Written>> {
  const inlined = inlineExternal(proto, options.external);
  if (inlined.value === undefined) return fail(...inlined.issues);
  const whole = encodeModel(inlined.value);
  const length = whole.value === undefined ? Number.POSITIVE_INFINITY : chunksLength(whole.value);
  if (whole.value !== undefined && length <= (options.largestFile ?? Number.POSITIVE_INFINITY)) {
    return writeFiles([{ file, chunks: whole.value }], options);
  }
  const data = dataFileOf(file);
  const moved = moveOut(inlined.value, path.basename(data));
  const graph = encodeModel(moved.proto);
  if (graph.value === undefined) return fail(...graph.issues);
  return writeFiles(
    [
      { file: data, chunks: moved.data },
      { file, chunks: graph.value },
    ],
    options,
  );
}

/** Holds the weights of a model file that alone would be too large. */
function dataFileOf(file: string): string {
  return `${file}.data`;
}

/** Writes UTF-8 text the same way. */
export async function writeText(
  file: string,
  text: string,
  sources: readonly string[],
  signal?: AbortSignal,
): Promise<Outcome<Written>> {
  return writeFiles([{ file, chunks: [new TextEncoder().encode(text)] }], { sources, signal });
}

/** Writes bytes the same way. */
export async function writeBytes(
  file: string,
  chunks: readonly Chunk[],
  options: WriteOptions,
): Promise<Outcome<Written>> {
  return writeFiles([{ file, chunks }], options);
}

/**
 * What is wrong with an output file before anything is written: `write-over-source` when it is one of `sources` under
 * whatever name, `output-unusable` when the place cannot hold a file. Ask early: a calibration may take minutes.
 */
export function outputIssue(file: string, sources: readonly string[]): Issue | undefined {
  const target = realTarget(file);
  if (isSource(target, sources)) return issue('write-over-source', { path: file }, { path: file });
  const problem = file === '' ? 'no name is given' : targetProblem(target);
  return problem === undefined ? undefined : unusableIssue(file, problem);
}

/** Removes temporary files that the killed process `pid` left beside `file` and its data file. */
export function removeTemporaries(file: string, pid: number): void {
  const target = realTarget(file);
  const folder = path.dirname(target);
  const prefixes = [target, dataFileOf(target)].map((one) => `.${path.basename(one)}.${pid}-`);
  try {
    for (const name of fs.readdirSync(folder)) {
      if (name.endsWith(suffix) && prefixes.some((prefix) => name.startsWith(prefix)))
        removeQuietly(path.join(folder, name));
    }
  } catch {
    // The folder is gone: nothing is left to remove.
  }
}

const suffix = '.quantlens-tmp';

interface FileToWrite {
  readonly file: string;
  readonly chunks: readonly Chunk[];
}

/** All temporary files are complete before the first is renamed; the model, which is last, is renamed last. */
async function writeFiles(files: readonly FileToWrite[], options: WriteOptions): Promise<Outcome<Written>> {
  const swaps = new Swaps();
  let current = '';
  try {
    for (const { file } of files) {
      current = file;
      const problem = outputIssue(file, options.sources);
      if (problem) return fail(problem);
    }
    const total = files.reduce((sum, { chunks }) => sum + chunksLength(chunks), 0);
    let done = 0;
    for (const { file, chunks } of files) {
      current = file;
      const target = realTarget(file);
      const temporary = swaps.add(target);
      await writeChunks(temporary, chunks, options.signal, (bytes) => {
        done += bytes;
        options.progress?.({ stage: 'export', done, total, unit: 'bytes', detail: file });
      });
      keepPermissions(target, temporary);
    }
    const last = swaps.placeAllButLast();
    const issues = options.accept === undefined ? [] : await options.accept(last);
    if (hasErrors(issues)) return { value: undefined, issues };
    swaps.placeLast();
    return ok({ bytes: total, files: files.map(({ file }) => file) }, issues);
  } catch (error) {
    if (error instanceof ShortRead)
      return fail(issue('file-changed', { path: error.path }, { path: error.path }));
    const code = errorCode(error);
    if (code === undefined) throw error;
    const place = unusable[code];
    if (place !== undefined) return fail(unusableIssue(current, place));
    return fail(issue('write-failed', { path: current, reason: reasons[code] ?? code }, { path: current }));
  } finally {
    swaps.undoUnlessDone();
  }
}

/** Temporary files on their way to their names; whatever was there before comes back unless the last one arrives. */
class Swaps {
  private readonly entries: { target: string; temporary: string; backup?: string; placed: boolean }[] = [];
  private done = false;

  /** @returns the temporary name to write to. */
  add(target: string): string {
    const temporary = temporaryName(target);
    this.entries.push({ target, temporary, placed: false });
    return temporary;
  }

  /** @returns the temporary name of the last file, which keeps it. */
  placeAllButLast(): string {
    for (const entry of this.entries.slice(0, -1)) {
      if (statOf(entry.target)) {
        const backup = temporaryName(entry.target);
        fs.renameSync(entry.target, backup);
        entry.backup = backup;
      }
      fs.renameSync(entry.temporary, entry.target);
      entry.placed = true;
    }
    return this.entries.at(-1)?.temporary ?? '';
  }

  placeLast(): void {
    const last = this.entries.at(-1);
    if (last) fs.renameSync(last.temporary, last.target);
    this.done = true;
    for (const { backup } of this.entries) if (backup !== undefined) removeQuietly(backup);
    syncFolder(path.dirname(last?.target ?? '.'));
  }

  undoUnlessDone(): void {
    if (this.done) return;
    for (const { target, temporary, backup, placed } of this.entries) {
      removeQuietly(temporary);
      if (placed) removeQuietly(target);
      if (backup !== undefined) renameQuietly(backup, target);
    }
  }
}

async function writeChunks(
  temporary: string,
  chunks: readonly Chunk[],
  signal: AbortSignal | undefined,
  wrote: (bytes: number) => void,
): Promise<void> {
  const handle = await fs.promises.open(temporary, 'wx');
  try {
    for (const chunk of chunks) {
      for (let offset = 0; offset < chunk.length; offset += PIECE) {
        const length = Math.min(PIECE, chunk.length - offset);
        const piece = isSlice(chunk)
          ? chunk.source.read(chunk.offset + offset, length)
          : chunk.subarray(offset, offset + length);
        await writeFully(handle, piece);
        wrote(length);
        await checkpoint(signal);
      }
    }
    await checkpoint(signal);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A script that could be run still can. */
function keepPermissions(target: string, temporary: string): void {
  const present = statOf(target);
  if (present) fs.chmodSync(temporary, Number(present.mode & 0o777n));
}

/** One `write` may take fewer bytes than asked, for example on a full disk just before ENOSPC. */
async function writeFully(handle: fs.promises.FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done);
    done += bytesWritten;
  }
}

/** The path behind symbolic links, so that a link is followed and not replaced. */
function realTarget(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    const resolved = path.resolve(file);
    try {
      // A link that points to nothing yet is followed too: its target may be a source that is named differently.
      return path.resolve(path.dirname(resolved), fs.readlinkSync(resolved));
    } catch {
      return resolved;
    }
  }
}

/** Same real path, or the same file under another name (hard link). */
function isSource(target: string, sources: readonly string[]): boolean {
  const own = statOf(target);
  return sources.some((source) => {
    if (realTarget(source) === target) return true;
    const other = statOf(source);
    return (
      own !== undefined &&
      other !== undefined &&
      own.dev === other.dev &&
      own.ino === other.ino &&
      own.ino !== 0n
    );
  });
}

function targetProblem(target: string): string | undefined {
  const stat = statOf(target);
  if (stat?.isDirectory()) return unusable.EISDIR;
  // Renaming over a device or pipe would replace it.
  if (stat && !stat.isFile()) return 'not a regular file';
  const folder = path.dirname(target);
  if (!statOf(folder)?.isDirectory()) return unusable.ENOENT;
  try {
    fs.accessSync(folder, fs.constants.W_OK);
    return undefined;
  } catch (error) {
    return unusable[errorCode(error) ?? ''];
  }
}

function statOf(file: string): fs.BigIntStats | undefined {
  try {
    return fs.statSync(file, { bigint: true });
  } catch {
    return undefined;
  }
}

let counter = 0;

/** Hidden, beside the target, unique among processes and within this one. */
function temporaryName(target: string): string {
  const unique = `${process.pid}-${Date.now().toString(36)}-${counter++}`;
  return path.join(path.dirname(target), `.${path.basename(target)}.${unique}${suffix}`);
}

function renameQuietly(from: string, to: string): void {
  try {
    fs.renameSync(from, to);
  } catch {
    // The folder is gone; the content stays under its temporary name.
  }
}

function removeQuietly(file: string): void {
  try {
    fs.unlinkSync(file);
  } catch {
    // Renamed or never made.
  }
}

/** Makes the rename survive a power cut where the platform allows to open a folder. */
function syncFolder(folder: string): void {
  try {
    const handle = fs.openSync(folder, 'r');
    fs.fsyncSync(handle);
    fs.closeSync(handle);
  } catch {
    // Windows refuses; the rename itself has happened.
  }
}

/** System errors that are no fault of the place. */
const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file is larger than the file system allows',
};

/** System errors that another output file would not meet. */
const unusable: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOENT: 'the folder does not exist',
  ENOTDIR: 'the folder does not exist',
  EISDIR: 'it is a folder',
  ENAMETOOLONG: 'the name is too long',
};

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function unusableIssue(file: string, reason: string): Issue {
  return issue('output-unusable', { path: file, reason }, { path: file });
}
