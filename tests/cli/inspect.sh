#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/inspect.sh - `mip inspect` on checkpoints, safetensors files, and broken ones.
source "$(dirname "$0")/../support/cli.sh"

expect "a checkpoint folder" 0 out='family +qwen2_5_vl' \
    out='text +3 layers, width 64, 4 heads \(2 key/value\) of 16, 88 neurons' \
    out='vocabulary 400, head tied' out='vision +4 layers, width 32, 2 heads .* 44 neurons' \
    out='parameters +210944 in 92 tensors.* 92 F32' \
    out='files +.*/model.safetensors' out='tokenizer +396 ids, chat template ' no_out='scan' -- \
    inspect "$tiny/model"
expect "as JSON" 0 out='"family": "qwen2_5_vl"' out='"layers": 3' out='"neurons": 88' \
    out='"parameters": 210944' out='"F32": 92' -- \
    inspect "$tiny/model" --json
expect "shards and an old layout" 0 out='files +.*model-00001-of-00002.safetensors' \
    out='model-00002-of-00002.safetensors' out='BF16' -- \
    inspect "$tiny/model_sharded_bf16"
expect "a head of its own" 0 out='head of its own' out='F16' -- inspect "$tiny/model_untied_f16"
expect "a scan of sound weights" 0 out='scan +no NaN or Inf' -- inspect "$tiny/model" --scan
expect "a safetensors file" 0 \
    out='F32 +\[32, 3, 2, 14, 14\] +model.visual.patch_embed.proj.weight' out='92 tensors' -- \
    inspect "$tiny/model/model.safetensors"
expect "its JSON" 0 out='"kind": "safetensors"' out='"n_tensors": 92' -- \
    inspect "$tiny/model/model.safetensors" --json

# A copy to damage, as $work/model.
fresh() {
    rm -rf "$work/model"
    cp -r "$tiny/model" "$work/model"
    chmod -R u+w "$work/model"
}

fresh
size=$(stat -c %s "$work/model/model.safetensors")
printf '\000\000\300\177' | dd of="$work/model/model.safetensors" bs=1 seek=$((size - 4)) \
    conv=notrunc status=none
expect "a scan finds a NaN and fails" 1 \
    out='scan +NaN or Inf in [a-z0-9._]+, first at element [0-9]+' \
    err='1 of 92 tensors hold NaN or Inf' -- \
    inspect "$work/model" --scan
expect "also as JSON" 1 out='"not_finite": \[' out='"first": ' -- \
    inspect "$work/model" --scan --json
expect "without a scan it is not looked for" 0 -- inspect "$work/model"

head -c 400000 "$tiny/model/model.safetensors" >"$work/model/model.safetensors"
expect "a cut file" 1 err='model.safetensors' -- inspect "$work/model/model.safetensors"
expect "a folder with a cut file" 1 err='model.safetensors' -- inspect "$work/model"
head -c 5 "$tiny/model/model.safetensors" >"$work/short.safetensors"
expect "a file shorter than its header" 1 err='short.safetensors' -- \
    inspect "$work/short.safetensors"
printf '\377\377\377\377\377\377\377\177{}' >"$work/hostile.safetensors"
expect "a header of 2^63 bytes" 1 err='hostile.safetensors' -- inspect "$work/hostile.safetensors"

fresh
sed -i 's/qwen2_5_vl/some_other_vl/g; s/Qwen2_5_VLForConditionalGeneration/SomeOtherVL/g' \
    "$work/model/config.json"
expect "a family mip cannot run is described, and why" 0 \
    out='family +cannot be run: .*some_other_vl' out='92 tensors' -- \
    inspect "$work/model"
fresh
rm "$work/model/tokenizer.json"
expect "a folder without a tokenizer" 0 out='tokenizer +no tokenizer.json' -- inspect "$work/model"
fresh
rm "$work/model/config.json"
expect "weights without config.json are listed" 0 out='^safetensors ' out='92 tensors' -- \
    inspect "$work/model"
echo '{' >"$work/model/config.json"
expect "a broken config.json" 1 err='config.json' -- inspect "$work/model"

# A run folder that has just begun, and files that are no store.
mkdir "$work/run"
echo 'name: x' >"$work/run/config.yaml"
expect "a run folder without results" 0 out='attribute +not finished' out='files +.*config.yaml' \
    -- \
    inspect "$work/run"
expect "as JSON" 0 out='"kind": "run"' out='"stages": \{\}' -- inspect "$work/run" --json
echo 'not HDF5' >"$work/run/attribution.h5"
expect "an .h5 file that is none" 1 err='attribution.h5' -- inspect "$work/run/attribution.h5"
expect "a run folder with such a file" 1 err='attribution.h5' -- inspect "$work/run"
expect "--top 0" 2 err='--top 0: expected a whole number from 1' -- inspect "$work/run" --top 0

# A trace, and any other HDF5 file.
expect "a trace is made" 0 -- trace --model "$tiny/model" --prompt "Who?" --answer "x" \
    --out "$work/trace.h5"
expect "a trace: attributes, arrays with named dimensions, neurons" 0 out='^hdf5 ' \
    out='program +mip$' out='/logits +F32 +\[token [0-9]+, vocab 400\]' \
    out='scores of the next token' out='^text: neurons that move the loss most' \
    out='^ +2   [0-9]+ -?[0-9.e+-]+ ' no_out='^vision:' -- inspect "$work/trace.h5"
"$MIP" inspect "$work/trace.h5" --json --top 2 >"$work/out"
verdict "its JSON" jq -e '.kind == "hdf5" and (.objects[] | select(.name == "/hidden")
    | .dims == ["text_state", "token", "text_width"] and .shape[2] == 64)
    and ([.text.layers[].neurons | length] == [2, 2, 2])' "$work/out"
"$MIP" trace --model "$tiny/model" --prompt "Who?" --tensor hidden --out "$work/part.h5" >/dev/null
expect "one without neurons" 0 out='/hidden' no_out='neurons that move' -- inspect "$work/part.h5"

expect "nothing there" 1 err='does not exist' -- inspect "$work/none"
expect "a folder of something else" 1 err='neither a checkpoint nor a run folder' \
    err='hint: .*mip check' -- \
    inspect tests/data/nano
expect "a file of something else" 1 err='inspect reads' -- inspect LICENSE

finish
