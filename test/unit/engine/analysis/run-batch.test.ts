/** The batch of two models that get the same samples, against runs of whole files with the batches that fit them. */
import { describe, expect, it } from 'vitest';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { toOnnx } from '../../../../server/src/engine/graph/to-onnx';
import { compareHandler } from '../../../../server/src/engine/handlers/compare';
import { debugHandler } from '../../../../server/src/engine/handlers/debug';
import { evaluateHandler } from '../../../../server/src/engine/handlers/evaluate';
import { matmulNet, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { output, quantized } from '../../../fixtures/quantize';
import { sqnr } from '../../../fixtures/run-graph';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const common = { threads: 1, seed: 0, dimensions: {} } as const;
const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
const WIDTH = 16;
const CLASSES = 4;
const SAMPLES = 8;
/** Every sample is larger than the one before, so that a scale for all is not that of one. */
const samples = normalValues(SAMPLES * WIDTH, 11).map((value, at) => value * 2 ** Math.floor(at / WIDTH));
const data = {
  source: folder.npy('samples.npy', [SAMPLES, WIDTH], 'float', samples),
  seed: 0,
  preprocessing: {},
  dimensions: {},
};

/** The same network for one batch only: a Reshape holds the size, as exporters write it. */
function fixed(proto: ModelProto, batch: number): ModelProto {
  const { graph } = proto;
  if (!graph) throw new Error('no graph');
  return {
    ...proto,
    graph: {
      ...graph,
      inputs: [valueInfo('input', [batch, WIDTH])],
      outputs: [valueInfo('output', [batch, CLASSES])],
      initializers: [...graph.initializers, tensor('sizes', [2], [batch, CLASSES], 'int64')],
      nodes: [
        ...graph.nodes.map((one) => ({
          ...one,
          outputs: one.outputs.map((name) => (name === 'output' ? 'rows' : name)),
        })),
        node('Reshape', ['rows', 'sizes'], ['output']),
      ],
    },
  };
}

/** Both products on integers whose scale is taken from the values of a run. */
function dynamic(): ModelProto {
  const product = (from: string, name: string, to: string) => [
    node('DynamicQuantizeLinear', [from], [`${name}_codes`, `${name}_scale`, `${name}_zero`]),
    node('MatMulInteger', [`${name}_codes`, `${name}.codes`, `${name}_zero`], [`${name}_sum`]),
    node('Cast', [`${name}_sum`], [`${name}_float`], { to: 1 }),
    node('Mul', [`${name}_scale`, `${name}.scale`], [`${name}_both`]),
    node('Mul', [`${name}_float`, `${name}_both`], [to]),
  ];
  const codes = (name: string, shape: readonly [number, number], seed: number) => [
    tensor(
      `${name}.codes`,
      shape,
      normalValues(shape[0] * shape[1], seed, 0.3).map((value) =>
        Math.max(-127, Math.min(127, Math.round(value * 100))),
      ),
      'int8',
    ),
    tensor(`${name}.scale`, [], [0.01]),
  ];
  return model({
    inputs: [valueInfo('input', ['N', WIDTH])],
    outputs: [valueInfo('output', ['N', CLASSES])],
    initializers: [...codes('up', [WIDTH, 32], 1), ...codes('down', [32, CLASSES], 2)],
    nodes: [
      ...product('input', 'up', 'up_out'),
      node('Relu', ['up_out'], ['relu_out']),
      ...product('relu_out', 'down', 'output'),
    ],
  });
}

/** Output of all samples, `batch` at a time. */
async function inBatches(proto: ModelProto, batch: number): Promise<number[]> {
  const all: number[] = [];
  for (let first = 0; first < SAMPLES; first += batch) {
    const rows = Float32Array.from(samples.slice(first * WIDTH, (first + batch) * WIDTH));
    all.push(...(await output(proto, { input: { data: rows, shape: [batch, WIDTH] } }, 'all')));
  }
  return all;
}

const files = (float: ModelProto, file: ModelProto) => ({
  float: folder.model('float.onnx', float),
  quantized: folder.model('quantized.onnx', file),
});

async function compared(float: ModelProto, file: ModelProto) {
  return compareHandler({ kind: 'compare', ...files(float, file), data, ...common }, context);
}

async function evaluated(one: ModelProto, other: ModelProto) {
  const { float, quantized: against } = files(one, other);
  const job = { kind: 'evaluate', model: float, against, data, task: 'classify', ...common } as const;
  return evaluateHandler(job, context);
}

const codesOf = ({ issues }: { readonly issues: readonly { readonly code: string }[] }) =>
  issues.map(({ code }) => code);

async function checkRuns(float: ModelProto, file: ModelProto, expected: number): Promise<void> {
  const both = await compared(float, file);
  expect(both.value?.output?.file?.sqnr).toBeCloseTo(expected, 1);
  expect(both.value?.output?.file?.deployed?.sqnr).toBeCloseTo(expected, 1);
  expect(codesOf(both)).not.toContain('inference-failed');
  const agreement = await evaluated(float, file);
  expect(agreement.value?.samples).toBe(SAMPLES);
}

describe('two models that get the same samples', () => {
  const free = matmulNet(WIDTH, 32, CLASSES);

  it.each([1, 4])('run in the batch of %i that one of them fixes, whichever it is', async (batch) => {
    const file = toOnnx((await quantized(free, 'w8a8')).model);
    const expected = sqnr(await inBatches(free, SAMPLES), await inBatches(file, SAMPLES));
    await checkRuns(free, fixed(file, batch), expected);
    await checkRuns(fixed(free, batch), file, expected);
  });

  it('are refused in one line where each fixes another', async () => {
    const file = toOnnx((await quantized(free, 'w8a8')).model);
    for (const run of [compared, evaluated]) {
      const { value, issues } = await run(fixed(free, 2), fixed(file, 4));
      expect(value).toBeUndefined();
      expect(issues).toMatchObject([
        { code: 'models-differ', facts: { reason: 'one takes batches of 2, the other of 4' } },
      ]);
    }
  });

  it('run sample by sample where scales are taken from a run, which is told', async () => {
    const file = dynamic();
    const [alone, together] = [1, SAMPLES].map(async (batch) =>
      sqnr(await inBatches(free, SAMPLES), await inBatches(file, batch)),
    );
    expect(Math.abs(((await alone) ?? 0) - ((await together) ?? 0))).toBeGreaterThan(0.5);
    const both = await compared(free, file);
    expect(both.value?.output?.file?.sqnr).toBeCloseTo((await alone) ?? 0, 2);
    expect(codesOf(both)).toContain('single-samples');
    const agreement = await evaluated(file, free);
    const [exact, own] = [await inBatches(free, SAMPLES), await inBatches(file, 1)];
    expect(agreement.value?.sqnr).toBeCloseTo(sqnr(exact, own), 2);
    expect(codesOf(agreement)).toContain('single-samples');
  });

  it('keep their batches where scales are stored', async () => {
    const file = toOnnx((await quantized(free, 'w8a8')).model);
    expect(codesOf(await compared(free, file))).not.toContain('single-samples');
  });
});

it('a dynamically quantized file by itself runs sample by sample', async () => {
  const job = { kind: 'debug', model: folder.model('dynamic.onnx', dynamic()), data, ...common } as const;
  expect(codesOf(await debugHandler(job, context))).toContain('single-samples');
});
