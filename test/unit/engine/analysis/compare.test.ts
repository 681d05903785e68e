/**
 * Local, cumulative and output error against an oracle that shares no code with them: both networks run on their own
 * in onnxruntime with every tensor exposed, and differences are taken in float64.
 */
import { describe, expect, it } from 'vitest';
import { exportedPairs, matchedPairs } from '../../../../server/src/engine/analysis/layer-pairs';
import {
  type MatchLayer,
  matchByPlace,
  matchLayers,
} from '../../../../server/src/engine/analysis/match-layers';
import { realWeight } from '../../../../server/src/engine/analysis/real-weight';
import { type ComparisonKind, shadowModel } from '../../../../server/src/engine/analysis/shadow';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import type { Model } from '../../../../server/src/engine/graph/ir';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { toOnnx } from '../../../../server/src/engine/graph/to-onnx';
import { verify } from '../../../../server/src/engine/graph/verify';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
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
import { folded, quantized, run } from '../../../fixtures/quantize';
import { sqnr } from '../../../fixtures/run-graph';

/** Sums in float32 inside the session against sums in float64 outside. */
const TOLERANCE = 0.01;

/** In an operator set without blocks, where GroupNormalization keeps it: codes of groups stand in rows. */
function olderNet(): ModelProto {
  return model(
    {
      inputs: [valueInfo('input', ['N', 5, 8, 8])],
      outputs: [valueInfo('output', undefined)],
      initializers: [
        tensor('conv.weight', [8, 5, 3, 3], normalValues(360, 3, 0.3)),
        tensor('up.weight', [8, 6, 3, 3], normalValues(432, 4, 0.3)),
        tensor('scale', [2], [1, 1]),
        tensor('shift', [2], [0, 0]),
      ],
      nodes: [
        node('Conv', ['input', 'conv.weight'], ['conv_out']),
        node('GroupNormalization', ['conv_out', 'scale', 'shift'], ['norm_out'], { num_groups: 2 }),
        node('ConvTranspose', ['norm_out', 'up.weight'], ['output']),
      ],
    },
    { opset: 18 },
  );
}

/** A stack of three matrices. */
function stackNet(): ModelProto {
  return model({
    inputs: [valueInfo('input', [3, 'N', 20])],
    outputs: [valueInfo('output', undefined)],
    initializers: [tensor('stack.weight', [3, 20, 4], normalValues(240, 3, 0.3))],
    nodes: [node('MatMul', ['input', 'stack.weight'], ['output'])],
  });
}

/** dB per comparison of the shadow graph. */
async function figures(proto: ModelProto, scheme: Parameters<typeof quantized>[1]) {
  const made = await quantized(proto, scheme);
  const float = cloneModel(made.float);
  const pairs = exportedPairs(float, made.model);
  const shadow = shadowModel(float, made.model, pairs, { local: true, cumulative: true, output: true });
  expect(verify(shadow.model)).toEqual([]);
  const results = await run(shadow.model, made.feeds, 'basic');
  const db = (kind: ComparisonKind, name: string) => {
    const found = shadow.comparisons.find((one) => one.kind === kind && one.name === name);
    if (!found) throw new Error(`no comparison ${kind} ${name}`);
    return 10 * Math.log10(Number(results[found.signal]?.[0]) / Number(results[found.noise]?.[0]));
  };
  return { ...made, pairs, shadow, db };
}

/** All float tensors of a network by name. */
async function everything(model: Model, feeds: Parameters<typeof run>[1]) {
  const proto = toOnnx(model);
  const names = model.graph.nodes.flatMap((node) => node.outputs.map((output) => output.name));
  const taps = names
    .filter((name) => !proto.graph?.outputs.some((output) => output.name === name))
    .map((name) => ({ name }));
  if (!proto.graph) throw new Error('no graph');
  return run(
    { ...proto, graph: { ...proto.graph, outputs: [...proto.graph.outputs, ...taps] } },
    feeds,
    'basic',
  );
}

async function checkCumulative(proto: ModelProto, scheme: string): Promise<void> {
  const made = await quantized(proto, scheme);
  const exact = await everything(made.float, made.feeds);
  const approximate = await everything(made.model, made.feeds);
  const pairs = exportedPairs(made.float, made.model);
  expect(pairs.map((pair) => pair.name)).toEqual(listLayers(made.float).map((layer) => layer.name));
  const expected = pairs.map((pair) =>
    sqnr(
      Array.from(exact[pair.float.output.name] ?? []),
      Array.from(approximate[pair.quantized.output.name] ?? []),
    ),
  );
  const float = cloneModel(made.float);
  const twin = made.model;
  const shadow = shadowModel(float, twin, exportedPairs(float, twin), {
    local: false,
    cumulative: true,
    output: false,
  });
  const results = await run(shadow.model, made.feeds, 'basic');
  const measured = shadow.comparisons.map(
    (one) => 10 * Math.log10(Number(results[one.signal]?.[0]) / Number(results[one.noise]?.[0])),
  );
  expected.forEach((value, index) => {
    expect(Math.abs((measured[index] ?? Number.NaN) - value), `${pairs[index]?.name} ${value}`).toBeLessThan(
      TOLERANCE,
    );
  });
}

describe('cumulative error', () => {
  it.each([
    ['convNet', convNet(), 'w8a8'],
    ['convNet weight-only', convNet(), 'int4'],
    ['gemmNet', gemmNet(), 'w8a8'],
    ['matmulNet int4 (MatMulNBits)', matmulNet(32, 64), 'int4'],
    ['gemmNet int4 (MatMulNBits and Add)', gemmNet(64), 'int4'],
    ['convNet in blocks', convNet(), 'int4.group16'],
    ['convNet in rows', olderNet(), 'int4.group16'],
    ['a stack of matrices in blocks', stackNet(), 'int4.group16'],
  ])('%s equals the difference of two separate runs', async (_name, proto, scheme) => {
    await checkCumulative(proto, scheme);
  });
});

describe('local error', () => {
  it.each(['conv1', 'conv2', 'fc'])(
    'of %s is the cumulative error when only this layer is quantized',
    async (name) => {
      const all = await figures(convNet(), 'w8a8');
      const others = ['conv1', 'conv2', 'fc'].filter((one) => one !== name);
      const alone = await figures(convNet(), { scheme: 'w8a8', keepFloat: others });
      // Integer kernels of neighbours may decide how a Relu's range is cut; the layer's own noise stays.
      expect(Math.abs(all.db('local', name) - alone.db('cumulative', name))).toBeLessThan(0.5);
    },
  );

  it('of weights alone equals weight-only quantization on the float input', async () => {
    const both = await figures(gemmNet(), 'w8a8');
    const weights = await figures(gemmNet(), 'int8.channel');
    expect(both.db('localWeights', 'fc')).toBeCloseTo(weights.db('local', 'fc'), 1);
  });

  it('of weights and of activations add up to that of both, as uncorrelated noise does', async () => {
    const { db } = await figures(convNet(), 'w8a8');
    const noise = (kind: ComparisonKind) => 10 ** (-db(kind, 'conv1') / 10);
    const sum = noise('localWeights') + noise('localActivations');
    expect(Math.abs(10 * Math.log10(sum / noise('local')))).toBeLessThan(1);
  });
});

describe('matching layers', () => {
  const layer = (name: string, seed: number, params = 64): MatchLayer => ({
    name,
    family: 'conv',
    params,
    sample: normalValues(params, seed),
  });
  const names = (float: readonly MatchLayer[], other: readonly MatchLayer[]) =>
    matchLayers(float, other).map((pair) => `${float[pair.float]?.name}-${other[pair.quantized]?.name}`);

  it('pairs by weights although names differ', () => {
    expect(
      names([layer('a', 1), layer('b', 2), layer('c', 3)], [layer('x', 1), layer('y', 2), layer('z', 3)]),
    ).toEqual(['a-x', 'b-y', 'c-z']);
  });
  it('leaves out a layer that the other network lacks, although shapes agree', () => {
    expect(names([layer('a', 1), layer('b', 2), layer('c', 3)], [layer('x', 1), layer('z', 3)])).toEqual([
      'a-x',
      'c-z',
    ]);
    expect(names([layer('a', 1), layer('c', 3)], [layer('x', 1), layer('y', 2), layer('z', 3)])).toEqual([
      'a-x',
      'c-z',
    ]);
  });
  it('finds a layer that stands elsewhere, by its weight', () => {
    expect(
      names([layer('a', 1), layer('b', 2), layer('c', 3)], [layer('y', 2), layer('x', 1), layer('z', 3)]),
    ).toEqual(['a-x', 'b-y', 'c-z']);
  });
  it.each([
    ['another weight between the same neighbours', [1, 2, 3], [1, 9, 3], ['1-1']],
    ['at the end', [1, 2, 3], [1, 2, 9], ['2-2']],
    ['no place where one side has more', [1, 2, 3], [1, 8, 9, 3], []],
    ['strange networks', [1, 2, 3], [1, 8, 9], []],
  ])('pairs by place what weights left over: %s', (_name, ours, theirs, expected) => {
    const [float, other] = [ours, theirs].map((seeds) => seeds.map((seed) => layer('x', seed)));
    const found = matchByPlace(float ?? [], other ?? [], matchLayers(float ?? [], other ?? []));
    expect(found.map((pair) => `${pair.float}-${pair.quantized}`)).toEqual(expected);
    const sizes = (other ?? []).map((one) => ({ ...one, params: one.params + 1 }));
    expect(matchByPlace(float ?? [], sizes, matchLayers(float ?? [], other ?? []))).toEqual([]);
  });
  it('never pairs another kind of operator or another size', () => {
    expect(names([layer('a', 1)], [{ ...layer('a', 1), family: 'matmul' }])).toEqual([]);
    expect(names([layer('a', 1, 64)], [layer('a', 1, 32)])).toEqual([]);
  });
  it('falls back to order where weights are unreadable', () => {
    const blind = (name: string) => ({ ...layer(name, 1), sample: undefined });
    expect(names([blind('a'), blind('b')], [blind('x'), blind('y')])).toEqual(['a-x', 'b-y']);
  });

  it.each([
    ['w8a8', convNet()],
    ['int4', matmulNet(32, 64)],
    ['int4.group32', gemmNet(64)],
    ['int4.group16', convNet()],
    ['int4.group16', olderNet()],
  ])('finds every layer of a %s export whose names were lost', async (scheme, proto) => {
    const made = await quantized(proto, scheme);
    const { pairs, unmatched } = matchedPairs(made.float, made.model);
    expect(unmatched).toEqual([]);
    expect(pairs.map((pair) => pair.name)).toEqual(listLayers(made.float).map((one) => one.name));
  });
});

describe('the real weight of a stored layer', () => {
  it.each([
    ['int8.channel', convNet()],
    ['int8.tensor', convNet()],
    ['int4.channel', convNet()],
    ['int4.group32', matmulNet(64, 64)],
    ['int4.group16', gemmNet(40)],
    ['int4.group16', convNet()],
    ['int4.group16', olderNet()],
    ['int4.group16', stackNet()],
  ])('%s is within half a step of the float weight', async (format, proto) => {
    const made = await quantized(proto, format);
    const exact = listLayers(made.float);
    const stored = listLayers(made.model);
    expect(stored.length).toBe(exact.length);
    exact.forEach((one, index) => {
      const twin = stored[index];
      const float = realWeight(one).value;
      const real = twin && realWeight(twin).value;
      if (!float || !real) throw new Error(`weight of ${one.name} cannot be read`);
      expect(twin?.quantized).toBe(true);
      expect(sqnr(Array.from(float), Array.from(real))).toBeGreaterThan(format.startsWith('int8') ? 30 : 12);
      expect(sqnr(Array.from(float), Array.from(real))).toBeLessThan(80);
    });
  });
});

it('a network compared with itself has no noise', async () => {
  const float = folded(convNet());
  const other = folded(convNet());
  const { pairs } = matchedPairs(float, other);
  const shadow = shadowModel(float, other, pairs, { local: true, cumulative: true, output: true });
  const results = await run(
    shadow.model,
    { input: { shape: [2, 3, 8, 8], data: normalValues(384, 9) } },
    'basic',
  );
  for (const { noise } of shadow.comparisons) expect(Number(results[noise]?.[0])).toBe(0);
});

it('a layer in half precision is run on the cast float activation and loses what 10 bits of fraction lose', async () => {
  const weight = normalValues(4 * 8, 3, 0.3);
  const net = (type: 'float' | 'float16') => {
    const cast = type === 'float16';
    return folded(
      model({
        inputs: [valueInfo('x', ['N', 8])],
        outputs: [valueInfo('y', undefined)],
        initializers: [tensor('fc.weight', [8, 4], weight, type)],
        nodes: [
          ...(cast ? [node('Cast', ['x'], ['xh'], { to: 10 })] : []),
          node('MatMul', [cast ? 'xh' : 'x', 'fc.weight'], [cast ? 'h' : 'y']),
          ...(cast ? [node('Cast', ['h'], ['y'], { to: 1 })] : []),
        ],
      }),
    );
  };
  const [float, half] = [net('float'), net('float16')];
  const { pairs, unmatched } = matchedPairs(float, half);
  expect(unmatched).toEqual([]);
  const shadow = shadowModel(float, half, pairs, { local: true, cumulative: true, output: true });
  const results = await run(shadow.model, { x: { shape: [16, 8], data: normalValues(128, 9) } }, 'disabled');
  expect(shadow.comparisons.map(({ kind }) => kind)).toEqual(['local', 'cumulative', 'output']);
  for (const { signal, noise } of shadow.comparisons) {
    const db = 10 * Math.log10(Number(results[signal]?.[0]) / Number(results[noise]?.[0]));
    // Rounding to 11 significant bits: 6.02 · 11 + 10.8 dB at most, three roundings, sums of eight products.
    expect(db).toBeGreaterThan(60);
    expect(db).toBeLessThan(80);
  }
});

it.each([
  ['blocks', convNet(), ['Reshape']],
  ['rows', olderNet(), ['Reshape', 'Slice', 'Transpose']],
] as const)(
  'weights in %s reach their layer through operators of their own',
  async (form, proto, through) => {
    const made = await quantized(proto, 'int4.group16');
    expect(made.plan.layers.map((layer) => layer.form)).toContain(form);
    const layers = listLayers(made.model);
    const exact = listLayers(made.float);
    expect(layers.map((layer) => layer.shape)).toEqual(exact.map((layer) => layer.shape));
    expect(layers.map((layer) => layer.channelAxis)).toEqual(exact.map((layer) => layer.channelAxis));
    const ops = new Set(layers.flatMap((layer) => layer.through.map((one) => one.opType)));
    expect([...ops]).toEqual(expect.arrayContaining([...through]));
  },
);
