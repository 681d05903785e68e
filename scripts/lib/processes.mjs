// @ts-check
// Child processes of the scripts: each is known by its pid, has a time limit, and ends with its parent.
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { Failure } from './say.mjs';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

/** Children still running. Each leads a process group of its own, so that its descendants end with it. */
const children = /** @type {Set<ChildProcess>} */ (new Set());
const isWindows = process.platform === 'win32';
let listening = false;
let interrupted = false;

/**
 * Starts a child that ends with this process, whether that exits, fails or is interrupted.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 */
export function start(command, args, options = {}) {
  endChildrenOnSignals();
  const child = spawn(command, [...args], { detached: !isWindows, ...options });
  children.add(child);
  child.once('exit', () => children.delete(child));
  child.once('error', () => children.delete(child));
  return child;
}

/**
 * Runs a command to its end and returns its exit code; a signal or the time limit counts as code 1.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, limitSeconds?: number, output?: 'inherit' | 'collect' }} [options]
 *   `collect` keeps the output for the result instead of showing it
 * @returns {Promise<{ code: number, output: string, timedOut: boolean }>}
 */
export function run(command, args, { cwd, env, limitSeconds, output = 'inherit' } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = output === 'collect' ? 'pipe' : 'inherit';
    const child = start(command, args, { cwd, env, stdio: ['ignore', stdio, stdio] });
    let text = '';
    let timedOut = false;
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (text += chunk));
    const timer = limitSeconds
      ? setTimeout(() => {
          timedOut = true;
          end(child);
        }, limitSeconds * 1000)
      : undefined;
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new Failure(`Could not start ${command}: ${error.message}`));
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      // Nothing goes on after an interruption but the end.
      if (!interrupted) resolve({ code: timedOut ? 1 : (code ?? 1), output: text, timedOut });
    });
  });
}

/**
 * Runs a Node script in a child of its own.
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export function runNode(args, options) {
  return run(process.execPath, args, options);
}

/**
 * Runs npm: the one that started this script, else the one on the PATH.
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export function runNpm(args, options) {
  const cli = process.env.npm_execpath;
  if (cli && /npm-cli\.[cm]?js$/.test(cli)) return runNode([cli, ...args], options);
  return runTool('npm', args, options);
}

/**
 * Runs a command line tool that is a batch file on Windows, which only a shell can start. Constant arguments only.
 * @param {string} name
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export function runTool(name, args, options) {
  return isWindows ? run('cmd', ['/c', name, ...args], options) : run(name, args, options);
}

/**
 * Ends a child and its descendants: asks first, insists after three seconds.
 * @param {ChildProcess} child
 * @returns {Promise<void>}
 */
export function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => signal(child, 'SIGKILL'), 3000);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    signal(child, 'SIGTERM');
  });
}

/** The path of a command on the PATH, or undefined. @param {string} name @param {(file: string) => boolean} exists */
export function findOnPath(name, exists) {
  const suffixes = isWindows ? ['.cmd', '.exe', ''] : [''];
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    for (const suffix of suffixes) {
      const file = path.join(folder, name + suffix);
      if (folder !== '' && exists(file)) return file;
    }
  }
  return undefined;
}

/** @param {ChildProcess} child @param {NodeJS.Signals} name */
function signal(child, name) {
  if (child.pid === undefined) return;
  try {
    process.kill(isWindows ? child.pid : -child.pid, name);
  } catch {
    // Already gone, which is what was asked for.
  }
}

function endChildrenOnSignals() {
  if (listening) return;
  listening = true;
  for (const [name, code] of /** @type {const} */ ([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])) {
    process.once(name, async () => {
      interrupted = true;
      await Promise.all([...children].map(end));
      process.exit(code);
    });
  }
  process.once('exit', () => {
    for (const child of children) signal(child, 'SIGKILL');
  });
}
