# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/attribution.py - path attribution of the tiny model in transformers
and torch, by the plain loop.

What    attribution.safetensors and attribution.json: the golden cases text and image,
        the last 3 tokens as answer.
Bits    matrix products in float64 (the norms and softmaxes of transformers stay float32):
        the choice of a neuron must not be a matter of rounding; every step of a path is checked
        to be wider than what float32 can turn around.
Shapes  <case>.<modality>.<score>.<rule>.scores [L,F], .paths [L,K], .log_scale [L],
        .logp_clean [1].
"""

import torch
from safetensors.torch import load_file

from .attribution_loop import LABEL_NONE, Settings, attribute, freeze
from .base import require, write_json, write_tensors
from .qwen25vl_tiny import load

N_ANSWER, TOP_K, WIDE = 3, 5, 1e-4
TEXT = [("product", "radau3"), ("own", "gauss3"), ("sum", "gauss3"), ("product", "left4")]
RUNS = [(case, "text", score, rule) for case in ("text", "image") for score, rule in TEXT]
RUNS += [("image", "vision", "fisher", "radau2")]


def case_inputs(case):
    ids = case["input_ids"].long()[None]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if "pixel_u8" in case:
        channels = [lut[case["pixel_u8"][:, c].long()] for c, lut in enumerate(case["pixel_lut"])]
        still = torch.stack(channels, dim=1)  # [P,3,14,14]; every temporal slot shows it
        if "pixel_frames" in case:  # one frame; the tower's own square pictures have no grid
            inputs["pixel_values"] = still.flatten(1).double()
        else:
            inputs["pixel_values"] = torch.stack([still, still], dim=2).flatten(1).double()
            inputs["image_grid_thw"] = case["grid_thw"].long()
    labels = ids[0].clone()
    labels[:-N_ANSWER] = LABEL_NONE
    return inputs, labels


def check_steps(name, result):
    """No two neighbours among the best K + 1 of a layer may be so near that float32
    could swap them."""
    for l, scores in enumerate(result.scores):
        best = scores.sort(descending=True).values[: TOP_K + 1]
        step = (best[:-1] - best[1:]).min().item() / scores.abs().max().item()
        require(step > WIDE, f"{name}: layer {l} has two of its best only {step:.1e} apart")


def make(out, root):
    model = freeze(load(root / "model")).double()
    tensors = {}
    for case, modality, score, rule in RUNS:
        inputs, labels = case_inputs(load_file(root / "cases" / f"{case}.safetensors"))
        settings = Settings(quadrature=rule, top_k=TOP_K, score=score)
        result = attribute(model, inputs, labels, modality, settings)
        name = f"{case}.{modality}.{score}.{rule}"
        check_steps(name, result)
        tensors[name + ".scores"] = result.scores
        tensors[name + ".paths"] = result.paths
        tensors[name + ".log_scale"] = result.log_scale.double()
        tensors[name + ".logp_clean"] = torch.tensor([result.logp_clean], dtype=torch.float64)
    write_tensors(out / "attribution.safetensors", tensors)
    about = {
        "answer_tokens": N_ANSWER,
        "top_k": TOP_K,
        "dtype": "float64 but for norms and softmaxes",
    }
    about["runs"] = [dict(zip(("case", "modality", "score", "quadrature"), run)) for run in RUNS]
    write_json(out / "attribution.json", about)
