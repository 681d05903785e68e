// `npm run bench` lists the measurements; `npm run bench -- NAME …` runs one. They are no tests: figures depend on the
// machine, and a quiet one tells more.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(here);

/** Name, file, what it measures; `.ts` files run through vite-node, the others want a build. */
const benches = [
  [
    'peers',
    'peers.mjs',
    "against onnxruntime's Python tools and physical limits (--write: docs/benchmarks.md)",
  ],
  ['kernels', 'weight-error.ts', 'weight-error kernels: parameters per second; MODEL … for real files'],
  ['formats', 'formats.ts', 'weight error of 10 M parameters in every format'],
  ['calibration', 'calibration.mjs', 'calibration against plain runs: time and memory per estimator'],
  [
    'sensitivity',
    'sensitivity.mjs',
    'local errors and output effects of all layers against one session per layer',
  ],
  ['budgets', 'budgets.mjs', 'what a user waits for: inspect of 1.5 GB, weights of the demo'],
  ['latency', 'lsp-latency.mjs', 'hover and lenses on 1,700 layers while jobs run'],
  ['scripts', 'script-latency.mjs', 'a keystroke in a Python script of LINES lines, EDITS times'],
].filter(([, file]) => existsSync(path.join(here, file)));

const [name, ...args] = process.argv.slice(2);
const chosen = benches.find(([one]) => one === name);
if (chosen === undefined) {
  console.log('npm run bench -- NAME [options]; build first: npm run build -- --production\n');
  for (const [one, , what] of benches) console.log(`  ${one.padEnd(12)} ${what}`);
  process.exitCode = name === undefined ? 0 : 2;
} else {
  const file = path.join(here, chosen[1]);
  const program = file.endsWith('.ts') ? [path.join(root, 'node_modules/vite-node/vite-node.mjs')] : [];
  const { status } = spawnSync(process.execPath, [...program, file, ...args], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
