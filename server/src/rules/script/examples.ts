/** The shortest script that each rule finds, for its section in the documentation; a test holds every one to its rule. */
import type { ScriptCode } from '../../protocol/issues';

export interface ScriptExample {
  readonly text: string;
  /** Target that must be set for the rule to speak. */
  readonly target?: string;
}

const network = (layers: string) => `import torch.nn as nn
from torch.ao.quantization import QuantStub, prepare, convert, fuse_modules, get_default_qconfig
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        ${layers}`;

export const scriptExamples: { readonly [C in ScriptCode]: ScriptExample } = {
  S01: {
    text: `${network('self.conv, self.bn = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)')}\nmodel = Net()\nprepare(model, inplace=True)`,
  },
  S02: {
    text: 'from torch.ao.quantization import prepare_qat\ndef main(model):\n    model.eval()\n    prepare_qat(model)',
  },
  S03: {
    text: `${network('self.conv, self.bn = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)')}\nmodel = Net().eval()\nprepare(model, inplace=True)`,
  },
  S04: {
    text: 'from torch.ao.quantization import fuse_modules, prepare_qat\ndef main(model):\n    fuse_modules(model, [["conv", "bn"]], inplace=True)\n    prepare_qat(model)\n    train(model)',
  },
  S05: {
    text: `${network('self.conv, self.act = nn.Conv2d(3, 8, 3), nn.ReLU6()')}\nmodel = Net().eval()\nfuse_modules(model, [["conv", "act"]])`,
  },
  S06: {
    text: 'import torch.nn as nn\nfrom torch.ao.quantization import prepare, convert\nclass Net(nn.Module):\n    pass\nmodel = Net().eval()\nprepare(model, inplace=True)\nrun(model)\nconvert(model, inplace=True)',
  },
  S07: {
    text: `${network('self.quant, self.conv = QuantStub(), nn.Conv2d(3, 3, 1)')}
    def forward(self, x):
        y = self.quant(x)
        return y + self.conv(y)
model = Net().eval()
prepare(model)`,
  },
  S08: {
    text: `${network('self.quant, self.conv, self.relu = QuantStub(), nn.Conv2d(3, 3, 1), nn.ReLU()')}
    def forward(self, x):
        return self.conv(self.relu(self.conv(self.quant(x))))
model = Net().eval()
prepare(model)`,
  },
  S09: {
    text: `import torch.nn as nn\nfrom torch.ao.quantization import prepare\nclass Net(nn.Module):\n    pass\nmodel = Net().eval()\nprepare(model, inplace=True)`,
  },
  S10: {
    text: 'from torch.ao.quantization import QConfig, MinMaxObserver\nQConfig(activation=MinMaxObserver(), weight=w)',
  },
  S11: {
    target: 'x86-vnni',
    text: `${network('self.conv = nn.Conv2d(3, 8, 3)')}\nfrom torch.ao.quantization import default_qconfig\nmodel = Net()\nmodel.qconfig = default_qconfig`,
  },
  S12: {
    text: 'import torch\nfrom torch.ao.quantization import get_default_qconfig\ntorch.backends.quantized.engine = "qnnpack"\nmodel.qconfig = get_default_qconfig("fbgemm")',
  },
  S13: {
    text: 'from torch.ao.quantization import prepare, convert\ndef main(model):\n    model = prepare(model)\n    return convert(model)',
  },
  S14: {
    text: 'from torch.ao.quantization import convert\ndef main(model):\n    model = convert(model)\n    model.cuda()',
  },
  S15: {
    text: 'from torch.ao.quantization import prepare_qat, convert\ndef main(model):\n    model.train()\n    prepare_qat(model, inplace=True)\n    done = convert(model)\n    done(x)',
  },
  S16: {
    text: 'from torch.ao.quantization import prepare_qat, convert\ndef main(model):\n    prepare_qat(model, inplace=True)\n    model(x).backward()\n    convert(model.eval())',
  },
  S17: {
    text: 'import torch.nn as nn\nfrom torch.ao.quantization import prepare_qat\nclass Net(nn.Module):\n    pass\nmodel = Net().train()\nprepare_qat(model, inplace=True)',
  },
  S18: {
    text: `${network('self.conv = nn.Conv2d(8, 8, 3, groups=8)')}\nmodel.qconfig = get_default_qconfig("qnnpack")`,
  },
  S19: {
    text: `${network('self.up = nn.ConvTranspose2d(8, 8, 2)')}\nmodel = Net().eval()\nmodel.qconfig = get_default_qconfig("fbgemm")\nprepare(model, inplace=True)`,
  },
  S20: { text: `${network('self.act = nn.ReLU6()')}\nmodel = Net().eval()\nprepare(model, inplace=True)` },
  S21: {
    text: `from torch.ao.quantization import prepare, convert
from torch.utils.data import DataLoader
def main(model, data):
    loader = DataLoader(data, shuffle=True)
    prepare(model, inplace=True)
    for x in loader:
        model(x)
    convert(model)`,
  },
  S22: {
    text: 'import torch\ndef main(model, test_loader):\n    calibrate(model, test_loader)\n    evaluate(model, test_loader)',
  },
  S23: {
    text: 'from torch.ao.quantization import prepare, convert\ndef main(model, data):\n    prepare(model, inplace=True)\n    for x in data:\n        model(x)\n    convert(model)',
  },
  S24: { text: 'import torch\ntorch.quantization.quantize_dynamic(model)' },
  S25: { text: 'import torch\nmodel = torch.export.export(net, example).module()\nmodel.eval()' },
  S26: {
    text: 'import torch\nfrom torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import X86InductorQuantizer\nmodel = torch.compile(converted)',
  },
  S27: {
    text: 'from torchao.quantization import quantize_, Int4WeightOnlyConfig\nquantize_(model, Int4WeightOnlyConfig(group_size=48))',
  },
  S28: {
    text: 'from torchao.quantization import quantize_, Int4WeightOnlyConfig\nquantize_(model, Int4WeightOnlyConfig())',
  },
  S29: {
    text: 'from torchao.quantization import quantize_, Int8WeightOnlyConfig\nquantize_(model, Int8WeightOnlyConfig(group_size=64))',
  },
  S30: {
    text: 'from torchao.quantization import quantize_, int8_weight_only\nquantize_(model, int8_weight_only())',
  },
  S31: {
    text: 'from torchao.quantization import quantize_, Int4WeightOnlyConfig\nfrom transformers import AutoModelForCausalLM\nmodel = AutoModelForCausalLM.from_pretrained("name")\nquantize_(model, Int4WeightOnlyConfig(group_size=128))',
  },
  S32: { text: 'from transformers import BitsAndBytesConfig\nBitsAndBytesConfig(load_in_4bit=True)' },
  S33: {
    text: 'from peft import LoraConfig\nfrom transformers import BitsAndBytesConfig\nBitsAndBytesConfig(load_in_4bit=True)',
  },
  S34: {
    text: 'import torch\nfrom transformers import AutoModel\nmodel = AutoModel.from_pretrained("name", quantization_config=config)\ntorch.optim.AdamW(model.parameters())',
  },
  S35: {
    text: 'from peft import prepare_model_for_kbit_training\nfrom transformers import AutoModel\nmodel = AutoModel.from_pretrained("name", quantization_config=config, device_map="auto")\nprepare_model_for_kbit_training(model)',
  },
  S36: {
    text: 'from transformers import AutoModel\nAutoModel.from_pretrained("Llama-2-7B-GPTQ", quantization_config=config)',
  },
  S37: {
    text: 'from transformers import GPTQConfig\nGPTQConfig(bits=4, tokenizer=tokenizer, dataset=["one sentence"])',
  },
  S38: {
    text: '# pip install transformers==4.38.2\nfrom transformers import AutoModel, GPTQConfig\nconfig = GPTQConfig(bits=4)\nAutoModel.from_pretrained("name", device_map="cpu", quantization_config=config)',
  },
  S39: { text: 'import torch\nimport auto_gptq' },
  S40: {
    text: 'from onnxruntime.quantization import quantize_static\nquantize_static("model.onnx", "model.int8.onnx", reader)',
  },
  S41: {
    text: `${network('self.conv = nn.Conv2d(3, 8, 3)')}\nfrom onnxruntime.quantization import quantize_dynamic\nquantize_dynamic("a.onnx", "b.onnx")`,
  },
  S42: {
    target: 'x86-avx2',
    text: 'from onnxruntime.quantization import quantize_static, QuantFormat\nquantize_static("a.onnx", "b.onnx", reader, quant_format=QuantFormat.QOperator)',
  },
  S43: {
    target: 'x86-avx2',
    text: 'from onnxruntime.quantization import quantize_static, QuantType\nquantize_static("a.onnx", "b.onnx", reader, activation_type=QuantType.QUInt8)',
  },
  S44: {
    target: 'arm64',
    text: 'from onnxruntime.quantization import quantize_dynamic\nquantize_dynamic("a.onnx", "b.onnx", reduce_range=True)',
  },
  S45: {
    target: 'cuda',
    text: 'from onnxruntime.quantization import quantize_static, QuantType\nquantize_static("a.onnx", "b.onnx", reader, activation_type=QuantType.QUInt8)',
  },
  S46: {
    text: 'import torch\nfrom onnxruntime.quantization import quantize_dynamic\ntorch.onnx.export(model, x, "a.onnx", opset_version=9)\nquantize_dynamic("a.onnx", "b.onnx")',
  },
  S47: {
    text: 'import torch\nfrom onnxruntime.quantization import quantize_static\ntorch.onnx.export(model, x, "a.onnx", opset_version=11)\nquantize_static("a.onnx", "b.onnx", reader, per_channel=True)',
  },
  S48: {
    text: 'import torch\nfrom onnxruntime.quantization import quantize_dynamic, QuantType\ntorch.onnx.export(model, x, "a.onnx", opset_version=17)\nquantize_dynamic("a.onnx", "b.onnx", weight_type=QuantType.QInt4)',
  },
  S49: {
    text: `${network('self.conv = nn.Conv2d(3, 8, 3)')}\nimport torch\nfrom onnxruntime.quantization import quantize_dynamic\ntorch.onnx.export(Net(), x, "a.onnx")\nquantize_dynamic("a.onnx", "b.onnx")`,
  },
  S50: {
    text: 'from onnxruntime.quantization import quantize\nquantize(model, quantization_mode=QuantizationMode.IntegerOps)',
  },
  S51: {
    text: 'from onnxruntime.quantization import quantize_static, CalibrationMethod\nreader = Reader(num_samples=16)\nquantize_static("a.onnx", "b.onnx", reader, calibrate_method=CalibrationMethod.Entropy)',
  },
  S52: {
    text: 'from onnxruntime.quantization import quantize_static\nquantize_static("yolov8n.onnx", "yolov8n.int8.onnx", reader)',
  },
  S53: {
    target: 'arm64',
    text: 'from optimum.onnxruntime import AutoQuantizationConfig\nAutoQuantizationConfig.avx2(is_static=False)',
  },
  S54: {
    text: 'import tensorflow as tf\nconverter = tf.lite.TFLiteConverter.from_keras_model(model)\nconverter.inference_input_type = tf.int8',
  },
  S55: {
    text: 'import numpy as np\nimport tensorflow as tf\ndef samples():\n    yield [np.random.rand(1, 224, 224, 3)]\nconverter.representative_dataset = samples',
  },
  S56: {
    text: 'import tensorflow as tf\nimport tensorflow_model_optimization as tfmot\nclass Net(tf.keras.Model):\n    pass\nmodel = Net()\ntfmot.quantization.keras.quantize_model(model)',
  },
  S57: {
    text: 'import torch\nfrom torch.ao.quantization import prepare_qat\ndef main(model):\n    model = prepare_qat(model)\n    torch.onnx.export(model, x, "a.onnx", dynamo=True)',
  },
  S58: { text: 'import torch\ntorch.onnx.export(model, x, "a.onnx", dynamo=False, opset_version=21)' },
  S59: {
    text: 'import torch.nn as nn\nclass ConvBn(nn.Module):\n    def forward(self, x):\n        weight = self.weight * (self.gamma / self.conv(x).std(0))\n        return self.run(x, fake_quantize(weight))',
  },
  S60: { text: 'import torch\ny = quantize(x, bits=8, stochastic=True)' },
  S61: {
    text: 'from torch.ao.quantization import prepare_qat\nfrom torch.optim.swa_utils import AveragedModel\ndef main(model):\n    model = prepare_qat(model)\n    average = AveragedModel(model)',
  },
  S62: {
    text: 'import torch\nfrom torch.ao.quantization import prepare_qat\ndef main(model):\n    prepare_qat(model, inplace=True)\n    torch.optim.SGD(model.parameters(), lr=0.1)',
  },
  S63: { text: 'import tensorflow as tf\ntf.contrib.quantize.create_training_graph()' },
  S64: {
    text: 'from torch.ao.quantization import QConfig, MinMaxObserver\nfrom transformers import AutoModelForCausalLM\nQConfig(activation=MinMaxObserver, weight=observer)',
  },
  S65: { text: 'import torch\nblock_reconstruction(block, n_bits_w=4, n_bits_a=4)' },
  S66: { text: 'import torch\ndef quantize(x, scale):\n    return torch.floor(x / scale + 0.5)' },
  S67: { text: 'import torch\ny = torch.sign(torch.relu(x))' },
  S68: {
    text: 'from onnxruntime.quantization import quantize_static, QuantType\nquantize_static("a.onnx", "b.onnx", reader, quant_format=QuantType.QInt8)',
  },
  S69: {
    text: 'from onnxruntime.quantization import quantize_static\nsamples = [{"x": image} for image in images]\nquantize_static("a.onnx", "b.onnx", samples)',
  },
  S70: {
    text: 'from onnxruntime.quantization import CalibrationDataReader\nclass Reader(CalibrationDataReader):\n    def get_next(self):\n        for image in self.images:\n            yield {"x": image}',
  },
  S71: {
    text: 'import numpy as np\nfrom onnxruntime.quantization import CalibrationDataReader\nclass Reader(CalibrationDataReader):\n    def get_next(self):\n        return {"x": np.random.rand(1, 3, 224, 224)}',
  },
  S72: {
    text: 'from onnxruntime.quantization import quantize_dynamic\nquantize_dynamic("a.onnx", "b.onnx", op_types_to_quantize="MatMul")',
  },
  S73: {
    text: 'from onnxruntime.quantization import quantize_dynamic\nquantize_dynamic("a.onnx", "b.onnx", optimize_model=True)',
  },
  S74: {
    text: 'from onnxruntime.quantization import quantize_dynamic\nquantize_dynamic("a.onnx", "b.onnx", extra_options={"WeightSymetric": True})',
  },
  S75: {
    text: 'import tensorflow as tf\nconverter = tf.lite.TFLiteConverter.from_keras_model(model)\nconverter.representative_dataset = samples',
  },
  S76: {
    text: 'import tensorflow as tf\nconverter = tf.lite.TFLiteConverter.from_keras_model(model)\nconverter.optimizations = tf.lite.Optimize.DEFAULT',
  },
  S77: {
    text: 'import tensorflow as tf\ndef samples():\n    yield [image]\nconverter = tf.lite.TFLiteConverter.from_keras_model(model)\nconverter.representative_dataset = samples()',
  },
  S78: {
    text: 'import numpy as np\nimport tensorflow as tf\ndef samples():\n    for image in images:\n        yield np.expand_dims(image, 0)\nconverter = tf.lite.TFLiteConverter.from_keras_model(model)\nconverter.representative_dataset = samples',
  },
  S79: {
    text: 'from torch.ao.quantization import get_default_qconfig, prepare_qat\nmodel.qconfig = get_default_qconfig("x86")\nprepare_qat(model, inplace=True)',
  },
  S80: {
    text: 'import torch.nn as nn\nfrom torch.ao.quantization import quantize_dynamic\nsmall = quantize_dynamic(model, {nn.Linear, nn.Conv2d})',
  },
  S81: {
    text: 'from torch.ao.quantization import prepare\nprepare(model)',
  },
  S82: {
    text: 'import torch\nfrom torch.ao.quantization import convert\ndef main(model):\n    model = convert(model)\n    torch.save(model, "int8.pt")',
  },
  S83: {
    text: 'from torch.ao.quantization.quantize_fx import prepare_fx\nprepared = prepare_fx(model, mapping)',
  },
  S84: {
    text: 'from torch.ao.quantization import get_default_qconfig\nmodel.qconfig = get_default_qconfig("cuda")',
  },
  S85: {
    text: 'from torchao.quantization import quantize_\nmodel = quantize_(model, config)',
  },
  S86: {
    text: 'from transformers import AutoModel\nmodel = AutoModel.from_pretrained("name", load_in_4bit=True).half()',
  },
  S87: {
    text: 'from transformers import BitsAndBytesConfig\nBitsAndBytesConfig(load_in_4bit=True, load_in_8bit=True)',
  },
  S88: {
    text: 'from transformers import AutoModel\nmodel = AutoModel.from_pretrained("name", load_in_4bit=True, quantization_config=config)',
  },
  S89: {
    text: 'from peft import PeftModel\nfrom transformers import AutoModel\nbase = AutoModel.from_pretrained("name", load_in_4bit=True)\nmodel = PeftModel.from_pretrained(base, "adapter").merge_and_unload()',
  },
  S90: {
    text: 'from transformers import GPTQConfig\nGPTQConfig(bits=5, dataset="c4")',
  },
};
