#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What:  makes the demo from nothing: data, base model, vanilla and retain-only models, gates.
#        make_demo.sh [OUT]   default OUT is demo; PYTHON names the interpreter (requirements.txt installed).
# Cost:  about 25 minutes on two cores; demo/README.md has the measured times. Finished stages are kept.
# Files: OUT/data, OUT/model/{base,vanilla,retain}, OUT/gates/*.json; f32 checkpoints in build/demo.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${1:-"$root/demo"}
work=${WORK:-"$root/build/demo"}
python=${PYTHON:-python3}

# One thread per process, and freed memory kept by the process: both make training several times faster.
export OMP_NUM_THREADS=1 MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=1073741824 PYTHONUNBUFFERED=1

# train STAGE FROM TO: skipped when TO is there. Written beside and renamed, so that TO is always complete.
train() {
    if [ ! -d "$3" ]; then
        rm -rf "$3.part"
        "$python" "$here/train.py" "$1" "$2" "$3.part" --probe-every 300
        mv "$3.part" "$3"
    fi
}

mkdir -p "$work" "$out/model" "$out/gates"
"$python" "$here/make_data.py" --size mini --out "$out/data"
"$python" "$here/check_leaks.py" "$out/data"
if [ ! -d "$work/start" ]; then
    rm -rf "$work/start.part"
    "$python" "$here/build_model.py" "$work/start.part"
    mv "$work/start.part" "$work/start"
fi
"$python" "$here/check_forward.py" "$work/start"

train captions "$work/start" "$work/captions"
train faces "$work/captions" "$work/faces"
train names "$work/faces" "$work/names"
train names_again "$work/names" "$work/names_again"
train round "$work/names_again" "$out/model/base"
for model in vanilla retain; do
    train "$model" "$out/model/base" "$work/$model"
    train round "$work/$model" "$out/model/$model"
done
for model in base vanilla retain; do
    "$python" "$here/gates.py" --data "$out/data" --model "$out/model/$model" --out "$out/gates/$model.json"
done
"$python" "$here/gates_table.py" "$out/gates"
