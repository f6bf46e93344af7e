#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/generate.sh - `mip generate`: the ids transformers generates, and what
# is said about wrong input.
source "$(dirname "$0")/../support/cli.sh"
cases=$tiny/cases
answer=("generate" "--model" "$tiny/model" "--max-new-tokens" 16 "--json")

# One line per case of a golden JSON file, without any blanks: enough for fields that
# hold numbers and file names.
flat() {
    tr -d ' \n' <"$1" | sed 's/},{"name"/}\n{"name"/g'
}

# field LINE NAME - the text between the brackets of an array, or a number.
field() {
    sed -n "s/.*[{,]\"$2\":\[\{0,1\}\([^]]*\).*/\1/p" <<<"$1" | sed 's/,"[a-z_]*":.*//' | tr -d '"'
}

# model_with PENALTY STOP-IDS [FOLDER] - a tiny model with this generation_config.json,
# as $work/model.
model_with() {
    rm -rf "$work/model"
    mkdir "$work/model"
    ln -s "$root/${3:-$tiny/model}/"* "$work/model/"
    rm "$work/model/generation_config.json"
    echo "{\"repetition_penalty\": $1, \"eos_token_id\": [$2]}" \
        >"$work/model/generation_config.json"
}

# asked FAMILY-FOLDER NAME - the question of a case, whose text keeps its blanks.
asked() {
    sed -n "/\"name\": \"$2\"/,/\"question\"/s/^ *\"question\": \"\(.*\)\",$/\1/p" \
        "$1/cases/generate.json"
}

# golden_ids FAMILY-FOLDER - the same ids as transformers, for every case, from its ids and, where
# it is a chat, from the question and the files. Its list ends with the stop token where one was
# hit.
golden_ids() {
    local n_cases=0 line name stops stop wanted image images backend question
    while IFS= read -r line || [ -n "$line" ]; do
        name=$(field "$line" name)
        stops=$(field "$line" eos_token_id)
        wanted=$(field "$line" ids)
        for stop in ${stops//,/ }; do
            wanted=${wanted%",$stop"}
        done
        images=()
        for image in $(field "$line" images | tr ',' ' '); do
            images+=(--image "$1/cases/images/$image")
        done
        model_with "$(field "$line" repetition_penalty)" "$stops" "$1/model"
        for backend in cpu ref; do
            expect "ids of transformers: ${1##*/}, $name, $backend" 0 \
                out="^\{\"ids\":\[$wanted\],\"text\":" -- \
                generate --model "$work/model" \
                --ids "$(field "$line" input_ids)" ${images[@]+"${images[@]}"} --json \
                --backend "$backend" \
                --max-new-tokens "$(field "$line" max_new_tokens)"
        done
        question=$(asked "$1" "$name")
        if [[ $line == *'"question"'* ]]; then
            expect "the chat of transformers: ${1##*/}, $name" 0 \
                out="^\{\"ids\":\[$wanted\],\"text\":" -- \
                generate --model "$work/model" --prompt "$question" \
                ${images[@]+"${images[@]}"} --json \
                --max-new-tokens "$(field "$line" max_new_tokens)"
        fi
        n_cases=$((n_cases + 1))
    done < <(flat "$1/cases/generate.json")
    verdict "every golden case of ${1##*/} was run" test "$n_cases" -eq \
        "$(grep -c '"input_ids"' "$1/cases/generate.json")"
}
for family in qwen25vl qwen2vl llava llama qwen2; do
    golden_ids "tests/golden/${family}_tiny"
done

# The chat template around a text and pictures gives the prompt transformers makes:
# both prompts get the same answer.
chat_ids() {
    field "$(flat "$cases/chat.json" | grep "\"name\":\"$1\"")" ids
}
expect "a text prompt" 0 -- "${answer[@]}" --prompt $'What\'s the answer?\n\n'
cp "$work/out" "$work/by_prompt"
expect "its ids" 0 -- "${answer[@]}" --ids "$(chat_ids text)"
verdict "a text prompt is the template's prompt" cmp "$work/by_prompt" "$work/out"
expect "a prompt with a picture" 0 -- \
    "${answer[@]}" --prompt 'Who is this?' --image "$cases/images/square_56x56.png"
cp "$work/out" "$work/by_prompt"
expect "its ids and the picture" 0 -- \
    "${answer[@]}" --ids "$(chat_ids image)" --image "$cases/images/square_56x56.png"
verdict "a prompt with a picture is the template's prompt" cmp "$work/by_prompt" "$work/out"
expect "pictures in their order" 0 -- \
    "${answer[@]}" --prompt 'x' --image "$cases/images/small_56x84.png" \
    --image "$cases/images/odd_70x70.png"
cp "$work/out" "$work/by_prompt"
expect "pictures in the other order" 0 -- \
    "${answer[@]}" --prompt 'x' --image "$cases/images/odd_70x70.png" \
    --image "$cases/images/small_56x84.png"
verdict "the order of pictures matters" bash -c '! cmp -s "$1" "$2"' _ "$work/by_prompt" "$work/out"

# A conversation in a file.
echo '[{"role": "user", "content": [{"type": "image"}, {"type": "image"},
    {"type": "text", "text": "x"}]}]' >"$work/m.json"
expect "two pictures and a text from a file" 0 -- \
    "${answer[@]}" --messages "$work/m.json" --image "$cases/images/odd_70x70.png" \
    --image "$cases/images/small_56x84.png"
cp "$work/out" "$work/by_messages"
expect "the same as a prompt" 0 -- "${answer[@]}" --prompt 'x' \
    --image "$cases/images/odd_70x70.png" --image "$cases/images/small_56x84.png"
verdict "a file of messages is the same prompt" cmp "$work/by_messages" "$work/out"
echo '[{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]' >"$work/said.json"
expect "a conversation that is over" 2 err="said.json ends with the assistant's answer" \
    err='^hint: ' -- "${answer[@]}" --messages "$work/said.json"

expect "plain output is the text" 0 no_out='ids' -- \
    generate --model "$tiny/model" --prompt 'Who?' --max-new-tokens 4
expect "a sharded bf16 checkpoint" 0 out='^\{"ids":\[[0-9,]+\]' -- \
    generate --model "$tiny/model_sharded_bf16" --prompt 'Who?' --max-new-tokens 4 --json
MIP_THREADS=1 expect "one thread" 0 -- "${answer[@]}" --prompt 'Who?' \
    --image "$cases/images/one_140x196.png"
cp "$work/out" "$work/one_thread"
MIP_THREADS=3 expect "three threads" 0 -- "${answer[@]}" --prompt 'Who?' \
    --image "$cases/images/one_140x196.png"
verdict "the answer does not depend on the threads" cmp "$work/one_thread" "$work/out"

# Wrong requests.
expect "no model" 2 err='--model DIR is missing' -- generate --prompt x
expect "no prompt" 2 err='give either --prompt TEXT or --ids' -- generate --model "$tiny/model"
expect "prompt and ids" 2 err='not both' -- generate --model "$tiny/model" --prompt x --ids 1
expect "ids that are no numbers" 2 err="--ids: .*found 'x'" -- \
    generate --model "$tiny/model" --ids 1,x
expect "an empty list of ids" 2 err="--ids: " -- generate --model "$tiny/model" --ids ''
expect "an id outside the vocabulary" 2 err='token 400 .* vocabulary of 400' -- \
    generate --model "$tiny/model" --ids 1,400
expect "an image token without a picture" 1 err='image' -- \
    generate --model "$tiny/model" --ids 1,390,2
expect "a picture without its image tokens" 1 err='image' -- \
    generate --model "$tiny/model" --ids 1,2 --image "$cases/images/square_56x56.png"
expect "no new tokens" 2 err='--max-new-tokens 0: expected a whole number from 1' -- \
    generate --model "$tiny/model" --prompt x --max-new-tokens 0
expect "a prompt that is no UTF-8" 1 err='UTF-8' -- generate --model "$tiny/model" --prompt $'\xff'
expect "a prompt that spells the image token" 1 err='image_pad' -- \
    generate --model "$tiny/model" --prompt '<|image_pad|>'
expect "an unknown backend" 3 err='no backend called quantum' err='^hint: ' -- \
    generate --model "$tiny/model" --prompt x --backend quantum

# Wrong files.
expect "a missing model folder" 1 err="$work/none" -- generate --model "$work/none" --prompt x
expect "a missing picture" 1 err="$work/none.png" -- \
    generate --model "$tiny/model" --prompt x --image "$work/none.png"
head -c 200 "$cases/images/one_140x196.png" >"$work/cut.png"
expect "a cut picture" 1 err="$work/cut.png" -- \
    generate --model "$tiny/model" --prompt x --image "$work/cut.png"
echo "this is text" >"$work/text.png"
expect "a picture that is none" 1 err="$work/text.png.*(PNG|JPEG)" -- \
    generate --model "$tiny/model" --prompt x --image "$work/text.png"
: >"$work/empty.png"
expect "an empty picture" 1 err="$work/empty.png" -- \
    generate --model "$tiny/model" --prompt x --image "$work/empty.png"
expect "a folder as picture" 1 err="$work" -- \
    generate --model "$tiny/model" --prompt x --image "$work"
# The header of a PNG of 100,000 x 100,000 pixels: 30 GB if anybody believed it.
printf \
    '\211PNG\r\n\032\n\000\000\000\rIHDR\000\001\206\240\000\001\206\240\010\002\000\000\000\047\060\234\237\000\000\000\010IDAT\170\234\003\000\000\000\000\001\110\006\211\322\000\000\000\000IEND\256B\140\202' \
    >"$work/huge.png"
expect "a huge picture does not fit" 4 err='huge.png.*100000' -- \
    generate --model "$tiny/model" --prompt x --image "$work/huge.png"

model_with 1.0 386
rm "$work/model/model.safetensors"
head -c 400000 "$tiny/model/model.safetensors" >"$work/model/model.safetensors"
expect "cut weights" 1 err='model.safetensors' -- generate --model "$work/model" --prompt x
cp --remove-destination "$tiny/model/model.safetensors" "$work/model/model.safetensors"
chmod u+w "$work/model/model.safetensors"
size=$(stat -c %s "$work/model/model.safetensors")
printf '\000\000\300\177' | dd of="$work/model/model.safetensors" bs=1 seek=$((size - 4)) \
    conv=notrunc status=none
expect "a NaN among the weights" 1 err='NaN' -- generate --model "$work/model" --prompt x
model_with 1.0 2 tests/golden/llava_tiny/model
rm "$work/model/chat_template.json"
sed "s/{{ content\['text'\] + ' '}}{% endgen/{{ content['text'] + '<\/s>'}}{% endgen/" \
    tests/golden/llava_tiny/model/chat_template.json >"$work/model/chat_template.json"
expect "a chat template nobody knows" 1 err='chat_template.json: this chat template is of no family' \
    err='^hint: .*--ids .*--messages' -- generate --model "$work/model" --prompt x
expect "ids need no known template" 0 out='"text":"' -- \
    generate --model "$work/model" --ids 1,2,3 --max-new-tokens 2 --json
model_with 1.0 386
rm "$work/model/chat_template.json"
rm "$work/model/tokenizer_config.json"
expect "no chat template" 1 err='chat template' err='^hint: ' -- \
    generate --model "$work/model" --prompt x
expect "ids need no chat template" 0 out='"text":"' -- \
    generate --model "$work/model" --ids 1,2,3 --max-new-tokens 2 --json
rm "$work/model/tokenizer.json"
expect "ids need no tokenizer" 0 out='^[0-9]+(,[0-9]+)*$' -- \
    generate --model "$work/model" --ids 1,2,3 --max-new-tokens 2
expect "then the text is null" 0 out='"text":null' -- \
    generate --model "$work/model" --ids 1,2,3 --max-new-tokens 2 --json
rm "$work/model/config.json"
expect "no config.json" 1 err='config.json' -- generate --model "$work/model" --ids 1,2,3

"$MIP" "${answer[@]}" --prompt x >/dev/full 2>"$work/err"
verdict "a full stdout is an error" test $? = 1

finish
