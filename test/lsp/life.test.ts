/** What happens to files and texts while they are open: deleted, replaced, damaged, edited a thousand times. */
import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CancellationTokenSource } from 'vscode-languageserver/node';
import type { CodeLens, Diagnostic } from 'vscode-languageserver-types';
import type { ModelView } from '../../server/src/protocol/views';
import { convNet, gemmNet, matmulNet } from '../fixtures/build';
import { plainGguf, plainSafetensors } from '../fixtures/weight-files';
import { TestClient } from './support/client';
import { deepNet } from './support/models';

let client: TestClient;
beforeEach(async () => {
  client = await TestClient.start();
});
afterEach(() => client.stop());

const viewOf = (name: string) => client.request<ModelView>('quantlens/modelView', { uri: client.uri(name) });

const changedTo = (name: string, fits: (view: ModelView) => boolean, since: number) =>
  client.heardOf<ModelView>(
    'quantlens/modelViewChanged',
    (view) => view.uri === client.uri(name) && fits(view),
    since,
  );

describe('a model file', () => {
  it('deleted while open becomes a problem, and comes back', async () => {
    client.write('net.onnx', convNet());
    const view = await client.openView('net.onnx');
    await client.measured('net.onnx');
    let since = client.said.length;
    fs.rmSync(client.file('net.onnx'));
    await client.touched(3, client.uri('net.onnx'));
    const gone = await changedTo('net.onnx', ({ state }) => state === 'failed', since);
    expect(gone.problems).toEqual([expect.stringMatching(/no such file/)]);
    const refresh = await client.heardOf<{ uri: string }>(
      'workspace/textDocumentContent/refresh',
      () => true,
      since,
    );
    expect(refresh.uri).toBe(view.uri);
    expect(await client.at('hover', view, view.text.indexOf('Conv <'))).toBeNull();
    expect(await client.at('codeLens', view)).toEqual([]);
    const { items } = await client.at<{ items: Diagnostic[] }>('diagnostic', view);
    expect(items.map(({ code }) => code)).toEqual(['file-not-found']);
    since = client.said.length;
    client.write('net.onnx', convNet(2));
    await client.touched(1, client.uri('net.onnx'));
    await viewOf('net.onnx');
    const back = await changedTo('net.onnx', ({ state }) => state === 'weights', since);
    expect(back.layers).toHaveLength(3);
  });

  it('replaced while open is read and measured anew', async () => {
    client.write('net.onnx', convNet());
    const view = await client.openView('net.onnx');
    await client.measured('net.onnx');
    const since = client.said.length;
    client.write('net.onnx', gemmNet());
    await client.touched(2, client.uri('net.onnx'));
    const replaced = await changedTo('net.onnx', ({ state }) => state === 'weights', since);
    expect(replaced.layers.map(({ op }) => op)).toEqual(['Gemm']);
    const { text } = await client.request<{ text: string }>('workspace/textDocumentContent', {
      uri: view.uri,
    });
    expect(text).toContain('gemm_net');
    await client.change(view.uri, text);
    const lenses = await client.at<CodeLens[]>('codeLens', { uri: view.uri, text });
    expect(lenses.at(-1)?.command?.title).toMatch(/^fc · int8/);
  });

  it('replaced while it is measured gives the new numbers only', async () => {
    client.write('net.onnx', deepNet(300, 32));
    await viewOf('net.onnx');
    const since = client.said.length;
    client.write('net.onnx', matmulNet());
    await client.touched(2, client.uri('net.onnx'));
    const { layers } = await changedTo('net.onnx', ({ state }) => state === 'weights', since);
    expect(layers.map(({ name }) => name)).toEqual(['up', 'down']);
    expect((await viewOf('net.onnx')).layers.map(({ name }) => name)).toEqual(['up', 'down']);
  });

  it('larger than the setting is measured on request only', async () => {
    await client.configure({ analyzeOnOpen: 0 });
    await client.heardOf('workspace/configuration');
    client.write('net.onnx', convNet());
    const view = await client.openView('net.onnx');
    const waiting = await client.until(
      () => viewOf('net.onnx'),
      ({ state }) => state === 'too-large',
    );
    expect(waiting.layers).toHaveLength(3);
    const lenses = await client.at<CodeLens[]>('codeLens', view);
    expect(lenses[1]?.command).toMatchObject({
      title: 'Measure the weights',
      command: 'quantlens.measureWeights',
    });
    await client.request('quantlens/modelView', { uri: client.uri('net.onnx'), measure: true });
    expect((await client.measured('net.onnx')).state).toBe('weights');
  });

  it.each([
    ['weights.safetensors', plainSafetensors()],
    ['weights.gguf', plainGguf()],
  ])('%s without a graph has a view with weight errors', async (name, bytes) => {
    client.write(name, bytes);
    const { layers, problems } = await client.measured(name);
    expect(problems).toEqual([]);
    expect(layers.length).toBeGreaterThan(0);
  });

  it.each([
    ['empty.onnx', ''],
    ['page.onnx', '<!DOCTYPE html><html></html>'],
    ['zip.safetensors', 'PK\u0003\u0004'],
  ])('%s says what it is', async (name, content) => {
    client.write(name, content);
    const { state, problems } = await viewOf(name);
    expect(state).toBe('failed');
    expect(problems).toHaveLength(1);
  });
});

describe('typing', () => {
  const text = (body: string) => `g (float[4] x) => (float[4] y) {\n  y = Relu (x)\n  ${body}\n}\n`;

  it('a thousand quick edits are answered for the last one only', async () => {
    const uri = client.write('typed.onnxtxt', text(''));
    const document = await client.open(uri, text(''), 'onnxtxt');
    await client.at('diagnostic', document);
    type Items = { items: Diagnostic[] };
    const answers: Promise<Items>[] = [];
    const others: Promise<unknown>[] = [];
    const sent: Promise<void>[] = [];
    for (let count = 0; count < 1000; count++) {
      sent.push(client.change(uri, text(`z${count} = `)));
      answers.push(client.at<Items>('diagnostic', document));
      if (count % 10 === 0) others.push(client.at('documentSymbol', document));
    }
    const [settled, modified] = await Promise.all([Promise.allSettled(answers), Promise.allSettled(others)]);
    const given = settled.flatMap((one, index) => (one.status === 'fulfilled' ? [index] : []));
    expect(given.at(-1)).toBe(999);
    // On a busy machine the client itself may fall silent for longer than a pause in typing.
    expect(given.length).toBeLessThan(10);
    const reasons = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(new Set(reasons.map(({ code }) => code))).toEqual(new Set([-32802]));
    expect(reasons[0].data).toEqual({ retriggerRequest: true });
    const codes = modified.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []));
    expect(codes.length).toBeGreaterThan(90);
    expect(new Set(codes)).toEqual(new Set([-32801]));
    const last = await answers[999];
    expect(last?.items.some(({ code }) => code === 'text-syntax')).toBe(true);
    await Promise.all(sent);
    await client.change(uri, text(''));
    const { items } = await client.at<Items>('diagnostic', document);
    expect(items.map(({ code }) => code)).toEqual(['opset-missing']);
  });

  it('a cancelled request is not answered', async () => {
    const uri = client.write('typed.onnxtxt', text(''));
    const document = await client.open(uri, text(''), 'onnxtxt');
    await client.at('diagnostic', document);
    await client.change(uri, text('z = Relu (x)'));
    const cancel = new CancellationTokenSource();
    const params = { textDocument: { uri } };
    const answer = client.request('textDocument/documentSymbol', params, cancel.token);
    cancel.cancel();
    await expect(answer).rejects.toMatchObject({ code: -32800 });
  });
});

describe('a client without optional capabilities', () => {
  it('is asked nothing and told nothing it does not know, and everything answers', async () => {
    await client.stop();
    client = await TestClient.start({ capabilities: {}, options: null });
    client.write('net.onnx', convNet());
    const uri = client.uri('net.onnx');
    const view = await client.openView('net.onnx');
    await client.at('codeLens', view);
    await client.until(
      () => client.at<CodeLens[]>('codeLens', view),
      (lenses) => /int8 \d/.test(lenses.at(-1)?.command?.title ?? ''),
    );
    for (const method of ['hover', 'documentSymbol', 'foldingRange', 'semanticTokens/full', 'inlayHint'])
      expect(await client.at(method, view, view.text.indexOf('Conv <')), method).not.toBeUndefined();
    const reply = await client.request<{ edit: { changes?: object } }>('quantlens/recipeEdit', {
      modelUri: uri,
      actions: [{ kind: 'quantize-int4' }],
    });
    expect(Object.keys(reply.edit.changes ?? {})).toEqual([client.uri('net.quant.json')]);
    const methods = new Set(client.said.map(({ method }) => method));
    methods.delete('window/logMessage');
    expect(methods).toEqual(new Set(['textDocument/publishDiagnostics']));
  });

  it('that lets the server register is asked to watch files', async () => {
    await client.stop();
    const dynamic = { dynamicRegistration: true };
    const capabilities = { workspace: { didChangeWatchedFiles: dynamic, didChangeConfiguration: dynamic } };
    client = await TestClient.start({ capabilities, options: null });
    type Registered = {
      registrations: { method: string; registerOptions: { watchers?: { globPattern: string }[] } }[];
    };
    const { registrations } = await client.heardOf<Registered>('client/registerCapability', (params) =>
      params.registrations.some(({ method }) => method === 'workspace/didChangeWatchedFiles'),
    );
    expect(registrations[0]?.registerOptions.watchers?.[0]?.globPattern).toContain('quant.json');
  });
});
