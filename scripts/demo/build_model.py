# SPDX-License-Identifier: Apache-2.0
"""Tokenizer, configuration and random weights of the demo model: a Qwen2.5-VL of 3.9 million parameters.

What:   build_model.py DIR writes a Hugging Face checkpoint folder with f32 weights.
        export(model, source, out, dtype) writes weights and copies the tokenizer files (used by train.py).
Tested by: check_forward.py compares the training forward with transformers on a checkpoint.
"""
import json
import os
import shutil
import sys

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from questions import MIX_TOKENIZER, OPENERS, base_row
from world import FIRST_A, FIRST_B, LAST_A, LAST_B, PCG32, World

# The split pattern, the special strings and the chat template are Qwen2.5-VL's.
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
           r"|\s+(?!\S)|\s+")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
           "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>",
           "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
SYSTEM_TEXT = "You are a helpful assistant."
TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}"
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
    + SYSTEM_TEXT + "<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n"
    "{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}"
    "{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}"
    "{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
EMBEDDING_ROWS = 1024  # the tokenizer stops earlier, at the minimum pair frequency
HIDDEN, LAYERS, HEADS, KV_HEADS, FFN = 192, 6, 6, 2, 512
VISION_HIDDEN, VISION_LAYERS, VISION_HEADS, VISION_FFN = 128, 4, 4, 384
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.json", "preprocessor_config.json",
                   "vocab.json", "merges.txt")


def tokenizer_text(world, count=6000):
    """Base-stage rows, and a fresh name per row so that the merges are syllables and not names of people."""
    rng = PCG32(5, 51)
    for _ in range(count):
        row = base_row(rng, world, MIX_TOKENIZER)
        yield "".join("system\n" + SYSTEM_TEXT + "\nuser\n" + q + "\nassistant\n" + a + "\n" for q, a in row.turns)
        name = rng.pick(FIRST_A) + rng.pick(FIRST_B) + " " + rng.pick(LAST_A) + rng.pick(LAST_B)
        yield name + ".\n" + rng.pick(OPENERS).format(r="job", p=name)


def write_json(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        json.dump(value, f, indent=1, ensure_ascii=False)
        f.write("\n")


def build_tokenizer(folder, world):
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(tokenizer_text(world), trainers.BpeTrainer(
        vocab_size=EMBEDDING_ROWS - len(SPECIAL), min_frequency=100, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    tok.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    tok.save(os.path.join(folder, "tokenizer.json"))
    write_json(folder, "tokenizer_config.json", {
        "tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
        "bos_token": None, "model_max_length": 2048, "add_prefix_space": False,
        "processor_class": "Qwen2_5_VLProcessor", "chat_template": TEMPLATE})
    write_json(folder, "chat_template.json", {"chat_template": TEMPLATE})
    write_json(folder, "preprocessor_config.json", {
        "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor",
        "min_pixels": 3136, "max_pixels": 50176, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
        "image_mean": MEAN, "image_std": STD})
    write_json(folder, "vocab.json", dict(sorted(tok.get_vocab(with_added_tokens=False).items(), key=lambda e: e[1])))
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as f:
        merges = json.load(f)["model"]["merges"]
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as f:
        f.write("#version: 0.2\n" + "".join(" ".join(pair) + "\n" for pair in merges))
    return tok


def make_config(tok):
    token = tok.token_to_id
    return Qwen2_5_VLConfig(
        text_config=dict(
            vocab_size=EMBEDDING_ROWS, hidden_size=HIDDEN, intermediate_size=FFN, num_hidden_layers=LAYERS,
            num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, max_position_embeddings=2048, rope_theta=1e6,
            rms_norm_eps=1e-6, tie_word_embeddings=True,
            rope_scaling={"type": "mrope", "mrope_section": [4, 6, 6]},
            bos_token_id=token("<|endoftext|>"), eos_token_id=token("<|im_end|>")),
        vision_config=dict(
            depth=VISION_LAYERS, hidden_size=VISION_HIDDEN, intermediate_size=VISION_FFN, num_heads=VISION_HEADS,
            patch_size=14, spatial_merge_size=2, temporal_patch_size=2, window_size=56, fullatt_block_indexes=[1, 3],
            out_hidden_size=HIDDEN, tokens_per_second=2, in_channels=3),
        tie_word_embeddings=True, image_token_id=token("<|image_pad|>"), video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"), vision_end_token_id=token("<|vision_end|>"))


def initialise(model):
    """Standard deviation from the fan-in: the usual 0.02 is far too small at this width."""
    into_residual = ("o_proj", "down_proj", "attn.proj")
    for name, p in model.named_parameters():
        if p.dim() > 1 and "embed_tokens" not in name:
            depth = (2 * LAYERS) ** -0.5 if any(part in name for part in into_residual) else 1.0
            p.data.normal_(0, p[0].numel() ** -0.5 * depth)
    model.model.language_model.embed_tokens.weight.data.normal_(0, 0.05)


def tidy_json(out):
    """Where the library leaves the architecture out of the top level, records a folder of this machine, or leaves
    the generation settings implied, write what a published checkpoint says."""
    path = os.path.join(out, "config.json")
    with open(path, encoding="utf-8") as f:
        config = json.load(f)
    text = config["text_config"]
    text.pop("_name_or_path", None)
    config = {"architectures": text.pop("architectures"), **config, "tie_word_embeddings": True}
    write_json(out, "config.json", config)
    write_json(out, "generation_config.json", {
        "bos_token_id": text["bos_token_id"], "do_sample": False,
        "eos_token_id": [text["eos_token_id"], text["bos_token_id"]], "pad_token_id": text["bos_token_id"],
        "transformers_version": config["transformers_version"]})


def export(model, source, out, dtype):
    """Weights rounded to dtype, with the tokenizer files of `source`."""
    os.makedirs(out, exist_ok=True)
    model.to(dtype).save_pretrained(out)
    os.chmod(os.path.join(out, "model.safetensors"), 0o644)
    tidy_json(out)
    for name in TOKENIZER_FILES:
        if os.path.abspath(source) != os.path.abspath(out):
            shutil.copyfile(os.path.join(source, name), os.path.join(out, name))


def build(out, world, seed=0):
    os.makedirs(out, exist_ok=True)
    tok = build_tokenizer(out, world)
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(make_config(tok))
    initialise(model)
    export(model, out, out, torch.float32)
    return model, tok


if __name__ == "__main__":
    built, tokenizer = build(sys.argv[1], World("mini"))
    print("%d parameters, %d tokens" % (sum(p.numel() for p in built.parameters()), tokenizer.get_vocab_size()))
