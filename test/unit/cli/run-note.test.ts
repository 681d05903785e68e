/** What commands leave for the editor's history: one line per run, none where that is not wanted. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { root } from './run-cli';

const demo = path.join(root, 'examples/fashion_mobile.onnx');
let folder = '';

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'run-note-test-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function run(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): readonly unknown[] {
  const { QUANTLENS_NO_HISTORY: _, ...own } = process.env;
  spawnSync(process.execPath, [path.join(root, 'dist/cli.js'), ...args, '--quiet'], {
    cwd: root,
    env: { ...own, XDG_CACHE_HOME: folder, ...environment },
  });
  const file = path.join(folder, 'quantlens/runs.jsonl');
  if (!fs.existsSync(file)) return [];
  return fs
    .readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const noise = ['--data', 'random', '--samples', '2'];

describe('a command', () => {
  it('leaves what was run, on what, and how it ended', () => {
    const output = path.join(folder, 'o.onnx');
    run(['analyze', demo]);
    run(['quantize', demo, '--scheme', 'w8a8', ...noise, '-o', output]);
    run(['compare', demo, output, ...noise]);
    run(['evaluate', output, '--against', demo, ...noise]);
    const figures = { sqnr: expect.any(Number), topOneAgreement: expect.any(Number) };
    expect(run(['calibrate', demo, ...noise, '-o', path.join(folder, 'r.json')])).toMatchObject([
      {
        kind: 'analyze',
        model: demo,
        state: 'done',
        summary: expect.stringMatching(/^Weights of \d+ layers/),
      },
      {
        kind: 'quantize',
        scheme: 'w8a8',
        samples: 2,
        outputFile: output,
        output: { ...figures, execution: 'deployed' },
      },
      { kind: 'compare', model: demo, outputFile: output, output: figures, source: 'random' },
      { kind: 'evaluate', model: output, samples: 2, output: figures },
      { kind: 'calibrate', estimator: 'min-max', samples: 2, seconds: expect.any(Number) },
    ]);
  }, 60_000);

  it('tells of a failure why', () => {
    const broken = path.join(folder, 'broken.onnx');
    fs.writeFileSync(broken, '<html>');
    expect(
      run(['quantize', broken, '--scheme', 'w8a8', ...noise, '-o', path.join(folder, 'o')]),
    ).toMatchObject([{ kind: 'quantize', state: 'failed', summary: expect.stringContaining('broken.onnx') }]);
  });

  it.each([
    ['--no-history', ['analyze', demo, ...noise, '--metric', 'local', '--no-gains', '--no-history'], {}],
    ['the environment', ['analyze', demo], { QUANTLENS_NO_HISTORY: '1' }],
    ['wrong usage', ['analyze', demo, '--scheme', 'w9000'], {}],
    ['a command that measures nothing', ['inspect', demo], {}],
  ] as const)('leaves nothing with %s', (_, args, environment) => {
    expect(run(args, environment)).toEqual([]);
  });
});
