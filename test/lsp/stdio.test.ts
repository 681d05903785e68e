/** The server as other editors start it: a process on standard streams that says nothing but the protocol. */
import { fork, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createMessageConnection,
  IPCMessageReader,
  IPCMessageWriter,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver/node';
import { URI } from 'vscode-uri';
import { encodeModelBytes } from '../../server/src/engine/format/onnx-encode';
import type { CalibrationResult } from '../../server/src/protocol/views';
import { convNet } from '../fixtures/build';

const root = path.resolve(__dirname, '../..');
const program = (name: string) => path.join(root, 'dist', name);

let folder = '';
let modelUri = '';
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantlens-stdio-'));
  fs.writeFileSync(path.join(folder, 'net.onnx'), encodeModelBytes(convNet()).value ?? '');
  modelUri = URI.file(path.join(folder, 'net.onnx')).toString();
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const hello = { processId: null, rootUri: null, capabilities: {} };

/** Bytes that are no framed message. */
function strayBytes(bytes: Buffer): string {
  let rest = bytes;
  for (;;) {
    const header = /^Content-Length: (\d+)\r\n\r\n/.exec(rest.subarray(0, 100).toString('latin1'));
    if (!header) return rest.toString();
    const end = header[0].length + Number(header[1]);
    JSON.parse(rest.subarray(header[0].length, end).toString());
    rest = rest.subarray(end);
  }
}

describe.each([
  ['cli.js', ['lsp', '--stdio']],
  ['cli.js', ['lsp']],
  ['server.js', ['--stdio']],
])('%s %j', (name, args) => {
  const start = () => {
    const child = spawn(process.execPath, [program(name), ...args], { stdio: 'pipe' });
    const out: Buffer[] = [];
    let errors = '';
    child.stdout.on('data', (data) => out.push(data));
    child.stderr.on('data', (data) => {
      errors += data;
    });
    const connection = createMessageConnection(
      new StreamMessageReader(child.stdout),
      new StreamMessageWriter(child.stdin),
    );
    connection.listen();
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    return { child, connection, ended, said: () => Buffer.concat(out), errors: () => errors };
  };

  it('speaks only the protocol, inference included, and ends when told', async () => {
    const { connection, ended, said, errors } = start();
    await connection.sendRequest('initialize', hello);
    await connection.sendNotification('initialized', {});
    const uri = `quantlens-text:/net.onnx.onnxtxt?${modelUri}`;
    const { text } = await connection.sendRequest<{ text: string }>('workspace/textDocumentContent', { uri });
    expect(text).toContain('conv_net');
    const result = await connection.sendRequest<CalibrationResult>('quantlens/calibrate', {
      jobId: 'job',
      modelUri,
      source: 'random',
      samples: 8,
      estimator: 'min-max',
      scheme: 'w8a8',
      seed: 0,
    });
    expect(result.state, result.problems.join()).toBe('done');
    await connection.sendRequest('shutdown');
    await connection.sendNotification('exit');
    expect(await ended).toBe(0);
    expect(strayBytes(said())).toBe('');
    expect(errors()).toBe('');
  });

  it('ends when its input ends', async () => {
    const { child, connection, ended } = start();
    await connection.sendRequest('initialize', hello);
    child.stdin.end();
    expect(await ended).toBe(1);
  });
});

it('server.js speaks over IPC, as the extension starts it', async () => {
  const child = fork(program('server.js'), ['--node-ipc'], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const connection = createMessageConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
  connection.listen();
  const { serverInfo } = await connection.sendRequest<{ serverInfo: object }>('initialize', hello);
  expect(serverInfo).toEqual({ name: 'quantlens' });
  await connection.sendRequest('shutdown');
  const ended = new Promise((resolve) => child.on('exit', resolve));
  await connection.sendNotification('exit');
  expect(await ended).toBe(0);
});
