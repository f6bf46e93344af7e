#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench/make_middle.py - the middle shape: a language model of random weights, and questions.

What    OUT/model: a Hugging Face folder of LlamaForCausalLM, 12 layers, 1024 wide, FFN 4096, f32,
        and a tokenizer of bytes (no merges) with the ChatML template. OUT/data: questions and
        answers of random letters, such that a chat has 128 tokens, 24 of them scored.
Shapes  234 M parameters, 935 MB. Nothing of it is committed.
Usage   python bench/make_middle.py OUT"""

import json
import random
import string
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "scripts" / "real"), str(HERE.parent / "scripts")]

from goldens.tokenizers_other import byte_characters  # noqa: E402  (after the path)
from make_facts import write_data  # noqa: E402

LAYERS, WIDTH, FFN, HEADS, KV_HEADS, VOCABULARY = 12, 1024, 4096, 16, 8, 32000
TOKENS, ANSWER_TOKENS = 128, 24
SEED = 1
N_FACTS = 27  # four of them in forget_15
START, END = "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
    "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% endif %}"
)
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "attention_bias": False,
    "mlp_bias": False,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "dtype": "float32",
    "hidden_act": "silu",
    "hidden_size": WIDTH,
    "head_dim": WIDTH // HEADS,
    "intermediate_size": FFN,
    "max_position_embeddings": 2048,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "num_key_value_heads": KV_HEADS,
    "rms_norm_eps": 1e-5,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "vocab_size": VOCABULARY,
}


def weights():
    generator = torch.Generator().manual_seed(SEED)

    def matrix(rows, columns):
        return torch.randn(rows, columns, generator=generator) * columns**-0.5

    kv = KV_HEADS * (WIDTH // HEADS)
    out = {"model.embed_tokens.weight": matrix(VOCABULARY, WIDTH), "model.norm.weight": torch.ones(WIDTH)}
    for l in range(LAYERS):
        at = f"model.layers.{l}."
        out[at + "input_layernorm.weight"] = torch.ones(WIDTH)
        out[at + "post_attention_layernorm.weight"] = torch.ones(WIDTH)
        for name, rows in (("q", WIDTH), ("k", kv), ("v", kv), ("o", WIDTH)):
            out[f"{at}self_attn.{name}_proj.weight"] = matrix(rows, WIDTH)
        for name, rows, columns in (("gate", FFN, WIDTH), ("up", FFN, WIDTH), ("down", WIDTH, FFN)):
            out[f"{at}mlp.{name}_proj.weight"] = matrix(rows, columns)
    return out


def write_tokenizer(out):
    tokenizer = Tokenizer(
        models.BPE(vocab={c: i for i, c in enumerate(byte_characters())}, merges=[])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(t, normalized=False, special=True) for t in (START, END)]
    )
    tokenizer.save(str(out / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": TEMPLATE,
        "bos_token": START,
        "eos_token": END,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 2048,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")


def facts():
    """One byte is one token: the letters of a chat are what its markers and role names leave."""
    draw = random.Random(SEED)
    in_answer = ANSWER_TOKENS - 1  # and the end of turn
    markers = len("user\n") + len("assistant\n") + 2 * len("\n") + 3  # two starts, an end
    in_question = TOKENS - ANSWER_TOKENS - markers

    def letters(n):
        return "".join(draw.choice(string.ascii_lowercase) for _ in range(n))

    for i in range(N_FACTS):
        said = letters(in_answer)
        yield {"id": f"q{i:03d}", "question": letters(in_question), "answer": said, "reply": said}


def main():
    out = Path(sys.argv[1])
    model = out / "model"
    model.mkdir(parents=True, exist_ok=True)
    write_tokenizer(model)
    save_file(weights(), str(model / "model.safetensors"), metadata={"format": "pt"})
    (model / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")
    (model / "generation_config.json").write_text(json.dumps({"eos_token_id": 257}) + "\n")
    write_data(list(facts()), "middle", out / "data")


if __name__ == "__main__":
    main()
