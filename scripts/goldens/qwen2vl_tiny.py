# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/qwen2vl_tiny.py - the tiny random Qwen2-VL and the folder it is stored in.

What    config and weights, re-drawn as those of qwen25vl_tiny; one folder: BF16, one file, today's
        key names, flat config, a head of its own. The tower has no windows, LayerNorms and a plain
        FFN.
Shapes  text 48/72/2 layers/6 heads/2 kv heads/400 ids, vision 32/64/2 blocks/2 heads.
Used by family_cases.py."""

import copy

import torch
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor

from . import hf_processor, qwen25vl_tiny, tokenizer_qwen
from .base import write_json

FAMILY = "qwen2vl_tiny"
PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
TEXT = {
    **qwen25vl_tiny.TEXT,
    "architectures": ["Qwen2VLForConditionalGeneration"],
    "hidden_size": 48,
    "intermediate_size": 72,
    "max_window_layers": 2,
    "model_type": "qwen2_vl",
    "num_attention_heads": 6,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "tie_word_embeddings": False,
    "rope_scaling": {"type": "mrope", "mrope_section": [2, 1, 1]},
}
VISION = {
    "depth": 2,
    "embed_dim": 32,
    "hidden_act": "quick_gelu",
    "hidden_size": 48,
    "in_chans": 3,
    "mlp_ratio": 2,
    "num_heads": 2,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "spatial_patch_size": 14,
    "temporal_patch_size": 2,
}
GENERATION = qwen25vl_tiny.GENERATION
PREPROCESSOR = {**qwen25vl_tiny.PREPROCESSOR, "processor_class": "Qwen2VLProcessor"}


def config():
    return {
        **copy.deepcopy(TEXT),
        **qwen25vl_tiny.TOKENS,
        "torch_dtype": "bfloat16",
        "vision_config": copy.deepcopy(VISION),
    }


def write_models(root):
    value = Qwen2VLConfig(**config())
    names = Qwen2VLForConditionalGeneration(value).state_dict()
    drawn = {
        name: qwen25vl_tiny.draw(FAMILY + " " + name, tuple(t.shape)).bfloat16().contiguous()
        for name, t in names.items()
    }
    folder = root / "model"
    qwen25vl_tiny.save_single(folder, config(), drawn)
    write_json(folder / "tokenizer.json", tokenizer_qwen.to_json(tokenizer_qwen.build()))
    write_json(folder / "tokenizer_config.json", tokenizer_qwen.config_json())
    write_json(folder / "preprocessor_config.json", PREPROCESSOR)
    write_json(folder / "generation_config.json", GENERATION)


def load(folder, dtype=torch.float32):
    return qwen25vl_tiny.load_checked(Qwen2VLForConditionalGeneration, folder, dtype)


def load_processor(folder):
    return hf_processor.load_processor(folder, Qwen2VLProcessor)

