// Writes the documentation pages that are generated from typed tables. `npm run docs`.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const built = buildSync({
  entryPoints: [path.join(root, 'server/src/rules/docs.ts')],
  bundle: true,
  platform: 'node',
  format: 'cjs',
  mainFields: ['module', 'main'],
  write: false,
});
const module = { exports: {} };
new Function('module', 'exports', 'require', built.outputFiles[0].text)(
  module,
  module.exports,
  createRequire(import.meta.url),
);
writeFileSync(path.join(root, 'docs/findings.md'), module.exports.findingsPage());
console.log('docs/findings.md written');
