/**
 * Files whose codes are small floats (ONNX float8, opset 19), and activation functions that quantizers do not replace:
 * what the file is, what its weights cost, what it lost, and that onnxruntime does not take it.
 */
import { describe, expect, it } from 'vitest';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { compareHandler } from '../../../../server/src/engine/handlers/compare';
import { debugHandler } from '../../../../server/src/engine/handlers/debug';
import type { AnalysisReport } from '../../../../server/src/protocol/reports';
import { findingsOf } from '../../../../server/src/rules/model-view';
import { storedWeightFormat } from '../../../../server/src/rules/quantized-row';
import { line } from '../../../../server/src/rules/words';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { sqnr } from '../../../fixtures/run-graph';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const common = { threads: 1, seed: 0, dimensions: {} } as const;
const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
const border = {
  inputs: [valueInfo('x', ['N', 4, 6, 6])],
  outputs: [valueInfo('y', ['N', 4, 6, 6])],
};
const weights = [normalValues(8 * 4, 1, 0.4), normalValues(4 * 8, 2, 0.4)] as const;

/** Convolution, Relu, convolution. */
const float = model(
  {
    ...border,
    initializers: [
      tensor('a.weight', [8, 4, 1, 1], weights[0]),
      tensor('b.weight', [4, 8, 1, 1], weights[1]),
    ],
    nodes: [
      node('Conv', ['x', 'a.weight'], ['a']),
      node('Relu', ['a'], ['r']),
      node('Conv', ['r', 'b.weight'], ['y']),
    ],
  },
  { opset: 19 },
);

type Codes = 'float8e4m3fn' | 'int8' | 'uint8';

/** 2 ** -5 is exact in float32; e4m3 reaches 448, so weights and activations stay inside. */
const scale = 2 ** -5;

/** The network in codes of one type, with or without its Relu. */
function stored(type: Codes, relu: 'kept' | 'removed'): ModelProto {
  const weightType = type === 'uint8' ? 'int8' : type;
  const half = type === 'float8e4m3fn' ? 1 : 1 / scale;
  const codesOf = (values: readonly number[]) =>
    values.map((one) => (weightType === 'int8' ? Math.round(one * half) : one / scale));
  const pair = (from: string, to: string, zero: string) => [
    node('QuantizeLinear', [from, 's', zero], [`${to}_codes`]),
    node('DequantizeLinear', [`${to}_codes`, 's', zero], [to]),
  ];
  const read = (name: string) => node('DequantizeLinear', [`${name}.codes`, 's', 'wz'], [name]);
  return model(
    {
      ...border,
      initializers: [
        tensor('s', [], [scale]),
        tensor('wz', [], [0], weightType),
        tensor('xz', [], [type === 'uint8' ? 128 : 0], type),
        tensor('rz', [], [0], type),
        tensor('a.codes', [8, 4, 1, 1], codesOf(Array.from(weights[0])), weightType),
        tensor('b.codes', [4, 8, 1, 1], codesOf(Array.from(weights[1])), weightType),
      ],
      nodes: [
        ...pair('x', 'xr', 'xz'),
        read('a'),
        node('Conv', ['xr', 'a'], ['ay']),
        ...(relu === 'kept' ? [node('Relu', ['ay'], ['ar'])] : []),
        ...pair(relu === 'kept' ? 'ar' : 'ay', 'rr', 'rz'),
        read('b'),
        node('Conv', ['rr', 'b'], ['y']),
      ],
    },
    { opset: 19 },
  );
}

async function compared(quantized: ModelProto): Promise<AnalysisReport> {
  const source = folder.npy('x.npy', [8, 4, 6, 6], 'float', normalValues(8 * 144, 3));
  const { value, issues } = await compareHandler(
    {
      kind: 'compare',
      float: folder.model('float.onnx', float),
      quantized: folder.model('quantized.onnx', quantized),
      data: { source, seed: 0, preprocessing: {}, dimensions: {} },
      ...common,
    },
    context,
  );
  if (!value) throw new Error(JSON.stringify(issues));
  return value;
}

describe('a file of float8 codes', () => {
  it('is named by its type, with the true error of its weights', async () => {
    const { layers } = await compared(stored('float8e4m3fn', 'kept'));
    for (const [index, layer] of layers.entries()) {
      const { quantized } = layer;
      expect(quantized).toMatchObject({ weightFloat: 'float8e4m3fn', inputFloat: 'float8e4m3fn' });
      expect(quantized && storedWeightFormat(quantized)).toBe('float8e4m3fn.tensor');
      const exact = Array.from(weights[index] ?? []);
      expect(quantized?.weightSqnr).toBeCloseTo(sqnr(exact, exact.map(rounded)), 2);
    }
  });
  it('has findings of its own, not those of a float model or of integers', async () => {
    const report = await compared(stored('float8e4m3fn', 'kept'));
    const codes = findingsOf(report, undefined).map(({ code }) => code);
    expect(codes.filter((code) => !['M24', 'M25', 'M26'].includes(code))).toEqual([]);
  });
  it('that onnxruntime refuses is an error, in a comparison and alone', async () => {
    const quantized = stored('float8e4m3fn', 'kept');
    const report = await compared(quantized);
    expect(errors(report)).toEqual([
      expect.stringMatching(/^onnxruntime cannot load this file: .*float8e4m3fn/),
    ]);
    expect(report.output?.file?.sqnr).toBeGreaterThan(20);
    const alone = await debugHandler(
      { kind: 'debug', model: folder.model('alone.onnx', quantized), ...common },
      context,
    );
    expect(alone.value && errors(alone.value)).toEqual([expect.stringMatching(/^onnxruntime cannot load/)]);
    expect(alone.value?.layers.map(({ quantized: facts }) => facts?.weightFloat)).toEqual([
      'float8e4m3fn',
      'float8e4m3fn',
    ]);
  });
});

describe('an activation function that a file leaves out', () => {
  it.each<readonly [Codes, 'kept' | 'removed', readonly string[]]>([
    ['float8e4m3fn', 'removed', ['float8e4m3fn']],
    ['float8e4m3fn', 'kept', []],
    ['int8', 'removed', ['int8']],
    ['int8', 'kept', []],
    // Codes begin at 0: the quantizer does what Relu did.
    ['uint8', 'removed', []],
    ['uint8', 'kept', []],
  ])('%s codes, Relu %s: %j', async (type, relu, expected) => {
    const { issues, output } = await compared(stored(type, relu));
    const found = issues.filter(({ code }) => code === 'activation-missing');
    expect(found.map(({ facts }) => 'format' in facts && facts.format)).toEqual(expected);
    expect(found.map(({ anchor }) => anchor.layer)).toEqual(expected.map(() => 'a'));
    // The output tells the same.
    if (expected.length > 0) expect(output?.file?.sqnr).toBeLessThan(8);
    else expect(output?.file?.sqnr).toBeGreaterThan(20);
  });
});

function errors(report: AnalysisReport): readonly string[] {
  return report.issues.filter(({ severity }) => severity === 'error').map(line);
}

/** To three bits behind the leading one, as e4m3 rounds what is no subnormal; ties do not occur. */
function rounded(value: number): number {
  const step = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value / scale))), -6) - 3);
  return Math.round(value / scale / step) * step * scale;
}
