# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/causal_tiny.py - two tiny random text-only models, their folders and cases.

What    llama_tiny: LlamaForCausalLM, head of its own, 2 query heads per key head, RMS eps 1e-5;
        reads like SmolLM2. qwen2_tiny: Qwen2ForCausalLM, tied head, biases on q, k, v, 3 query
        heads per key head; reads like Qwen2.
Shapes  as for qwen25vl_tiny (tests/golden/README.md), without vision and pixels.
Used by make_goldens.py through FAMILIES."""

import json
import shutil
from dataclasses import dataclass

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from . import hf_processor, store, tokenizer_qwen, tokenizers_other
from .base import write_json
from .cases import Batch, Full, OneLabel
from .prompts import Chat, RandomIds
from .said import Chats, Greedy, OtherNames

COMMON = {"attention_dropout": 0.0, "hidden_act": "silu", "max_position_embeddings": 4096}
LLAMA = {
    "vocab_size": 416,
    "hidden_size": 32,
    "intermediate_size": 44,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "rope_theta": 1e4,
    "tie_word_embeddings": False,
}
QWEN2 = {
    "vocab_size": 400,
    "hidden_size": 48,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "tie_word_embeddings": True,
}
BATCH = (Chat("Is it a dog?", (), "No."), Chat("Which one of these is right?", (), "The second."))
CHATS = (
    ("text", [{"role": "user", "content": "What's the answer?\n\n"}], (), True),
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
            {"role": "user", "content": "Who is this? \u4f60\u597d"},
            {"role": "assistant", "content": "The painter, born in 1984."},
            {"role": "user", "content": "  caf\u00e9?  "},
            {"role": "assistant", "content": "Yes <|im_end|> no"},
        ],
        (),
        False,
    ),
)


@dataclass(frozen=True)
class Causal:
    """A family as cases.py wants it."""

    FAMILY: str
    kind: type
    config_kind: type
    settings: dict
    tokenizer: object  # function that builds it
    template: str
    PICTURE = ""
    END_OF_TURN = "<|im_end|>"
    IMAGES = {}

    def config(self):
        model_type = self.config_kind.model_type
        about = {"architectures": [self.kind.__name__], "model_type": model_type}
        return {**about, "dtype": "float32", **COMMON, **self.settings}

    @property
    def GENERATION(self):
        tokens = self.tokenizer()
        end, pad = tokens.token_to_id("<|im_end|>"), tokens.token_to_id("<|endoftext|>")
        return {"eos_token_id": end, "pad_token_id": pad}

    def write_models(self, root):
        shutil.rmtree(root, ignore_errors=True)
        folder = root / "model"
        made = self.kind(self.config_kind(**COMMON, **self.settings))
        tied = self.settings["tie_word_embeddings"]
        store.save_single(folder, self.config(), store.drawn(made, self.FAMILY + ".", tied))
        write_json(folder / "tokenizer.json", json.loads(self.tokenizer().to_str()))
        about = {
            "chat_template": self.template,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "tokenizer_class": "PreTrainedTokenizerFast",
        }
        write_json(folder / "tokenizer_config.json", about)
        write_json(folder / "generation_config.json", self.GENERATION)

    def load(self, folder, dtype=torch.float32):
        return store.load_checked(self.kind, folder, dtype)

    def load_processor(self, folder):
        return hf_processor.load_processor(folder)

    @property
    def CASES(self):
        return [
            Full(
                "text",
                "random ids; every gradient, one tangent",
                RandomIds(f"{self.FAMILY} ids", self.settings["vocab_size"], 24, 7),
                params="all",
                text_tangent=f"{self.FAMILY} direction",
                drop=("rope_delta", "text.normed", "jvp.normed", "jvp.logits"),
            ),
            Batch(
                "batch",
                "two chats; seq{i}.* each run alone, batch.* from the left-padded batch",
                BATCH,
                params=("norm", "bias"),
            ),
            OneLabel("one_label", "all labels -100 except one", BATCH[1]),
            OtherNames(BATCH[0]),
            Greedy(
                (
                    ("chat_name", Chat("What is the name of this person?"), 1.0),
                    ("chat_born", Chat("Where was the person born?"), 1.2),
                    ("chat_letter", Chat("Answer the question with one letter: A, B."), 1.0),
                )
            ),
            Chats(CHATS),
        ]


FAMILIES = (
    Causal(
        "llama_tiny",
        LlamaForCausalLM,
        LlamaConfig,
        LLAMA,
        tokenizers_other.build_digits,
        tokenizers_other.CHATML_TINY,
    ),
    Causal(
        "qwen2_tiny",
        Qwen2ForCausalLM,
        Qwen2Config,
        QWEN2,
        tokenizer_qwen.build,
        tokenizers_other.CHATML_QWEN,
    ),
)
