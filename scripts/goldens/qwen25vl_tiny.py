# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/qwen25vl_tiny.py - the tiny random Qwen2.5-VL and the folders it is stored in.

What    config, weights re-drawn from one seed per name (HF's init would hide bugs),
        three folders of it:
        model/              F32, one file, today's key names, nested config, tied head
        model_sharded_bf16/ BF16, two files, first published key names, flat config,
        older merges spelling, tied head
        model_untied_f16/   F16, one file, today's key names, nested config, lm_head of its own
Shapes  text 64/88/3 layers/4 heads/2 kv heads/400 ids, vision 32/44/4 blocks/2 heads.
Used by qwen25vl_cases.py through load(). Another family is another module of this form."""

import copy
import json
import shutil

import torch
from safetensors.torch import save_file
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from . import tokenizer_qwen
from .base import normal, require, write_json

FAMILY = "qwen25vl_tiny"
FOLDERS = ("model", "model_sharded_bf16", "model_untied_f16")
MIN_PIXELS, MAX_PIXELS = 3136, 78400

TEXT = {
    "architectures": ["Qwen2_5_VLForConditionalGeneration"],
    "attention_dropout": 0.0,
    "bos_token_id": tokenizer_qwen.ID["<|endoftext|>"],
    "eos_token_id": tokenizer_qwen.ID["<|im_end|>"],
    "hidden_act": "silu",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 88,
    "max_position_embeddings": 4096,
    "max_window_layers": 3,
    "model_type": "qwen2_5_vl",
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 4096,
    "tie_word_embeddings": True,
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 400,
    "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
}
TOKENS = {
    "image_token_id": tokenizer_qwen.ID["<|image_pad|>"],
    "video_token_id": tokenizer_qwen.ID["<|video_pad|>"],
    "vision_start_token_id": tokenizer_qwen.ID["<|vision_start|>"],
    "vision_end_token_id": tokenizer_qwen.ID["<|vision_end|>"],
}
VISION = {
    "depth": 4,
    "hidden_act": "silu",
    "hidden_size": 32,
    "intermediate_size": 44,
    "num_heads": 2,
    "in_chans": 3,
    "out_hidden_size": 64,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "spatial_patch_size": 14,
    "window_size": 112,
    "fullatt_block_indexes": [1, 3],
    "tokens_per_second": 2,
    "temporal_patch_size": 2,
}
GENERATION = {
    "bos_token_id": TEXT["bos_token_id"],
    "pad_token_id": TEXT["bos_token_id"],
    "do_sample": False,
    "eos_token_id": [tokenizer_qwen.ID["<|im_end|>"], tokenizer_qwen.ID["<|endoftext|>"]],
    "repetition_penalty": 1.05,
    "transformers_version": "4.57.3",
}
PREPROCESSOR = {
    "min_pixels": MIN_PIXELS,
    "max_pixels": MAX_PIXELS,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Qwen2VLImageProcessor",
    "processor_class": "Qwen2_5_VLProcessor",
}


def config_flat(tied=True):
    """config.json as first published: text fields at top level beside vision_config."""
    flat = {
        **copy.deepcopy(TEXT),
        **TOKENS,
        "torch_dtype": "float32",
        "vision_config": copy.deepcopy(VISION),
    }
    flat["tie_word_embeddings"] = tied
    return flat


def config_object(tied=True):
    config = Qwen2_5_VLConfig(**config_flat(tied))
    config._attn_implementation = "eager"
    return config


def config_nested(tied=True):
    """config.json as transformers 4.57 saves it."""
    value = json.loads(config_object(tied).to_json_string())
    require(value["text_config"]["hidden_size"] == 64, "config.json has no text_config")
    value["tie_word_embeddings"] = tied
    value["text_config"]["tie_word_embeddings"] = tied
    return value


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


def weights(tied=True):
    """{name as transformers 4.57 has it: F32 tensor}; lm_head only if untied."""
    model = Qwen2_5_VLForConditionalGeneration(config_object(tied))
    out = {}
    for name, parameter in model.state_dict().items():
        if name == "lm_head.weight" and tied:
            continue
        out[name] = draw(name, tuple(parameter.shape)).contiguous()
    return out


def old_name(name):
    """Key names of the published checkpoints: `visual.` and `model.` at top level."""
    for new, old in (("model.visual.", "visual."), ("model.language_model.", "model.")):
        if name.startswith(new):
            return old + name[len(new) :]
    return name


def write_text_files(folder, merges_as_strings=False):
    tokenizer = tokenizer_qwen.build()
    write_json(folder / "tokenizer.json", tokenizer_qwen.to_json(tokenizer, merges_as_strings))
    write_json(folder / "tokenizer_config.json", tokenizer_qwen.config_json())
    write_json(folder / "chat_template.json", {"chat_template": tokenizer_qwen.CHAT_TEMPLATE})
    write_json(folder / "preprocessor_config.json", PREPROCESSOR)
    write_json(folder / "generation_config.json", GENERATION)


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


def write_models(root):
    for folder in FOLDERS:
        shutil.rmtree(root / folder, ignore_errors=True)
    tied = weights()
    save_single(root / "model", config_nested(), tied)
    write_text_files(root / "model")

    flat = config_flat()
    flat["torch_dtype"] = "bfloat16"
    save_sharded(
        root / "model_sharded_bf16", flat, {old_name(n): t.bfloat16() for n, t in tied.items()}
    )
    write_text_files(root / "model_sharded_bf16", merges_as_strings=True)

    untied = config_nested(tied=False)
    untied["dtype"] = "float16"
    save_single(
        root / "model_untied_f16", untied, {n: t.half() for n, t in weights(tied=False).items()}
    )
    write_text_files(root / "model_untied_f16")


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


def load(folder, dtype=torch.float32):
    return load_checked(Qwen2_5_VLForConditionalGeneration, folder, dtype)
