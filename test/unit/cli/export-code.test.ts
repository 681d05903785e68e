/** `export-code`: code on standard output or in a file that is not replaced unasked, bad recipes in one line. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, runCli } from './run-cli';

const recipe = path.join(root, 'examples/fashion_mobile.quant.json');

let folder = '';
const at = (name: string) => path.join(folder, name);
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantlens-export-code-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('export-code', () => {
  it.each(['onnxruntime', 'torchao', 'aimet'])(
    'writes %s code of the example, every time the same',
    (library) => {
      const first = runCli(['export-code', recipe, '--as', library, '--quiet']);
      expect(first.code, first.stderr).toBe(0);
      expect(first.stdout).toContain('fashion_mobile.quant.json');
      expect(first.stdout).not.toContain(root);
      const again = runCli(['export-code', recipe, '--as', library, '-o', at(`${library}.py`), '--quiet']);
      expect(again.code, again.stderr).toBe(0);
      expect(fs.readFileSync(at(`${library}.py`), 'utf8')).toBe(first.stdout);
    },
  );

  it('leaves a file alone unless it may be replaced', () => {
    fs.writeFileSync(at('mine.py'), 'edited = True\n');
    const args = ['export-code', recipe, '--as', 'torchao', '-o', at('mine.py'), '--quiet'];
    const refused = runCli(args);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/exists already.*--force/)]);
    expect(fs.readFileSync(at('mine.py'), 'utf8')).toBe('edited = True\n');
    expect(runCli([...args, '--force']).code).toBe(0);
    expect(fs.readFileSync(at('mine.py'), 'utf8')).toContain('prepare_pt2e');
  });

  it('is one document with --json, and names what differs', () => {
    const result = runCli(['export-code', recipe, '--as', 'onnxruntime', '--json', '--quiet']);
    const document = JSON.parse(result.stdout);
    expect(document.library).toBe('onnxruntime');
    expect(document.text).toContain('EXCLUDED = ["/stem/Conv"]');
    expect(document.issues).toEqual([
      expect.objectContaining({ code: 'code-differs', severity: 'information' }),
    ]);
  });

  it.each([
    ['{"default": {"weights": "int8"}}', /model/],
    ['{"model": "gone.onnx", "default": {"weights": "int8"}}', /gone\.onnx: no such file/],
    ['[', /JSON|object/],
  ])('refuses %s in one line', (text, line) => {
    fs.writeFileSync(at('bad.quant.json'), text);
    const result = runCli(['export-code', at('bad.quant.json'), '--as', 'aimet', '--quiet']);
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
    expect([result.code, result.stderr]).toEqual([2, expect.stringMatching(line)]);
  });

  it('never writes over the recipe', () => {
    fs.writeFileSync(
      at('own.quant.json'),
      JSON.stringify({ model: path.join(root, 'examples/fashion_mobile.onnx') }),
    );
    const args = [
      'export-code',
      at('own.quant.json'),
      '--as',
      'torchao',
      '-o',
      at('own.quant.json'),
      '--force',
    ];
    expect(runCli([...args, '--quiet']).code).toBe(2);
  });
});
