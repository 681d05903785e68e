// Measures this project against onnxruntime's Python quantization tools and against physical limits, in one run, on the
// same inputs and number of threads: npm run build -- --production && node bench/peers.mjs [options]
//   --model M.onnx --data D   a float model and its data (.npy, or a folder of images with --resize and --crop); repeatable,
//                             each --model starts a group. `resnet20` and `resnet50`, the default, are networks of
//                             that shape with seeded weights, made here with noise as data
//   --mean x,… --std x,… --scale x --resize n --crop n    preprocessing of the model before
//   --python PATH             an interpreter that has onnx and onnxruntime; default: a throw-away environment by pip
//   --cli PATH                default dist/cli.js
//   --threads N               default 1
//   --quick                   fewest samples, one run each
//   --write                   writes docs/benchmarks.md; without it only prints
//   --pieces FILE             adds the models of this run to those of earlier ones, for a machine that is never quiet for long
// Times are of whole processes, the best of two to five; memory is of all processes that a command starts.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { imagesToNpy, openNpy, writeNpy } from './lib/arrays.mjs';
import { residualNetwork, shapes } from './lib/models.mjs';
import { bestOf, measured } from './lib/processes.mjs';
import { normals } from './lib/random.mjs';
import { summary, writePage } from './lib/report.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(here);
/** Elements of a sample up to which a tool takes 32 samples at once; 8 beyond. */
const SMALL_SAMPLE = 16_384;
/** A task that takes longer is reported as such. */
const LIMIT_SECONDS = 600;
/** Python keeps every activation of every sample: what must be free before it is asked to. */
const ROOM = 3;

const { values: flags, tokens } = parseArgs({
  tokens: true,
  options: {
    model: { type: 'string', multiple: true },
    data: { type: 'string', multiple: true },
    mean: { type: 'string', multiple: true },
    std: { type: 'string', multiple: true },
    scale: { type: 'string', multiple: true },
    resize: { type: 'string', multiple: true },
    crop: { type: 'string', multiple: true },
    python: { type: 'string' },
    cli: { type: 'string', default: path.join(root, 'dist/cli.js') },
    threads: { type: 'string', default: '1' },
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    pieces: { type: 'string' },
  },
});
const threads = Number(flags.threads);
const cli = path.resolve(flags.cli);
const runs = flags.quick ? 1 : 2;

if (!existsSync(cli)) throw new Error(`${cli} is missing: npm run build -- --production`);
const folder = mkdtempSync(path.join(os.tmpdir(), 'quantlens-peers-'));
try {
  const python = preparePython();
  const load = os.loadavg()[0];
  const result = {
    machine: machine(),
    threads,
    quick: flags.quick,
    load: [load],
    models: [],
    start: await starts(python),
  };
  for (const model of await models()) {
    console.error(`${model.name}: ${model.counts.join(', ')} samples`);
    result.models.push(await measureModel(model, python));
  }
  result.load.push(os.loadavg()[0]);
  result.machine.python = result.start.version ?? null;
  if (flags.pieces !== undefined) addPieces(result, flags.pieces);
  console.log(summary(result));
  if (flags.write) {
    writePage(path.join(root, 'docs/benchmarks.md'), result);
    console.error('wrote docs/benchmarks.md');
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Puts what earlier runs measured before what this one did, and keeps all for the next. */
function addPieces(result, file) {
  if (existsSync(file)) {
    const earlier = JSON.parse(readFileSync(file, 'utf8'));
    result.models.unshift(...earlier.models);
    result.load.unshift(...earlier.load);
  }
  writeFileSync(file, JSON.stringify(result));
}

/** Path of an interpreter with the tools; undefined when there is none, which is said. */
function preparePython() {
  const has = (python) =>
    spawnSync(python, ['-c', 'import onnx, onnxruntime.quantization'], { stdio: 'ignore' }).status === 0;
  if (flags.python !== undefined) {
    if (has(flags.python)) return flags.python;
    throw new Error(`${flags.python} cannot import onnx and onnxruntime.quantization`);
  }
  const environment = path.join(folder, 'python');
  const { version } = JSON.parse(
    readFileSync(path.join(root, 'node_modules/onnxruntime-node/package.json'), 'utf8'),
  );
  const made = ['python3', 'python'].some(
    (name) => spawnSync(name, ['-m', 'venv', environment], { stdio: 'ignore' }).status === 0,
  );
  const own = [path.join(environment, 'bin/python'), path.join(environment, 'Scripts/python.exe')].find(
    existsSync,
  );
  if (made && own !== undefined) {
    console.error(`installing onnx and onnxruntime ${version} into a throw-away environment`);
    for (const wanted of [`onnxruntime==${version}`, 'onnxruntime']) {
      spawnSync(own, ['-m', 'pip', 'install', '--quiet', 'onnx', wanted], {
        stdio: 'ignore',
        timeout: 600_000,
      });
      if (has(own)) return own;
    }
  }
  console.error(
    made
      ? 'pip could not install onnx and onnxruntime: no peers, physical limits only. --python names an interpreter that has them.'
      : 'no Python here: no peers, physical limits only.',
  );
  return undefined;
}

function machine() {
  const [cpu] = os.cpus();
  const { version } = JSON.parse(
    readFileSync(path.join(root, 'node_modules/onnxruntime-node/package.json'), 'utf8'),
  );
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: os.availableParallelism(),
    gigabytes: Math.round(os.totalmem() / 2 ** 30),
    node: process.versions.node,
    onnxruntime: version,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** What starting alone costs: it is part of every figure. */
async function starts(python) {
  const ours = await bestOf(3, process.execPath, [cli, '--version']);
  if (python === undefined) return { ours: pick(ours) };
  const theirs = await bestOf(3, python, [
    path.join(here, 'peers.py'),
    JSON.stringify({ task: 'nothing', threads }),
  ]);
  return { ours: pick(ours), theirs: pick(theirs), version: JSON.parse(theirs.stdout).version };
}

/** The models to measure, in files of the temporary folder where they are made here. */
async function models() {
  if (flags.model === undefined) return Promise.all([generated('resnet20'), generated('resnet50')]);
  const groups = [];
  for (const { kind, name, value } of tokens) {
    if (kind !== 'option') continue;
    if (name === 'model') groups.push({ model: value });
    else if (groups.length > 0) groups.at(-1)[name] = value;
  }
  return Promise.all(
    groups.map((group) => (Object.hasOwn(shapes, group.model) ? generated(group.model) : given(group))),
  );
}

/** Samples per run; few of large ones, since Python keeps all of their activations. */
function countsFor(elements) {
  return elements <= SMALL_SAMPLE ? [32, 64, 128] : [8, 32];
}

async function generated(name) {
  const { size } = shapes[name];
  const counts = countsFor(3 * size * size);
  const model = path.join(folder, `${name}.onnx`);
  writeFileSync(model, residualNetwork(shapes[name]));
  const data = path.join(folder, `${name}.npy`);
  const most = Math.max(...counts);
  const normal = normals(2);
  const values = Float32Array.from({ length: most * 3 * size * size }, normal);
  writeNpy(data, '<f4', [most, 3, size, size], Buffer.from(values.buffer));
  return {
    name: `${name} shaped, seeded weights, normal noise`,
    model,
    data,
    counts: few(counts),
    flags: [],
    preprocessing: {},
  };
}

async function given({ model, data, mean, std, scale, resize, crop }) {
  if (data === undefined) throw new Error(`--model ${model} needs --data`);
  const numbers = (text) => text?.split(',').map(Number);
  const preprocessing = {
    mean: numbers(mean),
    std: numbers(std),
    scale: scale === undefined ? undefined : Number(scale),
  };
  const options = Object.entries({ mean, std, scale }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
  let file = data;
  if (statSync(data).isDirectory()) {
    file = path.join(folder, `${path.basename(model)}.npy`);
    await imagesToNpy(data, file, { resize: Number(resize ?? 256), crop: Number(crop ?? 224), count: 128 });
  }
  const opened = openNpy(file, preprocessing);
  opened.close();
  const counts = countsFor(opened.row);
  return {
    name: path.basename(model),
    model,
    data: file,
    counts: few(counts.filter((count) => count <= opened.samples)),
    flags: options,
    preprocessing,
  };
}

function few(counts) {
  return flags.quick ? counts.slice(0, 1) : counts;
}

async function measureModel({ name, model, data, counts, flags: options, preprocessing }, python) {
  const opened = openNpy(data, preprocessing);
  opened.close();
  const batch = opened.row <= SMALL_SAMPLE ? 32 : 8;
  const common = { model, data, preprocessing, batch, threads };
  const inspected = JSON.parse((await measured(process.execPath, [cli, 'inspect', model, '--json'])).stdout);
  const output = { ours: path.join(folder, 'ours.onnx'), theirs: path.join(folder, 'theirs.onnx') };
  const tasks = [];
  const ours = (args) =>
    bestOf(runs, process.execPath, [cli, ...args, '--quiet', '--threads', `${threads}`], {
      limit: LIMIT_SECONDS,
    });
  const theirs = (job) =>
    bestOf(runs, python, [path.join(here, 'peers.py'), JSON.stringify({ ...common, ...job })], {
      limit: LIMIT_SECONDS,
    });
  const compare = async (task, samples, own, peer) => {
    console.error(`  ${task}${samples === null ? '' : `, ${samples} samples`}`);
    const mine = await attempt(own);
    const other = python === undefined ? undefined : await attempt(peer);
    tasks.push({ task, samples, ours: mine, theirs: other });
  };
  const most = counts.at(-1);
  const some = Math.min(32, most);
  const fed = (samples) => ['--data', data, '--samples', `${samples}`, ...options];

  await compare(
    'int8 end to end (ours also verifies the file and times both)',
    some,
    () => ours(['quantize', model, '--scheme', 'w8a8', ...fed(some), '-o', output.ours]),
    () => theirs({ task: 'quantize', samples: some, output: output.theirs }),
  );
  const quantized = existsSync(output.theirs) ? output.theirs : output.ours;
  await compare(
    'weight SQNR of all layers (ours 10 formats, theirs 1)',
    null,
    () => ours(['analyze', model]),
    () => theirs({ task: 'weights', samples: 1, quantized }),
  );
  await compare(
    'activation debug of a quantized file, cumulative errors alone',
    some,
    () => ours(['compare', model, quantized, '--metric', 'cumulative', ...fed(some)]),
    () => theirs({ task: 'activations', samples: some, quantized }),
  );
  await compare(
    'the same, everything (ours local, weights only, activations only and cumulative, codes, weights, deployed output; theirs cumulative)',
    some,
    () => ours(['compare', model, quantized, '--no-gains', ...fed(some)]),
    () => theirs({ task: 'activations', samples: some, quantized }),
  );
  let perSample = 0;
  for (const estimator of ['min-max', 'percentile', 'entropy']) {
    for (const samples of counts) {
      const ranges = path.join(folder, `${estimator}-${samples}.json`);
      const room = os.freemem() / 2 ** 20;
      const fits = estimator === 'min-max' || perSample * samples * ROOM < room;
      await compare(
        `calibration, ${estimator}`,
        samples,
        () => ours(['calibrate', model, ...fed(samples), '--estimator', estimator, '-o', ranges]),
        fits
          ? () => theirs({ task: 'calibrate', estimator, samples })
          : () =>
              Promise.reject(
                new Error(`not run: would need more than the free ${Math.round(room / 1024)} GB`),
              ),
      );
      const used = tasks.at(-1).theirs?.megabytes;
      if (estimator !== 'min-max' && used) perSample = used / samples;
    }
  }
  return {
    name,
    params: inspected.model.params,
    bytes: inspected.model.bytes,
    batch,
    tasks,
    limits: await limits(common, counts),
  };
}

/** Copying the weights once, and plain runs of the float model over the samples. */
async function limits(common, counts) {
  const bytes = readFileSync(common.model);
  const target = Buffer.alloc(bytes.length);
  let copy = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 9; run++) {
    const began = performance.now();
    target.set(bytes);
    copy = Math.min(copy, (performance.now() - began) / 1000);
  }
  const forwards = [];
  for (const samples of counts) {
    const args = [path.join(here, 'forward.mjs'), JSON.stringify({ ...common, samples })];
    const one = await bestOf(runs, process.execPath, args);
    forwards.push({ samples, ...pick(one), inner: JSON.parse(one.stdout).seconds });
  }
  return { copy, bytes: bytes.length, forwards };
}

async function attempt(run) {
  try {
    return pick(await run());
  } catch (error) {
    return { failed: error.message };
  }
}

function pick({ seconds, processor, megabytes }) {
  return { seconds, processor, megabytes };
}
