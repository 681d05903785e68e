/** Cases of the rules on torch.ao.quantization: eager, FX, PT2E, QAT. */
import type { RuleCases } from './index';

const eager = `
import torch
from torch.ao.quantization import prepare, convert, get_default_qconfig
`;

export const torchCases = {
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
    ],
  },
  S24: {
    bad: [
      'import torch\n⟦torch.quantization.prepare⟧(model)\n',
      'from torch.ao.quantization import convert as c\n⟦c⟧(model)\n',
    ],
    good: [
      'import torch\nfrom torchao.quantization.pt2e import prepare_pt2e\nprepare_pt2e(model, q)\n',
      'import torch\nquantization = f()\nquantization.prepare(model)\n',
    ],
  },
} as const satisfies Record<string, RuleCases>;
