/** Cases of the rules on calibration, conversion and what comes after. */
import type { RuleCases } from './index';
import { eager, loader } from './torch-networks';

export const calibrationCases = {
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
class Tool:
    def quantize(self):
        prepare(self.model, inplace=True)
        self.calibrate()
        convert(self.model, inplace=True)
`,
      `${eager}
def main(model, data):
    def calibrate():
        for x in data:
            prepared(x)
    prepared = prepare(model)
    calibrate()
    return convert(prepared)
`,
      `${eager}
def main(model, data):
    trainer = Trainer(model)
    prepare(model, inplace=True)
    trainer.validate(data)
    convert(model, inplace=True)
`,
      `${eager}
def shell(model):
    model = prepare(model)
    model = convert(model)
    return model
net = other.shell()
net.load_state_dict(torch.load('int8.pt'))
`,
      `from torch.ao.quantization.quantize_fx import prepare_fx, convert_fx
def main(model, mapping, x, backend_config):
    prepared = prepare_fx(model, mapping, (x,), backend_config=backend_config)
    for _ in range(10):
        prepared(x)
    return convert_fx(prepared, backend_config=backend_config)
`,
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
} as const satisfies Record<string, RuleCases>;
