// @ts-check
// What a newcomer runs first: installs what is missing, builds, analyses the demo model in the terminal, then
// opens the demo in VS Code, or serves one on this machine where none is installed. Usage: npm start
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { createProfile, linkExtension, pageAddress, startServer } from './lib/ide.mjs';
import { ensureDependencies } from './lib/install.mjs';
import { examples, ideRunsHere, root } from './lib/paths.mjs';
import { findOnPath, runNode, runTool } from './lib/processes.mjs';
import { Failure, runMain, say, step } from './lib/say.mjs';
import { setupIde } from './setup-ide.mjs';

/** The first free one of these, so that a bookmark of the demo usually keeps working. */
const usualPort = '9730-9739';

await runMain(async () => {
  await ensureDependencies();
  await step('Building', build);
  await analyzeDemo();
  const command = editorCommand();
  if (command !== undefined && (await openIn(command))) return 0;
  return serve();
});

async function build() {
  const { code, output } = await runNode(['esbuild.mjs'], { cwd: root, output: 'collect' });
  if (code !== 0) throw new Failure(`The build failed:\n${output.trim()}`);
}

/** The first model of the demo, through the command line: what the editor will show. */
async function analyzeDemo() {
  const models = (await readdir(examples)).filter((file) => file.endsWith('.onnx')).sort();
  const [model] = models;
  if (model === undefined) throw new Failure('examples/ holds no model.');
  const file = path.join('examples', model);
  say(`node dist/cli.js analyze ${file}`);
  const { code } = await runNode(['dist/cli.js', 'analyze', file], { cwd: root, limitSeconds: 120 });
  if (code !== 0) throw new Failure(`The analysis of ${file} ended with code ${code}.`);
}

/** The command that opens an installed VS Code: CODE_CLI, else the first known one on the PATH. */
function editorCommand() {
  const named = process.env.CODE_CLI;
  if (named) return named;
  for (const name of ['code', 'code-insiders', 'codium']) {
    const found = findOnPath(name, existsSync);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Opens the demo in an installed VS Code; false if that does not work. @param {string} command */
async function openIn(command) {
  say(`Opening examples/ with the extension in ${command}`);
  const { code } = await runTool(command, ['--new-window', `--extensionDevelopmentPath=${root}`, examples]);
  if (code !== 0) say(`${command} ended with code ${code}`);
  return code === 0;
}

/** Serves the VS Code of test/ide until it is interrupted. The extension is this folder itself. */
async function serve() {
  if (!ideRunsHere) {
    throw new Failure(
      'No VS Code was found. Install it, put its `code` command on the PATH (or name it in CODE_CLI), then run ' +
        '`npm start` again. The command line works without it: node dist/cli.js --help',
    );
  }
  say('Serving a VS Code from this machine, because no installed one was opened');
  await setupIde();
  const profile = await createProfile();
  await linkExtension(profile);
  const server = await startServer(profile, { port: usualPort });
  say('The demo is open at');
  process.stdout.write(`\n    ${pageAddress(server, examples)}\n\n`);
  say('Ctrl+C ends it. From another machine: ssh -L, the page works on 127.0.0.1 only.');
  await server.ended;
  return 0;
}
