#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/run_damage.sh - files of a run folder that are missing, damaged, held, of another version
# or of another model: what is said, what to do, and that doing it gives the same bytes.
source "$(dirname "$0")/../support/cli.sh"
export MIP_THREADS=1
settings=(tests/cli/configs/nano.yaml --set edit.steps=2 --set attribute.quadrature=midpoint1
    --set attribute.max_samples=3 --set 'eval.sets=[forget]' --set 'eval.tasks=[mcq]'
    --set eval.max_new_tokens=2 --set eval.batch=4)
results=(attribution.h5 edit.h5 model/model.safetensors eval/items.jsonl eval/models.json)
run=$work/run
command=(run "${settings[@]}" --set output="$run")

fresh() {
    rm -rf "$run"
    cp -r "$work/whole" "$run"
}

# flip FILE OFFSET: four bytes there become others.
flip() {
    printf '\x5a\xa5\x5a\xa5' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

same() {
    local name
    for name in "${results[@]}"; do
        cmp "$work/whole/$name" "$run/$name" || return 1
    done
}

# again NAME: the command goes on to the bytes of the undamaged run.
again() {
    expect "$1: the same command mends it" 0 -- "${command[@]}"
    verdict "$1: with the same bytes" same
}

expect "a run" 0 -- run "${settings[@]}" --set output="$work/whole"

# --- missing files are made again -----------------------------------------------------------------
for name in attribution.h5 edit.h5 model eval/items.jsonl eval/models.json manifest.json; do
    fresh
    rm -r "${run:?}/$name"
    again "without $name"
done

# --- attribution.h5 and edit.h5 -------------------------------------------------------------------
# changed NAME FILE STAGE: told, refused with code 1; once it is removed the run mends itself.
changed() {
    expect "$1: told" 1 err="$2 was changed or damaged since '$3' wrote it: sha256 [0-9a-f]{16}" \
        err='^hint: remove it: ' -- "${command[@]}"
    rm "$2"
    again "$1, removed"
}
for file in attribution edit; do
    stage=${file/attribution/attribute}
    size=$(stat -c %s "$work/whole/$file.h5")
    fresh
    flip "$run/$file.h5" 50
    changed "$file.h5, flipped in its header" "$run/$file.h5" "$stage"
    fresh
    flip "$run/$file.h5" $((size * 2 / 3))
    changed "$file.h5, flipped in its data" "$run/$file.h5" "$stage"
    fresh
    truncate -s 1000 "$run/$file.h5"
    changed "$file.h5, cut" "$run/$file.h5" "$stage"
    fresh
    : >"$run/$file.h5"
    changed "$file.h5, empty" "$run/$file.h5" "$stage"
done
fresh
flip "$run/attribution.h5" 60000
expect "a damaged attribution.h5 of another run is not used" 1 \
    err="$run/attribution.h5 was changed or damaged since 'attribute'" -- \
    edit "${settings[@]}" --set output="$work/other" --set attribute.from="$run"
expect "a whole one is" 0 -- \
    edit "${settings[@]}" --set output="$work/other" --set attribute.from="$work/whole"

truncate -s 1000 "$run/attribution.h5"
expect "inspect of a cut file" 1 err="$run/attribution.h5 is damaged: truncated" \
    err='^hint: remove it, and run' -- inspect "$run/attribution.h5"
: >"$run/attribution.h5"
expect "inspect of an empty file" 1 err="$run/attribution.h5 is not an HDF5 file" err='^hint: ' -- \
    inspect "$run/attribution.h5"
cp "$work/whole/edit.h5" "$run/attribution.h5"
expect "inspect of a file of something else" 0 out='edit' -- inspect "$run/attribution.h5"
truncate -s 5000 "$run/edit.h5"
expect "undo with a cut edit.h5" 1 err="$run/edit.h5 is damaged: truncated" err='^hint: ' -- \
    edit --undo "$run"
verdict "leaves the model as it is" cmp "$work/whole/model/model.safetensors" \
    "$run/model/model.safetensors"

# --- a file that another process holds ------------------------------------------------------------
fresh
exec 9<"$run/attribution.h5"
flock -x 9
expect "inspect of a held file" 1 err="$run/attribution.h5 is held by another process" \
    err="^hint: see who: fuser -v $run/attribution.h5" -- inspect "$run/attribution.h5"
expect "an edit from a held file" 1 err="$run/attribution.h5 is held by another process" \
    err='^hint: ' -- edit "${settings[@]}" --set output="$work/other2" --set attribute.from="$run"
exec 9<&-
expect "once it is let go, the same command edits" 0 -- \
    edit "${settings[@]}" --set output="$work/other2" --set attribute.from="$run"
verdict "with the same bytes" cmp "$work/whole/edit.h5" "$work/other2/edit.h5"

# --- manifest.json --------------------------------------------------------------------------------
# bad_manifest NAME CODE REGEX: told; once it is removed the run mends itself.
bad_manifest() {
    expect "manifest.json, $1" "$2" err="$run/manifest.json:.*$3" err='^hint: ' -- "${command[@]}"
    expect "inspect of that run" "$2" err="$run/manifest.json" -- inspect "$run"
    rm "$run/manifest.json"
    again "manifest.json, $1, removed"
}
fresh
truncate -s 100 "$run/manifest.json"
bad_manifest "cut" 1 'string without an end|not valid JSON'
fresh
: >"$run/manifest.json"
bad_manifest "empty" 1 'not valid JSON'
fresh
sed -i 's/"seconds": [0-9.e-]*/"seconds": "long"/' "$run/manifest.json"
bad_manifest "with a word for a number" 1 'stages.attribute.seconds: expected number'
fresh
sed -i 's#mip-run/1#mip-run/2#' "$run/manifest.json"
expect "manifest.json of a later version: another folder is asked for" 2 \
    err='manifest.json: format "mip-run/2", this program reads "mip-run/1"' \
    err='^hint: choose another folder: --set output=' -- "${command[@]}"

# --- eval/items.jsonl -----------------------------------------------------------------------------
fresh
truncate -s -20 "$run/eval/items.jsonl"
again "items.jsonl, its last line cut"
fresh
sed -i '3s/"id"/"ix"/' "$run/eval/items.jsonl"
expect "items.jsonl, a damaged line: told with file and line" 1 \
    err="$run/eval/items.jsonl:3: id: expected a string" \
    err="^hint: sed -i '3,\\\$d' $run/eval/items.jsonl" -- "${command[@]}"
eval "$(sed -n "s/^hint: \(sed -i '3,\$d' [^;]*\);.*/\1/p" "$work/err")"
again "items.jsonl, after the hint's command"
fresh
echo '{"before": ' >"$run/eval/models.json"
expect "models.json, cut: told" 1 err="$run/eval/models.json:.*not valid JSON" \
    err="^hint: run: mip eval $run/config.yaml" -- table "$run"
again "models.json, cut"

# --- unfinished work ------------------------------------------------------------------------------
# An attribution that stops when its last journal file cannot be written: a folder has its name.
fresh
rm -r "$run/attribution.h5" "$run/manifest.json" "$run/edit.h5" "$run/model" "$run/eval"
mkdir -p "$run/attribution.h5/in-the-way"
expect "a folder where a result goes" 1 err="cannot rename .* to $run/attribution.h5: " -- \
    attribute "${settings[@]}" --set output="$run"
verdict "its samples stay in the journal" test -s "$run/attribution.journal/vision_000002.bin"
cp -r "$run" "$work/unfinished"
for part in 100 "$(stat -c %s "$run/attribution.journal/text_000001.bin")"; do
    rm -rf "$run"
    cp -r "$work/unfinished" "$run"
    rm -r "$run/attribution.h5"
    truncate -s "$part" "$run/attribution.journal/text_000001.bin"
    flip "$run/attribution.journal/text_000001.bin" 60
    expect "a damaged journal file is told and its sample made again" 0 \
        err='text_000001.bin: .*(expected .* bytes|checksum).*the sample is computed again' -- \
        "${command[@]}"
    verdict "with the same bytes" same
done
rm -rf "$run"
cp -r "$work/unfinished" "$run"
rm -r "$run/attribution.h5"
sed -i 's/top_k.*/top_k 77/' "$run/attribution.journal/spec.txt"
expect "a journal of other settings is refused" 2 \
    err="$run/attribution.journal holds scores made with other settings" err='^hint: ' -- \
    "${command[@]}"

# --- another model, a model that cannot be read ---------------------------------------------------
cp -r "$tiny/model" "$work/model"
chmod -R u+w "$work/model"
fresh
flip "$work/model/model.safetensors" 90000
expect "one other weight is another model" 2 \
    err="$run holds the finished stage 'attribute' of other settings, model or data" err='^hint: ' \
    -- "${command[@]}" --set model.path="$work/model"
verdict "the run is as before" same
expect "an edit of another model's neurons" 2 err="$work/whole/attribution.h5 was made by" \
    err='^hint: ' -- edit "${settings[@]}" --set model.path="$work/model" \
    --set output="$work/other3" --set attribute.from="$work/whole"
expect "the output path is a file" 1 err='cannot make the folder LICENSE: File exists' \
    err='^hint: a file is where' -- run "${settings[@]}" --set output=LICENSE

# The rest needs a user whom modes bind: root gives its rights up.
chmod 755 "$work"
mkdir -m 755 "$work/closed"
chmod 000 "$work/model/model.safetensors"
bind=()
[ "$(id -u)" -ne 0 ] || bind=(setpriv --reuid=65534 --regid=65534 --clear-groups)
# as_user NAME REGEX ARGUMENTS: exit code 1, the words, a hint.
as_user() {
    local name=$1 words=$2 code
    shift 2
    "${bind[@]}" "$MIP" "$@" >"$work/out" 2>"$work/err"
    code=$?
    result "$name" "$([ "$code" -eq 1 ] && grep -qE "$words" "$work/err" &&
        grep -q '^hint: ' "$work/err" || echo "exit code $code: $(cat "$work/err")")"
}
if "${bind[@]}" test -x "$MIP" -a -r tests/cli/configs/nano.yaml -a ! -w "$work/closed"; then
    as_user "an output folder in a folder that may not be written" \
        "cannot make the folder $work/closed/run: Permission denied" \
        run "${settings[@]}" --set output="$work/closed/run"
    as_user "a run folder that may not be written" "cannot open $run/lock: Permission denied" \
        "${command[@]}"
    as_user "weights that may not be read" \
        "cannot open $work/model/model.safetensors: Permission denied" \
        generate --model "$work/model" --prompt hello
else
    n_tests=$((n_tests + 1))
    echo "ok $n_tests - folders without rights # SKIP no user without rights can run $MIP"
fi

finish
