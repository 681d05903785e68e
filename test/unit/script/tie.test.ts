/** Layers of a script ↔ layers of a model: by names, behind prefixes, by order and shape, and honest ambiguity. */
import { describe, expect, it } from 'vitest';
import { moduleTrees } from '../../../server/src/script/module-tree';
import { type ModelLayer, tiesOf } from '../../../server/src/script/tie';
import { dedent, programOf } from '../../fixtures/python';

const source = `import torch.nn as nn\n${dedent(`
  class Net(nn.Module):
      def __init__(self, depth):
          super().__init__()
          self.stem = nn.Conv2d(3, 8, 3)
          self.body = nn.Sequential(*[nn.Conv2d(8, 8, 3) for _ in range(depth)])
          self.fc = nn.Linear(8, 10)
  def shallow():
      return Net(1)
  def deep():
      return Net(3)
  `)}`;

const conv = (name: string, input: number): ModelLayer => ({
  name,
  weight: `${name}.weight`,
  shape: [8, input, 3, 3],
});

async function ties(layers: readonly ModelLayer[], text = source): Promise<readonly string[]> {
  const trees = moduleTrees({ file: 'net.py', program: await programOf(text) });
  return tiesOf(trees, layers).map(
    ({ by, score, pairs }) =>
      `${by} ${score.toFixed(2)}: ${[...pairs].map(([layer, name]) => `${layer.path}=${name}`).join(' ')}`,
  );
}

describe('ties', () => {
  const named = [conv('stem', 3), conv('body.0', 8), { name: 'fc', weight: 'fc.weight', shape: [10, 8] }];

  it('prefers the network whose parameters all have their names', async () => {
    const [best, ...others] = await ties(named);
    expect(best).toBe('names 1.00: stem=stem body.0=body.0 fc=fc');
    expect(others).toEqual(['names 0.60: stem=stem body.0=body.0 fc=fc']);
  });

  it('looks behind the prefix of a wrapper', async () => {
    const wrapped = named.map((layer) => ({ ...layer, weight: `module.net.${layer.weight}` }));
    expect((await ties(wrapped))[0]).toBe('names 1.00: stem=stem body.0=body.0 fc=fc');
  });

  it('goes by order and shape where the export renamed the weights, a linear one either way round', async () => {
    const renamed = [
      { name: 'Conv_0', weight: 'onnx::Conv_17', shape: [8, 3, 3, 3] },
      { name: 'Conv_1', weight: 'onnx::Conv_20', shape: [8, 8, 3, 3] },
      { name: 'MatMul_9', weight: 'onnx::MatMul_23', shape: [8, 10] },
    ];
    expect((await ties(renamed))[0]).toBe('shapes 1.00: stem=Conv_0 body.0=Conv_1 fc=MatMul_9');
  });

  it('is silent about another network', async () => {
    expect(await ties([{ name: 'x', weight: 'x.weight', shape: [5, 5] }])).toEqual([]);
    expect(await ties([])).toEqual([]);
  });

  it('does not tie layers of which nothing is known', async () => {
    const text =
      'import torch.nn as nn\nclass A(nn.Module):\n  def __init__(self, n):\n    self.fc = nn.Linear(n, n)\n';
    expect(await ties([{ name: 'other', weight: 'other', shape: [4, 4] }], text)).toEqual([]);
  });
});
