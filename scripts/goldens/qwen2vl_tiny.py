# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/qwen2vl_tiny.py - the tiny random Qwen2-VL and the folder it is stored in.

What    config and weights, re-drawn as those of qwen25vl_tiny; one folder: BF16, one file, today's
        key names, flat config, a head of its own. The tower has no windows, LayerNorms and a plain
        FFN.
Shapes  text 48/72/2 layers/6 heads/2 kv heads/400 ids, vision 32/64/2 blocks/2 heads.
Used by make_goldens.py."""

import copy

import torch
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

from . import qwen25vl_tiny, store, tokenizer_qwen
from .base import write_json
from .cases import SMALL_IMAGES, SMALL_THREE, Batch, Forward, Full, OddSizes, OneLabel
from .hf_processor import load_processor  # noqa: F401  (part of the family)
from .prompts import Chat, Prompt
from .said import Chats, Greedy, OtherNames

FAMILY = "qwen2vl_tiny"
PICTURE, END_OF_TURN = qwen25vl_tiny.PICTURE, qwen25vl_tiny.END_OF_TURN
IMAGES = SMALL_IMAGES
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
PREPROCESSOR = {**qwen25vl_tiny.PREPROCESSOR, "processor_class": "Qwen2VLProcessor"}


# Any seed will do; this one made the files.
TANGENT = f"direction {FAMILY} grad.param.model.language_model.embed_tokens.weight"
ONE = ("one_84x112.png",)
THREE_TEXT = f"{PICTURE}{PICTURE}What is {PICTURE}?"
BATCH = (
    Chat("Is it a dog?", ("square_56x56.png",), "No."),
    Chat("Which is right?", ("strip_28x112.png", "one_84x112.png"), "The second one."),
)
CASES = [
    Full(
        "text",
        "text only; neurons, one tangent; gradients of parameters are those of the case image",
        Prompt("Who is it?", (), " A man."),
        text_tangent="direction text",
    ),
    Full(
        "image",
        "one image; gradients of every parameter, one tangent of the vision stack",
        Prompt(f"{PICTURE}Who is it?", ONE, " A man."),
        params="no embedding",
        vision_tangent=TANGENT,
    ),
    Forward(
        "three_images",
        "three images, the first at the very start, two adjacent; forward only, logits of the last 16 positions",
        Prompt(THREE_TEXT, SMALL_THREE, " The city."),
    ),
    Batch(
        "batch",
        "two chats of 1 and 2 images; seq{i}.* each run alone, batch.* from the left-padded batch",
        BATCH,
        params=("norm", "bias"),
    ),
    OddSizes(
        "odd_sizes",
        "six files of odd sizes and kinds (those of qwen25vl_tiny) through the image processor; every 29th row of "
        "pixels; logits of the last position",
        qwen25vl_tiny.ODD,
        every_of_first=29,
        every_of_rest=29,
    ),
    OneLabel(
        "one_label",
        "all labels -100 except one",
        Prompt(f"{PICTURE}The name of the person is A.", ("square_56x56.png",), " It's B."),
    ),
    OtherNames(BATCH[0], (("model.visual.", "visual."), ("model.language_model.", "model."))),
    Greedy(
        (
            ("three_images", Prompt(THREE_TEXT, SMALL_THREE), 1.0),
            ("text_penalty", Prompt("What is the name of this person?"), 1.3),
            ("image", Prompt(f"{PICTURE}What is shown in this image?", ONE), 1.05),
            ("chat_text", Chat("Where was the person born?"), 1.0),
            ("chat_image", Chat("Who is this?", ONE), 1.0),
            ("chat_three_images", Chat("Which one of these is right?", SMALL_THREE), 1.05),
        )
    ),
    Chats(tuple((name, chat, SMALL_THREE[: len(images)], g) for name, chat, images, g in qwen25vl_tiny.CHATS)),
]


def config():
    return {
        **copy.deepcopy(TEXT),
        **qwen25vl_tiny.TOKENS,
        "torch_dtype": "bfloat16",
        "vision_config": copy.deepcopy(VISION),
    }


def write_models(root):
    value = Qwen2VLConfig(**config())
    weights = store.drawn(Qwen2VLForConditionalGeneration(value), FAMILY + " ")
    folder = root / "model"
    store.save_single(folder, config(), {name: t.bfloat16() for name, t in weights.items()})
    write_json(folder / "tokenizer.json", tokenizer_qwen.to_json(tokenizer_qwen.build()))
    write_json(folder / "tokenizer_config.json", tokenizer_qwen.config_json())
    write_json(folder / "preprocessor_config.json", PREPROCESSOR)
    write_json(folder / "generation_config.json", GENERATION)


def load(folder, dtype=torch.float32):
    return store.load_checked(Qwen2VLForConditionalGeneration, folder, dtype)
