/**
 * Parts of a configuration: its weights alone, its activations alone, what belongs to single layers. Oracles: the exported
 * file with float weights put back, run by onnxruntime; noise powers of independent parts add up to that of the whole.
 */
import { expect, it } from 'vitest';
import { addInitializer, setInput } from '../../../../server/src/engine/graph/edit';
import type { Model, Value } from '../../../../server/src/engine/graph/ir';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import { measureHandler } from '../../../../server/src/engine/handlers/measure';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { quantized } from '../../../fixtures/quantize';
import { runGraph, sqnr } from '../../../fixtures/run-graph';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const samples = 16;
const scheme = 'w8a8';

/** Convolutions whose outputs go through SiLU and Concat: many of the quantizers stand between layers. */
function siluNetwork() {
  const conv = (input: string, name: string) =>
    node('Conv', [input, `${name}.w`, `${name}.b`], [name], { pads: [1, 1, 1, 1] }, { name });
  const weight = (name: string, shape: readonly number[], seed: number) => {
    const size = shape.reduce((all, one) => all * one, 1);
    const [channels = 1] = shape;
    return [
      tensor(`${name}.w`, shape, Array.from(normalValues(size, seed, Math.sqrt((2 * channels) / size)))),
      tensor(`${name}.b`, [channels], Array.from(normalValues(channels, seed + 1, 0.2))),
    ];
  };
  const silu = (name: string) => [
    node('Sigmoid', [name], [`${name}.gate`]),
    node('Mul', [name, `${name}.gate`], [`${name}.silu`]),
  ];
  return model(
    {
      inputs: [valueInfo('x', ['N', 3, 8, 8])],
      outputs: [valueInfo('y', ['N', 4, 8, 8])],
      initializers: [
        ...weight('a', [8, 3, 3, 3], 1),
        ...weight('b', [8, 8, 3, 3], 3),
        ...weight('c', [8, 16, 3, 3], 5),
        ...weight('y', [4, 8, 3, 3], 7),
      ],
      nodes: [
        conv('x', 'a'),
        ...silu('a'),
        conv('a.silu', 'b'),
        ...silu('b'),
        node('Concat', ['a.silu', 'b.silu'], ['joined'], { axis: 1 }),
        conv('joined', 'c'),
        ...silu('c'),
        conv('c.silu', 'y'),
      ],
    },
    { opset: 17 },
  );
}

async function measured(data: Float32Array) {
  const job = {
    kind: 'measure',
    model: folder.model('net.onnx', siluNetwork()),
    data: {
      source: folder.npy('x.npy', [samples, 3, 8, 8], 'float', data),
      seed: 0,
      preprocessing: {},
      dimensions: {},
    },
    estimator: 'min-max',
    schemes: [scheme],
    metrics: ['cumulative', 'output'],
    threads: 1,
    seed: 0,
    dimensions: {},
  } as const;
  const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
  const { value, issues } = await measureHandler(job, context);
  const output = value?.output?.[scheme];
  if (!output) throw new Error(JSON.stringify(issues));
  return output;
}

/** The exported file whose layers read the float network's weights and biases again; activations stay as they are. */
function floatWeightsBack(float: Model, exported: Model): Model {
  const made = cloneModel(exported);
  const ofFloat = new Map(float.graph.nodes.map((one) => [one.name, one]));
  for (const one of made.graph.nodes.filter(({ opType }) => opType === 'Conv')) {
    one.inputs.forEach((input, index) => {
      const constant = ofFloat.get(one.name)?.input(index);
      if (!input || !constant?.tensor || !storesCodes(input)) return;
      setInput(one, index, addInitializer(made.graph, `${constant.name}_float`, constant.tensor));
    });
  }
  return made;
}

function storesCodes(value: Value): boolean {
  return value.producer?.opType === 'DequantizeLinear' && value.producer.input(0)?.tensor !== undefined;
}

const power = (db: number | null | undefined) => 10 ** (-(db ?? Number.NaN) / 10);

it('activations alone keep every quantizer of the whole, and the parts add up to it', async () => {
  const { float, model: exported, feeds } = await quantized(siluNetwork(), scheme, samples);
  const output = await measured(feeds.x?.data as Float32Array);
  const run = async (one: Model) => (await runGraph(one, feeds)).y?.values ?? [];
  const exact = await run(float);
  expect(output.sqnr).toBeCloseTo(sqnr(exact, await run(exported)), 2);
  expect(output.activationsOnly?.sqnr).toBeCloseTo(
    sqnr(exact, await run(floatWeightsBack(float, exported))),
    2,
  );
  const parts = power(output.weightsOnly?.sqnr) + power(output.activationsOnly?.sqnr);
  expect(parts / power(output.sqnr)).toBeGreaterThan(0.9);
  expect(parts / power(output.sqnr)).toBeLessThan(1.1);
});

it('effects of single layers are held against all layers at once, without the quantizers between them', async () => {
  const { feeds } = await quantized(siluNetwork(), scheme, samples);
  const { sqnr: whole, layersOnly, additivity } = await measured(feeds.x?.data as Float32Array);
  expect(additivity?.measured).toBe(layersOnly?.sqnr);
  // Outputs of convolutions and operands of Mul and Concat belong to no layer.
  expect(power(layersOnly?.sqnr) / power(whole)).toBeLessThan(0.75);
  expect(additivity?.ratio).toBeGreaterThan(0.8);
  expect(additivity?.ratio).toBeLessThan(1.2);
});
