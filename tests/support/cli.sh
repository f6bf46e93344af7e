# SPDX-License-Identifier: Apache-2.0
# tests/support/cli.sh - helpers of the command line tests; sourced by tests/cli/*.sh.
#
# Use     expect NAME CODE [out=REGEX | no_out=REGEX | err=REGEX]... -- ARGUMENTS
#             runs $MIP; one TAP line
#         verdict NAME COMMAND...
#             one TAP line by the command's exit status
#         skip NAME WHY
#             one TAP line of a test that cannot be made here
#         finish
#             the TAP plan; last line of a script
# Leaves  what the last run printed in $work/out and $work/err. $work is removed at the end.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
MIP=$(realpath "${MIP:-build/release/mip}")
work=$(mktemp -d)
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
n_tests=0
tiny=tests/golden/qwen25vl_tiny
unset MIP_BACKEND_DIR MIP_LOG MIP_THREADS

# result NAME TEXT-OF-FAILURE; an empty text is success.
result() {
    n_tests=$((n_tests + 1))
    if [ -z "$2" ]; then
        echo "ok $n_tests - $1"
    else
        echo "not ok $n_tests - $1"
        printf '%s\n' "$2" | sed 's/^/# /'
    fi
}

# skip NAME WHY
skip() {
    n_tests=$((n_tests + 1))
    echo "ok $n_tests - $1 # SKIP $2"
}

verdict() {
    local name=$1
    shift
    if "$@" >"$work/verdict" 2>&1; then
        result "$name" ""
    else
        result "$name" "$* failed: $(head -c 2000 "$work/verdict")"
    fi
}

expect() {
    local name=$1 code=$2 got fault="" one
    local -a rules=()
    shift 2
    while [ "$1" != -- ]; do
        rules+=("$1")
        shift
    done
    shift
    "$MIP" "$@" >"$work/out" 2>"$work/err"
    got=$?
    if [ "$got" -ne "$code" ]; then
        fault="exit code $got, expected $code"
    fi
    for one in ${rules[@]+"${rules[@]}"}; do
        case $one in
        out=*)
            grep -qE -- "${one#out=}" "$work/out" ||
                fault="$fault; no '${one#out=}' on stdout"
            ;;
        no_out=*)
            grep -qE -- "${one#no_out=}" "$work/out" &&
                fault="$fault; '${one#no_out=}' on stdout"
            ;;
        err=*)
            grep -qE -- "${one#err=}" "$work/err" ||
                fault="$fault; no '${one#err=}' on stderr"
            ;;
        *) fault="$fault; the test has an unknown rule '$one'" ;;
        esac
    done
    if [ -n "$fault" ]; then
        fault="mip $*: ${fault#; }
stdout: $(head -c 800 "$work/out")
stderr: $(head -c 800 "$work/err")"
    fi
    result "$name" "$fault"
}

finish() {
    echo "1..$n_tests"
}
