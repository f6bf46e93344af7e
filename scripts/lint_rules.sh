#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# scripts/lint_rules.sh - small rules that a grep can check.
#
# 1 The first line of every source file is its licence.
# 2 Below host/cli nothing prints to stdout or ends the process; getenv is base/env.c's alone.
set -u
cd "$(dirname "$0")/.." || exit 1
n_breach=0

breach() {
    echo "$1"
    n_breach=$((n_breach + 1))
}

mapfile -t sources < <(find include host examples cuda tests scripts bench .ci Makefile \
    \( -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.sh' -o -name '*.mk' -o -name \
    '*.py' -o -name Makefile \
    -o -path .ci/run \) -type f ! -path '*/__pycache__/*' | sort)
for file in "${sources[@]}"; do
    if ! head -n 2 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0'; then
        breach "$file:1: the licence line (SPDX-License-Identifier: Apache-2.0) is missing"
    fi
done

# A word boundary before the name, so fprintf, snprintf and arena_printf pass.
while IFS= read -r hit; do
    breach "$hit   (not below host/cli)"
done < <(grep -rnE --include='*.[ch]' \
    '(^|[^A-Za-z0-9_.>])(printf|puts|putchar|exit|_Exit|abort|perror)[ ]*\(' host |
    grep -vE '^host/cli/|__attribute__|^[^:]*:[0-9]+: *(\*|/\*|//)')
while IFS= read -r hit; do
    breach "$hit   (environment variables go through base/env.h)"
done < <(grep -rnE --include='*.[ch]' '(^|[^A-Za-z0-9_])(secure_)?getenv *\(' host |
    grep -v '^host/base/env.c:')

echo "lint: ${#sources[@]} files keep the small rules, $n_breach breaches"
[ "$n_breach" -eq 0 ]
