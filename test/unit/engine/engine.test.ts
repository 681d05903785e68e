/** The façade with real children: stored results, trust, a child killed in the middle of a run, cancel with a result. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../../server/src/engine/index';
import type { DiskDoor } from '../../../server/src/engine/store';
import type { DataSpec } from '../../../server/src/protocol/reports';

const root = path.resolve(__dirname, '../../..');
const entry = path.join(root, 'dist/inference-process.js');
const demo = path.join(root, 'examples/fashion_mobile.onnx');
const common = { threads: 1, seed: 0, dimensions: {} };
const data: DataSpec = {
  source: path.join(root, 'examples/data/train128_x.npy'),
  seed: 0,
  preprocessing: { mean: [0.286], std: [0.353] },
  dimensions: {},
};
const measure = {
  kind: 'measure',
  model: demo,
  data,
  estimator: 'min-max',
  schemes: ['w8a8'],
  metrics: ['local', 'cumulative', 'output'],
  ...common,
} as const;

let trusted = true;
let folder = '';
let disk: DiskDoor & { readonly held: Map<string, string> };
let engine: Engine;

beforeEach(() => {
  trusted = true;
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantlens-engine-'));
  const held = new Map<string, string>();
  disk = {
    held,
    read: (key) => held.get(key),
    write: (key, text) => void held.set(key, text),
    clear: () => 0,
  };
  engine = new Engine({ entry, disk, trusted: () => trusted });
});

afterEach(async () => {
  await engine.dispose();
  fs.rmSync(folder, { recursive: true, force: true });
});

describe('weights', () => {
  it('measures once and answers from the store afterwards', async () => {
    const partials: number[] = [];
    const first = await engine.weights(demo, common, {
      partial: (report) => partials.push(report.layers.filter((layer) => layer.weightSqnr).length),
    });
    expect(first.value?.layers.every((layer) => layer.weightSqnr)).toBe(true);
    expect(partials.length).toBeGreaterThan(0);
    expect(disk.held.size).toBe(1);
    // Another engine on the same store has no living child to ask: its entry does not exist.
    const second = new Engine({ entry: path.join(folder, 'none.js'), disk, trusted: () => true });
    const again = await second.weights(demo, common);
    expect(again.value?.layers).toEqual(first.value?.layers);
    expect(second.report(demo)).toBeDefined();
    await second.dispose();
  });

  it('measures again when the file changes', async () => {
    const copy = path.join(folder, 'copy.onnx');
    fs.copyFileSync(demo, copy);
    await engine.weights(copy, common);
    expect(engine.report(copy)).toBeDefined();
    fs.utimesSync(copy, new Date(), new Date(Date.now() + 5000));
    expect(engine.report(copy)).toBeUndefined();
  });
});

describe('calibration', () => {
  const job = {
    kind: 'calibrate',
    model: demo,
    data: { ...data, samples: 8 },
    estimator: 'min-max',
    ...common,
  } as const;

  it('runs once for the same model, data and options', async () => {
    const first = await engine.calibrate(job);
    expect(first.value?.data.samples).toBe(8);
    const second = new Engine({ entry: path.join(folder, 'none.js'), disk, trusted: () => true });
    expect((await second.calibrate(job)).value).toEqual(first.value);
    expect((await second.calibrate({ ...job, estimator: 'percentile' })).value).toBeUndefined();
    await second.dispose();
  });

  it('runs again when the data change', async () => {
    const copy = path.join(folder, 'data.npy');
    fs.copyFileSync(data.source, copy);
    const moved = { ...job, data: { ...job.data, source: copy } };
    await engine.calibrate(moved);
    const runs = disk.held.size;
    fs.utimesSync(copy, new Date(), new Date(Date.now() + 5000));
    await engine.calibrate(moved);
    expect(disk.held.size).toBe(runs + 1);
  });
});

describe('trust', () => {
  it('keeps static numbers and refuses native jobs while untrusted', async () => {
    trusted = false;
    const weights = await engine.weights(demo, common);
    expect(weights.value?.layers[0]?.weightSqnr?.['int8.channel']).toBeGreaterThan(30);
    const refused = await engine.run(measure);
    expect(refused.value).toBeUndefined();
    expect(refused.issues.map((one) => one.code)).toEqual(['not-trusted']);
  });
});

describe('a child that dies', () => {
  it('is an issue that names signal and job, and the next job works', async () => {
    const crashed = await engine.run(measure, {
      progress: ({ stage }) => {
        if (stage === 'measure') for (const pid of engine.children) process.kill(pid, 'SIGKILL');
      },
    });
    expect(crashed.issues[0]).toMatchObject({ code: 'inference-crashed', facts: { signal: 'SIGKILL' } });
    const next = await engine.run({ ...measure, data: { ...data, samples: 4 } });
    expect(next.value?.layers[0]?.local?.w8a8).toBeGreaterThan(20);
  });

  it('leaves no part of a file', async () => {
    const crashed = await engine.run(
      {
        kind: 'quantize',
        model: demo,
        output: path.join(folder, 'out.onnx'),
        scheme: 'int8',
        keepFloat: [],
        ...common,
      },
      {
        progress: ({ stage }) => {
          if (stage !== 'verify') return;
          expect(fs.readdirSync(folder)).toHaveLength(1);
          for (const pid of engine.children) process.kill(pid, 'SIGKILL');
        },
      },
    );
    expect(crashed.issues[0]?.code).toBe('inference-crashed');
    expect(fs.readdirSync(folder)).toEqual([]);
  });
});

describe('cancel', () => {
  it('ends the job and keeps what was measured', async () => {
    const controller = new AbortController();
    const end = await engine.run(measure, {
      signal: controller.signal,
      partial: () => controller.abort(),
    });
    expect(end.issues.map((one) => one.code)).toEqual(['cancelled']);
    expect(end.partial?.layers[0]?.local?.w8a8).toBeGreaterThan(20);
    expect(end.partial?.data?.samples).toBeGreaterThan(0);
  });
});
