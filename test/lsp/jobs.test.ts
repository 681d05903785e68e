/** Calibrate and quantize through the protocol: progress, best so far after a cancel, trust, and dead workers. */
import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CancellationTokenSource } from 'vscode-languageserver/node';
import type { CodeLens, Diagnostic, Hover, MarkupContent, WorkspaceEdit } from 'vscode-languageserver-types';
import { encodeNpy } from '../../server/src/engine/format/npy';
import { parseRecipe } from '../../server/src/engine/format/recipe';
import type { JobProgressParams, ServerStatusParams } from '../../server/src/protocol/lsp-ext';
import type { CalibrationResult, ModelView, QuantizeResult } from '../../server/src/protocol/views';
import { convNet } from '../fixtures/build';
import { type Opened, richCapabilities, TestClient } from './support/client';

let client: TestClient;
let view: Opened;
beforeEach(() => begin());
afterEach(() => client.stop());

async function begin(options: object = {}): Promise<void> {
  client = await TestClient.start({ options: { trusted: true, ...options } });
  client.write('net.onnx', convNet());
  view = await client.openView('net.onnx');
  await client.measured('net.onnx');
}

/** Enough samples that a cancel always comes in time. */
const endless = 200_000;

function calibrate(parts: object = {}, cancel?: CancellationTokenSource): Promise<CalibrationResult> {
  const params = {
    jobId: 'job',
    modelUri: client.uri('net.onnx'),
    source: 'random',
    samples: 32,
    estimator: 'min-max',
    scheme: 'w8a8',
    seed: 0,
    ...parts,
  };
  return client.request('quantlens/calibrate', params, cancel?.token);
}

function quantize(parts: object): Promise<QuantizeResult> {
  return client.request('quantlens/quantize', { jobId: 'job', modelUri: client.uri('net.onnx'), ...parts });
}

const progressed = (fits: (params: JobProgressParams) => boolean = () => true) =>
  client.heardOf<JobProgressParams>('quantlens/jobProgress', fits);

async function hoverOnConv(): Promise<string> {
  const hover = await client.at<Hover | null>('hover', view, view.text.indexOf('Conv <'));
  return (hover?.contents as MarkupContent | undefined)?.value ?? '';
}

describe('calibrate', () => {
  it('measures, tells progress, and every surface has the numbers', async () => {
    const result = await calibrate({ workDoneToken: 'token' });
    expect(result.problems).toEqual([]);
    expect(result).toMatchObject({ state: 'done', samples: 32 });
    expect(result.layers.map(({ name }) => name)).toEqual(['conv1', 'conv2', 'fc']);
    expect(result.output?.sqnr).toBeGreaterThan(10);
    const ranges: unknown = JSON.parse(fs.readFileSync(result.rangesPath ?? '', 'utf8'));
    expect(ranges).toMatchObject({ version: 1, data: { samples: 32 } });
    const stages = client.said.filter(({ method }) => method === 'quantlens/jobProgress');
    expect(
      new Set(stages.map(({ params }) => (params as JobProgressParams).progress.stage)).size,
    ).toBeGreaterThan(1);
    const kinds = client.said
      .filter(({ method }) => method === '$/progress')
      .map(({ params }) => (params as { token: string; value: { kind: string } }).value.kind);
    expect([kinds[0], kinds.at(-1)]).toEqual(['begin', 'end']);
    expect(kinds.slice(1, -1).every((kind) => kind === 'report')).toBe(true);
    const state = await client.request<ModelView>('quantlens/modelView', { uri: client.uri('net.onnx') });
    expect(state.state).toBe('measured');
    expect(state.data?.samples).toBe(32);
    const lenses = await client.at<CodeLens[]>('codeLens', view);
    expect(
      lenses.some(({ command }) => /conv1 · int8 .* · w8a8 cumulative \d+\.\d dB/.test(command?.title ?? '')),
    ).toBe(true);
    const [graph] = lenses.map(({ command }) => command?.title ?? '');
    const least = Math.min(...result.layers.map(({ cumulative }) => cumulative ?? Number.POSITIVE_INFINITY));
    const worst = result.layers.find(({ cumulative }) => cumulative === least);
    expect(graph).toContain(` · worst cumulative ${worst?.name}: w8a8 ${least.toFixed(1)} dB`);
    const text = await hoverOnConv();
    expect(text).toMatch(/\| w8a8 \| local \| \d+\.\d dB/);
    expect(text).toMatch(/\| w8a8 \| cumulative \| \d+\.\d dB/);
    expect(text).toMatch(/\| int4\.channel \| weight \| \d+\.\d dB/);
    expect(text).not.toContain('not measured yet');
  });

  it('is what a recipe that is made afterwards starts from', async () => {
    const made = async () => {
      const actions = [{ kind: 'quantize-int8', layer: 'conv1' }];
      const reply = await client.request<{ readonly edit: WorkspaceEdit }>('quantlens/recipeEdit', {
        modelUri: client.uri('net.onnx'),
        actions,
      });
      const texts = (reply.edit.documentChanges ?? []).flatMap((change) =>
        'edits' in change ? change.edits.map((edit) => ('newText' in edit ? edit.newText : '')) : [],
      );
      const { recipe, issues } = parseRecipe(texts.join(''));
      expect(issues).toEqual([]);
      return recipe;
    };
    expect(await made()).toMatchObject({ data: { source: 'none' }, default: { estimator: 'mse' } });
    fs.mkdirSync(client.file('pics'));
    const values = Float32Array.from({ length: 4 * 3 * 8 * 8 }, (_, index) => Math.sin(index));
    client.write('pics/x.npy', encodeNpy([4, 3, 8, 8], 'float', values));
    const source = client.file('pics/x.npy');
    const result = await calibrate({ source, samples: 4, scale: '1/255', mean: '0.5', estimator: 'lp:2.4' });
    expect(result).toMatchObject({ state: 'done', samples: 4 });
    const recipe = await made();
    expect(recipe?.data).toEqual({ source: 'pics/x.npy', samples: 4, scale: 1 / 255, mean: [0.5] });
    expect(recipe?.default.estimator).toBe('lp:2.4');
  });

  it('without data says that figures are estimates', async () => {
    const result = await calibrate({ source: 'none' });
    expect(result.state).toBe('done');
    expect(await hoverOnConv()).toMatch(/estimated without data/);
  });

  it.each([
    [{ source: '/no/such/folder' }, /no such data/],
    [{ mean: '0.5,zero' }, /^mean: 0\.5,zero is not a number/],
    [{ scheme: 'w9a9' }, /w9a9/],
    [{ estimator: 'vibes' }, /vibes/],
    [{ modelUri: 'file:///no/such.onnx' }, /no such file/],
    [{ modelUri: 'https://example.org/x.onnx' }, /no such file/],
  ])('refuses %j with a reason', async (parts, reason) => {
    const result = await calibrate(parts);
    expect(result.state).toBe('failed');
    expect(result.problems.join('\n')).toMatch(reason);
  });

  it('cancelled by id gives the best so far', async () => {
    const job = calibrate({ samples: endless });
    await progressed(({ progress }) => progress.stage === 'calibrate' && progress.done > 0);
    await client.notify('quantlens/cancelJob', { jobId: 'job' });
    const result = await job;
    expect(result.state).toBe('cancelled');
    expect(result.samples).toBeLessThan(endless);
    expect((await calibrate()).state).toBe('done');
  });

  it('cancelled by its token gives the same', async () => {
    const cancel = new CancellationTokenSource();
    const job = calibrate({ samples: endless }, cancel);
    await progressed();
    cancel.cancel();
    expect((await job).state).toBe('cancelled');
  });

  it('hover, lenses and edits are answered while it runs', async () => {
    let ended = false;
    const job = calibrate({ samples: endless }).then((result) => {
      ended = true;
      return result;
    });
    await progressed();
    expect(await hoverOnConv()).toContain('| int8.channel | weight |');
    expect((await client.at<CodeLens[]>('codeLens', view)).length).toBeGreaterThan(4);
    const recipe = await client.openRecipe('net.quant.json', '{ "model": "net.onnx" }');
    await client.change(
      recipe.uri,
      '{ "model": "net.onnx", "layers": [{ "match": "none", "keep": "float" }] }',
    );
    const { items } = await client.at<{ items: Diagnostic[] }>('diagnostic', recipe);
    expect(items.map(({ code }) => code)).toContain('R01');
    expect(ended).toBe(false);
    await client.notify('quantlens/cancelJob', { jobId: 'job' });
    await job;
  });
});

describe('quantize', () => {
  it('by scheme writes beside the model and says what it measured', async () => {
    const result = await quantize({ scheme: 'int8', calibration: undefined });
    expect(result.state, result.summary).toBe('done');
    expect(result.outputUri).toBe(client.uri('net.int8.onnx'));
    expect(result.summary).toMatch(
      /^net\.int8\.onnx: 2\.6 kB → [\d.]+ kB, output \d+\.\d dB.* against the original on \d+ samples/,
    );
    expect(result.bytesAfter).toBe(fs.statSync(client.file('net.int8.onnx')).size);
    const written = await client.openView('net.int8.onnx');
    expect(written.text).toContain('DequantizeLinear');
    await client.measured('net.int8.onnx');
    const at = written.text.indexOf('Gemm');
    const hover = await client.at<Hover>('hover', written, at);
    expect((hover.contents as MarkupContent).value).toContain('quantized already');
    expect(await client.at('codeAction', written, at, { context: { diagnostics: [] } })).toEqual([]);
  });

  it('by recipe uses the text in the editor as it was at the start', async () => {
    const recipe = await client.openRecipe('net.quant.json', '{ "model": "net.onnx" }');
    await client.change(
      recipe.uri,
      '{ "model": "net.onnx", "output": "out/typed.onnx", "default": { "weights": "int8" } }',
    );
    fs.mkdirSync(client.file('out'));
    const job = quantize({ recipeUri: recipe.uri });
    await client.change(recipe.uri, '{ "model": "gone.onnx", ');
    const result = await job;
    expect(result.state, result.summary).toBe('done');
    expect(result.outputPath).toBe(client.file('out/typed.onnx'));
    expect(fs.existsSync(client.file('out/typed.onnx'))).toBe(true);
  });

  it.each([
    [{ scheme: 'int8', outputPath: 'net.onnx' }, /never overwritten/],
    [{ scheme: 'w9a9' }, /w9a9/],
    [{ recipeUri: 'gone.quant.json' }, /./],
    [{ scheme: 'w8a8', rangesPath: '/no/ranges.json' }, /ranges\.json/],
  ])('refuses %j', async (parts, reason) => {
    const { outputPath, recipeUri, ...rest } = { outputPath: undefined, recipeUri: undefined, ...parts };
    const result = await quantize({
      ...rest,
      ...(outputPath ? { outputPath: client.file(outputPath) } : {}),
      ...(recipeUri ? { recipeUri: client.uri(recipeUri) } : {}),
    });
    expect(result.state).toBe('failed');
    expect(result.summary).toMatch(reason);
    expect(fs.readdirSync(client.folder).filter((name) => name.endsWith('.onnx'))).toEqual(['net.onnx']);
  });
});

describe('restricted mode', () => {
  it('shows static numbers, starts nothing native, and opens up when trusted', async () => {
    await client.stop();
    await begin({ trusted: false });
    expect(await hoverOnConv()).toContain('| int8.channel | weight |');
    expect(await hoverOnConv()).not.toContain('command:quantlens.calibrate');
    const lenses = await client.at<CodeLens[]>('codeLens', view);
    expect(lenses.map(({ command }) => command?.command)).not.toContain('quantlens.quantize');
    expect(lenses[1]?.command?.title).toMatch(/Restricted Mode/);
    const refused = await calibrate();
    expect(refused.state).toBe('failed');
    expect(refused.problems).toEqual([expect.stringMatching(/Restricted Mode\. Trust the workspace/)]);
    expect((await quantize({ scheme: 'int8' })).summary).toMatch(/Restricted Mode/);
    await client.notify('quantlens/trustChanged', { trusted: true });
    expect((await calibrate()).state).toBe('done');
    const after = await client.at<CodeLens[]>('codeLens', view);
    expect(after.map(({ command }) => command?.command)).toContain('quantlens.quantize');
  });
});

describe('a dead worker', () => {
  it('ends the job with a reason; everything else goes on', async () => {
    const job = calibrate({ samples: endless });
    await progressed();
    client.killWorkers();
    const result = await job;
    expect(result.state).toBe('failed');
    expect(result.problems.join('\n')).toMatch(/inference process ended \(SIGKILL\)/);
    const status = await client.heardOf<ServerStatusParams>(
      'quantlens/status',
      ({ health }) => health === 'warning',
    );
    expect(status.message).toMatch(/SIGKILL/);
    expect(await hoverOnConv()).toContain('| int8.channel | weight |');
    const since = client.said.length;
    expect((await calibrate()).state).toBe('done');
    await client.heardOf<ServerStatusParams>(
      'quantlens/status',
      ({ health, quiescent }) => health === 'ok' && quiescent,
      since,
    );
  });
});

describe('settings', () => {
  it('that an engine is made with wait for the job that runs', async () => {
    const job = calibrate({ samples: endless });
    await progressed();
    const since = client.said.length;
    await client.configure({ memoryLimit: 8000, threads: 2 });
    await client.heardOf('workspace/configuration', () => true, since);
    await client.notify('quantlens/cancelJob', { jobId: 'job' });
    expect((await job).state).toBe('cancelled');
    expect((await calibrate()).state).toBe('done');
  });

  it('clearing the cache measures what is open anew', async () => {
    const since = client.said.length;
    expect(await client.request('quantlens/clearCache', {})).toBe(0);
    await client.heardOf<ModelView>('quantlens/modelViewChanged', ({ state }) => state === 'weights', since);
    expect(await hoverOnConv()).toContain('| int8.channel | weight |');
  });
});

describe('other clients', () => {
  it('see progress of the weight analysis as standard progress', async () => {
    await client.stop();
    const capabilities = { ...richCapabilities, window: { workDoneProgress: true } };
    client = await TestClient.start({ capabilities, options: null });
    client.write('net.onnx', convNet());
    view = await client.openView('net.onnx');
    await client.at('codeLens', view);
    const { token } = await client.heardOf<{ token: string }>('window/workDoneProgress/create');
    type Progress = { token: string; value: { kind: string } };
    await client.heardOf<Progress>('$/progress', (one) => one.token === token && one.value.kind === 'begin');
    await client.heardOf<Progress>('$/progress', (one) => one.token === token && one.value.kind === 'end');
    expect(await hoverOnConv()).not.toContain('command:');
  });
});
