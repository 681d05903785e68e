/** Errors of layers inside bodies, against the same networks computed by hand in float64. */
import { describe, expect, it } from 'vitest';
import type { ModelProto, NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { compareHandler } from '../../../../server/src/engine/handlers/compare';
import { measureHandler } from '../../../../server/src/engine/handlers/measure';
import { quantizeHandler } from '../../../../server/src/engine/handlers/quantize';
import { dequantizeWeight, quantizeWeight } from '../../../../server/src/engine/numerics/quantize-weight';
import { parseQuantScheme } from '../../../../server/src/engine/numerics/scheme';
import { graph, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const SIZE = 16;
const SAMPLES = 8;
const TURNS = 3;
const format = 'int4.channel';

const weight = normalValues(SIZE * SIZE, 1, 0.4);
const input = normalValues(SAMPLES * SIZE, 2);
const close = dequantized(weight);

async function measured(name: string, net: ModelProto, scheme: string, data = input) {
  const job = {
    kind: 'measure',
    model: folder.model(`${name}.onnx`, net),
    data: {
      source: folder.npy(`${name}.npy`, [data.length / SIZE, SIZE], 'float', data),
      seed: 0,
      preprocessing: {},
      dimensions: {},
    },
    estimator: 'min-max',
    schemes: [scheme],
    metrics: ['local', 'cumulative', 'output'],
    threads: 1,
    seed: 0,
    dimensions: {},
  } as const;
  const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
  const { value, issues } = await measureHandler(job, context);
  if (!value) throw new Error(JSON.stringify(issues));
  return { report: value, issues };
}

const turn = () => ({
  inputs: [valueInfo('h', ['N', SIZE])],
  nodes: [node('MatMul', ['h', 'w'], ['product']), node('Tanh', ['product'], ['next'])],
});

/** Three turns: the operator that repeats, and how its body is written. */
const loop = (): ModelProto =>
  net(
    [
      node('Loop', ['trips', 'go', 'x'], ['y'], {
        body: graph({
          ...turn(),
          inputs: [valueInfo('step', [], 'int64'), valueInfo('on', [], 'bool'), ...turn().inputs],
          outputs: [valueInfo('still', [], 'bool'), valueInfo('next', ['N', SIZE])],
          nodes: [...turn().nodes, node('Identity', ['on'], ['still'])],
        }),
      }),
    ],
    [tensor('trips', [], [TURNS], 'int64'), tensor('go', [], [1], 'bool')],
  );
const scan = (): ModelProto =>
  net(
    [
      node('Scan', ['x', 'steps'], ['y', 'seen'], {
        num_scan_inputs: 1,
        scan_output_axes: [0],
        body: graph({
          ...turn(),
          inputs: [...turn().inputs, valueInfo('step', [])],
          outputs: [valueInfo('next', ['N', SIZE]), valueInfo('same', [])],
          nodes: [...turn().nodes, node('Identity', ['step'], ['same'])],
        }),
      }),
    ],
    [tensor('steps', [TURNS], [1, 2, 3])],
  );
/** The loop stands in the branch that is taken. */
const nested = (): ModelProto => {
  const outer = loop().graph;
  if (!outer) throw new Error('graph');
  const inside = (name: string, nodes: typeof outer.nodes) =>
    graph({ name, nodes, outputs: [valueInfo(nodes.at(-1)?.outputs[0] ?? '', undefined)] });
  const taken = outer.nodes.map((one) => ({ ...one, outputs: ['taken'] }));
  const other = [node('Identity', ['x'], ['untaken'])];
  return net(
    [
      node('If', ['go'], ['y'], {
        then_branch: inside('then', taken),
        else_branch: inside('else', other),
      }),
    ],
    [tensor('trips', [], [TURNS], 'int64'), tensor('go', [], [1], 'bool')],
  );
};

function net(nodes: readonly NodeProto[], constants: readonly TensorProto[]): ModelProto {
  return model({
    inputs: [valueInfo('x', ['N', SIZE])],
    outputs: [valueInfo('y', ['N', SIZE])],
    initializers: [tensor('w', [SIZE, SIZE], weight), ...constants],
    nodes,
  });
}

describe.each([
  ['Loop', loop],
  ['Scan', scan],
  ['a Loop in a branch', nested],
] as const)('%s', (name, made) => {
  it('has the three errors of its layer', async () => {
    const { report, issues } = await measured(name.replaceAll(' ', '_'), made(), format);
    expect(issues).toEqual([]);
    const [layer] = report.layers;
    const wanted = byHand();
    expect(layer?.local?.[format]).toBeCloseTo(wanted.local, 2);
    expect(layer?.cumulative?.[format]).toBeCloseTo(wanted.cumulative, 2);
    expect(layer?.outputEffect?.[format]).toBeCloseTo(wanted.output, 2);
    expect(report.output?.[format]?.additivity?.ratio).toBeCloseTo(1, 3);
  });
});

/** The file that export writes of a network, beside the network itself. */
async function compared(name: string, net: ModelProto, quantized?: ModelProto) {
  const float = folder.model(`${name}.float.onnx`, net);
  const file = quantized && folder.model(`${name}.int.onnx`, quantized);
  const output = file ?? `${folder.path}/${name}.int4.onnx`;
  const common = { threads: 1, seed: 0, dimensions: {} };
  const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
  if (!file) {
    const job = { ...common, kind: 'quantize', model: float, output, scheme: format, keepFloat: [] } as const;
    const { value, issues } = await quantizeHandler(job, context);
    if (!value) throw new Error(JSON.stringify(issues));
  }
  const source = folder.npy(`${name}.compared.npy`, [SAMPLES, SIZE], 'float', input);
  const data = { source, seed: 0, preprocessing: {}, dimensions: {} };
  const job = { ...common, kind: 'compare', float, quantized: output, data } as const;
  const { value, issues } = await compareHandler(job, context);
  if (!value) throw new Error(JSON.stringify(issues));
  return { report: value, issues };
}

it.each([
  ['Loop', loop],
  ['Scan', scan],
  ['nested', nested],
] as const)('compares a layer inside %s of a quantized file with its original', async (name, made) => {
  const { report, issues } = await compared(name, made());
  expect(issues).toEqual([]);
  const [layer] = report.layers;
  const wanted = byHand();
  expect(layer?.local?.file).toBeCloseTo(wanted.local, 2);
  expect(layer?.cumulative?.file).toBeCloseTo(wanted.cumulative, 2);
  expect(layer?.quantized?.weightSqnr).toBeCloseTo(weightError(), 2);
  expect(report.output?.file?.sqnr).toBeCloseTo(wanted.output, 2);
});

it('tells the figures of a weight alone where a body computes with codes', async () => {
  const largest = close.reduce((most, one) => Math.max(most, Math.abs(one)), 0) / 127;
  const branch = (name: string, nodes: readonly NodeProto[]) =>
    graph({ name, nodes, outputs: [valueInfo(nodes.at(-1)?.outputs[0] ?? '', undefined)] });
  const both = (nodes: readonly NodeProto[], constants: readonly TensorProto[]) =>
    model({
      inputs: [valueInfo('x', ['N', SIZE])],
      outputs: [valueInfo('y', ['N', SIZE])],
      initializers: [tensor('go', [], [1], 'bool'), ...constants],
      nodes: [
        node('If', ['go'], ['y'], {
          then_branch: branch('then', nodes),
          else_branch: branch('else', [node('Identity', ['x'], ['same'])]),
        }),
      ],
    });
  const float = both([node('MatMul', ['x', 'w'], ['taken'])], [tensor('w', [SIZE, SIZE], weight)]);
  const codes = both(
    [
      node('QuantizeLinear', ['x', 's', 'z'], ['x_codes']),
      node('QLinearMatMul', ['x_codes', 's', 'z', 'w', 'ws', 'z', 's', 'z'], ['y_codes']),
      node('DequantizeLinear', ['y_codes', 's', 'z'], ['taken']),
    ],
    [
      tensor('s', [], [0.05]),
      tensor('ws', [], [largest]),
      tensor('z', [], [0], 'int8'),
      tensor(
        'w',
        [SIZE, SIZE],
        weight.map((one) => Math.round(one / largest)),
        'int8',
      ),
    ],
  );
  const { report, issues } = await compared('codes', float, codes);
  expect(issues).toContainEqual(
    expect.objectContaining({ code: 'inner-weights-only', facts: { layers: ['w'] } }),
  );
  const [layer] = report.layers;
  expect(layer?.quantized?.weightSqnr).toBeGreaterThan(30);
  expect([layer?.local, layer?.cumulative]).toEqual([undefined, undefined]);
});

it('gives what weights do alone where activations inside cannot be quantized, and says which layers', async () => {
  const { report, issues } = await measured('alone', loop(), 'w4a8');
  const [layer] = report.layers;
  expect(layer?.local?.w4a8).toBeNull();
  expect(layer?.localWeights?.w4a8).toBeCloseTo(byHand().local, 2);
  expect(issues).toMatchObject([{ code: 'R02', anchor: { layer: 'w' } }]);
});

it('has no cumulative error where another branch is taken once the network is quantized', async () => {
  const sample = input.slice(0, SIZE);
  const sums = [weight, close].map((w) => times(Array.from(sample), w).reduce((sum, one) => sum + one, 0));
  const middle = ((sums[0] ?? 0) + (sums[1] ?? 0)) / 2;
  const branch = (name: string) =>
    graph({
      name,
      nodes: [node('MatMul', ['x', name], [`${name}_y`])],
      initializers: [tensor(name, [SIZE, SIZE], normalValues(SIZE * SIZE, name.length, 0.4))],
      outputs: [valueInfo(`${name}_y`, undefined)],
    });
  const decided = net(
    [
      node('MatMul', ['x', 'w'], ['product']),
      node('ReduceSum', ['product'], ['sum'], { keepdims: 0 }),
      node('Greater', ['sum', 'middle'], ['above']),
      node('If', ['above'], ['y'], { then_branch: branch('one'), else_branch: branch('other') }),
    ],
    [tensor('middle', [], [middle])],
  );
  const { report, issues } = await measured('decided', decided, format, sample);
  const inner = report.layers.filter(({ name }) => name === 'one' || name === 'other');
  const idle = inner.filter((layer) => layer.local?.[format] === null).map(({ name }) => name);
  expect(issues).toMatchObject([
    { code: 'layer-never-runs', severity: 'information', facts: { layers: idle } },
    { code: 'inner-not-compared', severity: 'information', facts: { layers: ['one', 'other'] } },
  ]);
  expect(inner.map((layer) => layer.cumulative?.[format])).toEqual([undefined, undefined]);
  // One of the two is computed.
  expect(inner.map((layer) => typeof layer.local?.[format]).sort()).toEqual(['number', 'object']);
});

it('has no output effect where the branch of a layer is never taken, and names the layer', async () => {
  const branch = (name: string) =>
    graph({
      name,
      nodes: [node('MatMul', ['x', name], [`${name}_y`])],
      initializers: [tensor(name, [SIZE, SIZE], normalValues(SIZE * SIZE, name.length, 0.4))],
      outputs: [valueInfo(`${name}_y`, undefined)],
    });
  const decided = net(
    [
      node('MatMul', ['x', 'w'], ['product']),
      node('ReduceMax', ['product'], ['largest'], { keepdims: 0 }),
      node('Greater', ['largest', 'never'], ['above']),
      node('If', ['above'], ['branched'], { then_branch: branch('idle'), else_branch: branch('taken') }),
      node('Add', ['branched', 'product'], ['y']),
    ],
    [tensor('never', [], [1e9])],
  );
  const { report, issues } = await measured('idle', decided, format);
  expect(issues).toMatchObject([{ code: 'layer-never-runs', facts: { layers: ['idle'] } }]);
  const effects = new Map(report.layers.map(({ name, outputEffect }) => [name, outputEffect?.[format]]));
  expect(effects.get('idle')).toBeNull();
  expect(effects.get('taken')).toBeGreaterThan(5);
  expect(effects.get('w')).toBeGreaterThan(5);
  expect(report.output?.[format]?.additivity?.ratio).toBeCloseTo(1, 0);
});

function byHand() {
  const errors = { local: [0, 0], cumulative: [0, 0], output: [0, 0] } as const;
  const add = (sums: readonly number[], exact: readonly number[], near: readonly number[]) => {
    const target = sums as number[];
    for (const [at, x] of exact.entries()) {
      target[0] = (target[0] ?? 0) + x * x;
      target[1] = (target[1] ?? 0) + (x - (near[at] ?? 0)) ** 2;
    }
  };
  for (let sample = 0; sample < SAMPLES; sample++) {
    let exact = Array.from(input.subarray(sample * SIZE, (sample + 1) * SIZE));
    let near = exact;
    for (let step = 0; step < TURNS; step++) {
      const [product, beside] = [times(exact, weight), times(near, close)];
      add(errors.local, product, times(exact, close));
      add(errors.cumulative, product, beside);
      [exact, near] = [product.map(Math.tanh), beside.map(Math.tanh)];
    }
    add(errors.output, exact, near);
  }
  const db = ([signal = 0, noise = 1]: readonly number[]) => 10 * Math.log10(signal / noise);
  return { local: db(errors.local), cumulative: db(errors.cumulative), output: db(errors.output) };
}

function weightError(): number {
  const noise = weight.reduce((sum, one, at) => sum + (one - (close[at] ?? 0)) ** 2, 0);
  return 10 * Math.log10(weight.reduce((sum, one) => sum + one * one, 0) / noise);
}

function times(row: readonly number[], matrix: Float32Array): readonly number[] {
  return Array.from({ length: SIZE }, (_, column) =>
    row.reduce((sum, x, at) => sum + x * (matrix[at * SIZE + column] ?? 0), 0),
  );
}

function dequantized(values: Float32Array): Float32Array {
  const scheme = parseQuantScheme(format).value;
  if (!scheme) throw new Error(format);
  const shape = [SIZE, SIZE];
  return dequantizeWeight(quantizeWeight(values, shape, 1, scheme), shape, 1);
}
