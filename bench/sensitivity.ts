/**
 * What it costs to know every layer's error, in forwards of the float network on the same samples; run by
 * `sensitivity.mjs`. Processor time of one native thread, so that other programs on the machine count little.
 *
 *   local sweep     all layers, every figure, in one session (analysis/local-sweep.ts)
 *   by segments     output effect of all layers (analysis/output-effect.ts)
 *   plain           output effect, one optimised session per layer on the whole network, samples and float outputs kept
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { batchSizeFor } from '../server/src/engine/analysis/batch-size';
import { localSweep } from '../server/src/engine/analysis/local-sweep';
import {
  type OpenSession,
  type OutputEffect,
  outputEffects,
} from '../server/src/engine/analysis/output-effect';
import { ShadowFigures } from '../server/src/engine/analysis/run-shadow';
import { variantsOf } from '../server/src/engine/analysis/variants';
import { defined } from '../server/src/engine/base/invariant';
import type { Outcome } from '../server/src/engine/base/outcome';
import { encodeModelBytes } from '../server/src/engine/format/onnx-encode';
import type { ModelProto } from '../server/src/engine/format/onnx-types';
import type { Model } from '../server/src/engine/graph/ir';
import { rangesOf } from '../server/src/engine/handlers/calibrate';
import { cutLayers, runSizeFor } from '../server/src/engine/handlers/measure';
import { type PreparedModel, prepare } from '../server/src/engine/handlers/open';
import { floatBeside, needsRanges, plannedPairs, prepareScheme } from '../server/src/engine/handlers/schemes';
import { sqnr } from '../server/src/engine/numerics/metrics';
import { type FeedBatch, type Feeds, openFeeds } from '../server/src/engine/runtime/feeds';
import type { InputTensors, RuntimeTensor, Session } from '../server/src/engine/runtime/ort';
import { openSession } from '../server/src/engine/runtime/session-model';
import type { DataSpec } from '../server/src/protocol/reports';
import { denseNet, encoderNet, plainNet } from '../test/fixtures/net-shapes';
import { residualNet, resNet50 } from '../test/fixtures/residual-nets';

const SAMPLES = 8;

/** Networks made here, by the name that asks for them. */
const made: Readonly<Record<string, () => ModelProto>> = {
  'ResNet-50': () => residualNet(resNet50),
  'VGG-16': () => {
    const stages = [
      [64, 2],
      [128, 2],
      [256, 3],
      [512, 3],
      [512, 3],
    ] as const;
    return plainNet(stages, 224, 4096, 1000);
  },
  'DenseNet-121': () => denseNet([6, 12, 24, 16], 32, 224, 1000),
  encoder: () => encoderNet(12, 384, 197, 6),
};

void main();

async function main(): Promise<void> {
  const [folder = '.', ...rest] = process.argv.slice(2);
  for (const name of rest.length === 0 ? ['ResNet-50'] : rest.filter((one) => made[one])) {
    const file = path.join(folder, `${name}.onnx`);
    fs.writeFileSync(file, defined(encodeModelBytes(defined(made[name], name)()).value, 'encoded network'));
    await measure(`${name}-shaped network`, file, 'random');
    fs.rmSync(file);
  }
  const given = rest.filter((one) => !made[one]);
  for (let at = 0; at + 1 < given.length; at += 2) {
    await measure(path.basename(given[at] ?? ''), given[at] ?? '', given[at + 1] ?? '');
  }
}

async function measure(title: string, file: string, source: string): Promise<void> {
  const prepared = have(prepare(file));
  const images = fs.statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const data: DataSpec = {
    source,
    samples: SAMPLES,
    seed: 0,
    preprocessing: images ? imageNet : {},
    dimensions: {},
  };
  const feeds = have(await openFeeds(data, prepared.folded()));
  try {
    console.log(`\n${title}: ${SAMPLES} samples, batch ${batchSizeFor(prepared.folded(), {})}`);
    const forward = await timeForward(prepared, feeds);
    console.log(`  one forward                       ${seconds(forward)}`);
    for (const scheme of ['int8', 'w8a8']) await timeScheme(prepared, feeds, data, scheme, forward);
    console.log(
      `  peak resident memory              ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`,
    );
  } finally {
    feeds.close();
    prepared.open.close();
  }
}

const imageNet = {
  resize: 256,
  crop: 224,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

async function timeScheme(
  prepared: PreparedModel,
  feeds: Feeds,
  data: DataSpec,
  scheme: string,
  forward: number,
): Promise<void> {
  const quiet = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
  const common = { threads: 1, seed: 0, dimensions: {} };
  const ranges = needsRanges(scheme)
    ? have(await rangesOf(prepared, data, 'min-max', common, quiet))
    : undefined;
  const ready = have(prepareScheme(prepared, scheme, ranges));
  const ratio = (time: number) => `${seconds(time)}  ${(time / forward).toFixed(2)} forwards`;

  const float = floatBeside(prepared, [ready.twin]);
  const layers = plannedPairs(float, ready).length;
  let at = process.cpuUsage();
  const sweep = localSweep(float, [{ scheme, pairs: plannedPairs(float, ready) }]);
  const session = have(await open(prepared)(sweep.model, 'all'));
  const opening = since(at);
  const [comparisons = []] = sweep.comparisons;
  const figures = new ShadowFigures(comparisons);
  at = process.cpuUsage();
  await eachBatch(feeds, 2, async (batch) => figures.add(have(await session.run(batch))));
  const running = since(at);
  await session.release();
  console.log(
    `  ${scheme}: local error of ${layers} layers   ${ratio(running)}, opening ${seconds(opening)}`,
  );

  const effect = floatBeside(prepared, [ready.twin]);
  const size = batchSizeFor(effect, {});
  const runSize = runSizeFor(size);
  const kept = await readAhead(feeds, runSize);
  let estimated = 0;
  let estimates: ReadonlyMap<string, OutputEffect> = new Map();
  at = process.cpuUsage();
  const start = at;
  const found = have(
    await outputEffects({
      float: effect,
      pairs: plannedPairs(effect, ready),
      layers: cutLayers(effect, {}),
      open: open(prepared),
      feeds: kept,
      batchSize: size,
      runSize,
      seed: 0,
      effects: (effects) => {
        if (estimated > 0) return;
        estimated = since(start);
        estimates = new Map(effects);
      },
    }),
  );
  const segments = since(at);
  console.log(
    `  ${scheme}: output effects by segments ${ratio(segments)}, all estimated after ${seconds(estimated)}`,
  );

  const beside = floatBeside(prepared, [ready.twin]);
  const batches: InputTensors[] = [];
  await eachBatch(feeds, batchSizeFor(beside, {}), async (batch) => void batches.push(batch));
  at = process.cpuUsage();
  const plain = await plainEffects(prepared, beside, ready, batches);
  const naive = since(at);
  let worst = 0;
  const misses: number[] = [];
  for (const [name, db] of plain) {
    worst = Math.max(worst, Math.abs((found.get(name)?.sqnr ?? Number.NaN) - db));
    misses.push(Math.abs((estimates.get(name)?.sqnr ?? Number.NaN) - db));
  }
  misses.sort((one, other) => one - other);
  console.log(`  ${scheme}: one session per layer      ${ratio(naive)}`);
  console.log(
    `  ${scheme}: segments take ${((100 * segments) / naive).toFixed(0)} % of that; largest difference ${worst.toExponential(1)} dB; ` +
      `estimates miss by ${(misses[misses.length >> 1] ?? 0).toFixed(1)} dB in the median, ${(misses.at(-1) ?? 0).toFixed(1)} at most`,
  );
}

/** The reference: the whole network with one layer quantized, a session each, against kept float outputs. */
async function plainEffects(
  prepared: PreparedModel,
  float: Model,
  ready: Parameters<typeof plannedPairs>[1],
  batches: readonly InputTensors[],
): Promise<ReadonlyMap<string, number>> {
  const target = defined(float.graph.outputs[0], 'output');
  const exact: RuntimeTensor[] = [];
  const base = have(await open(prepared)(float, 'all'));
  for (const batch of batches) exact.push(defined(have(await base.run(batch))[target.name], 'output'));
  await base.release();
  const effects = new Map<string, number>();
  for (const pair of plannedPairs(float, ready)) {
    const { model, outputs } = variantsOf(float, [], [target], [pair]);
    const session = have(await open(prepared)(model, 'all'));
    const sums = { signal: 0, noise: 0 };
    for (const [index, batch] of batches.entries()) {
      const close = defined(have(await session.run(batch))[outputs.get(pair.name)?.[0] ?? ''], 'output');
      const one = defined(exact[index], 'float output').data;
      for (let at = 0; at < one.length; at++) {
        sums.signal += Number(one[at]) ** 2;
        sums.noise += (Number(one[at]) - Number(close.data[at])) ** 2;
      }
    }
    await session.release();
    effects.set(pair.name, sqnr(sums) ?? Number.NaN);
  }
  return effects;
}

async function timeForward(prepared: PreparedModel, feeds: Feeds): Promise<number> {
  const model = prepared.folded();
  const session = have(await open(prepared)(model, 'all'));
  let best = Number.POSITIVE_INFINITY;
  await eachBatch(feeds, batchSizeFor(model, {}), async (batch) => {
    for (let run = 0; run < 4; run++) {
      const at = process.cpuUsage();
      have(await session.run(batch));
      best = Math.min(best, since(at));
    }
  });
  await session.release();
  return best;
}

/** Batches are made before the clock matters: reading samples is not what is measured. */
async function eachBatch(
  feeds: Feeds,
  size: number,
  body: (batch: InputTensors) => Promise<void>,
): Promise<void> {
  for await (const batch of feeds.batches(size)) await body(have(batch).feeds);
}

/** The same samples, read before they are asked for in the batches that output effects ask for. */
async function readAhead(feeds: Feeds, runSize: number): Promise<Feeds> {
  const known = new Map<string, Outcome<FeedBatch>[]>();
  const read = async (size: number, start: number) => {
    const batches: Outcome<FeedBatch>[] = [];
    for await (const batch of feeds.batches(size, undefined, start)) batches.push(batch);
    known.set(`${size}-${start}`, batches);
  };
  await read(1, 0);
  if (runSize > 1) await read(runSize - 1, 1);
  await read(runSize, runSize);
  return {
    count: feeds.count,
    available: feeds.available,
    names: feeds.names,
    fingerprint: (signal, count) => feeds.fingerprint(signal, count),
    description: feeds.description,
    batches: (size, signal, start = 0) =>
      ahead(known.get(`${size}-${start}`), feeds.batches(size, signal, start)),
    close: () => feeds.close(),
  };
}

async function* ahead<T>(known: readonly T[] | undefined, otherwise: AsyncIterable<T>): AsyncGenerator<T> {
  if (known) yield* known;
  else yield* otherwise;
}

function open(prepared: PreparedModel) {
  return (model: Model, level: Parameters<OpenSession>[1]): Promise<Outcome<Session>> =>
    openSession(model, prepared.open, {
      threads: 1,
      optimization: level === 'mapped' ? 'all' : level,
      configuration: { disable_quant_qdq: '1' },
      ...(level === 'all' ? {} : { prepack: false }),
    });
}

function since(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

function seconds(time: number): string {
  return `${time.toFixed(2).padStart(6)} s`;
}

function have<T>(outcome: Outcome<T>): T {
  if (outcome.value === undefined) throw new Error(JSON.stringify(outcome.issues));
  return outcome.value;
}
