#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/run_stop.sh - a run that is killed or stopped and started again ends with
# the bytes of one that was not.
#
# What    MIP_KILLS (50) times kill -9 at random moments (5 kills each run: while attributing text
#         and vision, between two stages, while editing, while answering), then SIGINT, SIGTERM and
#         SIGUSR1, one per stage; two processes on one folder; adaptive nodes, killed once.
# Random  The delays come from $RANDOM seeded with MIP_TEST_SEED (printed); where exactly
#         a kill lands depends on the machine. A kill is aimed by the run's own progress lines,
#         and the test counts the kills that did land inside each stage.
source "$(dirname "$0")/../support/cli.sh"
export MIP_THREADS=1
seed=${MIP_TEST_SEED:-20310405}
RANDOM=$seed
n_wanted=${MIP_KILLS:-50}
echo "# MIP_KILLS=$n_wanted seed of the delays: MIP_TEST_SEED=$seed"
command=(run tests/cli/configs/nano.yaml --set edit.steps=110)
results=(attribution.h5 edit.h5 model/model.safetensors eval/items.jsonl eval/models.json)
declare -A landed=([text]=0 [vision]=0 [edit]=0 [eval]=0 [between]=0)

# start RUN: the command in the background; its pid in $pid, its output in RUN.out and RUN.err.
start() {
    "$MIP" "${command[@]}" --set output="$1" >"$1.out" 2>"$1.err" &
    pid=$!
}

# reach RUN AIM: until the process has printed a progress line with the words AIM,
# or has written the file RUN/AIM, or has ended.
reach() {
    until grep -qs -- "$2" "$1.err" || [ -e "$1/$2" ] || ! kill -0 "$pid"; do
        sleep 0.005
    done
}

# sleep_up_to MS: a random time from 0 to MS milliseconds.
sleep_up_to() {
    local ms=$((RANDOM % $1))
    sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
}

# The stage a process was in when it ended, by the last line that it printed: text,
# vision, edit, eval or between.
stage_of() {
    local last
    last=$(grep -E '^ *[0-9]+% ' "$1.err" | tail -n 1)
    case $last in
    '' | *'100% '*) echo between ;;
    *' text '*) echo text ;;
    *' vision '*) echo vision ;;
    *' edit '*) echo edit ;;
    *' eval '*) echo eval ;;
    esac
}

# kill_in RUN AIM MS: start, reach the aim, wait up to MS ms more, kill -9. The shell's
# own "Killed" is not shown.
kill_in() {
    start "$1"
    reach "$1" "$2"
    sleep_up_to "$3"
    if kill -KILL "$pid"; then
        n_kills=$((n_kills + 1))
    fi
    wait "$pid"
    stage=$(stage_of "$1")
    landed[$stage]=$((landed[$stage] + 1))
} 2>/dev/null

# same RUN: one line for all result files, against the run that nobody stopped.
same() {
    local name
    for name in "${results[@]}"; do
        cmp "$whole/$name" "$1/$name" || return 1
    done
    test -z "$(find "$1" -name '*tmp-*' -o -name '*.journal' -o -name '*.state')"
}

# milliseconds STAGE MOST: what the stage took, at most MOST: if the machine was busy just then,
# later runs would have ended before their kill.
milliseconds() {
    awk -F '[:,]' -v stage="\"$1\"" -v most="$2" '$1 ~ stage { on = 1 }
        on && /seconds/ { t = $2 * 1000; printf "%d", t < most ? t : most; exit }' \
        "$whole/manifest.json"
}

# --- the run that nobody stops; its stages' times set the scale of the delays ---------------------
whole=$work/whole
expect "an uninterrupted run" 0 -- "${command[@]}" --set output="$whole"
attribute_ms=$(milliseconds attribute 400)
edit_ms=$(milliseconds edit 1500)
eval_ms=$(milliseconds eval 600)
echo "# dry timing: attribute $attribute_ms ms, edit $edit_ms ms, eval $eval_ms ms"

# --- kill -9 --------------------------------------------------------------------------------------
n_kills=0
n_resumed=0
for ((i = 0; n_kills < n_wanted && i < n_wanted; i++)); do
    run=$work/kill$i
    kill_in "$run" ' text' $((attribute_ms / 2))
    kill_in "$run" '0% .* vision' $((attribute_ms / 8))
    if [ $((i % 2)) -eq 0 ]; then
        kill_in "$run" '100% .* vision' 30 # while attribution.h5 and the manifest are written
        kill_in "$run" ' edit' $((edit_ms / 2))
    else
        kill_in "$run" edit.state $((edit_ms / 4)) # the edit goes on from its 50th step
        # while edit.h5, the model and the manifest are written
        kill_in "$run" '100% .* edit' 40
        grep -qE ' 50/110 edit' "$run.err" && n_resumed=$((n_resumed + 1))
    fi
    kill_in "$run" ' eval' $((eval_ms / 3))
    verdict "run $i, killed up to 5 times, goes on to its end" "$MIP" "${command[@]}" --set output="$run"
    verdict "run $i has the bytes of the uninterrupted one" same "$run"
done
echo "# $n_kills kills: text ${landed[text]}, vision ${landed[vision]}, edit ${landed[edit]}," \
    "eval ${landed[eval]}, between stages ${landed[between]}"
verdict "$n_wanted processes were killed" test "$n_kills" -ge "$n_wanted"
verdict "some while attributing text" test "${landed[text]}" -ge 3
verdict "some while attributing vision" test "${landed[vision]}" -ge 3
verdict "some while editing" test "${landed[edit]}" -ge 3
verdict "some edits went on from their stored state" test "$n_resumed" -ge 1
verdict "some while answering" test "${landed[eval]}" -ge 3

# --- signals --------------------------------------------------------------------------------------
# stop SIGNAL STAGE MS SETTING: the signal while the stage works, the refusal of another setting,
# then the end of the run.
stop() {
    local run=$work/$1 code fault=""
    start "$run"
    reach "$run" "$2"
    sleep_up_to "$3"
    kill -s "$1" "$pid"
    wait "$pid"
    code=$?
    [ "$code" -eq 130 ] || fault="exit code $code; "
    grep -qx "mip: stopped by SIG$1; the work so far is kept" "$run.err" || \
        fault+="no word about it; "
    grep -qx 'hint: the same command goes on from here' "$run.err" || fault+="no hint; "
    [ ! -e "$run/manifest.json" ] || ! grep -q '"eval"' "$run/manifest.json" || \
        fault+="the run had ended; "
    result "SIG$1 while in$2: exit code 130, and it says that the work is kept" \
        "${fault:+$fault$(cat "$run.err")}"
    expect "the run stopped by SIG$1 does not go on with $4" 2 err='other (eval )?settings' \
        err='hint: .*output folder' -- \
        "${command[@]}" --set output="$run" --set "$4"
    verdict "the run stopped by SIG$1 goes on to its end" "$MIP" "${command[@]}" --set output="$run"
    verdict "the run stopped by SIG$1 has the bytes of the uninterrupted one" same "$run"
}
stop INT ' text' $((attribute_ms / 2)) attribute.top_k=3
stop TERM ' edit' $((edit_ms / 2)) edit.lr=0.02
stop USR1 ' eval' $((eval_ms / 3)) eval.max_new_tokens=5

# --- two processes on one folder ------------------------------------------------------------------
run=$work/shared
start "$run"
reach "$run" ' eval'
kill -STOP "$pid"
expect "a second process on the folder says who holds it" 1 \
    err="$run/lock is held by pid $pid on .* since 20" err='hint: wait for it to end' -- \
    "${command[@]}" --set output="$run"
expect "an undo of a folder at work, too" 1 err="held by pid $pid" -- edit --undo "$run"
kill -CONT "$pid"
verdict "the first process does not notice" wait "$pid"
verdict "and its bytes are those of a run alone" same "$run"
expect "the lock of an ended process is no hindrance" 0 out='done already' -- \
    "${command[@]}" --set output="$run"

# --- adaptive nodes -------------------------------------------------------------------------------
whole=$work/whole_adaptive
command=(attribute tests/cli/configs/nano.yaml --set attribute.modalities=[text]
    --set attribute.quadrature=adaptive --set attribute.tolerance=1e-5)
results=(attribution.h5)
run=$work/kill_adaptive
expect "an uninterrupted run with adaptive nodes" 0 -- "${command[@]}" --set output="$whole"
kill_in "$run" attribution.journal/text_000003.bin 1
verdict "killed after some samples" test -e "$run/attribution.journal/text_000003.bin" -a \
    ! -e "$run/attribution.h5"
verdict "it goes on to its end" "$MIP" "${command[@]}" --set output="$run"
verdict "it has the bytes of the uninterrupted one" same "$run"

finish
