#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/cli/doctor.sh - `mip doctor`: findings that must be there on any machine.
source "$(dirname "$0")/../support/cli.sh"

expect "machine, libraries, backends, gpus" 0 out='^machine$' out='ok cores +[1-9]' \
    out='ok memory +[0-9.]+ [GT]B' \
    out='^libraries$' out='ok oneDNN +[0-9]+\.' out='ok HDF5 +[0-9]+\.' out='ok libspng +[0-9]' \
    out='ok libjpeg ' \
    out='^backends$' out='ok cpu ' out='ok ref ' out='^gpus$' -- doctor
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
