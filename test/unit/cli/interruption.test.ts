/** Ctrl+C while a command still starts: the answer of a cancelled command, whatever moment it comes at. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliResult, root, runCli } from './run-cli';

const demo = path.join(root, 'examples/fashion_mobile.onnx');
let folder = '';

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'interruption-test-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function script(name: string, text: string): string {
  const file = path.join(folder, name);
  fs.writeFileSync(file, text);
  return file;
}

interface Ended extends CliResult {
  readonly signal: NodeJS.Signals | null;
}

/** Interrupts a command so many milliseconds after it was started. */
function interruptedAfter(milliseconds: number): Promise<Ended> {
  return new Promise((resolve) => {
    const args = ['analyze', demo, '--data', 'random', '--samples', '4096', '--json'];
    const child = spawn(process.execPath, [path.join(root, 'dist/cli.js'), ...args], { cwd: root });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    setTimeout(() => child.kill('SIGINT'), milliseconds);
  });
}

function cancelled(end: CliResult) {
  expect(end.code).toBe(130);
  expect(JSON.parse(end.stdout)).toMatchObject({ issues: [{ code: 'cancelled' }] });
}

describe('an interrupted start', () => {
  it('is answered from the first module on, before the program is read', () => {
    const hook = script(
      'early.js',
      `const fs = require('node:fs');
      const { readFileSync } = fs;
      fs.readFileSync = function (file, ...others) {
        if (/cli-program/.test(String(file))) process.kill(process.pid, 'SIGINT');
        return readFileSync.call(this, file, ...others);
      };`,
    );
    cancelled(runCli(['analyze', demo, '--json'], { node: ['--require', hook] }));
  });

  it('is answered where the inference process is what still starts', () => {
    const hook = script(
      'forked.js',
      `const processes = require('node:child_process');
      const { fork } = processes;
      processes.fork = function (...all) {
        const child = fork.apply(this, all);
        child.kill('SIGINT');
        setTimeout(() => process.kill(process.pid, 'SIGINT'), 30);
        return child;
      };`,
    );
    cancelled(runCli(['analyze', demo, '--json'], { node: ['--require', hook] }));
  });

  it.each([0, 50, 100, 200, 400])(
    '%i ms after it was asked for, never ends half said',
    async (milliseconds) => {
      const end = await interruptedAfter(milliseconds);
      // Until Node runs the first line of any program, the signal is the system's to answer.
      if (end.signal === 'SIGINT') expect(end).toMatchObject({ stdout: '', stderr: '' });
      else cancelled(end);
    },
  );

  it('leaves no process behind', () => {
    const hook = script(
      'pid.js',
      `const processes = require('node:child_process');
      const { fork } = processes;
      processes.fork = function (...all) {
        const child = fork.apply(this, all);
        require('node:fs').writeFileSync(${JSON.stringify(path.join(folder, 'pid'))}, String(child.pid));
        return child;
      };`,
    );
    // Wrong usage is found after the process was started.
    const end = runCli(['analyze', demo, '--no-such-flag'], { node: ['--require', hook] });
    expect(end.code).toBe(2);
    const pid = Number(fs.readFileSync(path.join(folder, 'pid'), 'utf8'));
    return expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
