// Times parse and findings after one keystroke in a long training script, incrementally as the editor does it, and checks
// now and then that the state equals a fresh parse: `node bench/script-latency.mjs [lines] [edits]`. Prints p50, p95 and
// the maximum in milliseconds, of typing only and of all random edits; the budget is p95 ≤ 30 ms for typing. Exit code 1
// when it is missed or a state differs.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const BUDGET = 30;
/** A fresh analysis for comparison after so many edits. */
const CHECK_EVERY = 250;

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const lines = Number(process.argv[2] ?? 2000);
const edits = Number(process.argv[3] ?? 10_000);

const { analyzeScript, PythonParser, longScript } = bundled();
const asset = (name) => new Uint8Array(readFileSync(require.resolve(name)));
const parser = await PythonParser.load({
  runtime: asset('web-tree-sitter/web-tree-sitter.wasm'),
  grammar: asset('tree-sitter-python/tree-sitter-python.wasm'),
});

let seed = 1;
const draw = (below) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
};

const original = longScript(lines);
/** Processor time of each analysis, for machines that do other things as well. */
const computing = [];
let text = original;
let script = analyzeScript(parser, 'train.py', text);
console.log(
  `${original.split('\n').length} lines, ${original.length} characters, ${script.findings.length} findings`,
);

// Typing: a statement is written letter by letter inside a function, then taken back.
const typing = [];
const place = original.indexOf('\n', Math.floor(original.length * 0.5));
const written = '\n    extra = model.eval()';
for (let round = 0; round < 6; round++) {
  for (let at = 1; at <= written.length; at++)
    typing.push(after(original.slice(0, place) + written.slice(0, at) + original.slice(place)));
  after(original);
}
report('typing', typing);
report('typing, processor time', computing.splice(0));

const fragments = [
  '(',
  ')',
  '"',
  "'''",
  '\n',
  '    ',
  '\t',
  ':',
  '#',
  'x',
  'def f(',
  'model.eval()\n',
  'é',
  '😀',
  '\r\n',
  '[',
  ',',
];
const random = [];
let different = 0;
for (let done = 1; done <= edits; done++) {
  random.push(after(edited(text)));
  if (done % CHECK_EVERY !== 0) continue;
  const fresh = analyzeScript(parser, 'train.py', text);
  if (stateOf(fresh) !== stateOf(script)) different++;
  fresh.parsed.dispose();
  // From time to time back to a script that parses, or all the rest is measured on rubble.
  if (done % (4 * CHECK_EVERY) === 0) after(original);
}
report(`${edits} random edits`, random);
report('the same, processor time', computing);
console.log(`states that differ from a fresh parse: ${different}`);
process.exitCode = different > 0 || quantile(typing, 0.95) > BUDGET ? 1 : 0;

function after(next) {
  text = next;
  const start = performance.now();
  const used = process.cpuUsage();
  script = analyzeScript(parser, 'train.py', next, {}, script);
  const { user, system } = process.cpuUsage(used);
  computing.push((user + system) / 1000);
  return performance.now() - start;
}

function edited(before) {
  const at = draw(before.length + 1);
  const removed = draw(3) === 0 ? draw(40) : draw(2);
  return before.slice(0, at) + (fragments[draw(fragments.length + 4)] ?? '') + before.slice(at + removed);
}

function stateOf({ parsed, findings }) {
  return JSON.stringify([parsed.module, findings.map(({ finding, rule }) => [rule.code, finding])]);
}

function quantile(values, share) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function report(name, values) {
  const [half, most, maximum] = [0.5, 0.95, 1].map((share) => quantile(values, share).toFixed(1));
  console.log(`${name}: p50 ${half} ms, p95 ${most} ms, maximum ${maximum} ms`);
}

function bundled() {
  const built = buildSync({
    stdin: {
      contents: `export { analyzeScript } from './server/src/rules/script/analyze';
        export { PythonParser } from './server/src/script/parser';
        export { longScript } from './test/fixtures/long-script';`,
      resolveDir: root,
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    alias: { 'web-tree-sitter': path.join(root, 'node_modules/web-tree-sitter/web-tree-sitter.cjs') },
    write: false,
  });
  const module = { exports: {} };
  new Function('module', 'exports', 'require', '__dirname', '__filename', built.outputFiles[0].text)(
    module,
    module.exports,
    require,
    root,
    root,
  );
  return module.exports;
}
