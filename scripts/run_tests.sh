#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# scripts/run_tests.sh - runs test programs, adds up what they report, ends with
# "N passed, N failed".
#
# Usage   run_tests.sh [--unit DIR]... [--cli PROGRAM] [--lint]
#         --unit DIR     every DIR/test_* (Criterion, read through --tap), and every DIR/fuzz_NAME
#                        with the files of tests/fuzz/corpus/NAME
#         --cli PROGRAM  every tests/cli/*.sh with MIP=PROGRAM; a script prints "ok - name"
#         or "not ok - name"
#         --lint         `make lint`, each check counted as one test
# Counts  A runner that dies, runs nothing, or exits non-zero without naming a failure
#         counts as one failure. Skipped tests are named and are neither passed nor failed.
#         Running nothing at all is a failure.
set -u
cd "$(dirname "$0")/.." || exit 1

n_passed=0
n_failed=0
n_skipped=0
log=$(mktemp)
# sanitizers write here: Criterion drops what its workers say on stderr and as exit status
reports=$(mktemp -d)
trap 'rm -rf "$log" "$reports"' EXIT

# Sanitizer reports of this runner are shown; they count where the test itself did not
# fail (leaks, found at exit).
count_reports() {
    local report n=0
    for report in "$reports"/*; do
        if [ -f "$report" ]; then
            n=$((n + 1))
            sed -e '/^Shadow bytes/,$d' -e 's/^/    /' "$report" | head -n 60
        fi
    done
    if [ "$n" -gt "$failed" ]; then
        echo "  $1: $n sanitizer reports"
        failed=$n
    fi
    rm -f "$reports"/*
}

# One runner's TAP in $log and its exit status -> totals and one line.
count_tap() {
    local name=$1 status=$2 seconds=$3
    local failed skipped passed plan
    plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$log" | head -n 1)
    skipped=$(grep -ciE '^ok .*# *skip' "$log")
    passed=$(($(grep -c '^ok ' "$log") - skipped))
    failed=$(grep -c '^not ok ' "$log")
    if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
        echo "  $name: exit status $status without a failed test"
        failed=1
        tail -n 40 "$log" | sed 's/^/    /'
    elif [ $((passed + failed + skipped)) -eq 0 ]; then
        echo "  $name: reported no test at all"
        failed=1
        tail -n 40 "$log" | sed 's/^/    /'
    elif [ -n "$plan" ] && [ "$plan" -ne $((passed + failed + skipped)) ]; then
        echo "  $name: announced $plan tests and reported $((passed + failed + skipped))"
        failed=$((failed + 1))
    elif [ "$failed" -ne 0 ]; then
        grep -v '^ok ' "$log" | head -n 200 | sed 's/^/    /'
    fi
    count_reports "$name"
    grep -iE '^ok .*# *skip' "$log" | sed 's/^ok[ 0-9-]*/    skipped: /'
    printf '%-40s %4d passed %3d failed %3d skipped  %s s\n' "$name" "$passed" "$failed" \
        "$skipped" "$seconds"
    n_passed=$((n_passed + passed))
    n_failed=$((n_failed + failed))
    n_skipped=$((n_skipped + skipped))
}

missing() {
    echo "$1"
    n_failed=$((n_failed + 1))
}

run() {
    local name=$1 begin=$SECONDS status
    shift
    timeout 1800 "$@" >"$log" 2>&1
    status=$?
    count_tap "$name" "$status" $((SECONDS - begin))
}

run_unit() {
    local dir=$1 program found=0
    for program in "$dir"/test_*; do
        if [ -x "$program" ] && [ -f "$program" ]; then
            found=1
            run "$program" "$program" --tap -j2
        fi
    done
    for program in "$dir"/fuzz_*; do
        if [ -x "$program" ] && [ -f "$program" ]; then
            run "$program" "$program" "tests/fuzz/corpus/${program##*/fuzz_}"
        fi
    done
    if [ "$found" -eq 0 ]; then
        missing "$dir: no test program; build with: make tests"
    fi
}

run_cli() {
    local script
    export MIP=$1
    if [ ! -x "$MIP" ]; then
        missing "$MIP is not there; build with: make"
        return
    fi
    for script in tests/cli/*.sh; do
        if [ -f "$script" ]; then
            run "$script" bash "$script"
        fi
    done
}

run_lint() {
    local check
    for check in lint-format lint-layers lint-rules lint-headers lint-clang lint-cppcheck; do
        if make --no-print-directory "$check" >"$log" 2>&1; then
            printf 'ok - %s\n' "$check" >"$log"
        else
            printf 'not ok - %s\n' "$check" >>"$log"
        fi
        count_tap "$check" 0 -
    done
}

# Our own code must not leak; the suppressions name third-party libraries only.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}:log_path=$reports/asan
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}:log_path=$reports/ubsan
export LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=tests/support/lsan.supp:print_suppressions=0}

while [ $# -gt 0 ]; do
    case $1 in
    --unit) run_unit "$2"; shift 2 ;;
    --cli) run_cli "$2"; shift 2 ;;
    --lint) run_lint; shift ;;
    *) echo "run_tests.sh: unknown option $1" >&2; exit 2 ;;
    esac
done

if [ $((n_passed + n_failed)) -eq 0 ]; then
    missing "nothing was run"
fi
if [ "$n_skipped" -ne 0 ]; then
    echo "$n_skipped skipped (named above)"
fi
echo "$n_passed passed, $n_failed failed"
[ "$n_failed" -eq 0 ]
