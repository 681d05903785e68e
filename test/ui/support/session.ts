/**
 * One browser and up to two VS Code servers (every folder trusted; trust asked for) for a whole run of the UI
 * tests, each server with the packaged extension installed in a profile of its own. Started when first needed.
 */
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { type BrowserContext, chromium } from 'playwright-core';
import {
  browserOptions,
  createProfile,
  installExtension,
  type Profile,
  pageAddress,
  type Server,
  startServer,
} from '../../../scripts/lib/ide.mjs';
import { examples, root, vsixFile } from '../../../scripts/lib/paths.mjs';
import { descendants } from './processes';
import { Workbench } from './workbench';

/** How a workbench is opened. */
export interface OpenOptions {
  /** False: on the server that knows workspace trust, where the folder opens in restricted mode. */
  readonly trusted?: boolean;
  /** Settings of the workspace. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Changes the workspace's files before it is opened. */
  readonly prepare?: (folder: string) => Promise<void>;
}

interface Host {
  readonly profile: Profile;
  readonly server: Server;
}

const artifacts = path.join(root, 'test/artifacts');
const hosts = new Map<'trusted' | 'restricted', Promise<Host>>();
const open = new Set<Workbench>();
let context: Promise<BrowserContext> | undefined;
let workspaces = 0;

/** Opens a fresh copy of examples/ in a page of its own, ready when the explorer shows its files. */
export async function openWorkbench(options: OpenOptions = {}): Promise<Workbench> {
  const { profile, server } = await host(options.trusted ?? true);
  workspaces += 1;
  const folder = path.join(profile.folder, `work-${workspaces}`, 'examples');
  await cp(examples, folder, { recursive: true });
  if (options.settings) {
    await mkdir(path.join(folder, '.vscode'), { recursive: true });
    await writeFile(path.join(folder, '.vscode/settings.json'), JSON.stringify(options.settings));
  }
  await options.prepare?.(folder);
  context ??= launch();
  const page = await (await context).newPage();
  const workbench = new Workbench(page, folder, path.join(artifacts, 'screenshots'), () =>
    open.delete(workbench),
  );
  open.add(workbench);
  await page.goto(pageAddress(server, folder));
  await workbench.ready();
  return workbench;
}

/** The folder of the installed extension: a place without any other node_modules above it. */
export async function installedExtension(): Promise<string> {
  const { profile } = await host(true);
  const folders = await readdir(profile.extensions);
  const own = folders.find((name) => name.startsWith('quantlens.quantlens-'));
  if (own === undefined) throw new Error(`The extension is not among ${folders.join(', ')}`);
  return path.join(profile.extensions, own);
}

/** Pids of the processes that run models for the workbenches of one kind of trust, and of no other. */
export async function inferenceProcesses(trusted = true): Promise<readonly number[]> {
  const { pid } = (await host(trusted)).server;
  return pid === undefined ? [] : descendants(pid, 'inference-process.js');
}

/** What the runner does around the tests. */
export const hooks: Mocha.RootHookObject = {
  /** Keeps what a person needs to understand a failure. */
  async afterEach(this: Mocha.Context) {
    const test = this.currentTest;
    if (test?.state !== 'failed') return;
    const name = test.fullTitle().replace(/[^\w-]+/g, '-');
    const folder = path.join(artifacts, 'failures');
    await mkdir(folder, { recursive: true });
    for (const [index, workbench] of [...open].entries()) {
      await workbench.page.screenshot({ path: path.join(folder, `${name}-${index}.png`) });
      await writeFile(path.join(folder, `${name}-${index}.log`), workbench.consoleLines.join('\n'));
    }
    for (const [kind, starting] of hosts) {
      await writeFile(path.join(folder, `${name}-${kind}-server.log`), (await starting).server.log());
    }
  },
  async afterAll() {
    for (const workbench of open) await workbench.close();
    await (await context)?.browser()?.close();
    for (const starting of hosts.values()) {
      await (await starting).server.stop();
    }
  },
};

/** The server of one kind, started with the extension installed when it is first asked for. */
function host(trusted: boolean): Promise<Host> {
  const kind = trusted ? 'trusted' : 'restricted';
  const known = hosts.get(kind);
  if (known) return known;
  const starting = startHost(trusted);
  hosts.set(kind, starting);
  return starting;
}

async function startHost(trusted: boolean): Promise<Host> {
  // Without the prompt a folder opens restricted at once, as after the answer "No, I don't trust the authors".
  const profile = await createProfile(trusted ? {} : { 'security.workspace.trust.startupPrompt': 'never' });
  await installExtension(profile, process.env.QUANTLENS_VSIX ?? vsixFile());
  return { profile, server: await startServer(profile, { trust: !trusted }) };
}

async function launch(): Promise<BrowserContext> {
  const browser = await chromium.launch(await browserOptions());
  return browser.newContext({
    viewport: { width: 1440, height: 900 },
    permissions: ['clipboard-read', 'clipboard-write'],
    reducedMotion: 'reduce',
  });
}
