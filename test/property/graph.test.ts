/** Laws of the graph on generated networks: passes keep outputs and names, copies are equal, shapes are true. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { staticShapes } from '../../server/src/engine/analysis/static-shapes';
import type { ModelProto, NodeProto, TensorProto } from '../../server/src/engine/format/onnx-types';
import { listLayers } from '../../server/src/engine/graph/layers';
import { runPasses } from '../../server/src/engine/graph/passes';
import { toOnnx } from '../../server/src/engine/graph/to-onnx';
import { verify } from '../../server/src/engine/graph/verify';
import { cloneModel, extract } from '../../server/src/engine/graph/walk';
import { model, node, normalValues, tensor, valueInfo } from '../fixtures/build';
import { graphOf, noiseFeeds, runGraph, sqnr } from '../fixtures/run-graph';

const seed = Number(process.env.QUANTLENS_PROPERTY_SEED ?? 20251120);
const parameters = { seed, numRuns: 60 };

/** Folding rounds weights to float32 once; a chain of ten layers stays far above this. */
const FOLDED_SQNR = 90;

const BATCH = 2;
const CHANNELS = 4;

class Builder {
  readonly nodes: NodeProto[] = [];
  readonly initializers = new Map<string, TensorProto>();
  readonly values = ['x'];

  constructor(private readonly weightSeed: number) {}

  weight(name: string, shape: readonly number[], positive = false): string {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    const values = normalValues(size, this.weightSeed + this.initializers.size, 0.4);
    const content = positive ? values.map((value) => 0.5 + Math.abs(value)) : values;
    this.initializers.set(name, tensor(name, shape, content));
    return name;
  }

  integers(name: string, values: readonly number[]): string {
    this.initializers.set(name, tensor(name, [values.length], values, 'int64'));
    return name;
  }

  emit(
    op: string,
    inputs: readonly string[],
    output: string,
    attributes: Parameters<typeof node>[3] = {},
  ): void {
    this.nodes.push(node(op, inputs, [output], attributes));
  }
}

/** Every step maps [N,4,S,S] to the same shape, from one or two earlier values. */
const steps: Readonly<Record<string, (to: Builder, output: string, input: string, other: string) => void>> = {
  conv(to, output, input) {
    const weight = to.weight(`${output}.weight`, [CHANNELS, CHANNELS, 3, 3]);
    to.emit('Conv', [input, weight, to.weight(`${output}.bias`, [CHANNELS])], output, { pads: [1, 1, 1, 1] });
  },
  sharedConv(to, output, input) {
    if (!to.initializers.has('shared.weight')) to.weight('shared.weight', [CHANNELS, CHANNELS, 1, 1]);
    to.emit('Conv', [input, 'shared.weight'], output);
  },
  depthwise(to, output, input) {
    const weight = to.weight(`onnx::Conv_${to.values.length}`, [CHANNELS, 1, 3, 3]);
    to.emit('Conv', [input, weight], output, { group: CHANNELS, pads: [1, 1, 1, 1] });
  },
  transposed(to, output, input) {
    const weight = to.weight(`${output}.weight`, [CHANNELS, CHANNELS / 2, 3, 3]);
    to.emit('ConvTranspose', [input, weight], output, { group: 2, pads: [1, 1, 1, 1] });
  },
  batchNorm(to, output, input) {
    const part = (which: string, positive = false) => to.weight(`${output}.${which}`, [CHANNELS], positive);
    const parts = [part('weight'), part('bias'), part('mean'), part('var', true)];
    to.emit('BatchNormalization', [input, ...parts], output);
  },
  relu: (to, output, input) => to.emit('Relu', [input], output),
  add: (to, output, input, other) => to.emit('Add', [input, other], output),
  identity: (to, output, input) => to.emit('Identity', [input], output),
  dropout: (to, output, input) => to.emit('Dropout', [input], output),
  /** Over channels: [N,C,S,S] → [N,S,S,C]·Wᵀ → back, the weight transposed by a node. */
  linear(to, output, input) {
    to.emit('Transpose', [to.weight(`${output}.weight`, [CHANNELS, CHANNELS])], `${output}_wt`, {
      perm: [1, 0],
    });
    to.emit('Transpose', [input], `${output}_in`, { perm: [0, 2, 3, 1] });
    to.emit('MatMul', [`${output}_in`, `${output}_wt`], `${output}_mm`);
    to.emit('Transpose', [`${output}_mm`], output, { perm: [0, 3, 1, 2] });
  },
  /** Pads by computed amounts and cuts them off again: the shape arithmetic of exporters. */
  padSlice(to, output, input) {
    const sides = [to.integers(`${output}_begin`, [0, 0, 1, 1]), to.integers(`${output}_end`, [0, 0, 1, 1])];
    to.emit('Concat', sides, `${output}_pads`, { axis: 0 });
    to.emit('Pad', [input, `${output}_pads`], `${output}_padded`);
    to.emit('Neg', [to.integers(`${output}_one`, [1, 1])], `${output}_stop`);
    const bounds = [
      to.integers(`${output}_start`, [1, 1]),
      `${output}_stop`,
      to.integers(`${output}_axes`, [2, 3]),
    ];
    to.emit('Slice', [`${output}_padded`, ...bounds], output);
  },
};

const network = fc.record({
  steps: fc.array(fc.tuple(fc.constantFrom(...Object.keys(steps)), fc.nat(), fc.nat()), {
    minLength: 1,
    maxLength: 10,
  }),
  size: fc.integer({ min: 3, max: 6 }),
  weights: fc.nat({ max: 1000 }),
  /** Further graph outputs, as positions among the values. */
  outputs: fc.array(fc.nat(), { maxLength: 2 }),
});

const proto: fc.Arbitrary<ModelProto> = network.map(({ steps: list, size, weights, outputs }) => {
  const to = new Builder(weights);
  for (const [kind, from, other] of list) {
    const pick = (at: number) => to.values[at % to.values.length] ?? 'x';
    const output = `v${to.values.length}`;
    steps[kind]?.(to, output, pick(from), pick(other));
    to.values.push(output);
  }
  const made = to.values.slice(1);
  const names = new Set([made.at(-1) ?? 'x', ...outputs.map((at) => made[at % made.length] ?? 'x')]);
  return model({
    inputs: [valueInfo('x', ['N', CHANNELS, size, size])],
    outputs: [...names].map((name) => ({ name })),
    nodes: to.nodes,
    initializers: [...to.initializers.values()],
  });
});

const layerNames = (of: ReturnType<typeof graphOf>) => listLayers(of).map((layer) => layer.name);

describe('passes', () => {
  it('keep outputs, layer names and the input model, and have nothing to do twice', async () => {
    await fc.assert(
      fc.asyncProperty(proto, async (file) => {
        const before = graphOf(file);
        const after = cloneModel(before);
        const { issues } = runPasses(after);
        expect([verify(after), verify(before), issues]).toEqual([[], [], []]);
        expect(layerNames(after)).toEqual(layerNames(before));
        expect(toOnnx(before)).toEqual(file);
        const feeds = noiseFeeds(before, BATCH);
        const [left, right] = [await runGraph(before, feeds), await runGraph(after, feeds)];
        expect(Object.keys(right)).toEqual(Object.keys(left));
        for (const [name, { values }] of Object.entries(left)) {
          expect(sqnr(values, right[name]?.values ?? [])).toBeGreaterThan(FOLDED_SQNR);
        }
        expect(runPasses(after).modified).toEqual([]);
      }),
      parameters,
    );
  });
});

describe('copies', () => {
  it('are equal and independent', () => {
    fc.assert(
      fc.property(proto, (file) => {
        const of = graphOf(file);
        const copy = cloneModel(of);
        expect(toOnnx(copy)).toEqual(file);
        runPasses(copy);
        expect(toOnnx(of)).toEqual(file);
      }),
      parameters,
    );
  });

  it('of a prefix and the rest compute the whole', async () => {
    await fc.assert(
      fc.asyncProperty(proto, fc.nat(), async (file, at) => {
        const of = graphOf(file);
        const values = of.graph.nodes.flatMap((one) => one.outputs).filter((one) => /^v\d+$/.test(one.name));
        const cut = values[at % values.length];
        if (!cut) throw new Error('a network has values');
        const prefix = extract(of, of.graph.inputs, [cut]);
        const rest = extract(of, [cut], of.graph.outputs);
        expect([verify(prefix), verify(rest)]).toEqual([[], []]);
        const feeds = noiseFeeds(of, BATCH);
        const middle = (await runGraph(prefix, feeds))[cut.name];
        if (!middle) throw new Error('the cut is an output');
        const given = {
          ...feeds,
          [cut.name]: { shape: middle.shape, data: Float32Array.from(middle.values) },
        };
        const wanted = rest.graph.inputs.map((input) => input.name);
        const joined = await runGraph(
          rest,
          Object.fromEntries(Object.entries(given).filter(([name]) => wanted.includes(name))),
        );
        expect(joined).toEqual(await runGraph(of, feeds));
      }),
      parameters,
    );
  });
});

describe('static shapes', () => {
  it('are those of a run, for every value', async () => {
    await fc.assert(
      fc.asyncProperty(proto, async (file) => {
        const outputs = file.graph?.nodes.flatMap((one) => one.outputs.map((name) => ({ name }))) ?? [];
        const of = graphOf({ ...file, graph: file.graph && { ...file.graph, outputs } });
        const shapes = staticShapes(of, () => BATCH);
        const results = await runGraph(of, noiseFeeds(of, BATCH));
        for (const [name, { shape }] of Object.entries(results)) {
          expect([name, shapes.shape(of.graph.values.get(name))]).toEqual([name, shape]);
        }
      }),
      parameters,
    );
  });
});
