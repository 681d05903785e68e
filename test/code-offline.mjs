#!/usr/bin/env node
// Poses as VS Code's executable: understands the arguments that @vscode/test-electron passes, runs the tests
// they name inside the extension host of test/ide's VS Code, and ends with the exit code that reports.
// A crashed host reports 0, therefore callers must also ask for the verdict file that the tests write.
import process from 'node:process';
import { format } from 'node:util';
import { chromium } from 'playwright-core';
import { browserOptions, createProfile, pageAddress, startServer } from '../scripts/lib/ide.mjs';
import { root } from '../scripts/lib/paths.mjs';
import { runMain } from '../scripts/lib/say.mjs';

/** What the editor says about services that do not exist offline, and about optional native modules. */
const noise =
  /AgentHost|Creating a socket|connection token|open-vsx|AccountPolicyGate|Service Worker|grace-time|builtin extensions cache|locate the bindings file|Release\/watchdog/;

await runMain(async () => {
  const options = parseArguments(process.argv.slice(2));
  const profile = await createProfile();
  const server = await startServer(profile, { testDriver: true });
  const browser = await chromium.launch(await browserOptions());
  try {
    const page = await browser.newPage();
    return await new Promise((resolve, reject) => {
      void runTests(page, server, options, resolve).catch(reject);
    });
  } finally {
    await browser.close();
    await server.stop();
  }
});

/** Opens the workbench with the tests as its payload; `exit` is called when it says that they are done. */
async function runTests(page, server, { extension, tests, folder }, exit) {
  const remote = (file) => `vscode-remote://${new URL(server.origin).host}${file}`;
  page.on('crash', () => exit(1));
  await page.exposeFunction('codeAutomationLog', (type, args) => print(type, args));
  await page.exposeFunction('codeAutomationExit', (code) => exit(code));
  await page.goto(
    pageAddress(server, folder, [
      ['extensionDevelopmentPath', remote(extension)],
      ['extensionTestsPath', remote(tests)],
      ['skipWelcome', 'true'],
    ]),
  );
}

function print(type, args) {
  const text = format(...args);
  if (!noise.test(text)) (type === 'error' ? process.stderr : process.stdout).write(`${text}\n`);
}

function parseArguments(args) {
  const value = (name) => args.find((each) => each.startsWith(`--${name}=`))?.slice(name.length + 3);
  const extension = value('extensionDevelopmentPath');
  const tests = value('extensionTestsPath');
  if (extension === undefined || tests === undefined) {
    throw new Error('code-offline needs --extensionDevelopmentPath=… and --extensionTestsPath=…');
  }
  return { extension, tests, folder: args.find((each) => !each.startsWith('-')) ?? root };
}
