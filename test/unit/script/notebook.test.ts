/** Notebooks as one program, and comments that silence findings. */
import { describe, expect, it } from 'vitest';
import { cellSpan, joinCells, programOffset, readNotebook } from '../../../server/src/script/notebook';
import { suppressions } from '../../../server/src/script/suppressions';
import { dedent, pythonParser } from '../../fixtures/python';

describe('notebooks', () => {
  it('are one program in which every offset lies in its cell', async () => {
    const joined = joinCells([
      '%matplotlib inline\nimport torch',
      '!pip install x\nmodel.eval()',
      '%%bash\nls -l $(pwd)',
    ]);
    expect(joined.text.split('\n').map((line) => line.trimEnd())).toEqual([
      '',
      'import torch',
      '',
      'model.eval()',
      '',
      '',
      '',
    ]);
    const at = joined.text.indexOf('model.eval');
    expect(cellSpan(joined, [at, at + 5])).toEqual({ cell: 1, span: [15, 20] });
    expect(programOffset(joined, 1, 15)).toBe(at);
    const parsed = (await pythonParser()).parse(joined.text);
    expect(parsed.module.complete).toBe(true);
    parsed.dispose();
  });

  it('have no place for what crosses cells', () => {
    const joined = joinCells(['ab', 'cd']);
    expect(cellSpan(joined, [1, 4])).toBeUndefined();
  });

  it.each<[why: string, text: string, cells: readonly string[] | undefined]>([
    [
      'lines',
      '{"nbformat":4,"cells":[{"cell_type":"code","source":["a\\n","b"]},{"cell_type":"markdown","source":"x"}]}',
      ['a\nb'],
    ],
    ['one string', '{"nbformat":4,"cells":[{"cell_type":"code","source":"a"}]}', ['a']],
    ['version 3', '{"nbformat":3,"worksheets":[{"cells":[{"cell_type":"code","input":["a"]}]}]}', ['a']],
    ['no cells', '{"nbformat":4}', []],
    ['other JSON', '{"a":1}', undefined],
    ['no JSON', 'import torch', undefined],
  ])('read from a file: %s', (_why, text, cells) => {
    expect(readNotebook(text)).toEqual(cells);
  });
});

describe('suppressions', () => {
  const source = dedent(`
    import torch
    a()  # quantlens: ignore[S01, s02]
    # quantlens: ignore
    b(
        c,
        d)  # quantlens: ignore[S03]
    e()
    # quantlens: model=out/net.onnx
    `);

  it.each<[code: string, at: string, covered: boolean]>([
    ['S01', 'a()', true],
    ['S02', 'a()', true],
    ['S03', 'a()', false],
    ['S09', 'b(', true],
    ['S03', 'd)', true],
    ['S04', 'd)', false],
    ['S01', 'e()', false],
  ])('%s at %s: %s', async (code, at, covered) => {
    const parsed = (await pythonParser()).parse(source);
    const found = suppressions(source, parsed.module.comments);
    const start = source.indexOf(at);
    expect(found.covers(code, [start, start + at.length])).toBe(covered);
    expect(found.models.map(({ path }) => path)).toEqual(['out/net.onnx']);
    parsed.dispose();
  });

  it('may cover the whole file', async () => {
    const text = 'x = 1\n# quantlens: ignore-file[S24]\n';
    const parsed = (await pythonParser()).parse(text);
    const found = suppressions(text, parsed.module.comments);
    expect([found.covers('S24', [0, 1]), found.covers('S25', [0, 1])]).toEqual([true, false]);
    parsed.dispose();
  });
});
