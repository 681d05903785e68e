/** Paths through imports and aliases, and folding of constants. */
import { describe, expect, it } from 'vitest';
import { pathOf } from '../../../server/src/script/names';
import { argument, argumentValue } from '../../../server/src/script/program';
import { evaluate } from '../../../server/src/script/values';
import { programOf } from '../../fixtures/python';

/** Path of the callee of the last call in a program. */
async function lastPath(text: string): Promise<string | undefined> {
  return (await programOf(text)).calls.at(-1)?.path;
}

describe('paths', () => {
  it.each<[why: string, text: string, path: string | undefined]>([
    ['import', 'import torch\ntorch.nn.Conv2d(1)', 'torch.nn.Conv2d'],
    ['import of a submodule', 'import torch.nn\ntorch.nn.Conv2d(1)', 'torch.nn.Conv2d'],
    ['alias', 'import torch.nn as nn\nnn.Conv2d(1)', 'torch.nn.Conv2d'],
    ['from', 'from torch import nn\nnn.Conv2d(1)', 'torch.nn.Conv2d'],
    ['from with alias', 'from torch.nn import Conv2d as C\nC(1)', 'torch.nn.Conv2d'],
    ['relative', 'from ..ops import f\nf()', '..ops.f'],
    ['assigned', 'from torch import nn\nC = nn.Conv2d\nC(1)', 'torch.nn.Conv2d'],
    ['alternatives', 'try:\n  from a.q import f\nexcept ImportError:\n  from b.q import f\nf()', 'a.q.f'],
    ['seen from a function', 'import torch\ndef g():\n  torch.compile(x)', 'torch.compile'],
    ['hidden by a parameter', 'import torch\ndef g(torch):\n  torch.compile(x)', undefined],
    ['two meanings', 'from a import f\nfrom b import g as f\nf()', undefined],
    ['object', 'model = make()\nmodel.eval()', undefined],
    ['star of a framework', 'from torch.nn import *\nConv2d(1)', 'torch.nn.Conv2d'],
    ['star, but Python has the name', 'from torch import *\nprint(1)', undefined],
    ['star, but it is made here', 'from torch.nn import *\ndef f(): pass\nf()', undefined],
    ['two stars', 'from torch.nn import *\nfrom models import *\nConv2d(1)', undefined],
    ['star of something else', 'from models import *\nConv2d(1)', undefined],
    ['cycle', 'a = b\nb = a\na()', undefined],
  ])('%s', async (_why, text, path) => {
    expect(await lastPath(text)).toBe(path);
  });

  it('does not see class variables from methods', async () => {
    const program = await programOf('class A:\n  f = torch\n  def g(self):\n    f()\nimport torch');
    expect(program.calls[0]?.path).toBeUndefined();
  });
});

describe('constants', () => {
  it.each<[source: string, value: unknown]>([
    ['2 * 3 + 1', 7],
    ['-7 // 2', -4],
    ['-7 % 3', 2],
    ['2 ** 5', 32],
    ['1 / 0', undefined],
    ['size', 224],
    ["'a' + 'b'", 'ab'],
    ['not True', false],
    ['twice', undefined],
    ['f()', undefined],
  ])('%s', async (source, value) => {
    const program = await programOf(`size = 224\ntwice = 1\ntwice = 2\nuse(${source})`);
    const call = program.calls.at(-1);
    const found = call && argumentValue(call, 'x', 0);
    expect(found && 'value' in found ? found.value : undefined).toBe(value);
  });

  it('folds lists and dictionaries, and keeps imported names', async () => {
    const program = await programOf("import torch\nuse({'weight': [1, torch.qint8], **more})");
    const call = program.calls.at(-1);
    const found = call && argumentValue(call, 'x', 0);
    expect(found).toMatchObject({ kind: 'dict', open: true });
    expect(found?.kind === 'dict' && found.entries.get('weight')).toEqual({
      kind: 'list',
      items: [
        { kind: 'number', value: 1 },
        { kind: 'path', path: 'torch.qint8' },
      ],
    });
  });
});

describe('arguments', () => {
  it.each<[call: string, found: 'given' | 'hidden' | 'absent']>([
    ['f(1, 2)', 'given'],
    ['f(1, name=2)', 'given'],
    ['f(1)', 'absent'],
    ['f(*all)', 'hidden'],
    ['f(1, **all)', 'hidden'],
    ['f(1, 2, **all)', 'given'],
  ])('second argument of %s is %s', async (text, found) => {
    const call = (await programOf(text)).calls.at(-1);
    const result = call && argument(call, 'name', 1);
    expect(result === undefined ? 'absent' : result === 'hidden' ? 'hidden' : 'given').toBe(found);
  });
});

describe('surroundings of a call', () => {
  it('knows contexts, loops, functions and choices', async () => {
    const program = await programOf(`
      import torch
      @torch.no_grad()
      def run(loader):
          with torch.autocast('cuda'):
              for x in loader:
                  model(x)
      if __name__ == '__main__':
          run(data)
      `);
    const [, , inner, outer] = program.calls;
    expect(inner).toMatchObject({
      contexts: ['torch.no_grad', 'torch.autocast'],
      function: { name: 'run' },
      conditional: true,
    });
    expect(inner?.loops).toHaveLength(1);
    expect(outer).toMatchObject({ function: undefined, conditional: false });
  });

  it('resolves names where they are used', async () => {
    const program = await programOf('import torch as t\nx = t.qint8');
    const value = program.module.statements[1];
    if (value?.kind !== 'assign' || !value.value) throw new Error('an assignment');
    expect(pathOf(value.value, program.scope)).toBe('torch.qint8');
    expect(evaluate(value.value, program.scope)).toEqual({ kind: 'path', path: 'torch.qint8' });
  });
});
