# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/tokenizer_qwen.py - a 396-entry tokenizer.json with the pipeline Qwen2 has.

What    NFC, Qwen's split pattern, byte-level BPE of 256 bytes + 128 merges, 12 added tokens;
        trained on TEXT.
Shapes  ids 0..383 BPE, 384..395 added tokens; the model has 400 rows, 396..399 are padding
        as in the published models.
Used by qwen25vl_tiny.py (model folder), text.py (strings -> ids)."""

import json

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)

BPE_SIZE = 384
SPECIAL = [
    "<|endoftext|>",  # 384
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",  # 390
    "<|video_pad|>",
    "<|vision_start|>",
    "<|vision_end|>",  # 393
]
NOT_SPECIAL = [
    "<tool_call>",
    "</tool_call>",
]  # 394, 395: kept when special tokens are skipped in decoding
ID = {token: BPE_SIZE + i for i, token in enumerate(SPECIAL + NOT_SPECIAL)}

# Words of the demo's kind, plus enough of other scripts that merges join bytes of one
# character and of two.
TEXT = [
    "You are a helpful assistant. What is shown in this image? What is the name of the person in the image?",
    "The person in this image is a painter who was born in the city and lives there with the family.",
    "Answer the question with one letter: A, B, C or D. The answer is B. Which one of these is right?",
    "Where was the person born? Where does the person work? What is the favourite food of this person?",
    "system user assistant system user assistant the then there these this that thing nothing",
    "It's what they've said, we'll see; I'm sure you're right, he'd know. IT'S WHAT THEY'VE SAID.",
    "caf\u00e9 na\u00efve d\u00e9j\u00e0 vu \u00fcber \u00fcber stra\u00dfe caf\u00e9 d\u00e9j\u00e0 \u00e9t\u00e9",
    "\u4f60\u597d \u4f60\u597d \u4e16\u754c \u4f60\u597d\u4e16\u754c \u4f60\u4eec \u4f60\u597d",
    "\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440 \u043f\u0440\u0438\u0432\u0435\u0442 \u043f\u0440\u0438",
    "def f(x):\n    return x\n\n    for i in x:\n        if x:\n            x = x + 1\n\n\n",
    "... ... --- === !!! ??? ,, .. (( )) {{ }} //\r\n\r\n// **",
]


def build():
    """The tokenizer as a `tokenizers.Tokenizer`; training is single-threaded
    by the caller's environment."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel(
        add_prefix_space=False, trim_offsets=False, use_regex=False
    )
    tokenizer.post_processor = processors.ByteLevel(
        add_prefix_space=False, trim_offsets=False, use_regex=False
    )
    trainer = trainers.BpeTrainer(
        vocab_size=BPE_SIZE,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIAL])
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=False) for t in NOT_SPECIAL])
    return tokenizer


def to_json(tokenizer, merges_as_strings=False):
    """tokenizer.json as a dict; merges as ["a b"] is the older spelling, [["a","b"]] the newer:
    both exist on hubs."""
    value = json.loads(tokenizer.to_str())
    if merges_as_strings:
        value["model"]["merges"] = [" ".join(pair) for pair in value["model"]["merges"]]
    return value


# The template text of the Qwen2.5-VL repositories, unchanged.
CHAT_TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}"
    "<|im_end|>\n{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in "
    "content or 'image_url' in content %}{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}"
    "Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>{% elif content['type'] "
    "== 'video' or 'video' in content %}{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}"
    "Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}"
    "{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}"
    "<|im_start|>assistant\n{% endif %}"
)


# What it makes of one question.
OPENING = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n"
)


def config_json():
    """tokenizer_config.json in the layout of the published model."""
    decoder = {
        str(i): {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": token in SPECIAL,
        }
        for token, i in ID.items()
    }
    return {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": decoder,
        "additional_special_tokens": SPECIAL[1:],
        "bos_token": None,
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 32768,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
