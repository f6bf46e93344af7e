# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/base.py - writing golden files: the two containers, seeds,
and checks that stop the run.

What    write_tensors / write_json (same input, same bytes), rng(name), require(...),
        peak-relative error.
Shapes  every tensor keeps the shape it is stored with; integers are I32, bytes U8, the rest F32.
Used by every module of scripts/goldens."""

import json
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

SEED = 0
PINNED = {
    "transformers": "4.57.3",
    "torch": "2.15.0",
    "Pillow": "12.3.0",
    "tokenizers": "0.22.2",
    "numpy": "2.4.6",
    "safetensors": "0.8.0",
}


def require(condition, message):
    """Every check on the oracle goes through here: a golden made after a failed check
    must not exist."""
    if not condition:
        sys.exit(f"make_goldens: check failed: {message}")


def rng(name):
    """One stream per name, so adding a parameter or a case does not move the others."""
    return torch.Generator().manual_seed(SEED * 1_000_003 + zlib.crc32(name.encode()))


def normal(name, *shape):
    return torch.randn(*shape, generator=rng(name), dtype=torch.float32)


def peak_error(a, b):
    """max|a-b| / max|b|, the measure of every gate."""
    a, b = a.detach().double(), b.detach().double()
    return ((a - b).abs().max() / b.abs().max().clamp_min(1e-300)).item()


def as_array(value):
    array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    if array.dtype in (np.int64, np.int32, np.bool_):
        require(
            array.size == 0 or np.abs(array.astype(np.int64)).max() < 2**31, "integer beyond I32"
        )
        return np.ascontiguousarray(array, dtype=np.int32)
    if array.dtype == np.float64:
        return np.ascontiguousarray(array, dtype=np.float32)
    require(array.dtype in (np.float32, np.uint8), f"dtype {array.dtype} has no place in a golden")
    return np.ascontiguousarray(array)


def write_tensors(path, tensors):
    arrays = {name: as_array(tensors[name]) for name in sorted(tensors)}
    for name, array in arrays.items():
        require(
            array.dtype != np.float32 or np.isfinite(array).all(), f"{path}: {name} is not finite"
        )
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save_file(arrays, str(path))
    Path(path).chmod(0o644)


def write_json(path, value):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, ensure_ascii=True, indent=1, sort_keys=False)
    Path(path).write_text(text + "\n", encoding="ascii")


def installed_versions():
    import PIL
    import safetensors
    import tokenizers
    import transformers

    return {
        "transformers": transformers.__version__,
        "torch": torch.__version__.split("+")[0],
        "Pillow": PIL.__version__,
        "tokenizers": tokenizers.__version__,
        "numpy": np.__version__,
        "safetensors": safetensors.__version__,
    }


def check_versions():
    found = installed_versions()
    for name, wanted in PINNED.items():
        require(
            found[name] == wanted,
            f"{name} is {found[name]}, goldens are made with {wanted} "
            "(pip install -r scripts/goldens/requirements.txt)",
        )
