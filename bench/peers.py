"""One task of onnxruntime's Python quantization tools: python peers.py '{"task", "model", "data", …}'. Prints the seconds
of the task itself, without starting Python and importing; the caller measures the whole process."""
import json
import logging
import os
import sys
import tempfile
import time

import numpy as np
import onnxruntime

job = json.loads(sys.argv[1])
logging.disable(logging.WARNING)


class Options(onnxruntime.SessionOptions):
    """The tools make their own options; all of them get the same number of threads."""

    def __init__(self):
        super().__init__()
        self.intra_op_num_threads = job["threads"]


PlainOptions = onnxruntime.SessionOptions
onnxruntime.SessionOptions = Options
create = onnxruntime.InferenceSession.__init__


def with_threads(self, path, sess_options=None, *args, **kwargs):
    create(self, path, sess_options or Options(), *args, **kwargs)


onnxruntime.InferenceSession.__init__ = with_threads

from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static  # noqa: E402
from onnxruntime.quantization.calibrate import CalibrationMethod, create_calibrator  # noqa: E402
from onnxruntime.quantization import qdq_loss_debug as debug  # noqa: E402


class Reader(CalibrationDataReader):
    def __init__(self):
        self.name = onnxruntime.InferenceSession(job["model"]).get_inputs()[0].name
        self.data = np.load(job["data"], mmap_mode="r")[: job["samples"]]
        self.at = 0

    def get_next(self):
        if self.at >= len(self.data):
            return None
        part = np.asarray(self.data[self.at : self.at + job["batch"]])
        self.at += job["batch"]
        if part.dtype == np.uint8:
            made = job.get("preprocessing", {})
            shape = (1, -1, 1, 1)
            part = part.transpose(0, 3, 1, 2).astype(np.float32) * np.float32(made.get("scale") or 1 / 255)
            part -= np.array(made.get("mean") or [0, 0, 0], np.float32).reshape(shape)
            part /= np.array(made.get("std") or [1, 1, 1], np.float32).reshape(shape)
        return {self.name: np.ascontiguousarray(part, np.float32)}


def calibrate(folder):
    method = {
        "min-max": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }[job["estimator"]]
    calibrator = create_calibrator(
        job["model"], None, os.path.join(folder, "augmented.onnx"), calibrate_method=method
    )
    calibrator.collect_data(Reader())
    return {"tensors": len(calibrator.compute_data().keys())}


def quantize(_folder):
    quantize_static(
        job["model"],
        job["output"],
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return {}


def weights(_folder):
    errors = debug.compute_weight_error(debug.create_weight_matching(job["model"], job["quantized"]))
    return {"layers": len(errors)}


def activations(folder):
    taken = []
    for name in ("model", "quantized"):
        file = os.path.join(folder, name + ".onnx")
        debug.modify_model_output_intermediate_tensors(job[name], file)
        taken.append(debug.collect_activations(file, Reader()))
    errors = debug.compute_activation_error(debug.create_activation_matching(taken[1], taken[0]))
    return {"tensors": len(errors)}


with tempfile.TemporaryDirectory() as folder:
    began = time.perf_counter()
    facts = {"nothing": dict, "calibrate": calibrate, "quantize": quantize, "weights": weights, "activations": activations}[
        job["task"]
    ](*([] if job["task"] == "nothing" else [folder]))
    print(json.dumps({"seconds": time.perf_counter() - began, "version": onnxruntime.__version__, **facts}))
