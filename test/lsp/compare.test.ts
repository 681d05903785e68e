/** Comparing two files through the protocol: figures while it runs, best so far after a cancel, one layer's detail. */
import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CompareChangedParams } from '../../server/src/protocol/lsp-ext';
import type { CompareView, LayerDetailView, QuantizeResult } from '../../server/src/protocol/views';
import { convNet, gemmNet } from '../fixtures/build';
import { TestClient } from './support/client';

let client: TestClient;
beforeEach(() => begin());
afterEach(() => client.stop());

async function begin(options: object = {}): Promise<void> {
  client = await TestClient.start({ options: { trusted: true, ...options } });
  client.write('net.onnx', convNet());
}

/** Enough samples that a cancel always comes in time. */
const endless = 200_000;

async function quantized(scheme = 'w8a8'): Promise<void> {
  const result = await client.request<QuantizeResult>('quantlens/quantize', {
    jobId: 'quantize',
    modelUri: client.uri('net.onnx'),
    scheme,
    outputPath: client.file('small.onnx'),
  });
  expect(result.state, result.summary).toBe('done');
}

const params = (parts: object = {}) => ({
  jobId: 'job',
  floatUri: client.uri('net.onnx'),
  quantizedUri: client.uri('small.onnx'),
  ...parts,
});
const compare = (parts: object = {}) => client.request<CompareView>('quantlens/compare', params(parts));
const detail = (parts: object) => client.request<LayerDetailView>('quantlens/layerDetail', params(parts));
const changes = () => client.said.filter(({ method }) => method === 'quantlens/compareChanged');

describe('compare', () => {
  it('tells names and sizes at once, figures as they come, and all at the end', async () => {
    await quantized();
    const view = await compare({ samples: 8 });
    expect(view).toMatchObject({
      state: 'done',
      trusted: true,
      floatName: 'net.onnx',
      quantizedName: 'small.onnx',
      floatBytes: fs.statSync(client.file('net.onnx')).size,
      quantizedBytes: fs.statSync(client.file('small.onnx')).size,
      data: { source: 'none', samples: 8, noData: 'noise' },
    });
    expect(view.layers.map(({ name, op }) => [name, op])).toEqual([
      ['conv1', 'Conv'],
      ['conv2', 'Conv'],
      ['fc', 'Gemm'],
    ]);
    for (const layer of view.layers) {
      expect(layer.local).toBeGreaterThan(15);
      expect(layer.cumulative).toBeGreaterThan(10);
      expect(layer.verdict).not.toBe('unknown');
    }
    expect(view.output?.sqnr).toBeCloseTo(view.layers.at(-1)?.cumulative ?? 0, 6);
    const [first] = changes().map(({ params: said }) => (said as CompareChangedParams).view);
    expect(first).toMatchObject({ state: 'running', quantizedName: 'small.onnx', layers: [] });
  });

  it('answers a second time from the store, and anew when a file changed', async () => {
    await quantized();
    const first = await compare({ samples: 8 });
    const progress = client.said.filter(({ method }) => method === 'quantlens/jobProgress').length;
    expect(await compare({ samples: 8 })).toEqual(first);
    expect(client.said.filter(({ method }) => method === 'quantlens/jobProgress')).toHaveLength(progress);
    client.write('net.onnx', convNet(2));
    await client.touched(2, client.uri('net.onnx'));
    expect((await compare({ samples: 8 })).layers).not.toEqual(first.layers);
  });

  it('cancelled by id keeps what was measured', async () => {
    await quantized();
    const job = compare({ source: 'random', samples: endless });
    await client.heardOf<CompareChangedParams>(
      'quantlens/compareChanged',
      ({ view }) => view.layers.length === 3,
    );
    await client.notify('quantlens/cancelJob', { jobId: 'job' });
    const view = await job;
    expect(view).toMatchObject({ state: 'cancelled', problems: [] });
    expect(view.layers).toHaveLength(3);
    expect(view.data?.samples).toBeGreaterThan(0);
    expect(view.data?.samples).toBeLessThan(endless);
  });

  it.each([
    [{ quantizedUri: 'other.onnx' }, /./],
    [{ quantizedUri: 'gone.onnx' }, /gone\.onnx/],
    [{ source: '/no/such/folder' }, /no such data/],
    [{ preprocessing: { mean: 'zero' } }, /^mean: zero is not a number/],
  ])('refuses %j with a reason', async (parts, reason) => {
    await quantized();
    client.write('other.onnx', gemmNet());
    const { quantizedUri, ...rest } = { quantizedUri: undefined, ...parts };
    const view = await compare({
      ...rest,
      ...(quantizedUri ? { quantizedUri: client.uri(quantizedUri) } : {}),
    });
    expect(view.state).toBe('failed');
    expect(view.layers).toEqual([]);
    expect(view.problems.join('\n')).toMatch(reason);
  });
});

describe('the detail of a layer', () => {
  it('has the weight alone, or with the output', async () => {
    await quantized();
    const weight = await detail({ layer: 'conv2', weightOnly: true });
    expect(weight.problems).toEqual([]);
    expect(weight.detail?.output).toBeUndefined();
    expect(weight.detail?.weight?.float.reduce((sum, count) => sum + count, 0)).toBe(8 * 9);
    const all = await detail({ layer: 'conv2', samples: 4 });
    expect(all.detail?.weight).toEqual(weight.detail?.weight);
    expect(all.detail?.output?.quantized.reduce((sum, count) => sum + count, 0)).toBe(4 * 8 * 64);
    expect(all.detail?.channels.every(({ outputSqnr }) => typeof outputSqnr === 'number')).toBe(true);
  });

  it('says why there is none', async () => {
    await quantized();
    const { detail: none, problems } = await detail({ layer: 'nobody', weightOnly: true });
    expect(none).toBeUndefined();
    expect(problems.join(' ')).toMatch(/nobody/);
  });
});

describe('restricted mode', () => {
  it('runs nothing, but shows weights', async () => {
    await quantized('int8');
    await client.notify('quantlens/trustChanged', { trusted: false });
    const view = await compare();
    expect(view).toMatchObject({ state: 'failed', trusted: false, layers: [] });
    expect(view.problems.join(' ')).toMatch(/trust/i);
    const weight = await detail({ layer: 'conv1', weightOnly: true });
    expect(weight.detail?.channels.length).toBe(8);
    const output = await detail({ layer: 'conv1' });
    expect(output.detail).toBeUndefined();
    expect(output.problems.join(' ')).toMatch(/trust/i);
  });
});
