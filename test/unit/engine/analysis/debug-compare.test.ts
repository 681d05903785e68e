import { describe, expect, it } from 'vitest';
import type { ModelProto, NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { toOnnx } from '../../../../server/src/engine/graph/to-onnx';
import { compareHandler } from '../../../../server/src/engine/handlers/compare';
import type { AnalysisReport } from '../../../../server/src/protocol/reports';
import { convNet, matmulNet, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { output, quantized } from '../../../fixtures/quantize';
import { sqnr } from '../../../fixtures/run-graph';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const common = { threads: 1, seed: 0, dimensions: {} } as const;

function context(signal = new AbortController().signal) {
  return { signal, progress: () => {}, partial: () => {} };
}

/** Every name of the proto but its inputs and outputs replaced by a number. */
function renamed(proto: ModelProto): ModelProto {
  const { graph } = proto;
  if (!graph) throw new Error('no graph');
  const kept = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name));
  const names = new Map<string, string>();
  const rename = (name: string) => {
    if (name === '' || kept.has(name)) return name;
    if (!names.has(name)) names.set(name, `n${names.size}`);
    return names.get(name) ?? name;
  };
  return {
    ...proto,
    graph: {
      ...graph,
      valueInfo: [],
      initializers: graph.initializers.map((one) => ({ ...one, name: rename(one.name) })),
      nodes: graph.nodes.map((one) => ({
        ...one,
        name: '',
        inputs: one.inputs.map(rename),
        outputs: one.outputs.map(rename),
      })),
    },
  };
}

/** The Relu nodes taken out, as tools do whose quantizers clip at 0 anyway. */
function withoutRelu(proto: ModelProto): ModelProto {
  const { graph } = proto;
  if (!graph) throw new Error('no graph');
  const replaced = new Map(
    graph.nodes
      .filter((one) => one.opType === 'Relu')
      .map((one) => [one.outputs[0] ?? '', one.inputs[0] ?? '']),
  );
  return {
    ...proto,
    graph: {
      ...graph,
      nodes: graph.nodes
        .filter((one) => one.opType !== 'Relu')
        .map((one) => ({ ...one, inputs: one.inputs.map((name) => replaced.get(name) ?? name) })),
    },
  };
}

async function compared(
  float: ModelProto,
  other: ModelProto,
  shape: readonly number[] = [8, 3, 8, 8],
  samples: Float32Array = normalValues(8 * 192, 11),
): Promise<AnalysisReport> {
  const data = folder.npy('compare.npy', [...shape], 'float', samples);
  const job = {
    kind: 'compare',
    float: folder.model('float.onnx', float),
    quantized: folder.model('quantized.onnx', other),
    data: { source: data, seed: 0, preprocessing: {}, dimensions: {} },
    ...common,
  } as const;
  const { value, issues } = await compareHandler(job, context());
  if (!value) throw new Error(JSON.stringify(issues));
  return value;
}

describe('comparisons with the float original', () => {
  it('name the range that fits other data, and measure what a new one gains', async () => {
    const made = await quantized(convNet(), 'w8a8');
    const good = toOnnx(made.model);
    const [reader] = made.model.graph.nodes.filter((one) => one.opType === 'QuantizeLinear');
    const scale = reader?.input(1);
    const size = scale?.tensor?.toFloat32().value?.[0] ?? 0;
    const initializers = good.graph?.initializers.map((one) =>
      one.name === scale?.name ? tensor(one.name, one.dims, [size * 60]) : one,
    );
    const spoiled = good.graph && { ...good, graph: { ...good.graph, initializers: initializers ?? [] } };
    if (!spoiled) throw new Error('no graph');
    const report = await compared(convNet(), spoiled);
    const conv1 = report.layers.find((layer) => layer.name === 'conv1');
    expect(conv1?.quantized?.input?.codesUsed).toBeLessThan(16);
    const [gain] = report.remedies ?? [];
    expect(gain?.fix).toBe('recalibrate');
    expect(gain?.layers).toContain('conv1');
    expect((gain?.output.after ?? 0) - (gain?.output.before ?? 0)).toBeGreaterThan(10);
    expect(gain?.local?.conv1?.after).toBeGreaterThan(30);
  });

  it('measure scales per channel against one for the tensor', async () => {
    const made = await quantized(
      convNet(),
      '{"default": {"weights": "int4.tensor", "activations": "uint8.tensor"}}',
    );
    const report = await compared(convNet(), toOnnx(made.model));
    const gain = report.remedies?.find(({ fix }) => fix === 'per-channel-weights');
    expect(gain?.layers).toEqual(['conv1', 'conv2', 'fc']);
    for (const name of ['conv1', 'conv2', 'fc']) {
      const layer = report.layers.find((one) => one.name === name);
      // The stored weight is what the folded weight becomes under one scale.
      expect(layer?.quantized?.weightSqnr).toBeCloseTo(layer?.facts?.folded['int4.tensor'] ?? 0, 1);
    }
    expect(gain?.output.after).toBeGreaterThan(gain?.output.before ?? Number.POSITIVE_INFINITY);
  });

  it('pair layers without any weight, which have no direction', async () => {
    const empty = (proto: ModelProto): ModelProto => ({
      ...proto,
      graph: proto.graph && {
        ...proto.graph,
        initializers: proto.graph.initializers.map((one) =>
          one.name === 'fc.weight' ? tensor(one.name, one.dims, new Array(80).fill(0)) : one,
        ),
      },
    });
    const float = empty(convNet());
    const size = float.graph?.initializers.find((one) => one.name === 'fc.weight')?.dims;
    expect(size?.reduce((all, one) => all * one, 1)).toBe(80);
    const made = await quantized(float, 'w8a8');
    expect((await compared(float, toOnnx(made.model))).issues).toEqual([]);
  });

  it('find layers whose names were lost', async () => {
    const made = await quantized(convNet(), 'w8a8');
    const plain = await compared(convNet(), toOnnx(made.model));
    const nameless = await compared(convNet(), renamed(toOnnx(made.model)));
    expect(nameless.issues).toEqual([]);
    expect(nameless.layers.map(({ cumulative }) => cumulative)).toEqual(
      plain.layers.map(({ cumulative }) => cumulative),
    );
  });

  it.each([
    ['the transposed matrix', 'turned', true],
    ['a strange matrix', 'strange', false],
  ] as const)('name the layer that computes with %s', async (_name, kind, transposed) => {
    const float = matmulNet(16, 16);
    const right = normalValues(256, 1, 0.3);
    const wrong =
      kind === 'turned'
        ? right.map((_, at) => right[(at % 16) * 16 + Math.floor(at / 16)] ?? 0)
        : normalValues(256, 77, 0.3);
    const other: ModelProto = {
      ...float,
      graph: float.graph && {
        ...float.graph,
        initializers: float.graph.initializers.map((one) =>
          one.name === 'up.weight' ? tensor('up.weight', [16, 16], wrong) : one,
        ),
      },
    };
    const report = await compared(float, other, [8, 16], normalValues(128, 5));
    const [layer] = report.layers;
    const found = report.issues.find(({ code }) => code === 'weight-differs');
    expect(found).toMatchObject({ severity: 'error', anchor: { layer: layer?.name }, facts: { transposed } });
    expect(found?.facts).toHaveProperty(
      'sqnr',
      expect.closeTo(sqnr(Array.from(right), Array.from(wrong)), 2),
    );
    expect(layer?.local?.file).toBeLessThan(3);
    expect(report.issues.map(({ code }) => code)).not.toContain('layer-unmatched');
  });

  it('raise no alarm where the quantizer does what a Relu did', async () => {
    const made = await quantized(convNet(), 'w8a8');
    const kept = await compared(convNet(), toOnnx(made.model));
    const removed = await compared(convNet(), withoutRelu(toOnnx(made.model)));
    expect(removed.layers.some((layer) => layer.quantized?.clippedBy)).toBe(true);
    removed.layers.forEach((layer, index) => {
      for (const kind of ['local', 'cumulative'] as const) {
        const db = kept.layers[index]?.[kind]?.file ?? Number.NaN;
        expect(layer[kind]?.file, `${kind} ${layer.name}`).toBeCloseTo(db, 1);
      }
    });
    expect(removed.output?.file?.sqnr).toBeCloseTo(kept.output?.file?.sqnr ?? Number.NaN, 1);
  });

  it.each([
    ['each on its own', true],
    ['as one constant', false],
  ])('follow an operator on codes that were made elsewhere, its scales %s', async (_name, apart) => {
    const weight = normalValues(16 * 8, 5, 0.2);
    const scale = Math.max(...weight.map(Math.abs)) / 127;
    const border = { inputs: [valueInfo('x', ['N', 4, 4])], outputs: [valueInfo('z', ['N', 8])] };
    const shape = tensor('shape', [2], [-1, 16], 'int64');
    const float = model({
      ...border,
      initializers: [tensor('fc.weight', [16, 8], weight), shape],
      nodes: [node('Reshape', ['x', 'shape'], ['flat']), node('MatMul', ['flat', 'fc.weight'], ['z'])],
    });
    const coded = model({
      ...border,
      initializers: [
        tensor(
          'c',
          [16, 8],
          weight.map((w) => Math.round(w / scale)),
          'int8',
        ),
        tensor('cz', [], [0], 'int8'),
        tensor('cs', [], [scale]),
        tensor('xs', [], [0.025]),
        tensor('xz', [], [128], 'uint8'),
        tensor('both', [], [0.025 * scale]),
        shape,
      ],
      nodes: [
        node('QuantizeLinear', ['x', 'xs', 'xz'], ['q']),
        node('Reshape', ['q', 'shape'], ['moved']),
        node('MatMulInteger', ['moved', 'c', 'xz', 'cz'], ['sum']),
        node('Cast', ['sum'], ['real'], { to: 1 }),
        ...(apart ? [node('Mul', ['xs', 'cs'], ['product'])] : []),
        node('Mul', ['real', apart ? 'product' : 'both'], ['z']),
      ],
    });
    const rows = normalValues(128, 6);
    const report = await compared(float, coded, [8, 4, 4], rows);
    expect(report.issues).toEqual([]);
    const [layer] = report.layers;
    const feeds = { x: { data: Float32Array.from(rows), shape: [8, 4, 4] } };
    const truth = sqnr(await output(float, feeds, 'disabled'), await output(coded, feeds, 'disabled'));
    expect(layer?.cumulative?.file).toBeCloseTo(truth, 1);
    // The only layer: what it does on its own is what the network does.
    expect(layer?.local?.file).toBeCloseTo(truth, 1);
    expect(layer?.quantized?.weightSqnr).toBeCloseTo(layer?.weightSqnr?.['int8.tensor'] ?? 0, 1);
  });

  it('follow a dynamic operator to the real numbers it stands for', async () => {
    const weight = normalValues(16 * 8, 5, 0.2);
    const scale = Math.max(...weight.map(Math.abs)) / 127;
    const two = (extra: readonly TensorProto[], nodes: readonly NodeProto[]) =>
      model({
        inputs: [valueInfo('x', ['N', 16])],
        outputs: [valueInfo('z', ['N', 8])],
        initializers: [...extra],
        nodes: [...nodes],
      });
    const float = two([tensor('fc.weight', [16, 8], weight)], [node('MatMul', ['x', 'fc.weight'], ['z'])]);
    const dynamic = two(
      [
        tensor(
          'c',
          [16, 8],
          weight.map((w) => Math.round(w / scale)),
          'int8',
        ),
        tensor('cz', [], [0], 'int8'),
        tensor('cs', [], [scale]),
      ],
      [
        node('DynamicQuantizeLinear', ['x'], ['q', 'qs', 'qz']),
        node('MatMulInteger', ['q', 'c', 'qz', 'cz'], ['sum']),
        node('Cast', ['sum'], ['real'], { to: 1 }),
        node('Mul', ['qs', 'cs'], ['scales']),
        node('Mul', ['real', 'scales'], ['z']),
      ],
    );
    const report = await compared(float, dynamic, [8, 16], normalValues(128, 6));
    expect(report.issues).toMatchObject([{ code: 'single-samples', severity: 'information' }]);
    const [layer] = report.layers;
    expect(layer?.quantized).toMatchObject({ form: 'dynamic', weightSqnr: expect.any(Number) });
    expect(layer?.local?.file).toBeGreaterThan(30);
    // One layer: its own noise is all there is.
    expect(layer?.cumulative?.file).toBeCloseTo(layer?.local?.file ?? 0, 3);
    expect(report.output?.file?.sqnr).toBeCloseTo(layer?.local?.file ?? 0, 3);
  });

  it('refuse models that share no layer in one line, before anything runs', async () => {
    const net = (seed: number, channels: number) =>
      folder.model(
        `unrelated${seed}.onnx`,
        model({
          inputs: [valueInfo('x', ['N', 3, 8, 8])],
          outputs: [valueInfo('y', undefined)],
          initializers: [tensor('w', [channels, 3, 3, 3], normalValues(channels * 27, seed))],
          nodes: [node('Conv', ['x', 'w'], ['y'])],
        }),
      );
    const job = {
      kind: 'compare',
      float: net(1, 4),
      quantized: net(2, 6),
      data: { source: 'random', seed: 0, preprocessing: {}, dimensions: {} },
      ...common,
    } as const;
    const { value, issues } = await compareHandler(job, context());
    expect(value).toBeUndefined();
    expect(issues).toMatchObject([{ code: 'models-differ', severity: 'error' }]);
  });

  it('leave BatchNormalization where the quantized file kept it', async () => {
    const float = convNet();
    const { graph } = float;
    const weight = graph?.initializers.find(({ name }) => name === 'conv1.weight');
    if (!graph || weight?.payload.kind !== 'bytes') throw new Error('no weight');
    const values = new Float32Array(weight.payload.bytes.slice().buffer);
    const scale = Math.max(...values.map(Math.abs)) / 127;
    const kept: ModelProto = {
      ...float,
      graph: {
        ...graph,
        initializers: [
          ...graph.initializers.filter((one) => one !== weight),
          tensor(
            'codes',
            weight.dims,
            values.map((w) => Math.round(w / scale)),
            'int8',
          ),
          tensor('codes_scale', [], [scale]),
          tensor('codes_zero', [], [0], 'int8'),
        ],
        nodes: [
          node('DequantizeLinear', ['codes', 'codes_scale', 'codes_zero'], ['conv1.weight']),
          ...graph.nodes,
        ],
      },
    };
    const report = await compared(float, kept);
    expect(report.issues).toEqual([]);
    const conv1 = report.layers.find((layer) => layer.name === 'conv1');
    // Against the folded weight, or its output, the same codes would be wrong by far.
    expect(conv1?.quantized?.weightSqnr).toBeGreaterThan(35);
    expect(conv1?.cumulative?.file).toBeGreaterThan(35);
  });
});
