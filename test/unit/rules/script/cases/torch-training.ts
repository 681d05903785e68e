/** Cases of the rules on quantization-aware training and quantizers of your own. */
import type { RuleCases } from './index';
import { eager, net } from './torch-networks';

export const trainingCases = {
  S15: {
    bad: [
      `${eager}
def main(model):
    model.train()
    prepare_qat(model, inplace=True)
    for x in data:
        model(x)
    done = ⟦convert⟧(model)
    print(done(x))
`,
    ],
    good: [
      `${eager}
def main(model):
    model.train()
    prepare_qat(model, inplace=True)
    for x in data:
        model(x)
    done = convert(model)
    done.eval()
    print(done(x))
`,
      `${eager}
def main(model):
    model.train()
    prepare_qat(model, inplace=True)
    return convert(model)
`,
      `${eager}
def main(model):
    model.train()
    prepare_qat(model, inplace=True)
    for x in data:
        model(x)
    model.eval()
    done = convert(model)
`,
      `${eager}
def main(model):
    model.train()
    prepare_qat(model, inplace=True)
    train(model)
    done = convert(model)
`,
    ],
  },
  S16: {
    bad: [
      `${eager}
def main(model):
    ⟦prepare_qat⟧(model, inplace=True)
    for x in data:
        model(x).backward()
    convert(model.eval())
`,
    ],
    good: [
      `${eager}
def main(model):
    prepare_qat(model, inplace=True)
    for epoch in range(9):
        model(x).backward()
        if epoch > 6:
            model.apply(torch.ao.quantization.disable_observer)
    convert(model.eval())
`,
      `${eager}
def main(model):
    prepare_qat(model, inplace=True)
    fit(model)
    convert(model.eval())
`,
    ],
  },
  S17: {
    bad: [
      `${net}
model = Net().train()
model.qconfig = torch.ao.quantization.get_default_qat_qconfig('x86')
⟦prepare_qat⟧(model, inplace=True)
`,
    ],
    good: [
      `${net}
model = Net()
model.load_state_dict(torch.load('a.pt'))
prepare_qat(model, inplace=True)
`,
      `${net}
model = Net()
fit(model)
prepare_qat(model, inplace=True)
`,
      `${eager}
def main(model):
    prepare_qat(model, inplace=True)
`,
    ],
  },
  S59: {
    bad: [
      `import torch
class ConvBn(torch.nn.Module):
    def ⟦forward⟧(self, x):
        y = self.conv(x)
        weight = self.conv.weight * (self.gamma / y.std((0, 2, 3)))
        return self.run(x, self.fake_quant(weight))
`,
    ],
    good: [
      `import torch
class ConvBn(torch.nn.Module):
    def forward(self, x):
        y = self.conv(x)
        weight = self.conv.weight * (self.gamma / self.running_var.sqrt()) * y.std()
        return self.run(x, self.fake_quant(weight))
`,
      'import torch\nclass A(torch.nn.Module):\n    def forward(self, x):\n        return x / x.std(1)\n',
    ],
  },
  S60: {
    bad: ['import torch\ny = quantize(x, 8, ⟦stochastic=True⟧)\nz = Quantizer(⟦rounding="stochastic"⟧)\n'],
    good: [
      'import torch\ny = quantize(x, 8, stochastic=False)\nz = quantize_grad(x, stochastic=True)\n',
      'import torch\nw = stochastic_depth(x, stochastic=True)\n',
      'import torch\ndef update(weight):\n    return quantize(weight, stochastic=True)\n',
    ],
  },
  S61: {
    bad: [
      `${eager}from torch.optim.swa_utils import AveragedModel
def main(model):
    model = prepare_qat(model)
    average = ⟦AveragedModel⟧(model)
`,
    ],
    good: [
      `${eager}from torch.optim.swa_utils import AveragedModel
def main(model):
    average = AveragedModel(model)
`,
    ],
  },
  S62: {
    bad: [
      `${eager}
def main(model):
    model = prepare_qat(model)
    o = torch.optim.SGD(model.parameters(), ⟦lr=0.05⟧, momentum=0.9)
`,
    ],
    good: [
      `${eager}
def main(model):
    model = prepare_qat(model)
    o = torch.optim.SGD(model.parameters(), lr=1e-4)
`,
      `${eager}
def main(model):
    o = torch.optim.SGD(model.parameters(), lr=0.1)
    p = torch.optim.SGD(model.parameters(), lr=1e-4)
    model = prepare_qat(model)
`,
      'import torch\no = torch.optim.SGD(p, lr=0.1)\n',
    ],
  },
  S63: {
    bad: ['import tensorflow as tf\ntf.contrib.quantize.⟦create_training_graph⟧(input_graph=g)\n'],
    good: [
      'import tensorflow as tf\ntf.contrib.quantize.create_training_graph(input_graph=g, quant_delay=2000)\n',
    ],
  },
  S65: {
    bad: ['import torch\n⟦block_reconstruction⟧(block, n_bits_w=4, n_bits_a=4)\n'],
    good: [
      'import torch\nblock_reconstruction(block, n_bits_w=4, n_bits_a=8)\n',
      'import torch\nblock_reconstruction(block, n_bits_a=4, drop_prob=0.5)\n',
      'import torch\nblock_reconstruction(block, n_bits_a=4, **rest)\n',
    ],
  },
  S66: {
    bad: ['import torch\ndef fake_quantize(x, s):\n    return ⟦torch.floor(x / s + 0.5)⟧ * s\n'],
    good: [
      'import torch\ndef fake_quantize(x, s):\n    return torch.round(x / s) * s\n',
      'import torch\ndef grid(x):\n    return torch.floor(x + 0.5)\n',
    ],
  },
  S67: {
    bad: [
      'import torch\nimport torch.nn.functional as F\ny = ⟦torch.sign(F.relu(x))⟧\nz = ⟦self.relu(x).sign()⟧\n',
    ],
    good: ['import torch\nimport torch.nn.functional as F\ny = torch.sign(F.hardtanh(x))\n'],
  },
} as const satisfies Record<string, RuleCases>;
