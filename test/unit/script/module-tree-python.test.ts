/** Python that definitions of networks are written in: what the interpreter makes of it, told by the layers that come out. */
import { describe, expect, it } from 'vitest';
import { moduleTrees } from '../../../server/src/script/module-tree';
import { dedent, programOf } from '../../fixtures/python';

/** Layers of the first tree: `path [shape]`. */
async function layers(text: string): Promise<readonly string[]> {
  const program = await programOf(`import torch.nn as nn\n${dedent(text)}`);
  const [tree] = moduleTrees({ file: 'net.py', program });
  return (tree?.layers ?? []).map(({ path, shape }) => `${path} ${JSON.stringify(shape)}`);
}

/** A network with one linear layer per item of an expression, as wide as the item. */
async function widths(expression: string): Promise<readonly (string | undefined)[]> {
  const found = await layers(`
    import itertools, re
    from collections.abc import Iterable
    class Net(nn.Module):
        def __init__(self, name='net_small'):
            super().__init__()
            self.heads = nn.ModuleList([nn.Linear(1, width) for width in ${expression}])
    net = Net()
    `);
  return found.map((one) => /\[(\w+),1\]/.exec(one)?.[1]);
}

describe('python in definitions of networks', () => {
  it.each([
    ['dict(dict(a=4, b=5), b=6).values()', ['4', '6']],
    ['itertools.repeat(7, 2)', ['7', '7']],
    ['itertools.chain([1], (2, 3))', ['1', '2', '3']],
    ['[1, 2, 3][::-1]', ['3', '2', '1']],
    ['[1, 2, 3, 4][::2]', ['1', '3']],
    ["[4 if 'small' in name else 8]", ['4']],
    ["[4 if 'b' in dict(a=1) else 8]", ['8']],
    ['[4 if any([False, 0, 3]) else 8, 4 if all([1, 0]) else 8]', ['4', '8']],
    ["[4 if isinstance('x', str) else 8, 4 if isinstance(3, (tuple, list)) else 8]", ['4', '8']],
    ['[4 if isinstance([1], Iterable) else 8]', ['4']],
    ["[int(part) for part in re.split(r'[_x]', '3x5')]", ['3', '5']],
    ["[int('12') if '12'.isdigit() else 1]", ['12']],
  ])('%s', async (expression, expected) => {
    expect(await widths(expression)).toEqual(expected);
  });

  it('makes fields of data classes, replaces them and runs what comes behind', async () => {
    const found = await layers(`
      import dataclasses
      @dataclasses.dataclass
      class Config:
          width: int = 4
          deep: int = None
          def __post_init__(self):
              self.deep = self.width * 2 if self.deep is None else self.deep
      class Net(nn.Module):
          def __init__(self, config):
              super().__init__()
              self.one = nn.Linear(config.width, config.deep)
      net = Net(dataclasses.replace(Config(width=3), deep=7))
      `);
    expect(found).toEqual(['one [7,3]']);
  });

  it('takes what is given by name for the fields of a configuration whose base is not known', async () => {
    const found = await layers(`
      from elsewhere import BaseConfig
      class Config(BaseConfig):
          width: int = 4
          depth: int = 3
      class Net(nn.Module):
          def __init__(self, config):
              super().__init__()
              self.all = nn.ModuleList([nn.Linear(config.width, 2) for _ in range(config.depth)])
      net = Net(Config(depth=2))
      `);
    expect(found).toEqual(['all.0 [2,4]', 'all.1 [2,4]']);
  });

  it('calls objects and takes classes that derive from a layer for one', async () => {
    const found = await layers(`
      class Standardized(nn.Conv2d):
          def __init__(self, inputs, outputs, kernel):
              super().__init__(inputs, outputs, kernel, bias=False)
      class Builder:
          def __call__(self, widths):
              return [Standardized(3, width, 1) for width in widths]
      class Net(nn.Module):
          def __init__(self):
              super().__init__()
              self.blocks = nn.Sequential(*Builder()([4, 5]))
      net = Net()
      `);
    expect(found).toEqual(['blocks.0 [4,3,1,1]', 'blocks.1 [5,3,1,1]']);
  });

  it('ends what calls itself where nobody knows whether it does', async () => {
    const found = await layers(`
      from elsewhere import flag
      def pad(size):
          if flag(size):
              return [pad(size), pad(size)]
          return size
      class Net(nn.Module):
          def __init__(self):
              super().__init__()
              self.conv = nn.Conv2d(3, 8, 3, padding=pad(3))
              self.fc = nn.Linear(8, 10)
      net = Net()
      `);
    expect(found).toEqual(['conv [8,3,3,3]', 'fc [10,8]']);
  });
});
