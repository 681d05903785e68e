/** Attribute paths of layers, as PyTorch names them in a state dictionary. */
import { describe, expect, it } from 'vitest';
import { moduleTrees } from '../../../server/src/script/module-tree';
import { dedent, programOf } from '../../fixtures/python';

/** Trees as text: class name, then `path type-or-shape` per layer. */
async function trees(text: string): Promise<readonly string[]> {
  const program = await programOf(text);
  return moduleTrees({ file: 'net.py', program }).map(
    ({ name, layers }) =>
      `${name}: ${layers.map(({ path, shape, type }) => `${path} ${shape ? JSON.stringify(shape) : type}`).join(' | ')}`,
  );
}

const imports = 'import torch\nimport torch.nn as nn\n';

describe('module trees', () => {
  it('names attributes, children of Sequential and of ModuleList', async () => {
    const text = `${imports}${dedent(`
      class Net(nn.Module):
          def __init__(self, width=8):
              super().__init__()
              self.stem = nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.Conv2d(width, width * 2, 1))
              self.heads = nn.ModuleList([nn.Linear(16, 10) for _ in range(2)])
              self.up = nn.ConvTranspose2d(16, 8, kernel_size=(2, 2))
      `)}`;
    expect(await trees(text)).toEqual([
      'Net: stem.0 [8,3,3,3] | stem.2 [16,8,1,1] | heads.0 [10,16] | heads.1 [10,16] | up [16,8,2,2]',
    ]);
  });

  it('runs loops, helper methods and factories with their arguments', async () => {
    const text = `${imports}${dedent(`
      class Block(nn.Module):
          expansion = 2
          def __init__(self, planes, out, stride=1):
              super(Block, self).__init__()
              self.conv = nn.Conv2d(planes, out, 3, stride=stride, bias=False)
              self.shortcut = nn.Sequential()
              if stride != 1 or planes != self.expansion * out:
                  self.shortcut = nn.Sequential(nn.Conv2d(planes, self.expansion * out, 1))
      class Net(nn.Module):
          def __init__(self, block, depths, classes=10):
              super().__init__()
              self.planes = 4
              self.layer1 = self._make(block, 2, depths[0], 1)
              self.layer2 = self._make(block, 4, depths[1], 2)
              self.fc = nn.Linear(4 * block.expansion, classes)
          def _make(self, block, out, depth, stride):
              layers = []
              for s in [stride] + [1] * (depth - 1):
                  layers.append(block(self.planes, out, s))
                  self.planes = out * block.expansion
              return nn.Sequential(*layers)
      def small():
          return Net(Block, [1, 2])
      `)}`;
    expect(await trees(text)).toEqual([
      'Net: layer1.0.conv [2,4,3,3] | layer2.0.conv [4,4,3,3] | layer2.0.shortcut.0 [8,4,1,1] | layer2.1.conv [4,8,3,3] | fc [10,8]',
    ]);
  });

  it('follows classes derived from Sequential, ordered dictionaries, add_module and setattr', async () => {
    const text = `${imports}${dedent(`
      from collections import OrderedDict
      class ConvBNReLU(nn.Sequential):
          def __init__(self, i, o):
              super().__init__(nn.Conv2d(i, o, 3), nn.BatchNorm2d(o), nn.ReLU6())
      class Net(nn.Module):
          def __init__(self):
              super().__init__()
              self.features = nn.Sequential(OrderedDict([('a', ConvBNReLU(1, 2)), ('b', nn.Linear(3, 4))]))
              for i in range(2):
                  setattr(self, f'head{i}', nn.Linear(2, i + 1))
              self.features.add_module('tail%d' % 7, nn.Conv1d(5, 6, 1))
      `)}`;
    expect(await trees(text)).toEqual([
      'Net: features.a.0 [2,1,3,3] | features.b [4,3] | features.tail7 [6,5,1] | head0 [1,2] | head1 [2,2]',
    ]);
  });

  it('inherits layers and methods, and lists a shared module once', async () => {
    const text = `${imports}${dedent(`
      class Base(nn.Module):
          def __init__(self):
              super().__init__()
              self.body = self.make_body()
      class Net(Base):
          def __init__(self):
              super().__init__()
              self.again = self.body
          def make_body(self):
              return nn.Linear(2, 3)
      net = Net()
      `)}`;
    expect(await trees(text)).toContain('Net: body [3,2]');
  });

  it('takes both branches of a choice it cannot decide, and keeps unknown sizes unknown', async () => {
    const text = `${imports}${dedent(`
      class Net(nn.Module):
          def __init__(self, wide, classes):
              super().__init__()
              if wide:
                  self.conv = nn.Conv2d(3, 64, 3)
              else:
                  self.thin = nn.Conv2d(3, 16, 3)
              self.fc = nn.Linear(10, classes)
      `)}`;
    expect(await trees(text)).toEqual(['Net: conv [64,3,3,3] | thin [16,3,3,3] | fc [null,10]']);
  });

  it('says where each layer is made, and what is around it', async () => {
    const source = `${imports}${dedent(`
      class Block(nn.Module):
          def __init__(self):
              super().__init__()
              self.conv = nn.Conv2d(1, 2, 3)
      class Net(nn.Module):
          def __init__(self):
              super().__init__()
              self.a = Block()
              self.b = Block()
      `)}`;
    const [net] = moduleTrees({ file: 'net.py', program: await programOf(source) });
    expect(net?.layers.map(({ path, place }) => [path, source.slice(...place.span)])).toEqual([
      ['a.conv', 'nn.Conv2d(1, 2, 3)'],
      ['b.conv', 'nn.Conv2d(1, 2, 3)'],
    ]);
    expect(net?.layers[1]?.around.map(({ span }) => source.slice(...span))).toEqual(['Net', 'Block()']);
  });

  it('ends on endless recursion and enormous loops', async () => {
    const text = `${imports}${dedent(`
      class Net(nn.Module):
          def __init__(self, depth=0):
              super().__init__()
              self.conv = nn.Conv2d(1, 1, 1)
              self.next = Net(depth + 1)
              self.all = nn.ModuleList([nn.Linear(1, 1) for i in range(10 ** 9)])
      `)}`;
    const [only] = await trees(text);
    expect(only).toMatch(/^Net: conv /);
  });

  it('finds classes in other files of the workspace', async () => {
    const other = await programOf(
      `${imports}class Block(nn.Module):\n  def __init__(self, n):\n    self.fc = nn.Linear(n, n)\n`,
    );
    const program = await programOf(
      `${imports}from .blocks import Block\nclass Net(nn.Module):\n  def __init__(self):\n    self.block = Block(4)\n`,
    );
    const [net] = moduleTrees({ file: 'net.py', program }, (path) => {
      const found = path === '.blocks.Block' ? other.classes[0] : undefined;
      return found && { kind: 'class', statement: found.statement, scope: found.scope, file: 'blocks.py' };
    });
    expect(net?.layers).toMatchObject([{ path: 'block.fc', shape: [4, 4], place: { file: 'blocks.py' } }]);
  });
});
