# SPDX-License-Identifier: Apache-2.0
"""bench/generate.py - greedy decoding by `mip bench generate` beside transformers' generate.

What    the same prompts of random ids, 1 and 16 at a time, answers of a fixed length without stop
        tokens; per dtype the faster of eager and sdpa against mip with weights of that dtype.
Cells   seconds of a whole batch, the fastest of three runs on both sides. same ids: answers that
        are equal to those of transformers in f32; in bf16 the two round differently, and so may
        two f32 programs at a near tie.
Output  a table; exit 1 if fewer than EQUAL of the f32 answers are equal.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scripts"))

import torch  # noqa: E402  (after the path)
import transformers  # noqa: E402
from check_in_transformers import load_model  # noqa: E402
from goldens import parts  # noqa: E402

MIP = "build/release/mip"
MODELS = {"demo": "demo/model/vanilla", "smollm2": "build/real/smollm2-135m"}
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
REPEATS, EQUAL = 3, 0.9


def run_mip(args, model, dtype, batch):
    command = [args.mip, "bench", "generate", "--json", "--model", model, "--dtype", dtype]
    command += ["--batch", str(batch), "--prompt-tokens", str(args.prompt_tokens)]
    command += ["--new-tokens", str(args.new_tokens)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def run_torch(model, prompts, n):
    """(seconds, CPU seconds, answers)."""
    options = {
        "do_sample": False,
        "temperature": None,
        "top_p": None,
        "top_k": None,
        "repetition_penalty": 1.0,
        "max_new_tokens": n,
        "eos_token_id": None,
        "pad_token_id": 0,
    }
    best, best_cpu = float("inf"), float("inf")
    for _ in range(REPEATS):
        parts.forget_positions(model)
        begin, begin_cpu = time.perf_counter(), time.process_time()
        with torch.no_grad():
            ids = model.generate(prompts, attention_mask=torch.ones_like(prompts), **options)
        best = min(best, time.perf_counter() - begin)
        best_cpu = min(best_cpu, time.process_time() - begin_cpu)
    return best, best_cpu, ids[:, prompts.shape[1] :].tolist()


def measure(args, name, model):
    """Print the rows of one model; share of the f32 answers that are equal."""
    found, wanted, same = {}, {}, {}
    for dtype in DTYPES:
        for batch in (1, 16):
            found[dtype, batch] = run_mip(args, model, dtype, batch)
    for dtype in DTYPES:
        torch_runs = {}
        for attention in ("eager", "sdpa"):
            loaded = load_model(model, DTYPES[dtype], attention)
            for batch in (1, 16):
                prompts = torch.tensor(found["f32", batch]["prompts"]).reshape(batch, -1)
                torch_runs[batch, attention] = run_torch(loaded, prompts, args.new_tokens)
            del loaded
        for batch in (1, 16):
            attention = min(("eager", "sdpa"), key=lambda a: torch_runs[batch, a][1])
            seconds, cpu, answers = torch_runs[batch, attention]
            wanted.setdefault(batch, answers)
            mine = found[dtype, batch]
            same[dtype, batch] = sum(a == b for a, b in zip(mine["answers"], wanted[batch])) / batch
            for program, s, c in (
                (f"transformers {attention}", seconds, cpu),
                ("mip", mine["seconds"], mine["cpu_seconds"]),
            ):
                equal = f"{same[dtype, batch]:.2f}" if program == "mip" else ""
                print(
                    f"{name:8} {dtype:5} {batch:5} {program:19} {s:8.3f} {seconds / s:6.1f} {c:8.3f} "
                    f"{cpu / c:6.1f} {batch * args.new_tokens / s:9.1f}  {equal}",
                    flush=True,
                )
    return min(same["f32", 1], same["f32", 16])


def main():
    parser = argparse.ArgumentParser(description="mip bench generate beside transformers generate")
    parser.add_argument("--quick", action="store_true", help="the demo model only")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--prompt-tokens", type=int, default=64)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--mip", default=MIP)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    transformers.utils.logging.disable_progress_bar()
    print(f"# greedy, {args.prompt_tokens} + {args.new_tokens} tokens, {args.threads} threads")
    print(
        f"{'':8} {'':5} {'batch':>5} {'':19} {'seconds':>8} {'ratio':>6} {'CPU s':>8} {'ratio':>6} "
        f"{'tokens/s':>9}  same ids"
    )
    equal = True
    for name, model in MODELS.items():
        if (args.quick and name != "demo") or not Path(model).exists():
            continue
        equal = measure(args, name, model) >= EQUAL and equal
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
