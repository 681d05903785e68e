/** The command line from outside: exit codes, one JSON document, clear lines, no partial files. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { interruptCli, root, runCli } from './run-cli';

const demo = path.join(root, 'examples/fashion_mobile.onnx');
const train = path.join(root, 'examples/data/train128_x.npy');
const test = path.join(root, 'examples/data/test256_x.npy');
const labels = path.join(root, 'examples/data/test256_y.npy');
const normalise = ['--mean', '0.2860', '--std', '0.3530'];

let folder = '';
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantlens-cli-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const inFolder = (name: string) => path.join(folder, name);

function checkJson(args: readonly string[], code = 0): Record<string, unknown> {
  const result = runCli([...args, '--json']);
  expect(result.code, result.stderr).toBe(code);
  const document: unknown = JSON.parse(result.stdout);
  expect(typeof document).toBe('object');
  return document as Record<string, unknown>;
}

function checkRefused(args: readonly string[], line: RegExp, code = 2): void {
  const plain = runCli(args);
  expect(plain.code, plain.stderr).toBe(code);
  expect(plain.stderr).toMatch(line);
  expect(plain.stderr).not.toMatch(/^\s+at /m);
  expect(plain.stderr.trim().split('\n').length).toBeLessThan(4);
  const issues = checkJson(args, code).issues;
  expect(Array.isArray(issues) && issues.length > 0).toBe(true);
}

describe('usage', () => {
  it.each([
    [['fly'], /unknown command/],
    [['inspect'], /missing required argument/],
    [['inspect', demo, '--frobnicate'], /unknown option/],
    [['analyze', demo, '--samples', '0'], /--samples.*at least 1/],
    [['analyze', demo, '--scheme', 'w9a9'], /"w9a9" is not a format or scheme/],
    [['analyze', demo, '--data', 'none', '--metric', 'vibes'], /vibes is not a metric/],
    [['quantize', demo, '--scheme', 'w8a8'], /no output file/],
    [['quantize', demo, '-o', 'x.onnx'], /--scheme or --recipe/],
    [['evaluate', demo, '--data', test], /--labels or --against/],
    [['calibrate', demo, '--data', 'synthetic:zeroq', '-o', 'r.json'], /synthetic/],
  ] as const)('%j', (args, line) => checkRefused(args, line));

  it('explains itself with examples', () => {
    const help = runCli(['analyze', '--help']);
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('Examples:');
    expect(runCli(['--version']).stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

describe('bad files', () => {
  it('names what is missing', () => checkRefused(['inspect', 'nowhere.onnx'], /nowhere\.onnx: no such file/));
  it('says what a folder is', () => checkRefused(['inspect', folder], /is a folder/));
  it('knows a page that is no model', () => {
    const file = inFolder('page.onnx');
    fs.writeFileSync(file, '<!DOCTYPE html><html></html>');
    checkRefused(['analyze', file], /HTML page/);
  });
  it('says how much is cut off', () => {
    const file = inFolder('cut.onnx');
    fs.writeFileSync(file, fs.readFileSync(demo).subarray(0, 5000));
    checkRefused(['analyze', file], /cut off/);
  });
});

describe('inspect and analyze', () => {
  it('reports facts of the demo network', () => {
    const { model, layers } = checkJson(['inspect', demo, '--fingerprint']) as {
      model: Record<string, unknown>;
      layers: { name: string; op: string }[];
    };
    expect(model).toMatchObject({ format: 'onnx', opset: 17, bytes: fs.statSync(demo).size });
    expect(model.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(layers[0]).toMatchObject({ name: 'stem', op: 'Conv' });
    expect(layers.at(-1)).toMatchObject({ name: 'classifier', op: 'Gemm' });
  });

  it('measures weights without data and activations with data', () => {
    const report = checkJson([
      'analyze',
      demo,
      '--data',
      train,
      ...normalise,
      '--samples',
      '16',
      '--metric',
      'local,cumulative,output',
    ]) as {
      layers: {
        name: string;
        weightSqnr: Record<string, number>;
        local: Record<string, number>;
        cumulative: Record<string, number>;
        outputEffect: Record<string, number>;
      }[];
      output: Record<string, { sqnr: number; execution: string }>;
      data: { samples: number };
    };
    for (const layer of report.layers) {
      expect(layer.weightSqnr['int8.channel']).toBeGreaterThan(
        layer.weightSqnr['int4.channel'] ?? Number.NaN,
      );
      for (const figure of [layer.local.w8a8, layer.cumulative.w8a8, layer.outputEffect.w8a8])
        expect(figure).toBeGreaterThan(10);
    }
    expect(report.data.samples).toBe(16);
    expect(report.output.w8a8).toMatchObject({ execution: 'simulated' });
  });

  it('finds the worst layers in few runs and says how far effects add up', () => {
    const asked = ['--data', train, ...normalise, '--samples', '16', '--no-gains'];
    const report = checkJson(['analyze', demo, ...asked, '--metric', 'output', '--find-worst', '2']) as {
      layers: {
        name: string;
        outputEffect: Record<string, number>;
        outputEffectBasis: Record<string, string>;
      }[];
      output: Record<
        string,
        {
          worst: { layer: string; sqnr: number; samples: number }[];
          additivity: { ratio: number; basis: string };
          separability: { rSquared: number; runs: number };
        }
      >;
    };
    const effects = new Map(
      report.layers.map((layer) => [layer.name, layer.outputEffect.w8a8 ?? Number.NaN]),
    );
    expect(report.layers.every((layer) => layer.outputEffectBasis.w8a8 === 'measured')).toBe(true);
    const { worst, additivity, separability } = report.output.w8a8 ?? {};
    expect(worst?.length).toBe(2);
    // Both ways measure the same layers; on few samples the second place may change hands with a near one.
    const loudest = Math.min(...effects.values());
    expect(Math.min(...(worst ?? []).map((one) => effects.get(one.layer) ?? 120)) - loudest).toBeLessThan(1);
    expect(additivity?.basis).toBe('measured');
    expect(additivity?.ratio).toBeGreaterThan(0.5);
    expect(additivity?.ratio).toBeLessThan(2);
    expect(separability?.rSquared).toBeLessThanOrEqual(1);
  });
});

describe('calibrate and quantize', () => {
  it('calibrates, quantizes with the ranges, and the file holds its accuracy', () => {
    const ranges = inFolder('ranges.json');
    const int8 = inFolder('int8.onnx');
    expect(
      runCli(['calibrate', demo, '--data', train, ...normalise, '--estimator', 'mse', '-o', ranges]).code,
    ).toBe(0);
    const report = checkJson(['quantize', demo, '--scheme', 'w8a8', '--ranges', ranges, '-o', int8]) as {
      bytesAfter: number;
      verification: { sqnr: number; execution: string };
    };
    expect(report.bytesAfter).toBe(fs.statSync(int8).size);
    expect(report.verification.execution).toBe('deployed');
    expect(report.verification.sqnr).toBeGreaterThan(15);
    const scored = (file: string) =>
      checkJson(['evaluate', file, '--data', test, ...normalise, '--labels', labels]) as { top1: number };
    expect(scored(int8).top1).toBeGreaterThan(scored(demo).top1 - 0.03);
    type Compared = {
      layers: { name: string; local?: Record<string, number>; cumulative?: Record<string, number> }[];
    };
    const asked = ['compare', demo, int8, '--data', test, ...normalise, '--samples', '16'];
    const compared = checkJson(asked) as Compared;
    expect(compared.layers.every((layer) => (layer.local?.file ?? 0) > 10)).toBe(true);
    const alone = checkJson([...asked, '--metric', 'cumulative']) as Compared;
    expect(alone.layers.map(({ name }) => name)).toEqual(compared.layers.map(({ name }) => name));
    alone.layers.forEach((layer, index) => {
      expect(layer.cumulative?.file).toBeCloseTo(compared.layers[index]?.cumulative?.file ?? Number.NaN, 3);
      expect(layer.local).toBeUndefined();
    });
  }, 60_000);

  it('refuses ranges of another model', () => {
    const ranges = inFolder('ranges.json');
    const other = inFolder('other.onnx');
    const bytes = fs.readFileSync(demo);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    fs.writeFileSync(other, bytes);
    checkRefused(
      ['quantize', other, '--scheme', 'w8a8', '--ranges', ranges, '-o', inFolder('x.onnx')],
      /belongs to another model/,
    );
    expect(fs.existsSync(inFolder('x.onnx'))).toBe(false);
  });

  it('writes int4 weights without any data', () => {
    const int4 = inFolder('int4.onnx');
    expect(runCli(['quantize', demo, '--scheme', 'int4', '-o', int4]).code).toBe(0);
    expect(fs.statSync(int4).size).toBeLessThan(fs.statSync(demo).size / 2);
  });

  it('never writes over its source', () => {
    const copy = inFolder('copy.onnx');
    fs.copyFileSync(demo, copy);
    const before = fs.readFileSync(copy);
    checkRefused(['quantize', copy, '--scheme', 'int8', '-o', copy], /never overwritten/);
    expect(fs.readFileSync(copy).equals(before)).toBe(true);
  });

  it('says loudly that no data was involved', () => {
    const result = runCli(['quantize', demo, '--scheme', 'w8a8', '-o', inFolder('nodata.onnx')]);
    expect(result.code, result.stderr).toBe(0);
    expect(result.stderr).toContain('no data');
  });

  it('answers who interrupts while the program still loads', () => {
    // Sends the signal from inside as soon as it is caught, if that is before the program's own first line.
    const hook = inFolder('interrupt.cjs');
    fs.writeFileSync(
      hook,
      `const { on } = process;
      process.on = function (name, ...others) {
        const result = on.call(this, name, ...others);
        if (name === 'SIGINT' && process.stdout.listenerCount('error') === 0) process.kill(process.pid, name);
        return result;
      };`,
    );
    const end = runCli(['analyze', demo, '--json'], { node: ['--require', hook] });
    expect(end.code).toBe(130);
    expect(JSON.parse(end.stdout)).toMatchObject({ issues: [{ code: 'cancelled' }] });
  });

  it('leaves nothing behind when interrupted', async () => {
    const target = inFolder('interrupted.onnx');
    const end = await interruptCli(
      [
        'quantize',
        demo,
        '--scheme',
        'w8a8',
        '--data',
        test,
        ...normalise,
        '--estimator',
        'mse',
        '-o',
        target,
      ],
      /calibrate/,
    );
    expect(end.code).toBe(130);
    expect(end.stderr).not.toMatch(/^\s+at /m);
    expect(fs.readdirSync(folder).filter((name) => name.includes('interrupted'))).toEqual([]);
  });
});

describe('lint', () => {
  it('speaks SARIF', () => {
    const result = runCli(['lint', demo, '--format', 'sarif']);
    const log = JSON.parse(result.stdout) as { version: string; runs: { results: { ruleId: string }[] }[] };
    expect(log.version).toBe('2.1.0');
    expect(log.runs[0]?.results.some((one) => one.ruleId === 'M21')).toBe(true);
    expect(result.code).toBe(0);
  });
  it('fails on a recipe whose model is missing', () => {
    const recipe = inFolder('a.quant.json');
    fs.writeFileSync(recipe, '{ "model": "gone.onnx", "default": { "weights": "int8" } }');
    const result = runCli(['lint', recipe]);
    expect(result.code).toBe(1);
    expect(result.stdout).toContain('R04');
  });
});

describe('print', () => {
  it('prints ONNX text that reads back as the same network', () => {
    const text = inFolder('demo.onnxtxt');
    expect(runCli(['print', demo, '-o', text]).code).toBe(0);
    expect(fs.readFileSync(text, 'utf8')).toContain('BatchNormalization');
  });
});
