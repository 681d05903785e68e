// Bundles the programs of the project into dist/ and its editor tests into out/.
// `--production` minifies, `--watch` rebuilds on change, `--partial` tolerates programs not written yet.
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';

const root = path.dirname(fileURLToPath(import.meta.url));
process.chdir(root);

/** Every program of the project; each must exist. Panels are added from webview/src/NAME/main.ts. */
const programs = {
  'dist/client': 'client/src/extension.ts',
  'dist/server': 'server/src/lsp/main.ts',
  'dist/inference-process': 'server/src/engine/inference-launch.ts',
  'dist/inference-program': 'server/src/engine/inference-process.ts',
  'dist/cli': 'server/src/cli/launch.ts',
  'dist/cli-program': 'server/src/cli/main.ts',
};

/** Never bundled: the editor provides the first, the others load native libraries from beside themselves. */
const external = ['vscode', 'onnxruntime-node', 'sharp'];

/** The scripts' library finds the project from where it lies, therefore it is imported from there. */
const scriptsInPlace = {
  name: 'scripts in place',
  setup({ onResolve }) {
    onResolve({ filter: /\/scripts\/lib\// }, ({ path: file, resolveDir }) => {
      return { path: pathToFileURL(path.resolve(resolveDir, file)).href, external: true };
    });
  },
};

const flags = readFlags(['--production', '--watch', '--partial']);
const shared = {
  bundle: true,
  minify: flags.has('--production'),
  sourcemap: !flags.has('--production'),
  metafile: true,
  outdir: '.',
  logLevel: 'warning',
};
// jsonc-parser's `main` is a UMD wrapper whose requires a bundler cannot follow; its `module` is plain.
const node = {
  ...shared,
  platform: 'node',
  target: 'node20',
  mainFields: ['module', 'main'],
  // What is loaded on demand comes by `require`: Node's loader of modules takes some 20 ms to set up.
  supported: { 'dynamic-import': false },
  // Its module build asks for import.meta.url, which a bundle in CommonJS has not.
  alias: { 'web-tree-sitter': './node_modules/web-tree-sitter/web-tree-sitter.cjs' },
};

/** Read at run time from beside the programs. */
const assets = {
  'dist/web-tree-sitter.wasm': 'node_modules/web-tree-sitter/web-tree-sitter.wasm',
  'dist/tree-sitter-python.wasm': 'node_modules/tree-sitter-python/tree-sitter-python.wasm',
};

const { builds, missing } = await plan();
const began = performance.now();
const built = flags.has('--watch') ? await watch() : await buildAll();
for (const file of missing) console.error(`not built, no such file: ${file}`);
if (!built || (missing.length > 0 && !flags.has('--partial'))) process.exitCode = 1;

/** Builds everything; what fails has told why and keeps nothing else from being built. */
async function buildAll() {
  const results = await Promise.allSettled(builds.map((build) => esbuild.build(build)));
  const done = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const bundled = done.flatMap(({ metafile }) => Object.keys(metafile.outputs));
  const written = [...bundled, ...(await copyStyles(bundled)), ...(await copyAssets())];
  await removeStale('dist', written);
  await removeStale('out/test', written);
  if (existsSync('dist/cli.js')) await chmod('dist/cli.js', 0o755);
  for (const { metafile } of done) reportSizes(metafile);
  const failed = results.length - done.length;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(failed > 0 ? `${failed} of ${results.length} builds failed` : `built in ${seconds} s`);
  return failed === 0;
}

async function watch() {
  for (const build of builds) await (await esbuild.context({ ...build, logLevel: 'info' })).watch();
  await copyStyles([]);
  await copyAssets();
  return true;
}

/** What to build, and which required files do not exist. */
async function plan() {
  const entries = Object.entries(programs);
  const panels = await panelNames();
  const missing = entries.filter(([, file]) => !existsSync(file)).map(([, file]) => file);
  if (panels.length === 0) missing.push('webview/src/*/main.ts');
  const present = entries.filter(([, file]) => existsSync(file));
  const builds = [
    ...present.map(([out, file]) => ({
      ...node,
      format: 'cjs',
      external,
      banner: out === 'dist/cli' ? { js: '#!/usr/bin/env node' } : {},
      entryPoints: { [out]: file },
    })),
    {
      ...shared,
      platform: 'browser',
      target: 'es2022',
      format: 'esm',
      entryPoints: Object.fromEntries(
        panels.map((name) => [`dist/webview/${name}`, `webview/src/${name}/main.ts`]),
      ),
    },
    // Loaded by `require` inside the extension host, one self-contained file each.
    {
      ...node,
      format: 'cjs',
      external: [...external, 'mocha'],
      minify: false,
      entryPoints: await testEntries('test/suite'),
    },
    // Run by plain Node; split, so that all scenario files share one instance of the support library.
    {
      ...node,
      format: 'esm',
      splitting: true,
      packages: 'external',
      plugins: [scriptsInPlace],
      minify: false,
      outExtension: { '.js': '.mjs' },
      chunkNames: 'out/test/ui/shared/[hash]',
      entryPoints: await testEntries('test/ui'),
    },
  ];
  return { builds: builds.filter(({ entryPoints }) => Object.keys(entryPoints).length > 0), missing };
}

async function panelNames() {
  const folders = await foldersOf('webview/src');
  return folders.filter((name) => existsSync(`webview/src/${name}/main.ts`));
}

/** A test folder's index and its test files, each going to the same path under out/. */
async function testEntries(folder) {
  if (!existsSync(folder)) return {};
  const files = (await readdir(folder)).filter((file) => file.endsWith('.test.ts') || file === 'index.ts');
  if (existsSync(`${folder}/support/index.ts`)) files.push('support/index.ts');
  return Object.fromEntries(
    files.map((file) => [`out/${folder}/${file.replace(/\.ts$/, '')}`, `${folder}/${file}`]),
  );
}

/**
 * Copies style sheets that no script imports: webview/src/NAME/main.css becomes dist/webview/NAME.css,
 * any other sheet keeps its own name.
 */
async function copyStyles(bundled) {
  const copied = [];
  for (const folder of await foldersOf('webview/src')) {
    for (const file of await readdir(`webview/src/${folder}`)) {
      if (!file.endsWith('.css')) continue;
      const target = `dist/webview/${file === 'main.css' ? `${folder}.css` : file}`;
      if (bundled.includes(target)) continue;
      await mkdir('dist/webview', { recursive: true });
      await copyFile(`webview/src/${folder}/${file}`, target);
      copied.push(target);
    }
  }
  return copied;
}

async function copyAssets() {
  await mkdir('dist', { recursive: true });
  for (const [target, source] of Object.entries(assets)) await copyFile(source, target);
  return Object.keys(assets);
}

async function foldersOf(folder) {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** Removes files of earlier builds, so that nothing outdated is tested or packaged. */
async function removeStale(folder, written) {
  if (!existsSync(folder)) return;
  const current = new Set(written);
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const file = path.posix.join((entry.parentPath ?? entry.path).split(path.sep).join('/'), entry.name);
    if (entry.isFile() && !current.has(file)) await rm(file);
  }
}

function reportSizes(metafile) {
  for (const [file, { bytes, entryPoint }] of Object.entries(metafile.outputs)) {
    if (entryPoint && file.startsWith('dist/'))
      console.log(`${(bytes / 1024).toFixed(0).padStart(6)} KB  ${file}`);
  }
}

function readFlags(known) {
  const given = process.argv.slice(2);
  const unknown = given.find((flag) => !known.includes(flag));
  if (unknown !== undefined) {
    console.error(`Unknown flag ${unknown}. Known: ${known.join(' ')}.`);
    process.exit(2);
  }
  return new Set(given);
}
