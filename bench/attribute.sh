#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench/attribute.sh - `mip attribute` against the plain loop in PyTorch: same samples, same threads.
#
# Usage   bench/attribute.sh [SAMPLES] [REPEATS]   default: 12 samples, best of 3
#         MIP_THREADS threads on both sides, default 1
# Needs   build/release/mip, and a Python environment, $MIP_VENV or .venv, with the packages of
#         scripts/goldens/requirements.txt and h5py
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
exec "$python" bench/attribute.py --samples "${1:-12}" --repeats "${2:-3}" --threads "$MIP_THREADS"
