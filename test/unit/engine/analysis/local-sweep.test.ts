/**
 * Local errors of all layers in one float session, against the shadow graph that runs every quantized layer and
 * subtracts, and against sums taken in float64 outside.
 */
import { describe, expect, it } from 'vitest';
import { exportedPairs } from '../../../../server/src/engine/analysis/layer-pairs';
import { localSweep } from '../../../../server/src/engine/analysis/local-sweep';
import { ShadowFigures } from '../../../../server/src/engine/analysis/run-shadow';
import { type ComparisonKind, shadowModel } from '../../../../server/src/engine/analysis/shadow';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import type { Model } from '../../../../server/src/engine/graph/ir';
import { verify } from '../../../../server/src/engine/graph/verify';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import { errorMetrics } from '../../../../server/src/engine/numerics/metrics';
import type { RuntimeTensor } from '../../../../server/src/engine/runtime/runtime-tensor';
import {
  convNet,
  gemmNet,
  matmulNet,
  model,
  node,
  normalValues,
  tensor,
  valueInfo,
} from '../../../fixtures/build';
import { type Level, quantized } from '../../../fixtures/quantize';
import { runGraph, sqnr } from '../../../fixtures/run-graph';
import { runTensors } from '../../../fixtures/run-tensors';

const kinds = ['local', 'localWeights', 'localActivations'] as const;

/** Two convolutions that read one activation, a transposed one and a product with a stored transpose. */
function branchNet(opset = 17): ModelProto {
  return model(
    {
      inputs: [valueInfo('input', ['N', 3, 6, 6])],
      outputs: [valueInfo('output', ['N', 4])],
      initializers: [
        tensor('a.weight', [6, 3, 3, 3], normalValues(162, 1, 0.3)),
        tensor('b.weight', [6, 3, 1, 1], normalValues(18, 2, 0.5)),
        tensor('b.bias', [6], normalValues(6, 3, 0.5)),
        tensor('up.weight', [6, 4, 2, 2], normalValues(96, 4, 0.3)),
        tensor('fc.weight', [4, 4], normalValues(16, 5, 0.5)),
      ],
      nodes: [
        node('Conv', ['input', 'a.weight'], ['a'], { pads: [1, 1, 1, 1] }),
        node('Conv', ['input', 'b.weight', 'b.bias'], ['b']),
        node('Add', ['a', 'b'], ['sum']),
        node('Relu', ['sum'], ['relu']),
        node('ConvTranspose', ['relu', 'up.weight'], ['up'], { strides: [2, 2] }),
        node('GlobalAveragePool', ['up'], ['pool']),
        node('Flatten', ['pool'], ['flat']),
        node('Transpose', ['fc.weight'], ['fc_t'], { perm: [1, 0] }),
        node('MatMul', ['flat', 'fc_t'], ['output']),
      ],
    },
    { opset },
  );
}

/** Figures of the sweep at a level, and of the shadow graph without optimisation. */
async function both(proto: ModelProto, schemes: readonly string[], level: Level) {
  const made = await Promise.all(schemes.map((scheme) => quantized(proto, scheme)));
  const [first] = made;
  if (!first) throw new Error('no scheme');
  const sweepGraph = cloneModel(first.float);
  raise(
    sweepGraph,
    made.map((one) => one.model),
  );
  const sweep = localSweep(
    sweepGraph,
    made.map((one, index) => ({
      scheme: schemes[index] ?? '',
      pairs: exportedPairs(sweepGraph, one.model),
    })),
  );
  expect(verify(sweep.model)).toEqual([]);
  const outputs = await runTensors(sweep.model, first.feeds, level);
  const swept = sweep.comparisons.map((list) => figures(list, outputs));
  const shadows = [];
  for (const one of made) {
    const float = cloneModel(one.float);
    const shadow = shadowModel(float, one.model, exportedPairs(float, one.model), {
      local: true,
      cumulative: false,
      output: false,
    });
    shadows.push(figures(shadow.comparisons, await runTensors(shadow.model, one.feeds, 'disabled')));
  }
  return { swept, shadows, names: exportedPairs(first.float, first.model).map((pair) => pair.name) };
}

function raise(float: Model, twins: readonly Model[]): void {
  for (const twin of twins) {
    for (const [domain, version] of twin.opsets)
      float.opsets.set(domain, Math.max(version, float.opsets.get(domain) ?? 0));
    float.irVersion = Math.max(float.irVersion, twin.irVersion);
  }
}

function figures(
  comparisons: ConstructorParameters<typeof ShadowFigures>[0],
  outputs: Readonly<Record<string, RuntimeTensor>>,
) {
  const sums = new ShadowFigures(comparisons);
  sums.add(outputs);
  return sums.result();
}

/** Noise of two computations of one thing in float32. */
const TOLERANCE = 0.005;

describe('the sweep finds what the shadow graph finds', () => {
  it.each([
    ['convNet', convNet(), ['w8a8'], 'disabled'],
    ['convNet, full optimisation', convNet(), ['w8a8'], 'all'],
    [
      'several schemes at once',
      convNet(),
      ['w8a8', 'w4a8', 'w4a4', 'int4.group16', 'int8.tensor'],
      'disabled',
    ],
    ['shared activations', branchNet(), ['w8a8', 'w4a4'], 'disabled'],
    ['an old operator set', branchNet(11), ['w8a8'], 'disabled'],
    ['stored as another operator', matmulNet(32, 64), ['int4', 'w8a8'], 'disabled'],
    ['stored as two operators', gemmNet(64), ['int4'], 'disabled'],
  ] as const)('%s', async (_name, proto, schemes, level) => {
    const { swept, shadows, names } = await both(proto, schemes, level);
    swept.forEach((sweep, index) => {
      const shadow = shadows[index];
      expect(Object.keys(sweep.sqnr.local)).toEqual(names);
      for (const kind of kinds) {
        expect(Object.keys(sweep.sqnr[kind])).toEqual(Object.keys(shadow?.sqnr[kind] ?? {}));
        for (const [name, db] of Object.entries(sweep.sqnr[kind])) {
          const other = shadow?.sqnr[kind][name] ?? Number.NaN;
          expect(
            Math.abs((db ?? Number.NaN) - other),
            `${schemes[index]} ${kind} ${name} ${db} ${other}`,
          ).toBeLessThan(TOLERANCE);
        }
      }
    });
  });
});

it('f(x, Q(W)) − f(x, W) = f(x, ΔW), channel by channel, with every figure beside the SQNR', async () => {
  const made = await quantized(convNet(), 'int4.channel');
  const exact = (await runGraph(tapped(made.float, 'bn1_out'), made.feeds)).bn1_out;
  const close = (await runGraph(tapped(made.model, 'bn1_out'), made.feeds)).bn1_out;
  if (!exact || !close) throw new Error('no output');
  const [batch = 0, channels = 0, ...rest] = exact.shape;
  const positions = rest.reduce((all, one) => all * one, 1);
  const sums = {
    count: exact.values.length,
    signal: 0,
    noise: 0,
    cross: 0,
    channels: {
      count: batch * positions,
      sum: new Float64Array(channels),
      square: new Float64Array(channels),
      shift: new Float64Array(channels),
    },
  };
  const add = (list: Float64Array, channel: number, value: number) => {
    list[channel] = (list[channel] ?? 0) + value;
  };
  exact.values.forEach((x, at) => {
    const error = (close.values[at] ?? Number.NaN) - x;
    const channel = Math.floor(at / positions) % channels;
    sums.signal += x * x;
    sums.noise += error * error;
    sums.cross += x * error;
    add(sums.channels.sum, channel, x);
    add(sums.channels.square, channel, x * x);
    add(sums.channels.shift, channel, error);
  });
  const sweepGraph = cloneModel(made.float);
  raise(sweepGraph, [made.model]);
  const pairs = exportedPairs(sweepGraph, made.model);
  const sweep = localSweep(sweepGraph, [{ scheme: 's', pairs }]);
  const [found] = sweep.comparisons.map((list) => list);
  const outputs = await runTensors(sweep.model, made.feeds, 'disabled');
  const result = figures(found ?? [], outputs);
  const expected = errorMetrics(sums);
  const measured = result.metrics.local.conv1;
  expect(result.sqnr.local.conv1).toBeCloseTo(sqnr(exact.values, close.values), 3);
  for (const key of ['mse', 'cosine', 'normRatio', 'meanShift', 'biasCorrectionGain'] as const) {
    expect(measured?.[key], key).toBeCloseTo(expected[key] ?? Number.NaN, 4);
  }
  expect(measured?.channelShift?.channel).toBe(expected.channelShift?.channel);
  expect(measured?.channelShift?.shift).toBeCloseTo(expected.channelShift?.shift ?? Number.NaN, 4);
});

it('batches add up to the figures of the whole', async () => {
  const made = await quantized(convNet(), 'w8a8', 6);
  const sweepGraph = cloneModel(made.float);
  raise(sweepGraph, [made.model]);
  const sweep = localSweep(sweepGraph, [{ scheme: 's', pairs: exportedPairs(sweepGraph, made.model) }]);
  const comparisons = sweep.comparisons.flat();
  const whole = figures(comparisons, await runTensors(sweep.model, made.feeds, 'disabled'));
  const parts = new ShadowFigures(comparisons);
  const input = made.feeds.input;
  if (!(input?.data instanceof Float32Array)) throw new Error('no input');
  const size = input.data.length / 6;
  for (const [from, to] of [
    [0, 1],
    [1, 6],
  ] as const) {
    const data = input.data.slice(from * size, to * size);
    const feeds = { input: { shape: [to - from, ...input.shape.slice(1)], data } };
    parts.add(await runTensors(sweep.model, feeds, 'disabled'));
  }
  const merged = parts.result();
  for (const kind of kinds satisfies readonly ComparisonKind[]) {
    for (const [name, db] of Object.entries(whole.sqnr[kind])) {
      expect(merged.sqnr[kind][name]).toBeCloseTo(db ?? Number.NaN, 3);
      const [one, other] = [whole.metrics[kind][name], merged.metrics[kind][name]];
      expect(other?.channelShift?.channel).toBe(one?.channelShift?.channel);
      expect(other?.biasCorrectionGain).toBeCloseTo(one?.biasCorrectionGain ?? Number.NaN, 4);
    }
  }
});

/** A copy whose only output is one of its values. */
function tapped(source: Model, name: string): Model {
  const copy = cloneModel(source);
  const value = copy.graph.values.get(name);
  if (!value) throw new Error(`no value ${name}`);
  copy.graph.outputs.splice(0, copy.graph.outputs.length, value);
  return copy;
}
