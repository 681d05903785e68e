/** The packed layout of MatMulNBits against the operator of onnxruntime. */
import { describe, expect, test } from 'vitest';
import { packMatMulNBits, unpackMatMulNBits } from '../../server/src/engine/numerics/pack';
import { dequantizeWeight, quantizeWeight } from '../../server/src/engine/numerics/quantize-weight';
import { createRandom, normalArray } from '../../server/src/engine/numerics/random';
import { parseQuantScheme } from '../../server/src/engine/numerics/scheme';
import { MATMUL_NBITS_RELATIVE } from '../../server/src/engine/numerics/tolerances';
import { model, node, tensor, valueInfo } from '../fixtures/build';
import { runModel } from './ort';

describe('MatMulNBits', () => {
  const formats = [
    'int4.group32',
    'uint4.group32',
    'int4.group16',
    'int8.group32',
    'uint8.group64',
    'int2.group16',
    'uint2.group32',
  ];
  for (const [k, n] of [
    [64, 3],
    [50, 5],
  ] as const) {
    test.each(formats)(`K ${k}, N ${n}: %s`, async (format) => {
      await checkMatMul(format, k, n);
    });
  }
});

/** The identity times the weight is the weight. */
async function checkMatMul(format: string, k: number, n: number): Promise<void> {
  const scheme = parseQuantScheme(format).value;
  if (scheme === undefined) throw new Error(format);
  const weight = quantizeWeight(normalArray(createRandom(k), k * n), [k, n], 1, scheme);
  const packed = packMatMulNBits(weight, [k, n]);
  const values = dequantizeWeight(weight, [k, n], 1);
  expect(Array.from(unpackMatMulNBits(packed))).toEqual(Array.from(values));

  const { bits, blockSize, blocks, zeroPoints } = packed;
  const zeros = zeroPoints === undefined ? [] : [tensor('zeros', [zeroPoints.length], zeroPoints, 'uint8')];
  const built = model(
    {
      inputs: [valueInfo('x', [k, k])],
      outputs: [valueInfo('y', [k, n])],
      initializers: [
        tensor('weight', [n, blocks, (blockSize * bits) / 8], packed.packed, 'uint8'),
        tensor('scales', [n * blocks], packed.scales),
        ...zeros,
      ],
      nodes: [
        node(
          'MatMulNBits',
          ['x', 'weight', 'scales', ...zeros.map(({ name }) => name)],
          ['y'],
          { K: k, N: n, bits, block_size: blockSize },
          { domain: 'com.microsoft' },
        ),
      ],
    },
    { opsets: [{ domain: 'com.microsoft', version: 1 }] },
  );
  const identity = new Float32Array(k * k);
  for (let i = 0; i < k; i++) identity[i * k + i] = 1;
  const [product = []] = await runModel(built, { x: { data: identity, shape: [k, k] } });
  const largest = Math.max(...values.map(Math.abs));
  product.forEach((value, index) => {
    expect(Math.abs(value - (values[index] ?? 0))).toBeLessThanOrEqual(MATMUL_NBITS_RELATIVE * largest);
  });
  expect(product).toHaveLength(k * n);
}
