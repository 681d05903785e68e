/**
 * Output effects by segments against the plain way: the whole network with one layer quantized, one session per layer,
 * differences in float64 outside.
 */
import { describe, expect, it } from 'vitest';
import { exportedPairs } from '../../../../server/src/engine/analysis/layer-pairs';
import {
  type OutputEffect,
  type OutputEffectInput,
  outputEffects,
} from '../../../../server/src/engine/analysis/output-effect';
import { type CutLayer, segmentsOf } from '../../../../server/src/engine/analysis/segments';
import { variantsOf } from '../../../../server/src/engine/analysis/variants';
import { Cancelled } from '../../../../server/src/engine/base/cancel';
import { DataTypeCode } from '../../../../server/src/engine/base/dtype';
import { defined } from '../../../../server/src/engine/base/invariant';
import { encodeModelBytes } from '../../../../server/src/engine/format/onnx-encode';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { addNode } from '../../../../server/src/engine/graph/edit';
import type { Model, Value } from '../../../../server/src/engine/graph/ir';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { toOnnx } from '../../../../server/src/engine/graph/to-onnx';
import { verify } from '../../../../server/src/engine/graph/verify';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import type { Feeds as SampleFeeds } from '../../../../server/src/engine/runtime/feeds';
import { createSession } from '../../../../server/src/engine/runtime/ort';
import { convNet, matmulNet, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { denseNet, encoderNet, plainNet } from '../../../fixtures/net-shapes';
import { type Feeds, folded, quantized } from '../../../fixtures/quantize';
import { residualNet } from '../../../fixtures/residual-nets';
import { sqnr } from '../../../fixtures/run-graph';
import { runTensors } from '../../../fixtures/run-tensors';

/** float32 noise of two orders of the same sums. */
const TOLERANCE = 1e-3;

const small = { blocks: [1, 2, 1], width: 4, classes: 10, size: 16 };

/** A stem whose output is read again at the end, so that nothing can be cut at one tensor in between. */
function skippingNet(): ModelProto {
  const conv = (from: string, name: string) =>
    node('Conv', [from, `${name}.weight`], [name], { pads: [1, 1, 1, 1] });
  const names = ['a', 'b', 'c', 'd', 'e'];
  return model({
    inputs: [valueInfo('input', ['N', 3, 8, 8]), valueInfo('offset', ['N', 3, 8, 8])],
    outputs: [valueInfo('output', ['N', 3, 8, 8])],
    initializers: names.map((name, at) =>
      tensor(`${name}.weight`, [3, 3, 3, 3], normalValues(81, at + 1, 0.3)),
    ),
    nodes: [
      conv('input', 'a'),
      conv('a', 'b'),
      node('Relu', ['b'], ['b_relu']),
      conv('b_relu', 'c'),
      node('Add', ['c', 'offset'], ['c_sum']),
      conv('c_sum', 'd'),
      node('Add', ['d', 'a'], ['sum']),
      conv('sum', 'e'),
      node('Relu', ['e'], ['output']),
    ],
  });
}

const open: OutputEffectInput['open'] = async (one, level) => {
  expect(verify(one)).toEqual([]);
  const bytes = encodeModelBytes(toOnnx(one)).value;
  return createSession(defined(bytes, 'encoded model'), {
    threads: 1,
    optimization: level === 'mapped' ? 'all' : level,
    ...(level === 'all' ? {} : { prepack: false }),
    configuration: { disable_quant_qdq: '1' },
  });
};

/** Samples along the first axis of every input. */
function samples(feeds: Feeds, count: number): SampleFeeds {
  return {
    count,
    available: count,
    description: 'test',
    names: undefined,
    async *batches(batchSize, _signal, start = 0) {
      for (let first = start; first < count; first += batchSize) {
        const rows = Math.min(batchSize, count - first);
        const cut = Object.entries(feeds).map(([name, { shape, data }]) => {
          const size = data.length / count;
          const part = (data as Float32Array).slice(first * size, (first + rows) * size);
          return [name, { type: 'float32' as const, dims: [rows, ...shape.slice(1)], data: part }];
        });
        yield { value: { feeds: Object.fromEntries(cut), first, count: rows }, issues: [] };
      }
    },
    fingerprint: async () => '',
    close: () => {},
  };
}

function cutLayers(source: Model): readonly CutLayer[] {
  return listLayers(source).map(({ name, node: one, params }) => ({ name, node: one, cost: params, params }));
}

const cuts = { samples: 4, elements: () => 100 };

/** Work of a real network: small tensors, expensive layers. */
const HEAVY = 1e9;

async function prepared(proto: ModelProto, scheme: string, batch = 4) {
  const made = await quantized(proto, scheme, batch);
  const float = cloneModel(made.float);
  for (const [domain, version] of made.model.opsets) {
    float.opsets.set(domain, Math.max(version, float.opsets.get(domain) ?? 0));
  }
  return { ...made, float, layers: cutLayers(float), pairs: exportedPairs(float, made.model), batch };
}

async function bySegments(
  made: Awaited<ReturnType<typeof prepared>>,
  options: Partial<OutputEffectInput> = {},
) {
  const { float, layers, pairs } = made;
  return outputEffects({
    float,
    pairs,
    layers,
    open,
    feeds: samples(made.feeds, made.batch),
    batchSize: made.batch,
    seed: 1,
    ...options,
  });
}

/** One whole network per layer. */
async function plainly({ float, pairs, feeds }: Awaited<ReturnType<typeof prepared>>) {
  const [target] = float.graph.outputs;
  const name = defined(target, 'output').name;
  const exact = (await runTensors(float, feeds, 'disabled'))[name];
  const effects = new Map<string, number>();
  for (const pair of pairs) {
    const { model: alone, outputs } = variantsOf(float, [], float.graph.outputs, [pair]);
    const close = (await runTensors(alone, feeds, 'disabled'))[outputs.get(pair.name)?.[0] ?? ''];
    effects.set(
      pair.name,
      sqnr(Array.from(exact?.data ?? [], Number), Array.from(close?.data ?? [], Number)),
    );
  }
  return effects;
}

describe('output effects by segments', () => {
  it.each([
    ['a residual network', residualNet(small), 'w8a8'],
    ['weights only', residualNet(small), 'int4.channel'],
    ['narrow activations', residualNet(small), 'w4a4'],
    ['a network without branches', convNet(), 'w8a8'],
    ['cuts through several tensors, a second input', skippingNet(), 'w8a8'],
    ['layers stored as other operators', matmulNet(32, 64), 'int4'],
    [
      'a plain stack',
      plainNet(
        [
          [4, 1],
          [8, 2],
        ],
        16,
        16,
        5,
      ),
      'w8a8',
    ],
    ['densely connected blocks', denseNet([3, 4], 4, 32, 5), 'w4a8'],
    ['a transformer encoder', encoderNet(2, 16, 6, 2), 'w8a8'],
  ])('of %s equal those of one session per layer', async (_name, proto, scheme) => {
    const made = await prepared(proto, scheme);
    const expected = await plainly(made);
    const found = (await bySegments(made)).value;
    expect([...(found?.keys() ?? [])].sort()).toEqual([...expected.keys()].sort());
    for (const [name, db] of expected) {
      const effect = found?.get(name);
      expect(effect?.basis).toBe('measured');
      expect(Math.abs((effect?.sqnr ?? Number.NaN) - db), `${name} ${effect?.sqnr} ${db}`).toBeLessThan(
        TOLERANCE,
      );
    }
  });

  it.each([
    [4, 3],
    [4, 2],
    [6, 2],
    [2, 1],
    [3, 3],
  ])('add up over batches of %i in runs of %i', async (batchSize, runSize) => {
    const made = await prepared(residualNet(small), 'w8a8', 6);
    const whole = (await bySegments(made)).value;
    const told: [number, number][] = [];
    const progress = (done: number, total: number) => told.push([done, total]);
    const parts = (await bySegments(made, { batchSize, runSize, progress })).value;
    expect(told.map(([done]) => done)).toEqual(told.map((_, index) => index + 1));
    expect(new Set(told.map(([, total]) => total))).toEqual(new Set([told.length]));
    for (const { batches = [] } of parts?.values() ?? []) {
      const counts = batches.map((batch) => batch.samples);
      expect(counts.reduce((sum, one) => sum + one, 0)).toBe(6);
      // Whole runs, so that they can be compared with those of the whole configuration.
      for (const samples of counts.slice(0, -1)) expect(samples % runSize).toBe(0);
    }
    for (const [name, effect] of whole ?? []) {
      expect(Math.abs((parts?.get(name)?.sqnr ?? Number.NaN) - (effect.sqnr ?? 0))).toBeLessThan(TOLERANCE);
    }
  });

  it('are estimated for all layers first, then replaced, most sensitive segment first', async () => {
    const made = await prepared(residualNet(small), 'w4a8', 4);
    const seen: ReadonlyMap<string, OutputEffect>[] = [];
    const order: string[] = [];
    const result = await bySegments(made, {
      effects: (effects) => seen.push(new Map(effects)),
      progress: (_done, total, layer) => {
        expect(total).toBe(made.pairs.length);
        order.push(layer);
      },
    });
    const [first] = seen;
    expect(first?.size).toBe(made.pairs.length);
    expect([...(first?.values() ?? [])].every((effect) => effect.basis === 'estimated')).toBe(true);
    expect(seen.length).toBe(made.pairs.length + 1);
    const measured = defined(result.value, 'effects');
    // The estimates rank: the segment measured first holds the layer they call worst.
    const worst = [...(first ?? [])].reduce((a, b) => (a[1].noise > b[1].noise ? a : b))[0];
    const segments = segmentsOf(
      made.float.graph,
      defined(made.float.graph.outputs[0], 'output'),
      made.layers,
      cuts,
    );
    const segment = segments.find((one) => one.layers.includes(worst));
    expect(segment?.layers).toContain(order[0]);
    const errors = [...measured].map(([name, effect]) =>
      Math.abs((first?.get(name)?.sqnr ?? Number.NaN) - (effect.sqnr ?? 0)),
    );
    errors.sort((a, b) => a - b);
    expect(errors[errors.length >> 1]).toBeLessThan(4);
  });

  it.each([
    ['integers', DataTypeCode.int64],
    ['half precision', DataTypeCode.float16],
  ])('are measured at real numbers when the first output holds %s', async (_name, type) => {
    const made = await prepared(residualNet(small), 'w4a8');
    const expected = (await bySegments(made)).value;
    const { graph } = made.float;
    const cast = addNode(graph, {
      opType: 'Cast',
      inputs: [graph.outputs[0]],
      outputs: ['other'],
      attributes: [['to', { type: 'int', value: BigInt(type) }]],
    });
    const other = defined(cast.output(), 'cast output');
    other.elementType = type;
    graph.outputs.unshift(other);
    const found = (await bySegments(made)).value;
    expect(found?.size).toBe(made.pairs.length);
    for (const [name, effect] of expected ?? []) {
      // Rounding to half precision is far below the noise of four bits.
      expect(Math.abs((found?.get(name)?.sqnr ?? Number.NaN) - (effect.sqnr ?? 0)), name).toBeLessThan(0.1);
    }
  });

  it('stop between two runs when cancelled', async () => {
    const made = await prepared(residualNet(small), 'w8a8');
    const controller = new AbortController();
    let runs = 0;
    const cancelled = bySegments(made, {
      signal: controller.signal,
      progress: () => {
        runs++;
        controller.abort();
      },
    });
    await expect(cancelled).rejects.toThrow(Cancelled);
    expect(runs).toBe(1);
  });

  it('report a session that cannot be opened', async () => {
    const made = await prepared(convNet(), 'w8a8');
    const refused = {
      value: undefined,
      issues: [{ code: 'graph-empty', facts: {}, anchor: {}, severity: 'error' }],
    };
    const found = await bySegments(made, { open: async () => refused as never });
    expect(found).toEqual(refused);
  });
});

describe('segments', () => {
  const cut = (source: Model) => {
    const layers = cutLayers(source).map((layer) => ({ ...layer, cost: HEAVY }));
    return segmentsOf(source.graph, defined(source.graph.outputs[0], 'output'), layers, cuts);
  };
  it.each([
    ['a residual network', residualNet(small)],
    ['a chain', convNet()],
    ['long skips', skippingNet()],
  ])('of %s hold every layer once, in order, and join', (_name, proto) => {
    const source = folded(proto);
    const segments = cut(source);
    expect(segments.flatMap((one) => one.layers)).toEqual(listLayers(source).map((layer) => layer.name));
    const names = (values: readonly Value[] | undefined) => values?.map((value) => value.name);
    expect(names(segments[0]?.inputs)).toEqual([]);
    segments.slice(1).forEach((one, index) => {
      expect(names(one.inputs)).toEqual(names(segments[index]?.outputs));
    });
    expect(segments.length).toBeGreaterThan(1);
  });
});
