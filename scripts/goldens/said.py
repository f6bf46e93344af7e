# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/said.py - the cases that are JSON: what a model generates, what a chat becomes,
and the check that other names of the weights mean the same model.

What    Greedy: generate.json, HF's greedy ids with and without a cache. Chats: chat.json, message
        lists to text and ids. OtherNames: no file, only HF's word that older key names in several
        shards are this model.
Used by the family modules, run by cases.py."""

import copy
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from . import parts
from . import recorder as run
from .base import require
from .prompts import Chat, call
from .store import save_sharded

NEW_TOKENS = 16


def as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


def smallest_gap(scores):
    return min((s[0].topk(2).values[0] - s[0].topk(2).values[1]).item() for s in scores)


def penalised(logits, ids, penalty):
    seen = ids.unique()
    values = logits[:, seen]
    logits[:, seen] = torch.where(values > 0, values / penalty, values * penalty)
    return logits


def without_cache(model, inputs, penalty, stops):
    """The same ids by whole forward passes."""
    grown, out = dict(inputs), []
    while len(out) < NEW_TOKENS and not (out and out[-1] in stops):
        parts.forget_positions(model)
        with torch.no_grad():
            logits = model(**grown, use_cache=False).logits[:, -1].float()
        out.append(penalised(logits, grown["input_ids"], penalty)[0].argmax().item())
        grown["input_ids"] = torch.cat([grown["input_ids"], torch.tensor([[out[-1]]])], 1)
        grown["attention_mask"] = torch.ones_like(grown["input_ids"])
    return out


def generate(bench, inputs, penalty, stops):
    """HF's own generate and the smallest gap between the two best; the same ids without a cache."""
    inputs = {k: v for k, v in inputs.items() if k != "labels"}
    n = inputs["input_ids"].shape[1]
    model = bench.model()
    with torch.no_grad():
        made = model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=NEW_TOKENS,
            repetition_penalty=penalty,
            eos_token_id=stops,
            pad_token_id=bench.family.GENERATION["pad_token_id"],
            return_dict_in_generate=True,
            output_scores=True,
            use_cache=True,
        )
    ids, gap = made.sequences[0, n:].tolist(), smallest_gap(made.scores)
    require(gap > 1e-3, f"two best tokens are only {gap:.1e} apart: choose another prompt")
    plain = without_cache(model, inputs, penalty, stops)
    require(ids == plain, f"with cache {ids}, without {plain}")
    return ids, gap


@dataclass(frozen=True)
class Greedy:
    """rows: (name, prompt, repetition penalty). stop: one more row, the first one's prompt, which
    ends at a token it said before."""

    rows: tuple
    stop: bool = False
    name: str = "generate"
    about: str = "greedy ids with HF generate; same ids without a cache (checked)"

    def row(self, bench, name, prompt, penalty, stops):
        inputs = bench.inputs(prompt)
        ids, gap = generate(bench, inputs, penalty, stops)
        is_chat = isinstance(prompt, Chat)
        decode = bench.processor.tokenizer.decode
        return {
            "name": name,
            "question" if is_chat else "prompt": prompt.text,
            "images": list(prompt.images),
            "repetition_penalty": penalty,
            "eos_token_id": stops,
            "max_new_tokens": NEW_TOKENS,
            "input_ids": inputs["input_ids"][0].tolist(),
            "ids": ids,
            "text": decode(ids, skip_special_tokens=True),
            "text_with_special": decode(ids, skip_special_tokens=False),
            "smallest_gap": float(f"{gap:.4g}"),
        }

    def run(self, bench):
        stops = as_list(bench.family.GENERATION["eos_token_id"])
        out = [self.row(bench, *row, stops) for row in self.rows]
        if self.stop:
            ids = out[0]["ids"]
            stop = next(t for i, t in enumerate(ids) if i >= 3 and t not in ids[:i])
            row = self.row(bench, "stop", *self.rows[0][1:], [stop])
            require(row["ids"][-1] == stop and len(row["ids"]) < NEW_TOKENS, "it did not stop")
            out.append(row)
            require(out[0]["ids"] != out[1]["ids"], "the repetition penalty changes nothing")
        return out, {}


@dataclass(frozen=True)
class Chats:
    """rows: (name, messages, images, generation prompt)."""

    rows: tuple
    name: str = "chat"
    about: str = "message lists -> rendered prompt -> ids"

    def run(self, bench):
        out = []
        for name, chat, images, generation in self.rows:
            text = bench.processor.apply_chat_template(
                copy.deepcopy(chat), tokenize=False, add_generation_prompt=generation
            )
            inputs = call(bench, text, images)
            out.append(
                {
                    "name": name,
                    "messages": chat,
                    "images": list(images),
                    "add_generation_prompt": generation,
                    "text": text,
                    "grid_thw": parts.image_grid(bench.model(), inputs).tolist() if images else [],
                    "ids": inputs["input_ids"][0].tolist(),
                }
            )
        return out, {}


@dataclass(frozen=True)
class OtherNames:
    """The weights under the key names first published, cut into two files, load in transformers to
    the same bits of logits. rules: (beginning today, beginning then), the first that fits."""

    prompt: object
    rules: tuple = ()
    name: str = "other_names"
    about: str = "older key names, two shards: the same logits (checked, no file)"

    def old(self, name):
        for new, old in self.rules:
            if name.startswith(new):
                return old + name[len(new) :]
        return name

    def run(self, bench):
        inputs, model = bench.inputs(self.prompt), bench.root / "model"
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made) / "model"
            tensors = load_file(str(model / "model.safetensors"))
            save_sharded(folder, bench.family.config(), {self.old(n): t for n, t in tensors.items()})
            shutil.copy(model / "generation_config.json", folder)
            results = []
            for one in (bench.model(), bench.family.load(folder)):
                with torch.no_grad():
                    results.append(run.forward(one, inputs)[1].logits)
        require(torch.equal(*results), "other names of the weights give other logits")
        return None, {"rules": [list(rule) for rule in self.rules]}
