#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/hostile.sh - broken and hostile files given to the program: exit code, message with the
# file's name, hint. The rules themselves are tested in tests/unit.
source "$(dirname "$0")/../support/cli.sh"
seeds=tests/fuzz/corpus

# refused NAME CODE MESSAGE HINT -- ARGUMENTS: and nothing on stdout.
refused() {
    local name=$1 code=$2 message=$3 hint=$4
    shift 5
    expect "$name" "$code" err="^mip: error: .*$message" err="^hint: .*$hint" no_out=. -- "$@"
}

# --- pictures -------------------------------------------------------------------------------------
picture() {
    refused "$1" "$2" "$3" "$4" -- \
        generate --model "$tiny/model" --prompt hi --image "${5:-$seeds/image/$1}"
}
picture huge_sides.png 4 'huge_sides.png: 50000 x 50000 pixels are more than the limit' smaller
picture zero_side.png 1 'zero_side.png: the PNG is broken' 'another program'
picture short_idat.png 1 'short_idat.png: the PNG is truncated' 'another program'
picture grey16.png 1 'grey16.png: .*16-bit grey' '8 bits'
picture cmyk.jpg 1 'cmyk.jpg: .*CMYK' 'convert the picture to RGB'
expect "a folder" 1 err='model is not a regular file' -- \
    generate --model "$tiny/model" --prompt hi --image "$tiny/model"
expect "no file" 1 err='cannot open .*nothing.png' -- \
    generate --model "$tiny/model" --prompt hi --image "$work/nothing.png"
picture "a text" 1 'cli.sh: neither PNG nor JPEG' 'convert the picture' tests/support/cli.sh
: >"$work/empty.png"
picture "an empty file" 1 'empty.png: the image file is empty' 'another program' "$work/empty.png"
expect "a deflate bomb is the small picture it says" 0 out=. -- \
    generate --model "$tiny/model" --prompt hi --max-new-tokens 1 \
    --image "$seeds/image/sound_deflate_bomb.png"

# --- settings of an experiment --------------------------------------------------------------------
yaml() {
    refused "$1" 2 "$2" "$3" -- plan "$seeds/yaml/$1"
}
yaml bomb 'yaml/bomb:1:4: anchors' 'mip help config'
yaml two_documents 'two_documents:2:1: a second document' 'mip help config'
yaml tab 'tab:3:1: not valid YAML' 'not tabs'
yaml duplicate 'duplicate:2:1: key "name" appears twice, first in line 1' 'keep one'
yaml nan 'edit.lr: expected a number' 'mip help config'

# --- checkpoints ----------------------------------------------------------------------------------
# damaged NAME FILE SED-SCRIPT MESSAGE HINT
damaged() {
    rm -rf "$work/model"
    cp -r "$tiny/model" "$work/model"
    chmod -R u+w "$work/model"
    LC_ALL=C sed -i "$3" "$work/model/$2"
    refused "$1" 1 "$4" "$5" -- generate --model "$work/model" --prompt hi
}
damaged "config.json with NaN" config.json '1s/{/{"x": NaN,/' 'config.json:1: NaN' number
damaged "config.json with a huge number" config.json '1s/{/{"x": 1e400,/' \
    'config.json: x: number too large' damaged
damaged "config.json with a key twice" config.json '1s/{/{"x": 1, "x": 1,/' \
    'config.json: key x appears twice' 'keep one'
damaged "config.json that is not UTF-8" config.json '1s/{/{"\xff": 1,/' 'config.json:1: .*UTF-8' \
    damaged
damaged "config.json nested without end" config.json "1s/{/$(printf '[%.0s' {1..100})/" \
    'config.json:1: nested deeper' damaged
damaged "tokenizer.json with a negative id" tokenizer.json 's/"!": 0,/"!": -1,/' \
    'tokenizer.json: the id of model.vocab "!" is -1' damaged
damaged "tokenizer.json cut in two" tokenizer.json '50,$d' 'tokenizer.json: not JSON' damaged
for seed in length_2_63 length_over_file hole overlap end_before_begin product_overflow duplicate \
    float_offset; do
    rm -rf "$work/model"
    mkdir "$work/model"
    cp "$tiny/model/config.json" "$work/model"
    cp "$seeds/safetensors/$seed" "$work/model/model.safetensors"
    refused "safetensors: $seed" 1 'model.safetensors:' '' -- inspect "$work/model"
done
rm "$work/model/model.safetensors"
cp "$seeds/safetensors/sound_nan" "$work/model/a.safetensors"
for seed in leaves_folder wrong_shard duplicate; do
    cp "$seeds/index/$seed" "$work/model/model.safetensors.index.json"
    refused "index: $seed" 1 "$work/model/" '' -- inspect "$work/model"
done

cp "$seeds/index/missing_shard" "$work/model/model.safetensors.index.json"
expect "index: missing_shard" 1 err='cannot open .*/d.safetensors' -- inspect "$work/model"

# --- prompts --------------------------------------------------------------------------------------
refused "a prompt longer than the model's positions" 1 '5000 tokens, the model takes 4096' shorter \
    -- generate --model "$tiny/model" --ids "$(printf '5%.0s,' {1..4999})5"
printf '[{"role": "user", "content": "a"}' >"$work/chat.json"
refused "a conversation cut off" 1 'chat.json:1: not valid JSON' damaged -- \
    generate --model "$tiny/model" --messages "$work/chat.json"

# --- data -----------------------------------------------------------------------------------------
# data NAME SED-SCRIPT-FOR-items.jsonl FAULT: all faults are listed by `mip check`.
data() {
    rm -rf "$work/data"
    cp -r tests/data/nano "$work/data"
    chmod -R u+w "$work/data"
    LC_ALL=C sed -i "$2" "$work/data/items.jsonl"
    expect "$1" 1 out="$3" err='^mip: error: ' -- check "$work/data"
}
data "a line with NaN" '2s/{/{"x":NaN,/' 'items.jsonl:2: .*NaN'
data "a line with a key twice" '2s/{/{"x":1,"x":1,/' 'items.jsonl:2: .*appears twice'
data "a line that is not UTF-8" '2s/{/{"\xff":1,/' 'items.jsonl:2: .*UTF-8'
data "a line nested without end" "2s/{/$(printf '[%.0s' {1..100})/" 'items.jsonl:2: .*nested deeper'
data "an answer of no tokens" '1s/"answer_text":"[^"]*"/"answer_text":""/' \
    'items.jsonl:1: .*non-empty answer_text'
data "a picture that is not there" '1s#images/[0-9a-f]*/#images/none/#' 'items.jsonl:1: .*images/none'
data "a picture outside" '1s#images/[0-9a-f]*/#images/../../#' 'not below the data folder'

finish
