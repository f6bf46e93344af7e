#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/real/make_facts.py - the questions a real model answers right, as a data set (mmu-bench/1).

What    asks every question of a file with `mip generate` and keeps those whose reply ends by itself
        and holds the expected answer (letter case aside); the data's answer is the model's whole
        reply, so that it is what the model would say. One "person" per fact, a row `qa` for
        attribution, a row `train` for the edit, an item `gen` for the evaluation. The first 5, 10
        and 15 percent of the facts, in an order drawn by SEED, are the splits to forget.
Input   QUESTIONS.jsonl: {"question": .., "answer": .., "id": ..}; id may be missing (TOFU's files).
Cost    0.5 to 2 s per question on one core.
Usage   python scripts/real/make_facts.py --model DIR --questions F.jsonl --out DIR [--mip PATH]
Tested  `mip check OUT`, which scripts/real_model.sh runs"""

import argparse
import hashlib
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

SEED = 1
MAX_TOKENS = 32
SHARES = (5, 10, 15)  # percent to forget
SPLITS = [f"forget_{s}" for s in SHARES] + [f"retain_{100 - s}" for s in SHARES]


def ask(mip, model, question):
    command = [mip, "generate", "--json", "--model", model, "--prompt", question]
    done = subprocess.run(
        command + ["--max-new-tokens", str(MAX_TOKENS)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"make_facts: mip exit {done.returncode}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def known_facts(args):
    """Questions answered right, with the reply; says each on the way."""
    lines = args.questions.read_text(encoding="utf-8").splitlines()
    out = []
    for n, line in enumerate(lines):
        fact = json.loads(line)
        fact.setdefault("id", f"q{n + 1:03d}")
        reply = ask(args.mip, args.model, fact["question"])
        fact["reply"] = reply["text"].strip()
        ended = len(reply["ids"]) < MAX_TOKENS
        right = ended and fact["answer"].casefold() in fact["reply"].casefold()
        print(f"{'right' if right else '-    '}  {fact['question']} {fact['reply']}", flush=True)
        if right:
            out.append(fact)
    print(f"{len(out)} of {len(lines)} answered right")
    return out


def splits_of(facts):
    """Name of a fact -> its splits."""
    order = sorted(f["id"] for f in facts)
    random.Random(SEED).shuffle(order)
    out = {name: [] for name in order}
    for share in SHARES:
        n_forget = max(1, round(len(order) * share / 100))
        for place, name in enumerate(order):
            out[name].append(f"forget_{share}" if place < n_forget else f"retain_{100 - share}")
    return out


def record(suite, fact, splits, subset, task):
    said = None if task == "train" else fact["reply"]
    turns = [
        {"role": "user", "content": [{"text": fact["question"]}]},
        {"role": "assistant", "content": [{"text": fact["reply"]}]},
    ]
    return {
        "id": f"{suite}/{subset}/{fact['id']}/{task}/txt/0",
        "suite": suite,
        "subset": subset,
        "person": fact["id"],
        "splits": splits,
        "modality": "text",
        "task": task,
        "images": [],
        "question": None if task == "train" else fact["question"],
        "turns": turns if task == "train" else None,
        "options": None,
        "answer": said,
        "answer_text": said,
        "paraphrases": [],
        "distractors": [],
        "src": {"fact": fact["answer"]},
    }


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        for line in sorted(lines, key=lambda line: line["id"]):
            f.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def counts(lines):
    n = Counter()
    for line in lines:
        for split in ["all"] + line["splits"]:
            n[line["subset"], line["modality"], line["task"], split] += 1
    keys = ("subset", "modality", "task", "split")
    return [dict(zip(keys, key), n=n[key]) for key in sorted(n)]


def file_entry(path):
    data = path.read_bytes()
    return {"path": path.name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def write_data(facts, suite, out):
    out.mkdir(parents=True, exist_ok=True)
    splits = splits_of(facts)
    people, items, train = [], [], []
    for fact in facts:
        mine = splits[fact["id"]]
        people.append(
            {"id": fact["id"], "name": fact["id"], "biography": {"answer": fact["answer"]},
             "splits": mine, "image_sha": None}
        )  # fmt: skip
        items.append(record(suite, fact, mine, "full", "gen"))
        train += [record(suite, fact, mine, "train", task) for task in ("qa", "train")]
    files = [out / name for name in ("items.jsonl", "persons.jsonl", "train.jsonl")]
    for path, lines in zip(files, (items, people, train)):
        write_lines(path, lines)
    manifest = {
        "format": "mmu-bench/1",
        "suite": suite,
        "source": "questions answered by the model itself",
        "revision": "1",
        "created_by": "scripts/real/make_facts.py",
        "seed": SEED,
        "answer_prefix": "",
        "view_policy": "first",
        "splits": SPLITS,
        "counts": counts(items + train),
        "files": [file_entry(path) for path in files],
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description="the questions a model answers right, as a data set")
    parser.add_argument("--model", required=True)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mip", default="build/release/mip")
    args = parser.parse_args()
    facts = known_facts(args)
    if len(facts) < 2:
        sys.exit("make_facts: fewer than two facts: nothing to forget and retain")
    write_data(facts, args.out.name, args.out)


if __name__ == "__main__":
    main()
