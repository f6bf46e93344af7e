# SPDX-License-Identifier: Apache-2.0
"""Anti-leak checks of a generated data folder. Prints every check; exit 1 when one fails.

What:   check_leaks.py DIR. Wording, names, letters, guessing baselines, fact values shared with people who stay,
        independence of faces and facts, nobody of the forget set in base rows, hashes, and a second run.
Cost:   about half a minute for mini.
"""
import filecmp
import hashlib
import json
import math
import os
import re
import sys
import tempfile
from collections import Counter

import make_data
import questions as q
from stages import STAGES, known_rows
from world import FACT_NAMES, FACTS, FORGET_PERCENT, MIN_DISTANCE, SIZES, TRAITS, VALUES, World, distance

Z = 3.0  # a baseline may beat chance by this many standard deviations (24 are looked at)
CHI_LIMIT = 3.0


class Report:
    def __init__(self):
        self.failed = 0

    def check(self, good, text):
        print("%s  %s" % ("ok  " if good else "FAIL", text))
        self.failed += not good


def read_lines(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def base_texts(world):
    """Every user text and answer of the base stages and of the replay."""
    rows = [row for stage in STAGES.values() for row in known_rows(stage, world)]
    return [turn for row in rows for turn in row.turns], {row.person for row in rows}


def training_texts(train):
    turns = []
    for line in train:
        if line["turns"]:
            texts = [part["text"] for turn in line["turns"] for part in turn["content"] if "text" in part]
            turns += list(zip(texts[0::2], texts[1::2]))
        else:
            turns.append((line["question"], line["answer_text"]))
    return turns


def eight_grams(text):
    words = re.findall(r"\w+|[^\w\s]", text)
    return {tuple(words[i:i + 8]) for i in range(len(words) - 7)}


def check_wording(report, world, items, turns):
    asked = {line["question"] for line in items}
    trained = {question.split("\n")[-1] if not re.search(r"\nD: ", question) else question.split("\n")[-5]
               for question, _ in turns}
    report.check(not asked & trained, "no evaluation question among %d training questions (%d found)"
                 % (len(trained), len(asked & trained)))
    known = set().union(*(eight_grams(text) for text in trained))
    shared = sum(bool(eight_grams(text) & known) for text in asked)
    print("      evaluation questions that share 8 words in a row with a training question: %d of %d (reported only)"
          % (shared, len(asked)))
    names = {p.id: p.name.split() for p in world.people}
    by_image = [line for line in items if line["modality"] == "image"]
    report.check(not any(n in line["question"] for line in by_image for n in names[line["person"]]),
                 "no name in an image question")
    values = [v for _, vs in FACTS for v in vs]
    report.check(not any(re.search(r"\b%s\b" % v, line["question"]) for line in items for v in values),
                 "no fact value in a question before its options")


def check_options(report, items):
    good = True
    for line in items:
        if line["task"] == "mcq":
            values = VALUES[line["src"]["fact"]]
            right = line["options"][q.LETTERS.index(line["answer"])]
            good &= len(set(line["options"])) == 4 and all(o in values for o in line["options"])
            good &= right + "." == line["answer_text"]
    report.check(good, "options are four different values of one fact, the right one once")


def check_baselines(report, world, items, persons):
    """Guessing without face and name must stay within chance on every forget set."""
    for percent in FORGET_PERCENT:
        forget = {p.id for p in world.forget[percent]}
        seen = Counter((f, person["biography"][f]) for person in persons
                       if person["id"][0] == "f" and person["id"] not in forget for f in FACT_NAMES)
        for modality in ("image", "text"):
            cell = [line for line in items if line["subset"] == "full" and line["person"] in forget
                    and line["task"] == "mcq" and line["modality"] == modality]
            n = len(cell)
            limit = 0.25 + Z * math.sqrt(0.25 * 0.75 / n)

            def score(guess):
                return sum(guess(line) == q.LETTERS.index(line["answer"]) for line in cell) / n

            def best_of(value, pick):
                return score(lambda line: pick(range(4), key=lambda k: value(line, line["options"][k])))
            letters = Counter(line["answer"] for line in cell)
            rates = {
                "letter": max(letters.values()) / n,
                "longest": best_of(lambda line, o: len(o), max),
                "most frequent": best_of(lambda line, o: seen[line["src"]["fact"], o], max),
                "rarest": best_of(lambda line, o: seen[line["src"]["fact"], o], min),
            }
            report.check(all(rate <= limit for rate in rates.values()),
                         "forget %d %% %s, n=%d: guessing right %s (limit %.2f)"
                         % (percent, modality, n, ", ".join("%s %.2f" % e for e in rates.items()), limit))


def check_people(report, world):
    people, fict = world.people, world.group["fict"]
    nearest = min(distance(a.traits, b.traits) for i, a in enumerate(people) for b in people[:i])
    report.check(nearest >= MIN_DISTANCE, "faces differ in at least %d of 8 traits" % nearest)
    keepers = min(sum(other.facts[f] == p.facts[f] for other in world.retain(percent))
                  for percent in FORGET_PERCENT for p in world.forget[percent] for f in FACT_NAMES)
    report.check(keepers >= SIZES[world.size].keepers,
                 "each fact value of a forget person is held by at least %d people who stay" % keepers)
    worst = 0.0
    for i in range(len(TRAITS)):
        for f in FACT_NAMES:
            cells = Counter((p.traits[i], p.facts[f]) for p in fict)
            rows, columns = Counter(p.traits[i] for p in fict), Counter(p.facts[f] for p in fict)
            chi = sum((cells[a, b] - rows[a] * columns[b] / len(fict)) ** 2 / (rows[a] * columns[b] / len(fict))
                      for a in rows for b in columns)
            freedom = (len(rows) - 1) * (len(columns) - 1)
            worst = max(worst, (chi - freedom) / math.sqrt(2 * freedom))
    report.check(worst <= CHI_LIMIT, "largest standardised chi-square of a trait with a fact: %.2f of 48" % worst)
    same = total = 0
    for p in world.forget[15]:
        twin = min(world.retain(15), key=lambda other: distance(p.traits, other.traits))
        same += sum(p.facts[f] == twin.facts[f] for f in FACT_NAMES)
        total += len(FACT_NAMES)
    limit = total * 0.12 + Z * math.sqrt(total * 0.12 * 0.88)
    report.check(same <= limit, "the most similar face that stays shares %d of %d facts" % (same, total))


def check_absence(report, world, turns, base_people):
    allowed = {p.id for g in ("celeb", "extra") for p in world.group[g]} | {""}
    report.check(base_people <= allowed, "base rows show celebrities and extra people only")
    text = "\n".join(question + "\n" + answer for question, answer in turns)
    for group in ("fict", "hold"):
        names = [p.name for p in world.group[group]]
        report.check(not any(name in text for name in names), "no name of group %s in base rows" % group)


def check_files(report, folder, size):
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as f:
        manifest = json.load(f)
    good = True
    for entry in manifest["files"]:
        with open(os.path.join(folder, entry["path"]), "rb") as f:
            good &= hashlib.sha256(f.read()).hexdigest() == entry["sha256"]
    report.check(good, "%d files have the hashes of the manifest" % len(manifest["files"]))
    with tempfile.TemporaryDirectory() as again:
        make_data.write(size, again)
        paths = [e["path"] for e in manifest["files"]] + ["manifest.json"]
        _, different, missing = filecmp.cmpfiles(folder, again, paths, shallow=False)
        extra = len(make_data.file_list(again)) - len(paths)
        report.check(not different and not missing and extra == 0, "a second run gives the same bytes")


def main(folder):
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as f:
        size = json.load(f)["suite"]
    world, report = World(size), Report()
    items, train = read_lines(folder, "items.jsonl"), read_lines(folder, "train.jsonl")
    turns, base_people = base_texts(world)
    check_wording(report, world, items, turns + training_texts(train))
    check_options(report, items)
    check_baselines(report, world, items, read_lines(folder, "persons.jsonl"))
    check_people(report, world)
    check_absence(report, world, turns, base_people)
    check_files(report, folder, size)
    print("%d checks failed" % report.failed)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
