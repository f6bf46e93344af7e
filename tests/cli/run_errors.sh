#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/run_errors.sh - the plan of a run, and everything that is refused before work begins:
# exit codes, words, hints.
source "$(dirname "$0")/../support/cli.sh"
export MIP_THREADS=1
config=tests/cli/configs/nano.yaml
out=$work/run
nano=(run "$config" --set output="$out")

# --- plan -----------------------------------------------------------------------------------------
expect "plan" 0 out='^device .* MiB free, [0-9.]+ GFLOP/s measured' out='^program +[0-9.]+ MiB' \
    out='^attribute text +12 samples' out='^attribute vision +6 samples' \
    out='^edit +20 steps' out='^eval +140 questions' out='^peak +[0-9.]+ MiB' -- plan "$config" \
    --set output="$out"
verdict "plan writes nothing" test ! -e "$out"
expect "plan without an edit" 0 no_out='^edit' out='^eval +70 questions' -- \
    plan "$config" --set edit.method=none
expect "plan of contrast counts retain people" 0 out='^attribute text +36 samples' -- \
    plan "$config" --set attribute.aggregate=contrast --set attribute.contrast_people=2
expect "plan of adaptive nodes: from none of them to all" 0 \
    out='^attribute text .* [0-9]+:[0-9]+-[0-9]+:[0-9]+$' -- \
    plan "$config" --set attribute.quadrature=adaptive --set attribute.max_nodes=200
expect "plan with attribute.from has nothing to attribute" 0 no_out='^attribute' out='^edit ' -- \
    plan "$config" --set attribute.from="$work/nothing"
expect "plan refuses a layer that is not there" 2 \
    err='edit.layer is 77, the model has text layers 0 to 2' -- \
    plan "$config" --set edit.layer=77
expect "plan refuses more neurons than a layer has" 2 \
    err='attribute.top_k is 500, the layers have 88 neurons' -- \
    plan "$config" --set attribute.top_k=500

# grow DIR: the tiny checkpoint there becomes one of width 65536 with 2^20 tokens:
# 378 GB, none of it on the disk (a sparse file).
grow() {
    local name shape dim bytes at=0 header='{' n
    n=$(od -An -t u8 -N 8 "$1/model.safetensors" | tr -d ' ')
    while read -r name shape; do
        shape=,$shape,
        shape=${shape//,64,/,65536,}
        shape=${shape//,64,/,65536,} # again: neighbours share a comma
        shape=${shape//,400,/,1048576,}
        bytes=4
        for dim in ${shape//,/ }; do
            bytes=$((bytes * dim))
        done
        shape=${shape#,}
        header+="\"$name\":{\"dtype\":\"F32\",\"shape\":[${shape%,}],"
        header+="\"data_offsets\":[$at,$((at + bytes))]},"
        at=$((at + bytes))
    done < <({ tail -c +9 "$1/model.safetensors" | head -c "$n"; echo; } | sed 's/},/}\n/g' |
        sed -nE 's/^\{?"([a-z0-9_.]+)":\{"dtype":"F32","shape":\[([0-9,]+)\].*/\1 \2/p')
    header=${header%,}'}'
    n=${#header}
    printf "\\x$(printf %02x $((n % 256)))\\x$(printf %02x $((n / 256)))\\0\\0\\0\\0\\0\\0%s" \
        "$header" >"$1/model.safetensors"
    truncate -s $((8 + n + at)) "$1/model.safetensors"
    sed -i -E -e 's/"(out_)?hidden_size": 64/"\1hidden_size": 65536/' \
        -e 's/"num_attention_heads": 4\b/"num_attention_heads": 4096/' \
        -e 's/"vocab_size": 400/"vocab_size": 1048576/' "$1/config.json"
}
cp -r $tiny/model "$work/large"
chmod -R u+w "$work/large"
grow "$work/large"
if [ "$(awk '/MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)" -lt 350 ]; then
    expect "plan of a model that does not fit: the table, exit code 4, what to do" 4 \
        out='^weights +360729.1 MiB' out='^edit +20 steps' \
        err="stage 'attribute text' needs [0-9.]+ MiB \\(weights 360729.1, .*has [0-9]+ MiB free" \
        err='hint: the weights alone do not fit' -- \
        plan "$config" --set model.path="$work/large"
    expect "and a run of it ends before it allocates" 4 \
        err='the weights of .*/large need 378[0-9]+ bytes as f32, [0-9]+ are free' err='hint: ' -- \
        "${nano[@]}" --set model.path="$work/large"
fi
rm -rf "$work/large" "$out"

# --- config files ---------------------------------------------------------------------------------
# bad NAME REGEX LINE...: a config of these lines is refused.
bad() {
    local name=$1 words=$2
    shift 2
    printf '%s\n' "$@" >"$work/bad.yaml"
    expect "$name" 2 err="$words" -- run "$work/bad.yaml"
}
base=("model: {path: $tiny/model}" "data: {path: tests/data/nano}" "output: $out")
bad "an unknown key: file, line, the nearest key" \
    'bad.yaml:5: unknown key "attribute.top_kk"; did you mean "attribute.top_k"\?' \
    "${base[@]}" 'attribute:' '  top_kk: 3'
bad "a wrong type" 'bad.yaml:4: edit.lr: expected a number 0..10, found "fast"' "${base[@]}" \
    'edit: {lr: fast}'
bad "out of range" 'bad.yaml:4: edit.batch: expected an integer 1..4096 samples, found "0"' \
    "${base[@]}" 'edit: {batch: 0}'
bad "not one of the choices" \
    'bad.yaml:4: edit.neurons: expected one of path, random, all, found "some"' "${base[@]}" \
    'edit: {neurons: some}'
bad "no model.path" 'model.path: expected a folder, found nothing' "${base[@]:1}"
bad "no YAML" 'bad.yaml:[0-9]+:[0-9]+: not valid YAML' 'model: [1'
bad "a key twice" 'bad.yaml:4:1: key "model" appears twice' "${base[@]}" 'model: {path: other}'
expect "a wrong --set is told as typed" 2 \
    err='--set edit.laier=2: unknown key "edit.laier"; did you mean "edit.layer"\?' \
    err='hint: .*mip help config' -- "${nano[@]}" --set edit.laier=2
expect "--set without a value" 2 err='expected key=value, found "edit.layer"' -- \
    "${nano[@]}" --set edit.layer
expect "a rule that does not exist" 2 \
    err='attribute.quadrature: expected fast, balanced, .*found "simpson3"' -- \
    "${nano[@]}" --set attribute.quadrature=simpson3
expect "a protocol this build has not" 2 err='data.protocol: expected mip, found "mllmu"' -- \
    "${nano[@]}" --set data.protocol=mllmu
expect "a training term this build has not" 2 err='edit.retain_ce is 1' \
    err='hint: --set edit.retain_ce=0' -- \
    "${nano[@]}" --set edit.retain_ce=1
expect "a layer that is not there is told before the attribution" 2 err='edit.layer is 77' \
    no_out='attribute' -- \
    "${nano[@]}" --set edit.layer=77
expect "no config file" 1 err="cannot open $work/none.yaml" -- run "$work/none.yaml"
expect "no config" 2 err='usage: mip run CONFIG' -- run

# --- folders and files ----------------------------------------------------------------------------
rm -rf "$out"
expect "a missing model folder" 1 err="model folder $work/none does not exist" \
    err='hint: .*model.path' -- \
    "${nano[@]}" --set model.path="$work/none"
expect "a folder that is no model" 1 err='model folder tests/data/nano has no config.json' -- \
    "${nano[@]}" --set model.path=tests/data/nano
expect "a missing data folder" 1 err="data folder $work/none does not exist" \
    err='hint: .*data.path' -- \
    "${nano[@]}" --set data.path="$work/none"
expect "a folder that is no data set" 1 err="$tiny/model/manifest.json" err='hint: .*mip check' -- \
    "${nano[@]}" --set data.path="$tiny/model"
verdict "none of them made the run folder" test ! -e "$out"
expect "an unknown backend" 3 err='no backend called abacus' err='hint: set device.backend to cpu' \
    -- \
    "${nano[@]}" --set device.backend=abacus
expect "a plugin file that is not there" 3 err="$work/none.so" -- \
    "${nano[@]}" --set device.backend="$work/none.so"

cp -r tests/data/nano "$work/data"
chmod -R u+w "$work/data"
# A picture of a person to forget: of the first line with one in the training file.
picture=$(grep '"forget_5"' "$work/data/train.jsonl" | grep -oE 'images/[a-z0-9/._-]+' | head -n 1)
rm "$work/data/$picture"
expect "a deleted picture is named" 1 err="cannot open $work/data/$picture" -- \
    "${nano[@]}" --set data.path="$work/data"
printf 'no picture' >"$work/data/$picture"
expect "so is a broken one" 1 err="$work/data/$picture" -- "${nano[@]}" --set data.path="$work/data"

# train_with SED: the training file of the copy with one person's first line changed.
train_with() {
    sed "0,/\"forget_5\"/{/\"forget_5\"/$1}" tests/data/nano/train.jsonl >"$work/data/train.jsonl"
}
cp "tests/data/nano/$picture" "$work/data/$picture"
train_with 's/"answer_text":"[^"]*"/"answer_text":""/'
expect "an answer of nothing is told with file and line" 1 \
    err="$work/data/train.jsonl:[0-9]+: task qa needs a non-empty answer_text" \
    err="hint: .*mip check $work/data" -- "${nano[@]}" --set data.path="$work/data"
train_with 's/"images":\[[^]]*\]/"images":[]/'
expect "a question about a picture without one, too" 1 \
    err="$work/data/train.jsonl:[0-9]+: modality image with 0 images" err='hint: .*mip check' -- \
    "${nano[@]}" --set data.path="$work/data"
words=$(head -c 40000 /dev/zero | tr '\0' 'a' | sed 's/aaaa/a b /g')
train_with "s/\"question\":\"/&$words/"
expect "a prompt longer than the model takes: the sample, both numbers" 1 \
    err='nano/train/f[^ ]*: [0-9]{5} tokens, the model takes 4096 \(max_position_embeddings\)' \
    err='^hint: make it shorter' -- "${nano[@]}" --set data.path="$work/data"
verdict "before any work" test ! -e "$out/attribution.journal"
expect "generate says so, too" 1 err='the prompt: [0-9]{5} tokens, the model takes 4096' \
    err='^hint: ' -- generate --model "$tiny/model" --prompt "$words"
rm -rf "$out"

expect "an output folder below a file" 1 err='cannot make the folder LICENSE: ' -- \
    run "$config" --set output=LICENSE/run
mkdir "$work/locked"
chmod a-w "$work/locked"
if [ ! -w "$work/locked" ]; then # root may write everywhere
    expect "an output folder that may not be written" 1 err="$work/locked" -- \
        run "$config" --set output="$work/locked/run"
fi
expect "an output folder where nobody may write" 1 err='cannot make the folder /proc/mip: ' -- \
    run "$config" --set output=/proc/mip

finish
