#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/trace.sh - `mip trace`: names and shapes of what it writes, its options, and what
# is said about wrong input. That the numbers are those of transformers is
# tests/unit/model/test_trace.c.
source "$(dirname "$0")/../support/cli.sh"
images=$tiny/cases/images
base=(trace --model "$tiny/model")
ask=("${base[@]}" --prompt 'Who is this?' --image "$images/one_140x196.png")

# layout FILE - "name type shape" of every array that is no dimension, as other programs see it.
layout() {
    h5dump -H -A 0 "$1" | awk '
        /DATASET/ { name = $2; gsub(/"/, "", name) }
        /DATATYPE/ { type = $2 }
        /DATASPACE/ {
            shape = $0
            sub(/^ *DATASPACE *(SIMPLE { )?/, "", shape); sub(/ \/ .*/, "", shape)
            print name, type, shape
        }' | grep -vE '^(token|position_axis|image|grid_axis|patch|pixel|feature|vocab|(text|vision)_(state|width|layer|neuron)|vision_row) '
}

# names FILE - the arrays on one line.
names() {
    layout "$1" | cut -d ' ' -f 1 | tr '\n' ' '
}

expect "an answer to a picture" 0 out='^  [0-9]+ tokens, 1 pictures$' \
    out='^  loss [0-9.]+ over [0-9]+ labels$' out='^  likeliest after the prompt: [0-9]+ ' \
    out='^  vision_hidden +F32 \[5, 140, 32\]  vision_state, vision_row, vision_width$' \
    no_out='absent' out="^wrote $work/t.h5$" -- \
    "${ask[@]}" --answer 'It is.' --out "$work/t.h5"
t=$(sed -nE 's/^  ([0-9]+) tokens, .*/\1/p' "$work/out")
layout "$work/t.h5" >"$work/layout"
cat >"$work/wanted" <<END
hidden H5T_IEEE_F32LE ( 4, $t, 64 )
image_features H5T_IEEE_F32LE ( 35, 64 )
image_grid_thw H5T_STD_I32LE ( 1, 3 )
input_ids H5T_STD_I32LE ( $t )
labels H5T_STD_I32LE ( $t )
logits H5T_IEEE_F32LE ( $t, 400 )
loss H5T_IEEE_F32LE SCALAR
patch_order H5T_STD_I32LE ( 140 )
pixel_values H5T_IEEE_F32LE ( 140, 1176 )
position_ids H5T_STD_I32LE ( 3, $t )
text_neuron_grads H5T_IEEE_F32LE ( 3, $t, 88 )
text_neurons H5T_IEEE_F32LE ( 3, $t, 88 )
vision_hidden H5T_IEEE_F32LE ( 5, 140, 32 )
vision_neuron_grads H5T_IEEE_F32LE ( 4, 140, 44 )
vision_neurons H5T_IEEE_F32LE ( 4, 140, 44 )
END
verdict "h5dump shows every array with its shape" diff "$work/wanted" "$work/layout"
h5dump -A -d /vision_neurons "$work/t.h5" >"$work/dims"
verdict "dimensions have names" grep -q '(0): "vision_layer", "vision_row", "vision_neuron"' "$work/dims"
cp "$work/t.h5" "$work/first.h5"
expect "the same again" 0 -- "${ask[@]}" --answer 'It is.' --out "$work/t.h5"
verdict "equal traces are equal bytes" cmp "$work/first.h5" "$work/t.h5"
MIP_THREADS=1 expect "one thread" 0 -- "${ask[@]}" --answer 'It is.' --out "$work/t.h5"
verdict "a trace does not depend on the threads" cmp "$work/first.h5" "$work/t.h5"

expect "without an answer" 0 no_out='^  loss' \
    out='absent: labels, loss, text_neuron_grads, vision_neuron_grads \(no labels\)$' -- \
    "${ask[@]}" --out "$work/q.h5"
verdict "there is no loss and no gradient in the file" test \
    "$(names "$work/q.h5")" = "hidden image_features image_grid_thw input_ids logits patch_order pixel_values position_ids text_neurons vision_hidden vision_neurons "
expect "ids without a picture" 0 out='absent: .*pixel_values.*\(no picture, no labels\)$' -- \
    "${base[@]}" --ids 1,2,3 --out "$work/ids.h5"
verdict "the file has what there is" test \
    "$(names "$work/ids.h5")" = "hidden input_ids logits position_ids text_neurons "
expect "every token is a label" 0 out='"labels": 2,' out='"loss": [0-9.]+,' -- \
    "${base[@]}" --ids 1,2,3 --labels all --json --out "$work/all.h5"
verdict "labels are the ids" bash -c 'h5dump -y -d /labels "$1" | grep -q "1, 2, 3"' _ "$work/all.h5"
expect "two tensors only" 0 no_out='absent|logits' -- \
    "${ask[@]}" --tensor hidden --tensor input_ids --out "$work/two.h5"
verdict "the file has these two" test "$(names "$work/two.h5")" = "hidden input_ids "
expect "the summary as JSON" 0 out='^  "loss": null,$' out='^  "images": 1,$' \
    out='^      "name": "patch_order",$' out='^    "vision_neuron_grads"$' -- \
    "${ask[@]}" --json --out "$work/q.h5"
expect "the reference backend" 0 -- "${ask[@]}" --backend ref --out "$work/ref.h5"
expect "a sharded bf16 checkpoint" 0 out='^wrote ' -- \
    trace --model "$tiny/model_sharded_bf16" --prompt 'Who?' --out "$work/bf16.h5"

# The other families: rows of a LLaVA picture begin with its class token; a text-only model has no
# vision tensor at all.
llava=tests/golden/llava_tiny
expect "LLaVA, two pictures" 0 out=' 2 pictures$' no_out='absent' -- \
    trace --model "$llava/model" --prompt 'Who is this?' --image "$llava/cases/images/one_84x112.png" \
    --image "$images/odd_61x90_rgba.png" --answer 'It is.' --out "$work/llava.h5"
layout "$work/llava.h5" | grep -E '^(vision|image|patch|pixel)' >"$work/layout"
cat >"$work/wanted" <<END
image_features H5T_IEEE_F32LE ( 32, 64 )
image_grid_thw H5T_STD_I32LE ( 2, 3 )
patch_order H5T_STD_I32LE ( 34 )
pixel_values H5T_IEEE_F32LE ( 32, 588 )
vision_hidden H5T_IEEE_F32LE ( 3, 34, 32 )
vision_neuron_grads H5T_IEEE_F32LE ( 2, 34, 72 )
vision_neurons H5T_IEEE_F32LE ( 2, 34, 72 )
END
verdict "LLaVA has a class token a picture" diff "$work/wanted" "$work/layout"
for family in llama qwen2; do
    expect "$family, text only" 0 out='^  loss ' out='absent: .*vision_neurons' -- \
        trace --model "tests/golden/${family}_tiny/model" --prompt 'Who is this?' \
        --answer 'It is.' --out "$work/$family.h5"
    verdict "$family has the text tensors" test "$(names "$work/$family.h5")" = \
        "hidden input_ids labels logits loss position_ids text_neuron_grads text_neurons "
done

# A conversation in a file is the same input as the options.
cat >"$work/m.json" <<'END'
[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Who is this?"}]},
 {"role": "assistant", "content": "It is."}]
END
expect "messages" 0 -- "${base[@]}" --messages "$work/m.json" \
    --image "$images/one_140x196.png" --out "$work/m.h5"
verdict "messages are the same input as the options" cmp "$work/first.h5" "$work/m.h5"

# Wrong requests: nothing is written.
out=(--out "$work/none.h5")
expect "no output" 2 err='--out F.h5 is missing' -- "${ask[@]}"
expect "no model" 2 err='--model DIR is missing' err='mip trace --help' -- \
    trace --prompt x "${out[@]}"
expect "no prompt" 2 err='give either --prompt TEXT or --ids' -- "${base[@]}" "${out[@]}"
expect "prompt and messages" 2 err='not both' -- \
    "${base[@]}" --prompt x --messages "$work/m.json" "${out[@]}"
expect "an answer to ids" 2 err='--answer goes with --prompt only' -- \
    "${base[@]}" --ids 1,2 --answer x "${out[@]}"
expect "labels of an answer that is not there" 2 err='the prompt has no answer' -- \
    "${base[@]}" --prompt x --labels answer "${out[@]}"
expect "other labels" 2 err='--labels some: expected answer or all' -- \
    "${base[@]}" --prompt x --labels some "${out[@]}"
expect "a mistyped tensor names the nearest" 2 err='no tensor text_neuron_grad' \
    err='^hint: did you mean text_neuron_grads\?$' -- \
    "${base[@]}" --prompt x --tensor text_neuron_grad "${out[@]}"
expect "a gradient without labels" 2 err='text_neuron_grads: there are no labels' \
    err='^hint: .*--answer' -- \
    "${base[@]}" --prompt x --tensor text_neuron_grads "${out[@]}"
expect "a vision tensor without a picture" 2 err='vision_hidden: there is no picture' \
    err='^hint: .*--image' -- \
    "${base[@]}" --prompt x --tensor vision_hidden "${out[@]}"
expect "one id and all labels: nothing is predicted" 2 err='a label that a row before it predicts' \
    -- "${base[@]}" --ids 1 --labels all "${out[@]}"
expect "more image parts than pictures" 2 err='m.json shows 1 pictures, but 0 were given' -- \
    "${base[@]}" --messages "$work/m.json" "${out[@]}"
echo '[{"role": "robot", "content": "x"}]' >"$work/robot.json"
expect "an unknown role" 2 err='robot' -- \
    "${base[@]}" --messages "$work/robot.json" "${out[@]}"
expect "a missing file of messages" 1 err="$work/none.json" -- \
    "${base[@]}" --messages "$work/none.json" "${out[@]}"
expect "a missing picture" 1 err='none.png' -- "${base[@]}" --prompt x --image none.png "${out[@]}"
expect "an image token without a picture" 1 err='image' -- \
    "${base[@]}" --ids 1,390,2 "${out[@]}"
expect "an id outside the vocabulary" 2 err='token 400 .* vocabulary of 400' -- \
    "${base[@]}" --ids 1,400 "${out[@]}"
verdict "nothing was written" test ! -e "$work/none.h5"

expect "an output folder that is not there" 1 err='--out .*/no/t.h5: .* no folder one may write' -- \
    "${base[@]}" --prompt x --out "$work/no/t.h5"
mkdir "$work/dir"
expect "an output that is a folder" 1 err='is a folder' -- \
    "${base[@]}" --prompt x --out "$work/dir"
# A full disk, wherever in the file it fills up; sizes in KiB.
for size in 1 8 16 64 128 300; do
    (
        ulimit -f "$size"
        trap '' XFSZ
        "$MIP" "${ask[@]}" --out "$work/full.h5" >"$work/out" 2>"$work/err"
    )
    code=$?
    verdict "a disk full after $size KiB is an error" test "$code" = 1
    verdict "and the message names the file" grep -q "$work/full.h5" "$work/err"
    verdict "and no part of the file stays" \
        bash -c '! ls "$1"/full.h5* >/dev/null 2>&1' _ "$work"
done

finish
