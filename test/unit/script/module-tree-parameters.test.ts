/** Layers of bare parameters, and what base classes do before the layers are made. */
import { describe, expect, it } from 'vitest';
import { moduleTrees } from '../../../server/src/script/module-tree';
import { dedent, programOf } from '../../fixtures/python';

/** Layers of the first tree: `path.weight [shape]`. */
async function weights(text: string): Promise<readonly string[]> {
  const head = 'import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n';
  const program = await programOf(head + dedent(text));
  const [tree] = moduleTrees({ file: 'net.py', program });
  return (tree?.layers ?? []).map((one) => `${one.path}.${one.weights.join()} ${JSON.stringify(one.shape)}`);
}

/** A module of 3 → 5 whose forward ends so. */
function projection(forward: string): string {
  return `
    class Projection(nn.Module):
        def __init__(self, outputs, inputs):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(inputs, outputs))
            self.bias = nn.Parameter(torch.zeros(outputs))
        def forward(self, x):
            ${forward}

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = Projection(5, 3)
            self.head = nn.Linear(5, 2)
    net = Net()
    `;
}

describe('layers of bare parameters', () => {
  const found = ['first.weight [3,5]', 'head.weight [2,5]'];
  it.each([
    ['return torch.addmm(self.bias, x, self.weight)', found],
    ['return torch.matmul(x, self.weight) + self.bias', found],
    ['return x @ self.weight + self.bias', found],
    ['return F.linear(x, self.weight.t(), self.bias)', found],
    ['return F.linear(x, weight=self.weight.T)', found],
    ['return F.conv1d(x, self.weight)', found],
    // Computed first, or no weight at all: what a file holds of it is not known.
    ['return F.linear(x, self.weight * 2)', ['head.weight [2,5]']],
    ['return x * self.weight', ['head.weight [2,5]']],
    ['return x + self.weight', ['head.weight [2,5]']],
  ])('%s', async (forward, expected) => {
    expect(await weights(projection(forward))).toEqual(expected);
  });

  it('takes the transposed linear layer of Transformers for one', async () => {
    const text = `
    from transformers.pytorch_utils import Conv1D
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.attn = Conv1D(96, 32)
            self.proj = Conv1D(nf=32, nx=96)
    net = Net()
    `;
    expect(await weights(text)).toEqual(['attn.weight [32,96]', 'proj.weight [96,32]']);
  });

  it('points to where the parameter is made, inside the call that makes the module', async () => {
    const text = dedent(projection('return x @ self.weight'));
    const program = await programOf(`import torch\nimport torch.nn as nn\n${text}`);
    const [layer] = moduleTrees({ file: 'net.py', program })[0]?.layers ?? [];
    const source = `import torch\nimport torch.nn as nn\n${text}`;
    expect(layer && source.slice(...layer.place.span)).toBe('nn.Parameter(torch.empty(inputs, outputs))');
    expect(layer?.around.map(({ span }) => source.slice(...span))).toEqual(['Net()', 'Projection(5, 3)']);
  });
});

describe('what constructors do besides', () => {
  it('does not use up what the layers need', async () => {
    const text = `
    def check(depth):
        return [check(depth - 1) for _ in range(8)] if depth > 0 else 0
    class Base(nn.Module):
        def __init__(self):
            super().__init__()
            self.checked = check(9)
            self.width = 4
        def post_init(self):
            check(9)
    class Block(Base):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(self.width, 2)
            self.post_init()
    class Net(Base):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([Block() for _ in range(3)])
            self.post_init()
            self.head = nn.Linear(2, 7)
    net = Net()
    `;
    const blocks = [0, 1, 2].map((at) => `blocks.${at}.linear.weight [2,4]`);
    expect(await weights(text)).toEqual([...blocks, 'head.weight [7,2]']);
  });

  it('reads other names of the fields of a configuration', async () => {
    const text = `
    class Config:
        attribute_map = {'num_hidden_layers': 'n_layer', 'hidden_size': 'n_embd'}
        n_embd: int = 8
        def __init__(self, n_layer=1):
            self.n_layer = n_layer
    class Net(nn.Module):
        def __init__(self, config):
            super().__init__()
            size = config.hidden_size
            self.h = nn.ModuleList([nn.Linear(size, 1) for _ in range(config.num_hidden_layers)])
    net = Net(Config(n_layer=2))
    `;
    expect(await weights(text)).toEqual(['h.0.weight [1,8]', 'h.1.weight [1,8]']);
  });
});
