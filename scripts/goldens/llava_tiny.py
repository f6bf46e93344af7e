# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/llava_tiny.py - the tiny random LLaVA-1.5 (CLIP + Llama) and the folder it is
stored in.

What    config and weights, re-drawn as those of qwen25vl_tiny; one folder: F16, one file, today's
        key names. No tokenizer: a text's ids are its bytes, an image 16 times <image>.
Shapes  text 64/88/3 layers/4 heads/416 ids, CLIP 32/72/3 layers/4 heads, pictures of 56 px, 4 x 4
        patches; features are the input of the last CLIP layer, which therefore never counts.
Used by family_cases.py."""

import copy

import torch
from transformers import CLIPImageProcessor, LlavaConfig, LlavaForConditionalGeneration

from . import qwen25vl_tiny
from .base import require, write_json

FAMILY = "llava_tiny"
PICTURE = "<image>\n"
SIDE, PATCH = 56, 14
BOS, EOS, IMAGE, PAD = 1, 2, 400, 401
FIRST_BYTE = 3  # id of byte 0

TEXT = {
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
    "hidden_act": "silu",
    "hidden_size": 64,
    "intermediate_size": 88,
    "max_position_embeddings": 4096,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-05,
    "rope_theta": 10000.0,
    "vocab_size": 416,
}
VISION = {
    "attention_dropout": 0.0,
    "hidden_act": "quick_gelu",
    "hidden_size": 32,
    "image_size": SIDE,
    "intermediate_size": 72,
    "layer_norm_eps": 1e-05,
    "model_type": "clip_vision_model",
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "patch_size": PATCH,
    "projection_dim": 32,
}
GENERATION = {
    "bos_token_id": BOS,
    "do_sample": False,
    "eos_token_id": EOS,
    "pad_token_id": PAD,
    "transformers_version": "4.57.3",
}
PREPROCESSOR = {
    "crop_size": {"height": SIDE, "width": SIDE},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "CLIPImageProcessor",
    "resample": 3,
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": SIDE},
}


def config():
    return {
        "architectures": ["LlavaForConditionalGeneration"],
        "image_seq_length": (SIDE // PATCH) ** 2,
        "image_token_index": IMAGE,
        "model_type": "llava",
        "pad_token_id": PAD,
        "projector_hidden_act": "gelu",
        "text_config": copy.deepcopy(TEXT),
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "vision_config": copy.deepcopy(VISION),
        "vision_feature_layer": -2,
        "vision_feature_select_strategy": "default",
    }


def write_models(root):
    names = LlavaForConditionalGeneration(LlavaConfig(**config())).state_dict()
    drawn = {
        name: qwen25vl_tiny.draw(FAMILY + " " + name, tuple(t.shape)).half().contiguous()
        for name, t in names.items()
    }
    folder = root / "model"
    qwen25vl_tiny.save_single(folder, config(), drawn)
    write_json(folder / "preprocessor_config.json", PREPROCESSOR)
    write_json(folder / "generation_config.json", GENERATION)


def load(folder, dtype=torch.float32):
    return qwen25vl_tiny.load_checked(LlavaForConditionalGeneration, folder, dtype)


class Processor:
    """Text and pictures to inputs: bytes instead of a tokenizer, CLIP's own image processor."""

    def __init__(self, folder):
        self.image_processor = CLIPImageProcessor.from_pretrained(str(folder))

    def __call__(self, text, images, return_tensors):
        require(len(text) == 1 and return_tensors == "pt", "one text, torch tensors")
        ids = [BOS]
        for i, piece in enumerate(text[0].split("<image>")):
            ids += [IMAGE] * (config()["image_seq_length"] if i > 0 else 0)
            ids += [FIRST_BYTE + byte for byte in piece.encode()]
        out = {"input_ids": torch.tensor([ids])}
        out["attention_mask"] = torch.ones_like(out["input_ids"])
        if images:
            out["pixel_values"] = self.image_processor(images, return_tensors="pt")["pixel_values"]
        return out


def load_processor(folder):
    return Processor(folder)
