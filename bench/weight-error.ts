/**
 * Times the weight-error kernels: `npx vite-node bench/weight-error.ts [MODEL …]`. Prints parameters and evaluations per
 * second of processor time per layout and format set, the best of several runs, and the memory that the kernels hold;
 * of models, the same over all their layers, with and without reading the file.
 */
import { isWeightFile, openWeights } from '../server/src/engine/graph/from-weights';
import { listLayers } from '../server/src/engine/graph/layers';
import { openModel } from '../server/src/engine/graph/open';
import { loadKernels } from '../server/src/engine/numerics/kernels/module';
import { createRandom, normalArray } from '../server/src/engine/numerics/random';
import { weightErrors } from '../server/src/engine/numerics/weight-error';
import { standardWeightFormats } from '../server/src/protocol/reports';

const RUNS = 5;
const SIDE = 4096;

const scopes = ['tensor', 'channel', 'group128'];
const sets: Readonly<Record<string, readonly string[]>> = {
  'int8.channel': ['int8.channel'],
  'int8.tensor': ['int8.tensor'],
  standard: standardWeightFormats,
  'bits 2–8 × tensor, channel, group128': [2, 3, 4, 5, 6, 7, 8].flatMap((bits) =>
    scopes.map((scope) => `int${bits}.${scope}`),
  ),
};

const layouts: readonly (readonly [name: string, shape: readonly number[], axis: number])[] = [
  ['Gemm (N, K), axis 0', [SIDE, SIDE], 0],
  ['MatMul (K, N), last axis', [SIDE, SIDE], 1],
  ['Conv (2048, 512, 3, 3), axis 0', [2048, 512, 3, 3], 0],
  ['ConvTranspose (512, 2048, 4, 4), axis 1', [512, 2048, 4, 4], 1],
];

const random = createRandom(1);
const data = normalArray(random, SIDE * SIDE);

for (const [layout, shape, axis] of layouts) {
  const count = shape.reduce((total, dimension) => total * dimension, 1);
  const weight = data.subarray(0, count);
  for (const [set, formats] of Object.entries(sets)) {
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run < RUNS; run++) {
      const start = process.cpuUsage();
      weightErrors(weight, shape, axis, formats);
      const { user, system } = process.cpuUsage(start);
      best = Math.min(best, (user + system) / 1e3);
    }
    const rate = count / best / 1e3;
    const evaluations = (rate * formats.length) / 1e3;
    console.log(
      `${layout} | ${set}: ${best.toFixed(1)} ms, ${rate.toFixed(0)} M params/s, ${evaluations.toFixed(2)} G evals/s`,
    );
  }
}

for (const path of process.argv.slice(2)) {
  const opened = (isWeightFile(path) ? openWeights(path) : openModel(path)).value;
  if (opened === undefined) throw new Error(`${path} does not open`);
  const layers = listLayers(opened.model).filter(({ quantized }) => !quantized);
  const count = layers.reduce((total, { params }) => total + params, 0);
  const formats = sets['bits 2–8 × tensor, channel, group128'] ?? [];
  let [measured, whole] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let run = 0; run < RUNS; run++) {
    let [reading, measuring] = [0, 0];
    for (const { tensor, shape, channelAxis } of layers) {
      const start = process.cpuUsage();
      const weight = tensor.toFloat32().value ?? new Float32Array();
      const read = process.cpuUsage(start);
      weightErrors(weight, shape, channelAxis, formats);
      const all = process.cpuUsage(start);
      reading += (read.user + read.system) / 1e3;
      measuring += (all.user + all.system - read.user - read.system) / 1e3;
    }
    measured = Math.min(measured, measuring);
    whole = Math.min(whole, reading + measuring);
  }
  opened.close();
  const rates = [measured, whole].map((time) => `${(count / time / 1e3).toFixed(0)} M params/s`);
  console.log(
    `${path}: ${layers.length} layers, ${(count / 1e6).toFixed(2)} M, bits 2–8 × tensor, channel, group128: ${measured.toFixed(1)} ms, ${rates[0]}; with reading ${rates[1]}`,
  );
}
const bytes = loadKernels()?.memory.buffer.byteLength ?? 0;
console.log(`kernel memory ${(bytes / 2 ** 20).toFixed(1)} MB`);
