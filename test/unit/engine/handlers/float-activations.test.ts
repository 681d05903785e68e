/**
 * Networks whose activations no quantizer can reach as they stand: of half precision they are measured in float32, with the
 * very figures of the network that is float32 already; where nothing helps, the report says that activations stayed float.
 */
import { expect, it } from 'vitest';
import { floatToLowFloat, lowFloatToNumber } from '../../../../server/src/engine/base/lowfloat';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { measureHandler } from '../../../../server/src/engine/handlers/measure';
import { makePlan } from '../../../../server/src/engine/methods/plan';
import { line } from '../../../../server/src/rules/words';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf } from '../../../fixtures/run-graph';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();

type Type = 'float' | 'float16' | 'bfloat16';

/** Weights that the half type holds exactly, so that both networks are the same one. */
function exact(values: readonly number[], half: Type): number[] {
  if (half === 'float') return [...values];
  return values.map((value) => lowFloatToNumber(half, floatToLowFloat(half, value)));
}

/** Convolution, Relu and product, of which `inside` says what everything is computed in; inputs are `outside`. */
function network(inside: Type, values: Type, outside: Type = inside, opset = 17) {
  const cast = (from: string, to: string, code: number) => node('Cast', [from], [to], { to: code });
  const codes = { float: 1, float16: 10, bfloat16: 16 } as const;
  return model(
    {
      inputs: [valueInfo('x', ['N', 4, 4, 4], outside)],
      outputs: [valueInfo('y', ['N', 8], outside)],
      initializers: [
        tensor('scales', [4], [1, 1, 2, 2]),
        tensor('conv.weight', [6, 4, 1, 1], exact(Array.from(normalValues(24, 1, 0.3)), values), inside),
        tensor('conv.bias', [6], exact(Array.from(normalValues(6, 4, 0.3)), values), inside),
        tensor('fc.weight', [6, 8], exact(Array.from(normalValues(48, 2, 0.3)), values), inside),
      ],
      nodes: [
        cast('x', 'xi', codes[inside]),
        node('Conv', ['xi', 'conv.weight', 'conv.bias'], ['c']),
        node('Relu', ['c'], ['r']),
        // Of an operator set that cannot be raised, for it has no Upsample.
        ...(opset === 9 ? [node('Upsample', ['r', 'scales'], ['u'])] : []),
        node('GlobalAveragePool', [opset === 9 ? 'u' : 'r'], ['p']),
        node('Flatten', ['p'], ['f']),
        node('MatMul', ['f', 'fc.weight'], ['o'], {}, { name: 'fc' }),
        cast('o', 'y', codes[outside]),
      ],
    },
    { opset },
  );
}

async function measured(net: ReturnType<typeof network>, scheme: string) {
  const job = {
    kind: 'measure',
    model: folder.model('net.onnx', net),
    data: {
      source: folder.npy('x.npy', [8, 4, 4, 4], 'float', normalValues(512, 2)),
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
  return value;
}

it.each([
  ['float16', 'float16'],
  ['float16', 'float'],
  ['bfloat16', 'bfloat16'],
  ['bfloat16', 'float'],
] as const)('%s with inputs of %s is measured as the same network in float32', async (inside, outside) => {
  const half = await measured(network(inside, inside, outside), 'w8a8');
  const single = await measured(network('float', inside), 'w8a8');
  expect(half.output?.w8a8?.activations).toBeUndefined();
  expect(half.output).toEqual(single.output);
  const kinds = ['local', 'localWeights', 'localActivations', 'cumulative', 'outputEffect'] as const;
  for (const [index, layer] of half.layers.entries()) {
    expect(layer.dataType).toBe(inside);
    expect(layer.activation).toBeDefined();
    for (const kind of kinds) expect(layer[kind], kind).toEqual(single.layers[index]?.[kind]);
  }
  expect(half.issues.map(line)).toEqual([
    expect.stringMatching(new RegExp(`^the network computes in ${inside}: it was measured in float32`)),
  ]);
  expect(single.issues).toEqual([]);
});

it('weights alone leave the network in half precision', async () => {
  const { issues, layers } = await measured(network('float16', 'float16'), 'int8');
  expect(issues).toEqual([]);
  expect(layers.every((layer) => layer.activation === undefined)).toBe(true);
  expect(layers[0]?.local?.int8).toBeGreaterThan(20);
});

it('where activations cannot be quantized it says so, of every layer', async () => {
  const old = network('float', 'float', 'float', 9);
  const { output, layers, issues } = await measured(old, 'w8a8');
  expect(output?.w8a8?.activations).toBe('float');
  // Findings about clipping and wasted levels stand on these.
  expect(layers.every((layer) => layer.activation === undefined)).toBe(true);
  expect(issues.filter(({ code }) => code === 'R02').map(line)).toEqual([
    expect.stringMatching(/^conv: "\*": uint8\.tensor cannot be exported .*, nor in 1 more layer \(fc\)\./),
  ]);
});

it('a file of half precision is not given integer activations: R02 names every layer', () => {
  const half = graphOf(network('float16', 'float16'));
  const { issues } = makePlan({ model: half, layers: listLayers(half), scheme: 'w8a8' });
  expect(issues.map(({ facts }) => 'names' in facts && facts.names)).toEqual([['fc']]);
});
