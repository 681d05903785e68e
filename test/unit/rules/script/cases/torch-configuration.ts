/** Cases of the rules on observers, configurations and backends. */
import type { RuleCases } from './index';
import { eager, net } from './torch-networks';

export const configurationCases = {
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
} as const satisfies Record<string, RuleCases>;
