/**
 * Runs a bundled program with the code that V8 compiled the last time: reading a megabyte of JavaScript takes longer than
 * everything else a short command does. The code lies in the user's cache, by the program's state and everything that
 * decides whether V8 takes it; a failure to read or write it only costs the time. `NODE_DISABLE_COMPILE_CACHE=1` turns it
 * off, as for Node's own such cache, which Node 20 has not.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { Script } from 'node:vm';
import { cacheFolder, replaceFile } from './cache-folder';

/** Compiled programs that are kept: this version's, and those of a few others in use. */
const KEPT = 8;

/** V8 does not look whether the code it is given is whole, so its hash stands before it. */
const HASH_BYTES = 32;

type Wrapper = (
  exports: unknown,
  require: NodeJS.Require,
  module: { exports: unknown },
  filename: string,
  dirname: string,
) => void;

/** Runs a CommonJS file as `require` would, and gives its exports. */
export function loadProgram(file: string): unknown {
  const source = fs.readFileSync(file, 'utf8');
  const cache = cacheFile(file);
  const cachedData = cache === undefined ? undefined : readCode(cache);
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename: file,
    cachedData,
  });
  const module = { exports: {} as unknown };
  const run = script.runInThisContext() as Wrapper;
  run(module.exports, createRequire(file), module, file, path.dirname(file));
  // Behind what the program does at once, and with all that ran so far.
  if (cache !== undefined && (cachedData === undefined || script.cachedDataRejected))
    setImmediate(() => writeCode(cache, script.createCachedData()));
  return module.exports;
}

/** Where the code of a program lies; `undefined` where none is kept. */
function cacheFile(file: string): string | undefined {
  if (process.env.NODE_DISABLE_COMPILE_CACHE) return undefined;
  try {
    const { size, mtimeMs } = fs.statSync(file);
    const { version, arch, execArgv } = process;
    const key = JSON.stringify([file, size, mtimeMs, version, process.versions.v8, arch, execArgv]);
    const name = createHash('sha256').update(key).digest('hex').slice(0, 32);
    return path.join(cacheFolder(), 'code', `${name}.bin`);
  } catch {
    return undefined;
  }
}

function readCode(file: string): Buffer | undefined {
  try {
    const bytes = fs.readFileSync(file);
    const code = bytes.subarray(HASH_BYTES);
    return hashOf(code).equals(bytes.subarray(0, HASH_BYTES)) ? code : undefined;
  } catch {
    return undefined;
  }
}

function writeCode(file: string, code: Buffer): void {
  const folder = path.dirname(file);
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    replaceFile(file, Buffer.concat([hashOf(code), code]), 0o600);
    removeOld(folder);
  } catch {
    // See the header.
  }
}

function hashOf(code: Buffer): Buffer {
  return createHash('sha256').update(code).digest();
}

function removeOld(folder: string): void {
  const files = fs.readdirSync(folder).map((name) => {
    const file = path.join(folder, name);
    return { file, written: fs.statSync(file).mtimeMs };
  });
  files.sort((one, other) => other.written - one.written);
  for (const { file } of files.slice(KEPT)) fs.rmSync(file, { force: true });
}
