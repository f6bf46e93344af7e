#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/bf16.sh - model.dtype=bf16 and --dtype bf16 in every command that runs a model.
source "$(dirname "$0")/../support/cli.sh"
export MIP_THREADS=1
config=tests/cli/configs/nano.yaml
files=(attribution.h5 edit.h5 model/model.safetensors eval/items.jsonl)
prompt=(--model $tiny/model_sharded_bf16 --prompt "Who is this?"
    --image $tiny/cases/images/one_140x196.png)

# --- generate and trace ---------------------------------------------------------------------------
expect "generate" 0 out='"ids": ?\[[0-9]' -- \
    generate "${prompt[@]}" --dtype bf16 --max-new-tokens 6 --json
expect "another dtype is refused" 2 err="--dtype: expected f32 or bf16, found 'f16'" \
    err='hint: example: --dtype bf16' -- generate "${prompt[@]}" --dtype f16
expect "trace" 0 out='^ *logits' -- \
    trace "${prompt[@]}" --answer "The painter." --dtype bf16 --out "$work/bf16.h5"
expect "trace in f32" 0 -- \
    trace "${prompt[@]}" --answer "The painter." --out "$work/f32.h5"
verdict "the trace says which it is" bash -c \
    "h5dump -a dtype '$work/bf16.h5' | grep -q BF16 && h5dump -a dtype '$work/f32.h5' | grep -q F32"
verdict "and the hidden states are others" bash -c \
    "! h5diff -q '$work/bf16.h5' '$work/f32.h5' hidden"

# --- a backend that cannot ------------------------------------------------------------------------
expect "a backend without bf16 says so" 1 err='knows f32 only' -- \
    generate "${prompt[@]}" --dtype bf16 \
    --backend "$(dirname "$MIP")/plugins/counting_backend.so"

# --- plan -----------------------------------------------------------------------------------------
weights() { sed -n 's/^weights *\([0-9.]*\) MiB.*/\1/p' "$work/out"; }
expect "plan in f32" 0 out='kept as f32' -- plan "$config" --set output="$work/plan"
f32=$(weights)
expect "plan in bf16" 0 out='matrices kept as bf16' -- \
    plan "$config" --set output="$work/plan" --set model.dtype=bf16
bf16=$(weights)
verdict "the weights need half: $bf16 of $f32 MiB" \
    awk -v a="$bf16" -v b="$f32" 'BEGIN { exit !(a >= 0.4 * b && a <= 0.6 * b) }'

# --- a whole run, again with more threads, and beside f32 -----------------------------------------
run=$work/run
expect "a whole run" 0 out='^attribute  12 forget' out='^edit       12 text and 12 vision' \
    out='^\| FVQA ' -- run "$config" --set output="$run" --set model.dtype=bf16
free=(--set attribute.quadrature=left4 --set attribute.cap=0 --set attribute.cap_vision=0)
expect "official mode" 0 out='^attribute ' out='^text: [1-9]' out='^vision: [1-9]' -- \
    attribute "$config" --set output="$work/official" --set model.dtype=bf16 \
    --set attribute.mode=official "${free[@]}"
for threads in 2 4; do
    MIP_THREADS=$threads expect "the same with $threads threads" 0 -- \
        run "$config" --set output="$work/threads" --set model.dtype=bf16
    for name in "${files[@]}"; do
        verdict "$name has the same bytes" cmp "$run/$name" "$work/threads/$name"
    done
    rm -rf "$work/threads"
done
expect "an attribution in bf16 is no attribution in f32" 2 err='other settings' -- \
    edit "$config" --set output="$run"
expect "undo" 0 -- edit --undo "$run"
verdict "gives the original bytes" cmp "$run/model/model.safetensors" $tiny/model/model.safetensors

# --- doctor and bench -----------------------------------------------------------------------------
DNNL_MAX_CPU_ISA=AVX2 expect "doctor says what bf16 is worth" 0 \
    out='ok bf16 +products of bf16 weights run in f32' out='halves the memory, not the time' -- doctor
expect "bench gemm" 0 out='^F32 +512 +2048 +2048 +[1-9]' out='^BF16 +512 +2048 +2048 +[1-9]' -- \
    bench gemm --repeats 1
expect "bench gemm as JSON" 0 out='"dtype": "BF16"' out='"flops_per_s": [1-9]' -- \
    bench gemm --repeats 1 --json
expect "no other benchmark" 2 err="no benchmark 'ops'" err='hint: mip bench gemm' -- bench ops
finish
