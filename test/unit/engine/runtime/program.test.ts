/** Programs run from the code that was compiled before, and never from wrong code. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder = '';
let launcher = '';
const program = () => path.join(folder, 'program.js');
const codeFolder = () => path.join(folder, 'cache/quantlens/code');

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'program-test-'));
  launcher = path.join(folder, 'launch.cjs');
  buildSync({
    entryPoints: [path.resolve(__dirname, '../../../../server/src/engine/runtime/program.ts')],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile: path.join(folder, 'lib.cjs'),
    logLevel: 'silent',
  });
  fs.writeFileSync(
    launcher,
    `const { Script } = require('node:vm');
    const { loadProgram } = require('./lib.cjs');
    const taken = Object.getOwnPropertyDescriptor(Script.prototype, 'runInThisContext').value;
    Script.prototype.runInThisContext = function (...all) {
      globalThis.cached = this.cachedDataRejected === false;
      return taken.apply(this, all);
    };
    console.log(JSON.stringify({ ...loadProgram(process.argv[2]), cached: globalThis.cached }));`,
  );
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function run(text: string, environment: Readonly<Record<string, string>> = {}) {
  if (!fs.existsSync(program()) || fs.readFileSync(program(), 'utf8') !== text)
    fs.writeFileSync(program(), text);
  const env = { ...process.env, XDG_CACHE_HOME: path.join(folder, 'cache'), ...environment };
  return JSON.parse(execFileSync(process.execPath, [launcher, program()], { env, encoding: 'utf8' }));
}

const first = `#!/usr/bin/env node
exports.answer = 1; exports.place = [__filename, require('node:path').basename(__dirname)].length;`;

describe('a program', () => {
  it('exports what require would, and is compiled once', () => {
    fs.rmSync(codeFolder(), { recursive: true, force: true });
    const text = first.replace(/^#!.*\n/, '');
    expect(run(text)).toEqual({ answer: 1, place: 2, cached: false });
    expect(run(text)).toEqual({ answer: 1, place: 2, cached: true });
  });

  it('is compiled anew when it changed, even to a text of the same length', () => {
    run('exports.answer = 1;');
    fs.utimesSync(program(), new Date(0), new Date(0));
    expect(run('exports.answer = 2;')).toEqual({ answer: 2, cached: false });
  });

  it('does without code that was damaged', () => {
    const text = 'exports.answer = [1, 2, 3].map((one) => one * 2)[2];';
    run(text);
    for (const name of fs.readdirSync(codeFolder())) {
      const file = path.join(codeFolder(), name);
      const bytes = fs.readFileSync(file);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0xff;
      fs.writeFileSync(file, bytes);
    }
    expect(run(text)).toEqual({ answer: 6, cached: false });
  });

  it('runs where nothing can be kept, and where nobody wants it', () => {
    const file = path.join(folder, 'no-folder');
    fs.writeFileSync(file, '');
    expect(run('exports.answer = 4;', { XDG_CACHE_HOME: file })).toEqual({ answer: 4, cached: false });
    fs.rmSync(codeFolder(), { recursive: true, force: true });
    const off = { NODE_DISABLE_COMPILE_CACHE: '1' };
    expect(run('exports.answer = 5;', off)).toEqual({ answer: 5, cached: false });
    expect(fs.existsSync(codeFolder())).toBe(false);
  });

  it('keeps the code of a few programs only', () => {
    for (let index = 0; index < 12; index++) run(`exports.answer = ${index};//${'-'.repeat(index)}`);
    expect(fs.readdirSync(codeFolder()).length).toBeLessThanOrEqual(8);
  });
});
