/** Cases of the rules on onnxruntime.quantization, exporters and TensorFlow. */
import type { RuleCases } from './index';

const tools =
  'from onnxruntime.quantization import quantize_static, quantize_dynamic, QuantFormat, QuantType, CalibrationMethod\n';
const convolutional = `import torch
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
`;
const recurrent = convolutional.replace('self.conv = nn.Conv2d(3, 8, 3)', 'self.lstm = nn.LSTM(8, 8)');

export const onnxruntimeCases = {
  S40: {
    bad: [`${tools}⟦quantize_static⟧("model.onnx", "out.onnx", reader)\n`],
    good: [
      'from onnxruntime.quantization import quantize_static\n# python -m onnxruntime.quantization.preprocess --input a.onnx\nquantize_static("a.onnx", "b.onnx", reader)\n',
      'from onnxruntime.quantization import quantize_static\nquantize_static("models/pre_quantized.onnx", "b.onnx", reader)\noptimized_path = "c.onnx"\nquantize_static(optimized_path, "d.onnx", reader)\n',
      `${tools}from onnxruntime.quantization import quant_pre_process\nquant_pre_process("a.onnx", "b.onnx")\nquantize_static("b.onnx", "out.onnx", reader)\n`,
      `${tools}quantize_static("model-infer.onnx", "out.onnx", reader)\n`,
      `${tools}quantize_static(args.model, "out.onnx", reader)\n`,
      `${tools}quantize_dynamic("model.onnx", "out.onnx")\n`,
    ],
  },
  S41: {
    bad: [
      `${convolutional}${tools}⟦quantize_dynamic⟧("a.onnx", "b.onnx", weight_type=QuantType.QUInt8)\n`,
      `${recurrent}${tools}⟦quantize_static⟧("a.onnx", "b.onnx", reader)\n`,
    ],
    good: [
      `${convolutional}${tools}quantize_static("a.onnx", "b.onnx", reader)\n`,
      `${recurrent}${tools}quantize_dynamic("a.onnx", "b.onnx")\n`,
      `${tools}quantize_dynamic("a.onnx", "b.onnx")\n`,
    ],
  },
  S42: {
    target: 'x86-vnni',
    bad: [
      `${tools}⟦quantize_static⟧("a.onnx", "b.onnx", reader, quant_format=QuantFormat.QOperator)\n`,
      `${tools}⟦quantize_static⟧("a.onnx", "b.onnx", reader, QuantFormat.QOperator, activation_type=QuantType.QInt8)\n`,
    ],
    good: [
      `${tools}quantize_static("a.onnx", "b.onnx", reader, quant_format=QuantFormat.QDQ)\n`,
      `${tools}quantize_static("a.onnx", "b.onnx", reader, quant_format=QuantFormat.QOperator, activation_type=QuantType.QUInt8)\n`,
      `${tools}quantize_static("a.onnx", "b.onnx", reader, quant_format=chosen)\n`,
    ],
  },
  S43: {
    target: 'x86-avx2',
    bad: [
      `${tools}⟦quantize_static⟧("a.onnx", "b.onnx", reader, activation_type=QuantType.QUInt8, per_channel=True)\n`,
    ],
    good: [
      `${tools}quantize_static("a.onnx", "b.onnx", reader, activation_type=QuantType.QUInt8, reduce_range=True)\n`,
      `${tools}quantize_static("a.onnx", "b.onnx", reader, activation_type=QuantType.QUInt8, reduce_range=small)\n`,
      `${tools}quantize_static("a.onnx", "b.onnx", reader, activation_type=QuantType.QUInt8, weight_type=QuantType.QUInt8)\n`,
      `${tools}quantize_static("a.onnx", "b.onnx", reader)\n`,
    ],
  },
  S44: {
    target: 'arm64',
    bad: [
      `${tools}quantize_static("a.onnx", "b.onnx", reader, ⟦reduce_range=True⟧)\n`,
      `${tools}quantize_dynamic("a.onnx", "b.onnx", ⟦reduce_range=True⟧)\n`,
    ],
    good: [`${tools}quantize_static("a.onnx", "b.onnx", reader, reduce_range=False)\n`],
  },
  S45: {
    target: 'cuda',
    bad: [`${tools}⟦quantize_static⟧("a.onnx", "b.onnx", reader, activation_type=QuantType.QUInt8)\n`],
    good: [`${tools}quantize_static("a.onnx", "b.onnx", reader)\n`],
  },
  S46: {
    bad: [
      `import torch\n${tools}torch.onnx.⟦export⟧(model, x, "a.onnx", opset_version=9)\nquantize_static("a.onnx", "b.onnx", reader)\n`,
      `import torch\n${tools}pool = torch.nn.MaxPool2d(2)\ntorch.onnx.⟦export⟧(model, x, "a.onnx", opset_version=11)\nquantize_static("a.onnx", "b.onnx", reader)\n`,
    ],
    good: [
      `import torch\n${tools}torch.onnx.export(model, x, "a.onnx", opset_version=11)\nquantize_static("a.onnx", "b.onnx", reader)\n`,
      'import torch\ntorch.onnx.export(model, x, "a.onnx", opset_version=9)\n',
    ],
  },
  S47: {
    bad: [
      `import torch\n${tools}torch.onnx.⟦export⟧(model, x, "a.onnx", opset_version=11)\nquantize_static("a.onnx", "b.onnx", reader, per_channel=True)\n`,
    ],
    good: [
      `import torch\n${tools}torch.onnx.export(model, x, "a.onnx", opset_version=13)\nquantize_static("a.onnx", "b.onnx", reader, per_channel=True)\n`,
      `import torch\n${tools}torch.onnx.export(model, x, "a.onnx", opset_version=11)\nquantize_static("a.onnx", "b.onnx", reader)\n`,
      `import torch\n${tools}torch.onnx.export(model, x, "a.onnx", opset_version=11)\nquantize_static("a.onnx", "b.onnx", reader, QuantFormat.QOperator, per_channel=True)\nquantize_dynamic("a.onnx", "c.onnx", per_channel=True)\n`,
    ],
  },
  S48: {
    bad: [
      `import torch\n${tools}torch.onnx.export(model, x, "a.onnx", opset_version=17)\n⟦quantize_static⟧("a.onnx", "b.onnx", reader, weight_type=QuantType.QInt4)\n`,
    ],
    good: [
      `import torch\n${tools}torch.onnx.export(model, x, "a.onnx", opset_version=21)\nquantize_static("a.onnx", "b.onnx", reader, weight_type=QuantType.QInt4)\n`,
      `import torch\n${tools}torch.onnx.export(model, x, "a.onnx", opset_version=17)\nquantize_static("a.onnx", "b.onnx", reader, activation_type=QuantType.QUInt16, extra_options={"UseQDQContribOps": True})\n`,
      `${tools}quantize_static("a.onnx", "b.onnx", reader, weight_type=QuantType.QInt4)\n`,
    ],
  },
  S49: {
    bad: [
      `${convolutional}${tools}torch.onnx.export(Net(), x, "a.onnx")\n⟦quantize_dynamic⟧("a.onnx", "b.onnx")\n`,
      `${convolutional}${tools}torch.onnx.export(Net(), x, "a.onnx")\nquantize_dynamic("a.onnx", "b.onnx", ⟦weight_type=QuantType.QInt8⟧)\n`,
    ],
    good: [
      `${convolutional}${tools}torch.onnx.export(Net(), x, "a.onnx")\nquantize_dynamic("a.onnx", "b.onnx", weight_type=QuantType.QUInt8)\n`,
      `${convolutional}${tools}torch.onnx.export(Net(), x, "a.onnx")\nquantize_dynamic("a.onnx", "b.onnx", op_types_to_quantize=["MatMul"])\n`,
      `${recurrent}${tools}torch.onnx.export(Net(), x, "a.onnx")\nquantize_dynamic("a.onnx", "b.onnx")\n`,
      `${tools}quantize_dynamic("a.onnx", "b.onnx")\n`,
    ],
  },
  S51: {
    bad: [
      `${tools}NUM_CALIB = 16\n⟦quantize_static⟧("a.onnx", "b.onnx", Reader(NUM_CALIB), calibrate_method=CalibrationMethod.Entropy)\n`,
      `${tools}reader = Reader(data, num_samples=32)\n⟦quantize_static⟧("a.onnx", "b.onnx", reader, calibrate_method=CalibrationMethod.Percentile)\n`,
    ],
    good: [
      `${tools}NUM_CALIB = 16\nquantize_static("a.onnx", "b.onnx", Reader(NUM_CALIB))\n`,
      `${tools}NUM_CALIB = 200\nquantize_static("a.onnx", "b.onnx", Reader(NUM_CALIB), calibrate_method=CalibrationMethod.Entropy)\n`,
      `${tools}quantize_static("a.onnx", "b.onnx", reader, calibrate_method=CalibrationMethod.Entropy)\n`,
    ],
  },
  S52: {
    bad: [`${tools}⟦quantize_static⟧("yolov8n-infer.onnx", "out.onnx", reader)\n`],
    good: [
      `${tools}quantize_static("yolov8n-infer.onnx", "out.onnx", reader, nodes_to_exclude=tail)\n`,
      `${tools}quantize_static("resnet-infer.onnx", "out.onnx", reader)\n`,
      `${tools}quantize_static("yolov4-tiny-infer.onnx", "out.onnx", reader)\n`,
      `${tools}quantize_static("detr-infer.onnx", "out.onnx", reader)\n`,
    ],
  },
  S53: {
    target: 'arm64',
    bad: [
      'from optimum.onnxruntime.configuration import AutoQuantizationConfig\nq = AutoQuantizationConfig.⟦avx512_vnni⟧(is_static=False)\n',
    ],
    good: [
      'from optimum.onnxruntime import AutoQuantizationConfig\nq = AutoQuantizationConfig.arm64(is_static=False)\n',
    ],
  },
  S54: {
    bad: [
      'import tensorflow as tf\nconverter = tf.lite.TFLiteConverter.from_keras_model(m)\n⟦converter.inference_input_type = tf.int8⟧\n',
      'import tensorflow as tf\ndef main(converter):\n    ⟦converter.inference_input_type = tf.uint8⟧\n',
    ],
    good: [
      'import tensorflow as tf\nconverter.representative_dataset = gen\nconverter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]\nconverter.inference_input_type = tf.int8\n',
      'import tensorflow as tf\nconverter.inference_input_type = tf.float32\n',
      'import tensorflow as tf\ndef main(converter, gen):\n    converter.representative_dataset = gen\n    converter.inference_input_type = tf.uint8\n',
    ],
  },
  S55: {
    bad: [
      'import numpy as np\nimport tensorflow as tf\ndef rep():\n    for _ in range(100):\n        yield [⟦np.random.rand(1, 224, 224, 3)⟧.astype(np.float32)]\nconverter.representative_dataset = rep\n',
      'import numpy as np\nfrom onnxruntime.quantization import CalibrationDataReader\nclass Reader(CalibrationDataReader):\n    def get_next(self):\n        return {"x": ⟦np.random.randn(1, 3)⟧}\n',
      'import torch\nfrom torch.ao.quantization import prepare, convert\ndef main(model):\n    prepare(model, inplace=True)\n    x = ⟦torch.randn(1, 3, 224, 224)⟧\n    model(x)\n    convert(model)\n',
      'import numpy as np\nfrom onnxruntime.quantization import CalibrationDataReader\nclass Reader(CalibrationDataReader):\n    def __init__(self):\n        self.data = iter([{"x": ⟦np.random.rand(1, 3)⟧.astype(np.float32)} for _ in range(9)])\n    def get_next(self):\n        return next(self.data, None)\n',
      'import numpy as np\nimport tensorflow as tf\ndef rep():\n    for _ in range(100):\n        data = np.float32(⟦np.random.uniform(0, 1, (1, 8))⟧ * 2 - 1)\n        yield {"x": data}\nconverter.representative_dataset = rep\n',
    ],
    good: [
      'import numpy as np\nfrom onnxruntime.quantization import CalibrationDataReader\nclass Reader(CalibrationDataReader):\n    def get_next(self):\n        iou_threshold = np.array([np.random.rand()])\n        return {"x": self.images.pop(), "iou": iou_threshold}\n',
      'import numpy as np\nimport tensorflow as tf\ndef rep():\n    for path in paths:\n        image = np.load(path) + np.random.normal(0, 0.01)\n        yield [image]\nconverter.representative_dataset = rep\n',
      'import numpy as np\nimport tensorflow as tf\ndef rep():\n    for _ in range(9):\n        z = np.random.randn(1, 100)\n        yield [z]\nconverter.representative_dataset = rep\n',
      'import numpy as np\nimport tensorflow as tf\ndef rep():\n    for image in images:\n        yield [image]\nnoise = np.random.rand(3)\nconverter.representative_dataset = rep\n',
      'import numpy as np\nimport tensorflow as tf\ndef rep():\n    for image in images:\n        yield [image, np.random.rand(1, 3)]\nconverter.representative_dataset = rep\n',
      'import numpy as np\nimport tensorflow as tf\ndef rep():\n    for _ in range(100):\n        latent = np.random.randn(1, 512)\n        yield [latent]\nconverter.representative_dataset = rep\n',
      'import torch\nfrom torch.ao.quantization import prepare, convert\ndef main(model, data):\n    prepare(model, inplace=True)\n    model(torch.randn(1, 3, 224, 224))\n    for x in data:\n        model(x)\n    convert(model)\n',
    ],
  },
  S56: {
    bad: [
      'import tensorflow as tf\nimport tensorflow_model_optimization as tfmot\nclass Net(tf.keras.Model):\n    pass\nmodel = Net()\nq = tfmot.quantization.keras.⟦quantize_model⟧(model)\n',
    ],
    good: [
      'import tensorflow as tf\nimport tensorflow_model_optimization as tfmot\nmodel = tf.keras.Sequential([])\nq = tfmot.quantization.keras.quantize_model(model)\n',
    ],
  },
  S57: {
    bad: [
      'import torch\nfrom torch.ao.quantization import prepare_qat\ndef main(net):\n    net = prepare_qat(net.train())\n    train(net)\n    torch.onnx.⟦export⟧(net, x, "a.onnx", dynamo=True)\n',
    ],
    good: [
      'import torch\nfrom torch.ao.quantization import prepare_qat\ndef main(net):\n    net = prepare_qat(net.train())\n    torch.onnx.export(net, x, "a.onnx", dynamo=False)\n',
      'import torch\nfrom torch.ao.quantization import prepare_qat\ndef main(net, other):\n    net = prepare_qat(net.train())\n    torch.onnx.export(other, x, "a.onnx", dynamo=True)\n',
    ],
  },
  S58: {
    bad: ['import torch\ntorch.onnx.⟦export⟧(net, x, "a.onnx", dynamo=False, opset_version=21)\n'],
    good: [
      'import torch\ntorch.onnx.export(net, x, "a.onnx", dynamo=True, opset_version=21)\n',
      'import torch\ntorch.onnx.export(net, x, "a.onnx", dynamo=False, opset_version=20)\n',
      'import torch\ntorch.onnx.export(net, x, "a.onnx", opset_version=21)\n',
    ],
  },
  S50: {
    bad: ['from onnxruntime.quantization import quantize\n⟦quantize⟧(model, quantization_mode=mode)\n'],
    good: [
      'from onnxruntime.quantization import quantize_dynamic\nquantize_dynamic("a.onnx", "b.onnx")\n',
      'import onnxruntime\nfrom mine import quantize\nquantize("a.onnx")\n',
      'from onnxruntime.quantization import quantize\nquantize("a.onnx", "b.onnx", config)\n',
    ],
  },
} as const satisfies Record<string, RuleCases>;
