// @ts-check
// Runs test/suite inside the extension host of a VS Code and demands a verdict with at least one test.
// The host is VSCODE_EXECUTABLE if set; on linux-x64 the VS Code of test/ide (no download, no display);
// elsewhere an installed VS Code, or else the one that @vscode/test-electron downloads.
import { existsSync, realpathSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { runTests } from '@vscode/test-electron';
import { examples, ideRunsHere, root } from '../../scripts/lib/paths.mjs';
import { findOnPath } from '../../scripts/lib/processes.mjs';
import { runMain, say, seconds } from '../../scripts/lib/say.mjs';
import { temporaryFolder } from '../../scripts/lib/temporary.mjs';
import { forgetVerdict, readVerdict } from '../../scripts/lib/verdict.mjs';
import { setupIde } from '../../scripts/setup-ide.mjs';

const limitSeconds = 300;

await runMain(async () => {
  const began = performance.now();
  const host = await chooseHost();
  say(`Editor tests run in ${host.name}`);
  const verdictPath = process.env.QUANTLENS_VERDICT || path.join(root, 'test/artifacts/suite.json');
  await mkdir(path.dirname(verdictPath), { recursive: true });
  await forgetVerdict(verdictPath);
  const folder = await temporaryFolder();
  const workspace = path.join(folder, 'examples');
  await cp(examples, workspace, { recursive: true });

  // test-electron ends its child on SIGINT alone.
  process.once('SIGTERM', () => process.kill(process.pid, 'SIGINT'));
  setTimeout(() => {
    console.error(`The editor tests did not end within ${limitSeconds} s.`);
    process.kill(process.pid, 'SIGINT');
  }, limitSeconds * 1000).unref();
  const code = await runTests({
    vscodeExecutablePath: host.executable,
    extensionDevelopmentPath: root,
    extensionTestsPath: path.join(root, 'out/test/suite/index'),
    launchArgs: [
      workspace,
      '--disable-extensions',
      `--user-data-dir=${path.join(folder, 'data')}`,
      `--extensions-dir=${path.join(folder, 'extensions')}`,
    ],
    extensionTestsEnv: { QUANTLENS_VERDICT: verdictPath },
  }).catch((error) => {
    console.error(error.message);
    return 1;
  });

  const { passed, failed, failures } = await readVerdict(verdictPath);
  for (const failure of failures) console.error(`FAILED ${failure}`);
  say(`Editor tests: ${passed} passed, ${failed} failed, ${seconds(began)} s`);
  return code === 0 && failed === 0 ? 0 : 1;
});

async function chooseHost() {
  const named = process.env.VSCODE_EXECUTABLE;
  if (named) return { name: `${named} (VSCODE_EXECUTABLE)`, executable: named };
  if (ideRunsHere) {
    await setupIde();
    return {
      name: 'the VS Code of test/ide, headless',
      executable: path.join(root, 'test/code-offline.mjs'),
    };
  }
  const installed = installedExecutable();
  if (installed) return { name: `the installed ${installed}`, executable: installed };
  return {
    name: 'the VS Code that @vscode/test-electron downloads (none is installed)',
    executable: undefined,
  };
}

/** The program behind the `code` command, which itself returns before the tests end. */
function installedExecutable() {
  const command = findOnPath('code', existsSync);
  if (command === undefined) return undefined;
  const folder = path.dirname(path.dirname(realpathSync(command)));
  const candidates = [
    path.join(folder, 'code'),
    path.join(folder, 'Code.exe'),
    path.join(folder, '../../MacOS/Electron'),
    path.join(folder, '../../MacOS/Code'),
  ];
  return candidates.find(existsSync);
}
