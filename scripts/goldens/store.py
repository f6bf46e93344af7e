# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/store.py - random weights, and the folders they are stored in and loaded from.

What    draw: one parameter, re-drawn from its name (HF's init would hide bugs); save_single,
        save_sharded: one safetensors file or two with an index; load_checked: as the oracle runs it.
Used by the family modules."""

import torch
from safetensors.torch import save_file

from .base import normal, require, write_json


def draw(name, shape):
    """Every parameter away from 0 and 1: matrices N(0, 1/fan_in), q and k x 1.5,
    norms 1 + 0.2 N, biases 0.1 N.

    Embeddings are 0.25 N: with N and a tied head every position predicts its own input token,
    greedy decoding repeats one id for ever, and a wrong cache would go unseen."""
    noise = normal(name, *shape)
    if name.endswith("bias"):
        return 0.1 * noise
    if "norm" in name or name.endswith("ln_q.weight"):
        return 1.0 + 0.2 * noise
    if "embed_tokens" in name:
        return 0.25 * noise
    fan_in = noise[0].numel()
    weight = noise / fan_in**0.5
    if "q_proj" in name or "k_proj" in name:
        weight = 1.5 * weight
    if "attn.qkv" in name:
        weight[: 2 * shape[0] // 3] *= 1.5
    return weight


def drawn(model, prefix="", tied=False):
    """{name: F32 tensor} for every parameter of a model; a tied head is the embedding."""
    names = model.state_dict()
    return {
        name: draw(prefix + name, tuple(names[name].shape)).contiguous()
        for name in names
        if not (tied and name == "lm_head.weight")
    }


def save_single(folder, config, tensors):
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    write_json(folder / "config.json", config)


def save_sharded(folder, config, tensors):
    """Two files cut in the middle of the text layers, so that one layer lies in both."""
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(tensors)
    shards = (names[: len(names) // 2], names[len(names) // 2 :])
    weight_map, total = {}, 0
    for i, shard in enumerate(shards):
        file = f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors"
        save_file({n: tensors[n] for n in shard}, str(folder / file), metadata={"format": "pt"})
        (folder / file).chmod(0o644)
        weight_map.update({n: file for n in shard})
        total += sum(tensors[n].numel() * tensors[n].element_size() for n in shard)
    index = {"metadata": {"total_size": total}, "weight_map": {n: weight_map[n] for n in names}}
    write_json(folder / "model.safetensors.index.json", index)
    write_json(folder / "config.json", config)


def load_checked(model_class, folder, dtype=torch.float32):
    """A fresh eager CPU model (module state such as rope_deltas must not survive
    a case), checked."""
    model, report = model_class.from_pretrained(
        str(folder), dtype=dtype, attn_implementation="eager", output_loading_info=True
    )
    for key in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        require(not report.get(key), f"{folder}: {key} = {report.get(key)}")
    model.eval()
    return model
