#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/doctor.sh - `mip doctor`: findings that must be there on any machine.
source "$(dirname "$0")/../support/cli.sh"

expect "machine, libraries, backends, gpus" 0 out='^machine$' out='ok cores +[1-9]' \
    out='ok memory +[0-9.]+ [GT]B' \
    out='^libraries$' out='ok oneDNN +[0-9]+\.' out='ok HDF5 +[0-9]+\.' out='ok libspng +[0-9]' \
    out='ok libjpeg ' \
    out='^backends$' out='ok cpu ' out='ok ref ' out='^gpus$' -- doctor
expect "room on the disk" 0 out='ok disk +[0-9.]+ [kMGT]?B free here$' -- doctor
(ulimit -f 64 && "$MIP" doctor >"$work/out") 2>/dev/null
verdict "the shell's limit of file sizes, and the command that lifts it" \
    grep -A2 -E 'a file may have at most 65\.5 kB' "$work/out"
verdict "of this finding" grep -q 'type: ulimit -f unlimited' "$work/out"
if unshare -rm mount -t tmpfs -o size=64k none "$work" 2>/dev/null; then
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare -rm bash -c 'mount -t tmpfs -o size=64k none "$1" && cd "$1" && "$2" doctor' _ \
        "$work" "$MIP" >"$work/out" 2>"$work/err"
    verdict "little room is told" grep -qE -- '-- disk +[0-9.]+ [kM]?B free here' "$work/out"
    verdict "with what needs it" grep -q 'a run writes a copy of the model' "$work/out"
else
    n_tests=$((n_tests + 2))
    echo "ok $((n_tests - 1)) - little room is told # SKIP no mount namespace here"
    echo "ok $n_tests - with what needs it # SKIP no mount namespace here"
fi
expect "the findings once more" 0 -- doctor
verdict "what is absent comes with a command" bash -c \
    '! grep -q "^  -- " "$1" || grep -A2 "^  -- " "$1" | grep -q "type: "' _ "$work/out"
MIP_THREADS=1 expect "MIP_THREADS is used" 0 out='; 1 threads are used' -- doctor
expect "as JSON" 0 out='"findings": \[' out='"state": "found"' out='"name": "oneDNN"' -- \
    doctor --json

# A plugin that cannot be loaded is not the same as none.
echo "no shared object" >"$work/libmip_cuda.so"
MIP_BACKEND_DIR=$work expect "a broken plugin is told, exit code 3" 3 \
    out='!! cuda +.*libmip_cuda.so' err='^hint: ' -- doctor
MIP_BACKEND_DIR=$work expect "and as JSON" 3 out='"state": "broken"' -- doctor --json

finish
