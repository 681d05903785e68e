"""Values of GGUF blocks as gguf.quants reads them: python3 test/golden/gen/ggml_blocks.py > test/golden/data/ggml-blocks.json

Needs `pip install gguf==0.19.0`. Each case is a few blocks of one type: random bytes, every bit in use, with scales made
finite; the last block has all bits set but for its scales. Recorded: the bytes and the float32 values as bits, both in
base64. Types that gguf.quants cannot read (Q8_1, Q8_K) are checked by hand values alone. Real blocks made by
gguf.quants.quantize follow for the types it can write.
"""
import base64
import importlib.metadata
import json

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

SEED = 20240611

# Byte offsets of the half-precision fields, whose exponents are kept below infinity.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    "IQ4_NL": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64], "MXFP4": [], "NVFP4": [],
    "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0], "IQ1_S": [0], "IQ1_M": [],
}
# IQ1_M spreads its scale over the top bits of four words: the last one holds the exponent.
SPREAD = {"IQ1_M": 54}
WRITABLE = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4"]


def text(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def case(name, kind, blocks):
    size = GGML_QUANT_SIZES[GGMLQuantizationType[name]][1]
    with np.errstate(all="ignore"):
        values = quants.dequantize(blocks.reshape(-1, size), GGMLQuantizationType[name])
    assert values.dtype == np.float32
    return {"type": name, "kind": kind, "bytes": text(blocks), "values": text(values)}


def random_blocks(random, name, count):
    size = GGML_QUANT_SIZES[GGMLQuantizationType[name]][1]
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    blocks[-1] = 255
    for at in HALVES[name]:
        high = blocks[:, at + 1]
        # Exponent 31 is infinity or NaN.
        blocks[:, at + 1] = np.where((high & 0x7C) == 0x7C, high & 0xBF, high)
    if name in SPREAD:
        blocks[:, SPREAD[name] + 1] &= 0xBF
    return blocks


def main():
    random = np.random.default_rng(SEED)
    cases = []
    for name in HALVES:
        count = 16 if GGML_QUANT_SIZES[GGMLQuantizationType[name]][0] <= 64 else 5
        cases.append(case(name, "random", random_blocks(random, name, count)))
    for name in WRITABLE:
        elements = GGML_QUANT_SIZES[GGMLQuantizationType[name]][0]
        rows = 4 if elements <= 64 else 2
        weights = random.standard_normal((rows, elements)).astype(np.float32) * np.float32(0.05)
        cases.append(case(name, "quantized", quants.quantize(weights, GGMLQuantizationType[name])))
    made = {"gguf": importlib.metadata.version("gguf"), "numpy": np.__version__, "seed": SEED}
    print(json.dumps({"made": made, "cases": cases}, indent=1))


main()
