#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/compare_bf16.py - what model.dtype bf16 changes in the results of a config: the same
questions and the same attribution in f32 and in bf16.

What    runs `mip eval` (edit.method none) and `mip attribute` twice each; prints the share of equal
        answers and of equal verdicts, accuracies, and per modality the share of equal best-K
        sets, the overlap of the best K, and the median relative L2 distance of a layer's scores.
Usage   python scripts/compare_bf16.py CONFIG [--mip PATH] [--keep DIR] [--set KEY=VALUE]...
Needs   numpy, h5py"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).resolve().parent
DTYPES = ("f32", "bf16")


def run_mip(mip, command, args, out, dtype, more):
    sets = [f"output={out}", f"model.dtype={dtype}", *more, *args.set]
    line = [mip, command, args.config] + [word for s in sets for word in ("--set", s)]
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"compare_bf16: {' '.join(line)}\n{done.stderr}")


def answers(folder):
    lines = (folder / "eval" / "items.jsonl").read_text().splitlines()
    return {r["id"]: r for r in map(json.loads, lines)}


def compare_answers(f32, bf16):
    if f32.keys() != bf16.keys():
        sys.exit("compare_bf16: the two runs answered different questions")
    n = len(f32)
    same = sum(f32[i]["tokens"] == bf16[i]["tokens"] for i in f32)
    verdict = sum(f32[i]["correct"] == bf16[i]["correct"] for i in f32)
    right = [sum(r["correct"] for r in run.values()) for run in (f32, bf16)]
    print(f"answers     {n} questions: {same / n:.3f} the same tokens, {verdict / n:.3f} the same verdict")
    print(f"            right: f32 {right[0] / n:.3f}, bf16 {right[1] / n:.3f}")


def compare_scores(f32, bf16, modality):
    done = (f32[modality]["done"][:] == 1) & (bf16[modality]["done"][:] == 1)
    a, b = (f[modality]["scores"][:][done].astype(np.float64) for f in (f32, bf16))
    paths = [f[modality]["path"][:][done] for f in (f32, bf16)]
    overlap = np.array([len(set(p) & set(q)) for pa, qa in zip(*paths) for p, q in zip(pa, qa)])
    k = paths[0].shape[2]
    distance = np.linalg.norm(a - b, axis=2) / np.maximum(np.linalg.norm(a, axis=2), 1e-300)
    first = np.mean(paths[0][:, :, 0] == paths[1][:, :, 0])
    print(
        f"{modality:11} {a.shape[0]} samples x {a.shape[1]} layers: best {k} equal in {np.mean(overlap == k):.3f}, "
        f"overlap {np.mean(overlap) / k:.3f}, best one equal in {first:.3f}; "
        f"scores differ by {np.median(distance):.3f} of their length (median)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config")
    parser.add_argument("--mip", default=str(HERE.parent / "build" / "release" / "mip"))
    parser.add_argument("--keep", type=Path, help="folder for the runs; without it they are removed")
    parser.add_argument("--set", action="append", default=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = args.keep or Path(temporary)
        for dtype in DTYPES:
            run_mip(args.mip, "eval", args, root / f"eval-{dtype}", dtype, ["edit.method=none"])
            run_mip(args.mip, "attribute", args, root / dtype, dtype, [])
        compare_answers(*(answers(root / f"eval-{dtype}") for dtype in DTYPES))
        f32, bf16 = (h5py.File(root / dtype / "attribution.h5", "r") for dtype in DTYPES)
        for modality in ("text", "vision"):
            if modality in f32:
                compare_scores(f32, bf16, modality)


if __name__ == "__main__":
    main()
