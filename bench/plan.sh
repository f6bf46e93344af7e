#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench/plan.sh - what `mip plan` says a stage needs, and what it then takes.
#
# Usage   bench/plan.sh [SAMPLES]   default 8
# What    The demo's stages, and attribution with SmolLM2-135M where `make real` has left it below
#         build/real: each in a process of its own, once with plenty of memory, then with less.
#         planned = program + weights + work, measured = largest resident set (manifest.json).
# Needs   build/release/mip; a folder for the runs is made below build/ and removed.
set -eu
cd "$(dirname "$0")/.."
mip=build/release/mip
samples=${1:-8}
if [ ! -x $mip ]; then
    echo "bench: $mip is missing; run: make" >&2
    exit 3
fi
TIMEFORMAT='user %U'
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
mkdir -p build
work=$(mktemp -d build/bench-plan.XXXXXX)
trap 'rm -rf "$work"' EXIT

# number STAGE KEY RUN: of the manifest.
number() {
    tr -d '\n ' <"$3/manifest.json" | grep -oE "\"$1\":\{[^}]*" | grep -oE "\"$2\":[0-9.e+-]+" |
        sed 's/.*://'
}

# stage NAME RUN STAGE ARGUMENTS...: runs it, one line of the table.
stage() {
    local name=$1 run=$2 stage=$3 how user
    shift 3
    { time "$mip" "$stage" "$@" --set output="$run" >"$work/out"; } 2>"$work/err" ||
        { cat "$work/err" >&2; exit 1; }
    how=$(sed -n 's/^\[warn\] memory is short: //p' "$work/err" | tr '\n' ';')
    user=$(sed -n 's/^user //p' "$work/err")
    awk -v name="$name" -v stage="$stage" -v how="${how:-plenty}" -v user="$user" \
        -v planned="$(number "$stage" planned_bytes "$run")" \
        -v measured="$(number "$stage" peak_bytes "$run")" \
        -v seconds="$(number "$stage" seconds "$run")" 'BEGIN {
            printf "%-8s %-9s %12.1f %12.1f %6.2f %8.1f %8.1f  %s\n", name, stage,
                planned / 2^20, measured / 2^20, planned / measured, seconds, user, how }'
}

echo "# commit: $("$mip" version | sed -n 's/^ *commit *//p')"
echo "# cpu: $("$mip" doctor 2>/dev/null | sed -n 's/^ *ok processor *//p')"
echo "# threads: ${MIP_THREADS:-$(nproc)}"
echo "# load at the start: $(cut -d' ' -f1-3 /proc/loadavg)"
printf '%-8s %-9s %12s %12s %6s %8s %8s  %s\n' model stage 'planned MiB' 'measured MiB' ratio s \
    'CPU s' 'how'

demo=(configs/demo.yaml --set attribute.max_samples="$samples" --set attribute.contrast_people=1
    --set edit.steps=60 --set "eval.sets=[celebrity]")
stage demo "$work/demo" attribute "${demo[@]}"
stage demo "$work/demo" edit "${demo[@]}"
stage demo "$work/demo" eval "${demo[@]}"
stage demo "$work/demo75" attribute "${demo[@]}" --set device.memory=75
stage demo "$work/demo70" attribute "${demo[@]}" --set device.memory=70
cp "$work/demo/attribution.h5" "$work/demo75"
stage demo "$work/demo75" edit "${demo[@]}" --set device.memory=250

if [ -f build/real/smollm2-135m/source.json ] && [ -f build/real/facts/manifest.json ]; then
    real=(configs/demo.yaml --set model.path=build/real/smollm2-135m --set data.path=build/real/facts
        --set "attribute.modalities=[text]" --set attribute.aggregate=union
        --set attribute.max_samples="$samples" --set edit.method=none)
    stage SmolLM2 "$work/real" attribute "${real[@]}"
    stage SmolLM2 "$work/real610" attribute "${real[@]}" --set device.memory=610
else
    echo "# SmolLM2 left out: no model and facts below build/real (make real)"
fi
echo "# load at the end: $(cut -d' ' -f1-3 /proc/loadavg)"
