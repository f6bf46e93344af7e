#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/not_finite.sh - weights that are NaN or Inf, or so large that numbers made of them are:
# told with tensor, sample, layer or question, never a result.
source "$(dirname "$0")/../support/cli.sh"
export MIP_THREADS=1
settings=(tests/cli/configs/nano.yaml --set edit.steps=2 --set attribute.quadrature=midpoint1
    --set attribute.max_samples=2 --set 'eval.sets=[forget]' --set 'eval.tasks=[mcq]'
    --set eval.max_new_tokens=2)
image=$(find tests/data/nano/images -name '*.png' | sort | head -n 1)
model=$work/model
here=(--set model.path="$model" --set output="$work/run")
nan='\x00\x00\xc0\x7f'
minus_inf='\x00\x00\x80\xff'
large='\xca\xf2\x49\x7f' # 2.7e38, finite

# poison TENSOR BYTES: the tiny model with the first number of a tensor made of these bytes.
poison() {
    local file=$model/model.safetensors n at
    rm -rf "$model" "$work/run" "$work/vision"
    cp -r "$tiny/model" "$model"
    chmod -R u+w "$model"
    n=$(od -An -t u8 -N 8 "$file" | tr -d ' ')
    at=$(tail -c +9 "$file" | head -c "$n" |
        grep -oE "\"$1\":\{[^}]*\"data_offsets\":\[[0-9]+" | grep -oE '[0-9]+$')
    # shellcheck disable=SC2059 # bytes to print
    printf "$2" | dd of="$file" bs=1 seek=$((8 + n + at)) conv=notrunc status=none
}

# no_result NAME: nothing that looks like one was left.
no_result() {
    verdict "$1: no result is left" test ! -e "$work/run/attribution.h5" -a \
        ! -e "$work/run/edit.h5" -a ! -e "$work/run/model" -a ! -s "$work/run/eval/items.jsonl" -a \
        ! -e "$work/trace.h5" -a ! -e "$work/vision/attribution.h5"
}

# --- weights: the tensor is named before any work -------------------------------------------------
for case in "model.language_model.layers.1.mlp.down_proj.weight $nan" \
    "model.visual.blocks.2.attn.qkv.bias $minus_inf"; do
    read -r tensor bytes <<<"$case"
    poison "$tensor" "$bytes"
    words="model.safetensors: tensor ${tensor//./\\.} holds NaN or Inf at element 0"
    for what in attribute eval run; do
        expect "$what with ${tensor%%.*} ${tensor##*.} not finite" 1 err="$words" \
            err='^hint: .*mip inspect MODEL --scan' -- \
            "$what" "${settings[@]}" "${here[@]}" --set edit.neurons=all
    done
    expect "generate with it" 1 err="$words" -- generate --model "$model" --prompt hello
    expect "trace with it" 1 err="$words" -- trace --model "$model" --prompt hello \
        --out "$work/trace.h5"
    no_result "$tensor"
    expect "the hint's command finds it" 1 out="${tensor//./\\.}" -- inspect "$model" --scan
done

# --- finite weights, numbers that are not ---------------------------------------------------------
poison model.language_model.layers.1.mlp.down_proj.weight "$large"
expect "a clean run that overflows: sample and modality" 1 \
    err='sample nano/train/[^ ]+, text, clean run: log probability of token [0-9]+ .* not finite' \
    err='^hint: .*mip inspect MODEL --scan' -- attribute "${settings[@]}" "${here[@]}"
no_result "a clean run that overflows"
expect "of a picture's neurons" 1 \
    err='sample nano/train/[^ ]+, vision, clean run: log probability' -- \
    attribute "${settings[@]}" --set model.path="$model" --set output="$work/vision" \
    --set 'attribute.modalities=[vision]'
expect "an edit: the step" 1 err='edit step 1 of 2: the loss is not finite' \
    err='^hint: .*mip inspect MODEL --scan' -- \
    edit "${settings[@]}" "${here[@]}" --set edit.neurons=all
expect "answers: the question" 1 err='batch that begins with nano/full/[^ ]+: no finite logit' err='^hint: ' -- \
    eval "${settings[@]}" "${here[@]}" --set edit.method=none
expect "generate: the token" 1 err='no finite logit for token 0' err='^hint: ' -- \
    generate --model "$model" --prompt hello --image "$image"
expect "trace: the token and its row" 1 err='log probability of token [0-9]+ at row [0-9]+' \
    err='^hint: ' -- trace --model "$model" --prompt hello --answer yes --out "$work/trace.h5"
no_result "all of these"

poison model.language_model.embed_tokens.weight "$large"
expect "a gradient that overflows: sample, layer, neuron and node" 1 \
    err='sample nano/train/[^ ]+, text layer [0-9]+: gradient of neuron [0-9]+ at node 0 \(alpha' \
    err='^hint: .*mip inspect' -- attribute "${settings[@]}" "${here[@]}"
expect "of a picture's neurons: sample, layer and neuron" 1 \
    err='sample nano/train/[^ ]+, vision layer [0-9]+: score of neuron [0-9]+ is not finite' \
    err='^hint: .*mip inspect' -- \
    attribute "${settings[@]}" --set model.path="$model" --set output="$work/vision" \
    --set 'attribute.modalities=[vision]'
no_result "a gradient that overflows"

# --- the other way round: these settings do work --------------------------------------------------
rm -rf "$work/run"
expect "without anything wrong the run ends" 0 -- run "${settings[@]}" --set output="$work/run"

finish
