# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/bf16.py - how far transformers in bfloat16 is from transformers in float32 on the
cases text and image of every family.

What    <family>/cases/bf16.safetensors: per case the distances of what the bfloat16 model records
        from the float32 tensors of the case file, and the logits of the bfloat16 model.
Bits    oneDNN is off, so that the roundings are not those of one kind of machine.
Shapes  <case>.error.<tensor>: one relative L2 distance per layer (text.hidden, text.a, text.da, vit.*)
        or one for the tensor (vit.features, logits, loss); <case>.logits [T,V].
"""

import torch
from safetensors.torch import load_file

from . import causal_tiny, llava_tiny, parts, qwen2vl_tiny, qwen25vl_tiny, recorder
from .base import require, write_tensors

CASES = ("text", "image")
BY_LAYER = ("text.hidden", "text.a", "text.da", "vit.hidden", "vit.a", "vit.da")
WHOLE = ("vit.features", "logits", "loss")
LARGEST, SMALLEST = 0.2, 1e-4  # a distance outside this range is no rounding of bfloat16


def distance(found, expected):
    found, expected = found.detach().double(), expected.double()
    return ((found - expected).norm() / expected.norm()).item()


def inputs_of(case, model):
    ids = case["input_ids"].long()[None]
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "labels": case["labels"].long()[None],
    }
    if "pixel_u8" in case:
        u8 = case["pixel_u8"].long()
        pixels = torch.stack([lut[u8[:, c]] for c, lut in enumerate(case["pixel_lut"])], dim=1)
        if parts.is_clip(model):  # patches row by row to pictures
            side = model.config.vision_config.image_size // model.config.vision_config.patch_size
            grid = pixels.reshape(-1, side, side, *pixels.shape[1:]).permute(0, 3, 1, 4, 2, 5)
            inputs["pixel_values"] = grid.flatten(4).flatten(2, 3)
        else:  # both temporal slots show the still image
            inputs["pixel_values"] = torch.stack([pixels, pixels], dim=2).flatten(1)
            inputs["image_grid_thw"] = case["grid_thw"].long()
    return inputs


def recorded(model, case):
    """What the case's float32 tensors are called, from a run of this model."""
    seen, result = recorder.forward(model, inputs_of(case, model))
    result.loss.backward()
    return {**recorder.forward_tensors(seen, result), **recorder.neuron_tensors(seen)}


def errors(name, found, case):
    out = {}
    for tensor in BY_LAYER + WHOLE:
        if tensor not in found:
            continue
        pairs = zip(found[tensor], case[tensor]) if tensor in BY_LAYER else ((found[tensor], case[tensor]),)
        values = [distance(a, b) for a, b in pairs]
        if tensor != "loss":  # a single number may be right by chance
            require(SMALLEST < max(values) < LARGEST, f"{name}: {tensor} is {max(values):.1e} off")
        out[f"error.{tensor}"] = torch.tensor(values)
    return out


def make_family(family, root):
    tensors = {}
    for name in CASES:
        path = root / "cases" / f"{name}.safetensors"
        if not path.exists():  # a text-only family
            continue
        case = load_file(path)
        found = recorded(family.load(root / "model", torch.bfloat16), case)
        made = {**errors(f"{root.name} {name}", found, case), "logits": found["logits"].float()}
        tensors |= {f"{name}.{key}": value for key, value in made.items()}
    write_tensors(root / "cases" / "bf16.safetensors", tensors)


def make(out):
    families = (qwen25vl_tiny, qwen2vl_tiny, llava_tiny, *causal_tiny.FAMILIES)
    with torch.backends.mkldnn.flags(enabled=False):
        for family in families:
            make_family(family, out / family.FAMILY)
