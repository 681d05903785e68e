/** `lint` on scripts, notebooks and folders: places, formats, exit codes, fixes, suppression. */
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { placeIn } from '../../../server/src/cli/lint-scripts';
import { root, runCli } from './run-cli';

const folder = mkdtempSync(path.join(tmpdir(), 'quantlens-lint-'));
afterAll(() => rmSync(folder, { recursive: true }));

const observer =
  'from torch.ao.quantization import QConfig, MinMaxObserver\nq = QConfig(activation=MinMaxObserver(), weight=w)\n';

function file(name: string, text: string): string {
  const full = path.join(folder, name);
  mkdirSync(path.dirname(full), { recursive: true });
  writeFileSync(full, text);
  return name;
}

describe('lint on scripts', () => {
  it('says where, and fails on an error', () => {
    const result = runCli(['lint', file('a/net.py', observer)], { cwd: folder });
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(/^a\/net\.py:2:24: error S10: MinMaxObserver\(\) is an observer object/m);
    expect(result.stdout).toMatch(/^1 file, 2 findings$/m);
  });

  it('reads folders, notebooks too, and leaves other Python alone', () => {
    file('b/plain.py', 'x = 1\n');
    file('b/site-packages/net.py', observer);
    const cells = [
      { cell_type: 'code', source: ['%pip install torch\n', 'import torch\n'] },
      { cell_type: 'code', source: 'm = torch.quantization.quantize_dynamic(m)\n' },
    ];
    file('b/book.ipynb', JSON.stringify({ nbformat: 4, cells }));
    const result = runCli(['lint', 'b', '--format', 'json'], { cwd: folder });
    const { files, issues } = JSON.parse(result.stdout) as {
      files: string[];
      issues: { code: string; path: string }[];
    };
    expect(result.code).toBe(0);
    expect(files).toEqual(['b/book.ipynb', 'b/plain.py']);
    expect(issues.map(({ code, path: name }) => `${name} ${code}`)).toEqual(['b/book.ipynb S24']);
  });

  it('replaces a script as a whole: with its permissions, behind a link, and with nothing beside it', () => {
    const name = file('whole/run.py', observer);
    const full = path.join(folder, name);
    chmodSync(full, 0o755);
    symlinkSync('run.py', path.join(folder, 'whole/link.py'));
    const before = statSync(full);
    const reader = openSync(full, 'r');
    expect(runCli(['lint', 'whole/link.py', '--fix'], { cwd: folder }).stdout).toMatch(/1 fix applied/);
    // Whoever had the old text open still reads all of it.
    expect(readFileSync(reader, 'utf8')).toBe(observer);
    closeSync(reader);
    expect(statSync(full).ino).not.toBe(before.ino);
    expect(statSync(full).mode).toBe(before.mode);
    expect(readdirSync(path.join(folder, 'whole')).sort()).toEqual(['link.py', 'run.py']);
  });

  it('applies safe fixes and says how many', () => {
    const name = file('c.py', observer);
    const result = runCli(['lint', name, '--fix'], { cwd: folder });
    expect(result.stdout).toMatch(/1 fix applied/);
    expect(readFileSync(path.join(folder, name), 'utf8')).toBe(
      observer.replace('MinMaxObserver()', 'MinMaxObserver'),
    );
    expect(runCli(['lint', name, '--fix'], { cwd: folder }).stdout).toMatch(/0 fixes applied/);
  });

  it('follows severities, comments and the target', () => {
    const config = file('lint.json', '{"severity": {"S24": "off"}}');
    const silenced = file('d.py', observer.replace('weight=w)', 'weight=w)  # quantlens: ignore[S10]'));
    expect(runCli(['lint', silenced, '--config', config], { cwd: folder })).toMatchObject({
      code: 0,
      stdout: '1 file, 0 findings\n',
    });
    const dynamic = file(
      'e.py',
      'from onnxruntime.quantization import quantize_dynamic\nquantize_dynamic("a", "b", reduce_range=True)\n',
    );
    expect(runCli(['lint', dynamic], { cwd: folder }).stdout).not.toMatch(/S44/);
    expect(runCli(['lint', dynamic, '--target', 'arm64'], { cwd: folder }).stdout).toMatch(
      /e\.py:2:28: information S44/,
    );
    expect(runCli(['lint', dynamic, '--target', 'toaster'], { cwd: folder }).code).toBe(2);
  });

  it('gives regions and help to code review', () => {
    const result = runCli(['lint', file('f.py', observer), '--format', 'sarif'], { cwd: folder });
    const log = JSON.parse(result.stdout);
    const [first] = log.runs[0].results.filter((one: { ruleId: string }) => one.ruleId === 'S10');
    expect(first.locations[0].physicalLocation.region).toMatchObject({ startLine: 2, startColumn: 24 });
    const rule = log.runs[0].tool.driver.rules[first.ruleIndex];
    expect(rule).toMatchObject({ id: 'S10', helpUri: expect.stringMatching(/script-torch\.md#s10$/) });
  });

  it('fixes the cells of a notebook and leaves the rest of the file as it is', () => {
    const [imports = '', call = ''] = observer.trimEnd().split('\n');
    const cells = [
      { cell_type: 'markdown', metadata: {}, source: ['# MinMaxObserver()\n'] },
      { cell_type: 'code', execution_count: 1, metadata: {}, outputs: [], source: ['%pip list\n', imports] },
      {
        cell_type: 'code',
        execution_count: 2,
        metadata: { tags: ['é'] },
        outputs: [{ name: 'stdout', output_type: 'stream', text: ['MinMaxObserver()\n'] }],
        source: ['# second\n', call],
      },
    ];
    const text = `${JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 }, null, 1)}\n`;
    const name = file('h/book.ipynb', text);
    const found = runCli(['lint', name], { cwd: folder });
    expect(found.stdout).toMatch(/^h\/book\.ipynb:cell 2:2:24: error S10/m);
    const [{ pattern }] = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).contributes
      .problemMatchers;
    const problem = new RegExp(pattern.regexp, 'm').exec(found.stdout);
    expect([pattern.file, pattern.line, pattern.column].map((group: number) => problem?.[group])).toEqual([
      'h/book.ipynb',
      '2',
      '24',
    ]);
    expect(runCli(['lint', name, '--fix'], { cwd: folder }).stdout).toMatch(/1 fix applied/);
    const at = text.indexOf('activation=MinMaxObserver()');
    const expected = `${text.slice(0, at)}activation=MinMaxObserver${text.slice(at + 'activation=MinMaxObserver()'.length)}`;
    expect(readFileSync(path.join(folder, name), 'utf8')).toBe(expected);
    const log = JSON.parse(runCli(['lint', name, '--format', 'sarif'], { cwd: folder }).stdout);
    const [result] = log.runs[0].results;
    const line = text.split('\n').findIndex((one) => one.includes('q = QConfig')) + 1;
    const { region } = result.locations[0].physicalLocation;
    expect([region.startLine, region.endLine]).toEqual([line, line]);
    const { charOffset, charLength } = region;
    expect(expected.slice(charOffset, charOffset + charLength)).toMatch(/^QConfig|^activation|^weight|^Min/);
    expect(result.locations[0].logicalLocations).toEqual([
      { name: 'cell 2', fullyQualifiedName: 'cell 2', kind: 'element' },
    ]);
    const { issues } = JSON.parse(runCli(['lint', name, '--format', 'json'], { cwd: folder }).stdout);
    expect(issues[0].span).toEqual([charOffset, charOffset + charLength]);
  });

  it('walks folders with links in a circle', () => {
    file('i/net.py', observer);
    symlinkSync(path.join(folder, 'i'), path.join(folder, 'i/again'));
    symlinkSync(path.join(folder, 'nowhere'), path.join(folder, 'i/broken.py'));
    const result = runCli(['lint', 'i'], { cwd: folder });
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(/^1 file, /m);
  });

  it('leaves a file in another encoding as it is', () => {
    const bytes = Buffer.from(`# -*- coding: latin-1 -*-\nname = "é"\n${observer}`, 'latin1');
    writeFileSync(path.join(folder, 'j.py'), bytes);
    expect(runCli(['lint', 'j.py', '--fix'], { cwd: folder })).toMatchObject({ code: 1 });
    expect(readFileSync(path.join(folder, 'j.py')).equals(bytes)).toBe(true);
  });

  it('refuses what is too large for a script', () => {
    truncateSync(path.join(folder, file('k.py', 'import torch\n')), 17 * 2 ** 20);
    expect(runCli(['lint', 'k.py'], { cwd: folder })).toMatchObject({ code: 2 });
  });

  it('fails with findings that no fix takes away, in folders too', () => {
    file('l/a.py', observer);
    file('l/b/c.py', observer);
    const result = runCli(['lint', 'l', '--fix'], { cwd: folder });
    expect(result.stdout).toMatch(/^2 files, 2 findings, 2 fixes applied$/m);
    expect(result.code).toBe(0);
    const reader = 'class Reader(CalibrationDataReader):\n    def get_next(self):\n        return {"x": 1}\n';
    file('l/d.py', `from onnxruntime.quantization import CalibrationDataReader\n${reader}`);
    expect(runCli(['lint', 'l', '--fix'], { cwd: folder }).code).toBe(1);
  });

  it('refuses a notebook that is none', () => {
    const result = runCli(['lint', file('g.ipynb', 'not json')], { cwd: folder });
    expect(result.code).toBe(2);
    expect(result.stdout).toMatch(/g\.ipynb/);
  });
});

describe('places', () => {
  it.each<[offset: number, place: string]>([
    [0, '1:1'],
    [2, '1:3'],
    [3, '2:1'],
    [5, '3:1'],
  ])('%d is %s', (offset, place) => expect(placeIn('ab\nc\nd', offset)).toBe(place));
});
