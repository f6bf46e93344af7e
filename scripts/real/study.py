#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/real/study.py - what path attribution shows on a real model: the numbers of docs/real_model.md.

What    rules     completeness error of every node rule, overlap of its paths with a fine rule's
        adaptive  nodes and seconds to 5 % and 1 %, beside the cheapest fixed rule
        scores    concentration of the score forms
        share     Jaccard index of the paths of different facts and of different score forms
        prune     log-probability of an answer after its neurons are zeroed, beside as many random
                  neurons and as many of the largest |activation|; of other answers too
        check     the zeroing of `prune` against `mip edit` on one fact
        `mip` computes every path and activation; only the zeroed forward passes of `prune` are
        transformers' (hooks at the input of down_proj: what a zero up row makes of a neuron).
Input   build/real as scripts/real_model.sh leaves it. Runs below --out are made once and kept.
Cost    see docs/real_model.md; one thread.
Usage   python scripts/real/study.py rules|adaptive|scores|share|prune|check [--facts N] [--config FILE]
Needs   as scripts/real_model.sh"""

import argparse
import itertools
import json
import os
import random
import resource
import subprocess
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("MIP_THREADS", "1")

import h5py  # noqa: E402  (after the environment)
import numpy as np  # noqa: E402

RULES = ("left4", "right4", "radau2", "radau3", "gauss3", "radau5", "radau7")
FORMS = ("product", "own")  # `sum` adds one number per layer to `own`: it ranks alike and has the same paths
FINE = "gauss32"
MAX_NODES = 64
TOP = 5
PRUNED = (1, 5, 20)
KEPT = 20  # neurons of a path that are stored
KEYS = ("scores", "path", "completeness", "n_nodes", "converged", "path_share")
SEEDS = 3  # random sets per fact and size


# ---- what mip computes ---------------------------------------------------------------------------


def call(*command):
    """Runs it; CPU seconds (user), which a busy machine stretches less than wall time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"study: {' '.join(command)}: exit {done.returncode}\n{done.stderr.strip()[-600:]}")
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def attributed(args, name, **settings):
    """The attribution of run NAME as arrays; made if it is not there."""
    folder = args.out / f"{name}-{args.facts}"
    if not (folder / "attribution.h5").is_file():
        command = [args.mip, "attribute", args.config, "--set", f"output={folder}"]
        people = max(1, args.facts - args.n_forget)
        for key, value in {"contrast_people": people, "top_k": KEPT, **settings}.items():
            command += ["--set", f"attribute.{key}={value}"]
        seconds = call(*command)
        (folder / "cpu_seconds").write_text(f"{seconds:.1f}\n")
    with h5py.File(folder / "attribution.h5") as f:
        out = {key: f[f"text/{key}"][()] for key in KEYS}
        out["id"] = list(f["sample/id"].asstr()[()])
    out["seconds"] = float((folder / "cpu_seconds").read_text())
    return out


def by_rule(args, rule):
    return attributed(args, f"rule-{rule}", quadrature=rule)


def by_form(args, form):
    if form == "product":
        return by_rule(args, "radau5")
    rule = {"quadrature": "radau1"} if form == "activation" else {}  # it needs no gradient
    return attributed(args, f"form-{form}", score=form, **rule)


# ---- statistics ----------------------------------------------------------------------------------


def mean_interval(values):
    """Mean and half its 95 % interval (Student's t)."""
    from scipy import stats

    v = np.asarray(values, float)
    half = stats.t.ppf(0.975, len(v) - 1) * v.std(ddof=1) / np.sqrt(len(v)) if len(v) > 1 else np.nan
    return v.mean(), half


def overlap(a, b, k):
    """[N, L] share of the k best that two runs have in common."""
    return np.array([[len(set(x[:k]) & set(y[:k])) / k for x, y in zip(p, q)] for p, q in zip(a, b)])


def one_path(a, b):
    """[N, L] layers up to the first whose representatives differ: both runs score them on the same path."""
    same = np.cumprod(a[:, :, 0] == b[:, :, 0], axis=1).astype(bool)
    return np.concatenate([np.ones_like(same[:, :1]), same[:, :-1]], axis=1)


def jaccard(x, y, k):
    both = len(set(x[:k]) & set(y[:k]))
    return both / (2 * k - both)


def thirds(n_layers):
    edges = [round(n_layers * i / 3) for i in range(4)]
    return [(a, b) for a, b in zip(edges, edges[1:])]


# ---- the tables ----------------------------------------------------------------------------------


def rules(args):
    fine = by_rule(args, FINE)
    n, n_layers = fine["completeness"].shape
    print(f"completeness error, relative; {n} facts, {n_layers} layers; overlap of the best {TOP} with {FINE}")
    spans = thirds(n_layers)
    heads = " ".join(f"layers {a}-{b - 1}" for a, b in spans)
    print(f"rule     CPU a fact  median  {heads}  90 %  worst  <=1 %  <=5 %  overlap  on one path  worst layers")
    for rule in (*RULES, FINE):
        run = by_rule(args, rule)
        c = run["completeness"]
        shares = overlap(run["path"], fine["path"], TOP)
        shared = one_path(run["path"], fine["path"])
        worst = np.argsort(-np.median(c, axis=0))[:3]
        print(
            f"{rule:8} {run['seconds'] / n:5.1f} s  {np.median(c):.4f}  "
            + "  ".join(f"{np.median(c[:, a:b]):.4f}" for a, b in spans)
            + f"  {np.quantile(c, 0.9):.3f}  {c.max():.3g}  {np.mean(c <= 0.01):.2f}  {np.mean(c <= 0.05):.2f}"
            + f"  {shares.mean():.2f}  {shares[shared].mean():.2f} ({shared.sum()})  "
            + " ".join(f"{i}:{np.median(c[:, i]):.3f}" for i in worst),
            flush=True,
        )


def adaptive(args):
    """Against the fixed rules: the cheapest that keeps the tolerance in the same facts and layers."""
    fixed = sorted((by_rule(args, rule) for rule in (*RULES, FINE)), key=lambda r: r["n_nodes"][0, 0])
    fine = fixed[-1]
    n, n_layers = fine["completeness"].shape
    print(f"nodes and CPU seconds a fact, {n} facts, {n_layers} layers, at most {MAX_NODES} nodes; overlap with {FINE}")
    for tolerance in (0.05, 0.01):
        settings = {"quadrature": "adaptive", "tolerance": tolerance, "max_nodes": MAX_NODES}
        run = attributed(args, f"adaptive-{tolerance}", **settings)
        nodes, done = run["n_nodes"], run["converged"].astype(bool)
        cheapest = np.full(nodes.shape, -1)
        for rule in reversed(fixed):
            cheapest[rule["completeness"] <= tolerance] = rule["n_nodes"][0, 0]
        kept = cheapest >= 0
        shares = overlap(run["path"], fine["path"], TOP)
        layers = np.argsort(-np.mean(nodes, axis=0))[:4]
        print(
            f"tolerance {tolerance}: {run['seconds'] / n:.1f} s, nodes mean {nodes.mean():.1f} median"
            f" {np.median(nodes):.0f}, converged {done.mean():.3f} of {done.size}; overlap {shares.mean():.2f}"
        )
        print(
            f"  a fixed rule keeps it in {kept.mean():.3f}; there the cheapest has {cheapest[kept].mean():.1f} nodes"
            f" in the mean, adaptive {nodes[kept].mean():.1f}; elsewhere adaptive {nodes[~kept].mean():.1f}"
        )
        print("  most nodes: " + ", ".join(f"layer {i} {nodes[:, i].mean():.0f}" for i in layers), flush=True)


def scores(args):
    print(f"share of the best {TOP} in the sum of |score|; ratio of the last of them to the first; share of scores")
    print("with the sign of the sum; share of the path terms; medians")
    for form in args.forms:
        run = by_form(args, form)
        s, path_share = run["scores"].astype(float), run["path_share"]
        best = -np.sort(-s, axis=2)
        share = np.abs(best[:, :, :TOP]).sum(2) / np.abs(s).sum(2)
        ratio = best[:, :, TOP - 1] / best[:, :, 0]
        sign = np.mean(np.sign(s) == np.sign(s.sum(2, keepdims=True)), axis=2)
        for a, b in thirds(s.shape[1]):
            print(
                f"{form:8} layers {a:2}-{b - 1:2}  share {np.median(share[:, a:b]):.3f}"
                f"  ratio {np.median(ratio[:, a:b]):.3f}  one sign {np.median(sign[:, a:b]):.2f}"
                f"  path terms {np.median(path_share[:, a:b]):.3f}  n {s.shape[0]}",
                flush=True,
            )


def share(args):
    runs = {form: by_form(args, form) for form in args.forms}
    n_neurons = runs[args.forms[0]]["scores"].shape[2]
    both = TOP * TOP / n_neurons
    print(f"Jaccard index of the best {TOP}, mean over layers of a third; by chance {both / (2 * TOP - both):.4f}")
    for form in args.forms:
        path = runs[form]["path"]
        pairs = list(itertools.combinations(range(len(path)), 2))
        j = np.array([[jaccard(path[a, i], path[b, i], TOP) for i in range(path.shape[1])] for a, b in pairs])
        kinds = [name.split("/")[2].split("-")[0] for name in runs[form]["id"]]  # capital-france: capital
        alike = np.array([kinds[a] == kinds[b] for a, b in pairs])
        for kind, rows in (("one kind", alike), ("two kinds", ~alike)):
            line = "  ".join(f"layers {a}-{b - 1} {j[rows, a:b].mean():.3f}" for a, b in thirds(j.shape[1]))
            print(f"facts of {kind}, {form:8} {line}  ({rows.sum()} pairs)")
    for x, y in itertools.combinations(args.forms, 2):
        p, q = runs[x]["path"], runs[y]["path"]
        j = np.array([[jaccard(u, v, TOP) for u, v in zip(a, b)] for a, b in zip(p, q)])
        line = "  ".join(f"layers {a}-{b - 1} {j[:, a:b].mean():.3f}" for a, b in thirds(j.shape[1]))
        print(f"forms {x} and {y}: {line}")
    for form in args.forms:
        o = overlap(runs[form]["path"], by_form(args, "activation")["path"], TOP)
        line = "  ".join(f"layers {a}-{b - 1} {o[:, a:b].mean():.2f}" for a, b in thirds(o.shape[1]))
        print(f"overlap of {form} with activation: {line}")


# ---- zeroed neurons ------------------------------------------------------------------------------


def read_facts(args):
    """id -> question and answer of the rows that are attributed."""
    lines = (Path(args.data) / "train.jsonl").read_text(encoding="utf-8").splitlines()
    return {r["id"]: r for r in map(json.loads, lines) if r["task"] == "qa"}


def traced(args, name, fact, model=None):
    """ids, labels and log p of the answer, by mip."""
    path = args.out / "trace" / f"{name.replace('/', '_')}.h5"
    if model is not None or not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        wanted = itertools.chain(*(("--tensor", t) for t in ("input_ids", "labels", "loss")))
        chat = ("--prompt", fact["question"], "--answer", fact["answer"])
        call(args.mip, "trace", "--model", model or args.model, *chat, *wanted, "--out", str(path))
    with h5py.File(path) as f:
        labels = f["labels"][()].astype(int)
        return {
            "ids": f["input_ids"][()].astype(int),
            "labels": labels,
            "logp": -float(f["loss"][()]) * int((labels != -100).sum()),
        }


class Zeroed:
    """transformers' model with listed neurons per layer held at zero: in every row, as `mip edit` leaves them,
    or from the last prompt token on."""

    def __init__(self, folder, rows="all"):
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(1)
        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.rows, self.first_row, self.sets = rows, 0, None
        for i, block in enumerate(self.model.model.layers):
            block.mlp.down_proj.register_forward_pre_hook(self.hook(i))

    def hook(self, layer):
        def zero(_module, inputs):
            if self.sets is None:
                return None
            a = inputs[0].clone()
            a[:, self.first_row :, self.sets[layer]] = 0
            return (a,)

        return zero

    def logp(self, sample, sets=None):
        """Log-probability of the labels, F64 from the logits."""
        torch, self.sets = self.torch, sets
        labels = torch.tensor(sample["labels"])
        rows = torch.nonzero(labels != -100)[:, 0]
        self.first_row = 0 if self.rows == "all" else int(rows[0]) - 1
        with torch.no_grad():
            hidden = self.model.model(torch.tensor(sample["ids"])[None]).last_hidden_state[0, rows - 1]
            logp = torch.log_softmax(self.model.lm_head(hidden).double(), dim=-1)
        return float(logp.gather(1, labels[rows, None]).sum())


def random_sets(shape, i, k):
    """SEEDS sets of k neurons per layer for fact i."""
    draws = [random.Random(f"{i} {k} {seed}") for seed in range(SEEDS)]
    return [[draw.sample(range(shape[1]), k) for _ in range(shape[0])] for draw in draws]


def other_of(i, ids):
    """Whose answer is asked for, too, when the neurons of fact i are zeroed."""
    return random.Random(f"other {i}").choice([name for name in ids if name != ids[i]])


def measure(args, runs):
    """Change of log p of a fact's own answer and of another fact's, for every fact, condition and k; each is
    kept in a file as soon as it is known."""
    ids, shape = runs["activation"]["id"], runs["activation"]["scores"].shape[1:]
    facts = read_facts(args)
    samples = {name: traced(args, name, facts[name]) for name in ids}
    model = Zeroed(args.model, args.rows)
    clean = {name: model.logp(samples[name]) for name in ids}
    worst = max(abs(clean[n] - samples[n]["logp"]) for n in ids)
    print(f"log p of the clean model, transformers against mip: at most {worst:.1e} apart", flush=True)
    path = args.out / f"prune-{args.rows}-{args.facts}.jsonl"
    known = {}
    for line in path.read_text().splitlines() if path.is_file() else []:
        *key, own, rest = json.loads(line)
        known[tuple(key)] = (own, rest)
    with open(path, "a", encoding="utf-8") as f:
        for (i, name), condition, k in itertools.product(enumerate(ids), (*runs, "random"), PRUNED):
            if (name, condition, k) in known:
                continue
            other = other_of(i, ids)
            if condition == "random":
                sets = random_sets(shape, i, k)
            else:
                sets = [[layer[:k].tolist() for layer in runs[condition]["path"][i]]]
            own = float(np.mean([model.logp(samples[name], s) - clean[name] for s in sets]))
            rest = float(np.mean([model.logp(samples[other], s) - clean[other] for s in sets]))
            known[name, condition, k] = (own, rest)
            f.write(json.dumps([name, condition, k, own, rest]) + "\n")
            f.flush()
    return ids, known


def prune(args):
    runs = {form: by_form(args, form) for form in ("activation", *args.forms)}
    ids, known = measure(args, runs)
    print(f"change of log p(answer) after zeroing k neurons in every layer, mean +- 95 %, n = {len(ids)} facts")
    print("last: the answer asked of another fact, by its own neurons minus by this fact's")
    print("condition    k  own answer        own - random      own - activation  another answer    own - another's")
    others = [ids.index(other_of(i, ids)) for i in range(len(ids))]
    for k in PRUNED:
        table = {c: np.array([known[name, c, k] for name in ids]) for c in (*runs, "random")}
        for condition, t in table.items():
            parts = (
                t[:, 0],
                t[:, 0] - table["random"][:, 0],
                t[:, 0] - table["activation"][:, 0],
                t[:, 1],
                t[others, 0] - t[:, 1],
            )
            text = "  ".join("{:7.2f} +- {:5.2f}".format(*mean_interval(v)) for v in parts)
            print(f"{condition:10} {k:3}  {text}")
        for condition in args.forms:
            lower = np.mean(table[condition][:, 0] < table["random"][:, 0])
            print(f"{condition:10} {k:3}  lowers more than random in {lower:.2f} of the facts")
        for x, y in itertools.combinations(args.forms, 2):
            print("{} - {} {:3}  {:.2f} +- {:.2f}".format(y, x, k, *mean_interval(table[y][:, 0] - table[x][:, 0])))


def check(args):
    """One fact's best 5 zeroed by `mip edit` (one step at learning rate 0) and by the hooks."""
    folder = args.out / "check"
    settings = ["data.forget=5", "attribute.aggregate=union", "attribute.max_samples=1", "attribute.cap=0"]
    settings += ["attribute.quadrature=radau2", f"output={folder}", "edit.method=mip", "edit.lr=0"]
    settings += ["edit.steps=1", "edit.batch=1"]
    command = list(itertools.chain(*(("--set", s) for s in settings)))
    call(args.mip, "attribute", args.config, *command)
    call(args.mip, "edit", args.config, *command)
    with h5py.File(folder / "attribution.h5") as f:
        path, name = f["text/path"][0], f["sample/id"].asstr()[0]
    fact = read_facts(args)[name]
    edited = traced(args, "check", fact, model=str(folder / "model"))
    model = Zeroed(args.model)
    hooked = model.logp(edited, [layer.tolist() for layer in path])
    print(f"{name}: log p {model.logp(edited):.4f}; mip edit {edited['logp']:.4f}, hooks {hooked:.4f}")


def main():
    parser = argparse.ArgumentParser(description="path attribution on a real model: the numbers")
    parser.add_argument("stage", choices=("rules", "adaptive", "scores", "share", "prune", "check"))
    parser.add_argument("--facts", type=int, default=24, help="how many facts, those to forget first")
    parser.add_argument("--rows", choices=("all", "answer"), default="all", help="rows that prune zeroes")
    parser.add_argument("--forms", nargs="*", default=FORMS, help="score forms: product, own, sum")
    parser.add_argument("--config", default="configs/real.yaml")
    parser.add_argument("--model", default="build/real/smollm2-135m")
    parser.add_argument("--data", default="build/real/facts")
    parser.add_argument("--out", type=Path, default=Path("build/real/study"))
    parser.add_argument("--mip", default="build/release/mip")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    people = (Path(args.data) / "persons.jsonl").read_text(encoding="utf-8").splitlines()
    args.n_forget = sum("forget_15" in json.loads(p)["splits"] for p in people)
    globals()[args.stage](args)


if __name__ == "__main__":
    main()
