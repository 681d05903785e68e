import { describe, expect, it } from 'vitest';
import { clippedNormal, cumulative, throughLayer } from '../../../../server/src/engine/analysis/moments';
import { fromOnnx } from '../../../../server/src/engine/graph/from-onnx';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';

describe('normal distribution', () => {
  it.each([
    [0, 0.5],
    [1, 0.8413447460685429],
    [-1.959963984540054, 0.025],
    [3, 0.9986501019683699],
    [Number.POSITIVE_INFINITY, 1],
    [Number.NEGATIVE_INFINITY, 0],
  ])('Φ(%d) = %d', (x, expected) => expect(cumulative(x)).toBeCloseTo(expected, 6));
});

describe('moments of a clipped normal equal those of a fine sum over its density', () => {
  it.each([
    [0, 1, 0, Number.POSITIVE_INFINITY],
    [-2, 3, 0, Number.POSITIVE_INFINITY],
    [1, 0.5, 0, 6],
    [5, 4, 0, 6],
    [-30, 1, 0, 6],
    [0.3, 2, -1, 1],
    [2, 1, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])('μ = %d, σ = %d, clipped to [%d, %d]', (mu, sigma, min, max) => {
    let weight = 0;
    let first = 0;
    let second = 0;
    for (let z = -9; z <= 9; z += 1e-3) {
      const density = Math.exp((-z * z) / 2);
      const y = Math.min(Math.max(mu + sigma * z, min), max);
      weight += density;
      first += density * y;
      second += density * y * y;
    }
    const mean = first / weight;
    const found = clippedNormal(
      { mean: Float64Array.of(mu), variance: Float64Array.of(sigma ** 2) },
      { min, max },
    );
    expect(found.mean[0]).toBeCloseTo(mean, 4);
    expect(found.variance[0]).toBeCloseTo(second / weight - mean ** 2, 3);
  });

  it('of no variance is the clipped mean', () => {
    const found = clippedNormal(
      { mean: Float64Array.of(9), variance: Float64Array.of(0) },
      { min: 0, max: 6 },
    );
    expect([found.mean[0], found.variance[0]]).toEqual([6, 0]);
  });
});

describe('moments behind a layer', () => {
  function layerOf(
    op: 'Conv' | 'Gemm',
    shape: readonly number[],
    attributes: Record<string, number> = {},
    bias = 0,
  ) {
    const count = shape.reduce((a, b) => a * b, 1);
    const outputs = op === 'Gemm' && !attributes.transB ? (shape[1] ?? 0) : (shape[0] ?? 0);
    const proto = model({
      inputs: [valueInfo('x', undefined)],
      outputs: [{ name: 'y' }],
      initializers: [
        tensor(
          'w',
          shape,
          Float32Array.from({ length: count }, (_, at) => at + 1),
        ),
        tensor('b', [outputs], new Float32Array(outputs).fill(bias)),
      ],
      nodes: [node(op, ['x', 'w', 'b'], ['y'], attributes)],
    });
    const made = fromOnnx(proto, undefined).value;
    const layer = made && listLayers(made)[0];
    if (!layer) throw new Error('a layer');
    return layer;
  }
  const input = { mean: Float64Array.of(1, -2), variance: Float64Array.of(0.5, 2) };

  it.each([
    // Weights 1 2 3 4: rows are outputs with transB, columns without.
    [
      'Gemm, transB',
      layerOf('Gemm', [2, 2], { transB: 1 }, 10),
      [10 + 1 - 4, 10 + 3 - 8],
      [0.5 + 8, 4.5 + 32],
    ],
    ['Gemm', layerOf('Gemm', [2, 2], {}, 0), [1 - 6, 2 - 8], [0.5 + 18, 2 + 32]],
    // One output; kernel sums 1+2 and 3+4, squares 5 and 25.
    ['Conv', layerOf('Conv', [1, 2, 1, 2], {}, 1), [1 + 3 - 14], [2.5 + 50]],
    ['depthwise Conv', layerOf('Conv', [2, 1, 1, 2], { group: 2 }, 0), [3, -14], [2.5, 50]],
  ])('%s', (_, layer, mean, variance) => {
    const found = throughLayer(layer, input);
    expect([...(found?.mean ?? [])]).toEqual(mean);
    expect([...(found?.variance ?? [])]).toEqual(variance);
  });

  it('equal measured ones for independent inputs', () => {
    const layer = layerOf('Gemm', [2, 2], { transB: 1 });
    const draws = 200_000;
    const noise = normalValues(2 * draws, 3);
    let sum = 0;
    let squares = 0;
    for (let at = 0; at < draws; at++) {
      const y =
        1 * (1 + Math.sqrt(0.5) * (noise[2 * at] ?? 0)) + 2 * (-2 + Math.sqrt(2) * (noise[2 * at + 1] ?? 0));
      sum += y;
      squares += y * y;
    }
    const found = throughLayer(layer, input);
    expect(found?.mean[0]).toBeCloseTo(sum / draws, 1);
    expect((found?.variance[0] ?? 0) / (squares / draws - (sum / draws) ** 2)).toBeCloseTo(1, 1);
  });

  it('are not said where channels do not match', () => {
    expect(
      throughLayer(layerOf('Gemm', [2, 2]), { mean: new Float64Array(3), variance: new Float64Array(3) }),
    ).toBeUndefined();
  });
});
