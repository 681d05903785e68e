// Writes what is generated from the rules: documentation pages, and the settings of package.json. `npm run docs`.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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
for (const [name, text] of Object.entries(module.exports.findingPages())) {
  const file = path.join(root, 'docs', name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(`docs/${name} written`);
}

const { severity, thresholds, words } = module.exports.manifestSettings();
edit('package.json', (manifest) => {
  const { properties } = manifest.contributes.configuration;
  properties['quantlens.severity'].properties = severity;
  properties['quantlens.thresholds'].properties = thresholds;
});
edit('package.nls.json', (texts) => {
  const own = /^setting\.(severity|thresholds)\./;
  const entries = Object.entries(texts).filter(([key]) => !own.test(key));
  for (const group of ['severity', 'thresholds']) {
    const at = entries.findIndex(([key]) => key === `setting.${group}`) + 1;
    entries.splice(at, 0, ...Object.entries(words).filter(([key]) => key.startsWith(`setting.${group}.`)));
  }
  return Object.fromEntries(entries);
});

// The editor completes and explains by the schema; what is wrong the server says, once and with suggestions.
const checked = JSON.parse(readFileSync(path.join(root, 'schemas/quant.schema.json'), 'utf8'));
const completing = `${JSON.stringify(module.exports.withoutChecks(checked), null, 2)}\n`;
writeFileSync(path.join(root, 'schemas/quant.completion.json'), completing);
// In the layout that the formatter wants.
execFileSync(path.join(root, 'node_modules/.bin/biome'), ['format', '--write', 'schemas'], { cwd: root });
console.log('schemas/quant.completion.json written');

/** Changes a JSON file; `change` edits the data or returns new data. */
function edit(name, change) {
  const file = path.join(root, name);
  const data = JSON.parse(readFileSync(file, 'utf8'));
  const after = change(data) ?? data;
  writeFileSync(file, `${JSON.stringify(after, null, 2)}\n`);
  console.log(`${name} settings written`);
}
