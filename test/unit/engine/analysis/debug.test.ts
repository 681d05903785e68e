/**
 * The debugger of quantized files end to end, in this process: fusion as onnxruntime reports it, codes against a count
 * by hand, and comparisons whose cause was put there.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { fusionOf } from '../../../../server/src/engine/analysis/fusion';
import { quantizedGraphFacts } from '../../../../server/src/engine/analysis/quantized-graph';
import type { ModelProto, NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import type { Node } from '../../../../server/src/engine/graph/ir';
import { debugHandler } from '../../../../server/src/engine/handlers/debug';
import {
  makeOptimizedFolder,
  removeOptimizedFolders,
} from '../../../../server/src/engine/runtime/optimized-folder';
import type { AnalysisReport } from '../../../../server/src/protocol/reports';
import { convNet, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf } from '../../../fixtures/run-graph';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const common = { threads: 1, seed: 0, dimensions: {} } as const;

function context(signal = new AbortController().signal) {
  return { signal, progress: () => {}, partial: () => {} };
}

const parameters = (
  name: string,
  scale: number,
  zero: number,
  type: 'uint8' | 'int8' | 'int32' = 'uint8',
) => [tensor(`${name}_scale`, [], [scale]), tensor(`${name}_zero`, [], [zero], type)];
const quantize = (from: string, to: string): NodeProto =>
  node('QuantizeLinear', [from, `${to}_scale`, `${to}_zero`], [to]);
const dequantize = (from: string, to: string, attributes = {}): NodeProto =>
  node('DequantizeLinear', [from, `${from}_scale`, `${from}_zero`], [to], attributes);

interface Variant {
  readonly bias?: readonly TensorProto[];
  readonly weight?: readonly TensorProto[];
  readonly weightAttributes?: Record<string, number>;
  /** From the convolution's output `y` to the graph output `z`. */
  readonly tail?: readonly NodeProto[];
  /** The convolution reads `x` itself. */
  readonly floatInput?: boolean;
}

const codes = Array.from({ length: 4 * 27 }, (_, index) => ((index * 37) % 255) - 127);

/** One QDQ convolution: uint8 activations, int8 weight, int32 bias of the right scale unless told otherwise. */
function qdqConv({ bias, weight, weightAttributes, tail, floatInput }: Variant = {}): ModelProto {
  return model({
    inputs: [valueInfo('x', ['N', 3, 6, 6])],
    outputs: [valueInfo('z', undefined)],
    initializers: [
      ...parameters('xq', 0.02, 128),
      tensor('w', [4, 3, 3, 3], codes, 'int8'),
      ...(weight ?? parameters('w', 0.01, 0, 'int8')),
      tensor('b', [4], [100, -200, 3000, 50], 'int32'),
      ...(bias ?? parameters('b', 0.0002, 0, 'int32')),
      ...parameters('yq', 0.05, 0),
    ],
    nodes: [
      ...(floatInput ? [] : [quantize('x', 'xq'), dequantize('xq', 'xd')]),
      dequantize('w', 'wd', weightAttributes),
      dequantize('b', 'bd'),
      node('Conv', [floatInput ? 'x' : 'xd', 'wd', 'bd'], ['y'], { kernel_shape: [3, 3] }),
      ...(tail ?? [quantize('y', 'yq'), dequantize('yq', 'z')]),
    ],
  });
}

async function debugged(proto: ModelProto, data?: string): Promise<AnalysisReport> {
  const file = folder.model(`debug-${Math.random()}.onnx`, proto);
  const spec = data && { source: data, seed: 0, preprocessing: {}, dimensions: {} };
  const job = { kind: 'debug', model: file, ...common, ...(spec ? { data: spec } : {}) } as const;
  const { value, issues } = await debugHandler(job, context());
  if (!value) throw new Error(JSON.stringify(issues));
  return value;
}

describe('fusion, as onnxruntime does it', () => {
  it.each<[string, ModelProto, boolean, readonly string[]]>([
    ['a convolution between quantizers', qdqConv(), true, []],
    [
      'one whose Relu is done by the quantizer behind it',
      qdqConv({ tail: [node('Relu', ['y'], ['r']), quantize('r', 'yq'), dequantize('yq', 'z')] }),
      true,
      [],
    ],
    [
      'one without a quantizer behind it',
      qdqConv({ tail: [node('Identity', ['y'], ['z'])] }),
      false,
      ['output-not-quantized'],
    ],
    [
      'one with a function the quantizer cannot do',
      qdqConv({ tail: [node('Tanh', ['y'], ['r']), quantize('r', 'yq'), dequantize('yq', 'z')] }),
      false,
      ['activation-kept'],
    ],
    [
      'one whose bias has another scale',
      qdqConv({ bias: parameters('b', 0.002, 0, 'int32') }),
      false,
      ['bias-scale'],
    ],
    [
      'one whose weight alone is quantized, as asked for',
      qdqConv({ floatInput: true, tail: [node('Identity', ['y'], ['z'])] }),
      false,
      ['weight-only'],
    ],
    [
      'one with a float input between quantizers',
      qdqConv({ floatInput: true }),
      false,
      ['input-not-quantized'],
    ],
    [
      'one whose channels have different zero points',
      qdqConv({
        weight: [
          tensor('w_scale', [4], [0.01, 0.01, 0.01, 0.01]),
          tensor('w_zero', [4], [0, 1, 2, 3], 'int8'),
        ],
        weightAttributes: { axis: 0 },
        bias: [
          tensor('b_scale', [4], [2e-4, 2e-4, 2e-4, 2e-4]),
          tensor('b_zero', [4], [0, 0, 0, 0], 'int32'),
        ],
      }),
      true,
      [],
    ],
  ])('%s', async (_name, proto, fused, reasons) => {
    const report = await debugged(proto);
    expect(report.layers.map((layer) => layer.quantized?.fused)).toEqual([fused]);
    expect(report.quantization?.unfused?.map(({ reason }) => reason)).toEqual(reasons);
  });

  it('leaves nothing behind in the folder for temporary files', async () => {
    await debugged(qdqConv());
    const left = fs
      .readdirSync(os.tmpdir())
      .filter((name) => name.startsWith(`quantlens-optimized-${process.pid}-`));
    expect(left).toEqual([]);
  });

  it('clears up after a process that was killed meanwhile, and after no other', () => {
    const mine = makeOptimizedFolder();
    fs.writeFileSync(path.join(mine, 'optimized.onnx'), 'half');
    removeOptimizedFolders(process.pid + 1);
    expect(fs.existsSync(mine)).toBe(true);
    removeOptimizedFolders(process.pid);
    expect(fs.existsSync(mine)).toBe(false);
  });

  it('finds int8 codes that became uint8 on one side only', () => {
    const original = graphOf(qdqConv());
    const optimized = graphOf(
      model({
        inputs: [valueInfo('x', ['N', 3, 6, 6])],
        outputs: [valueInfo('z', undefined)],
        initializers: [
          ...parameters('xq', 0.02, 128),
          tensor('w', [4, 3, 3, 3], codes, 'int8'),
          ...parameters('w', 0.01, 0, 'int8'),
          ...parameters('yq', 0.05, 0, 'int8'),
        ],
        nodes: [
          quantize('x', 'xq'),
          dequantize('xq', 'xd'),
          dequantize('w', 'wd'),
          node('Conv', ['xd', 'wd'], ['y'], { kernel_shape: [3, 3] }),
          quantize('y', 'yq'),
          dequantize('yq', 'z'),
        ],
      }),
    );
    const conv = (graph: typeof original) => graph.graph.nodes.filter((one) => one.opType === 'Conv');
    const nodesOf = (one: Node) => (one.opType === 'Conv' ? conv(optimized) : []);
    const { fused, unfused, conversions } = fusionOf(original, { model: optimized, nodesOf });
    expect([...fused.values()]).toEqual([false]);
    expect(unfused.map(({ reason, layer }) => [reason, layer])).toEqual([['types-differ', 'w']]);
    expect(conversions).toBe(4);
  });
});

it('an operator without integer kernel between quantizers is named without a run', () => {
  const facts = (op: string, tail: readonly NodeProto[]) =>
    quantizedGraphFacts(
      graphOf(
        model({
          inputs: [valueInfo('x', ['N', 3, 6, 6])],
          outputs: [valueInfo('z', undefined)],
          initializers: [
            ...parameters('xq', 0.02, 128),
            ...parameters('yq', 0.02, 128),
            tensor('w', [3, 3, 1, 1], normalValues(9, 1)),
          ],
          nodes: [
            quantize('x', 'xq'),
            dequantize('xq', 'xr'),
            node(op, ['xr', 'w'], [tail.length > 0 ? 'y' : 'z'], {}, { name: 'it' }),
            ...tail,
          ],
        }),
      ),
    )?.unfused;
  const tail = [quantize('y', 'yq'), dequantize('yq', 'z')];
  expect(facts('ConvTranspose', tail)).toEqual([{ node: 'it', op: 'ConvTranspose', reason: 'no-kernel' }]);
  expect(facts('Conv', tail)).toBeUndefined();
  expect(facts('ConvTranspose', [])).toBeUndefined();
});

describe('codes of activations', () => {
  it('are counted exactly', async () => {
    const data = normalValues(5 * 108, 4, 1.5);
    const file = folder.npy('x.npy', [5, 3, 6, 6], 'float', data);
    const { layers, data: source } = await debugged(qdqConv(), file);
    const expected = Array.from(data, (x) =>
      Math.min(255, Math.max(0, Math.round(Math.fround(x / Math.fround(0.02))) + 128)),
    );
    const used = new Set(expected);
    const ends = expected.filter((code) => code === 0 || code === 255).length;
    // Cut off are numbers that the end does not round to.
    const step = Math.fround(0.02);
    const outside = data.filter((x) => x < -128.5 * step || x > 127.5 * step).length;
    expect(outside).toBeLessThan(ends);
    const [layer] = layers;
    expect(source?.samples).toBe(5);
    expect(layer?.quantized?.input).toEqual({
      codesUsed: used.size,
      levels: 256,
      endsShare: ends / expected.length,
      clippedShare: outside / expected.length,
    });
    const real = expected.map((code) => (code - 128) * Math.fround(0.02));
    expect(layer?.activation).toMatchObject({
      tensor: 'x',
      min: expect.closeTo(Math.min(...real), 5),
      max: expect.closeTo(Math.max(...real), 5),
      mean: expect.closeTo(real.reduce((sum, x) => sum + x, 0) / real.length, 5),
    });
  });

  it('at an end that numbers round to are no clipping', async () => {
    // The smallest value lies a third of a step below the lowest code, as the minimum of a function may.
    const file = folder.npy('rounded.npy', [1, 3, 6, 6], 'float', new Float32Array(108).fill(-2.5667));
    const { layers } = await debugged(qdqConv(), file);
    expect(layers[0]?.quantized?.input).toEqual({ codesUsed: 1, levels: 256, endsShare: 1, clippedShare: 0 });
  });

  it('at the end where zero stands are no clipping', async () => {
    const proto = qdqConv();
    const zero = proto.graph?.initializers.map((one) =>
      one.name === 'xq_zero' ? tensor('xq_zero', [], [0], 'uint8') : one,
    );
    const file = folder.npy('negative.npy', [1, 3, 6, 6], 'float', new Float32Array(108).fill(-1));
    const graph = proto.graph && { ...proto.graph, initializers: zero ?? [] };
    const { layers } = await debugged({ ...proto, ...(graph ? { graph } : {}) }, file);
    expect(layers[0]?.quantized?.input).toEqual({ codesUsed: 1, levels: 256, endsShare: 0, clippedShare: 0 });
  });

  it('stops when cancelled', async () => {
    const file = folder.model('cancelled.onnx', qdqConv());
    const controller = new AbortController();
    controller.abort();
    await expect(
      debugHandler({ kind: 'debug', model: file, ...common }, context(controller.signal)),
    ).rejects.toThrow();
  });

  it('are not looked for in a float model', async () => {
    const report = await debugged(convNet());
    expect(report.quantization).toBeUndefined();
    expect(report.layers.some((layer) => layer.quantized)).toBe(false);
  });
});
