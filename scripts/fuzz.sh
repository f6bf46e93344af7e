#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# scripts/fuzz.sh - runs the libFuzzer programs that `make fuzz` has built, one after the other.
#
# Usage   fuzz.sh --check     is there a clang with libFuzzer? else what to install, status 1
#         fuzz.sh NAME...     FUZZ_SECONDS seconds each (default 60), at most FUZZ_RUNS inputs
#                             (-1 = no limit)
# Writes  build/fuzz/found/NAME/ what was learnt (kept for the next run);
#         build/fuzz/crash/NAME-* an input with a finding, build/fuzz/NAME.log
# Prints  one line per target; status 1 if one of them found something
set -u
cd "$(dirname "$0")/.." || exit 1
clang=${CLANG:-clang}
program=build/fuzz/tests/fuzz_

# An input of this size says all that a parser can be asked; longer ones only cost time.
declare -A max_len=([safetensors]=512 [index]=512 [config]=1024 [tokenizer]=1200 [image]=1024
    [yaml]=512 [jsonl]=800 [template]=1536)

if [ "${1:-}" = --check ]; then
    echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return p == 0 && n > 0; }' |
        "$clang" -fsanitize=fuzzer,address,undefined -fopenmp -x c -o /dev/null - 2>/dev/null &&
        exit 0
    echo "fuzz: $clang cannot link a libFuzzer program. Type: scripts/install_deps.sh --clang" >&2
    exit 1
fi

# Without the stacks of allocations a run is much faster; give the input of a finding to the program
# again to see them.
export ASAN_OPTIONS=${ASAN_OPTIONS:-malloc_context_size=0:quarantine_size_mb=8:detect_leaks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}

n_found=0
mkdir -p build/fuzz/crash
for name in "$@"; do
    log=build/fuzz/$name.log
    mkdir -p "build/fuzz/found/$name"
    "$program$name" -max_len="${max_len[$name]:-1024}" -timeout=20 -rss_limit_mb=2048 \
        -runs="${FUZZ_RUNS:--1}" -max_total_time="${FUZZ_SECONDS:-60}" \
        -artifact_prefix="build/fuzz/crash/$name-" -print_final_stats=1 \
        -dict="tests/fuzz/dict/$name.dict" \
        "build/fuzz/found/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    coverage=$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1)
    if [ "$status" -eq 0 ]; then
        echo "fuzz: $name: ${runs:-0} inputs, ${coverage:-no coverage}, no finding"
    else
        n_found=$((n_found + 1))
        echo "fuzz: $name: A FINDING after ${runs:-?} inputs, see $log"
        grep -E 'ERROR|runtime error|does not hold|Test unit written' "$log" | head -n 5 |
            sed 's/^/    /'
    fi
done
[ "$n_found" -eq 0 ]
