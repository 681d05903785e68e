/** Python syntax as plain data, and incremental parsing against a fresh parse. */
import { describe, expect, it } from 'vitest';
import type { ParsedScript } from '../../../server/src/script/parser';
import { type Expression, expressionsOf, type Statement } from '../../../server/src/script/syntax';
import { dedent, pythonParser } from '../../fixtures/python';

async function statements(text: string): Promise<readonly Statement[]> {
  const parsed = (await pythonParser()).parse(dedent(text));
  const { module } = parsed;
  parsed.dispose();
  return module.statements;
}

async function expressionIn(text: string): Promise<Expression | undefined> {
  const [statement] = await statements(text);
  return statement && expressionsOf(statement)[0];
}

describe('expressions', () => {
  it.each<[source: string, kind: string, detail: object]>([
    ['1_000', 'constant', { value: 1000 }],
    ['0x10', 'constant', { value: 16 }],
    ['1e-5', 'constant', { value: 1e-5 }],
    ['3j', 'other', { type: 'integer' }],
    ['None', 'constant', { value: null }],
    ['\'a\' "b"', 'constant', { value: 'ab' }],
    ["r'\\d'", 'constant', { value: '\\d' }],
    ["'it\\'s'", 'constant', { value: "it's" }],
    ["'''a\nb'''", 'constant', { value: 'a\nb' }],
    ['(a)', 'name', { name: 'a' }],
    ['await a', 'name', { name: 'a' }],
    ['not a', 'unary', { operator: 'not' }],
    ['a and b', 'binary', { operator: 'and' }],
    ['a is not b', 'binary', { operator: 'is not' }],
    ['a < b < c', 'other', { type: 'comparison_operator' }],
    ['a.b.c', 'attribute', { attribute: 'c' }],
    ['a, b', 'tuple', {}],
    ['{1, 2}', 'set', {}],
    ['lambda x, *y: x', 'lambda', { parameters: [{ name: 'x' }, { name: 'y', star: '*' }] }],
  ])('%s is %s', async (source, kind, detail) => {
    expect(await expressionIn(source)).toMatchObject({ kind, ...detail });
  });

  it('keeps text and expressions of an f-string apart', async () => {
    expect(await expressionIn("f'layer{i}.weight'")).toMatchObject({
      kind: 'format',
      pieces: ['layer', { kind: 'name', name: 'i' }, '.weight'],
    });
  });

  it('knows the parts of a slice by their colons', async () => {
    expect(await expressionIn('a[:2]')).toMatchObject({
      kind: 'subscript',
      indexes: [{ kind: 'slice', stop: { value: 2 } }],
    });
    expect(await expressionIn('a[1::3]')).toMatchObject({
      indexes: [{ kind: 'slice', start: { value: 1 }, step: { value: 3 } }],
    });
  });

  it('tells keywords, stars and positions of arguments', async () => {
    const call = await expressionIn('f(1, *a, k=2, **b)');
    const args = call?.kind === 'call' ? call.args : [];
    expect(args.map(({ keyword, star }) => keyword ?? star ?? '')).toEqual(['', '*', 'k', '**']);
  });

  it('gives offsets of the text, also behind characters of two units', async () => {
    const text = "x = '😀'\nmodel.eval()\n";
    const [, second] = await statements(text);
    expect(second && text.slice(...second.span)).toBe('model.eval()');
  });
});

describe('statements', () => {
  it('reads every compound statement with its blocks', async () => {
    const text = `
      @decorated(1)
      async def f(a, b: int = 2, *args, k=3, **rest) -> int:
          with no_grad() as g, open('f'):
              pass
      class A(B, metaclass=M):
          x: int = 1
      try:
          a()
      except E as e:
          b()
      except F:
          c()
      else:
          d()
      finally:
          e()
      for i, j in pairs:
          f()
      else:
          g()
      if a:
          h()
      elif b:
          i()
      else:
          j()
      `;
    const [fn, cls, tried, loop, choice] = await statements(text);
    expect(fn).toMatchObject({
      kind: 'function',
      name: 'f',
      decorators: [{ kind: 'call' }],
      parameters: [
        { name: 'a' },
        { name: 'b', default: { value: 2 } },
        { name: 'args', star: '*' },
        { name: 'k', default: { value: 3 } },
        { name: 'rest', star: '**' },
      ],
      body: [{ kind: 'with', items: [{ target: { name: 'g' } }, { context: { kind: 'call' } }] }],
    });
    expect(cls).toMatchObject({
      kind: 'class',
      bases: [{ value: { name: 'B' } }, { keyword: 'metaclass' }],
      body: [{ kind: 'assign', value: { value: 1 } }],
    });
    expect(tried).toMatchObject({
      kind: 'try',
      body: [{}],
      handlers: [[{}], [{}]],
      orElse: [{}],
      finally: [{}],
    });
    expect(loop).toMatchObject({ kind: 'for', target: { kind: 'tuple' }, body: [{}], orElse: [{}] });
    expect(choice).toMatchObject({
      kind: 'if',
      orElse: [{ kind: 'if', test: { name: 'b' }, orElse: [{ kind: 'expression' }] }],
    });
  });

  it('reads imports with their aliases and dots', async () => {
    const text = `
      import torch.nn as nn, os.path
      from ..ops.misc import A as B, C
      from torch import *
      `;
    expect(await statements(text)).toMatchObject([
      { modules: [{ path: 'torch.nn', alias: 'nn' }, { path: 'os.path' }] },
      { module: 'ops.misc', level: 2, names: [{ name: 'A', alias: 'B' }, { name: 'C' }], star: false },
      { module: 'torch', level: 0, names: [], star: true },
    ]);
  });

  it('has all targets of an assignment, and the operator of an augmented one', async () => {
    expect(await statements('a = b.c = 1\nx += 2\ny: int')).toMatchObject([
      { targets: [{ name: 'a' }, { attribute: 'c' }], value: { value: 1 } },
      { operator: '+', value: { value: 2 } },
      { targets: [{ name: 'y' }] },
    ]);
  });

  it('keeps what can be read of broken code', async () => {
    const parser = await pythonParser();
    const parsed = parser.parse('import torch\nmodel.eval(\ndef f(:\n  x = 1\nmodel.train()\n');
    expect(parsed.module.complete).toBe(false);
    expect(parsed.module.statements[0]).toMatchObject({ kind: 'import' });
    parsed.dispose();
  });

  it('lists comments', async () => {
    const parsed = (await pythonParser()).parse('x = f(  # quantlens: ignore[S01]\n  1)\n# end\n');
    expect(parsed.module.comments.map(({ text }) => text.trim())).toEqual(['quantlens: ignore[S01]', 'end']);
    parsed.dispose();
  });
});

describe('incremental parsing', () => {
  it('equals a fresh parse after every edit of a long session', async () => {
    const parser = await pythonParser();
    const pieces = [
      'x = 1\n',
      'def f(a):\n    return a\n',
      '(',
      ')',
      "'",
      '"""',
      '\n',
      '    ',
      '😀',
      ':',
      '#',
      '\r\n',
      '\t',
    ];
    let seed = 7;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    let text =
      'import torch\nclass A(nn.Module):\n    def forward(self, x):\n        return self.conv(x)\n'.repeat(6);
    let parsed: ParsedScript = parser.parse(text);
    for (let edit = 0; edit < 400; edit++) {
      const start = random(text.length + 1);
      const end = Math.min(text.length, start + (random(3) === 0 ? random(20) : 0));
      text = text.slice(0, start) + (pieces[random(pieces.length)] ?? '') + text.slice(end);
      parsed = parser.parse(text, parsed);
      const fresh = parser.parse(text);
      expect(parsed.module, `after edit ${edit}`).toEqual(fresh.module);
      fresh.dispose();
    }
    parsed.dispose();
  });
});
