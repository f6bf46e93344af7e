# SPDX-License-Identifier: Apache-2.0
"""bench/attribute.py - the table of bench/attribute.sh.

What    per modality: the plain loop (one node at a time, and all nodes of the rule in one batch)
        and mip, all left4; then mip radau5. The programs take turns REPEATS times; a cell is the
        best of them. Seconds begin after the model is loaded. CPU seconds are what a busy machine
        stretches less; those of mip include loading the model.
Output  `# key: value` lines, then a table; exit 1 if scores differ (see scripts/bench_torch.py).
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

MODEL, DATA, MIP = "demo/model/vanilla", "demo/data", "build/release/mip"
OUT = Path("build/bench")
CONFIG = """name: bench
model: {{path: {model}, dtype: f32}}
data: {{path: {data}, forget: 15}}
attribute: {{modalities: [{modality}], quadrature: {rule}, top_k: 5, positions: last_prompt,
            aggregate: union, max_samples: {samples}}}
output: {output}
"""


def child(command):
    """(stdout, stderr, exit status 0 or 1); any other status is the end."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said, complained = process.communicate()
    if process.returncode not in (0, 1):
        sys.exit(f"bench: {' '.join(command)}: exit {process.returncode}\n{complained}")
    return said, complained, process.returncode


def run_mip(args, modality, rule):
    output = OUT / f"{modality}-{rule}"
    shutil.rmtree(output, ignore_errors=True)
    config = OUT / f"{modality}-{rule}.yaml"
    config.write_text(
        CONFIG.format(
            model=MODEL,
            data=DATA,
            modality=modality,
            rule=rule,
            samples=args.samples,
            output=output,
        )
    )
    # a fresh interpreter in between: the peak of children is the largest of all so far
    probe = "import resource,subprocess,sys; r=subprocess.run(sys.argv[1:],stdout=2).returncode; "
    probe += "u=resource.getrusage(resource.RUSAGE_CHILDREN); "
    probe += "print(u.ru_maxrss, u.ru_utime+u.ru_stime); sys.exit(r)"
    said, complained, code = child([sys.executable, "-c", probe, MIP, "attribute", str(config)])
    if code != 0:
        sys.exit(f"bench: mip failed\n{complained}")
    stage = json.loads((output / "manifest.json").read_text())["stages"]["attribute"]
    peak, cpu = said.split()
    return {"seconds": stage["seconds"], "cpu": float(cpu), "peak_mib": int(peak) / 1024}


def run_torch(args, modality, rule, nodes):
    command = [
        sys.executable,
        "scripts/bench_torch.py",
        MODEL,
        DATA,
        "--modality",
        modality,
        "--quadrature",
        rule,
    ]
    command += [
        "--samples",
        str(args.samples),
        "--among-first",
        "--nodes-at-once",
        str(nodes),
        "--json",
    ]
    command += [
        "--threads",
        str(args.threads),
        "--check",
        str(OUT / f"{modality}-{rule}" / "attribution.h5"),
    ]
    said, complained, code = child(command)
    try:
        found = json.loads(said.splitlines()[-1])
    except (IndexError, ValueError):
        sys.exit(f"bench: bench_torch.py exit {code}\n{said}{complained}")
    if not found["equal"]:
        print(said, file=sys.stderr)
    return found


def best(runs):
    """The least seconds, the largest peak, and equal only if all were."""
    chosen = dict(runs[0])
    for key in ("seconds", "cpu"):
        chosen[key] = min(r[key] for r in runs)
    chosen["peak_mib"] = max(r["peak_mib"] for r in runs)
    if "equal" in chosen:
        chosen["equal"] = all(r["equal"] for r in runs)
    return chosen


def measure(args, modality):
    """[(rule, program, result)] of one modality."""
    mip, plain, batched, accurate = [], [], [], []
    for _ in range(args.repeats):
        mip.append(run_mip(args, modality, "left4"))
        plain.append(run_torch(args, modality, "left4", 1))
        batched.append(run_torch(args, modality, "left4", 4))
        accurate.append(run_mip(args, modality, "radau5"))
    rows = [
        ("left4", "torch, plain loop", best(plain)),
        ("left4", "torch, 4 nodes a batch", best(batched)),
    ]
    return rows + [("left4", "mip", best(mip)), ("radau5", "mip", best(accurate))]


def header(args):
    said = subprocess.run(
        [MIP, "version"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    lines = {"commit": next(line.split()[1] for line in said if line.split()[0] == "commit")}
    lines |= {
        "cpu": f"{cpu.group(1) if cpu else 'unknown'}, {os.cpu_count()} cores",
        "threads": args.threads,
    }
    # not by importing them: the peak memory of a child includes that of its parent
    lines |= {name: version(name) for name in ("torch", "transformers")} | {"model": MODEL}
    lines |= {
        "samples": f"first {args.samples} of split forget_15",
        "repeats": f"best of {args.repeats}",
    }
    lines["load at the start"] = " ".join(f"{v:.1f}" for v in os.getloadavg())
    for key, value in lines.items():
        print(f"# {key}: {value}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="mip attribute against the plain loop in PyTorch")
    parser.add_argument("--samples", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    header(args)
    heads = f"{'modality':9} {'rule':7} {'program':23} {'samples':>7} {'s/sample':>9} {'ratio':>6}"
    print(f"{heads} {'CPU s':>9} {'ratio':>6} {'peak MiB':>9}  scores as mip's")
    equal = True
    for modality in ("text", "vision"):
        rows = measure(args, modality)
        plain = rows[0][2]
        n = plain["samples"]
        for rule, program, r in rows:
            same = {True: "yes", False: "NO", None: ""}[r.get("equal")]
            equal = equal and r.get("equal", True)
            print(
                f"{modality:9} {rule:7} {program:23} {n:7} "
                f"{r['seconds'] / n:9.4f} {plain['seconds'] / r['seconds']:6.1f} "
                f"{r['cpu'] / n:9.4f} {plain['cpu'] / r['cpu']:6.1f} {r['peak_mib']:9.0f}  {same}",
                flush=True,
            )
    print(f"# load at the end: {' '.join(f'{v:.1f}' for v in os.getloadavg())}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
