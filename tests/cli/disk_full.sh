#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/disk_full.sh - the disk is full at every place where something is written: the file is
# named, what to do is said, and with room again the run ends with the same bytes.
#
# How     tests/preload/fail_write.c: from its Nth writing call on the program gets "No space left on
#         device". N is the first and the last call on every file that a run makes. Then the
#         kernel's own limits: ulimit -f, and a small tmpfs where a mount namespace can be had.
source "$(dirname "$0")/../support/cli.sh"
export MIP_THREADS=1
preload=$(dirname "$MIP")/preload/fail_write.so
settings=(tests/cli/configs/nano.yaml --set edit.steps=2 --set attribute.quadrature=midpoint1
    --set attribute.max_samples=3 --set 'eval.sets=[forget]' --set 'eval.tasks=[mcq]'
    --set eval.max_new_tokens=2 --set eval.batch=64)
results=(attribution.h5 edit.h5 model/model.safetensors eval/items.jsonl eval/models.json)
run=$work/run

# plain FILE: its lines with samples of the journal and temporary names of one file under one name.
plain() {
    sed -E 's/\.(tmp|patched|undo)-[0-9]+//g; s/_[0-9]{6}\.bin/.bin/g' "$1"
}

# places LIST: "number file" of the first and the last call on every file.
places() {
    plain "$1" |
        awk '!($3 in first) { first[$3] = $1 } { last[$3] = $1 }
            END { for (f in first) { print first[f], f; if (last[f] != first[f]) print last[f], f } }' |
        sort -n
}

# told CODE WORDS: what is wrong with the end of the command whose words are in $work/err.
told() {
    if [ "$1" -ne 1 ]; then
        echo "exit code $1; "
    elif ! plain "$work/err" | grep -qE "^mip: error: .*$2"; then
        echo "no '$2'; "
    elif ! grep -qE '^hint: .*(df -h|ulimit -f)' "$work/err"; then
        echo "no hint; "
    fi
}

# same RUN: what differs once there is room again.
same() {
    local name
    [ ! -e "$1" ] || find "$1" -name '*tmp-*' -o -name '*patched-*'
    "$MIP" run "${settings[@]}" --set output="$1" >"$work/again" 2>&1 || tail -n 2 "$work/again"
    for name in "${results[@]}"; do
        cmp "$work/whole/$name" "$1/$name" 2>&1
    done
    find "$1" -name '*.journal' -o -name '*.state'
}

# full NAME BEFORE AFTER COMMAND...: the disk is full at every place of the command.
full() {
    local name=$1 before=$2 after=$3 number file code fault
    shift 3
    $before
    LD_PRELOAD=$preload FAIL_WRITE_LIST=$work/list "$MIP" "$@" >"$work/out" 2>"$work/err"
    places "$work/list" >"$work/places"
    verdict "$name writes somewhere" test -s "$work/places"
    while read -r number file; do
        $before
        LD_PRELOAD=$preload FAIL_WRITE_AT=$number "$MIP" "$@" >"$work/out" 2>"$work/err"
        code=$?
        fault=$(told "$code" "${file#"$work"/}.*No space left on device")$($after)
        result "$name: no room for ${file#"$work"/}, call $number" \
            "${fault:+$fault $(grep -E '^(mip|hint)' "$work/err")}"
    done <"$work/places"
}

fresh() {
    rm -rf "$run"
}
after_run() {
    same "$run"
}
edited() {
    rm -rf "$work/edited"
    cp -r "$work/whole" "$work/edited"
}
after_undo() {
    "$MIP" edit --undo "$work/edited" >"$work/again" 2>&1 || cat "$work/again"
    cmp "$tiny/model/model.safetensors" "$work/edited/model/model.safetensors" 2>&1
    find "$work/edited" -name '*undo-*'
}
no_trace() {
    rm -f "$work/trace.h5"
}
after_trace() {
    find "$work" -maxdepth 1 -name 'trace.h5*tmp*'
}

verdict "the library that fills the disk is built (make tests)" test -e "$preload"
expect "a run with room" 0 -- run "${settings[@]}" --set output="$work/whole"
full run fresh after_run run "${settings[@]}" --set output="$run"
full undo edited after_undo edit --undo "$work/edited"
full trace no_trace after_trace trace --model "$tiny/model" --prompt 'Who is this?' \
    --out "$work/trace.h5"

# --- the kernel's own limits ----------------------------------------------------------------------
for kib in 1 64 90 200; do
    fresh
    (
        ulimit -f "$kib"
        "$MIP" run "${settings[@]}" --set output="$run" >/dev/null 2>"$work/err"
    )
    code=$?
    fault=$(told "$code" "$run/.*File too large")$(same "$run")
    result "no file may exceed $kib KiB" "${fault:+$fault $(cat "$work/err")}"
done

# on_tmpfs SIZE COMMAND...: the command with $work/small on a tmpfs of that size.
on_tmpfs() {
    unshare -rm bash -c 'mount -t tmpfs -o size=$1 none "$2" && shift 2 && "$@"' _ "$1" \
        "$work/small" "${@:2}"
}
# shellcheck disable=SC2016 # expanded by the inner shell
in_small='"$MIP" run "$@" --set output="$work/small/run" >/dev/null 2>"$work/err"; code=$?
    cp -r "$work/small/run" "$work/run"; exit $code'
mkdir "$work/small"
export MIP work
if on_tmpfs 64k true 2>/dev/null; then
    for size in 16k 128k 256k 1m; do
        fresh
        on_tmpfs "$size" bash -c "$in_small" _ "${settings[@]}"
        code=$?
        fault=$(told "$code" "$work/small/run/.*No space left on device")$(same "$run")
        result "a run folder on a disk of $size" "${fault:+$fault $(cat "$work/err")}"
    done
else
    n_tests=$((n_tests + 1))
    echo "ok $n_tests - a run folder on a small disk # SKIP no mount namespace here"
fi

finish
