/** Findings of scripts that are not open: only when asked for, everything that is excluded left out, and off stays off. */
import * as fs from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { WorkspaceDocumentDiagnosticReport } from 'vscode-languageserver';
import { TestClient } from './support/client';

let client: TestClient;
afterEach(() => client.stop());

const mistake = `import torch
from torch.ao.quantization import MinMaxObserver, QConfig

config = QConfig(activation=MinMaxObserver, weight=MinMaxObserver())
`;

/** Starts with these files and asks once; reports by name, codes of those that are told in full. */
async function reports(
  files: Readonly<Record<string, string>>,
  script: object,
  previous: readonly { readonly uri: string; readonly value: string }[] = [],
): Promise<Readonly<Record<string, readonly unknown[] | 'unchanged'>>> {
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(client.file(`${name}/..`), { recursive: true });
    fs.writeFileSync(client.file(name), text);
  }
  const heard = client.said.length;
  await client.configure({ script });
  // The server asks for the settings; the next request finds them answered.
  const asked = async () =>
    client.said.slice(heard).some(({ method }) => method === 'workspace/configuration');
  await client.until(asked, (done) => done);
  await client.request('quantlens/history', { limit: 0 }).catch(() => {});
  const { items } = await client.request<{ items: readonly WorkspaceDocumentDiagnosticReport[] }>(
    'workspace/diagnostic',
    { previousResultIds: previous },
  );
  lastIds = items.flatMap(({ uri, resultId }) => (resultId === undefined ? [] : [{ uri, value: resultId }]));
  return Object.fromEntries(
    items.map((one) => [
      decodeURIComponent(one.uri).slice(client.uri('').length).replace(/^\//, ''),
      one.kind === 'unchanged' ? 'unchanged' : one.items.map(({ code }) => code),
    ]),
  );
}

let lastIds: readonly { readonly uri: string; readonly value: string }[] = [];

/** As an editor that asks when it likes: nothing is held back until something changes. */
const foreign = { options: null };

describe('workspace diagnostics', () => {
  it('are off until they are asked for', async () => {
    client = await TestClient.start(foreign);
    expect(client.initialized.capabilities.diagnosticProvider).toMatchObject({ workspaceDiagnostics: true });
    expect(await reports({ 'train.py': mistake }, {})).toEqual({});
  });

  it('tell of every script, and leave out what is excluded', async () => {
    client = await TestClient.start(foreign);
    const found = await reports(
      {
        'train.py': mistake,
        'package/inner/net.py': mistake,
        'plain.py': 'import os\n',
        '.gitignore': '# generated\n/generated\n*_old.py\n!keep_old.py\n',
        'generated/a.py': mistake,
        'deep/x_old.py': mistake,
        'deep/keep_old.py': mistake,
        'deep/generated/b.py': mistake,
        '.hidden/c.py': mistake,
        'node_modules/d.py': mistake,
        'venv/lib/e.py': mistake,
        'own-environment/pyvenv.cfg': '',
        'own-environment/f.py': mistake,
        'lib/site-packages/g.py': mistake,
      },
      { workspaceDiagnostics: true },
    );
    const codes = ['S10', 'S24'];
    expect(found).toEqual({
      'train.py': codes,
      'deep/keep_old.py': codes,
      'deep/generated/b.py': codes,
      'package/inner/net.py': codes,
    });
  });

  it('say what is the same, clear what is gone, and clear all once they are switched off', async () => {
    client = await TestClient.start(foreign);
    const on = { workspaceDiagnostics: true };
    await reports({ 'a.py': mistake, 'b.py': mistake }, on);
    fs.rmSync(client.file('b.py'));
    expect(await reports({}, on, lastIds)).toEqual({ 'a.py': 'unchanged', 'b.py': [] });
    const known = lastIds.filter(({ value }) => value !== '');
    expect(await reports({}, { workspaceDiagnostics: false }, known)).toEqual({ 'a.py': [] });
  });

  it('look at once when they are switched on while the editor waits', async () => {
    client = await TestClient.start();
    client.write('train.py', mistake);
    const ask = () =>
      client.request<{ items: readonly WorkspaceDocumentDiagnosticReport[] }>('workspace/diagnostic', {
        previousResultIds: [],
      });
    const waiting = ask();
    await client.configure({ script: { workspaceDiagnostics: true } });
    expect((await waiting).items).toEqual([]);
    expect((await ask()).items.map(({ uri }) => uri)).toEqual([client.uri('train.py')]);
  });

  it('leave open documents to themselves', async () => {
    client = await TestClient.start(foreign);
    await client.open(client.write('open.py', mistake), mistake, 'python');
    expect(await reports({ 'other.py': mistake }, { workspaceDiagnostics: true })).toEqual({
      'other.py': ['S10', 'S24'],
    });
  });

  it.each([
    { setting: 'on', on: true, told: ['S10', 'S24'] },
    { setting: 'off', on: false, told: [] },
  ])('replace what an editor keeps of a script that is closed while they are $setting', async (state) => {
    client = await TestClient.start();
    const uri = client.write('train.py', mistake);
    const off = { script: { workspaceDiagnostics: false } };
    const ask = (previousResultIds: readonly { readonly uri: string; readonly value: string }[]) =>
      client.request<{ items: readonly WorkspaceDocumentDiagnosticReport[] }>('workspace/diagnostic', {
        previousResultIds,
      });
    const codes = ({ items }: { readonly items: readonly WorkspaceDocumentDiagnosticReport[] }) =>
      items.map((one) => [one.uri, one.kind === 'full' ? one.items.map(({ code }) => code) : one.kind]);
    await client.configure({ script: { workspaceDiagnostics: true } });
    await client.until(
      () => ask([]).then(codes),
      (told) => told.length > 0,
    );
    await client.open(uri, mistake, 'python');
    if (!state.on) await client.configure(off);
    // The editor forgets the result of what it closes, and keeps showing its findings.
    const waiting = client.until(
      () => ask([]).then(codes),
      (told) => told.length > 0,
    );
    await client.close(uri);
    expect(await waiting).toEqual([[uri, state.told]]);
    if (!state.on) return;
    await client.configure(off);
    const gone = () => ask([{ uri, value: 'of the report above' }]).then(codes);
    expect(await client.until(gone, ([told]) => told?.[1]?.length === 0)).toEqual([[uri, []]]);
  });
});
