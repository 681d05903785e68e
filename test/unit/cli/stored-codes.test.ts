/** What the command line says of weight files with codes, and of two models that cannot run in one batch. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writeProto } from '../../../server/src/engine/export/write';
import { model, node, normalValues, tensor, valueInfo } from '../../fixtures/build';
import { safetensorsFile } from '../../fixtures/weight-files';
import { runCli } from './run-cli';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantlens-codes-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

it('names codes in the place of layers, and asks for no export', () => {
  const header = {
    'up.qweight': { dtype: 'I32', shape: [8, 64], data_offsets: [0, 2048] },
    'up.scales': { dtype: 'F16', shape: [2, 64], data_offsets: [2048, 2304] },
    'up.g_idx': { dtype: 'I32', shape: [64], data_offsets: [2304, 2560] },
  };
  fs.writeFileSync(at('gptq.safetensors'), safetensorsFile({ header, data: new Uint8Array(2560) }));
  const { code, stdout } = runCli(['analyze', at('gptq.safetensors'), '--json', '--no-history', '--quiet']);
  expect(code).toBe(0);
  const report = JSON.parse(stdout);
  expect(report.layers).toEqual([]);
  expect(report.issues).toMatchObject([
    { code: 'codes-unread', severity: 'warning', facts: { tensors: ['up.qweight'], scheme: 'GPTQ' } },
  ]);
});

it.each([
  ['compare', (one: string, other: string) => ['compare', one, other]],
  ['evaluate', (one: string, other: string) => ['evaluate', one, '--against', other]],
] as const)('%s refuses two fixed batches in one line', async (_, args) => {
  const files = [2, 4].map(async (batch) => {
    const proto = model({
      inputs: [valueInfo('x', [batch, 8])],
      outputs: [valueInfo('y', [batch, 4])],
      initializers: [tensor('w', [8, 4], normalValues(32, 1))],
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
    });
    const written = await writeProto(proto, at(`${batch}.onnx`), { sources: [] });
    expect(written.issues).toEqual([]);
    return at(`${batch}.onnx`);
  });
  const [one = '', other = ''] = await Promise.all(files);
  const { code, stderr } = runCli([
    ...args(one, other),
    '--data',
    'random',
    '--samples',
    '8',
    '--no-history',
    '--quiet',
  ]);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toContain('one takes batches of 2, the other of 4');
  expect(code).toBe(2);
});
