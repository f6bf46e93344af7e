#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/make_goldens.py - make the files of tests/golden with the reference implementations.

What    runs the modules of scripts/goldens: the tiny models and their cases (transformers),
        tokenizer (tokenizers), images (Pillow, transformers), AdamW (torch), an edit, path
        attribution and the released code's location of neurons (both). Checks the oracle first
        and stops at the first failed check.
Usage   python scripts/make_goldens.py [--out tests/golden]
            [--only qwen25vl qwen2vl llava causal bf16 tokenizer tokenizers image adamw edit attribution
            official]
Needs   pip install -r scripts/goldens/requirements.txt; two runs write the same bytes."""

import argparse
import os
import sys
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"  # tokenizers: training in a fixed order
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch  # noqa: E402  (after the environment)
import transformers  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from goldens import adamw, attribution, base, bf16, cases, causal_tiny, edit, images  # noqa: E402
from goldens import llava_tiny, official, qwen25vl_tiny, qwen2vl_tiny, text  # noqa: E402
from goldens import tokenizers_other  # noqa: E402


def family(*modules):
    """The part that makes the folders of these families."""
    return lambda out: [cases.make(m, out / m.FAMILY) for m in modules]


PARTS = {
    "qwen25vl": family(qwen25vl_tiny),  # first: others use its tokenizer and image files
    "qwen2vl": family(qwen2vl_tiny),
    "llava": family(llava_tiny),
    "causal": family(*causal_tiny.FAMILIES),
    "bf16": bf16.make,  # after the cases of all families
    "tokenizer": lambda out: text.make(out, out / qwen25vl_tiny.FAMILY / "model" / "tokenizer.json"),
    "tokenizers": tokenizers_other.make,
    "image": lambda out: images.make(out, out / qwen25vl_tiny.FAMILY / "model" / "preprocessor_config.json"),
    "adamw": adamw.make,
    "edit": lambda out: edit.make(out, out / qwen25vl_tiny.FAMILY / "model"),
    "attribution": lambda out: attribution.make(out, out / qwen25vl_tiny.FAMILY),
    "official": official.make,
}


def main():
    parser = argparse.ArgumentParser(description="make tests/golden with the reference implementations")
    parser.add_argument("--out", type=Path, default=HERE.parent / "tests" / "golden")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.utils.logging.disable_progress_bar()
    base.check_versions()
    for name in args.only:
        print(f"making {name}", flush=True)
        PARTS[name](args.out)
    files = [f for f in args.out.rglob("*") if f.is_file()]
    print(f"{len(files)} files, {sum(f.stat().st_size for f in files) / 1e6:.2f} MB in {args.out}")


if __name__ == "__main__":
    main()
