#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/check_in_transformers.py - does transformers generate what `mip generate`
generates from a model folder?

What    loads MODEL_DIR in transformers (F32, eager, CPU), decodes greedily with the folder's
        repetition penalty and stop ids, runs mip on the same prompts, compares the ids.
        One line per prompt; exit 0 only if all agree. A difference is forgiven (and said)
        only at a step whose two best logits are within TIE of each other.
Usage   python scripts/check_in_transformers.py MODEL_DIR [--prompt TEXT]... [--image FILE]...
        [--mip PATH] images go in front of the text of every prompt, in one user message
        of the folder's chat template; for every family
Needs   pip install -r scripts/goldens/requirements.txt"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch  # noqa: E402  (after the environment)
import transformers  # noqa: E402
from PIL import Image  # noqa: E402
from transformers import AutoConfig, AutoModelForCausalLM  # noqa: E402
from transformers import AutoModelForImageTextToText, GenerationConfig  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from goldens import parts  # noqa: E402
from goldens.hf_processor import load_processor  # noqa: E402
from goldens.prompts import messages  # noqa: E402

TIE = 1e-3
TEXT_ONLY = ("llama", "qwen2")
PROMPTS = [
    "What is the name of this person?",
    "Where was the person born?",
    "Describe this person in one sentence.",
]


def is_text_only(folder):
    return AutoConfig.from_pretrained(str(folder)).model_type in TEXT_ONLY


def load_model(folder, dtype=torch.float32, attention="eager"):
    kind = AutoModelForCausalLM if is_text_only(folder) else AutoModelForImageTextToText
    model, report = kind.from_pretrained(
        str(folder), dtype=dtype, attn_implementation=attention, output_loading_info=True
    )
    bad = {k: v for k, v in report.items() if v}
    if bad:
        sys.exit(f"{folder} does not load cleanly: {bad}")
    return model.eval()


def chat_inputs(processor, prompt, images, answer=None):
    """What the processor makes of one user turn, the images in front, and of the answer to it."""
    text = processor.apply_chat_template(
        messages(prompt, len(images), answer), tokenize=False, add_generation_prompt=answer is None
    )
    return model_inputs(processor, text, [Image.open(f) for f in images])


def model_inputs(processor, text, images):
    found = processor(text=[text], images=images or None, return_tensors="pt")
    # a tokenizer without a class of its own also makes token types, which the models refuse
    return {key: value for key, value in found.items() if key != "token_type_ids"}


def reference(model, processor, prompt, images, limit):
    """(generated ids, gap of the two best scores at each step), as transformers' own
    generate gives them."""
    inputs = chat_inputs(processor, prompt, images)
    parts.forget_positions(model)  # of an earlier prompt
    with torch.no_grad():
        result = model.generate(
            **inputs,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            max_new_tokens=limit,
            return_dict_in_generate=True,
            output_scores=True,
        )
    gaps = []
    for score in result.scores:
        best = score[0].float().topk(2).values
        gaps.append((best[0] - best[1]).item())
    return result.sequences[0, inputs["input_ids"].shape[1] :].tolist(), gaps


def ask_mip(mip, folder, prompt, images, limit):
    """(ids, None) or (None, why not)."""
    command = [
        mip,
        "generate",
        "--json",
        "--model",
        str(folder),
        "--prompt",
        prompt,
        "--max-new-tokens",
        str(limit),
    ]
    for image in images:
        command += ["--image", image]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return None, f"cannot run {mip}: {error.strerror}"
    if done.returncode != 0:
        return None, f"mip exit {done.returncode}: {done.stderr.strip()[-300:]}"
    try:
        return [int(i) for i in json.loads(done.stdout)["ids"]], None
    except (ValueError, KeyError, TypeError) as error:
        return None, f"mip's output is not {{\"ids\":[...]}}: {error}"


def without_stop(ids, stops):
    """The stop id itself may or may not be part of an answer."""
    return ids[:-1] if ids and ids[-1] in stops else ids


def compare(wanted, gaps, found, stops):
    """(agrees, what to print)."""
    wanted_text, found_text = without_stop(wanted, stops), without_stop(found, stops)
    if wanted_text == found_text:
        return True, f"{len(wanted_text)} ids equal"
    common = min(len(wanted_text), len(found_text))
    step = next((i for i in range(common) if wanted_text[i] != found_text[i]), common)
    gap = gaps[step] if step < len(gaps) else float("inf")
    if gap < TIE:
        return True, f"{step} ids equal, then a tie (the two best are {gap:.1e} apart)"
    return (
        False,
        f"differ at {step}: transformers {wanted[step : step + 4]}, mip {found[step : step + 4]} (gap {gap:.2g})",
    )


def stop_ids(config):
    eos = config.eos_token_id
    return set(eos) if isinstance(eos, (list, tuple)) else {eos}


def main():
    parser = argparse.ArgumentParser(
        description="compare greedy ids of transformers and mip on one model folder"
    )
    parser.add_argument("model", type=Path)
    parser.add_argument(
        "--prompt", action="append", help="may be given several times; default: three questions"
    )
    parser.add_argument(
        "--image", action="append", default=[], help="PNG or JPEG, in front of every prompt"
    )
    parser.add_argument("--mip", default=str(HERE.parent / "build" / "release" / "mip"))
    parser.add_argument("--max-new-tokens", type=int, default=24)
    args = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    model = load_model(args.model)
    if args.image and is_text_only(args.model):
        sys.exit(f"check_in_transformers: {args.model} reads text only")
    processor = load_processor(args.model)
    stops = stop_ids(GenerationConfig.from_pretrained(str(args.model)))
    failed, prompts = 0, args.prompt or PROMPTS
    for prompt in prompts:
        wanted, gaps = reference(model, processor, prompt, args.image, args.max_new_tokens)
        found, why = ask_mip(args.mip, args.model, prompt, args.image, args.max_new_tokens)
        agrees, text = (False, why) if found is None else compare(wanted, gaps, found, stops)
        failed += not agrees
        print(f"{'PASS' if agrees else 'FAIL'}  {prompt!r}: {text}", flush=True)
    print(
        f"{'PASS' if not failed else 'FAIL'}: {len(prompts) - failed} of {len(prompts)} prompts agree"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
