# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/prompts.py - what a case is asked: token ids, pixels and labels of it.

What    Prompt: a text as it stands, its answer behind it. Chat: one question and answer in the
        family's template, the whole chat tokenised by transformers' processor. Bytes: a Prompt
        of which every byte is one token. RandomIds: no text at all.
Labels  the ids of the answer, everything else -100.
Used by cases.py, said.py, the family modules."""

from dataclasses import dataclass

import torch

from .base import require, rng

LABEL_NONE = -100


def call(bench, text, images):
    opened = bench.open_images(images)
    inputs = dict(bench.processor(text=[text], images=opened or None, return_tensors="pt"))
    # a tokenizer without a class of its own also makes token types, which the models refuse
    return {k: v for k, v in inputs.items() if k not in ("mm_token_type_ids", "token_type_ids")}


def label(inputs, begin, end):
    ids = inputs["input_ids"]
    require(0 < begin < end <= ids.shape[1], "the answer has no tokens")
    inputs["labels"] = torch.full_like(ids, LABEL_NONE)
    inputs["labels"][:, begin:end] = ids[:, begin:end]
    return inputs


@dataclass(frozen=True)
class Prompt:
    text: str
    images: tuple = ()
    answer: str = ""

    def call(self, bench, text):
        return call(bench, text, self.images)

    def inputs(self, bench):
        out = self.call(bench, self.text + self.answer)
        if not self.answer:
            return out
        begin = self.call(bench, self.text)["input_ids"].shape[1]
        return label(out, begin, out["input_ids"].shape[1])


def messages(question, n_images=0, answer=None):
    parts = [{"type": "image"}] * n_images + [{"type": "text", "text": question}]
    out = [{"role": "user", "content": parts}]
    if answer is not None:
        out.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return out


@dataclass(frozen=True)
class Chat:
    """Without an answer it ends where the model is to speak."""

    question: str
    images: tuple = ()
    answer: str | None = None

    def render(self, bench, answer):
        chat = messages(self.question, len(self.images), answer)
        return bench.processor.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=answer is None
        )

    @property
    def text(self):
        return self.question

    def inputs(self, bench):
        """The labels are what the template puts behind the question's prompt, up to the answer and
        the token that ends a turn: what the model has to say."""
        prompt = self.render(bench, None)
        if self.answer is None:
            return call(bench, prompt, self.images)
        whole = self.render(bench, self.answer)
        require(whole.startswith(prompt), "an answered chat does not begin with its prompt")
        said_to = whole.rindex(self.answer) + len(self.answer + bench.family.END_OF_TURN)
        require(bench.family.END_OF_TURN in whole[len(prompt) : said_to], "no end of turn")
        out = call(bench, whole, self.images)
        at = []
        for text in (prompt, whole[:said_to]):
            ids = call(bench, text, self.images)["input_ids"]
            at.append(ids.shape[1])
            require(torch.equal(out["input_ids"][:, : at[-1]], ids), "a token crosses the border")
        return label(out, *at)


@dataclass(frozen=True)
class Bytes(Prompt):
    """For the byte tokens of a tokenizer that rarely needs them. `first` is byte 0's id."""

    begin: tuple = ()
    first: int = 0
    picture: str = "<image>"
    picture_ids: tuple = ()

    def call(self, bench, text):
        ids = list(self.begin)
        for i, piece in enumerate(text.split(self.picture)):
            ids += self.picture_ids if i > 0 else ()
            ids += [self.first + byte for byte in piece.encode()]
        out = {"input_ids": torch.tensor([ids])}
        out["attention_mask"] = torch.ones_like(out["input_ids"])
        if self.images:
            opened = bench.open_images(self.images)
            made = bench.processor.image_processor(opened, return_tensors="pt")
            out["pixel_values"] = made["pixel_values"]
        return out


@dataclass(frozen=True)
class RandomIds:
    seed: str
    vocab: int
    n: int
    n_answer: int
    images: tuple = ()

    def inputs(self, _bench):
        ids = torch.randint(0, self.vocab, (1, self.n), generator=rng(self.seed))
        out = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return label(out, self.n - self.n_answer, self.n)
