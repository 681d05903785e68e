// Calibration against plain inference on the same samples, in the same run: time, processor time and peak memory of
// each estimator as a multiple of plain inference at the batch size that the calibration chose. Every measurement is a
// process of its own, started as the product starts its children; repetitions take turns, the least of each counts.
// Where the machine has other work, only the ratio of processor times says something.
// Usage: node bench/calibration.mjs MODEL DATA [--samples 128] [--repeat 5] [--estimators a,b] [--mean …] [--std …]
//   [--scale …] [--resize N] [--crop N] [--threads 1]
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as esbuild from 'esbuild';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const ALL = 'min-max,moving-average,percentile,mse,lp,entropy,aciq,power-of-two,cosine';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: Object.fromEntries(
    ['samples', 'repeat', 'estimators', 'mean', 'std', 'scale', 'resize', 'crop', 'threads'].map((name) => [
      name,
      { type: 'string' },
    ]),
  ),
});
const [model, source] = positionals.map((file) => path.resolve(file));
if (model === undefined || source === undefined) {
  console.error('Usage: node bench/calibration.mjs MODEL DATA [--samples 128] [--repeat 5] …');
  process.exit(2);
}
const samples = Number(values.samples ?? 128);
const repeat = Number(values.repeat ?? 5);
const numbers = (text) => text?.split(',').map(Number);
const preprocessing = Object.fromEntries(
  Object.entries({
    scale: values.scale === undefined ? undefined : Number(values.scale),
    mean: numbers(values.mean),
    std: numbers(values.std),
    resize: values.resize === undefined ? undefined : Number(values.resize),
    crop: values.crop === undefined ? undefined : Number(values.crop),
  }).filter(([, value]) => value !== undefined),
);

const child = path.join(root, 'out/bench/calibration-child.cjs');
const built = await esbuild.build({
  entryPoints: [
    path.join(root, 'bench/calibration-child.ts'),
    path.join(root, 'server/src/engine/runtime/early-child.ts'),
  ],
  outdir: path.dirname(child),
  outbase: root,
  entryNames: '[name]',
  outExtension: { '.js': '.cjs' },
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  external: ['onnxruntime-node', 'sharp'],
  mainFields: ['module', 'main'],
  logLevel: 'warning',
});
if (built.errors.length > 0) process.exit(1);
const { allocation, youngSpace } = (await import(path.join(path.dirname(child), 'early-child.cjs'))).default;

const estimators = (values.estimators ?? ALL).split(',');
const first = new Map(estimators.map((estimator) => [estimator, measure(estimator, 1)]));
const batches = [...new Set([...first.values()].map(({ batch }) => batch))];
const results = new Map();
for (let turn = 0; turn < repeat; turn++) {
  for (const batch of batches) keep(`plain ${batch}`, measure('plain', batch));
  for (const estimator of estimators) keep(estimator, measure(estimator, 1));
}

console.log(
  `${path.basename(model)}, ${samples} samples; ${os.cpus()[0]?.model ?? 'CPU'}, Node ${process.versions.node}; least of ${repeat}; load ${os.loadavg()[0].toFixed(1)}`,
);
console.log(
  '| | batch | job s | processor s | process s | peak MB | job, ratio | processor, ratio | process, ratio | memory, ratio |',
);
console.log('|---|---|---|---|---|---|---|---|---|---|');
for (const batch of batches) console.log(row(`plain ${batch}`, batch));
for (const estimator of estimators) {
  const { batch } = first.get(estimator);
  console.log(row(estimator, batch, results.get(`plain ${batch}`)));
}

function row(name, batch, plain) {
  const found = results.get(name);
  const figures = [found.seconds, found.processor, found.whole].map((one) => one.toFixed(3));
  const of = (key) => (plain ? `${(found[key] / plain[key]).toFixed(2)} ×` : '');
  const ratios = [of('seconds'), of('processor'), of('whole'), of('megabytes')];
  return `| ${[name, batch, ...figures, found.megabytes.toFixed(0), ...ratios].join(' | ')} |`;
}

/** Keeps the least time of each kind, and the largest memory. */
function keep(name, found) {
  const known = results.get(name) ?? found;
  results.set(name, {
    seconds: Math.min(known.seconds, found.seconds),
    processor: Math.min(known.processor, found.processor),
    whole: Math.min(known.whole, found.whole),
    megabytes: Math.max(known.megabytes, found.megabytes),
  });
}

/** `whole` is the time from the start of the process to its end, library and bundle included. */
function measure(what, batch) {
  const data = { source, samples, seed: 0, preprocessing, dimensions: {} };
  const asked = { what, model, data, threads: Number(values.threads ?? 1), batch };
  const began = performance.now();
  const run = spawnSync(process.execPath, [youngSpace, child, JSON.stringify(asked)], {
    encoding: 'utf8',
    env: { ...allocation, ...process.env },
  });
  if (run.status !== 0) throw new Error(`${what}: ${run.stderr}`);
  return { ...JSON.parse(run.stdout), whole: (performance.now() - began) / 1000 };
}
