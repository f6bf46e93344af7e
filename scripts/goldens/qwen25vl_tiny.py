# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/qwen25vl_tiny.py - the tiny random Qwen2.5-VL and the folders it is stored in.

What    config, weights re-drawn from one seed per name (HF's init would hide bugs),
        three folders of it:
        model/              F32, one file, today's key names, nested config, tied head
        model_sharded_bf16/ BF16, two files, first published key names, flat config,
        older merges spelling, tied head
        model_untied_f16/   F16, one file, today's key names, nested config, lm_head of its own
        CASES: every kind of case, with every tensor.
Shapes  text 64/88/3 layers/4 heads/2 kv heads/400 ids, vision 32/44/4 blocks/2 heads.
Used by make_goldens.py. Another family is another module of this form."""

import copy
import json
import shutil

import torch
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from . import store, tokenizer_qwen
from .base import require, write_json
from .cases import Batch, Forward, Full, OddSizes, OneLabel, StoredForms
from .hf_processor import load_processor  # noqa: F401  (part of the family)
from .prompts import Chat, Prompt
from .said import Chats, Greedy

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


PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
END_OF_TURN = "<|im_end|>"
IMAGES = {
    "one_140x196.png": (140, 196, "RGB"),
    "strip_28x224.png": (28, 224, "RGB"),
    "square_56x56.png": (56, 56, "RGB"),
    "large_252x308.png": (252, 308, "RGB"),
    "small_56x84.png": (56, 84, "RGB"),
    "tall_140x56.png": (140, 56, "RGB"),
    "odd_333x500.png": (333, 500, "RGB"),
    "odd_70x70.png": (70, 70, "RGB"),
    "odd_98x126.png": (98, 126, "RGB"),
    "odd_61x90_rgba.png": (61, 90, "RGBA"),
    "odd_100x64_grey.png": (100, 64, "L"),
    "odd_85x77_palette.png": (85, 77, "P"),
}
ODD = tuple(name for name in IMAGES if name.startswith("odd_"))
THREE = ("strip_28x224.png", "square_56x56.png", "large_252x308.png")
THREE_TEXT = f"{PICTURE}{PICTURE}What is {PICTURE}?"
BATCH = (
    Prompt(f"{PICTURE}Is it a dog?", ("small_56x84.png",), " No."),
    Prompt(
        f"A: {PICTURE} B: {PICTURE} which is right?",
        ("square_56x56.png", "tall_140x56.png"),
        " The answer is B.",
    ),
)


def image_part():
    return {"type": "image"}


def text_part(text):
    return {"type": "text", "text": text}


def user(*parts):
    return {"role": "user", "content": list(parts)}


CHATS = (
    ("text", [{"role": "user", "content": "What's the answer?\n\n"}], (), True),
    ("image", [user(image_part(), text_part("Who is this?"))], ("square_56x56.png",), True),
    (
        "two_images",
        [user(image_part(), text_part(" and "), image_part(), text_part("?"))],
        ("small_56x84.png", "odd_70x70.png"),
        True,
    ),
    (
        "system",
        [
            {"role": "system", "content": "Answer with one letter."},
            {"role": "user", "content": "A or B?"},
        ],
        (),
        True,
    ),
    (
        "turns",
        [
            user(image_part(), text_part("Who is this? \u4f60\u597d")),
            {"role": "assistant", "content": [text_part("The painter.")]},
            {"role": "user", "content": "  caf\u00e9?  "},
            {"role": "assistant", "content": "Yes <|im_end|> no"},
        ],
        ("strip_28x224.png",),
        False,
    ),
)
QUESTION = "What is the name of this person?"
CASES = [
    Full(
        "text",
        "text only; all gradients, one tangent",
        Prompt(tokenizer_qwen.OPENING % "Who is this?", (), "The painter.<|im_end|>"),
        params="all",
        text_tangent="direction text",
    ),
    Full(
        "image",
        "one image, partial windows in both axes (grid 10 x 14 = 5 x 7 cells); all gradients, one tangent",
        Prompt(f"{PICTURE}Who is this?", ("one_140x196.png",), "The painter.<|im_end|>"),
        params="all",
        text_tangent="direction image",
        pixel_rows=16,
        drop=("jvp.a", "jvp.logits"),  # size: the case text has these
    ),
    Forward(
        "three_images",
        "three images of different sizes, the first at the very start, two adjacent; forward only, logits of the last 32 "
        "positions",
        Prompt(THREE_TEXT, THREE, " The city."),
        rows=32,
    ),
    Batch(
        "batch",
        "two sequences of 1 and 2 images; seq{i}.* each run alone, batch.* and batch_grad.* from the left-padded batch "
        "(loss = mean over the labels of both); tangent of the vision stack for seq1",
        BATCH,
        params=("norm", "bias", "blocks.2.mlp"),
        vision_tangent="direction batch",
        states=True,
        rows=None,
    ),
    OddSizes(
        "odd_sizes",
        "six files of odd sizes and kinds through the slow image processor; pixel_u8 holds the rows pixel_rows (every "
        "7th of the first image, all of the others); logits of the last position",
        ODD,
        every_of_rest=1,
    ),
    OneLabel(
        "one_label",
        "all labels -100 except one",
        Prompt(f"{PICTURE}The name of the person is A.", ("square_56x56.png",), " It's B."),
        rows=None,
        drop=(),
    ),
    StoredForms(
        "storage",
        "seq0 of batch with BF16 weights (sharded, old names) and with F16 weights (head of its own)",
        BATCH[0],
        FOLDERS[1:],
    ),
    Greedy(
        (
            ("three_images", Prompt(THREE_TEXT, THREE), 1.0),
            ("three_images_penalty", Prompt(THREE_TEXT, THREE), 1.05),
            ("text", Chat(QUESTION), 1.0),
            ("text_strong_penalty", Chat(QUESTION), 1.3),
            ("image_penalty", Chat("What is shown in this image?", ("small_56x84.png",)), 1.05),
        ),
        stop=True,
    ),
    Chats(CHATS),
]


def config():
    return config_nested()


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


def weights(tied=True):
    """{name as transformers 4.57 has it: F32 tensor}; lm_head only if untied."""
    return store.drawn(Qwen2_5_VLForConditionalGeneration(config_object(tied)), tied=tied)


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


def write_models(root):
    for folder in FOLDERS:
        shutil.rmtree(root / folder, ignore_errors=True)
    tied = weights()
    store.save_single(root / "model", config_nested(), tied)
    write_text_files(root / "model")

    flat = config_flat()
    flat["torch_dtype"] = "bfloat16"
    store.save_sharded(
        root / "model_sharded_bf16", flat, {old_name(n): t.bfloat16() for n, t in tied.items()}
    )
    write_text_files(root / "model_sharded_bf16", merges_as_strings=True)

    untied = config_nested(tied=False)
    untied["dtype"] = "float16"
    store.save_single(
        root / "model_untied_f16", untied, {n: t.half() for n, t in weights(tied=False).items()}
    )
    write_text_files(root / "model_untied_f16")


def load(folder, dtype=torch.float32):
    return store.load_checked(Qwen2_5_VLForConditionalGeneration, folder, dtype)
