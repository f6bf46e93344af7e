#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/alloc_failures.sh - one allocation fails: exit code 1, words, nothing lost.
#
# What    Every command on the tiny model. tests/preload/fail_alloc.c numbers its allocations
#         and fails one; a site is a call stack. A failed command says what it could not allocate
#         and ends with code 1; a run folder goes on afterwards to the bytes of a run without
#         failures, an undo to the original ones.
# Sites   MIP_ALLOC_SITES of each command, drawn with MIP_TEST_SEED (both printed); "all" takes
#         every site, at its first allocation (make faults; half an hour).
source "$(dirname "$0")/../support/cli.sh"
export MIP_THREADS=1
preload=$(dirname "$MIP")/preload/fail_alloc.so
n_sites=${MIP_ALLOC_SITES:-4}
seed=${MIP_TEST_SEED:-20310405}
RANDOM=$seed
echo "# MIP_ALLOC_SITES=$n_sites MIP_TEST_SEED=$seed"
settings=(tests/cli/configs/nano.yaml --set edit.steps=2 --set attribute.quadrature=midpoint1
    --set attribute.max_samples=3 --set 'eval.sets=[forget]' --set 'eval.tasks=[mcq]'
    --set eval.max_new_tokens=2 --set eval.batch=64)
results=(attribution.h5 edit.h5 model/model.safetensors eval/items.jsonl eval/models.json)
words='cannot allocate|no memory|cannot grow a string'

# chosen LIST N: numbers of the first allocations of N sites, in an order of the seed.
chosen() {
    awk '!($2 in seen) { seen[$2] = 1; print $1 }' "$1" | shuf --random-source=<(
        openssl enc -aes-128-ctr -pass "pass:$seed" -nosalt -iter 1 </dev/zero 2>/dev/null
    ) | if [ "$2" = all ]; then cat; else head -n "$2"; fi
}

# once NUMBER COMMAND...: what is wrong with the command when that allocation fails; its words
# in $work/err.
once() {
    local number=$1 code
    shift
    LD_PRELOAD=$preload FAIL_ALLOC_AT=$number "$MIP" "$@" >"$work/out" 2>"$work/err"
    code=$?
    if ! grep -q '^fail_alloc: ' "$work/err"; then
        # mip plan measures for a while, with as many allocations as time allows
        [ "$code" -eq 0 ] || echo "exit code $code without a failure; "
    elif [ "$code" -ne 1 ]; then
        echo "exit code $code; "
    elif ! grep -qE "^mip: error: .*($words)" "$work/err"; then
        echo "no word about memory; "
    elif ! grep -q '^hint: ' "$work/err"; then
        echo "no hint; "
    fi
}

# sweep NAME N BEFORE AFTER COMMAND...: N sites of the command.
# BEFORE is run before each failure, AFTER behind it; AFTER prints what is wrong.
sweep() {
    local name=$1 n=$2 before=$3 after=$4 list=$work/list number fault n_run=0 n_bad=0
    shift 4
    $before
    LD_PRELOAD=$preload FAIL_ALLOC_LIST=$list "$MIP" "$@" >"$work/out" 2>"$work/err"
    for number in $(chosen "$list" "$n"); do
        $before
        fault=$(once "$number" "$@")
        fault+=$($after)
        n_run=$((n_run + 1))
        if [ -n "$fault" ]; then
            n_bad=$((n_bad + 1))
            echo "# FAIL_ALLOC_AT=$number mip $*: $fault $(grep -E '^(mip|hint)' "$work/err")" |
                sed '2,$s/^/# /'
        fi
    done
    echo "# $name: $(wc -l <"$list") allocations, $(cut -d' ' -f2 "$list" | sort -u | wc -l)" \
        "sites, $n_run failed"
    result "$name: an allocation that fails is told, and nothing is lost" \
        "$([ "$n_run" -gt 0 ] && [ "$n_bad" -eq 0 ] || echo "$n_bad of $n_run, see above")"
}

fresh_run() {
    rm -rf "$work/run"
}

same_bytes() {
    local name
    if ! "$MIP" run "${settings[@]}" --set output="$work/run" >"$work/again" 2>&1; then
        echo "does not go on: $(tail -n 2 "$work/again")"
    fi
    for name in "${results[@]}"; do
        cmp "$work/whole/$name" "$work/run/$name" 2>&1
    done
    find "$work/run" -name '*tmp-*' -o -name '*.journal' -o -name '*.state'
}

edited_again() {
    rm -rf "$work/edited"
    cp -r "$work/whole" "$work/edited"
}

undone() {
    "$MIP" edit --undo "$work/edited" >"$work/again" 2>&1 || cat "$work/again"
    cmp "$tiny/model/model.safetensors" "$work/edited/model/model.safetensors" 2>&1
}

no_trace() {
    rm -f "$work/trace.h5"
}

no_part_of_a_trace() {
    find "$work" -maxdepth 1 -name 'trace.h5.*'
}

verdict "the library that fails allocations is built (make tests)" test -e "$preload"
expect "a run without failures" 0 -- run "${settings[@]}" --set output="$work/whole"
image=$(find tests/data/nano/images -name '*.png' | sort | head -n 1)
input=(--model "$tiny/model" --prompt 'Who is this?' --image "$image")
sweep undo "$n_sites" edited_again undone edit --undo "$work/edited"
sweep plan "$n_sites" : : plan "${settings[@]}" --set output="$work/none"
sweep trace "$n_sites" no_trace no_part_of_a_trace trace "${input[@]}" --answer 'A person.' \
    --out "$work/trace.h5"
sweep generate "$n_sites" : : generate "${input[@]}" --max-new-tokens 3 --json
sweep table "$n_sites" : : table "$work/whole"
sweep "inspect a run" "$n_sites" : : inspect "$work/whole" --json
sweep "inspect a checkpoint" "$n_sites" : : inspect "$tiny/model"
sweep check "$n_sites" : : check tests/data/nano
sweep doctor "$n_sites" : : doctor --json
sweep help "$n_sites" : : help config
n_run_sites=$([ "$n_sites" = all ] && echo all || echo $((n_sites * 4)))
sweep run "$n_run_sites" fresh_run same_bytes run "${settings[@]}" --set output="$work/run"

finish
