#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/demo.sh - the demo experiment: locate, edit, its random control, and the table beside a retain-only model.
#
# Every stage is resumable and a finished one is skipped, so a second call is quick. MIP names another binary.
set -eu
cd "$(dirname "$0")/.."
mip=${MIP:-build/release/mip}
config=configs/demo.yaml

step() { printf '\n== %s\n' "$1"; }

step "1/6 the data set is sound"
"$mip" check demo/data

step "2/6 what the run will need"
"$mip" plan "$config"

step "3/6 locate the influential paths, edit their neurons, ask before and after"
"$mip" run "$config"

step "4/6 the control: as many random neurons in every layer, the same edit"
"$mip" run "$config" --set name=demo-random --set output=runs/demo-random --set edit.neurons=random \
    --set attribute.from=runs/demo --set eval.before=false

step "5/6 the reference: a model that never saw the people to forget"
"$mip" eval "$config" --set name=demo-retain --set output=runs/demo-retain --set model.path=demo/model/retain \
    --set edit.method=none

step "6/6 side by side"
"$mip" table runs/demo runs/demo-random --reference runs/demo-retain
echo
echo "Look further: mip inspect runs/demo    Undo the edit: mip edit --undo runs/demo    Settings: mip help config"
