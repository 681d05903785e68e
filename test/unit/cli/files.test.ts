/** What a command does to files: nothing of the user's is written over, nothing is left behind, bad data is named. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeProto } from '../../../server/src/engine/export/write';
import { graph, model, node, normalValues, tensor, valueInfo } from '../../fixtures/build';
import { root, runCli } from './run-cli';

const demo = path.join(root, 'examples/fashion_mobile.onnx');
const train = path.join(root, 'examples/data/train128_x.npy');
const few = ['--samples', '4', '--threads', '1', '--quiet'];

let folder = '';
const at = (name: string) => path.join(folder, name);
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantlens-files-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function checkRefused(args: readonly string[], line: RegExp): void {
  const result = runCli(args);
  expect(result.stderr).toMatch(line);
  expect(result.stderr.trim().split('\n')).toHaveLength(1);
  expect(result.code).toBe(2);
}

/** A float32 array in NumPy's format, version 1. */
function npy(shape: readonly number[], values: Float32Array): Uint8Array {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const header = Buffer.from(`${text.padEnd(117)}\n`, 'latin1');
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.of(118, 0),
    header,
    Buffer.from(values.buffer),
  ]);
}

describe("the user's files survive", () => {
  const recipe = '{"model": "model.onnx", "default": {"weights": "int8"}}';
  const cases: readonly [name: string, args: (file: string) => readonly string[]][] = [
    ['calibration data', (file) => ['calibrate', demo, '--data', file, ...few]],
    ['data of quantize', (file) => ['quantize', demo, '--scheme', 'w8a8', '--data', file, ...few]],
    ['a ranges file', (file) => ['quantize', demo, '--scheme', 'w8a8', '--ranges', file, '--quiet']],
    ['a recipe', (file) => ['quantize', demo, '--recipe', file, '--quiet']],
    ['the model', (file) => ['print', file]],
  ];
  it.each(cases)('%s', (name, args) => {
    const file = at(`${name}.file`);
    if (name === 'a recipe') fs.writeFileSync(file, recipe);
    else if (name === 'the model') fs.copyFileSync(demo, file);
    else if (name === 'a ranges file') runCli(['calibrate', demo, '--data', train, ...few, '-o', file]);
    else fs.copyFileSync(train, file);
    const before = fs.readFileSync(file);
    checkRefused([...args(file), '-o', file], /never overwritten/);
    expect(fs.readFileSync(file).equals(before)).toBe(true);
  });
});

describe('a plan without a quantized layer', () => {
  it('writes nothing', () => {
    const args = [
      'quantize',
      demo,
      '--scheme',
      'int8',
      '--keep-float',
      '*',
      '--quiet',
      '-o',
      at('same.onnx'),
    ];
    checkRefused(args, /no layer would be quantized \(all are kept in float\)/);
    expect(fs.existsSync(at('same.onnx'))).toBe(false);
  });
});

describe('an output that cannot be written', () => {
  it.each([
    ['no folder', 'none/out.onnx', /the folder does not exist/],
    ['a folder', '.', /it is a folder/],
  ])('%s', (_name, output, line) => {
    const quantize = ['quantize', demo, '--scheme', 'int8', '--quiet', '-o', path.join(folder, output)];
    checkRefused(quantize, line);
    checkRefused(['print', demo, '-o', path.join(folder, output)], line);
  });
});

describe('a ranges file', () => {
  it('is refused when its data changed', () => {
    const [data, ranges] = [at('own.npy'), at('own.json')];
    fs.copyFileSync(train, data);
    expect(runCli(['calibrate', demo, '--data', data, ...few, '-o', ranges]).code).toBe(0);
    const quantize = [
      'quantize',
      demo,
      '--scheme',
      'w8a8',
      '--ranges',
      ranges,
      '-o',
      at('own.onnx'),
      '--quiet',
    ];
    expect(runCli(quantize).code).toBe(0);
    const bytes = fs.readFileSync(data);
    bytes[500] = (bytes[500] ?? 0) ^ 1;
    fs.writeFileSync(data, bytes);
    checkRefused(quantize, /belong to other data or another number of samples/);
  });
});

describe('a recipe', () => {
  it('with a method that does not run here is refused, and lint says so', () => {
    const file = at('method.quant.json');
    fs.writeFileSync(file, `{"model": "${demo}", "default": {"weights": "int8"}, "methods": ["gptq"]}`);
    const line = /method gptq is not available in this version/;
    checkRefused(['quantize', demo, '--recipe', file, '-o', at('gptq.onnx'), '--quiet'], line);
    expect(runCli(['lint', file])).toMatchObject({ code: 1, stdout: expect.stringMatching(line) });
  });
});

describe('data', () => {
  it.each([
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
  ])('with %s is refused with the sample', (held, value) => {
    const values = normalValues(3 * 28 * 28, 1);
    values[28 * 28 + 5] = value;
    fs.writeFileSync(at('nan.npy'), npy([3, 1, 28, 28], values));
    checkRefused(
      ['calibrate', demo, '--data', at('nan.npy'), '-o', at('ranges.json'), '--quiet'],
      new RegExp(`nan\\.npy: cannot be used as data \\(sample 2 holds ${held} in input`),
    );
    expect(fs.existsSync(at('ranges.json'))).toBe(false);
  });
});

describe('a model that onnxruntime refuses', () => {
  const layer = [node('MatMul', ['x', 'w'], ['z'])];
  const common = {
    inputs: [valueInfo('x', ['N', 4])],
    outputs: [valueInfo('y', ['N', 4])],
    initializers: [tensor('w', [4, 4], normalValues(16, 3, 0.3))],
  };
  const body = (name: string) =>
    graph({
      inputs: [valueInfo('z', ['N', 4])],
      outputs: [valueInfo(name, ['N', 4])],
      nodes: [node('Relu', ['z'], [name])],
    });
  const branches = { then_branch: body('a'), else_branch: body('b') };
  it.each([
    [
      'when it runs',
      [...layer, node('Mod', ['z', 'z'], ['y'])],
      common.inputs,
      /y_Mod.*refuses.*fmod was false/,
    ],
    [
      'when it is loaded',
      [...layer, node('If', ['flag'], ['y'], branches)],
      [...common.inputs, valueInfo('flag', [], 'bool')],
      /y_If.*refuses.*0 inputs/,
    ],
  ] as const)('%s', async (_name, nodes, inputs, line) => {
    const file = at('refused.onnx');
    expect((await writeProto(model({ ...common, inputs, nodes }), file, { sources: [] })).issues).toEqual([]);
    checkRefused(['analyze', file, '--data', 'random', '--scheme', 'w8a8', ...few], line);
    checkRefused(['quantize', file, '--scheme', 'int8', '-o', at('no.onnx'), ...few.slice(2)], line);
    expect(fs.existsSync(at('no.onnx'))).toBe(false);
  });
});

describe('an output of zeros', () => {
  it('that stays zero is no failure', async () => {
    const float = model({
      inputs: [valueInfo('x', ['N', 16])],
      outputs: [valueInfo('y', ['N', 8])],
      initializers: [
        tensor('w', [16, 8], normalValues(16 * 8, 3, 0.3)),
        tensor('b', [8], new Float32Array(8).fill(-100)),
      ],
      nodes: [node('Gemm', ['x', 'w', 'b'], ['z']), node('Relu', ['z'], ['y'])],
    });
    expect((await writeProto(float, at('zeros.onnx'), { sources: [] })).issues).toEqual([]);
    const args = ['quantize', at('zeros.onnx'), '--scheme', 'w8a8', '-o', at('zeros.int8.onnx'), '--json'];
    const { code, stdout, stderr } = runCli(args);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ verification: { sqnr: null, topOneAgreement: 1 } });
  });
});

describe('files of other tools', () => {
  const weights = normalValues(16 * 8, 3, 0.3);
  const common = {
    inputs: [valueInfo('x', ['N', 16])],
    outputs: [valueInfo('y', ['N', 8])],
  };

  /** An int8 file of opset 10 with operators that changed since, beside its float original of opset 17. */
  async function otherTool(): Promise<void> {
    const float = model(
      {
        ...common,
        initializers: [tensor('w', [16, 8], weights)],
        nodes: [node('MatMul', ['x', 'w'], ['y'])],
      },
      { opset: 17 },
    );
    const scale = 0.01;
    const codes = weights.map((value) => Math.max(-127, Math.min(127, Math.round(value / scale))));
    const quantized = model(
      {
        ...common,
        initializers: [
          tensor('codes', [16, 8], codes, 'int8'),
          tensor('scale', [], [scale]),
          tensor('zero', [], [0], 'int8'),
        ],
        nodes: [
          node('DequantizeLinear', ['codes', 'scale', 'zero'], ['w']),
          node('MatMul', ['x', 'w'], ['z']),
          node('Unsqueeze', ['z'], ['u'], { axes: [1] }),
          node('Squeeze', ['u'], ['y'], { axes: [1] }),
        ],
      },
      { opset: 10 },
    );
    expect((await writeProto(float, at('float.onnx'), { sources: [] })).issues).toEqual([]);
    expect((await writeProto(quantized, at('old.onnx'), { sources: [] })).issues).toEqual([]);
  }

  it('of an older operator set are compared', async () => {
    await otherTool();
    const args = ['compare', at('float.onnx'), at('old.onnx'), '--data', 'random', ...few, '--json'];
    const { code, stdout, stderr } = runCli(args);
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout) as { output: { file: { sqnr: number } } };
    expect(report.output.file.sqnr).toBeGreaterThan(30);
  });

  it('that are quantized already are not quantized again', async () => {
    await otherTool();
    const args = ['quantize', at('old.onnx'), '--scheme', 'int8', '--quiet', '-o', at('again.onnx')];
    checkRefused(args, /stored quantized already; quantize its float original/);
    expect(fs.existsSync(at('again.onnx'))).toBe(false);
  });
});
