// @ts-check
// Installs what is missing, from the lock files alone. Safe to run by several processes at once.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { root } from './paths.mjs';
import { runNpm } from './processes.mjs';
import { Failure, say, step } from './say.mjs';

/** Installs the project's own packages unless the installed versions are those of package-lock.json. */
export async function ensureDependencies() {
  const node = Number(process.versions.node.split('.')[0]);
  if (node < 20) throw new Failure(`Node 20 or newer is needed, this is ${process.version}.`);
  const changed = await outdated(root);
  if (changed.length === 0) return;
  await withLock(path.join(root, '.cache/install.lock'), async () => {
    if ((await outdated(root)).length === 0) return;
    const fresh = !existsSync(path.join(root, 'node_modules'));
    const title = fresh ? 'Installing the packages of package-lock.json' : `Updating ${listing(changed)}`;
    await step(title, () => npmInstall(root, fresh ? ['ci'] : ['install']));
  });
}

/**
 * Runs npm in a folder and fails with npm's own words.
 * @param {string} folder
 * @param {readonly string[]} args
 */
export async function npmInstall(folder, args) {
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { code, output } = await runNpm([...args, ...flags], {
    cwd: folder,
    output: 'collect',
    limitSeconds: 900,
  });
  if (code !== 0) throw new Failure(`npm ${args.join(' ')} failed in ${folder}:\n${output.trim()}`);
}

/**
 * Runs work while holding a lock file; waits while another live process holds it.
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 */
export async function withLock(file, work) {
  await mkdir(path.dirname(file), { recursive: true });
  for (let told = false; !(await take(file)); ) {
    const holder = Number(await readFile(file, 'utf8').catch(() => ''));
    if (holder > 0 && !isAlive(holder)) await rm(file, { force: true });
    if (!told && holder > 0) say(`Waiting for process ${holder}, which is installing the same …`);
    told = true;
    await pause(200);
  }
  // Interrupted runs leave the file behind; the next one sees that its process is gone.
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

/** Names of the packages whose installed version is not the lock's. @param {string} folder */
async function outdated(folder) {
  const wanted = await lockedVersions(path.join(folder, 'package-lock.json'));
  const installed = await lockedVersions(path.join(folder, 'node_modules/.package-lock.json'));
  return [...wanted]
    .filter(([place, entry]) => !entry.optional && installed.get(place)?.version !== entry.version)
    .map(([place]) => place.replace(/^.*node_modules\//, ''));
}

/**
 * @param {string} file a lock file; an absent one has no packages
 * @returns {Promise<Map<string, { version: string, optional?: boolean }>>}
 */
async function lockedVersions(file) {
  if (!existsSync(file)) return new Map();
  const { packages } = JSON.parse(await readFile(file, 'utf8'));
  return new Map(Object.entries(packages).filter(([place]) => place !== ''));
}

/** @param {string} file */
async function take(file) {
  try {
    await writeFile(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** @param {readonly string[]} names */
function listing(names) {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more packages` : shown;
}
