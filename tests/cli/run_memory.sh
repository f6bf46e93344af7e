#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/run_memory.sh - memory as planned and as measured, and a run that has little of it:
# the same bytes, told how; exit code 4 when even the least does not fit.
source "$(dirname "$0")/../support/cli.sh"
export MIP_THREADS=2
config=tests/cli/configs/nano.yaml
nano=(--set attribute.quadrature=radau5)

# number STAGE KEY RUN: of the manifest.
number() {
    tr -d '\n ' <"$3/manifest.json" | grep -oE "\"$1\":\{[^}]*" | grep -oE "\"$2\":[0-9]+" |
        grep -oE '[0-9]+$'
}

# within_10_percent STAGE RUN: the plan of a stage is as good as we say.
within_10_percent() {
    awk -v is="$(number "$1" peak_bytes "$2")" -v planned="$(number "$1" planned_bytes "$2")" \
        'BEGIN { print planned / 2^20, "MiB planned", is / 2^20, "MiB measured"
                 exit !(is > 2^20 && planned > .9 * is && planned < 1.1 * is) }'
}

# --- planned and measured -------------------------------------------------------------------------
# Three shapes of model; every stage in a process of its own.
few=(--set attribute.max_samples=2 --set attribute.aggregate=union --set edit.steps=2
    --set "eval.sets=[celebrity]" --set "eval.tasks=[mcq]")
shapes=(tests/golden/qwen25vl_tiny/model tests/golden/qwen2vl_tiny/model demo/model/vanilla)
for i in 0 1 2; do
    sets=("$config" --set model.path="${shapes[i]}" --set output="$work/shape$i" "${nano[@]}" "${few[@]}")
    for stage in attribute edit eval; do
        expect "${shapes[i]}: $stage" 0 \
            err="$stage: [0-9.]+ MiB of memory at most, [0-9.]+ planned" -- "$stage" "${sets[@]}"
        verdict "the plan of it is within 10 % of what it took" \
            within_10_percent "$stage" "$work/shape$i"
    done
done

# --- little memory --------------------------------------------------------------------------------
# 24 nodes, so that limits in whole MiB tell. What the program itself has differs between builds:
# limits are that and some MiB more.
vision=("$config" "${few[@]}" --set attribute.quadrature=radau24 --set "attribute.modalities=[vision]"
    --set edit.method=none)
plenty=$work/plenty
little=$work/little
program=$("$MIP" plan "${vision[@]}" --set output="$work/none" | awk '/^program/ { print int($2) }')
expect "a run with plenty of memory" 0 -- attribute "${vision[@]}" --set output="$plenty"

# spare MIB REGEX: with so much beside the program, memory is saved in this way.
spare() {
    local limit=$((program + $1))
    local sets=("${vision[@]}" --set output="$little" --set device.memory=$limit)
    rm -rf "$little"
    expect "the plan tells how $1 MiB are enough" 0 out="^device .* $limit MiB by device.memory" \
        out="^memory is short: attribute vision: $2.* times slower" -- plan "${sets[@]}"
    expect "so does the run" 0 err="^\\[warn\\] memory is short: attribute vision: $2" -- \
        attribute "${sets[@]}"
    verdict "the scores have the same bytes" cmp "$plenty/attribution.h5" "$little/attribution.h5"
    verdict "the stage took what was planned" within_10_percent attribute "$little"
    verdict "and less than with plenty" test "$(number attribute peak_bytes "$little")" -lt \
        "$(number attribute peak_bytes "$plenty")"
}
spare 45 '1 of 2 samples at a time: '
spare 36 '1 of 2 samples at a time, 12 of 23 nodes in a batch: '
spare 28 '1 of 2 samples at a time, .*layers run again on the way back: '
rm -r "$little"

limit=$((program + 5))
expect "with too little the plan says what to change" 4 \
    err="stage 'attribute vision' needs [0-9.]+ MiB .*has $limit MiB by device.memory" \
    err='hint: use attribute.quadrature=radau2, or raise device.memory' -- \
    plan "${vision[@]}" --set output="$little" --set device.memory=$limit
expect "and the run does not begin" 4 err="stage 'attribute vision' needs" \
    err='hint: .*raise device.memory' -- \
    run "${vision[@]}" --set output="$little" --set device.memory=$limit
verdict "without a result" test ! -e "$little/attribution.h5"

# A whole run with little memory ends like one with plenty.
whole=("$config" "${few[@]}" --set edit.batch=64)
program=$("$MIP" plan "${whole[@]}" --set output="$work/none" | awk '/^program/ { print int($2) }')
expect "a whole run" 0 -- run "${whole[@]}" --set output="$plenty/run"
expect "a whole run with little memory" 0 err='memory is short: edit: [124] of 8 parts of a step' -- \
    run "${whole[@]}" --set output="$little/run" --set device.memory=$((program + 75))
verdict "the edited weights are the same" cmp "$plenty/run/model/model.safetensors" \
    "$little/run/model/model.safetensors"
verdict "so are the answers" cmp "$plenty/run/eval/items.jsonl" "$little/run/eval/items.jsonl"
finish
