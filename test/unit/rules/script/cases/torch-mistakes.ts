/** Cases of the rules on calls of torch.ao.quantization that do nothing or raise. */
import type { RuleCases } from './index';

export const torchMistakes = {
  S79: {
    bad: [
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
def main(model):
    model.qconfig = tq.⟦get_default_qconfig⟧("x86")
    model = tq.prepare_qat(model.train())
`,
      `from torch.ao.quantization import get_default_qconfig, prepare_qat
model.qconfig = ⟦get_default_qconfig⟧("x86")
prepare_qat(model, inplace=True)
`,
      `import torch
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import prepare_qat_fx
mapping = ⟦get_default_qconfig_mapping⟧("x86")
m = prepare_qat_fx(model, mapping, example)
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
def main(model):
    model.qconfig = tq.⟦default_qconfig⟧
    tq.prepare_qat(model, inplace=True)
`,
    ],
    good: [
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
def main(model):
    model.qconfig = tq.get_default_qat_qconfig("x86")
    model = tq.prepare_qat(model.train())
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
def main(model, other):
    model.qconfig = tq.get_default_qat_qconfig("x86")
    other.qconfig = tq.get_default_qconfig("x86")
    model = tq.prepare_qat(model)
    tq.prepare(other, inplace=True)
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
def static(model):
    model.qconfig = tq.get_default_qconfig("x86")
    return tq.prepare(model)
def trained(model):
    return tq.prepare_qat(model)
`,
    ],
    fixed: [
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
def main(model):
    model.qconfig = tq.get_default_qat_qconfig("x86")
    model = tq.prepare_qat(model.train())
`,
      `from torch.ao.quantization import get_default_qat_qconfig, prepare_qat
model.qconfig = get_default_qat_qconfig("x86")
prepare_qat(model, inplace=True)
`,
    ],
  },
  S80: {
    bad: [
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
q = tq.quantize_dynamic(model, {nn.Linear, ⟦nn.Conv2d⟧}, dtype=torch.qint8)
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
q = tq.quantize_dynamic(model, [⟦nn.Conv1d⟧])
`,
    ],
    good: [
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
q = tq.quantize_dynamic(model, {nn.Linear, nn.LSTM}, dtype=torch.qint8)
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
q = tq.quantize_dynamic(model, {nn.Conv2d}, mapping=mine)
`,
    ],
    fixed: [
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
q = tq.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
`,
    ],
  },
  S81: {
    bad: [
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
def main(model):
    tq.⟦prepare⟧(model)
    model(x)
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
tq.⟦quantize_dynamic⟧(
    model,
    {nn.Linear},
)
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
tq.⟦convert⟧(model, inplace=False)
`,
      `from torch.ao.quantization.quantize_fx import convert_fx
⟦convert_fx⟧(prepared)
`,
    ],
    good: [
      `from torch.ao.quantization import quantize_dynamic
small = quantize_dynamic(model)
from onnxruntime.quantization import quantize_dynamic
quantize_dynamic('a.onnx', 'b.onnx')
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
model = tq.prepare(model)
tq.convert(model, inplace=True)
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
tq.fuse_modules(model, [["a", "b"]], True)
run(tq.prepare(model))
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
tq.prepare(model, **options)
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
with pytest.raises(ValueError):
    tq.prepare(model)
import pytest
`,
    ],
    fixed: [
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
def main(model):
    tq.prepare(model, inplace=True)
    model(x)
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
tq.quantize_dynamic(
    model,
    {nn.Linear},
    inplace=True,
)
`,
    ],
  },
  S82: {
    bad: [
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
def main(model):
    tq.prepare(model, inplace=True)
    run(model)
    model = tq.convert(model)
    torch.⟦save⟧(model, "int8.pt")
`,
    ],
    good: [
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
def main(model):
    model = tq.convert(model)
    torch.save(model.state_dict(), "int8.pt")
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
def main(model):
    model = tq.convert(model)
    torch.jit.save(torch.jit.script(model), "int8.pt")
    torch.save(model, "x.pt")
`,
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
def main(model):
    torch.save(model, "float.pt")
    model = tq.convert(model)
`,
    ],
  },
  S83: {
    bad: [
      `from torch.ao.quantization.quantize_fx import prepare_fx
m = ⟦prepare_fx⟧(model, mapping)
`,
    ],
    good: [
      `import torch
from torch.ao.quantization.quantize_fx import prepare_fx
if Version(torch.__version__) >= Version('1.13'):
    m = prepare_fx(model, mapping, example)
else:
    m = prepare_fx(model, mapping)
`,
      `from torch.ao.quantization.quantize_fx import prepare_fx
m = prepare_fx(model, mapping, (x,))
n = prepare_fx(model, mapping, example_inputs=x)
o = prepare_fx(model, **options)
`,
    ],
  },
  S84: {
    bad: [
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
model.qconfig = tq.get_default_qconfig(⟦"cuda"⟧)
`,
    ],
    good: [
      `import torch
import torch.nn as nn
import torch.ao.quantization as tq
model.qconfig = tq.get_default_qconfig("x86")
other.qconfig = tq.get_default_qconfig(backend)
`,
    ],
  },
} as const satisfies Record<string, RuleCases>;
