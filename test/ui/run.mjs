// @ts-check
// Runs the scenarios of test/ui against the packaged extension, installed in the VS Code of test/ide.
// Usage: npm run test:ui [-- PART…], only files whose names contain one of the parts.
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import Mocha from 'mocha';
import { ideRunsHere, root, vsixFile } from '../../scripts/lib/paths.mjs';
import { Failure, runMain, say, seconds } from '../../scripts/lib/say.mjs';
import { forgetVerdict, runToVerdict, writeVerdict } from '../../scripts/lib/verdict.mjs';
import { setupIde } from '../../scripts/setup-ide.mjs';

const limitSeconds = 600;
const built = path.join(root, 'out/test/ui');
const artifacts = path.join(root, 'test/artifacts');

await runMain(async () => {
  const began = performance.now();
  const verdictPath = process.env.QUANTLENS_VERDICT || path.join(artifacts, 'ui.json');
  await forgetVerdict(verdictPath);
  if (!ideRunsHere)
    throw new Failure('The UI scenarios run on linux-x64 only, where test/ide has its browser.');
  const vsix = process.env.QUANTLENS_VSIX ?? vsixFile();
  if (!existsSync(vsix)) throw new Failure(`${vsix} does not exist: run \`npm run package\` first.`);
  await setupIde();
  await rm(path.join(artifacts, 'failures'), { recursive: true, force: true });

  setTimeout(async () => {
    const failures = [`The scenarios did not end within ${limitSeconds} s.`];
    await writeVerdict(verdictPath, { passed: 0, failed: 1, failures });
    console.error(failures[0]);
    process.kill(process.pid, 'SIGTERM');
  }, limitSeconds * 1000).unref();
  const { hooks } = await import(pathToFileURL(path.join(built, 'support/index.mjs')).href);
  const mocha = new Mocha({ ui: 'bdd', timeout: 60_000, forbidPending: true, rootHooks: hooks });
  for (const file of await chosenFiles(process.argv.slice(2))) mocha.addFile(path.join(built, file));
  await mocha.loadFilesAsync();
  const { passed, failed } = await runToVerdict(mocha, verdictPath);
  say(`UI scenarios: ${passed} passed, ${failed} failed, ${seconds(began)} s`);
  return failed === 0 && passed > 0 ? 0 : 1;
});

/** @param {readonly string[]} parts */
async function chosenFiles(parts) {
  const files = (await readdir(built)).filter((file) => file.endsWith('.test.mjs')).sort();
  return files.filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
}
