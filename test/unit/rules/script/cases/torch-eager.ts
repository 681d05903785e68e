/** Cases of the rules on the order of eager quantization: modes, fusion, stubs, operators. */
import type { RuleCases } from './index';
import { block, eager, net } from './torch-networks';

export const eagerCases = {
  S01: {
    bad: [
      `${net}
model = Net()
model.qconfig = get_default_qconfig('x86')
⟦prepare⟧(model, inplace=True)
`,
      `${net}
def main():
    model = Net()
    model.eval()
    model.train()
    ⟦fuse_modules⟧(model, [['conv', 'bn', 'relu']], inplace=True)
    prepare(model, inplace=True)
`,
      `import torchvision
from torch.ao.quantization.quantize_fx import prepare_fx
model = torchvision.models.resnet18(weights='DEFAULT')
prepared = ⟦prepare_fx⟧(model, mapping, example)
`,
    ],
    good: [
      `${net.replace('        self.bn = nn.BatchNorm2d(8)\n', '').replace('self.bn(self.conv(self.quant(x)))', 'self.conv(self.quant(x))')}
model = Net()
fuse_modules(model, [['conv', 'relu']], inplace=True)
prepare(model, inplace=True)
`,
      `${net}
model = Net().eval()
prepare(model, inplace=True)
`,
      `${net}
model = Net()
model.load_state_dict(torch.load('a.pt'))
model.train(False)
prepare(model, inplace=True)
`,
      `${eager}
def main(model):
    prepare(model, inplace=True)
`,
      `${net}
model = Net()
ready(model)
prepare(model, inplace=True)
`,
      `${net}
class Wrapped(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model
inner = Net().eval()
outer = Wrapped(inner)
prepare(outer, inplace=True)
run(outer)
`,
      `${net}
def calibrate(m, loader):
    m.eval()
    for x in loader:
        m(x)
model = Net()
prepare(model, inplace=True)
calibrate(model, loader)
`,
      `${net}
model = Net()
fuse_modules(model, [['conv', 'relu']], inplace=True)
prepare_qat(model, inplace=True)
`,
      `${net}
def to_eval(m):
    m.eval()
model = Net()
to_eval(model)
prepare(model, inplace=True)
`,
    ],
  },
  S02: {
    bad: [
      `${eager}
def main(model):
    model.eval()
    ⟦prepare_qat⟧(model, inplace=True)
`,
    ],
    good: [
      `${eager}
def main(model):
    model.eval()
    model.train()
    prepare_qat(model, inplace=True)
`,
      `${eager}
def main(model):
    model.eval()
    train(model)
    prepare_qat(model, inplace=True)
`,
      `from torch.ao.quantization.quantize_fx import prepare_qat_fx
def main(model):
    model.eval()
    prepare_qat_fx(model, mapping, example)
`,
    ],
  },
  S03: {
    bad: [
      `${net}
model = Net().eval()
model.qconfig = get_default_qconfig('x86')
⟦prepare⟧(model, inplace=True)
`,
    ],
    good: [
      `${net}
model = Net().eval()
model = fuse_modules(model, [['conv', 'bn', 'relu']])
prepare(model, inplace=True)
`,
      `${net}
model = Net().eval()
model.fuse_model()
prepare(model, inplace=True)
`,
      `${net.replace('        self.bn = nn.BatchNorm2d(8)\n', '')}
model = Net().eval()
prepare(model, inplace=True)
`,
    ],
  },
  S04: {
    bad: [
      `${eager}
def main(model):
    model.eval()
    model = ⟦fuse_modules⟧(model, pairs)
    model.train()
    prepare_qat(model, inplace=True)
    train_one_epoch(model)
`,
      `${eager}
def main(model):
    model.train()
    ⟦fuse_modules⟧(model, pairs, inplace=True)
    model = prepare_qat(Wrapped(model))
    loss(model(x)).backward()
`,
    ],
    good: [
      `${eager}
def main(model):
    model = fuse_modules(model, [['conv1', 'relu1'], ['fc', 'act']])
    model.train()
    prepare_qat(model, inplace=True)
    train_one_epoch(model)
`,
      `${eager}
def main(model):
    model = fuse_modules_qat(model, pairs)
    prepare_qat(model, inplace=True)
`,
      `${eager}
def main(model):
    model = fuse_modules(model, pairs)
    prepare(model, inplace=True)
`,
      `${eager}
def main(model):
    model.eval()
    model = fuse_modules(model, pairs)
    model.train()
    simulated = prepare_qat(model)
    evaluate(simulated)
`,
    ],
  },
  S05: {
    bad: [
      `${net}
model = Net().eval()
fuse_modules(model, [['conv', 'bn', 'relu'], ⟦['conv', 'relu', 'bn']⟧], inplace=True)
`,
      `${net.replace('nn.ReLU()', 'nn.ReLU6()')}
model = Net().eval()
fuse_modules(model, ⟦['conv', 'bn', 'relu']⟧)
`,
    ],
    good: [
      `${net}
model = Net().eval()
fuse_modules(model, [['conv', 'bn', 'relu'], ['bn', 'relu'], ['conv', name]], inplace=True)
`,
      `${eager}
def main(model):
    fuse_modules(model, [['relu', 'conv']])
`,
    ],
  },
  S06: {
    bad: [
      `${net.replace(/QuantStub|DeQuantStub/g, 'Identity').replace('QuantStub, Identity', '')}
model = Net().eval()
model.qconfig = get_default_qconfig('x86')
⟦prepare⟧(model, inplace=True)
run(model)
convert(model, inplace=True)
`,
    ],
    good: [
      `${net}
model = Net().eval()
prepare(model, inplace=True)
run(model)
convert(model, inplace=True)
`,
      `${eager}
def main(model):
    prepare(model, inplace=True)
    run(model)
    convert(model, inplace=True)
`,
    ],
  },
  S07: {
    bad: [
      block('        y = self.a(x)\n        return ⟦y + self.b(y)⟧'),
      block('        y = self.a(x)\n        ⟦y += self.b(x)⟧\n        return ⟦torch.cat⟧([y, x], 1)'),
    ],
    good: [
      block('        y = self.a(x)\n        return self.add.add(y, self.b(y))'),
      block('        y = self.a(x)\n        n = x.size(0) + 1\n        return y.view(n + 2, -1)'),
      block('        y = self.a(x)\n        return y').replace(
        'x = self.quant(x)',
        'x = torch.cat([x, x], 1)\n        x = self.quant(x)',
      ),
      block('        y = self.dequant(self.a(x))\n        return torch.cat([y, y], 1)'),
      `${block('        y = self.a(x)\n        return y + self.b(y)')}
class Quantizable(Block):
    def forward(self, x):
        y = self.a(self.quant(x))
        return self.add.add(y, self.b(y))
`,
      `${block('        y = self.a(x)\n        return y + self.b(y)').split('model = ')[0]}
${block('        y = self.a(x)\n        return self.add.add(y, self.b(y))')}`,
      block('        y = self.a(x)\n        return y + self.b(y)').replace('QuantStub()', 'nn.Identity()'),
    ],
  },
  S08: {
    bad: [block('        return ⟦self.b⟧(self.relu(self.b(self.a(x))))')],
    good: [
      block('        return self.relu(self.b(self.a(x)))'),
      block('        return self.relu(self.b(self.relu(self.a(x))))'),
      block('        if self.training:\n            return self.a(x)\n        return self.a(x)'),
    ],
  },
  S09: {
    bad: [
      `${net.replace(/QConfig, |get_default_qconfig, /g, '')}
model = Net().eval()
⟦prepare⟧(model, inplace=True)
`,
    ],
    good: [
      `${net}
model = Net().eval()
model.qconfig = get_default_qconfig('x86')
prepare(model, inplace=True)
`,
      'import torch\nfrom torch.ao.quantization import prepare\ndef main(model):\n    prepare(model)\n',
    ],
  },
} as const satisfies Record<string, RuleCases>;
