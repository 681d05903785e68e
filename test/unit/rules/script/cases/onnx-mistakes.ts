/** Cases of the rules on calls of onnxruntime's quantization that cannot work. */
import type { RuleCases } from './index';

export const onnxMistakes = {
  S68: {
    bad: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, ⟦quant_format=QuantType.QOperator⟧)
`,
      `import onnxruntime.quantization as oq
oq.quantize_dynamic("a.onnx", "b.onnx", ⟦weight_type=oq.QuantFormat.QInt8⟧)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, ⟦quant_format=QuantType.QInt8⟧)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, ⟦calibrate_method="Entropy"⟧)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, ⟦QuantType.QDQ⟧)
`,
    ],
    good: [
      `from onnxruntime.quantization import quantize_static
quantize_static("a.onnx", "b.onnx", reader, quant_format="QDQ")
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, quant_format=QuantFormat.QDQ, activation_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, quant_format=chosen, weight_type=types[0])
`,
      `from mine import quantize_static, QuantType
import onnxruntime
quantize_static("a.onnx", "b.onnx", reader, quant_format=QuantType.QOperator)
`,
    ],
    fixed: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, quant_format=QuantFormat.QOperator)
`,
      `import onnxruntime.quantization as oq
oq.quantize_dynamic("a.onnx", "b.onnx", weight_type=oq.QuantType.QInt8)
`,
    ],
  },
  S69: {
    bad: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
def samples():
    yield {"x": load()}
quantize_static("a.onnx", "b.onnx", ⟦samples()⟧)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
data = [{"x": one} for one in images]
quantize_static("a.onnx", "b.onnx", calibration_data_reader=⟦data⟧)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
class Reader(CalibrationDataReader):
    def get_next(self):
        return next(self.samples, None)
quantize_static("a.onnx", "b.onnx", ⟦Reader⟧)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
class Reader:
    def __iter__(self):
        return iter(self.samples)
quantize_static("a.onnx", "b.onnx", ⟦Reader()⟧)
`,
    ],
    good: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
class Reader(CalibrationDataReader):
    def get_next(self):
        return next(self.samples, None)
reader = Reader()
quantize_static("a.onnx", "b.onnx", reader)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
class Reader:
    def get_next(self):
        return next(self.samples, None)
quantize_static("a.onnx", "b.onnx", Reader())
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
from mine import Reader
quantize_static("a.onnx", "b.onnx", Reader(data))
class Other(Base):
    pass
quantize_static("a.onnx", "b.onnx", Other())
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
def make():
    return Reader()
def main(reader):
    quantize_static("a.onnx", "b.onnx", reader)
    quantize_static("a.onnx", "b.onnx", make())
`,
    ],
  },
  S70: {
    bad: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
class Reader(CalibrationDataReader):
    def ⟦get_next⟧(self):
        for one in self.images:
            yield {"x": one}
`,
    ],
    good: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
class Reader(CalibrationDataReader):
    def get_next(self):
        def samples():
            yield {"x": one}
        self.all = self.all or samples()
        return next(self.all, None)
`,
      `import onnxruntime
class Loader:
    def get_next(self):
        yield 1
`,
    ],
  },
  S71: {
    bad: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
import numpy as np
class Reader(CalibrationDataReader):
    def ⟦get_next⟧(self):
        sample = np.random.rand(1, 3).astype(np.float32)
        return {self.input_name: sample}
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
import numpy as np
class Reader(CalibrationDataReader):
    def __init__(self):
        self.data = [np.random.rand(1, 3) for _ in range(10)]
    def ⟦get_next⟧(self):
        for x in self.data:
            return {"x": x}
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
import numpy as np
class Reader(CalibrationDataReader):
    def __init__(self, files):
        self.data = sorted(files)
    def ⟦get_next⟧(self):
        for at, x in enumerate(self.data):
            sample = np.load(x)
            return {"x": sample}
        return None
`,
    ],
    good: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
import numpy as np
class Reader(CalibrationDataReader):
    def get_next(self):
        if self.left == 0:
            return None
        self.left -= 1
        return {"x": np.zeros(3)}
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
class Reader(CalibrationDataReader):
    def get_next(self):
        return {"x": next(self.samples)}
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
class Reader(CalibrationDataReader):
    def get_next(self):
        return {"x": self.samples.pop()}
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
class Reader(CalibrationDataReader):
    def get_next(self):
        return next(self.samples, None)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
import numpy as np
class Reader(CalibrationDataReader):
    def __init__(self):
        self.data = iter([np.zeros(3), np.ones(3)])
    def get_next(self):
        for x in self.data:
            return {"x": x}
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
import numpy as np
class Reader(CalibrationDataReader):
    def __init__(self, data):
        self.data = data
    def get_next(self):
        for x in self.data:
            return {"x": x}
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
import numpy as np
class Reader(CalibrationDataReader):
    def __init__(self):
        self.data = (np.zeros(3) for _ in range(10))
    def get_next(self):
        for x in self.data:
            return {"x": x}
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
import numpy as np
class Reader(CalibrationDataReader):
    def __init__(self):
        self.data = [np.zeros(3)]
    def get_next(self):
        for x in self.data:
            self.data.remove(x)
            return {"x": x}
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
import numpy as np
class Reader(CalibrationDataReader):
    def __init__(self):
        self.data = [np.zeros(3)]
    def get_next(self):
        for x in self.data:
            if x.shape == (3,):
                return {"x": x}
`,
    ],
  },
  S72: {
    bad: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, op_types_to_quantize=⟦"Conv"⟧)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
types = ["MatMul"],
quantize_dynamic("a.onnx", "b.onnx", op_types_to_quantize=⟦types⟧)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_dynamic('a.onnx', 'b.onnx', nodes_to_exclude=(⟦'/head/Conv'⟧))
`,
    ],
    good: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, op_types_to_quantize=["Conv"], nodes_to_exclude=("a", "b"))
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, nodes_to_exclude=excluded(model))
`,
    ],
    fixed: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, op_types_to_quantize=["Conv"])
`,
    ],
  },
  S73: {
    bad: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_dynamic("a.onnx", "b.onnx", ⟦optimize_model=True⟧, weight_type=QuantType.QUInt8)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_dynamic(
    "a.onnx",
    "b.onnx",  # result
    ⟦activation_type=QuantType.QUInt8⟧,
)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, ⟦optimize_model=False⟧)
`,
    ],
    good: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
try:
    quantize_dynamic("a.onnx", "b.onnx", optimize_model=True)
except TypeError:
    quantize_dynamic("a.onnx", "b.onnx")
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, activation_type=QuantType.QUInt8)
`,
    ],
    fixed: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_dynamic("a.onnx", "b.onnx", weight_type=QuantType.QUInt8)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_dynamic(
    "a.onnx",
    "b.onnx",  # result
)
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader)
`,
    ],
  },
  S74: {
    bad: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, extra_options={⟦"WeightSymetric"⟧: True, "ActivationSymmetric": True})
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_dynamic('a.onnx', 'b.onnx', extra_options={⟦'matmulConstBOnly'⟧: True})
`,
    ],
    good: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, extra_options={"WeightSymmetric": True, "extra.Sigmoid.nnapi": True, "TmpDir": "t", name: 1})
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, extra_options=options)
`,
    ],
    fixed: [
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_static("a.onnx", "b.onnx", reader, extra_options={"WeightSymmetric": True, "ActivationSymmetric": True})
`,
      `from onnxruntime.quantization import quantize_static, quantize_dynamic, CalibrationDataReader, QuantFormat, QuantType, CalibrationMethod
quantize_dynamic('a.onnx', 'b.onnx', extra_options={'MatMulConstBOnly': True})
`,
    ],
  },
} as const satisfies Record<string, RuleCases>;
