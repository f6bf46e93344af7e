#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench/run.sh - the whole benchmark: products, loading, generation, attribution beside PyTorch.
#
# Usage   bench/run.sh [--quick]     --quick: the demo model only, two samples
#         MIP_THREADS threads on both sides, default 1
# Needs   build/release/mip, and a Python environment, $MIP_VENV or .venv, with the packages of
#         scripts/goldens/requirements.txt and h5py; `make real` for SmolLM2 (else left out).
#         Makes build/bench/middle, 886 MB, once.
set -eu
cd "$(dirname "$0")/.."
venv="${MIP_VENV:-.venv}"
python="$venv/bin/python"

if [ ! -x build/release/mip ]; then
    echo "bench: build/release/mip is missing; run: make" >&2
    exit 3
fi
if ! "$python" -c 'import torch, transformers, safetensors, h5py' 2>/dev/null; then
    echo "bench: $python is missing or lacks torch, transformers, safetensors or h5py; run:" >&2
    echo "  python3 -m venv $venv" >&2
    echo "  $venv/bin/pip install -r scripts/goldens/requirements.txt h5py" >&2
    exit 3
fi
export MIP_THREADS="${MIP_THREADS:-1}"
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}" # spinning threads disturb a busy machine

if [ "${1:-}" != --quick ]; then
    [ -d build/bench/middle/data ] || "$python" bench/make_middle.py build/bench/middle
    build/release/mip bench gemm
    for model in build/bench/middle/model build/real/smollm2-135m; do
        [ ! -d "$model" ] || build/release/mip bench load --model "$model"
    done
fi
"$python" bench/generate.py --threads "$MIP_THREADS" "$@"
"$python" bench/attribute.py --threads "$MIP_THREADS" "$@"
