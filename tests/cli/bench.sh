#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/bench.sh - mip bench generate and load: ids do not depend on the threads, bytes are
# those of the file, what is refused. (bench gemm: bf16.sh)
source "$(dirname "$0")/../support/cli.sh"
model=demo/model/vanilla
few=(--model $model --batch 3 --prompt-tokens 5 --new-tokens 4 --json)

MIP_THREADS=1 expect "three prompts" 0 -- bench generate "${few[@]}"
verdict "answers of four ids each, in spite of stop tokens" \
    jq -e '(.prompts | length) == 15 and (.answers | map(length)) == [4, 4, 4]' "$work/out"
jq -c .answers "$work/out" >"$work/answers"
MIP_THREADS=2 expect "with two threads" 0 -- bench generate "${few[@]}"
verdict "the same ids" bash -c "jq -c .answers '$work/out' | cmp - '$work/answers'"
expect "for people" 0 out='^batch 1, 2 \+ 2 tokens, .* tokens/s, peak [1-9][0-9]* MiB' -- \
    bench generate --model $model --prompt-tokens 2 --new-tokens 2
expect "load" 0 -- bench load --model $model --json
verdict "counts the bytes of the file" \
    jq -e ".file_bytes == $(stat -L -c %s $model/model.safetensors) and .peak_bytes > .weights_bytes" "$work/out"
expect "no model" 2 err='--model DIR is missing' -- bench generate
expect "no batch" 2 err='--batch' -- bench generate --model $model --batch 0
finish
