/** Weights of MatMulBnb4: onnxruntime multiplies them with the unit matrix, which gives every weight. */
import { describe, expect, it } from 'vitest';
import { quantizedFacts } from '../../../../server/src/engine/analysis/quantized-facts';
import { realWeight } from '../../../../server/src/engine/analysis/real-weight';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { output } from '../../../fixtures/quantize';
import { graphOf } from '../../../fixtures/run-graph';

const N = 16;
const K = 64;

function net(type: number, block: number) {
  // Every code in either half of a byte.
  const bytes = Array.from({ length: (N * K) / 2 }, (_, at) => (at * 37) % 256);
  const scales = normalValues((N * K) / block, 2).map((value) => Math.abs(value) + 0.1);
  return model(
    {
      inputs: [valueInfo('x', ['M', K])],
      outputs: [valueInfo('y', ['M', N])],
      initializers: [tensor('w', [bytes.length], bytes, 'uint8'), tensor('absmax', [scales.length], scales)],
      nodes: [
        node(
          'MatMulBnb4',
          ['x', 'w', 'absmax'],
          ['y'],
          { N, K, block_size: block, quant_type: type },
          { domain: 'com.microsoft' },
        ),
      ],
    },
    { opsets: [{ domain: 'com.microsoft', version: 1 }] },
  );
}

describe('weights of MatMulBnb4', () => {
  it.each([
    ['fp4', 0, 16],
    ['nf4', 1, 16],
    ['nf4', 1, 64],
    ['fp4', 0, 128],
  ] as const)(
    'in %s are those that onnxruntime computes with (type %i, blocks of %i)',
    async (name, type, block) => {
      const file = net(type, block);
      const unit = Float32Array.from({ length: K * K }, (_, at) => (at % (K + 1) === 0 ? 1 : 0));
      const computed = await output(file, { x: { data: unit, shape: [K, K] } }, 'all');
      const graph = graphOf(file);
      const [layer] = listLayers(graph);
      const real = layer && realWeight(layer).value;
      expect(real).toHaveLength(N * K);
      for (let n = 0; n < N; n++)
        for (let k = 0; k < K; k++)
          expect(real?.[n * K + k]).toBeCloseTo(computed[k * N + n] ?? Number.NaN, 5);
      const [facts] = await quantizedFacts(graph, { progress: () => {} });
      expect(facts?.quantized).toMatchObject({
        weightFloat: name,
        weightBits: 4,
        granularity: 'group',
        groupSize: block,
        badScales: 0,
      });
    },
  );
});
