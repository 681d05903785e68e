/**
 * A quantized file as onnxruntime runs it against the file operator by operator: figures taken in float64 from runs of
 * the whole files, and a file whose two figures are known to differ.
 */
import { describe, expect, it } from 'vitest';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { toOnnx } from '../../../../server/src/engine/graph/to-onnx';
import { compareHandler } from '../../../../server/src/engine/handlers/compare';
import { debugHandler } from '../../../../server/src/engine/handlers/debug';
import { differsFromFloat, differsFromItself } from '../../../../server/src/engine/handlers/deployed';
import { quantizeHandler } from '../../../../server/src/engine/handlers/quantize';
import type { Issue } from '../../../../server/src/protocol/issues';
import type { OutputReport } from '../../../../server/src/protocol/reports';
import { convNet, model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { output, quantized } from '../../../fixtures/quantize';
import { sqnr } from '../../../fixtures/run-graph';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const common = { threads: 1, seed: 0, dimensions: {} } as const;
const spec = { seed: 0, preprocessing: {}, dimensions: {} } as const;
const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };

const SAMPLES = 8;
const samples = normalValues(SAMPLES * 3 * 8 * 8, 11);
const feeds = { input: { data: Float32Array.from(samples), shape: [SAMPLES, 3, 8, 8] } };
const data = folder.npy('samples.npy', [SAMPLES, 3, 8, 8], 'float', samples);

/** One convolution whose first channel is 200 times the others. */
const weight = normalValues(8 * 27, 5, 0.05).map((value, index) => (index < 27 ? 200 * value : value));

function wideConv(between: boolean): ModelProto {
  const scales = (name: string, scale: number, zero: number) => [
    tensor(`${name}_scale`, [], [scale]),
    tensor(`${name}_zero`, [], [zero], 'uint8'),
  ];
  const pair = (from: string, to: string, name: string) => [
    node('QuantizeLinear', [from, `${name}_scale`, `${name}_zero`], [`${name}_codes`]),
    node('DequantizeLinear', [`${name}_codes`, `${name}_scale`, `${name}_zero`], [to]),
  ];
  const conv = node('Conv', [between ? 'xd' : 'input', 'conv.weight'], ['y'], { kernel_shape: [3, 3] });
  // What a user sees is one of the small channels.
  const pick = node('Slice', [between ? 'yd' : 'y', 'start', 'end', 'axis'], ['output']);
  return model({
    inputs: [valueInfo('input', ['N', 3, 8, 8])],
    outputs: [valueInfo('output', ['N', 7, 6, 6])],
    initializers: [
      tensor('conv.weight', [8, 3, 3, 3], weight),
      tensor('start', [1], [1], 'int64'),
      tensor('end', [1], [8], 'int64'),
      tensor('axis', [1], [1], 'int64'),
      ...(between ? [...scales('x', 0.03, 128), ...scales('y', 0.02, 128)] : []),
    ],
    nodes: between ? [...pair('input', 'xd', 'x'), conv, ...pair('y', 'yd', 'y'), pick] : [conv, pick],
  });
}

/** The same network with another name of its input. */
function withInput(name: string, proto: ModelProto): ModelProto {
  const { graph } = proto;
  if (!graph) throw new Error('no graph');
  const change = (one: string) => (one === 'input' ? name : one);
  const inputs = graph.inputs.map((one) => ({ ...one, name: change(one.name) }));
  const nodes = graph.nodes.map((one) => ({ ...one, inputs: one.inputs.map(change) }));
  return { ...proto, graph: { ...graph, inputs, nodes } };
}

async function compared(float: ModelProto, file: ModelProto) {
  const { value, issues } = await compareHandler(
    {
      kind: 'compare',
      float: folder.model('float.onnx', float),
      quantized: folder.model('quantized.onnx', file),
      data: { source: data, ...spec },
      ...common,
    },
    context,
  );
  if (!value) throw new Error(JSON.stringify(issues));
  return value;
}

/** What both ways to run a file give, by running the whole files. */
async function byHand(float: ModelProto, file: ModelProto) {
  const exact = await output(float, feeds, 'disabled');
  return {
    simulated: sqnr(exact, await output(file, feeds, 'disabled')),
    deployed: sqnr(exact, await output(file, feeds, 'all')),
  };
}

function checkFigures(report: OutputReport | undefined, expected: Awaited<ReturnType<typeof byHand>>): void {
  expect(report?.execution).toBe('simulated');
  expect(report?.sqnr).toBeCloseTo(expected.simulated, 1);
  expect(report?.deployed?.sqnr).toBeCloseTo(expected.deployed, 2);
}

const told = (issues: readonly Issue[]) => issues.filter(({ code }) => code === 'execution-differs');

describe('a comparison', () => {
  it('tells both figures of a file that onnxruntime runs as it is written', async () => {
    const made = await quantized(convNet(), 'w8a8');
    const file = toOnnx(made.model);
    const report = await compared(convNet(), file);
    const expected = await byHand(convNet(), file);
    checkFigures(report.output?.file, expected);
    expect(Math.abs(expected.deployed - expected.simulated)).toBeLessThan(1);
    expect(told(report.issues)).toEqual([]);
  });

  it('says where kernels compute something else: a float weight that onnxruntime quantizes by itself', async () => {
    const expected = await byHand(wideConv(false), wideConv(true));
    expect(expected.simulated - expected.deployed).toBeGreaterThan(3);
    const report = await compared(wideConv(false), wideConv(true));
    checkFigures(report.output?.file, expected);
    const [note] = told(report.issues);
    expect(note).toMatchObject({ severity: 'warning' });
    expect(note?.facts).toEqual({
      simulated: report.output?.file?.sqnr,
      deployed: report.output?.file?.deployed?.sqnr,
    });
  });

  it('meets the inputs of a file with other names in order', async () => {
    const made = await quantized(convNet(), 'w8a8');
    const plain = await compared(convNet(), toOnnx(made.model));
    const renamed = await compared(convNet(), withInput('other', toOnnx(made.model)));
    expect(renamed.output?.file?.deployed).toEqual(plain.output?.file?.deployed);
    expect(renamed.output?.file?.deployed?.sqnr).toBeGreaterThan(20);
  });
});

describe('a quantized file on its own', () => {
  const debugged = async (file: ModelProto, given: boolean) => {
    const model = folder.model(given ? 'own.onnx' : 'own-without-data.onnx', file);
    const job = { kind: 'debug', model, ...common, ...(given ? { data: { source: data, ...spec } } : {}) };
    const { value, issues } = await debugHandler(job as Parameters<typeof debugHandler>[0], context);
    if (!value) throw new Error(JSON.stringify(issues));
    return value;
  };

  it('is compared with itself operator by operator', async () => {
    const made = await quantized(convNet(), 'w8a8');
    const file = toOnnx(made.model);
    const report = await debugged(file, true);
    const expected = sqnr(await output(file, feeds, 'disabled'), await output(file, feeds, 'all'));
    expect(report.quantization?.deployed?.sqnr).toBeCloseTo(Math.min(expected, 120), 2);
    expect(told(report.issues)).toEqual([]);
  });

  it('has no such figure without data', async () => {
    const made = await quantized(convNet(), 'w8a8');
    expect((await debugged(toOnnx(made.model), false)).quantization?.deployed).toBeUndefined();
  });
});

describe('the check of a written file', () => {
  it('holds both figures', async () => {
    const { value, issues } = await quantizeHandler(
      {
        kind: 'quantize',
        model: folder.model('check.onnx', convNet()),
        scheme: 'w8a8',
        keepFloat: [],
        output: `${folder.path}/check.w8a8.onnx`,
        data: { source: data, ...spec },
        ...common,
      },
      context,
    );
    if (!value) throw new Error(JSON.stringify(issues));
    const { execution, sqnr: deployed, simulated } = value.verification;
    expect(execution).toBe('deployed');
    expect(Math.abs((simulated?.sqnr ?? Number.NaN) - (deployed ?? 0))).toBeLessThan(1);
  });
});

describe('the note', () => {
  it.each<[string, readonly Issue[], readonly string[]]>([
    ['nothing within 1 dB', differsFromFloat(20, 19.1), []],
    ['a warning where less is kept', differsFromFloat(20, 18), ['warning']],
    ['information where more is kept', differsFromFloat(20, 22), ['information']],
    ['nothing where both are fine', differsFromFloat(60, 45), []],
    ['a warning where only one is fine', differsFromFloat(60, 35), ['warning']],
    ['nothing where one is undefined', differsFromFloat(null, 35), []],
    [
      'nothing about small differences of a file with itself',
      differsFromItself({ sqnr: 25, topOneAgreement: 1 }),
      [],
    ],
    [
      'a warning about two networks in one file',
      differsFromItself({ sqnr: 12, topOneAgreement: 1 }),
      ['warning'],
    ],
  ])('is %s', (_name, issues, severities) => {
    expect(issues.map(({ severity }) => severity)).toEqual(severities);
  });
});

describe('outputs of other real types', () => {
  it.each(['float16', 'double'] as const)('%s are compared in float32', async (type) => {
    const net = (values: ArrayLike<number>) =>
      model({
        inputs: [valueInfo('x', ['N', 16], type)],
        outputs: [valueInfo('y', ['N', 4], type)],
        initializers: [tensor('fc.weight', [16, 4], Array.from(values), type)],
        nodes: [node('MatMul', ['x', 'fc.weight'], ['y'])],
      });
    const values = normalValues(64, 3, 0.3);
    // What 4 bits leave of the weight, stored in the same type.
    const step = Math.max(...values.map(Math.abs)) / 7;
    const coarse = values.map((value) => Math.round(value / step) * step);
    const rows = folder.npy(`rows-${type}.npy`, [6, 16], 'float', normalValues(96, 4));
    const { value, issues } = await compareHandler(
      {
        kind: 'compare',
        float: folder.model(`${type}.onnx`, net(values)),
        quantized: folder.model(`${type}-coarse.onnx`, net(coarse)),
        data: { source: rows, ...spec },
        ...common,
      },
      context,
    );
    expect(issues).toEqual([]);
    const [layer] = value?.layers ?? [];
    const { sqnr: simulated, topOneAgreement, deployed } = value?.output?.file ?? {};
    expect(simulated).toBeGreaterThan(10);
    expect(simulated).toBeLessThan(30);
    // One layer: its output is the model's.
    expect(simulated).toBeCloseTo(layer?.cumulative?.file ?? Number.NaN, 1);
    expect(deployed?.sqnr).toBeCloseTo(simulated ?? Number.NaN, 1);
    expect(topOneAgreement).toBeGreaterThan(0);
  });
});
