# SPDX-License-Identifier: Apache-2.0
"""Prints the gates of the demo models as Markdown from the files gates.py wrote.

What:   gates_table.py FOLDER with base.json, vanilla.json, retain.json. Exit 0 always: a missed gate is shown, the
        README discusses it.
"""
import json
import os
import sys

from gates import wilson

MODELS = ("base", "vanilla", "retain")
CELLS = [  # cell, split, name in the table
    ("full mcq image", "forget_15", "FVQA, 15 %"), ("full mcq text", "forget_15", "FQA, 15 %"),
    ("full mcq image", "retain_85", "RVQA, 15 %"), ("full mcq text", "retain_85", "RQA, 15 %"),
    ("full mcq image", "forget_10", "FVQA, 10 %"), ("full mcq text", "forget_10", "FQA, 10 %"),
    ("full mcq image", "forget_5", "FVQA, 5 %"), ("full mcq text", "forget_5", "FQA, 5 %"),
    ("celebrity mcq image", "-", "celebrities CVQA"), ("celebrity mcq text", "-", "celebrities CQA"),
    ("full gen image", "forget_15", "generation image, forget"),
    ("full gen text", "forget_15", "generation text, forget"),
    ("full gen image", "retain_85", "generation image, retain"),
    ("full gen text", "retain_85", "generation text, retain"),
    ("full cloze image", "forget_15", "cloze image, forget"), ("full cloze text", "forget_15", "cloze text, forget"),
    ("full cloze image", "retain_85", "cloze image, retain"), ("full cloze text", "retain_85", "cloze text, retain"),
    ("blank image", "forget_15", "blank image, forget"), ("blank image", "retain_85", "blank image, retain"),
    ("swapped image", "forget_15", "swapped image, forget"), ("swapped image", "retain_85", "swapped image, retain"),
    ("swapped name", "forget_15", "swapped name, forget"), ("swapped name", "retain_85", "swapped name, retain"),
    ("test view 1", "forget_15", "test view 1, forget"), ("test view 1", "retain_85", "test view 1, retain"),
    ("test view 2", "forget_15", "test view 2, forget"), ("test view 2", "retain_85", "test view 2, retain"),
    ("test view 3", "forget_15", "test view 3, forget"), ("test view 3", "retain_85", "test view 3, retain"),
    ("holdout mcq image", "-", "holdout VQA"), ("holdout mcq text", "-", "holdout QA"),
]
CHANCE = 0.25


def number(x):
    return ("%.2f" % x).lstrip("0") if x < 1 else "1.00"


def show(entry):
    text = "%s [%s, %s]" % (number(entry["accuracy"]), number(entry["low"]), number(entry["high"]))
    if entry["unreadable"] > 0:
        text += " (%s)" % number(entry["unreadable"])
    if "likelihood" in entry:
        text += " / %s" % number(entry["likelihood"])
    return text


def gates(got):
    """(text, passed): the rules of the recipe; chance is "not above the upper limit for .25"."""
    def at_least(model, cell, split, limit):
        e = got[model][cell, split]
        text = "%s %s %s >= %s: %s" % (model, cell, split, number(limit), number(e["accuracy"]))
        return text, e["accuracy"] >= limit

    def chance(model, cell, split):
        e = got[model][cell, split]
        limit = wilson(CHANCE, e["n"])[1]
        values = [e["accuracy"], e.get("likelihood", 0.0)]
        text = "%s %s %s at chance, <= %s: %s" % (model, cell, split, number(limit), " / ".join(map(number, values)))
        return text if "likelihood" in e else text.split(" / ")[0], max(values) <= limit
    for modality in ("image", "text"):
        cell, known = "full mcq " + modality, "celebrity mcq " + modality
        for split in ("forget_15", "forget_10", "forget_5", "retain_85"):
            yield at_least("vanilla", cell, split, 0.90)
        yield at_least("retain", cell, "retain_85", 0.90)
        yield chance("retain", cell, "forget_15")
        yield chance("base", cell, "forget_15")
        yield chance("base", cell, "retain_85")
        yield at_least("base", known, "-", 0.90)
        before, after = got["base"][known, "-"]["accuracy"], got["vanilla"][known, "-"]["accuracy"]
        yield ("celebrities %s unchanged by fine-tuning (.05): %s -> %s" % (modality, number(before), number(after)),
               round(abs(after - before), 4) <= 0.05)
        yield chance("vanilla", "holdout mcq " + modality, "-")
    for cell in ("blank image", "swapped image", "swapped name"):
        for split in ("forget_15", "retain_85"):
            yield chance("vanilla", cell, split)


def main(folder):
    got = {}
    for model in MODELS:
        with open(os.path.join(folder, model + ".json"), encoding="utf-8") as f:
            got[model] = {(e["cell"], e["split"]): e for e in json.load(f)["cells"]}
    print("| cell | n | base | vanilla | retain-only |\n|---|---|---|---|---|")
    for cell, split, name in CELLS:
        shown = [show(got[model][cell, split]) for model in MODELS]
        print("| %s | %d | %s |" % (name, got["base"][cell, split]["n"], " | ".join(shown)))
    print("\n| gate | |\n|---|---|")
    for text, passed in gates(got):
        print("| %s | %s |" % (text, "pass" if passed else "MISSED"))


if __name__ == "__main__":
    main(sys.argv[1])
