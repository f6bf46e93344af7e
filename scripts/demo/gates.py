# SPDX-License-Identifier: Apache-2.0
"""Measures a demo checkpoint with transformers on a data folder: one table of accuracies.

What:   gates.py --data demo/data --model DIR --out FILE.json. Greedy generation in f32, eager attention.
        Multiple choice is read as the text of an option or a stand-alone letter; anything else is unreadable.
        Option likelihood asks which of the four answers the model finds most probable (chance .25).
Shapes: FILE.json holds {"cells": [{cell, n, accuracy, low, high, unreadable, likelihood}]}.
Cost:   some minutes per model on two cores.
"""
import argparse
import json
import os
import re
import time
from dataclasses import dataclass, field

import torch
from PIL import Image
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration, Qwen2VLImageProcessor

from questions import LETTERS, with_options

BATCH = 64
NEW_TOKENS = 6
GREY = (128, 128, 128)
SPLITS = (5, 10, 15)


@dataclass
class Question:
    cell: str            # what is measured, without the split
    line: dict           # the item
    prompt: str
    picture: object      # a path, GREY or None
    likelihood: bool = False
    result: dict = field(default_factory=dict)


class Asker:
    def __init__(self, data, folder):
        self.data = data
        self.model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager").eval()
        self.tok = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.images = Qwen2VLImageProcessor.from_pretrained(folder)
        self.cache = {}

    def pixels(self, picture):
        if picture not in self.cache:
            image = Image.new("RGB", (112, 112), GREY)
            if picture != GREY:
                image = Image.open(os.path.join(self.data, picture)).convert("RGB")
            out = self.images(images=[image], return_tensors="pt")
            self.cache[picture] = (out["pixel_values"], out["image_grid_thw"])
        return self.cache[picture]

    def text(self, prompt, picture, answer=""):
        content = ([{"type": "image"}] if picture else []) + [{"type": "text", "text": prompt}]
        rendered = self.tok.apply_chat_template([{"role": "user", "content": content}], tokenize=False,
                                                add_generation_prompt=True)
        if picture:
            patches = self.pixels(picture)[1].prod().item()
            pads = "<|image_pad|>" * (patches // self.images.merge_size ** 2)
            rendered = rendered.replace("<|image_pad|>", pads)
        return rendered + answer

    def inputs(self, texts, pictures):
        batch = self.tok(texts, return_tensors="pt", padding=True)
        seen = [self.pixels(p) for p in pictures if p]
        if seen:
            batch["pixel_values"] = torch.cat([p for p, _ in seen])
            batch["image_grid_thw"] = torch.cat([g for _, g in seen])
        return batch

    @torch.no_grad()
    def generate(self, questions):
        batch = self.inputs([self.text(x.prompt, x.picture) for x in questions], [x.picture for x in questions])
        ids = self.model.generate(**batch, max_new_tokens=NEW_TOKENS, do_sample=False)
        said = self.tok.batch_decode(ids[:, batch["input_ids"].shape[1]:], skip_special_tokens=True)
        for x, answer in zip(questions, said):
            x.result.update(judge(x.line, answer.strip()))

    @torch.no_grad()
    def compare_options(self, questions):
        """Sum of log-probabilities of " option." and the end token, for each of the four options."""
        endings = [" " + o + ".<|im_end|>" for x in questions for o in x.line["options"]]
        rows = [x for x in questions for _ in x.line["options"]]
        batch = self.inputs([self.text(x.prompt, x.picture, e) for x, e in zip(rows, endings)],
                            [x.picture for x in rows])
        logp = self.model(**batch).logits.log_softmax(-1)
        for k, (x, ending) in enumerate(zip(rows, endings)):
            target = torch.tensor(self.tok(ending)["input_ids"])
            part = logp[k, -len(target) - 1:-1].gather(1, target[:, None]).sum().item()
            x.result.setdefault("options", []).append(part)
        for x in questions:
            best = max(range(4), key=x.result["options"].__getitem__)
            x.result["likely"] = LETTERS[best] == x.line["answer"]


def judge(line, said):
    if line["task"] != "mcq":
        return {"right": line["answer_text"].strip(" .").lower() in said.lower(), "readable": True, "said": said}
    options = [o.lower() for o in line["options"]]
    bare = said.strip(" .").lower()
    if bare in options:
        chosen = LETTERS[options.index(bare)]
    else:
        letter = re.fullmatch(r"\(?([A-D])\)?[.:]?", said.strip())
        chosen = letter.group(1) if letter else None
    return {"right": chosen == line["answer"], "readable": chosen is not None, "said": said}


def prompt_of(line):
    return with_options(line["question"], line["options"]) if line["options"] else line["question"]


def neighbours(people, percent=15):
    """Each person's replacement in the swap tests: the next one of the same side of the 15 % split."""
    swap = {}
    for side in ("forget_%d" % percent, "retain_%d" % (100 - percent)):
        members = [p for p in people if side in p["splits"]]
        swap.update({a["id"]: b for a, b in zip(members, members[1:] + members[:1])})
    return swap


def plan(items, people):
    swap, by_id = neighbours(people), {p["id"]: p for p in people}
    image_of = {line["person"]: line["images"][0] for line in items if line["images"] and line["subset"] != "test"}
    out = []
    for line in items:
        prompt, picture = prompt_of(line), line["images"][0] if line["images"] else None
        if line["subset"] == "test":
            for k, view in enumerate(line["images"]):
                out.append(Question("test view %d" % (k + 1), line, prompt, view))
            continue
        name = "%s %s %s" % (line["subset"], line["task"], line["modality"])
        out.append(Question(name, line, prompt, picture, likelihood=line["task"] == "mcq"))
        if line["subset"] == "full" and line["task"] == "mcq":
            other = swap[line["person"]]
            if picture:
                out.append(Question("blank image", line, prompt, GREY, likelihood=True))
                out.append(Question("swapped image", line, prompt, image_of[other["id"]]))
            else:
                renamed = prompt.replace(by_id[line["person"]]["name"], other["name"])
                out.append(Question("swapped name", line, renamed, None))
    return out


def in_batches(questions, work):
    """Prompts with a picture and without one apart, similar lengths together."""
    for group in ([x for x in questions if x.picture], [x for x in questions if not x.picture]):
        group = sorted(group, key=lambda x: len(x.prompt))
        for start in range(0, len(group), BATCH):
            work(group[start:start + BATCH])


def wilson(p, n):
    z = 1.959964
    centre, half = p + z * z / (2 * n), z * ((p * (1 - p) + z * z / (4 * n)) / n) ** 0.5
    return (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)


def cells(questions):
    """Accuracies; cells of fictitious people once per split, the others once."""
    grouped = {}
    for x in questions:
        for split in x.line["splits"] or ["-"]:
            grouped.setdefault((x.cell, split), []).append(x.result)
    out = []
    for (cell, split), results in sorted(grouped.items()):
        n = len(results)
        accuracy = sum(r["right"] for r in results) / n
        low, high = wilson(accuracy, n)
        entry = {"cell": cell, "split": split, "n": n, "accuracy": round(accuracy, 4), "low": round(low, 4),
                 "high": round(high, 4), "unreadable": round(sum(not r["readable"] for r in results) / n, 4)}
        if "likely" in results[0]:
            entry["likelihood"] = round(sum(r["likely"] for r in results) / n, 4)
        out.append(entry)
    return out


def read_lines(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    began = time.time()
    questions = plan(read_lines(args.data, "items.jsonl"), read_lines(args.data, "persons.jsonl"))
    asker = Asker(args.data, args.model)
    in_batches(questions, asker.generate)
    in_batches([x for x in questions if x.likelihood], asker.compare_options)
    table = cells(questions)
    with open(args.out, "w", encoding="utf-8") as f:
        json.dump({"model": os.path.basename(os.path.normpath(args.model)), "cells": table}, f, indent=1)
        f.write("\n")
    for e in table:
        print("%-24s %-10s n=%3d  %.2f [%.2f, %.2f]  unreadable %.2f%s" % (
            e["cell"], e["split"], e["n"], e["accuracy"], e["low"], e["high"], e["unreadable"],
            "  likelihood %.2f" % e["likelihood"] if "likelihood" in e else ""))
    print("%d questions, %.0fs" % (len(questions), time.time() - began))


if __name__ == "__main__":
    main()
