/** Stretches of a text that parse alone: where they begin, and what stays together. */
import { describe, expect, it } from 'vitest';
import { chunksFrom } from '../../../server/src/script/chunks';

/** Texts of the stretches. */
const chunks = (text: string) => [...chunksFrom(text, 0)].map(([start, end]) => text.slice(start, end));

describe('stretches', () => {
  it.each([
    ['statements in the first column', ['a = 1\n', 'b = 2\n', 'def f():\n    return 1\n\n', 'c()']],
    ['what a bracket holds', ['x = [\n1,\n2\n]\n', 'y = f(\na\n)\n']],
    [
      'clauses with their statement',
      ['if a:\n  b\nelif c:\n  d\nelse:\n  e\n', 'try:\n  a\nexcept E:\n  b\nfinally:\n  c\n'],
    ],
    ['decorators with what they decorate', ['@a\n@b(\n1)\n# note\ndef f(): pass\n', 'x = 1\n']],
    ['strings in three quotes', ['"""a\ndef f():\n"""\n', "x = '''\nclass A:\n\\'''\n'''\n", 'y = 1']],
    ['lines behind a backslash', ['x = 1 + \\\n2\n', 'y = 2\n']],
    ['comments and empty lines with what stands above', ['# first\n\n', 'import a\n# second\n\n', 'b = 1\n']],
    ['both kinds of line ends', ['a = (\r\n1)\r\n', 'b = 2 \\\r\n+ 3\r\n', 'c = 3']],
    ['a quote that is not closed ends with its line', ['x = "abc\n', 'y = 1\n']],
    [
      'an open bracket ends where only a statement can begin',
      ['f(a,\nb\n', 'def g():\n    pass\n', 'h([\n', 'import os\n'],
    ],
    ['words that only look like clauses', ['if a:\n  b\n', 'elsewhere = 1\n', 'finally_done()\n']],
    ['nothing', []],
  ])('%s', (_, expected) => {
    expect(chunks(expected.join(''))).toEqual(expected);
  });
});
