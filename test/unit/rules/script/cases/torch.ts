/** Cases of the rules on torch.ao.quantization: eager, FX, PT2E, QAT. */
import type { RuleCases } from './index';

const eager = `
import torch
import torch.nn as nn
from torch.ao.quantization import (
    QConfig, QuantStub, DeQuantStub, MinMaxObserver, PerChannelMinMaxObserver,
    convert, fuse_modules, fuse_modules_qat, get_default_qconfig, prepare, prepare_qat,
)
`;
const net = `${eager}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = QuantStub()
        self.conv = nn.Conv2d(3, 8, 3)
        self.bn = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.dequant = DeQuantStub()
    def forward(self, x):
        return self.dequant(self.relu(self.bn(self.conv(self.quant(x)))))
`;
/** A residual block, its forward given. */
const block = (forward: string) => `${eager}
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = QuantStub()
        self.a = nn.Conv2d(3, 3, 1)
        self.b = nn.Conv2d(3, 3, 1)
        self.relu = nn.ReLU()
        self.add = nn.quantized.FloatFunctional()
    def forward(self, x):
        x = self.quant(x)
${forward}
model = Block().eval()
model.qconfig = get_default_qconfig('x86')
prepare(model, inplace=True)
run(model)
convert(model, inplace=True)
`;
const loader = (transform: string, shuffle: string) => `${eager}
from torch.utils.data import DataLoader
from torchvision import transforms, datasets
def main(model):
    transform = transforms.Compose([${transform}, transforms.ToTensor()])
    data = datasets.CIFAR10('d', transform=transform)
    loader = DataLoader(data, batch_size=8, shuffle=${shuffle})
    model.eval()
    prepare(model, inplace=True)
    for images, _ in loader:
        MODEL
    convert(model, inplace=True)
`;

export const torchCases = {
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
    bad: [
      block('        return self.relu(self.b(⟦self.relu⟧(self.a(x))))').replace(
        'self.relu(self.b(⟦self.relu⟧(self.a(x))))',
        '⟦self.relu⟧(self.b(self.relu(self.a(x))))',
      ),
    ],
    good: [
      block('        return self.relu(self.b(self.a(x)))'),
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
  S10: {
    bad: [
      `${eager}q = QConfig(activation=⟦MinMaxObserver(dtype=torch.quint8)⟧, weight=PerChannelMinMaxObserver.with_args(dtype=torch.qint8))\n`,
      `${eager}q = QConfig(⟦MinMaxObserver()⟧, PerChannelMinMaxObserver)\n`,
    ],
    fixed: [
      `${eager}q = QConfig(activation=MinMaxObserver.with_args(dtype=torch.quint8), weight=PerChannelMinMaxObserver.with_args(dtype=torch.qint8))\n`,
      `${eager}q = QConfig(MinMaxObserver, PerChannelMinMaxObserver)\n`,
    ],
    good: [
      `${eager}q = QConfig(activation=MinMaxObserver, weight=PerChannelMinMaxObserver.with_args(dtype=torch.qint8))\n`,
      `${eager}q = QConfig(activation=make_observer(), weight=w)\n`,
    ],
  },
  S11: {
    target: 'x86-vnni',
    bad: [
      `${net}from torch.ao.quantization import default_qconfig
model = Net()
model.qconfig = ⟦default_qconfig⟧
`,
    ],
    good: [
      `${net}
model = Net()
model.qconfig = get_default_qconfig('x86')
`,
      `${eager}from torch.ao.quantization import default_qconfig
model.qconfig = default_qconfig
`,
    ],
  },
  S12: {
    bad: [
      `${eager}
torch.backends.quantized.engine = 'qnnpack'
model.qconfig = get_default_qconfig⟦('fbgemm')⟧
`,
    ],
    good: [
      `${eager}
torch.backends.quantized.engine = 'qnnpack'
model.qconfig = get_default_qconfig('qnnpack')
`,
      `${eager}
torch.backends.quantized.engine = 'fbgemm'
model.qconfig = get_default_qconfig('x86')
`,
      `${eager}
torch.backends.quantized.engine = chosen
model.qconfig = get_default_qconfig('fbgemm')
`,
    ],
  },
  S14: {
    bad: [
      `${eager}
def main(model):
    done = convert(model)
    done.⟦to⟧(torch.device('cuda:0'))
    done.⟦cuda⟧()
`,
    ],
    good: [
      `${eager}
def main(model):
    model.cuda()
    train(model)
    model.cpu()
    done = convert(model)
    done.to('cpu')
    done.to(device)
`,
    ],
  },
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
  S18: {
    bad: [
      `${net.replace('nn.Conv2d(3, 8, 3)', 'nn.Conv2d(3, 9, 3, groups=3)')}
model = Net()
model.qconfig = ⟦get_default_qconfig⟧('qnnpack')
`,
      `${net.replace('nn.Conv2d(3, 8, 3)', 'nn.Conv2d(3, 9, 3, 1, 1, 1, 3)')}
q = QConfig(activation=MinMaxObserver, ⟦weight=MinMaxObserver.with_args(dtype=torch.qint8)⟧)
`,
    ],
    good: [
      `${net}
model.qconfig = get_default_qconfig('qnnpack')
`,
      `${net.replace('nn.Conv2d(3, 8, 3)', 'nn.Conv2d(3, 9, 3, groups=3)')}
model.qconfig = get_default_qconfig('x86')
q = QConfig(activation=MinMaxObserver, weight=PerChannelMinMaxObserver)
`,
    ],
  },
  S19: {
    bad: [
      `${net.replace('nn.Conv2d(3, 8, 3)', 'nn.ConvTranspose2d(3, 8, 3)')}
model = Net().eval()
model.qconfig = get_default_qconfig('fbgemm')
⟦prepare⟧(model, inplace=True)
`,
    ],
    good: [
      `${net}
model = Net().eval()
model.qconfig = get_default_qconfig('fbgemm')
prepare(model, inplace=True)
`,
      `${net.replace('nn.Conv2d(3, 8, 3)', 'nn.ConvTranspose2d(3, 8, 3)')}
model = Net().eval()
model.qconfig = get_default_qconfig('fbgemm')
model.conv.qconfig = None
prepare(model, inplace=True)
`,
    ],
  },
  S20: {
    bad: [
      `${net.replace('nn.ReLU()', 'nn.⟦ReLU6⟧()')}
model = Net().eval()
prepare(model, inplace=True)
`,
    ],
    good: [
      `${net.replace('nn.ReLU()', 'nn.ReLU6()')}
model = Net()
`,
      `${net}
model = Net().eval()
prepare(model, inplace=True)
`,
    ],
  },
  S21: {
    bad: [
      loader('transforms.RandomCrop(32)', 'False').replace('MODEL', '⟦model(images)⟧'),
      loader('transforms.CenterCrop(32)', 'True').replace('MODEL', '⟦model(images)⟧'),
    ],
    good: [
      loader('transforms.CenterCrop(32)', 'False').replace('MODEL', 'model(images)'),
      loader('transforms.RandomCrop(32)', 'True')
        .replace('MODEL', 'pass')
        .replace('model.eval()', 'train(model, loader)'),
    ],
  },
  S22: {
    bad: [
      `${eager}
def main(model, test_loader):
    ⟦calibrate⟧(model, test_loader)
    top1 = evaluate(model, test_loader)
`,
    ],
    good: [
      `${eager}
def main(model, train_loader, test_loader):
    calibrate(model, train_loader)
    top1 = evaluate(model, test_loader)
`,
      `${eager}
def first(model, loader):
    calibrate(model, loader)
def second(model, loader):
    evaluate(model, loader)
`,
    ],
  },
  S23: {
    bad: [
      `${eager}
def main(model, data):
    prepare(model.eval(), inplace=True)
    for x in data:
        ⟦model(x)⟧
    convert(model)
`,
    ],
    good: [
      `${eager}
def main(model, data):
    prepare(model.eval(), inplace=True)
    with torch.no_grad():
        for x in data:
            model(x)
    convert(model)
`,
      `${eager}
def main(model, data):
    prepare(model.eval(), inplace=True)
    calibrate(model, data)
    convert(model)
`,
    ],
  },
  S25: {
    bad: [
      `import torch
from torchao.quantization.pt2e import prepare_qat_pt2e, convert_pt2e
def main(net, example, q):
    model = torch.export.export(net, example).module()
    model = prepare_qat_pt2e(model, q)
    model.⟦train⟧()
    fit(model)
    done = convert_pt2e(model)
    done.⟦eval⟧()
`,
    ],
    good: [
      `import torch, torchao
from torchao.quantization.pt2e import prepare_qat_pt2e
def main(net, example, q):
    net.eval()
    model = torch.export.export(net, example).module()
    model = prepare_qat_pt2e(model, q)
    torchao.quantization.pt2e.move_exported_model_to_eval(model)
`,
    ],
  },
  S26: {
    bad: [
      `import torch
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import X86InductorQuantizer
quantizer = X86InductorQuantizer()
model = torch.⟦compile⟧(converted)
`,
    ],
    good: [
      `import torch
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import X86InductorQuantizer
torch._inductor.config.freezing = True
model = torch.compile(converted)
`,
      'import torch\nmodel = torch.compile(net)\n',
      `import torch
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import X86InductorQuantizer
reference = torch.compile(net)
`,
    ],
  },
  S13: {
    bad: [
      `${eager}
class Net(torch.nn.Module): ...
model = Net().eval()
model.qconfig = get_default_qconfig('x86')
prepare(model, inplace=True)
⟦convert⟧(model, inplace=True)
`,
      `
import torch.ao.quantization as tq
from torch.ao.quantization.quantize_fx import prepare_fx, convert_fx
def build(net, mapping, example):
    prepared = prepare_fx(net.eval(), mapping, example)
    prepared.eval()
    return ⟦convert_fx⟧(prepared)
`,
      `from torch.ao.quantization import QConfigMapping, default_dynamic_qconfig, get_default_qconfig
from torch.ao.quantization.quantize_fx import prepare_fx, convert_fx
mapping = QConfigMapping().set_global(default_dynamic_qconfig)
convert_fx(prepare_fx(first, mapping, example))
def main(second):
    mapping = QConfigMapping().set_global(get_default_qconfig('x86'))
    m = prepare_fx(second, mapping, example)
    m = ⟦convert_fx⟧(m)
`,
    ],
    good: [
      `${eager}
def main(model, loader):
    prepare(model, inplace=True)
    for images, _ in loader:
        model(images)
    convert(model, inplace=True)
`,
      `${eager}
def main(model, loader):
    prepared = prepare(model)
    evaluate(prepared, loader)
    return convert(prepared)
`,
      `${eager}
def main(model, loaded):
    prepared = prepare(model)
    prepared.load_state_dict(loaded)
    return convert(prepared)
`,
      `${eager}
def main(model, quick):
    if quick:
        prepare(model, inplace=True)
    convert(model)
`,
      'from mine import prepare, convert\nm = prepare(model)\nconvert(m)\nimport torch\n',
      `${eager}
def load(shell):
    shell = convert(prepare(shell))
    shell.load_state_dict(torch.load('int8.pt'))
    return shell
`,
      `from torch.ao.quantization import QConfigMapping, default_dynamic_qconfig
from torch.ao.quantization.quantize_fx import prepare_fx, convert_fx
mapping = QConfigMapping().set_global(default_dynamic_qconfig)
m = prepare_fx(model, mapping, example)
m = convert_fx(m)
`,
      `from torch.ao.quantization import float_qparams_weight_only_qconfig, prepare, convert
def main(model):
    model.qconfig = float_qparams_weight_only_qconfig
    convert(prepare(model))
`,
    ],
  },
  S24: {
    bad: [
      'import torch\n⟦torch.quantization.prepare⟧(model)\n',
      'from torch.ao.quantization import convert as c\n⟦c⟧(model)\n',
      'from torch.ao.quantization import convert, prepare\nm = ⟦prepare⟧(model)\nm = convert(m)\nn = prepare(other)\n',
      'from torch.ao.quantization.quantize_pt2e import prepare_pt2e, convert_pt2e\nm = ⟦prepare_pt2e⟧(model)\nn = prepare_pt2e(other)\nm = ⟦convert_pt2e⟧(m)\n',
    ],
    good: [
      'import torch\nfrom torchao.quantization.pt2e import prepare_pt2e\nprepare_pt2e(model, q)\n',
      'import torch\nquantization = f()\nquantization.prepare(model)\n',
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
  S64: {
    bad: [
      `${eager}from transformers import AutoModelForCausalLM
q = QConfig(⟦activation=MinMaxObserver.with_args(dtype=torch.quint8)⟧, weight=PerChannelMinMaxObserver)
`,
    ],
    good: [
      `${eager}
q = QConfig(activation=MinMaxObserver.with_args(dtype=torch.quint8), weight=PerChannelMinMaxObserver)
`,
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
