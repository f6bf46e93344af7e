# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/llava_tiny.py - the tiny random LLaVA-1.5 (CLIP + Llama) and the folder it is
stored in.

What    config and weights, re-drawn as those of qwen25vl_tiny; one folder: F16, one file, today's
        key names, tokenizer and template of the published models. In the cases text, image,
        three_images every byte of a text is a token.
Shapes  text 64/88/3 layers/4 heads/416 ids, CLIP 32/72/3 layers/4 heads, pictures of 56 px, 4 x 4
        patches; features are the input of the last CLIP layer, which therefore never counts.
Used by make_goldens.py."""

import copy
import json

import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration

from . import qwen25vl_tiny, store, tokenizers_other
from .base import write_json
from .cases import SMALL_IMAGES, SMALL_THREE, Batch, Forward, Full, OddSizes, OneLabel
from .hf_processor import load_processor  # noqa: F401  (part of the family)
from .prompts import Bytes, Chat, Prompt, messages
from .said import Chats, Greedy, OtherNames

FAMILY = "llava_tiny"
PICTURE, END_OF_TURN = "<image>\n", ""
IMAGES = SMALL_IMAGES
SIDE, PATCH = 56, 14
BOS, EOS, IMAGE, PAD = 1, 2, 400, 401
FIRST_BYTE = 3  # id of byte 0
N_IMAGE = (SIDE // PATCH) ** 2

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
PROCESSOR = {
    "image_token": "<image>",
    "num_additional_image_tokens": 1,
    "patch_size": PATCH,
    "processor_class": "LlavaProcessor",
    "vision_feature_select_strategy": "default",
}
TOKENIZER = {
    "add_bos_token": True,
    "add_eos_token": False,
    "bos_token": "<s>",
    "clean_up_tokenization_spaces": False,
    "eos_token": "</s>",
    "legacy": False,
    "model_max_length": 4096,
    "pad_token": "<pad>",
    "padding_side": "left",
    "processor_class": "LlavaProcessor",
    "tokenizer_class": "LlamaTokenizer",
    "unk_token": "<unk>",
    "use_default_system_prompt": False,
}


def spelled(text, images=(), answer=""):
    """The prompt in byte tokens."""
    return Bytes(
        text, images, answer, begin=(BOS,), first=FIRST_BYTE, picture_ids=(IMAGE,) * N_IMAGE
    )


# Any seed will do; this one made the files.
TANGENT = f"direction {FAMILY} grad.param.model.language_model.embed_tokens.weight"
ONE = ("one_84x112.png",)
THREE_TEXT = f"{PICTURE}{PICTURE}What is {PICTURE}?"
BATCH = (
    Chat("Is it a dog?", ("square_56x56.png",), "No."),
    Chat("Which is right?", ("strip_28x112.png", "one_84x112.png"), "The second one."),
)


def turns(*said):
    """(role, how many images, text) each."""
    return [
        {"role": role, "content": messages(text, n)[0]["content"]} for role, n, text in said
    ]


CASES = [
    Full(
        "text",
        "text only; neurons, one tangent; gradients of parameters are those of the case image",
        spelled("Who is it?", (), " A man."),
        text_tangent="direction text",
    ),
    Full(
        "image",
        "one image; gradients of every parameter, one tangent of the vision stack",
        spelled(f"{PICTURE}Who is it?", ONE, " A man."),
        params="no embedding",
        vision_tangent=TANGENT,
    ),
    Forward(
        "three_images",
        "three images, the first at the very start, two adjacent; forward only, logits of the last 16 positions",
        spelled(THREE_TEXT, SMALL_THREE, " The city."),
    ),
    Batch(
        "batch",
        "two chats of 1 and 2 images; seq{i}.* each run alone, batch.* from the left-padded batch",
        BATCH,
        params=("norm", "bias"),
    ),
    OddSizes(
        "odd_sizes",
        "six files of odd sizes and kinds (those of qwen25vl_tiny) through the image processor; every 7th row of "
        "pixels; logits of the last position",
        qwen25vl_tiny.ODD,
    ),
    OneLabel(
        "one_label",
        "all labels -100 except one",
        Prompt(f"{PICTURE}The name of the person is A.", ("square_56x56.png",), " It's B."),
    ),
    OtherNames(
        BATCH[0],
        (
            ("model.language_model.", "language_model.model."),
            ("lm_head.", "language_model.lm_head."),
            ("model.", ""),
        ),
    ),
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
    Chats(
        (
            ("text", turns(("user", 0, "What's the answer?\n\n")), (), True),
            ("image", turns(("user", 1, "Who is this?")), SMALL_THREE[:1], True),
            ("two_images", turns(("user", 2, "Who? \u4f60\u597d")), SMALL_THREE[:2], True),
            ("system", turns(("system", 0, "Be brief."), ("user", 0, "A or B?")), (), True),
            (
                "turns",
                turns(
                    ("user", 1, "Who is this?"),
                    ("assistant", 0, "The painter."),
                    ("user", 0, "  caf\u00e9?  "),
                    ("assistant", 0, "Yes </s> no"),
                ),
                SMALL_THREE[:1],
                False,
            ),
        )
    ),
]


def config():
    return {
        "architectures": ["LlavaForConditionalGeneration"],
        "image_seq_length": N_IMAGE,
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
    weights = store.drawn(LlavaForConditionalGeneration(LlavaConfig(**config())), FAMILY + " ")
    folder = root / "model"
    store.save_single(folder, config(), {name: t.half() for name, t in weights.items()})
    tokenizer = json.loads(tokenizers_other.build_llama().to_str())
    write_json(folder / "tokenizer.json", tokenizer)
    write_json(folder / "tokenizer_config.json", TOKENIZER)
    write_json(folder / "chat_template.json", {"chat_template": tokenizers_other.LLAVA})
    write_json(folder / "processor_config.json", PROCESSOR)
    write_json(folder / "preprocessor_config.json", PREPROCESSOR)
    write_json(folder / "generation_config.json", GENERATION)


def load(folder, dtype=torch.float32):
    return store.load_checked(LlavaForConditionalGeneration, folder, dtype)
