// Cost of knowing every layer's error: node bench/sensitivity.mjs [ResNet-50|VGG-16|DenseNet-121|encoder]… [MODEL.onnx DATA]…
// Bundles sensitivity.ts with the engine's own modules and runs it with one native thread. Without arguments only the
// ResNet-50-shaped network; networks named by their shape are made with seeded weights in a temporary folder.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const folder = mkdtempSync(path.join(os.tmpdir(), 'quantlens-sensitivity-'));
try {
  // The native module is found beside the bundle.
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'), 'junction');
  const outfile = path.join(folder, 'sensitivity.cjs');
  await build({
    entryPoints: [path.join(root, 'bench/sensitivity.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    // As the product's own bundles: jsonc-parser's other form asks for files beside it.
    mainFields: ['module', 'main'],
    external: ['onnxruntime-node', 'sharp'],
    logLevel: 'error',
  });
  const models = process.argv.slice(2).map((name) => (existsSync(name) ? path.resolve(name) : name));
  const run = spawnSync(process.execPath, ['--expose-gc', outfile, folder, ...models], { stdio: 'inherit' });
  process.exitCode = run.status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
