// @ts-check
// Packages the extension for one system. Usage: npm run package [-- TARGET], TARGET as in VS Code's list
// (linux-x64, darwin-arm64, …; this system by default). The image decoder's binaries of another system must be
// installed first: npm install --no-save --os=darwin --cpu=arm64 sharp
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { ensureDependencies } from './lib/install.mjs';
import { target as here, root, vsixFile } from './lib/paths.mjs';
import { runNode } from './lib/processes.mjs';
import { Failure, runMain, say } from './lib/say.mjs';

await runMain(async () => {
  const target = process.argv[2] ?? here;
  await ensureDependencies();
  const binaries = path.join(root, 'node_modules/@img', `sharp-${target}`);
  if (!existsSync(binaries)) throw new Failure(`Cannot package for ${target}: ${binaries} is not installed.`);
  const file = vsixFile(target);
  await mkdir(path.dirname(file), { recursive: true });
  await rm(file, { force: true });
  const ignoreFile = await ignoreFileFor(target);
  const vsce = path.join(root, 'node_modules/@vscode/vsce/vsce');
  const { code } = await runNode(
    [vsce, 'package', '--target', target, '--out', file, '--ignoreFile', ignoreFile],
    { cwd: root },
  );
  if (code !== 0 || !existsSync(file))
    throw new Failure(`vsce could not package the extension for ${target}.`);
  const { size } = await stat(file);
  say(`Packaged ${path.relative(root, file)}: ${(size / 1e6).toFixed(1)} MB`);
  return 0;
});

/** The committed list names the binaries of linux-x64; other systems have theirs at the same places. @param {string} target */
async function ignoreFileFor(target) {
  const committed = path.join(root, '.vscodeignore');
  if (target === 'linux-x64') return committed;
  const text = await readFile(committed, 'utf8');
  const own = path.join(root, '.cache', `vscodeignore-${target}`);
  await mkdir(path.dirname(own), { recursive: true });
  await writeFile(
    own,
    text.replaceAll('linux-x64', target).replaceAll('linux/x64', target.replace('-', '/')),
  );
  return own;
}
