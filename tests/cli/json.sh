#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/json.sh - what --json prints is one JSON document for another program's parser (jq),
# and says what the text says.
source "$(dirname "$0")/../support/cli.sh"
export MIP_THREADS=1
config=tests/cli/configs/nano.yaml
run=$work/run

# json NAME FILTER ARGUMENTS... : stdout is one document for which the filter is true.
json() {
    local name=$1 filter=$2
    shift 2
    "$MIP" "$@" --json >"$work/out" 2>"$work/err"
    verdict "$name" jq -se "length == 1 and (.[0] | $filter)" "$work/out"
}

json "version" '.version and .commit' version
json "doctor" '[.findings[].group] | index("machine") and index("libraries")' doctor
json "check" '.ok and .persons > 0 and .breaches == []' check tests/data/nano
json "generate" '(.ids | length) > 0 and (.text | type) == "string"' generate \
    --model "$tiny/model" --prompt "Who?" --max-new-tokens 4
json "trace" '.tokens > 0 and ([.tensors[].name] | index("logits"))' trace \
    --model "$tiny/model" --prompt "Who?" --out "$work/trace.h5"
json "plan" '.fits and ([.stages[].name] | index("edit")) and .peak_bytes > .weights_bytes' \
    plan "$config" --set output="$run"
json "attribute" '.attribute.forget_samples == 12 and (.attribute.done_before | not)
    and (.attribute.text.layers | length) == 3 and .attribute.text.done == 12
    and (.attribute.vision.layers | length) == 4 and .attribute.vision.done == 6' \
    attribute "$config" --set output="$run"
json "edit" '.edit.text_neurons == 12 and .edit.vision_neurons == 12 and .edit.steps == 20
    and .edit.forget_loss_first > 0' edit "$config" --set output="$run"
json "eval" '[.eval.columns[].title] == ["before", "run"]
    and (.eval.cells[] | select(.cell == "FVQA") | .values | length == 2)' \
    eval "$config" --set output="$run"
json "run" '.attribute.done_before and .edit.done_before and .eval.cells
    and (.files | keys | index("attribution.h5"))' run "$config" --set output="$run"
json "a run without an edit has no such member" '(has("edit") | not) and has("eval")' \
    run "$config" --set output="$work/plain" --set edit.method=none --set eval.sets=[forget] \
    --set eval.tasks=[mcq] --set attribute.max_samples=1
json "table" '[.columns[].reference] == [false, false, true]
    and all(.cells[]; .values | length == 3)
    and all(.cells[].values[].right | select(.); .n > 0 and .low <= .share and .share <= .high)' \
    table "$run" --reference "$run"
"$MIP" table "$run" | grep '^| CVQA' >"$work/text"
json "its numbers are those of the text" '.cells[] | select(.cell == "CVQA") | .values[0].right.n
    == 20' table "$run"
verdict "(which has n 20, too)" grep -qE '\| 20 +\|' "$work/text"
json "inspect of a checkpoint" '.kind == "checkpoint" and .text.layers == 3' inspect "$tiny/model"
json "inspect of a run" '.kind == "run" and .stages.eval and ."attribution.h5".text' inspect "$run"
json "inspect of scores" '.kind == "attribution" and (.text.layers | length) == 3' \
    inspect "$run/attribution.h5"
json "inspect of edited rows" '.kind == "edit" and .rows > 0' inspect "$run/edit.h5"
json "inspect of the layout" '.objects[] | select(.name == "/text/path")
    | .dims == ["sample", "layer", "rank"] and .shape == [12, 3, 5]' \
    inspect "$run/attribution.h5" --layout
json "edit --undo" '.restored_files == 1' edit --undo "$run"

missing=""
for command in $("$MIP" help | sed -n '/^commands$/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    [ "$command" = help ] || "$MIP" help "$command" | grep -q '^  --json ' ||
        missing="$missing $command"
done
result "every command but help has --json" "${missing:+without:$missing}"
expect "after an error stdout stays empty" 2 no_out='.' err='^mip: error: ' -- \
    run "$config" --set edit.layer=99 --set output="$work/x" --json

finish
