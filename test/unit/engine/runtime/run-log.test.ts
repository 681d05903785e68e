/** Runs of the command line are written down one by one, bounded, and read again by the editor's history. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  forgetLoggedRuns,
  loggedRuns,
  logRun,
  runLogFile,
} from '../../../../server/src/engine/runtime/run-log';
import { History } from '../../../../server/src/lsp/history';

let folder = '';
const given = process.env.XDG_CACHE_HOME;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'run-log-test-'));
  process.env.XDG_CACHE_HOME = folder;
});
afterEach(() => {
  if (given === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = given;
  fs.rmSync(folder, { recursive: true, force: true });
});

const run = (model: string, summary = 'Done.') =>
  logRun({ kind: 'compare', model, seconds: 1.5, state: 'done', summary, outputFile: `${model}.int8` });

function history(folders: readonly string[]) {
  return new History({ directory: () => undefined, folders: () => folders, log: () => {} }, () => {});
}

describe('the log of runs', () => {
  it('keeps what was said, in order', () => {
    run('/models/a.onnx');
    run('/models/b.onnx');
    expect(loggedRuns()).toMatchObject([{ model: '/models/a.onnx' }, { model: '/models/b.onnx' }]);
  });

  it('does not grow without bound', () => {
    for (let index = 0; index < 900; index++) run('/models/a.onnx', `${index} ${'-'.repeat(300)}`);
    expect(fs.statSync(runLogFile()).size).toBeLessThan(300 * 1024);
    expect(loggedRuns().at(-1)).toMatchObject({ summary: expect.stringMatching(/^899 /) });
  });

  it('reads around a line that was cut off', () => {
    run('/models/a.onnx');
    fs.appendFileSync(runLogFile(), '{"kind": "comp\n');
    run('/models/b.onnx');
    expect(loggedRuns()).toHaveLength(2);
  });

  it('costs no run where it cannot be written', () => {
    fs.writeFileSync(path.join(folder, 'quantlens'), '');
    run('/models/a.onnx');
    expect(loggedRuns()).toEqual([]);
    forgetLoggedRuns(new Set(['none']));
  });
});

describe('the history of an editor', () => {
  it('shows runs on models of its folders, newest first, as those of the command line', () => {
    run('/work/one/a.onnx');
    run('/elsewhere/b.onnx');
    run('/work/two/c.onnx');
    const one = history(['/work/one', '/work/two']);
    expect(one.list()).toMatchObject([
      {
        modelUri: 'file:///work/two/c.onnx',
        outputUri: 'file:///work/two/c.onnx.int8',
        from: 'command-line',
      },
      { modelUri: 'file:///work/one/a.onnx', from: 'command-line' },
    ]);
    expect(one.list('file:///work/one/a.onnx')).toHaveLength(1);
    one.dispose();
  });

  it('stands beside its own runs', () => {
    run('/work/one/a.onnx');
    const one = history(['/work']);
    one.add({ kind: 'calibrate', modelUri: 'file:///work/z.onnx', seconds: 1, state: 'done', summary: '' });
    expect(one.list().map(({ from }) => from)).toEqual([undefined, 'command-line']);
    one.dispose();
  });

  it('forgets what it is told to, and only what it shows', () => {
    run('/work/a.onnx');
    run('/work/b.onnx');
    run('/elsewhere/c.onnx');
    const one = history(['/work']);
    const [newest] = one.list();
    one.forget([newest?.id ?? '']);
    expect(one.list()).toMatchObject([{ modelUri: 'file:///work/a.onnx' }]);
    one.forget();
    expect(one.list()).toEqual([]);
    expect(loggedRuns()).toMatchObject([{ model: '/elsewhere/c.onnx' }]);
    one.dispose();
  });

  it('believes no line that is not what the command line writes', () => {
    const lines = [
      {
        kind: 'reformat',
        model: '/work/a.onnx',
        seconds: 1,
        state: 'done',
        summary: '',
        id: '1',
        finishedAt: 1,
      },
      { kind: 'compare', model: 7, seconds: 1, state: 'done', summary: '', id: '2', finishedAt: 1 },
      'text',
      null,
    ];
    fs.mkdirSync(path.dirname(runLogFile()), { recursive: true });
    fs.writeFileSync(runLogFile(), lines.map((one) => JSON.stringify(one)).join('\n'));
    const one = history(['/work']);
    expect(one.list()).toEqual([]);
    one.dispose();
  });
});
