#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/compare_trace.py - does transformers compute what `mip trace` wrote? For every family.

What    runs the ids, pixel_values, picture grids and labels of F.h5 through MODEL_DIR in
        transformers (F32, eager, CPU) with hooks on blocks and down_proj inputs, and prints
        the largest relative difference max|a - b| / max|b| of every tensor in the file (of
        stacked ones, the worst layer's) beside its gate. Exit 0 only if every tensor of the
        file was compared and keeps its gate. With --prompt also whether ids and pixels are
        those of transformers' processor, to the bit.
Loss    from transformers' logits in double: its own, in float32 over a real vocabulary, is off by
        up to 3e-5.
Order   vision rows: the file has the processor's order, transformers the window order;
        transformers' own get_window_index brings them together. LLaVA: pixels row by row,
        tower rows with the class token of each picture in front.
Usage   mip trace --model MODEL_DIR --prompt TEXT --image F --answer TEXT --out F.h5
        python scripts/compare_trace.py MODEL_DIR F.h5 [--prompt TEXT --image F --answer TEXT]
Needs   pip install -r scripts/goldens/requirements.txt h5py"""

import argparse
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import h5py  # noqa: E402  (after the environment)
import numpy as np  # noqa: E402
import torch  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from check_in_transformers import chat_inputs, load_model  # noqa: E402
from goldens import parts  # noqa: E402
from goldens import recorder as run  # noqa: E402
from goldens.hf_processor import load_processor  # noqa: E402

COSINE = 1 - 1e-6
GIVEN = ("input_ids", "labels", "pixel_values", "image_grid_thw")  # taken from the file
EXACT = ("position_ids", "patch_order")
GATES = {
    "image_features": 2e-5,
    "vision_hidden": 5e-5,
    "hidden": 5e-5,
    "logits": 1e-4,
    "loss": 1e-5,
    "text_neurons": 5e-5,
    "vision_neurons": 5e-5,
    "text_neuron_grads": 5e-4,
    "vision_neuron_grads": 5e-4,
}


def read_trace(path):
    """Every array of the file that is no dimension scale."""
    found = {}
    with h5py.File(path, "r") as f:
        for name, data in f.items():
            if not data.is_scale:
                found[name] = data[()]
    return found


def inputs_of(trace, model, path):
    """What the model is called with; the file must hold what it was made from."""
    image_token = getattr(model.config, "image_token_id", None)
    needed = ["input_ids"]
    if image_token in trace.get("input_ids", ()):
        needed += ["pixel_values", "image_grid_thw"]
    if any(name.endswith("grads") or name == "loss" for name in trace):
        needed += ["labels"]
    for name in needed:
        if name not in trace:
            sys.exit(f"compare_trace: {path} has no {name}: add --tensor {name}")
    ids = torch.tensor(trace["input_ids"], dtype=torch.long)[None]
    out = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if "labels" in trace:
        out["labels"] = torch.tensor(trace["labels"], dtype=torch.long)[None]
    if image_token in trace["input_ids"]:
        out["pixel_values"] = parts.pixels_of_rows(model, torch.tensor(trace["pixel_values"]))
        if not parts.is_clip(model):
            out["image_grid_thw"] = torch.tensor(trace["image_grid_thw"], dtype=torch.long)
    return out


def window_rows(model, n_rows, grid):
    """[P] the processor's row at each place of the tower's order."""
    if not hasattr(getattr(model.model, "visual", None), "get_window_index"):
        return torch.arange(n_rows)  # no windows
    cells, _ = model.model.visual.get_window_index(grid)
    group = model.config.vision_config.spatial_merge_size**2
    return (torch.as_tensor(cells)[:, None] * group + torch.arange(group)).reshape(-1)


def reference(model, inputs):
    """The same names as in the file, from transformers."""
    recorder, result = run.forward(model, inputs)
    at, _ = run.positions(model, inputs)
    out = {
        "position_ids": at[:, 0],
        "hidden": recorder.stacked("text", "hidden"),
        "text_neurons": recorder.stacked("text", "a"),
        "logits": result.logits[0],
    }
    in_order = {}
    if "pixel_values" in inputs:
        in_order["vision_hidden"] = recorder.stacked("vit", "hidden")
        n_rows = in_order["vision_hidden"].shape[1]
        rows = window_rows(model, n_rows, inputs.get("image_grid_thw"))
        out["patch_order"] = rows
        out["image_features"] = run.forward_tensors(recorder, result)["vit.features"]
        in_order["vision_neurons"] = recorder.stacked("vit", "a")
    if "labels" in inputs:
        result.loss.backward()
        out["loss"] = run.exact_loss(result, inputs["labels"])
        out["text_neuron_grads"] = recorder.stacked("text", "a", lambda t: t.grad)
        if "pixel_values" in inputs:
            in_order["vision_neuron_grads"] = recorder.stacked("vit", "a", lambda t: t.grad)
    for name, value in in_order.items():
        out[name] = torch.empty_like(value)
        out[name][:, rows] = value
    return {name: value.detach().numpy() for name, value in out.items()}


def peak_difference(a, b):
    """max|a - b| / max|b|; of a stack the worst entry's."""
    if a.ndim == 3:
        return max(peak_difference(x, y) for x, y in zip(a, b))
    size = np.abs(b).max()
    return float(np.abs(a - b).max() / (size if size > 0 else 1))


def compare(name, found, wanted):
    """(passes, what to print)."""
    if found.shape != wanted.shape:
        return False, f"shape {list(found.shape)}, transformers {list(wanted.shape)}"
    if name in EXACT:
        n = int((found != wanted).sum())
        return n == 0, "equal" if n == 0 else f"{n} of {found.size} differ"
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    if not np.isfinite(a).all():
        return False, "NaN or Inf in the file"
    error = peak_difference(a, b)
    passes, text = error <= GATES[name], f"{error:.2e}  gate {GATES[name]:.0e}"
    if name.endswith("grads"):
        length = np.sqrt((a * a).sum() * (b * b).sum())
        cosine = (a * b).sum() / length if length > 0 else 1.0
        passes = passes and cosine > COSINE
        text += f"  cosine 1 - {1 - cosine:.1e}"
    return bool(passes), text


def check_inputs(model, folder, trace, args):
    """How many of ids, pixels and grids are not those of transformers' processor."""
    wanted = chat_inputs(load_processor(folder), args.prompt, args.image, args.answer)
    arrays = {"input_ids": wanted["input_ids"][0]}
    if args.image:
        arrays["pixel_values"] = parts.pixel_rows(model, wanted["pixel_values"])
        arrays["image_grid_thw"] = parts.image_grid(model, wanted)
    failed = 0
    for name, value in arrays.items():
        equal = np.array_equal(trace[name], value.numpy())
        failed += not equal
        print(f"{'PASS' if equal else 'FAIL'}  {name:20} {'equal' if equal else 'differs'}")
    return failed


def main():
    parser = argparse.ArgumentParser(
        description="compare a file of mip trace with transformers on the same input"
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("trace", type=Path)
    parser.add_argument("--prompt", help="as given to mip trace: compares ids and pixels, too")
    parser.add_argument("--image", action="append", default=[])
    parser.add_argument("--answer")
    args = parser.parse_args()
    trace = read_trace(args.trace)
    model = load_model(args.model)
    wanted = reference(model, inputs_of(trace, model, args.trace))
    given = [name for name in GIVEN if name in trace]
    print("given to both:", ", ".join(f"{name} {list(trace[name].shape)}" for name in given))
    compared = [name for name in trace if name not in given]
    wrong_inputs = 0
    if args.prompt is not None:
        wrong_inputs = check_inputs(model, args.model, trace, args)
    failed = 0
    for name in compared:
        if name not in wanted:
            passes, text = False, "not known here"
        else:
            passes, text = compare(name, trace[name], wanted[name])
        failed += not passes
        print(f"{'PASS' if passes else 'FAIL'}  {name:20} {text}")
    verdict = "PASS" if compared and not failed and not wrong_inputs else "FAIL"
    print(f"{verdict}: {len(compared) - failed} of {len(compared)} tensors agree")
    return 0 if verdict == "PASS" else 1


if __name__ == "__main__":
    sys.exit(main())
