/** Passes that change weights: BatchNormalization folded by hand values, shared weights, and the statistics read. */
import { describe, expect, it } from 'vitest';
import type { ModelProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { batchNormStatistics } from '../../../../server/src/engine/graph/batch-norm';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { runPasses } from '../../../../server/src/engine/graph/passes';
import { verify } from '../../../../server/src/engine/graph/verify';
import { convNet, float, graph, model, node, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf } from '../../../fixtures/run-graph';
import { checkPasses, image, net, noise, norm, normNode } from './fixtures/passes';

describe('fold-batchnorm', () => {
  it('gives hand values', () => {
    // γ 2, β 1, μ 3, variance 4 − ε: σ = 2, so W' = W·2/2 and b' = 1 + (b − 3)·2/2.
    const proto = net(
      ['N', 1, 1, 1],
      [node('Conv', ['x', 'w', 'b'], ['c']), normNode('bn', 'c', 'y', { epsilon: float(0.5) })],
      [
        tensor('w', [1, 1, 1, 1], [5]),
        tensor('b', [1], [7]),
        tensor('bn.weight', [1], [2]),
        tensor('bn.bias', [1], [1]),
        tensor('bn.mean', [1], [3]),
        tensor('bn.var', [1], [3.5]),
      ],
    );
    const value = graphOf(proto);
    runPasses(value);
    expect([...value.graph.initializers.keys()]).toEqual(['w', 'b']);
    const numbers = [...value.graph.initializers.values()].map((one) => [
      ...(one.tensor?.toFloat32().value ?? []),
    ]);
    expect(numbers).toEqual([[5], [5]]);
    expect(value.graph.outputs[0]?.producer?.opType).toBe('Conv');
  });

  it('names a new bias after its layer', () => {
    const value = graphOf(convNet());
    runPasses(value);
    const [conv] = listLayers(value);
    expect([conv?.weight.name, conv?.bias?.name, conv?.node.output()?.name]).toEqual([
      'conv1.weight',
      'conv1.bias',
      'bn1_out',
    ]);
    expect(value.graph.initializers.has('bn1.weight')).toBe(false);
  });

  it('keeps float16', () => {
    const half = (one: TensorProto) =>
      tensor(
        one.name,
        one.dims,
        Float32Array.from(new Float32Array((one.payload as { bytes: Uint8Array }).bytes.slice().buffer)),
        'float16',
      );
    const proto = model({
      inputs: [valueInfo('x', image, 'float16')],
      outputs: [valueInfo('y', undefined, 'float16')],
      nodes: [node('Conv', ['x', 'w'], ['c']), normNode('bn', 'c', 'y')],
      initializers: [noise('w', [6, 4, 3, 3], 1), ...norm].map(half),
    });
    const value = graphOf(proto);
    expect(runPasses(value).modified).toEqual(['fold-batchnorm']);
    expect([...value.graph.initializers.values()].map((one) => one.typeName)).toEqual(['float16', 'float16']);
  });

  it('reports weights that cannot be read, and leaves the layer', () => {
    const proto = convNet();
    const broken = {
      ...proto,
      graph: proto.graph && {
        ...proto.graph,
        initializers: proto.graph.initializers.map((one) =>
          one.name === 'conv1.weight'
            ? { ...one, payload: { kind: 'bytes' as const, bytes: new Uint8Array(3) } }
            : one,
        ),
      },
    };
    const result = runPasses(graphOf(broken));
    expect(result.modified).toEqual([]);
    expect(result.issues).toMatchObject([{ code: 'tensor-invalid' }]);
  });
});

describe('unshare-weights', () => {
  const shared = (weight: string, names: readonly string[]) =>
    net(
      ['N', 4],
      names.map((name, index) =>
        node(
          'MatMul',
          [index === 0 ? 'x' : `h${index}`, weight],
          [index === names.length - 1 ? 'y' : `h${index + 1}`],
          {},
          { name },
        ),
      ),
      [noise(weight, [4, 4], 1)],
    );
  const cases: readonly (readonly [string, ModelProto, readonly string[]])[] = [
    ['a named weight', shared('w.weight', ['a', 'b', 'c']), ['w.weight', 'w#2.weight', 'w#3.weight']],
    ['a bare name', shared('w', ['a', 'b']), ['w', 'w#2.weight']],
    [
      'a machine-made name',
      shared('onnx::MatMul_7', ['/a/MatMul', '/b/MatMul']),
      ['onnx::MatMul_7', 'onnx::MatMul_7#2'],
    ],
    ['digits', shared('12', ['', '']), ['12', '12#2']],
  ];
  it.each(cases)('copies %s and keeps layer names', async (_, proto, weights) => {
    const { after, worst } = await checkPasses(proto);
    expect(listLayers(after).map((layer) => layer.weight.name)).toEqual(weights);
    expect(worst).toBe(Number.POSITIVE_INFINITY);
  });

  it('works across subgraphs', () => {
    const branch = graph({
      name: 'b',
      outputs: [valueInfo('r', undefined)],
      nodes: [node('MatMul', ['h', 'w.weight'], ['r'])],
    });
    const proto = model({
      inputs: [valueInfo('x', ['N', 4]), valueInfo('c', [], 'bool')],
      outputs: [valueInfo('y', undefined)],
      initializers: [noise('w.weight', [4, 4], 1)],
      nodes: [
        node('MatMul', ['x', 'w.weight'], ['h']),
        node('If', ['c'], ['y'], { then_branch: branch, else_branch: { ...branch, name: 'e' } }),
      ],
    });
    const value = graphOf(proto);
    const names = listLayers(value).map((layer) => layer.name);
    runPasses(value);
    expect(verify(value)).toEqual([]);
    expect(listLayers(value).map((layer) => layer.name)).toEqual(names);
    expect(names).toEqual(['w', 'w#2', 'w#3']);
  });
});

describe('batchNormStatistics', () => {
  it('are β and γ² of the value that folding leaves behind', () => {
    const value = graphOf(convNet());
    const [found, ...others] = batchNormStatistics(value);
    expect(others).toEqual([]);
    expect(found?.layer).toBe('conv1');
    const read = (name: string) =>
      value.graph.initializers.get(name)?.tensor?.toFloat32().value ?? new Float32Array();
    expect(found?.mean).toEqual(read('bn1.bias'));
    expect(found?.variance).toEqual(read('bn1.weight').map((gamma) => gamma * gamma));
    runPasses(value);
    expect(value.graph.values.get(found?.valueName ?? '')?.producer?.op).toBe('Conv');
    expect(batchNormStatistics(value)).toEqual([]);
  });

  it('describe a normalisation behind no layer as well, and none in training', () => {
    const alone = net(['N', 6, 9, 9], [node('Relu', ['x'], ['r']), normNode('bn', 'r', 'y')], norm);
    expect(batchNormStatistics(graphOf(alone))).toMatchObject([{ valueName: 'y', layer: undefined }]);
    const training = net(['N', 6, 9, 9], [normNode('bn', 'x', 'y', { training_mode: 1 })], norm, {
      opset: 15,
    });
    expect(batchNormStatistics(graphOf(training))).toEqual([]);
  });
});
