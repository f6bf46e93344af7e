# SPDX-License-Identifier: Apache-2.0
"""Writes prompts.json: what transformers makes of some records of the nano data, for test_prompt.c.

What:  python tests/unit/data/make_prompts.py (from the repository root;
needs scripts/goldens/requirements.txt).
       Per record: ids of the question prompt, ids and label positions of the answered one,
       sha256 of the pixels.
"""

import hashlib
import json
import os

from PIL import Image
from transformers import AutoTokenizer, Qwen2VLImageProcessor

MODEL, DATA = "tests/golden/qwen25vl_tiny/model", "tests/data/nano"
RECORDS = {
    "items.jsonl": [
        "nano/full/f007/mcq/img/0",
        "nano/full/f007/mcq/txt/1",
        "nano/full/f007/cloze/txt/0",
        "nano/celebrity/c002/gen/img/1",
    ],
    "train.jsonl": ["nano/train/f007/qa/img/3", "nano/train/f007/train/00"],
}
PREFIX, END = " ", "<|im_end|>"


def messages_of(line):
    if line["turns"]:
        kind = {"image": lambda v: {"type": "image"}, "text": lambda v: {"type": "text", "text": v}}
        return [
            {
                "role": t["role"],
                "content": [kind[k](v) for part in t["content"] for k, v in part.items()],
            }
            for t in line["turns"]
        ]
    question = line["question"]
    for letter, option in zip("ABCD", line["options"] or []):
        question += "\n%s: %s" % (letter, option)
    content = [{"type": "image"}] * len(line["images"]) + [{"type": "text", "text": question}]
    return [
        {"role": "user", "content": content},
        {"role": "assistant", "content": [{"type": "text", "text": PREFIX + line["answer_text"]}]},
    ]


def expand(text, grids, merge):
    for t, h, w in grids:
        text = text.replace("<|image_pad|>", "<placeholder>" * (t * h * w // merge**2), 1)
    return text.replace("<placeholder>", "<|image_pad|>")


def labels_of(text, encoded):
    """Positions of tokens inside an assistant's words or its end token."""
    opening, spans, at = "<|im_start|>assistant\n", [], 0
    while (begin := text.find(opening, at)) >= 0:
        at = text.index(END, begin) + len(END)
        spans.append((begin + len(opening), at))
    offsets = encoded["offset_mapping"]
    return [i for i, (b, e) in enumerate(offsets) if any(s <= b and e <= t for s, t in spans)]


def main():
    tok = AutoTokenizer.from_pretrained(MODEL)
    with open(os.path.join(MODEL, "chat_template.json"), encoding="utf-8") as f:
        template = json.load(f)["chat_template"]
    processor = Qwen2VLImageProcessor.from_pretrained(MODEL)
    out = []
    for name, ids in RECORDS.items():
        with open(os.path.join(DATA, name), encoding="utf-8") as f:
            lines = {line["id"]: line for line in map(json.loads, f)}
        for i in ids:
            line, entry = lines[i], {"id": i, "file": name}
            grids, sha = [], None
            if line["images"]:
                image = Image.open(os.path.join(DATA, line["images"][0])).convert("RGB")
                seen = processor(images=[image], return_tensors="np")
                grids = seen["image_grid_thw"].tolist()
                sha = hashlib.sha256(seen["pixel_values"].astype("<f4").tobytes()).hexdigest()
            messages = messages_of(line)
            for key, part, prompt in (
                ("question", messages[:-1], True),
                ("answered", messages, False),
            ):
                text = tok.apply_chat_template(
                    part, chat_template=template, tokenize=False, add_generation_prompt=prompt
                )
                text = expand(text, grids, processor.merge_size)
                encoded = tok(text, return_offsets_mapping=True)
                entry[key] = encoded["input_ids"]
            entry["labels"] = labels_of(text, encoded)
            entry["pixels_sha256"] = sha
            out.append(entry)
    with open("tests/unit/data/prompts.json", "w", encoding="utf-8") as f:
        f.write("[" + ",\n ".join(json.dumps(e, separators=(",", ":")) for e in out) + "]\n")


if __name__ == "__main__":
    main()
