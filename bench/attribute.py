# SPDX-License-Identifier: Apache-2.0
"""bench/attribute.py - attribution by mip beside the plain loop in PyTorch, shape by shape.

What    per shape, dtype and modality: the loop with the released code's left4 at its position 0,
        gradients of all weights (as released) and frozen weights, in the faster of eager and sdpa;
        then mip with the same rule, whose scores must be equal in f32, and with cheaper ones.
        The attention is chosen by a pilot: forward and backward of one node, a process each.
Cells   s/sample begins when the model is loaded. CPU s is stretched less by other work; that of mip
        has the loading of the model in it, divided by its samples. x rel. and x frozen: how many
        times faster than the two loops of the same dtype. error: median completeness error of the
        layers, text only. shared: share of the best 5 neurons that loop and mip both have.
Output  `# key: value` lines, then a table a shape; exit 1 if scores in f32 differ
        (scripts/bench_torch.py says when).
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

MIP, OUT = "build/release/mip", Path("build/bench")
CONFIG = """name: bench
model: {{path: {model}, dtype: {dtype}}}
data: {{path: {data}, forget: 15}}
attribute: {{modalities: [{modality}], quadrature: {rule}, top_k: 5, positions: {positions},
            aggregate: union, max_samples: {samples}}}
output: {output}
"""
# A fresh interpreter in between: the peak of children is the largest of all so far.
PROBE = (
    "import resource,subprocess,sys; r=subprocess.run(sys.argv[1:],stdout=2).returncode; "
    "u=resource.getrusage(resource.RUSAGE_CHILDREN); "
    "print(u.ru_maxrss, u.ru_utime+u.ru_stime); sys.exit(r)"
)
RULES = {
    "text": [
        ("left4", "first"),
        ("radau5", "first"),
        ("radau3", "first"),
        ("radau2", "first"),
        ("radau2", "last_prompt"),
    ],
    "vision": [("left4", "last_prompt"), ("radau2", "last_prompt")],
}


@dataclass
class Shape:
    name: str
    model: str
    data: str
    modalities: tuple
    samples: int
    made_by: str


SHAPES = [
    Shape("demo", "demo/model/vanilla", "demo/data", ("text", "vision"), 12, ""),
    Shape(
        "middle",
        "build/bench/middle/model",
        "build/bench/middle/data",
        ("text",),
        1,
        "bench/make_middle.py build/bench/middle",
    ),
    Shape(
        "smollm2", "build/real/smollm2-135m", "build/real/facts", ("text",), 1, "make real"
    ),
]


def child(command):
    """(stdout, stderr) of a command that ends with 0 or 1; any other status is the end."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"bench: {' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout, done.stderr


def run_mip(shape, samples, modality, dtype, rule, positions):
    """Figures of one run; its scores stay in `scores`."""
    output = OUT / "runs" / f"{shape.name}-{modality}-{dtype}-{rule}-{positions}"
    shutil.rmtree(output, ignore_errors=True)
    config = output.with_suffix(".yaml")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(
        CONFIG.format(
            model=shape.model,
            dtype=dtype,
            data=shape.data,
            modality=modality,
            rule=rule,
            positions=positions,
            samples=samples,
            output=output,
        )
    )
    said, complained = child([sys.executable, "-c", PROBE, MIP, "attribute", str(config)])
    if not (output / "attribution.h5").exists():
        sys.exit(f"bench: mip failed\n{complained}")
    stage = json.loads((output / "manifest.json").read_text())["stages"]["attribute"]
    peak, cpu = said.split()
    return {
        "seconds": stage["seconds"],
        "cpu": float(cpu),
        "peak_mib": int(peak) / 1024,
        "scores": output / "attribution.h5",
    }


def torch_command(shape, args, modality, dtype, attention, trainable):
    command = [sys.executable, "scripts/bench_torch.py", shape.model, shape.data, "--json"]
    command += ["--modality", modality, "--quadrature", "left4", "--dtype", dtype]
    command += ["--attention", attention, "--threads", str(args.threads)]
    command += ["--positions", "first" if modality == "text" else "last_prompt"]
    return command + (["--trainable"] if trainable else [])


def torch_figures(command):
    said, complained = child(command)
    try:
        found = json.loads(said.splitlines()[-1])
    except (IndexError, ValueError):
        sys.exit(f"bench: {' '.join(command)}\n{said}{complained}")
    if not found["equal"] and "bf16" not in command:
        print(said, file=sys.stderr)
    return found


def run_torch(shape, samples, args, modality, dtype, scores):
    """[(program, figures)] of the loop with trainable and with frozen weights."""
    pilots = {}
    for attention in ("eager", "sdpa"):
        command = torch_command(shape, args, modality, dtype, attention, True)
        pilots[attention] = torch_figures(command + ["--pilot", "--samples", "1"])["cpu"]
    attention = min(pilots, key=pilots.get)
    print(
        f"# pilot {modality} {dtype}: "
        + ", ".join(f"{name} {cpu:.3f} CPU s" for name, cpu in pilots.items()),
        flush=True,
    )
    out = []
    for trainable in (True, False):
        command = torch_command(shape, args, modality, dtype, attention, trainable)
        command += ["--samples", str(samples), "--among-first", "--check", str(scores)]
        name = "as released" if trainable else "frozen"
        out.append((f"torch {attention}, {name}", torch_figures(command)))
    return out


def median_error(path):
    """Median completeness error over samples and layers."""
    import h5py

    with h5py.File(path) as file:
        done = file["text/done"][:] != 0
        return statistics.median(file["text/completeness"][:][done].flatten().tolist())


def print_row(modality, dtype, rule, program, samples, r, opponents):
    def times(key):
        return " ".join(f"{o[key] / o['samples'] / (r[key] / samples):8.1f}" for o in opponents)

    error = f"{100 * r['error']:.1f} %" if "error" in r else ""
    scores = ""
    if "equal" in r:
        scores = f"{r['shared']:.3f}"
        if dtype == "f32":
            scores += " equal" if r["equal"] else " NOT EQUAL"
    print(
        f"{modality:6} {dtype:4} {rule:18} {program:24} {samples:3} {r['seconds'] / samples:9.4f} "
        f"{times('seconds')} {r['cpu'] / samples:9.4f} {times('cpu')} {r['peak_mib']:8.0f} "
        f"{error:>8}  {scores}",
        flush=True,
    )


def measure(shape, args, modality, dtype):
    """Print the rows of one modality and dtype; whether all scores that must be are equal."""
    samples = min(shape.samples, 2) if args.quick else shape.samples
    runs = []
    for rule, positions in RULES[modality]:
        r = run_mip(shape, samples, modality, dtype, rule, positions)
        if modality == "text":
            r["error"] = median_error(r["scores"])
        place = {"first": "row 0", "last_prompt": "last prompt"}[positions]
        runs.append((f"{rule}, {place}" if modality == "text" else rule, "mip", r))
    loops = run_torch(shape, samples, args, modality, dtype, runs[0][2]["scores"])
    opponents = [r for _, r in loops]
    scored = opponents[0]["samples"]
    for program, r in loops:
        print_row(modality, dtype, runs[0][0], program, scored, r, opponents)
    for rule, program, r in runs:
        print_row(modality, dtype, rule, program, scored, r, opponents)
    return all(r["equal"] for r in opponents) or dtype != "f32"


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
    lines |= {name: version(name) for name in ("torch", "transformers")}
    for key, value in lines.items():
        print(f"# {key}: {value}", flush=True)


def print_load(when):
    print(f"# load {when}: {' '.join(f'{v:.1f}' for v in os.getloadavg())}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="mip attribute against the plain loop in PyTorch")
    parser.add_argument("--quick", action="store_true", help="the demo model only, two samples")
    parser.add_argument("--shape", choices=[s.name for s in SHAPES], help="this one only")
    parser.add_argument("--dtype", choices=["f32", "bf16"], help="this one only")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    header(args)
    equal = True
    for shape in SHAPES[:1] if args.quick else SHAPES:
        if args.shape not in (None, shape.name):
            continue
        if not Path(shape.model).exists():
            print(f"\n# {shape.name}: left out, no {shape.model}; made by: {shape.made_by}")
            continue
        print(f"\n# shape: {shape.name}, {shape.model}")
        print_load("before")
        times = f"{'x rel.':>8} {'x frozen':>8}"
        print(
            f"{'':6} {'':4} {'rule':18} {'program':24} {'n':>3} {'s/sample':>9} {times} "
            f"{'CPU s':>9} {times} {'peak MiB':>8} {'error':>8}  shared"
        )
        for modality in shape.modalities:
            for dtype in ("f32", "bf16") if args.dtype is None else (args.dtype,):
                equal = measure(shape, args, modality, dtype) and equal
        print_load("after")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
