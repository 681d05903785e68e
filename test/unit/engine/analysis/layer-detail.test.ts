/**
 * One layer before and after: against the definition on whole arrays, whatever the split; and the job on files, whose
 * weight follows from the rule of int8 and whose output from running both networks with the tensor exposed.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  DETAIL_CHANNELS,
  layerDetail,
  TensorPair,
} from '../../../../server/src/engine/analysis/layer-detail';
import { encodeModelBytes } from '../../../../server/src/engine/format/onnx-encode';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import type { Model } from '../../../../server/src/engine/graph/ir';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { toOnnx } from '../../../../server/src/engine/graph/to-onnx';
import { layerDetailHandler } from '../../../../server/src/engine/handlers/layer-detail';
import type { LayerDetailJob } from '../../../../server/src/engine/jobs';
import type { Progress } from '../../../../server/src/protocol/progress';
import type { LayerDetail } from '../../../../server/src/protocol/reports';
import { convNet, matmulNet, normalValues } from '../../../fixtures/build';
import { type Feeds, quantized, run } from '../../../fixtures/quantize';
import { sqnr } from '../../../fixtures/run-graph';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantlens-detail-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);

describe('TensorPair', () => {
  /** Channel-major parts of `rows` values per channel, in splits of whole rounds. */
  const pairOf = (
    channels: number,
    parts: readonly (readonly [Float32Array, Float32Array])[],
    inner: number,
  ) => {
    const pair = new TensorPair(channels);
    for (const [exact, close] of parts) pair.observe(exact, close, inner);
    return pair;
  };

  it('counts every finite value once in equal bins', () => {
    const exact = Float32Array.of(-1, -0.5, 0, 0, 0.25, 1, Number.NaN, Number.POSITIVE_INFINITY);
    const close = Float32Array.of(-1, -1, 0, 0, 0, 1, 0, 0);
    const histogram = pairOf(1, [[exact, close]], 8).histogram(4);
    expect(histogram).toEqual({ min: -1, max: 1, float: [1, 1, 3, 1], quantized: [2, 0, 5, 1] });
  });

  it('has no distribution without finite values', () => {
    const nothing = Float32Array.of(Number.NaN);
    const pair = pairOf(1, [[nothing, nothing]], 1);
    expect(pair.histogram()).toBeUndefined();
    expect([pair.sqnr(0), pair.range(0)]).toEqual([null, [0, 0]]);
  });

  it('is the same for any split of the data', () => {
    const values = fc.array(fc.float({ min: -100, max: 100, noNaN: true }), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(values, values, fc.integer({ min: 0, max: 2 }), (left, right, cut) => {
        const [exact, close] = [Float32Array.from(left), Float32Array.from(right)];
        // Two channels of two values: a round is four.
        const whole = pairOf(2, [[exact, close]], 2);
        const at = 4 * (cut + 1);
        const split = pairOf(
          2,
          [
            [exact.subarray(0, at), close.subarray(0, at)],
            [exact.subarray(at), close.subarray(at)],
          ],
          2,
        );
        expect(split.histogram()).toEqual(whole.histogram());
        for (const channel of [0, 1]) {
          expect(split.range(channel)).toEqual(whole.range(channel));
          const [one, other] = [split.sqnr(channel), whole.sqnr(channel)];
          if (one !== null && other !== null) expect(one).toBeCloseTo(other, 9);
          else expect(one).toBe(other);
        }
        expect(total(whole.histogram()?.float ?? [])).toBe(12);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('lists the worst channels first, by the output where it is known', () => {
    const channels = 40;
    const exact = new Float32Array(channels).fill(1);
    const weight = pairOf(channels, [[exact, exact.map((_, at) => 1 + 0.001 * (at + 1))]], 1);
    const output = pairOf(channels, [[exact, exact.map((_, at) => 1 + 0.001 * (channels - at))]], 1);
    const byWeight = layerDetail('layer', weight, undefined).channels;
    expect(byWeight.slice(0, 3).map(({ channel }) => channel)).toEqual([39, 38, 37]);
    const byOutput = layerDetail('layer', weight, output).channels;
    expect(byOutput).toHaveLength(DETAIL_CHANNELS);
    expect(byOutput.slice(0, 3).map(({ channel }) => channel)).toEqual([0, 1, 2]);
    expect(byOutput[0]?.outputSqnr).toBeCloseTo(-20 * Math.log10(0.04), 3);
  });
});

describe('the job', () => {
  /** Writes a network and its quantized form and asks for one layer. */
  async function ask(proto: ModelProto, scheme: string, parts: Partial<LayerDetailJob>) {
    const made = await quantized(proto, scheme);
    const write = (name: string, model: ModelProto) => {
      const file = path.join(folder, name);
      fs.writeFileSync(file, encodeModelBytes(model).value ?? new Uint8Array());
      return file;
    };
    const progress: Progress[] = [];
    const partials: LayerDetail[] = [];
    const job: LayerDetailJob = {
      kind: 'layer-detail',
      float: write('float.onnx', proto),
      quantized: write('quantized.onnx', toOnnx(made.model)),
      layer: '',
      threads: 1,
      seed: 0,
      dimensions: {},
      ...parts,
    };
    const outcome = await layerDetailHandler(job, {
      signal: new AbortController().signal,
      progress: (one) => progress.push(one),
      partial: (one) => partials.push(one as LayerDetail),
    });
    return { ...made, outcome, progress, partials };
  }
  const random = { source: 'random', samples: 5, seed: 3, preprocessing: {}, dimensions: {} } as const;

  /** One tensor of a network. */
  async function shown(model: Model, name: string, feeds: Feeds): Promise<readonly number[]> {
    const proto = toOnnx(model);
    if (!proto.graph) throw new Error('no graph');
    const results = await run(
      { ...proto, graph: { ...proto.graph, outputs: [{ name }] } },
      feeds,
      'disabled',
    );
    return Array.from(results[name] ?? []);
  }

  function npy(name: string, shape: readonly number[], values: Float32Array): string {
    const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
    const text = `${head.padEnd(117)}\n`;
    const magic = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length, 0]);
    const file = path.join(folder, name);
    fs.writeFileSync(file, Buffer.concat([magic, Buffer.from(text), Buffer.from(values.buffer)]));
    return file;
  }

  it('without data gives the weight as int8 per channel leaves it', async () => {
    const { outcome, progress } = await ask(matmulNet(16, 32, 4), 'int8', { layer: 'up' });
    const detail = outcome.value;
    expect(outcome.issues).toEqual([]);
    expect(detail?.output).toBeUndefined();
    expect(progress).toEqual([]);
    expect(total(detail?.weight?.float ?? [])).toBe(16 * 32);
    expect(detail?.weight?.float).toHaveLength(64);
    expect(detail?.channels).toHaveLength(32);
    for (const { weightSqnr, floatRange } of detail?.channels ?? []) {
      // Symmetric int8 of one channel of normal numbers.
      expect(weightSqnr).toBeGreaterThan(35);
      expect(weightSqnr).toBeLessThan(60);
      expect(floatRange[0]).toBeLessThan(floatRange[1]);
    }
  });

  it.each(['conv1', 'conv2', 'fc'])(
    'with data gives the output of %s as both networks make it',
    async (layer) => {
      const samples = 5;
      const input = normalValues(samples * 3 * 64, 9);
      const data = { ...random, source: npy('input.npy', [samples, 3, 8, 8], input) };
      const { outcome, partials, progress, float, model } = await ask(convNet(), 'w8a8', { layer, data });
      expect(outcome.issues).toEqual([]);
      const detail = outcome.value;
      expect(partials[0]?.channels.every(({ outputSqnr }) => outputSqnr === undefined)).toBe(true);
      expect(progress.at(-1)).toMatchObject({ stage: 'compare', done: 5, total: 5, unit: 'samples' });

      const output =
        listLayers(float)
          .find(({ name }) => name === layer)
          ?.node.output()?.name ?? '';
      const feeds = { input: { shape: [samples, 3, 8, 8], data: input } };
      const [exact, close] = [await shown(float, output, feeds), await shown(model, output, feeds)];
      const channels = layer === 'fc' ? 10 : 8;
      const inner = exact.length / samples / channels;
      expect(detail?.channels.map(({ channel }) => channel).sort((one, other) => one - other)).toEqual(
        Array.from({ length: channels }, (_, channel) => channel),
      );
      for (const { channel, outputSqnr } of detail?.channels ?? []) {
        const own = (_: number, at: number) => Math.floor(at / inner) % channels === channel;
        expect(outputSqnr).toBeCloseTo(sqnr(exact.filter(own), close.filter(own)), 2);
      }
      expect(detail?.output?.min).toBeCloseTo(Math.min(...exact, ...close), 5);
      expect(detail?.output?.max).toBeCloseTo(Math.max(...exact, ...close), 5);
      expect(total(detail?.output?.float ?? [])).toBe(exact.length);
      expect(total(detail?.output?.quantized ?? [])).toBe(exact.length);
    },
  );

  it('names a layer that has no counterpart', async () => {
    const { outcome } = await ask(convNet(), 'int8', { layer: 'nobody' });
    expect(outcome.value).toBeUndefined();
    expect(outcome.issues.map(({ code }) => code)).toEqual(['layer-unmatched']);
  });
});
