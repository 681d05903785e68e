"""Grids of the IQ block types as text for server/src/engine/numerics/ggml-grids.ts: python3 test/golden/gen/ggml_grids.py

Needs `pip install gguf==0.19.0`. A grid is a sorted set of points; point number n has the digits of n in base `levels`,
first value least significant. Printed: bit n of a little-endian bit string, in base64, tells whether point n belongs.
"""
import base64

import numpy as np
from gguf import quants

for name in ("IQ1_S", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"):
    kind = getattr(quants, name)
    kind.init_grid()
    levels = np.array(kind.grid_map, dtype=np.float32)
    grid = kind.grid.reshape(kind.grid_shape)
    digits = np.argmin(np.abs(grid[..., None] - levels), axis=-1)
    assert (levels[digits] == grid).all()
    points = (digits * len(levels) ** np.arange(grid.shape[1])).sum(axis=1)
    assert (np.diff(points) > 0).all(), name
    bits = np.zeros(len(levels) ** grid.shape[1], dtype=np.uint8)
    bits[points] = 1
    packed = np.packbits(bits, bitorder="little")
    print(name, len(points), base64.b64encode(packed.tobytes()).decode("ascii"))
