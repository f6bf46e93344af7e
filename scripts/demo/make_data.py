# SPDX-License-Identifier: Apache-2.0
"""Writes the demo benchmark in the neutral format mmu-bench/1.

What:   make_data.py --size mini|nano --out DIR: manifest.json, persons.jsonl, items.jsonl, train.jsonl and
        images/<first two digits>/<sha256>.png. A folder of an earlier run is replaced.
Shapes: lines are sorted by id; answer_text is what the model says without the manifest's answer_prefix.
Cost:   a few seconds.
Tested by: check_leaks.py (which also compares with a second run).
"""
import argparse
import hashlib
import json
import os
import shutil
from collections import Counter

import questions as q
from portrait import PLAIN_VIEW, png, portrait
from world import FACT_NAMES, World

SUBSET = {"fict": "full", "celeb": "celebrity", "hold": "holdout"}
SHORT = {"image": "img", "text": "txt"}
ANSWER_PREFIX = " "


class Images:
    """PNG files by hash; the same picture is stored once."""

    def __init__(self, folder):
        self.folder, self.paths = folder, {}

    def path(self, traits, view):
        key = (traits, view)
        if key not in self.paths:
            data = png(portrait(traits, view))
            sha = hashlib.sha256(data).hexdigest()
            path = "images/%s/%s.png" % (sha[:2], sha)
            os.makedirs(os.path.join(self.folder, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(self.folder, path), "wb") as f:
                f.write(data)
            self.paths[key] = path
        return self.paths[key]


def record(world, person, subset, task, modality, name, images, **fields):
    """One line of items.jsonl or train.jsonl, the keys in the order of the format."""
    line = {"id": "%s/%s/%s/%s/%s" % (world.size, subset, person.id, task, name), "suite": world.size,
            "subset": subset, "person": person.id, "splits": world.splits(person), "modality": modality, "task": task,
            "images": images, "question": None, "turns": None, "options": None, "answer": None, "answer_text": None,
            "paraphrases": [], "distractors": [], "src": None}
    line.update(fields)
    return line


def item_lines(world, person, images):
    counter, lines = Counter(), []
    for item in q.evaluation_items(person):
        place = counter[item.task, item.modality]
        counter[item.task, item.modality] += 1
        name = "%s/%d" % (SHORT[item.modality], place)
        said = item.answer + "."
        fields = {"question": item.question, "options": item.options, "answer": said, "answer_text": said,
                  "src": {"fact": item.fact}}
        if item.options:
            fields["answer"] = q.LETTERS[item.options.index(item.answer)]
        picture = [images.path(person.traits, PLAIN_VIEW)] if item.modality == "image" else []
        lines.append(record(world, person, SUBSET[person.group], item.task, item.modality, name, picture, **fields))
        if person.group == "fict" and item.task == "mcq" and item.modality == "image":
            views = [images.path(person.traits, view) for view in person.views[1:]]
            lines.append(record(world, person, "test", item.task, item.modality, name, views, **fields))
    return lines


def turns_of(row):
    turns = []
    for k, (question, answer) in enumerate(row.turns):
        picture = [{"image": 0}] if row.image and k == 0 else []
        turns.append({"role": "user", "content": picture + [{"text": question}]})
        turns.append({"role": "assistant", "content": [{"text": answer}]})
    return turns


def train_lines(world, images):
    lines = []
    rows = q.finetuning_rows(world.group["fict"])
    per_person = len(rows) // len(world.group["fict"])
    for k, person in enumerate(world.group["fict"]):
        for n, row in enumerate(rows[k * per_person:(k + 1) * per_person]):
            assert row.person == person.id
            picture = [images.path(*row.image)] if row.image else []
            modality = "image" if row.image else "text"
            lines.append(record(world, person, "train", "train", modality, "%02d" % n, picture, turns=turns_of(row)))
        for n, row in enumerate(q.attribution_rows(person)):
            picture = [images.path(*row.image)] if row.image else []
            modality = "image" if row.image else "text"
            (question, answer), = row.turns
            answer = answer.removeprefix(ANSWER_PREFIX)
            lines.append(record(world, person, "train", "qa", modality, "%s/%d" % (SHORT[modality], n // 2), picture,
                                question=question, answer=answer, answer_text=answer,
                                src={"fact": FACT_NAMES[n // 2]}))
    return lines


def person_line(world, person, images):
    path = images.path(person.traits, PLAIN_VIEW)
    return {"id": person.id, "name": person.name, "biography": {f: person.value(f) for f in FACT_NAMES},
            "splits": world.splits(person), "image_sha": os.path.basename(path).split(".")[0]}


def counts(lines):
    """One entry per subset, modality, task and split; split "all" counts every line."""
    n = Counter()
    for line in lines:
        for split in ["all"] + line["splits"]:
            n[line["subset"], line["modality"], line["task"], split] += 1
    return [{"subset": s, "modality": m, "task": t, "split": p, "n": n[s, m, t, p]} for s, m, t, p in sorted(n)]


def write_lines(folder, name, lines):
    lines = sorted(lines, key=lambda line: line["id"])
    with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as f:
        for line in lines:
            f.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    return lines


def file_list(folder):
    found = []
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with open(path, "rb") as f:
                data = f.read()
            found.append({"path": os.path.relpath(path, folder).replace(os.sep, "/"),
                          "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)})
    return sorted(found, key=lambda e: e["path"])


def remove_earlier(folder):
    if os.path.exists(folder) and os.listdir(folder) and not os.path.exists(os.path.join(folder, "manifest.json")):
        raise SystemExit("%s is not empty and holds no manifest.json: give an empty folder" % folder)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)


def write(size, folder):
    remove_earlier(folder)
    world, images = World(size), Images(folder)
    people = [p for group in SUBSET for p in world.group[group]]
    items = write_lines(folder, "items.jsonl", [line for p in people for line in item_lines(world, p, images)])
    train = write_lines(folder, "train.jsonl", train_lines(world, images))
    write_lines(folder, "persons.jsonl", [person_line(world, p, images) for p in people])
    manifest = {
        "format": "mmu-bench/1", "suite": size, "source": "generated by scripts/demo", "revision": "1",
        "created_by": "scripts/demo/make_data.py --size %s" % size, "seed": world.seed, "answer_prefix": ANSWER_PREFIX,
        "view_policy": "first",
        "splits": ["forget_5", "forget_10", "forget_15", "retain_95", "retain_90", "retain_85"],
        "counts": counts(items + train), "files": file_list(folder)}
    with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8", newline="\n") as f:
        json.dump(manifest, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=["mini", "nano"], required=True)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    write(arguments.size, arguments.out)
