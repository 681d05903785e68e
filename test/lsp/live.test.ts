/** What changes while the user looks: figures that arrive during jobs, what-if answers, output effect, the history. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CodeLens, Hover, MarkupContent } from 'vscode-languageserver-types';
import { externalPayload } from '../../server/src/engine/format/onnx-external';
import type { ModelProto } from '../../server/src/engine/format/onnx-types';
import { weightErrors } from '../../server/src/engine/numerics/weight-error';
import { MAX_RUNS } from '../../server/src/lsp/history';
import type { OutputEffectReply } from '../../server/src/protocol/lsp-ext';
import type {
  CalibrationResult,
  ErrorCell,
  ModelView,
  QuantizeResult,
  RunRecord,
  WhatIfAnswer,
} from '../../server/src/protocol/views';
import { convNet, gemmNet, model, node, normalValues, tensor, valueInfo } from '../fixtures/build';
import { safetensorsFile } from '../fixtures/weight-files';
import { richCapabilities, TestClient } from './support/client';
import { deepNet } from './support/models';

let client: TestClient;
beforeEach(() => begin());
afterEach(() => client.stop());

async function begin(options: object = {}, settings: object = {}): Promise<void> {
  client = await TestClient.start({ options: { trusted: true, ...options }, settings });
  client.write('net.onnx', convNet());
}

const viewOf = (name: string) => client.request<ModelView>('quantlens/modelView', { uri: client.uri(name) });

const cellsOf = (view: ModelView, effect: ErrorCell['effect']) =>
  view.layers.flatMap(({ cells }) => cells.filter((cell) => cell.effect === effect));

function calibrate(parts: object = {}): Promise<CalibrationResult> {
  return client.request('quantlens/calibrate', {
    jobId: 'job',
    modelUri: client.uri('net.onnx'),
    source: 'random',
    samples: 16,
    estimator: 'min-max',
    scheme: 'w8a8',
    seed: 0,
    ...parts,
  });
}

const outputEffect = (name = 'net.onnx') =>
  client.request<OutputEffectReply>('quantlens/outputEffect', {
    jobId: 'effect',
    modelUri: client.uri(name),
  });

const textOf = (hover: Hover | null) => (hover?.contents as MarkupContent | undefined)?.value ?? '';

async function hoverOn(name: string, piece: string): Promise<string> {
  const opened = await client.openView(name);
  const hover = await client.at<Hover | null>('hover', opened, opened.text.indexOf(piece));
  return textOf(hover);
}

describe('what if', () => {
  const weight = normalValues(6 * 32, 7, 0.2);
  const net = (values = weight): ModelProto =>
    model({
      name: 'one',
      inputs: [valueInfo('input', ['N', 32])],
      outputs: [valueInfo('output', ['N', 6])],
      initializers: [tensor('one.weight', [32, 6], values)],
      nodes: [node('MatMul', ['input', 'one.weight'], ['output'], {}, { name: 'one' })],
    });
  const ask = (formats: readonly string[], layer = 'one', name = 'one.onnx') =>
    client.request<WhatIfAnswer>('quantlens/whatIf', { modelUri: client.uri(name), layer, formats });

  it('answers in dB what the reference computes, in any format, before the weights were analysed', async () => {
    client.write('one.onnx', net());
    const formats = ['int5.group16.asym', 'int3.tensor', 'nf4', 'int8.channel', 'int7.channel', 'mxfp4'];
    const { cells, problems } = await ask(formats);
    const expected = weightErrors(weight, [32, 6], 1, formats, { kernel: 'scalar' }).value?.sqnr ?? {};
    expect(problems).toEqual([]);
    expect(cells.map(({ format }) => format)).toEqual(formats);
    for (const { format, db, basis } of cells) {
      expect(db).toBeCloseTo(expected[format] ?? Number.NaN, 3);
      expect(basis).toBe('measured');
    }
  });

  it('gives a bare name the granularity of its operator, and the bytes that are stored', async () => {
    client.write('one.onnx', net());
    const [bare, full] = (await ask(['int4', 'int4.group32'])).cells;
    expect(bare?.db).toBe(full?.db);
    expect(bare?.bytes).toBe(full?.bytes);
    expect(full?.bytes).toBeLessThan(weight.byteLength / 4);
  });

  it.each([
    [['int99.channel'], 'one', /"int99\.channel"/],
    [['float'], 'one', /"float"/],
    [['int4.channel'], 'nobody', /"nobody" is no layer/],
  ])('says what is wrong with %j on %s', async (formats, layer, reason) => {
    client.write('one.onnx', net());
    const { cells, problems } = await ask(formats, layer);
    expect(cells).toEqual([]);
    expect(problems.join('\n')).toMatch(reason);
  });

  it('says why a format cannot go into a recipe, and writes one that can', async () => {
    client.write('one.onnx', net());
    const { notExported } = await ask(['nf4', 'int4.group32']);
    expect(notExported).toEqual({
      nf4: '"nf4" can be measured, not exported. Choose an integer format for the recipe.',
    });
    const { edit } = await client.request<{ edit: unknown }>('quantlens/recipeEdit', {
      modelUri: client.uri('one.onnx'),
      actions: [{ kind: 'weights', layer: 'one', weights: 'int4.group32' }],
    });
    const text = JSON.stringify(edit);
    expect(text).toMatch(/match\\": \\"one\\"/);
    expect(text).toMatch(/weights\\": \\"int4\.group32\\"/);
  });

  it('is answered anew once the file changed', async () => {
    client.write('one.onnx', net());
    const before = (await ask(['int4.tensor'])).cells[0]?.db;
    const uri = client.write('one.onnx', net(weight.map((value, at) => (at === 0 ? 40 : value))));
    await client.touched(2, uri);
    const after = (await ask(['int4.tensor'])).cells[0]?.db;
    expect(after).not.toBe(before);
  });

  it('works on a file of weights without a graph', async () => {
    client.write(
      'weights.safetensors',
      safetensorsFile({
        header: { 'fc.weight': { dtype: 'F32', shape: [6, 32], data_offsets: [0, weight.byteLength] } },
        data: new Uint8Array(weight.buffer),
      }),
    );
    const { layers } = await client.measured('weights.safetensors');
    const layer = layers.find(({ cells }) => cells.some(({ db }) => db !== null));
    const { cells } = await ask(['int5.channel'], layer?.name, 'weights.safetensors');
    expect(cells[0]?.db).toBeGreaterThan(10);
  });

  it('shows in the hover as bits by granularity', async () => {
    await client.measured('net.onnx');
    const opened = await client.openView('net.onnx');
    const place = opened.text.indexOf('Conv <');
    const text = await client.until(
      async () => {
        const hover = await client.at<Hover | null>('hover', opened, place);
        await viewOf('net.onnx');
        await new Promise((resolve) => setImmediate(resolve));
        client.said.push({ method: 'asked', params: null });
        return textOf(hover);
      },
      (value) => value.includes('What if: SQNR'),
    );
    // 27 weights make one output: groups of 32 and more are the channel, and the measured formats stand above.
    expect(text).toMatch(/\| \| channel \|\n/);
    for (const bits of [6, 5, 3, 2])
      expect(text).toMatch(new RegExp(`\\| int${bits} \\| \\d+\\.\\d dB [✓△✗] \\(\\d+ B\\) \\|`));
    expect(text).toContain('[What if…](command:quantlens.whatIf?');
  });
});

describe('while a job measures', () => {
  const partial = (view: ModelView) =>
    view.uri === client.uri('net.onnx') && view.state === 'measuring' && cellsOf(view, 'local').length > 0;

  it('views, hovers and lenses have its figures before it ends; after a cancel they stay', async () => {
    await client.measured('net.onnx');
    const opened = await client.openView('net.onnx');
    const job = calibrate({ samples: 20_000 });
    await client.heardOf<ModelView>('quantlens/modelViewChanged', partial);
    const hover = await client.at<Hover | null>('hover', opened, opened.text.indexOf('Conv <'));
    expect(textOf(hover)).toMatch(/\| w8a8 \| local \| \d+\.\d dB/);
    const lenses = await client.at<CodeLens[]>('codeLens', opened);
    expect(lenses[0]?.command?.title).toContain('measuring layers…');
    await client.notify('quantlens/cancelJob', { jobId: 'job' });
    expect((await job).state).toBe('cancelled');
    const view = await viewOf('net.onnx');
    expect(view.state).toBe('measured');
    expect(cellsOf(view, 'local').length).toBeGreaterThan(0);
  });

  it('a file that is replaced meanwhile gets none of its figures', async () => {
    await client.measured('net.onnx');
    const job = calibrate({ samples: 20_000 });
    await client.heardOf<ModelView>('quantlens/modelViewChanged', partial);
    client.write('net.onnx', gemmNet());
    await client.touched(2, client.uri('net.onnx'));
    const now = await viewOf('net.onnx');
    expect(now.layers.map(({ op }) => op)).toEqual(['Gemm']);
    await client.notify('quantlens/cancelJob', { jobId: 'job' });
    await job;
    const view = await viewOf('net.onnx');
    expect([cellsOf(view, 'local'), cellsOf(view, 'cumulative'), view.data]).toEqual([[], [], null]);
  });

  it('figures of an earlier run with another scheme go', async () => {
    await calibrate({ scheme: 'w4a8' });
    await calibrate();
    const view = await viewOf('net.onnx');
    expect(new Set(cellsOf(view, 'local').map(({ format }) => format))).toEqual(new Set(['w8a8']));
  });

  it('news of many layers come at most four times a second', async () => {
    client.write('deep.onnx', deepNet(400, 16));
    const began = performance.now();
    await client.measured('deep.onnx');
    const news = client.said.filter(({ method }) => method === 'workspace/codeLens/refresh').length;
    expect(news).toBeLessThanOrEqual(2 + (performance.now() - began) / 250);
  });

  it('the recipe beside the model is a scheme', async () => {
    client.write('net.quant.json', '{ "model": "net.onnx", "default": { "weights": "int4.channel" } }');
    const result = await calibrate({ scheme: 'recipe' });
    expect(result.problems).toEqual([]);
    const view = await viewOf('net.onnx');
    const own = cellsOf(view, 'local').map(({ format }) => format);
    expect(new Set(own)).toEqual(new Set(['recipe']));
    await client.measured('net.onnx');
    const opened = await client.openView('net.onnx');
    await client.until(
      () => viewOf('net.onnx'),
      (now) => cellsOf(now, 'weight').length > 0,
    );
    const hints = await client.at<{ label: string }[]>('inlayHint', opened, [0, opened.text.length]);
    expect(hints[0]?.label).toMatch(/^int4\.channel \d+\.\d dB · cumulative \d+\.\d dB$/);
  });

  it('a recipe that is not there is a problem', async () => {
    const result = await calibrate({ scheme: 'recipe' });
    expect(result.state).toBe('failed');
    expect(result.problems.join('\n')).toMatch(/net\.quant\.json: no such file/);
  });
});

describe('output effect', () => {
  it('is measured beside the figures of the calibration, which stay', async () => {
    await calibrate();
    const reply = await outputEffect();
    expect(reply).toMatchObject({ state: 'done', layers: 3, problems: [] });
    const view = await viewOf('net.onnx');
    expect(cellsOf(view, 'output').map(({ format, basis }) => [format, basis])).toEqual(
      view.layers.map(() => ['w8a8', 'measured']),
    );
    expect(cellsOf(view, 'cumulative')).toHaveLength(3);
    expect(view.columns.map(({ effect }) => effect)).toContain('output');
    const hover = await hoverOn('net.onnx', 'Conv <');
    expect(hover).toMatch(/\| w8a8 \| output effect \| \d+\.\d dB \| [✓△✗] /);
    expect(hover).toContain('Output effect: this layer alone quantized, measured');
  });

  it('without a calibration stands on ranges made without data, and says so', async () => {
    expect((await outputEffect()).state).toBe('done');
    const view = await viewOf('net.onnx');
    expect(cellsOf(view, 'output')).toHaveLength(3);
    expect(view.data?.noData).toBeDefined();
  });

  it('begins by itself where the setting says so, and gives way to what the user asks', async () => {
    await client.stop();
    await begin({}, { outputEffectAfterCalibration: true });
    await client.heardOf('workspace/configuration');
    await calibrate();
    const quantized = await client.request<QuantizeResult>('quantlens/quantize', {
      jobId: 'quantize',
      modelUri: client.uri('net.onnx'),
      scheme: 'int8',
    });
    expect(quantized.state).toBe('done');
    await client.until(
      () => viewOf('net.onnx'),
      (view) => {
        const cells = cellsOf(view, 'output');
        return cells.length === 3 && cells.every(({ basis }) => basis === 'measured');
      },
    );
  });

  it('is refused in Restricted Mode', async () => {
    await client.stop();
    await begin({ trusted: false });
    const reply = await outputEffect();
    expect(reply.state).toBe('failed');
    expect(reply.problems.join(' ')).toMatch(/Restricted Mode/);
  });
});

describe('history', () => {
  const history = (modelUri?: string) =>
    client.request<readonly RunRecord[]>('quantlens/history', { modelUri });
  let folder: string;
  beforeEach(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantlens-history-'));
    await client.stop();
    await begin({ historyDirectory: folder });
  });
  // The server may still be writing the last run.
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));

  it('has every run, newest first, with what is needed to run it again', async () => {
    await calibrate({ workDoneToken: 'secret', mean: '0.5' });
    await client.request('quantlens/quantize', {
      jobId: 'q',
      modelUri: client.uri('net.onnx'),
      scheme: 'int8',
    });
    await calibrate({ source: '/no/such/folder' });
    const runs = await history();
    expect(runs.map(({ kind, state, scheme }) => [kind, state, scheme])).toEqual([
      ['calibrate', 'failed', 'w8a8'],
      ['quantize', 'done', 'int8'],
      ['calibrate', 'done', 'w8a8'],
    ]);
    expect(runs[0]?.summary).toMatch(/no such data/);
    expect(runs[1]?.outputUri).toBe(client.uri('net.int8.onnx'));
    expect(runs[2]?.output?.sqnr).toBeGreaterThan(10);
    expect(runs[2]?.request).toEqual({
      kind: 'calibrate',
      calibration: {
        modelUri: client.uri('net.onnx'),
        source: 'random',
        samples: 16,
        estimator: 'min-max',
        scheme: 'w8a8',
        seed: 0,
        mean: '0.5',
      },
    });
    expect(await history(client.uri('other.onnx'))).toEqual([]);
    expect(client.said.filter(({ method }) => method === 'quantlens/historyChanged')).toHaveLength(3);
  });

  it('survives a restart, forgets what it shall, and is bounded', async () => {
    await calibrate();
    const [first] = await history();
    await client.stop();
    await begin({ historyDirectory: folder });
    expect(await history()).toEqual([first]);
    await client.stop();
    const many = Array.from({ length: MAX_RUNS + 20 }, (_, index) => ({ ...first, id: `run-${index}` }));
    fs.writeFileSync(path.join(folder, 'runs.json'), JSON.stringify([...many, { id: 'odd' }, 7]));
    await begin({ historyDirectory: folder });
    expect(await history()).toHaveLength(MAX_RUNS);
    await client.request('quantlens/forgetRuns', { ids: ['run-0', 'run-2'] });
    expect((await history()).slice(0, 2).map(({ id }) => id)).toEqual(['run-1', 'run-3']);
    await client.request('quantlens/forgetRuns', {});
    expect(await history()).toEqual([]);
  });

  it.each(['', '{', '{"a": 1}', '[null]'])('starts anew from %j', async (text) => {
    fs.writeFileSync(path.join(folder, 'runs.json'), text);
    expect(await history()).toEqual([]);
    await calibrate();
    expect(await history()).toHaveLength(1);
  });
});

describe('external data', () => {
  const weight = (scale: number) => new Uint8Array(normalValues(6 * 32, 7, scale).buffer);
  const external = (): ModelProto => {
    const net = gemmNet(32, 6);
    if (!net.graph) throw new Error('no graph');
    const initializers = net.graph.initializers.map((one) =>
      one.dims.length === 2 ? { ...one, payload: externalPayload('fc.bin', 0, 6 * 32 * 4) } : one,
    );
    return { ...net, graph: { ...net.graph, initializers } };
  };

  it('that changes makes shown figures void, and the editor is asked to watch it', async () => {
    await client.stop();
    client = await TestClient.start({
      capabilities: {
        ...richCapabilities,
        workspace: { ...richCapabilities.workspace, didChangeWatchedFiles: { dynamicRegistration: true } },
      },
    });
    client.write('fc.bin', weight(0.2));
    client.write('net.onnx', external());
    const before = cellsOf(await client.measured('net.onnx'), 'weight');
    const watched = await client.heardOf<{ registrations: readonly { registerOptions: unknown }[] }>(
      'client/registerCapability',
      ({ registrations }) => JSON.stringify(registrations).includes('fc.bin'),
    );
    expect(JSON.stringify(watched)).toContain('"pattern":"fc.bin"');
    const since = client.said.length;
    const values = normalValues(6 * 32, 7, 0.2).map((value, at) => (at === 0 ? 30 : value));
    client.write('fc.bin', new Uint8Array(values.buffer));
    await client.touched(2, client.uri('fc.bin'));
    const after = await client.heardOf<ModelView>(
      'quantlens/modelViewChanged',
      ({ state }) => state === 'weights',
      since,
    );
    expect(cellsOf(after, 'weight').map(({ db }) => db)).not.toEqual(before.map(({ db }) => db));
  });

  it('that is missing is a problem until it is there', async () => {
    client.write('net.onnx', external());
    expect((await viewOf('net.onnx')).state).toBe('failed');
    const since = client.said.length;
    client.write('fc.bin', weight(0.2));
    await client.touched(1, client.uri('fc.bin'));
    await client.heardOf<ModelView>('quantlens/modelViewChanged', ({ state }) => state === 'weights', since);
  });
});

describe('a quantized file', () => {
  it('says of each layer how it is stored, so that nobody offers to quantize it', async () => {
    await client.request('quantlens/quantize', {
      jobId: 'q',
      modelUri: client.uri('net.onnx'),
      scheme: 'int8',
    });
    const { layers } = await client.measured('net.int8.onnx');
    expect(layers.map(({ storedAs }) => storedAs)).toEqual(layers.map(() => 'int8'));
    const answer = await client.request<WhatIfAnswer>('quantlens/whatIf', {
      modelUri: client.uri('net.int8.onnx'),
      layer: layers[0]?.name,
      formats: ['int4.channel'],
    });
    expect(answer.problems.join(' ')).toMatch(/stored as int8/);
  });
});
