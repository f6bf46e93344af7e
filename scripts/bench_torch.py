#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/bench_torch.py - path attribution by the plain loop in PyTorch: the oracle of
`mip attribute` on any checkpoint, and the other side of `make bench`.

What    the first N question rows (task qa) of a forget split, prompts rendered by the processor
        and template of transformers; scripts/goldens/attribution_loop.py scores them on the model
        of transformers, with pictures or text only (eager, f32, frozen weights unless said
        otherwise). Writes scores and paths, prints seconds per sample and peak memory; --check
        compares with an attribution.h5 of mip, PASS or FAIL. --pilot measures one run of the loop
        instead: clean pass, then forward and backward of one node in the middle layer.
Usage   python scripts/bench_torch.py MODEL DATA --modality text|vision --samples N
            [--only image|text] [--among-first] [--quadrature radau5] [--top-k 5]
            [--score product|own|sum] [--positions last_prompt|first] [--nodes-at-once 1]
            [--threads 1] [--dtype f32|bf16|f64] [--attention eager|sdpa] [--trainable] [--pilot]
            [--out FILE] [--check FILE] [--json]
Needs   pip install -r scripts/goldens/requirements.txt h5py (h5py for --check only)
"""

import argparse
import json
import math
import os
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch  # noqa: E402  (after the environment)
import transformers  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from check_in_transformers import load_model, model_inputs  # noqa: E402
from goldens.attribution_loop import LABEL_NONE, LOOPS, Settings, attribute, freeze  # noqa: E402
from goldens.hf_processor import load_processor  # noqa: E402

SCORE_TOLERANCE = 1e-3  # of the largest |score| of the layer
EQUAL_SETS = 0.99  # share of layer-samples whose best K must be the same set
END_OF_TURN = "<|im_end|>"
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f64": torch.float64}


def question_rows(data, forget, modality, only, n, among_first):
    """The first n rows that are scored (vision needs an image); with among_first the scored
    ones of the first n, as mip counts."""
    rows = [
        json.loads(line) for line in (data / "train.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    rows = [r for r in rows if r["task"] == "qa" and f"forget_{forget}" in r["splits"]]
    rows = rows[:n] if among_first else rows
    rows = [r for r in rows if (modality == "text" or r["images"]) and only in ("", r["modality"])]
    return rows[:n]


def sample_inputs(processor, data, prefix, row):
    """Processor output of question and answer; labels: the answer's tokens and the end of turn."""
    image = [{"type": "image"}] if row["images"] else []
    question = {"role": "user", "content": [*image, {"type": "text", "text": row["question"]}]}
    answer = {
        "role": "assistant",
        "content": [{"type": "text", "text": prefix + row["answer_text"]}],
    }
    prompt = processor.apply_chat_template([question], tokenize=False, add_generation_prompt=True)
    whole = processor.apply_chat_template([question, answer], tokenize=False)
    if not whole.startswith(prompt):
        sys.exit(f"bench_torch: {row['id']}: the template renders another prompt without an answer")
    opened = [Image.open(data / name) for name in row["images"][:1]]
    inputs = model_inputs(processor, whole, opened)
    ids = inputs["input_ids"][0]
    starts = [
        s for s, _ in processor.tokenizer(whole, return_offsets_mapping=True)["offset_mapping"]
    ]
    if len(prompt) not in starts:
        sys.exit(f"bench_torch: {row['id']}: a token reaches from the prompt into the answer")
    begin = len(ids) - (
        len(starts) - starts.index(len(prompt))
    )  # the end of the text has no image in it
    end = (
        begin
        + ids[begin:].tolist().index(processor.tokenizer.convert_tokens_to_ids(END_OF_TURN))
        + 1
    )
    labels = torch.full_like(ids, LABEL_NONE)
    labels[begin:end] = ids[begin:end]
    return inputs, labels


def run(model, processor, data, rows, args):
    """(results, seconds, CPU seconds); prompts and pixels are made inside the clock, as in mip."""
    prefix = json.loads((data / "manifest.json").read_text(encoding="utf-8"))["answer_prefix"]
    settings = Settings(
        args.quadrature, args.top_k, args.score, args.nodes_at_once, args.positions
    )
    results = []
    begin, begin_cpu = time.perf_counter(), time.process_time()
    for row in rows:
        inputs, labels = sample_inputs(processor, data, prefix, row)
        inputs = {
            k: v.to(DTYPES[args.dtype]) if v.is_floating_point() else v for k, v in inputs.items()
        }
        if args.pilot:
            pilot(model, inputs, labels, args.modality, settings)
            begin, begin_cpu = time.perf_counter(), time.process_time()
            pilot(model, inputs, labels, args.modality, settings)
            break
        result = attribute(model, inputs, labels, args.modality, settings)
        result.n_tokens = len(labels)
        results.append(result)
    return results, time.perf_counter() - begin, time.process_time() - begin_cpu


def pilot(model, inputs, labels, modality, settings):
    loop = LOOPS[modality](model, inputs, labels, replace(settings, quadrature="midpoint1"))
    loop.clean()
    middle = len(loop.a) // 2
    loop.best = [0] * middle
    loop.all_nodes(middle)
    loop.taps.close()


def write(path, rows, results, args):
    tensors = {
        f"{args.modality}.scores": torch.stack([r.scores for r in results]),
        f"{args.modality}.paths": torch.stack([r.paths for r in results]).int(),
        f"{args.modality}.log_scale": torch.stack([r.log_scale for r in results]),
        f"{args.modality}.logp_clean": torch.tensor(
            [r.logp_clean for r in results], dtype=torch.float64
        ),
    }
    choices = {k: str(v) for k, v in wanted_settings(args).items()}
    save_file(tensors, str(path), metadata=choices | {"ids": json.dumps([r["id"] for r in rows])})


# ---- comparison with mip ----------------------------------------------------------------------


def wanted_settings(args):
    """The choices the plain loop makes, as mip writes them down."""
    return {
        "attribute.quadrature": f'"{args.quadrature}"',
        "attribute.score": args.score,
        "attribute.top_k": args.top_k,
        "attribute.representative": "first",
        "attribute.path": "representative",
        "attribute.nonpath": "constant",
        "attribute.objective": "p",
        "attribute.labels": "answer",
        "attribute.positions": args.positions,
        "attribute.vision_positions": "all",
        "attribute.candidate": "whole_layer",
        "attribute.fisher_abs": "false",
        "attribute.keep": 0,  # all scores are stored
    }


def check_settings(path, args):
    import h5py

    with h5py.File(path) as file:
        settings = file.attrs["settings"]
    found = dict(line.strip().split(": ", 1) for line in settings.splitlines() if ": " in line)
    bad = [
        f"{k} is {found.get(k)}, not {v}"
        for k, v in wanted_settings(args).items()
        if found.get(k) != str(v)
    ]
    if bad:
        sys.exit("bench_torch: the run of mip was made with other settings: " + "; ".join(bad))


class Tally:
    def __init__(self, n_layers):
        self.worst = [0.0] * n_layers  # relative difference of scores
        self.layer_samples = self.same_sets = self.same_representatives = self.off_path = 0
        self.notes = []  # every difference, explained or not
        self.unexplained = 0


def explain(tally, name, l, theirs, ours, gap):
    near = gap <= SCORE_TOLERANCE
    tally.unexplained += not near
    said = "near tie" if near else "NO TIE"
    tally.notes.append(
        f"{name} layer {l}: torch {ours}, mip {theirs}; "
        f"{said}, {gap:.1e} of the largest score apart"
    )


def compare_sample(tally, name, result, scores, paths, log_scale):
    """A layer is compared while both walk the same path: above another representative other
    scores are right."""
    for l, ours in enumerate(result.scores):
        tally.layer_samples += 1
        theirs = torch.tensor(scores[l], dtype=torch.float64) * math.exp(
            log_scale[l] - result.log_scale[l].item()
        )
        largest = ours.abs().max().item()
        tally.worst[l] = max(tally.worst[l], (theirs - ours).abs().max().item() / largest)
        mine, its = result.paths[l].tolist(), paths[l].tolist()
        same_set, same_best = set(mine) == set(its), mine[0] == its[0]
        tally.same_sets += same_set
        tally.same_representatives += same_best
        if not same_set:
            gap = (
                max(abs(ours[mine[-1]].item() - ours[j].item()) for j in set(its) - set(mine))
                / largest
            )
            explain(tally, name, l, its, mine, gap)
        elif not same_best:
            explain(
                tally, name, l, its, mine, (ours[mine[0]] - ours[its[0]]).abs().item() / largest
            )
        if not same_best:
            tally.off_path += len(result.scores) - l - 1
            return


def check(path, rows, results, args):
    """Print the comparison; (whether it holds, share of the best K that both have)."""
    import h5py

    with h5py.File(path) as file:
        ids = [i.decode() if isinstance(i, bytes) else i for i in file["sample/id"][:]]
        n_tokens = dict(zip(ids, file["sample/n_tokens"][:].tolist()))
        part = {
            k: file[f"{args.modality}/{k}"][:]
            for k in ("scores", "path", "log_scale", "logp_clean", "done")
        }
    tally = Tally(len(results[0].scores))
    logp_worst, other_tokens, shared = 0.0, 0, []
    for row, result in zip(rows, results):
        if row["id"] not in ids or not part["done"][ids.index(row["id"])]:
            sys.exit(
                f"bench_torch: {path} has no scores of {row['id']}: let mip score more samples"
            )
        i = ids.index(row["id"])
        other_tokens += n_tokens[row["id"]] != result.n_tokens
        for mine, its in zip(result.paths.tolist(), part["path"][i].tolist()):
            shared.append(len(set(mine) & set(its)) / len(mine))
        logp_worst = max(logp_worst, abs(part["logp_clean"][i] - result.logp_clean))
        compare_sample(
            tally, row["id"], result, part["scores"][i], part["path"][i], part["log_scale"][i]
        )
    for l, worst in enumerate(tally.worst):
        print(f"layer {l}: largest difference {worst:.1e} of the layer's largest score")
    n = tally.layer_samples
    print(
        f"log p(answer): largest difference {logp_worst:.1e}; "
        f"prompts of another length: {other_tokens}"
    )
    print(
        f"best {args.top_k} equal in {tally.same_sets} of {n} layer-samples, "
        f"representative in {tally.same_representatives}"
    )
    if tally.off_path:
        print(f"{tally.off_path} layer-samples not compared: above another representative")
    for note in tally.notes:
        print(f"  {note}")
    good = (
        max(tally.worst) <= SCORE_TOLERANCE
        and tally.same_sets >= EQUAL_SETS * n
        and not tally.unexplained
    )
    good = good and not other_tokens and tally.off_path <= (1 - EQUAL_SETS) * n
    print(
        f"{'PASS' if good else 'FAIL'}: scores within {SCORE_TOLERANCE:g} of a layer's largest, "
        f"equal sets in >= {EQUAL_SETS:.0%}, every other choice a near tie, prompts of equal length"
    )
    return good, sum(shared) / len(shared)


def main():
    parser = argparse.ArgumentParser(
        description="path attribution in PyTorch, one full forward and backward per layer and node"
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--modality", choices=["text", "vision"], default="text")
    parser.add_argument("--samples", type=int, default=8, help="the first N rows")
    parser.add_argument(
        "--among-first", action="store_true", help="N counts rows as attribute.max_samples does"
    )
    parser.add_argument("--only", choices=["image", "text"], default="", help="rows of this kind")
    parser.add_argument("--forget", type=int, default=15, help="percent: split forget_<percent>")
    parser.add_argument("--quadrature", default="radau5")
    parser.add_argument("--top-k", type=int, default=5)
    parser.add_argument(
        "--score", choices=["product", "own", "sum"], default="product", help="text only"
    )
    parser.add_argument(
        "--nodes-at-once", type=int, default=1, help="nodes in one batch; 1 is the plain loop"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--positions", choices=["last_prompt", "first"], default="last_prompt", help="text only"
    )
    parser.add_argument(
        "--dtype", choices=list(DTYPES), default="f32", help="of weights and all they compute"
    )
    parser.add_argument("--attention", choices=["eager", "sdpa"], default="eager")
    parser.add_argument(
        "--trainable", action="store_true", help="with the gradients of all weights, as released"
    )
    parser.add_argument("--pilot", action="store_true", help="one node of one layer of one row")
    parser.add_argument("--out", type=Path, help="safetensors with scores and paths")
    parser.add_argument("--check", type=Path, metavar="H5", help="attribution.h5 of mip")
    parser.add_argument("--json", action="store_true", help="a last line with the figures as JSON")
    args = parser.parse_args()
    if args.check:
        check_settings(args.check, args)
    torch.set_num_threads(args.threads)
    transformers.utils.logging.disable_progress_bar()
    model = load_model(args.model, DTYPES[args.dtype], args.attention)
    model = model if args.trainable else freeze(model)
    processor = load_processor(args.model)
    rows = question_rows(
        args.data, args.forget, args.modality, args.only, args.samples, args.among_first
    )
    if not rows:
        sys.exit(f"bench_torch: {args.data}/train.jsonl has no such rows")
    results, seconds, cpu = run(model, processor, args.data, rows, args)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    n = len(rows)
    print(
        f"{n} samples, {seconds / n:.3f} s per sample ({cpu / n:.3f} s CPU), "
        f"{args.threads} threads, peak memory {peak:.0f} MiB"
    )
    if args.out:
        write(args.out, rows, results, args)
    good, shared = check(args.check, rows, results, args) if args.check else (True, 1.0)
    if args.json:
        found = {"samples": n, "seconds": seconds, "cpu": cpu, "peak_mib": peak}
        print(json.dumps(found | {"equal": good, "shared": shared}))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
