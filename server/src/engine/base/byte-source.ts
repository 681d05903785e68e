/**
 * Random access over a file handle or bytes in memory, with bounded slices. Reads are positioned (`pread`), so
 * a header of a 100 GB file costs kilobytes. Paths that come out of a file are contained by
 * {@link resolveInside} when they are loaded, always.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { invariant } from './invariant';
import { issue } from './issue';
import { fail, type Outcome, ok } from './outcome';

export interface ByteSource {
  /** Path as the user gave it, or a label for bytes in memory. */
  readonly path: string;
  readonly size: number;
  /** Modification time in milliseconds, 0 for memory. */
  readonly modified: number;
  /**
   * Copies [offset, offset + length) into a fresh array.
   * Callers check bounds against `size` first; a short read (file truncated meanwhile) throws {@link ShortRead}.
   */
  read(offset: number, length: number): Uint8Array;
  /** Reads into `target` without allocating; same rules as {@link read}. */
  readInto(target: Uint8Array, offset: number): void;
  close(): void;
}

/** The file became shorter while it was read. Caught at the reader's edge and turned into `file-changed`. */
export class ShortRead extends Error {
  constructor(readonly path: string) {
    super(`short read: ${path}`);
    this.name = 'ShortRead';
  }
}

/** One `readSync` must stay below 2^31 bytes: a larger length turns negative in Node. */
const MAX_SINGLE_READ = 1 << 30;

class FileSource implements ByteSource {
  constructor(
    readonly path: string,
    readonly size: number,
    readonly modified: number,
    private readonly handle: number,
  ) {}

  read(offset: number, length: number): Uint8Array {
    const target = new Uint8Array(length);
    this.readInto(target, offset);
    return target;
  }

  readInto(target: Uint8Array, offset: number): void {
    let done = 0;
    while (done < target.length) {
      const want = Math.min(target.length - done, MAX_SINGLE_READ);
      const got = fs.readSync(this.handle, target, done, want, offset + done);
      if (got === 0) throw new ShortRead(this.path);
      done += got;
    }
  }

  close(): void {
    fs.closeSync(this.handle);
  }
}

class MemorySource implements ByteSource {
  readonly modified = 0;
  constructor(
    readonly path: string,
    private readonly bytes: Uint8Array,
  ) {}

  get size(): number {
    return this.bytes.length;
  }

  read(offset: number, length: number): Uint8Array {
    invariant(offset >= 0 && offset + length <= this.bytes.length, `read outside ${this.path}`);
    // Not `slice`: that of a Node Buffer is a view.
    return new Uint8Array(this.bytes.subarray(offset, offset + length));
  }

  readInto(target: Uint8Array, offset: number): void {
    invariant(offset >= 0 && offset + target.length <= this.bytes.length, `read outside ${this.path}`);
    target.set(this.bytes.subarray(offset, offset + target.length));
  }

  close(): void {}
}

/** Wraps bytes in memory (editor buffers, tests). */
export function memorySource(bytes: Uint8Array, label = '<memory>'): ByteSource {
  return new MemorySource(label, bytes);
}

/** Opens a file for positioned reads; issues name the path and why it cannot be read. */
export function openFile(file: string): Outcome<ByteSource> {
  let handle: number | undefined;
  try {
    handle = fs.openSync(file, 'r');
    const stat = fs.fstatSync(handle);
    if (stat.isDirectory()) {
      fs.closeSync(handle);
      return fail(issue('file-is-folder', { path: file }, { path: file }));
    }
    if (!stat.isFile()) {
      // A pipe or device has no size and may block for ever.
      fs.closeSync(handle);
      return fail(issue('file-unreadable', { path: file, reason: 'not a regular file' }, { path: file }));
    }
    return ok(new FileSource(file, stat.size, stat.mtimeMs, handle));
  } catch (error) {
    if (handle !== undefined) fs.closeSync(handle);
    return fail(fileIssue(file, error));
  }
}

/** Turns a Node file system error into an issue that names the path. */
export function fileIssue(file: string, error: unknown) {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT' || code === 'ENOTDIR') return issue('file-not-found', { path: file }, { path: file });
  if (code === 'EISDIR') return issue('file-is-folder', { path: file }, { path: file });
  const reason =
    code === 'EACCES'
      ? 'permission denied'
      : code || (error instanceof Error ? error.message : String(error));
  return issue('file-unreadable', { path: file, reason }, { path: file });
}

/**
 * Resolves `location`, a path found inside a file, against `base` and refuses whatever leaves it: absolute
 * paths, drive letters, UNC, URLs, `..`, symbolic links that lead outside. Hard links pass: deduplicating stores and
 * `cp -l` make them everywhere, and whoever can make one can read the file already.
 * See onnx/docs/ExternalDataSecurity.md for the threats.
 * @returns the real absolute path, or `undefined` when it is not contained; `missing` when there is no such file.
 */
export function resolveInside(base: string, location: string): { path?: string; missing?: boolean } {
  if (location === '' || location.includes('\0')) return {};
  if (path.posix.isAbsolute(location) || path.win32.isAbsolute(location)) return {};
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(location) || location.startsWith('\\')) return {};
  if (location.split(/[\\/]/).includes('..')) return {};
  const candidate = path.resolve(base, location);
  try {
    const root = fs.realpathSync(base);
    const real = fs.realpathSync(candidate);
    const relative = path.relative(root, real);
    if (relative === '' || relative.startsWith('..') || path.isAbsolute(relative)) return {};
    return { path: real };
  } catch {
    return { missing: true };
  }
}

/**
 * Resolves the name of a file that belongs to `file`. Contained as by {@link resolveInside}; where `file` itself is a
 * link, as in caches that keep content once and link to it, a plain name may link into the same real folder.
 */
export function resolveBeside(file: string, name: string): { path?: string; missing?: boolean } {
  const folder = path.dirname(file);
  const found = resolveInside(folder, name);
  if (found.path !== undefined || found.missing || !/^[^\\/:\0]+$/.test(name)) return found;
  try {
    const home = path.dirname(fs.realpathSync(file));
    const real = fs.realpathSync(path.join(folder, name));
    return path.dirname(real) === home ? { path: real } : {};
  } catch {
    return { missing: true };
  }
}
