/** Files of other tools through the command line: what is written is read back, and bad files are one line. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { joined, u32 } from '../../fixtures/weight-files';
import { root, runCli } from './run-cli';

const demo = path.join(root, 'examples/fashion_mobile.onnx');
const train = path.join(root, 'examples/data/train128_x.npy');
const few = ['--samples', '8', '--threads', '1', '--quiet', '--mean', '0.2860', '--std', '0.3530'];

let folder = '';
const at = (name: string) => path.join(folder, name);
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantlens-interchange-'));
  checkDone(['calibrate', demo, '--data', train, ...few, '-o', at('ranges.json')]);
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function checkDone(args: readonly string[]): string {
  const result = runCli(args);
  expect(result.code, result.stderr).toBe(0);
  return result.stdout;
}

function checkRefused(args: readonly string[], line: RegExp): void {
  const result = runCli([...args, '--quiet']);
  expect(result.stderr).toMatch(line);
  expect(result.stderr.trim().split('\n')).toHaveLength(1);
  expect(result.code).toBe(2);
}

function readJson(name: string): Record<string, unknown> {
  return JSON.parse(fs.readFileSync(at(name), 'utf8'));
}

const plan = ['--scheme', 'w8a8', '--quiet', '--threads', '1'];

describe('encodings', () => {
  const ranges = () => ['--ranges', at('ranges.json')];

  it.each(['aimet-0.6.1', 'aimet-2.0.0'])('%s: quantizing with them gives what the ranges give', (format) => {
    if (!fs.existsSync(at('direct.onnx'))) {
      checkDone(['quantize', demo, ...plan, ...ranges(), '-o', at('direct.onnx')]);
    }
    const file = at(`${format}.json`);
    checkDone(['encodings', demo, ...plan, ...ranges(), '--format', format, '-o', file]);
    checkDone(['quantize', demo, ...plan, '--encodings', file, '-o', at('back.onnx')]);
    expect(fs.readFileSync(at('back.onnx')).equals(fs.readFileSync(at('direct.onnx')))).toBe(true);
  });

  it('AIMET: no name of a BatchNormalization that is folded before the file is read', () => {
    const args = ['encodings', demo, ...plan, ...ranges(), '--format', 'aimet-2.0.0', '-o', at('names.json')];
    const report = JSON.parse(checkDone([...args, '--json']));
    expect(report.issues.map(({ code }: { code: string }) => code)).toEqual(['encodings-folded']);
    const { encodings } = readJson('names.json') as { encodings: { name: string }[] };
    const names = encodings.map(({ name }) => name);
    expect(names.filter((name) => /BatchNormalization/.test(name))).toEqual([]);
    expect(names.filter((name) => /project\/Conv_output_0$/.test(name)).length).toBeGreaterThan(3);
  });

  it('onnxruntime: one entry per tensor, one per channel of a weight', () => {
    const report = JSON.parse(
      checkDone(
        [
          'encodings',
          demo,
          ...plan,
          '--ranges',
          at('ranges.json'),
          '--format',
          'ort',
          '-o',
          at('ort.json'),
        ].concat('--json'),
      ),
    );
    const overrides = Object.values(readJson('ort.json')) as Record<string, number>[][];
    expect(overrides).toHaveLength(report.activations + report.weights);
    for (const entries of overrides) {
      const perChannel = entries.length > 1;
      for (const { scale, zero_point: zeroPoint, axis } of entries) {
        expect(scale).toBeGreaterThan(0);
        expect(Number.isInteger(zeroPoint)).toBe(true);
        if (perChannel) expect(axis).toBe(0);
      }
    }
  });

  it('data fills what an encodings file lacks', () => {
    checkDone(['encodings', demo, ...plan, ...ranges(), '--format', 'aimet-2.0.0', '-o', at('all.json')]);
    const all = readJson('all.json') as { encodings: object[] };
    fs.writeFileSync(at('some.json'), JSON.stringify({ ...all, encodings: all.encodings.slice(0, 2) }));
    const args = ['quantize', demo, ...plan, '--encodings', at('some.json'), '-o', at('filled.onnx')];
    checkRefused(args, /lack \d+ ranges \(".*Add --data/);
    expect(fs.existsSync(at('filled.onnx'))).toBe(false);
    checkDone([...args, '--data', train, ...few]);
    expect(fs.existsSync(at('filled.onnx'))).toBe(true);
  });

  it.each([
    [['quantize', demo, '--scheme', 'w8a8', '--encodings', train, '-o', 'x.onnx'], /not JSON/],
    [['quantize', demo, '--scheme', 'w8a8', '--encodings', 'nowhere.json', '-o', 'x.onnx'], /no such file/],
    [
      ['quantize', demo, '--scheme', 'w8a8', '--encodings', 'a', '--ranges', 'b', '-o', 'x.onnx'],
      /both are given/,
    ],
    [['encodings', demo, '--format', 'ort', '-o', 'x.json'], /--scheme or --recipe/],
    [['encodings', demo, '--scheme', 'w8a8', '--format', 'qnn', '-o', 'x.json'], /Allowed choices/],
    [['encodings', demo, '--scheme', 'w8a8', '--format', 'ort', '-o', demo], /never overwritten/],
  ])('%j', (args, line) => checkRefused(args, line));
});

describe('figures for Model Explorer', () => {
  it('one metric is the file itself, several are one each', () => {
    checkDone(['analyze', demo, '--scheme', 'int8.channel', '--overlay', at('one.json'), '--quiet']);
    const { results, thresholds } = readJson('one.json') as {
      results: Record<string, { value: number }>;
      thresholds: object[];
    };
    expect(Object.values(results).every(({ value }) => value > 30 && value < 60)).toBe(true);
    expect(thresholds).toHaveLength(3);
    checkDone(['analyze', demo, '--scheme', 'int4.channel,nf4', '--overlay', at('two.json'), '--quiet']);
    const layers = Object.keys(results).length;
    for (const name of ['two.weight.int4.channel.json', 'two.weight.nf4.json']) {
      expect(Object.keys(readJson(name).results ?? {})).toHaveLength(layers);
    }
    expect(fs.existsSync(at('two.json'))).toBe(false);
  });

  it('never over the model', () => checkRefused(['analyze', demo, '--overlay', demo], /never overwritten/));
});

describe('importance matrices', () => {
  it('weigh the layers they cover and name the others', () => {
    const report = JSON.parse(checkDone(['analyze', demo, '--json', '--quiet']));
    const dense = report.layers.find((layer: { op: string }) => layer.op === 'Gemm');
    const columns = dense.shape[1];
    const values = new Uint8Array(new Float32Array(columns).fill(2).buffer);
    const name = new TextEncoder().encode(dense.weight);
    fs.writeFileSync(at('m.dat'), joined(u32(1), u32(name.length), name, u32(1), u32(columns), values));
    const args = ['analyze', demo, '--imatrix', at('m.dat'), '--scheme', 'int4.channel', '--json', '--quiet'];
    const weighed = JSON.parse(checkDone(args));
    const layer = weighed.layers.find((one: { name: string }) => one.name === dense.name);
    // Columns that weigh the same weigh nothing.
    expect(layer.importanceSqnr['int4.channel']).toBeCloseTo(layer.weightSqnr['int4.channel'], 3);
    const [unmatched] = weighed.issues.filter((one: { code: string }) => one.code === 'importance-unmatched');
    expect(unmatched.facts).toMatchObject({ covered: 1, mismatched: [] });
  });

  it('are no models', () => checkRefused(['analyze', demo, '--imatrix', demo], /no importance matrix/));
});
