/** Our quantizer against QuantizeLinear and DequantizeLinear of onnxruntime, bit for bit, edge values included. */
import { describe, expect, test } from 'vitest';
import {
  dequantize,
  fakeQuantize,
  parametersFor,
  quantizeValue,
  symmetricScale,
} from '../../server/src/engine/numerics/affine';
import { blockedLayout } from '../../server/src/engine/numerics/pack';
import { dequantizeWeight, quantizeWeight } from '../../server/src/engine/numerics/quantize-weight';
import { createRandom, normalArray } from '../../server/src/engine/numerics/random';
import { parseQuantScheme, type QuantScheme } from '../../server/src/engine/numerics/scheme';
import { model, node, tensor, valueInfo } from '../fixtures/build';
import { runModel } from './ort';

type Storage = 'int8' | 'uint8' | 'int16' | 'uint16' | 'int4' | 'uint4' | 'int2' | 'uint2';

/** Ties, both zeros, subnormals, neighbours of ties, saturation on both sides, the largest floats. */
const edges: readonly number[] = [
  0,
  -0,
  0.5,
  1.5,
  2.5,
  3.5,
  -0.5,
  -1.5,
  -2.5,
  -3.5,
  0.49999997,
  0.50000006,
  -0.49999997,
  -0.50000006,
  1.4999999,
  126.5,
  127.5,
  128.5,
  -127.5,
  -128.5,
  -129.5,
  254.5,
  255.5,
  256.5,
  32766.5,
  32767.5,
  -32768.5,
  65534.5,
  65535.5,
  1e-45,
  -1e-45,
  1.1754942e-38,
  -1.1754942e-38,
  1e-20,
  1e20,
  -1e20,
  3.4028235e38,
  -3.4028235e38,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
];

const scales = [1, 0.5, 0.1, 1 / 3, 0.0156862745, 1e-3, 7.5, 1e-30, 2 ** -126, 1e30, 4.669];

interface Case {
  readonly type: Storage;
  readonly zeroPoint: number;
}

const cases: readonly Case[] = [
  { type: 'int8', zeroPoint: 0 },
  { type: 'int8', zeroPoint: -128 },
  { type: 'int8', zeroPoint: 5 },
  { type: 'uint8', zeroPoint: 0 },
  { type: 'uint8', zeroPoint: 128 },
  { type: 'uint8', zeroPoint: 255 },
  { type: 'int16', zeroPoint: 0 },
  { type: 'int16', zeroPoint: -300 },
  { type: 'uint16', zeroPoint: 32768 },
  { type: 'int4', zeroPoint: 0 },
  { type: 'int4', zeroPoint: 3 },
  { type: 'uint4', zeroPoint: 8 },
  { type: 'int2', zeroPoint: 0 },
  { type: 'uint2', zeroPoint: 2 },
];

describe('QuantizeLinear and DequantizeLinear', () => {
  test.each(cases)('$type, zero point $zeroPoint', async ({ type, zeroPoint }) => {
    const random = normalArray(createRandom(3), 500);
    for (const stated of scales) {
      const scale = Math.fround(stated);
      const values = Float32Array.from([
        ...edges,
        ...edges.map((x) => x * scale),
        ...random.map((x) => x * 60 * scale),
      ]).filter((x) => !type.endsWith('t2') || Math.abs(x / scale) < 2 ** 31);
      const [codes, back] = await throughOrt(values, scale, zeroPoint, type);
      const parameters = { scale, zeroPoint, ...storageRange(type) };
      const ours = Array.from(values, (x) => quantizeValue(x, parameters) + 0);
      expect({ scale, codes: ours }).toEqual({ scale, codes });
      expect(bits(dequantize(ours, parameters))).toEqual(bits(back));
    }
  });

  test('onnxruntime 1.30 saturates 2-bit codes to the wrong end beyond 2^31 steps; ours do not', async () => {
    const values = Float32Array.of(1e20, 2 ** 31, 2 ** 30, -1e20);
    const [codes] = await throughOrt(values, 1, 0, 'int2');
    const parameters = { scale: 1, zeroPoint: 0, ...storageRange('int2') };
    expect(codes).toEqual([-2, -2, 1, -2]);
    expect(Array.from(values, (x) => quantizeValue(x, parameters))).toEqual([1, 1, 1, -2]);
  });

  test('min-max parameters of ranges that are one-sided, tiny or wide', async () => {
    const scheme = { bits: 8, signed: false, symmetric: false };
    for (const [min, max] of [
      [0, 1],
      [-1, 3],
      [2.1, 3.5],
      [-7, -1],
      [0, 0],
      [-1e-40, 1e-40],
      [-3e38, 3e38],
    ] as const) {
      const parameters = parametersFor({ min, max }, scheme);
      const values = Float32Array.from({ length: 257 }, (_, i) => min + ((max - min) / 256) * i);
      const [, back] = await throughOrt(values, parameters.scale, parameters.zeroPoint, 'uint8');
      expect(bits(fakeQuantize(values, parameters))).toEqual(bits(back));
    }
  });

  test('an all-zero or denormal channel has a scale that onnxruntime takes', async () => {
    for (const absMax of [0, 1e-45, 1e-38]) {
      const scale = symmetricScale(absMax, 127);
      const [codes] = await throughOrt(Float32Array.of(absMax, -absMax, 0), scale, 0, 'int8');
      const parameters = parametersFor(
        { min: -absMax, max: absMax },
        { bits: 8, signed: true, symmetric: true },
      );
      expect(codes).toEqual([absMax, -absMax, 0].map((x) => quantizeValue(x, parameters) + 0));
    }
  });
});

describe('weights per channel and in groups', () => {
  const formats = [
    'int8.tensor',
    'int8.channel',
    'int4.channel',
    'int4.group16',
    'uint4.group16',
    'int8.group32',
    'uint8.channel',
    'int2.group16',
  ];
  const layouts = [
    { name: 'Gemm with transB', shape: [5, 40], axis: 0 },
    { name: 'MatMul', shape: [40, 5], axis: 1 },
  ];
  for (const layout of layouts) {
    test.each(formats)(`${layout.name} %s`, async (format) => {
      const scheme = schemeOf(format);
      const data = normalArray(createRandom(11), 200);
      const weight = quantizeWeight(data, layout.shape, layout.axis, scheme);
      const values = dequantizeWeight(weight, layout.shape, layout.axis);
      const dequantized = await dequantizeByOrt(weight, layout.shape, layout.axis, scheme);
      expect(bits(values)).toEqual(bits(dequantized));
    });
  }
});

async function throughOrt(values: Float32Array, scale: number, zeroPoint: number, type: Storage) {
  // Narrow integers leave the graph by way of a dequantizer with scale 1, because Cast lacks some of them.
  const readOut = /[24]$/.test(type)
    ? [node('DequantizeLinear', ['q', 'one', 'none'], ['f']), node('Cast', ['f'], ['codes'], { to: 6 })]
    : [node('Cast', ['q'], ['codes'], { to: 6 })];
  const built = model(
    {
      inputs: [valueInfo('x', [values.length])],
      outputs: [valueInfo('codes', [values.length], 'int32'), valueInfo('back', [values.length])],
      initializers: [
        tensor('scale', [], [scale]),
        tensor('zero', [], [zeroPoint], type),
        tensor('one', [], [1]),
        tensor('none', [], [0], type),
      ],
      nodes: [
        node('QuantizeLinear', ['x', 'scale', 'zero'], ['q']),
        ...readOut,
        node('DequantizeLinear', ['q', 'scale', 'zero'], ['back']),
      ],
    },
    { opset: 25, irVersion: 11 },
  );
  const [codes = [], back = []] = await runModel(built, { x: { data: values, shape: [values.length] } });
  return [codes, back] as const;
}

/** Values of a quantized weight as DequantizeLinear sees it: per tensor, per axis or blocked. */
async function dequantizeByOrt(
  weight: ReturnType<typeof quantizeWeight>,
  shape: readonly number[],
  axis: number,
  scheme: QuantScheme,
): Promise<readonly number[]> {
  const { granularity } = scheme;
  const type = `${scheme.signed ? 'int' : 'uint'}${scheme.bits}` as Storage;
  const channels = shape[axis] ?? 1;
  const grouped = typeof granularity !== 'string';
  const scaleShape =
    granularity === 'tensor'
      ? []
      : !grouped
        ? [channels]
        : axis === 0
          ? [channels, weight.groups]
          : [weight.groups, channels];
  const arrange = <T extends Float32Array | Int32Array>(values: T) =>
    grouped && axis === 1 ? blockedLayout(values, channels, weight.groups) : values;
  const attributes = { axis: grouped ? 1 - axis : axis, block_size: grouped ? granularity.group : 0 };
  const built = model(
    {
      outputs: [valueInfo('y', shape)],
      initializers: [
        tensor('codes', shape, weight.codes, type),
        tensor('scales', scaleShape, arrange(weight.scales)),
        tensor('zeros', scaleShape, arrange(weight.zeroPoints), type),
      ],
      nodes: [node('DequantizeLinear', ['codes', 'scales', 'zeros'], ['y'], attributes)],
    },
    { opset: 25, irVersion: 11 },
  );
  const [values = []] = await runModel(built);
  return values;
}

function storageRange(type: Storage) {
  const signed = type.startsWith('int');
  const width = Number(type.replace(/\D+/, ''));
  return signed
    ? { codeMin: -(2 ** (width - 1)), codeMax: 2 ** (width - 1) - 1 }
    : { codeMin: 0, codeMax: 2 ** width - 1 };
}

function schemeOf(format: string): QuantScheme {
  const { value } = parseQuantScheme(format);
  if (value === undefined) throw new Error(format);
  return value;
}

function bits(values: ArrayLike<number>): readonly number[] {
  return Array.from(new Uint32Array(Float32Array.from(values).buffer));
}
